"""Formulas side by side."""

from __future__ import annotations

from starlette.responses import Response

from labloop.errors import LabloopError, RefusedError
from labloop.web.frames import grid_of
from labloop.web.visit import Visit

_MOST_DIGITS = 12


def compare(visit: Visit) -> Response:
    """Show what two formulas or more have in common, and what not."""
    wanted = [word for text in visit.query.get("formula", []) for word in _words(text)]
    with visit.campaign() as campaign:
        problem, compared = "", None
        if visit.asked("ticked") and not wanted:
            problem = "Tick two formulas or more to compare them."
        if wanted:
            try:
                compared = campaign.compare([_meant(word) for word in wanted])
            except LabloopError as error:
                problem = str(error)
        return visit.show(
            "compare.html.j2",
            409 if problem else 200,
            name=visit.name,
            definition=campaign.definition,
            wanted=", ".join(wanted),
            problem=problem,
            sentences=() if compared is None else compared.sentences,
            amounts=None if compared is None else grid_of(compared.amounts),
            responses=None if compared is None else grid_of(compared.responses.reset_index()),
            here="compare",
            job=visit.house.jobs.of(campaign.folder),
        )


def _meant(word: str) -> int | str:
    """Return a formula's number, or a control's name; RefusedError for more than a store holds."""
    if not word.isdecimal():
        return word
    if len(word) > _MOST_DIGITS:
        raise RefusedError(f'There is no formula "{word[:_MOST_DIGITS]}…".')
    return int(word)


def _words(text: str) -> list[str]:
    """Return formulas that are separated by commas: names may hold blanks."""
    return [word.strip() for word in text.split(",") if word.strip()]
