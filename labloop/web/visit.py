"""A request as the pages see it, and their answers."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from labloop.errors import RefusedError, did_you_mean
from labloop.web.jobs import Jobs
from labloop.web.shelf import Shelf
from labloop.web.static import stamp
from labloop.web.templating import templates
from labloop.web.uploads import Uploads

if TYPE_CHECKING:
    from labloop.campaign import Campaign

_REMEMBERED = 24  # pages whose making takes time
_MOST_DIGITS = 12  # more is no number of a round or a formula, and too large for the store
_MOST_TEXT = 2 * 2**20  # bytes of one field of a form


@dataclass(eq=False)
class Memory:
    """What was made for a page and stays true while the campaign stays as it is."""

    _made: dict[Hashable, Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: Hashable) -> Any:
        """Return what is remembered, None for nothing."""
        with self._lock:
            return self._made.get(key)

    def keep(self, key: Hashable, value: Any) -> None:
        """Remember something; the oldest is forgotten where there is much."""
        with self._lock:
            self._made[key] = value
            while len(self._made) > _REMEMBERED:
                del self._made[next(iter(self._made))]


@dataclass(frozen=True)
class House:
    """What all pages share."""

    shelf: Shelf
    jobs: Jobs
    uploads: Uploads
    memory: Memory


@dataclass(frozen=True)
class Visit:
    """What one request asks for.

    Attributes:
        house: What all pages share.
        path: Names and numbers in the address.
        query: What is behind the address's question mark, lists by name.
        form: What was filled in.
    """

    house: House
    path: Mapping[str, Any]
    query: Mapping[str, list[str]]
    form: FormData

    @property
    def name(self) -> str:
        """What the campaign is called in the address."""
        return str(self.path["name"])

    @property
    def folder(self) -> Path:
        """The campaign's folder; HTTPException 404 where there is none of that name."""
        folders = self.house.shelf.folders()
        if self.name not in folders:
            raise HTTPException(
                404, f'There is no campaign "{self.name}"{did_you_mean(self.name, folders)}'
            )
        return folders[self.name]

    @property
    def number(self) -> int:
        """The round's number in the address; HTTPException 404 where it is no number."""
        text = str(self.path["number"])
        if not (text.isascii() and text.isdigit() and len(text) < _MOST_DIGITS):
            raise HTTPException(404)
        return int(text)

    @contextmanager
    def campaign(self) -> Iterator[Campaign]:
        """Open the campaign."""
        from labloop.campaign import Campaign

        with Campaign.open(self.folder) as campaign:
            yield campaign

    def text(self, name: str) -> str:
        """Return a field of the form without blanks around it, empty where it is missing."""
        value = self.form.get(name)
        return value.strip() if isinstance(value, str) else ""

    def texts(self, name: str) -> list[str]:
        """Return all fields of a name that are not empty."""
        values = [value.strip() for value in self.form.getlist(name) if isinstance(value, str)]
        return [value for value in values if value]

    def whole_number(self, name: str) -> int | None:
        """Return a field as a number, None where it is empty; RefusedError where it is none."""
        text = self.text(name)
        if not text:
            return None
        if not (text.isascii() and text.isdigit() and len(text) < _MOST_DIGITS):
            raise RefusedError(f'{name.capitalize()} must be a whole number (got "{text[:40]}").')
        return int(text)

    def upload(self, name: str) -> UploadFile | None:
        """Return a file that was handed in, None where the field was left empty."""
        value = self.form.get(name)
        return value if isinstance(value, UploadFile) and value.filename else None

    def asked(self, name: str) -> str:
        """Return what is behind the address's question mark under a name, empty for nothing."""
        return (self.query.get(name) or [""])[0]

    def show(self, template: str, status: int = 200, **shown: Any) -> Response:
        """Return a page."""
        return show(template, status, **shown)


Answer = Callable[[Visit], Response]


def page(answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    """Return what answers a request by a function that may take its time."""

    async def endpoint(request: Request) -> Response:
        posted = request.method == "POST"
        form = await request.form(max_part_size=_MOST_TEXT) if posted else FormData()
        query = {name: request.query_params.getlist(name) for name in request.query_params}
        visit = Visit(request.app.state.house, request.path_params, query, form)
        try:
            return await run_in_threadpool(answer, visit)
        finally:
            await form.close()

    return endpoint


def show(template: str, status: int = 200, **shown: Any) -> Response:
    """Return a template, filled in."""
    text = templates().get_template(template).render(stamp=stamp(), address=address, **shown)
    return HTMLResponse(text, status_code=status)


def address(*parts: object, **query: object) -> str:
    """Return an address of the app from its parts, each of them escaped."""
    path = "/" + "/".join(quote(str(part), safe="") for part in parts)
    pairs = [f"{quote(key)}={quote(str(value), safe='')}" for key, value in query.items() if value]
    return f"{path}?{'&'.join(pairs)}" if pairs else path


def go(to: str) -> Response:
    """Return an answer that sends the browser on, so that loading again sends no form again."""
    return RedirectResponse(to, status_code=303)
