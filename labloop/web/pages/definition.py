"""The definition: edited as text, its problems shown where they are."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from starlette.responses import Response

from labloop.campaign.checked_text import prose, tables
from labloop.definition import read_text
from labloop.definition.places import line_of
from labloop.errors import DefinitionError, LabloopError
from labloop.web.frames import grid_of
from labloop.web.visit import Visit, address, go


class Problem(NamedTuple):
    """A sentence and the line that it speaks of, None for the whole."""

    line: int | None
    text: str


def edit(visit: Visit) -> Response:
    """Show the text of campaign.toml, with its problems where it has any."""
    text = read_text(visit.folder / "campaign.toml")
    headline, problems = "", []
    try:
        with visit.campaign() as campaign:
            _ = campaign.space
    except DefinitionError as error:
        headline, problems = error.headline, _problems(text, error)
    return _form(visit, text, text, headline, problems, 200)


def save(visit: Visit) -> Response:
    """Check the text and put it in the place of campaign.toml."""
    from labloop.campaign.redefining import redefine

    # forms send every end of line as two characters
    text = str(visit.form.get("text", "")).replace("\r\n", "\n")
    was = str(visit.form.get("was", "")).replace("\r\n", "\n")
    try:
        redefine(visit.folder, text, was=was)
    except DefinitionError as error:
        return _form(visit, text, was, error.headline, _problems(text, error), 422)
    except LabloopError as error:
        return _form(visit, text, was, str(error), [], 409)
    return go(address("campaigns", visit.name, "definition", saved="1"))


def _problems(text: str, error: DefinitionError) -> list[Problem]:
    return [Problem(line_of(text, problem), problem) for problem in error.problems]


def _form(
    visit: Visit, text: str, was: str, headline: str, problems: list[Problem], status: int
) -> Response:
    folder = visit.folder
    return visit.show(
        "definition.html.j2",
        status,
        name=visit.name,
        path=str(Path(folder) / "campaign.toml"),
        text=text,
        was=was,
        headline=headline,
        problems=problems,
        marked=sorted({each.line for each in problems if each.line is not None}),
        saved=bool(visit.asked("saved")),
        made=bool(visit.asked("made")),
        here="definition",
        job=visit.house.jobs.of(folder),
    )


def check(visit: Visit) -> Response:
    """Say what the robot can reach and what a round needs on the deck."""
    with visit.campaign() as campaign:
        checked = campaign.check()
        sound = campaign.check_database()
        titles = [
            "What the robot reaches",
            "Stocks that would help",
            "On the deck",
            "Source plates",
        ]
        found = [grid_of(frame) for frame in tables(checked)]
        if len(found) == 3:
            del titles[1]
        return visit.show(
            "check.html.j2",
            name=visit.name,
            definition=campaign.definition,
            tables=list(zip(titles, found, strict=True)),
            sentences=[line.removeprefix("  - ") for line in prose(checked).splitlines()],
            warnings=len(checked.warnings),
            database=sound,
            here="definition",
            job=visit.house.jobs.of(campaign.folder),
        )
