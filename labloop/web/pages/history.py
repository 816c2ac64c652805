"""Earlier results: handed in, looked at, imported and learned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from labloop.campaign.recorded_text import entries_table, recorded_sentences
from labloop.errors import LabloopError, RefusedError
from labloop.web.frames import grid_of
from labloop.web.pages.handing_in import NO_FILES, files_of, kept_fields, kept_files, reading_of
from labloop.web.pages.next_step import next_step
from labloop.web.visit import Visit, address, go

if TYPE_CHECKING:
    from labloop.campaign import Campaign

_SHOWN = 200  # rows of the table of what would be imported


def history(visit: Visit) -> Response:
    """Show what was imported, how well it was learned, and ask for more."""
    return _ask(visit)


def _ask(visit: Visit, error: LabloopError | None = None, **kept: Any) -> Response:
    with visit.campaign() as campaign:
        standing = campaign.status()
        learned = _learned(visit, campaign) if standing.counts.sources else {}
        return visit.show(
            "history.html.j2",
            200 if error is None else 422,
            name=visit.name,
            definition=campaign.definition,
            sources=standing.counts.sources,
            to_learn="pretrain" in standing.next[0].split()[:2],
            why=standing.next[1],
            instruments=[instrument.name for instrument in campaign.definition.instruments],
            next=next_step(visit.name, standing),
            headline="" if error is None else getattr(error, "headline", str(error)),
            problems=getattr(error, "problems", ()),
            given=kept_fields(visit),
            here="history",
            job=visit.house.jobs.of(campaign.folder),
            **{"scores": None, "picture": None} | learned,
            **NO_FILES | kept,
        )


def _learned(visit: Visit, campaign: Campaign) -> dict[str, Any]:
    """Return the table and the picture of how well the history was learned."""
    from labloop.campaign.journey import history_learned
    from labloop.campaign.reporting import responses_of
    from labloop.report.journey import cross_validation_picture
    from labloop.report.tables import scores_table

    key = ("history", str(campaign.folder), campaign.text, campaign.last_event)
    made: dict[str, Any] | None = visit.house.memory.get(key)
    if made is None:
        found = history_learned(campaign.store)
        made = {
            "scores": scores_table(found.scores) if len(found.scores) else None,
            "picture": cross_validation_picture(found, responses_of(campaign.definition)),
        }
        visit.house.memory.keep(key, made)
    return made


def hand_in(visit: Visit) -> Response:
    """Show what would be imported, and store nothing."""
    kept = kept_files(visit)
    try:
        path, mapped = files_of(visit, kept)
        source = _source(visit)
        with visit.campaign() as campaign:
            recorded = campaign.add_history(
                path, source, map=mapped, dry_run=True, **_reading(visit)
            )
            first = recorded.entries[:_SHOWN]
            sentences = recorded_sentences(recorded, f"the history of {source}", dry_run=True)
            if len(recorded.entries) > _SHOWN:
                sentences.append(f"The first {_SHOWN} of them are shown.")
            return visit.show(
                "preview.html.j2",
                name=visit.name,
                definition=campaign.definition,
                title=f"Earlier results of {source}",
                sentences=sentences,
                table=grid_of(entries_table(first)) if first else None,
                keep=address("campaigns", visit.name, "history", "keep"),
                back=address("campaigns", visit.name, "history"),
                fields=kept_fields(visit) | kept,
                words="Import these results",
                here="history",
                job=visit.house.jobs.of(campaign.folder),
            )
    except LabloopError as error:
        return _ask(visit, error, **kept)


def keep(visit: Visit) -> Response:
    """Import what was looked at."""
    kept = kept_files(visit)
    try:
        path, mapped = files_of(visit, kept)
        with visit.campaign() as campaign:
            campaign.add_history(path, _source(visit), map=mapped, **_reading(visit))
    except LabloopError as error:
        return _ask(visit, error, **kept)
    return go(address("campaigns", visit.name, "history"))


def pretrain(visit: Visit) -> Response:
    """Begin to learn from the history."""
    back = address("campaigns", visit.name, "history")
    folds = visit.whole_number("folds")
    order = {"action": "pretrain", "folds": 10 if folds is None else folds}
    job = visit.house.jobs.begin(
        visit.folder, "Learning from the history", order, back, lambda _: back
    )
    return go(address("jobs", job.key))


def _source(visit: Visit) -> str:
    source = visit.text("source")
    if not source:
        raise RefusedError(
            "Say which cell line, strain, lysate or campaign these results are of: a source has "
            "a name."
        )
    return source


def _reading(visit: Visit) -> dict[str, Any]:
    """Return how to read a file of history, which knows no corrections."""
    reading = reading_of(visit)
    del reading["correct"], reading["reason"]
    return reading
