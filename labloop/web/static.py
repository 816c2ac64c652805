"""Scripts and styles of the pages: files of this room and of the report's, and plotly's own."""

from __future__ import annotations

import functools
import hashlib
from importlib.metadata import version
from importlib.resources import files

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from labloop.report.templating import environment
from labloop.report.theme import THEMES

_TYPES = {".js": "text/javascript", ".css": "text/css"}
_REPORT = ("style.css", "figures.js")
_OWN = ("app.css", "app.js")
# an address carries the stamp, so that a browser may keep what it has
_KEEP = {"Cache-Control": "private, max-age=604800, immutable"}


async def asset(request: Request) -> Response:
    """Answer with a script or a style."""
    name = request.path_params["file"]
    text = _text(name)
    if text is None:
        raise HTTPException(404)
    kind = _TYPES[name[name.rindex(".") :]]
    return Response(text, media_type=f"{kind}; charset=utf-8", headers=_KEEP)


@functools.cache
def stamp() -> str:
    """Return what is in the addresses of scripts and styles: another one when any has changed."""
    held = hashlib.sha256(version("plotly").encode("utf-8"))
    for name in (*_REPORT, *_OWN):
        held.update(_text(name) or b"")
    return held.hexdigest()[:12]


@functools.cache
def _text(name: str) -> bytes | None:
    if name == "plotly.js":
        from plotly.offline import get_plotlyjs

        return str(get_plotlyjs()).encode("utf-8")
    if name in _REPORT:
        return environment().get_template(name).render(themes=THEMES).encode("utf-8")
    if name in _OWN:
        return files("labloop.web").joinpath("static", name).read_bytes()
    return None
