"""`labloop serve`: the app on an address, until it is told to end."""

from __future__ import annotations

import secrets
import socket
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import uvicorn

from labloop.errors import RefusedError
from labloop.web.app import create_app
from labloop.web.guard import LOOPBACK, Rules
from labloop.web.shelf import Shelf

MOST_BYTES = 64 * 2**20


def serve(folders: Sequence[Path], host: str, port: int, tell: Callable[[str, str], None]) -> None:
    """Serve campaigns to browsers until interrupted.

    Args:
        folders: Campaigns; none for all in this folder and below campaigns/.
        host: The address to listen at. Beyond this computer, only who has the link gets in.
        port: The port, 0 for any that is free.
        tell: Called with the link, and with a sentence on who can open it, once it can be opened.

    Raises:
        RefusedError: The address cannot be listened at.
    """
    listening = _listen(host, port)
    with listening, tempfile.TemporaryDirectory(prefix="labloop-") as uploads:
        found = listening.getsockname()[1]
        alone = host in LOOPBACK
        token = None if alone else secrets.token_urlsafe(24)
        app = create_app(Shelf(tuple(folders), Path.cwd()), rules(host, token), Path(uploads))
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, proxy_headers=False
        )
        server = uvicorn.Server(config)
        link = f"http://{_in_link(host)}:{found}/"
        tell(link if token is None else f"{link}?token={token}", _who(alone))
        threading.Thread(target=_warm, daemon=True).start()
        try:
            with suppress(KeyboardInterrupt):
                server.run(sockets=[listening])
        finally:
            app.state.house.jobs.close()


def rules(host: str, token: str | None) -> Rules:
    """Return who is let in at an address: with a token, by names that cannot be rebound."""
    if token is None:
        return Rules(LOOPBACK, any_address=False, token=None, most_bytes=MOST_BYTES)
    names = {host.casefold(), socket.gethostname().casefold(), socket.getfqdn().casefold()}
    return Rules(LOOPBACK | names, any_address=True, token=token, most_bytes=MOST_BYTES)


def _who(alone: bool) -> str:
    if alone:
        return "Only this computer can open it. Ctrl-C ends it."
    return (
        "Whoever has this link can open it and change the campaigns; what is sent is not "
        "encrypted, so keep it within a network that you trust. Ctrl-C ends it."
    )


def _in_link(host: str) -> str:
    """Return an address as a link has it; that of all interfaces is no address of its own."""
    if host in ("0.0.0.0", "::", ""):
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        why = error.strerror or str(error)
        raise RefusedError(
            f"labloop cannot listen at {host}, port {port} ({why}); name another with --port, or "
            "let --port 0 find one."
        ) from error


def _warm() -> None:
    """Import what the first figure needs while the user reads the first page."""
    import pandas  # noqa: F401
    import plotly.graph_objects  # noqa: F401

    import labloop.campaign.reporting  # noqa: F401
