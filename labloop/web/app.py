"""The app: which address is answered by which page, and what is said when something is wrong."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from labloop.errors import BusyError, DefinitionError, LabloopError, RefusedError
from labloop.web.guard import Guard, Rules
from labloop.web.jobs import Jobs
from labloop.web.pages import (
    campaign,
    campaigns,
    comparison,
    definition,
    history,
    learned,
    results,
    rounds,
    wells,
    work,
)
from labloop.web.shelf import Shelf
from labloop.web.static import asset
from labloop.web.uploads import Uploads
from labloop.web.visit import Answer, House, Memory, page, show

_CODES = {RefusedError: 409, BusyError: 503}


def create_app(shelf: Shelf, rules: Rules, uploads: Path) -> Starlette:
    """Return the app.

    Args:
        shelf: The campaigns.
        rules: Who may ask.
        uploads: An empty folder for files on their way.
    """
    app = Starlette(
        routes=_routes(),
        middleware=[Middleware(Guard, rules=rules)],
        exception_handlers={
            ClientDisconnect: _gone,
            LabloopError: _refused,
            HTTPException: _not_answered,
            OSError: _system_refused,
            Exception: _unexpected,
        },
    )
    app.state.house = House(shelf, Jobs(), Uploads(uploads), Memory())
    return app


def _routes() -> list[BaseRoute]:
    at = "/campaigns/{name}"
    of_round = at + "/rounds/{number}"
    return [
        Route("/static/{file}", asset),
        _get("/", campaigns.all_campaigns),
        _get("/new", campaigns.new),
        _post("/new", campaigns.create),
        _get(at, campaign.overview),
        _get(at + "/log", campaign.log),
        _post(at + "/notes", campaign.note),
        _get(at + "/definition", definition.edit),
        _post(at + "/definition", definition.save),
        _get(at + "/check", definition.check),
        _get(at + "/history", history.history),
        _post(at + "/history", history.hand_in),
        _post(at + "/history/keep", history.keep),
        _post(at + "/pretrain", history.pretrain),
        _get(at + "/propose", rounds.ask),
        _post(at + "/propose", rounds.propose),
        _get(at + "/learned", learned.learned),
        _post(at + "/learned", learned.learn),
        _get(at + "/compare", comparison.compare),
        _get(of_round, rounds.one_round),
        _post(of_round + "/export", rounds.export),
        _get(of_round + "/files/{key}", rounds.files),
        _post(of_round + "/abandon", rounds.abandon),
        _post(of_round + "/report", rounds.report),
        _get(of_round + "/results", results.results),
        _post(of_round + "/results", results.hand_in),
        _post(of_round + "/results/keep", results.keep),
        _get(of_round + "/wells", wells.wells),
        _post(of_round + "/wells", wells.flag),
        _get("/files/{key}/{file}", rounds.save_file),
        _get("/jobs/{key}", work.watch),
        _get("/jobs/{key}/state", work.state),
        _post("/jobs/{key}/cancel", work.cancel),
    ]


def _get(path: str, answer: Answer) -> Route:
    return Route(path, page(answer), methods=["GET"])


def _post(path: str, answer: Answer) -> Route:
    return Route(path, page(answer), methods=["POST"])


# -- what is said when something is wrong ---------------------------------------------------------


async def _refused(request: Request, error: Exception) -> Response:
    code = next((c for kind, c in _CODES.items() if isinstance(error, kind)), 422)
    return _page(
        request, code, getattr(error, "headline", str(error)), getattr(error, "problems", ()),
        broken=isinstance(error, DefinitionError),
    )  # fmt: skip


async def _not_answered(request: Request, error: Exception) -> Response:
    code = error.status_code if isinstance(error, HTTPException) else 500
    said = {404: "There is no such page.", 405: "This page takes no such request."}
    detail = error.detail if isinstance(error, HTTPException) else ""
    standard = detail in ("Not Found", "Method Not Allowed")
    return _page(request, code, said.get(code, detail) if standard else detail, ())


async def _system_refused(request: Request, error: Exception) -> Response:
    traceback.print_exception(error, file=sys.stderr)
    why = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return _page(
        request, 507,
        f"The computer could not read or write a file ({why}). Look whether its disk is full and "
        "whether you may write there, then do it again.", (),
    )  # fmt: skip


async def _gone(request: Request, error: Exception) -> Response:
    del request, error
    return Response(status_code=400)  # nobody is there any more who could read it


async def _unexpected(request: Request, error: Exception) -> Response:
    del error  # the server writes it to the terminal
    return _page(
        request, 500,
        "Something went wrong that labloop did not expect; the campaign is as it was. The terminal "
        "in which `labloop serve` runs says more.", (),
    )  # fmt: skip


def _page(
    request: Request, code: int, headline: str, problems: tuple[str, ...], *, broken: bool = False
) -> Response:
    """Return the page that says what is wrong; `broken` where it is the definition."""
    asked = request.path_params.get("name")
    # a link to a campaign that is not there would lead here again
    name = asked if asked in request.app.state.house.shelf.folders() else None
    return show(
        "wrong.html.j2", code,
        headline=headline, problems=problems, name=name, broken=broken,
    )  # fmt: skip
