"""All campaigns, and making a new one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.responses import Response

from labloop.errors import LabloopError, RefusedError
from labloop.web.pages.next_step import NextStep, next_step
from labloop.web.visit import Visit, address, go

if TYPE_CHECKING:
    from labloop.campaign.standing import Standing


@dataclass(frozen=True)
class Card:
    """A campaign as the first page shows it; `problem` where it cannot be opened."""

    name: str
    folder: str
    description: str = ""
    standing: Standing | None = None
    next: NextStep | None = None
    working: str = ""
    problem: str = ""


def all_campaigns(visit: Visit) -> Response:
    """Show every campaign with where it stands."""
    cards = [_card(visit, name, folder) for name, folder in visit.house.shelf.folders().items()]
    return visit.show("campaigns.html.j2", cards=cards, home=str(visit.house.shelf.home))


def _card(visit: Visit, name: str, folder: Path) -> Card:
    from labloop.campaign import Campaign

    job = visit.house.jobs.of(folder)
    try:
        with Campaign.open(folder) as campaign:
            standing = campaign.status()
            return Card(
                name,
                str(folder),
                campaign.definition.description,
                standing,
                next_step(name, standing),
                "" if job is None else job.title,
            )
    except LabloopError as error:
        problem = getattr(error, "headline", str(error))
        return Card(name, str(folder), problem=problem)


def new(visit: Visit) -> Response:
    """Ask for a new campaign's name and what it starts from."""
    return _ask(visit)


def _ask(visit: Visit, problem: str = "", status: int = 200) -> Response:
    from labloop.campaign.folders import ready_made

    return visit.show(
        "new.html.j2",
        status,
        ready_made=list(ready_made()),
        others=list(visit.house.shelf.folders()),
        given={"campaign": visit.text("campaign"), "like": visit.text("like") or "template"},
        problem=problem,
        home=str(visit.house.shelf.home),
    )


def create(visit: Visit) -> Response:
    """Make a new campaign and open its definition."""
    from labloop.campaign.folders import home_of, ready_made, start

    shelf = visit.house.shelf
    wanted, like = visit.text("campaign"), visit.text("like") or "template"
    try:
        if not wanted:
            raise RefusedError("A new campaign needs a name.")
        if Path(wanted).name != wanted:
            raise RefusedError(f'A campaign\'s name is not a path (got "{wanted}").')
        if like not in ready_made():
            folders = shelf.folders()
            if like not in folders:
                raise RefusedError(f'There is no definition "{like}" to start from.')
            like = str(folders[like])
        folder = start(home_of(wanted, shelf.home), like)
    except LabloopError as error:
        return _ask(visit, str(error), status=409)
    if folder not in shelf.folders().values():
        shelf.made.append(folder)
    return go(address("campaigns", shelf.name_of(folder), "definition", made="1"))
