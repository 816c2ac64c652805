"""A campaign: where it stands, its best formulas, its notes and its log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from labloop.web.frames import Grid, grid_of
from labloop.web.pages.next_step import next_step
from labloop.web.visit import Visit, address, go

if TYPE_CHECKING:
    from labloop.campaign import Campaign

_BEST = 10


def overview(visit: Visit) -> Response:
    """Show where the campaign stands and what to do next."""
    with visit.campaign() as campaign:
        standing = campaign.status()
        notes = campaign.notes()
        key = ("overview", str(campaign.folder), campaign.text, campaign.last_event)
        made: dict[str, Any] | None = visit.house.memory.get(key)
        if made is None:
            made = _made(campaign)
            visit.house.memory.keep(key, made)
        return visit.show(
            "campaign.html.j2",
            name=visit.name,
            definition=campaign.definition,
            standing=standing,
            next=next_step(visit.name, standing),
            notes=list(reversed(notes)),
            job=visit.house.jobs.of(campaign.folder),
            here="overview",
            **made,
        )


def _made(campaign: Campaign) -> dict[str, Any]:
    """Return what takes time to make: the picture of all rounds and the best formulas."""
    if not campaign.rounds():
        return {"best": None, "page": None, "progress": None}
    from labloop.report.pictures import progress_picture

    best = campaign.best(_BEST)
    page = campaign.round_page()
    responses = [
        f"{r.name}_{kind}" for r in campaign.definition.responses for kind in ("mean", "sem")
    ]
    columns = ["round", "origin", *[c for c in responses if c in best.columns]]
    grid: Grid | None = grid_of(best[columns].reset_index()) if len(best) else None
    return {"best": grid, "page": page, "progress": progress_picture(page)}


def note(visit: Visit) -> Response:
    """Write a note on the campaign or on a round."""
    number = visit.whole_number("round")
    with visit.campaign() as campaign:
        campaign.note(visit.text("text"), number)
    place = ("rounds", number) if number else ()
    return go(address("campaigns", visit.name, *place) + "#notes")


def log(visit: Visit) -> Response:
    """Show what happened, newest first, and whether anybody altered it."""
    from labloop.campaign.chronicle import in_words, read_chronicle

    with visit.campaign() as campaign:
        chronicle = read_chronicle(campaign.store)
        events = [(event, in_words(event)) for event in reversed(chronicle.events)]
        return visit.show(
            "log.html.j2", name=visit.name, definition=campaign.definition, events=events,
            sentence=chronicle.sentence, whole=not chronicle.faults, here="log",
            job=visit.house.jobs.of(campaign.folder),
        )  # fmt: skip
