"""The wells of a round: what was measured, and leaving one out with a reason."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from labloop.campaign.recorded_text import excluded_sentences
from labloop.errors import LabloopError, RefusedError
from labloop.web.frames import grid_of
from labloop.web.visit import Visit, address, go


def wells(visit: Visit) -> Response:
    """Show every measured well of a round."""
    return _show(visit)


def _show(visit: Visit, problem: str = "") -> Response:
    with visit.campaign() as campaign:
        shown = campaign.round(visit.number)
        frame = campaign.wells(visit.number)
        excluded = frame[frame["status"] == "excluded"]
        plates = sorted({str(plate) for plate in shown.layout["plate"]})
        return visit.show(
            "wells.html.j2",
            409 if problem else 200,
            name=visit.name,
            definition=campaign.definition,
            number=visit.number,
            table=grid_of(frame.drop(columns="round")) if len(frame) else None,
            sentences=frame.attrs["plates"],
            excluded=_excluded(excluded.to_dict("records")),
            plates=plates,
            responses=campaign.definition.response_names,
            given={
                "wells": visit.text("wells") or visit.asked("well"),
                "plate": visit.text("plate") or visit.asked("plate"),
                "response": visit.text("response"),
                "reason": visit.text("reason"),
            },
            problem=problem,
            said=visit.query.get("said", []),
            here="rounds",
            job=visit.house.jobs.of(campaign.folder),
        )


def _excluded(rows: list[dict[Any, Any]]) -> list[dict[str, str]]:
    """Return the wells that are left out: plate, well, response and the reason."""
    names = ("plate", "well", "response", "reason")
    return [{name: str(row[name] or "") for name in names} for row in rows]


def flag(visit: Visit) -> Response:
    """Leave wells out with a reason, or take that back."""
    undo = bool(visit.text("undo"))
    named = visit.text("wells").replace(",", " ").split()
    try:
        if not named:
            raise RefusedError("Name the wells, such as B7 C7.")
        if not undo and not visit.text("reason"):
            raise RefusedError("Say why; the reason is kept with what is left out.")
        with visit.campaign() as campaign:
            excluded = campaign.exclude(
                named,
                visit.text("reason") or None,
                round=visit.number,
                plate=visit.text("plate") or None,
                response=visit.text("response") or None,
                undo=undo,
            )
    except LabloopError as error:
        return _show(visit, str(error))
    to = address("campaigns", visit.name, "rounds", visit.number, "wells")
    said = [address(said=text)[1:] for text in excluded_sentences(excluded, dry_run=False)]
    return go(f"{to}?{'&'.join(each[1:] for each in said)}")
