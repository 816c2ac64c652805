"""What the model learned of the components; learning takes a few seconds, so it is begun."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from markupsafe import Markup
from starlette.responses import Response

from labloop.campaign.news import last_news
from labloop.web.visit import Visit, address, go

if TYPE_CHECKING:
    from pathlib import Path


_TITLES = {
    "importance": "Which components matter",
    "effects": "What each of them does",
    "interactions": "What two of them do together",
}


def learned(visit: Visit) -> Response:
    """Show what was learned, or offer to learn it."""
    with visit.campaign() as campaign:
        last = last_news(campaign.store)
        found: dict[str, Any] | None = visit.house.memory.get(
            _key(campaign.folder, campaign.text, last)
        )
        return visit.show(
            "learned.html.j2",
            name=visit.name,
            definition=campaign.definition,
            found=found,
            titles=_TITLES,
            here="learned",
            job=visit.house.jobs.of(campaign.folder),
        )


def learn(visit: Visit) -> Response:
    """Begin to learn from everything that is known now."""
    with visit.campaign() as campaign:
        folder, text, last = campaign.folder, campaign.text, last_news(campaign.store)
    to = address("campaigns", visit.name, "learned")
    memory = visit.house.memory

    def onward(outcome: dict[str, Any]) -> str:
        # the picture's text was made safe for a script element where it was drawn
        pictures = [each | {"json": Markup(each["json"])} for each in outcome["pictures"]]
        memory.keep(_key(folder, text, last), outcome | {"pictures": pictures})
        return to

    job = visit.house.jobs.begin(
        folder, "Learning what the components do", {"action": "effects"}, to, onward
    )
    return go(address("jobs", job.key))


def _key(folder: Path, text: str, last: int) -> tuple[object, ...]:
    return ("learned", str(folder), text, last)
