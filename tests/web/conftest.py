"""The app as a browser meets it: listening on loopback, over campaigns of a folder."""

from __future__ import annotations

import http.client
import re
import socket
import threading
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import pytest
import uvicorn

from labloop import Campaign
from labloop.web.app import create_app
from labloop.web.guard import LOOPBACK, Rules
from labloop.web.shelf import Shelf
from tests.campaign.conftest import (  # noqa: F401  fixtures are found by their names
    _fresh,
    _pretrained,
    _proposed,
    _recorded,
    fresh,
    lab,
    pretrained,
    proposed,
    recorded,
)

MOST_BYTES = 2**20


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")

    @property
    def words(self) -> str:
        """What a reader sees of the page, blanks and ends of lines as one blank."""
        words = _Words()
        words.feed(self.text)
        return re.sub(r"\s+", " ", " ".join(words.found)).strip()

    def field(self, name: str) -> str:
        """The value of a hidden field."""
        found = re.search(rf'name="{name}"[^>]*(?:value="([^"]*)"|hidden>([^<]*)<)', self.text)
        assert found is not None, f"there is no field {name}"
        return found[1] if found[1] is not None else found[2]


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag, attrs):
        self._hidden += tag in ("script", "style")

    def handle_endtag(self, tag):
        self._hidden -= tag in ("script", "style")

    def handle_data(self, text):
        if not self._hidden:
            self.found.append(text)


class App:
    """A running app; `home` is the folder that it was started in."""

    def __init__(self, home: Path, uploads: Path, token: str | None = None, given=()) -> None:
        self.home = home
        rules = Rules(LOOPBACK, any_address=token is not None, token=token, most_bytes=MOST_BYTES)
        self.app = create_app(Shelf(tuple(given), home), rules, uploads)
        self.house = self.app.state.house
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        config = uvicorn.Config(self.app, log_level="error", lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )
        self._thread.start()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self.house.jobs.close()
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        """Send a request just as it is said; names of headers have _ for -."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        got = {name.lower(): value for name, value in answer.getheaders()}
        try:
            return Answer(answer.status, got, answer.read())
        finally:
            connection.close()

    def get(self, path: str) -> Answer:
        return self.ask("GET", path)

    def post(self, path: str, /, **fields: str) -> Answer:
        """Send a form as one of the app's own pages does."""
        return self.ask(
            "POST", path, urlencode(fields).encode(), Origin=self.origin,
            Content_Type="application/x-www-form-urlencoded",
        )  # fmt: skip

    def upload(self, path: str, files: dict[str, tuple[str, bytes]], **fields: str) -> Answer:
        """Send a form with files: name → (file's name, its content)."""
        mark = "labloop-test-boundary"
        parts = [
            f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in fields.items()
        ]
        for name, (file, content) in files.items():
            head = f'--{mark}\r\nContent-Disposition: form-data; name="{name}"; filename="{file}"'
            parts.append(f"{head}\r\n\r\n".encode() + content + b"\r\n")
        body = b"".join(parts) + f"--{mark}--\r\n".encode()
        return self.ask(
            "POST", path, body, Origin=self.origin,
            Content_Type=f"multipart/form-data; boundary={mark}",
        )  # fmt: skip

    def follow(self, answer: Answer) -> Answer:
        """Go where an answer sends the browser."""
        assert answer.status == 303, answer.words
        return self.get(answer.headers["location"].partition("#")[0])

    def wait(self, answer: Answer, seconds: float = 120.0) -> Answer:
        """Wait until work that was begun has ended, and return the page that it leads to."""
        place = answer.headers["location"]
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            page = self.get(place)
            if page.status != 200:
                return self.follow(page) if page.status == 303 else page
            time.sleep(0.1)
        raise AssertionError("the work did not end")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "home"
    path.mkdir()
    return path


@pytest.fixture
def app(home: Path, tmp_path: Path) -> Iterator[App]:
    """The app over the campaigns of `home`."""
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    running = App(home, uploads)
    yield running
    running.close()


def moved(campaign: Campaign, home: Path, name: str = "small") -> Path:
    """Put a campaign of the fixtures where the app finds it."""
    campaign.close()
    return campaign.folder.rename(home / name)


@pytest.fixture
def new(fresh, home):  # noqa: F811
    return moved(fresh, home)


@pytest.fixture
def learned(pretrained, home):  # noqa: F811
    return moved(pretrained, home)


@pytest.fixture
def waiting(proposed, home):  # noqa: F811
    return moved(proposed, home)


@pytest.fixture
def done(recorded, home):  # noqa: F811
    return moved(recorded, home)


@pytest.fixture
def results(waiting, lab) -> bytes:  # noqa: F811
    """A file with the results of the round that waits."""
    with Campaign.open(waiting) as campaign:
        return lab.results(campaign, 1).to_csv(index=False, lineterminator="\n").encode()
