"""Who may ask what of the app: checked before any page is made.

A page of another site that is open in the same browser can send requests to this computer. It is
kept out by the Host header, which it cannot choose (DNS rebinding), by the Origin header, which
browsers set (cross-site request forgery), and by a cookie that only the launch link sets wherever
the app listens beyond this computer. See the OWASP cheat sheets on cross-site request forgery and
on content security policy.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
COOKIE = "labloop_token"
_HOST = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[\w.-]+))(?::[0-9]{1,5})?", re.ASCII)
_SAFE_METHODS = ("GET", "HEAD")

HEADERS = {
    # plotly writes styles into its elements, and offers a picture as a blob
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; connect-src 'self'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class Rules:
    """What is let in.

    Attributes:
        hosts: Names in the Host header that are the app's own.
        any_address: Whether an address of numbers is, too: one cannot be rebound.
        token: What the launch link carries; None where only this computer can reach the app.
        most_bytes: The most that a request may send.
    """

    hosts: frozenset[str]
    any_address: bool
    token: str | None
    most_bytes: int


class Guard:
    """ASGI middleware that refuses what the rules do not let in, and sets the headers above."""

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self.app, self.rules = app, rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refused = refusal(scope, self.rules)
        answer = self.app if refused is None else refused

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await answer(scope, _limited(receive, self.rules.most_bytes), send_with_headers)


def refusal(scope: Scope, rules: Rules) -> Response | None:
    """Return the answer to a request that is not passed on, None for one that is."""
    headers = Headers(scope=scope)
    host = headers.get("host", "")
    if not _is_own(host, rules):
        return _plain(400, f'This address is not labloop\'s: "{host}".')
    if rules.token is not None:
        entered = _entering(scope, headers, rules.token)
        if entered is not None:
            return entered
    if scope["method"] not in _SAFE_METHODS and not _same_origin(headers, host):
        return _plain(403, "Refused: this form was not sent by one of labloop's own pages.")
    if _length(headers) > rules.most_bytes:
        return _plain(413, too_large(rules.most_bytes))
    return None


def too_large(most_bytes: int) -> str:
    """Return what is said of a request that sends too much."""
    return (
        f"This is more than the {most_bytes // 2**20} MB that the app takes at once; use the "
        "command line for larger files."
    )


def _plain(status: int, text: str) -> Response:
    return PlainTextResponse(text + "\n", status_code=status)


def _is_own(host: str, rules: Rules) -> bool:
    found = _HOST.fullmatch(host)
    name = "" if found is None else (found["six"] or found["name"]).casefold()
    return name in rules.hosts or (rules.any_address and _is_address(name))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _same_origin(headers: Mapping[str, str], host: str) -> bool:
    """Whether a request was sent by a page of the app; browsers say so, nobody else needs to ask.

    `Sec-Fetch-Site` is what browsers of today send, `Origin` what all do with a form.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None and site != "same-origin":
        return False
    return origin == f"http://{host}"


def _length(headers: Mapping[str, str]) -> int:
    text = headers.get("content-length", "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 2**62


def _limited(receive: Receive, most_bytes: int) -> Receive:
    """Return a `receive` that stops a body that is longer than it said, or said nothing."""
    taken = 0

    async def limited() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > most_bytes:
            raise HTTPException(413, too_large(most_bytes))
        return message

    return limited


# -- the launch token ----------------------------------------------------------------------------


def _entering(scope: Scope, headers: Headers, token: str) -> Response | None:
    """Return the answer to whoever has no cookie: in with the launch link, else 401."""
    if _matches(_cookie(headers), token):
        return None
    pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    given = next((value for name, value in pairs if name == "token"), "")
    if scope["method"] not in _SAFE_METHODS or not _matches(given, token):
        return _plain(401, "Open the link that `labloop serve` printed: it carries the token.")
    rest = urlencode([(name, value) for name, value in pairs if name != "token"])
    # one slash: two would lead to another server
    path = "/" + scope["path"].lstrip("/\\")
    answer = RedirectResponse(f"{path}?{rest}" if rest else path, status_code=303)
    answer.set_cookie(COOKIE, token, httponly=True, samesite="strict")
    return answer


def _cookie(headers: Headers) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return "" if found is None else found.value


def _matches(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8"), token.encode("utf-8"))
