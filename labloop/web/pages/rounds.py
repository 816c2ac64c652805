"""A round: proposed, looked at, its files saved, given up."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from labloop.errors import LabloopError
from labloop.web.pages.next_step import next_step
from labloop.web.uploads import safe_name
from labloop.web.visit import Visit, address, go

if TYPE_CHECKING:
    from labloop.campaign import Campaign


# -- proposing -----------------------------------------------------------------------------------


def ask(visit: Visit) -> Response:
    """Ask for how many formulas, and whether from a list."""
    return _ask(visit)


def _ask(visit: Visit, error: LabloopError | None = None) -> Response:
    with visit.campaign() as campaign:
        standing = campaign.status()
        return visit.show(
            "propose.html.j2",
            200 if error is None else 409,
            name=visit.name,
            definition=campaign.definition,
            number=len(standing.rounds) + 1,
            waiting=[n for n, state in standing.rounds if state in ("proposed", "exported")],
            next=next_step(visit.name, standing),
            given={name: visit.text(name) for name in ("formulas", "seed")},
            headline="" if error is None else getattr(error, "headline", str(error)),
            problems=getattr(error, "problems", ()),
            here="rounds",
            job=visit.house.jobs.of(campaign.folder),
        )


def propose(visit: Visit) -> Response:
    """Begin to choose the next round."""
    try:
        upload = visit.upload("candidates")
        listed = None
        if upload is not None:
            key = visit.house.uploads.keep(upload.filename or "candidates.csv", upload.file)
            listed = str(visit.house.uploads.file(key).resolve())
        order = {
            "action": "propose",
            "formulas": visit.whole_number("formulas"),
            "seed": visit.whole_number("seed"),
            "candidates": listed,
        }
        name = visit.name
        job = visit.house.jobs.begin(
            visit.folder,
            "Choosing the next round",
            order,
            address("campaigns", name, "propose"),
            lambda outcome: address("campaigns", name, "rounds", outcome["round"]),
        )
    except LabloopError as error:
        return _ask(visit, error)
    return go(address("jobs", job.key))


# -- one round -----------------------------------------------------------------------------------


def one_round(visit: Visit) -> Response:
    """Show a round: its plate, its formulas, what came out."""
    return _show(visit)


def _show(visit: Visit, problem: str = "") -> Response:
    from labloop.worklists import WORKLISTS

    with visit.campaign() as campaign:
        standing = campaign.status()
        states = dict(standing.rounds)
        if visit.number not in states:
            raise HTTPException(404, f"There is no round {visit.number}.")
        kind = campaign.definition.robot.kind
        return visit.show(
            "round_page.html.j2",
            409 if problem else 200,
            name=visit.name,
            definition=campaign.definition,
            number=visit.number,
            numbers=list(states),
            state=states[visit.number],
            waiting=standing.waiting.get(visit.number),
            next=next_step(visit.name, standing),
            kinds=list(WORKLISTS),
            kind=kind if kind in WORKLISTS else "manual",
            notes=campaign.notes(visit.number),
            recorded=bool(visit.asked("recorded")),
            problem=problem,
            here="rounds",
            job=visit.house.jobs.of(campaign.folder),
            **_context(visit, campaign),
        )


def _context(visit: Visit, campaign: Campaign) -> dict[str, Any]:
    """Return what the sections of a round show, made once as long as nothing changes."""
    from labloop.report.page import shown

    last = campaign.last_event
    key = ("round", str(campaign.folder), campaign.text, last, visit.number)
    made: dict[str, Any] | None = visit.house.memory.get(key)
    if made is None:
        made = shown(campaign.round_page(visit.number))
        visit.house.memory.keep(key, made)
    return made


def abandon(visit: Visit) -> Response:
    """Give a round up."""
    try:
        with visit.campaign() as campaign:
            campaign.abandon(visit.number)
    except LabloopError as error:
        return _show(visit, str(error))
    return go(address("campaigns", visit.name, "rounds", visit.number))


# -- files ---------------------------------------------------------------------------------------


def export(visit: Visit) -> Response:
    """Write a round's files and offer them."""
    key, folder = visit.house.uploads.new()
    try:
        with visit.campaign() as campaign:
            campaign.export(visit.text("kind"), folder, visit.number)
    except LabloopError as error:
        return _show(visit, str(error))
    return go(address("campaigns", visit.name, "rounds", visit.number, "files", key))


def files(visit: Visit) -> Response:
    """Offer the files that were written, one by one and all in one."""
    key = str(visit.path["key"])
    found = visit.house.uploads.files(key)
    with visit.campaign() as campaign:
        return visit.show(
            "files.html.j2",
            name=visit.name,
            definition=campaign.definition,
            number=visit.number,
            key=key,
            files=[(path.name, path.stat().st_size) for path in found],
            here="rounds",
            job=visit.house.jobs.of(campaign.folder),
        )


def save_file(visit: Visit) -> Response:
    """Answer with one of the files, or with all of them as `all.zip`."""
    found = visit.house.uploads.files(str(visit.path["key"]))
    wanted = str(visit.path["file"])
    if wanted == "all.zip":
        return _saved(_zipped(found), f"{safe_name(visit.asked('called'))}.zip")
    for path in found:
        if path.name == wanted:
            return _saved(path.read_bytes(), wanted)
    raise HTTPException(404, f'There is no file "{wanted}".')


def _zipped(paths: list[Path]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            archive.write(path, path.name)
    return held.getvalue()


def _saved(content: bytes, name: str) -> Response:
    from urllib.parse import quote

    header = f"attachment; filename*=UTF-8''{quote(name)}"
    return Response(
        content, media_type="application/octet-stream", headers={"Content-Disposition": header}
    )


def report(visit: Visit) -> Response:
    """Begin to write the round's report."""
    key, folder = visit.house.uploads.new()
    name = safe_name(f"{visit.name}-round-{visit.number}.html")
    back = address("campaigns", visit.name, "rounds", visit.number)
    order = {
        "action": "report",
        "round": visit.number,
        "out": str((folder / name).resolve()),
    }
    files_at = address("campaigns", visit.name, "rounds", visit.number, "files", key)
    job = visit.house.jobs.begin(
        visit.folder, f"Writing the report of round {visit.number}", order, back, lambda _: files_at
    )
    return go(address("jobs", job.key))
