"""The results of a round: a file is handed in, looked at, and recorded."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from labloop.campaign.recorded_text import entries_table, recorded_sentences, where_of
from labloop.errors import LabloopError
from labloop.web.frames import grid_of
from labloop.web.pages.handing_in import NO_FILES, files_of, kept_fields, kept_files, reading_of
from labloop.web.visit import Visit, address, go


def results(visit: Visit) -> Response:
    """Ask for the file of a round's results."""
    return _ask(visit)


def _ask(visit: Visit, error: LabloopError | None = None, **kept: Any) -> Response:
    with visit.campaign() as campaign:
        return visit.show(
            "results.html.j2",
            200 if error is None else 422,
            name=visit.name,
            definition=campaign.definition,
            number=visit.number,
            state=campaign.round(visit.number).state,
            instruments=[instrument.name for instrument in campaign.definition.instruments],
            headline="" if error is None else getattr(error, "headline", str(error)),
            problems=getattr(error, "problems", ()),
            given=kept_fields(visit),
            here="rounds",
            job=visit.house.jobs.of(campaign.folder),
            **NO_FILES | kept,
        )


def hand_in(visit: Visit) -> Response:
    """Show what would be recorded, and store nothing."""
    kept = kept_files(visit)
    try:
        path, mapped = files_of(visit, kept)
        with visit.campaign() as campaign:
            recorded = campaign.record(
                path, visit.number, map=mapped, dry_run=True, **reading_of(visit)
            )
            table = grid_of(entries_table(recorded.entries)) if recorded.entries else None
            return visit.show(
                "preview.html.j2",
                name=visit.name,
                definition=campaign.definition,
                title=f"Results of round {visit.number}",
                sentences=recorded_sentences(recorded, where_of(recorded), dry_run=True),
                table=table,
                keep=address("campaigns", visit.name, "rounds", visit.number, "results", "keep"),
                back=address("campaigns", visit.name, "rounds", visit.number, "results"),
                fields=kept_fields(visit) | kept,
                words="Record these results",
                here="rounds",
                job=visit.house.jobs.of(campaign.folder),
            )
    except LabloopError as error:
        return _ask(visit, error, **kept)


def keep(visit: Visit) -> Response:
    """Record what was looked at."""
    kept = kept_files(visit)
    try:
        path, mapped = files_of(visit, kept)
        with visit.campaign() as campaign:
            campaign.record(path, visit.number, map=mapped, **reading_of(visit))
    except LabloopError as error:
        return _ask(visit, error, **kept)
    return go(address("campaigns", visit.name, "rounds", visit.number, recorded="1"))
