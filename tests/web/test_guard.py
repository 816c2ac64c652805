"""Who is let in: the app answers its own pages on this computer, and nobody else."""

from __future__ import annotations

import re
import socket

import pytest

from labloop import Campaign
from tests.web.conftest import MOST_BYTES, App

EVIL = "http://evil.example"


def notes(folder):
    with Campaign.open(folder) as campaign:
        return [note.text for note in campaign.notes()]


# -- the Host header -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example",
     "127.0.0.1@evil.example",
        "evil.example@127.0.0.1", "10.0.0.5", "[::2]", "", "[", "127.0.0.1:80:evil.example"],
)  # fmt: skip
def test_a_foreign_host_is_refused(app, new, host):
    answer = app.ask("GET", "/", Host=host)
    assert answer.status == 400
    assert b"small" not in answer.body


def test_the_refusal_of_a_foreign_host_is_plain_text(app):
    answer = app.ask("GET", "/", Host="<script>alert(1)</script>")
    assert answer.status == 400
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "host", ["127.0.0.1:{port}", "localhost:{port}", "[::1]:{port}", "LocalHost"]
)
def test_the_computers_own_names_are_let_in(app, host):
    assert app.ask("GET", "/", Host=host.format(port=app.port)).status == 200


def test_a_request_without_a_host_is_refused(app):
    with socket.create_connection(("127.0.0.1", app.port), timeout=10) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert b" 400 " in connection.recv(4096).splitlines()[0]


# -- posts of other sites ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": EVIL},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Sec_Fetch_Site": "cross-site", "Origin": "http://127.0.0.1:{port}"},
        {"Sec_Fetch_Site": "same-site", "Origin": "http://127.0.0.1:{port}"},
        {"Sec_Fetch_Site": "same-origin"},
        {"Referer": "http://127.0.0.1:{port}/"},
        {},
    ],
)
def test_a_post_that_no_page_of_the_app_sent_is_refused(app, new, headers):
    sent = {name: value.format(port=app.port) for name, value in headers.items()}
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    answer = app.ask("POST", "/campaigns/small/notes", b"text=forged", **form, **sent)
    assert answer.status == 403
    assert answer.text == "Refused: this form was not sent by one of labloop's own pages.\n"
    assert notes(new) == []


def test_every_address_that_changes_something_refuses_other_sites(app, waiting):
    changing = {
        (
            method,
            re.sub(r"{\w+(:int)?}", "1", route.path).replace("/campaigns/1", "/campaigns/small"),
        )
        for route in app.app.routes
        for method in route.methods or ()
        if method not in ("GET", "HEAD")
    }
    assert len(changing) >= 12
    before = (waiting / "campaign.db").read_bytes()
    for method, path in changing:
        assert app.ask(method, path, b"a=b", Origin=EVIL).status == 403, path
    assert (waiting / "campaign.db").read_bytes() == before


def test_a_post_of_the_apps_own_page_is_taken(app, new):
    assert app.post("/campaigns/small/notes", text="mine").status == 303
    assert notes(new) == ["mine"]


def test_addresses_that_change_something_cannot_be_visited_by_a_link(app, waiting):
    assert app.get("/campaigns/small/rounds/1/abandon").status == 405
    assert app.get("/campaigns/small/pretrain").status == 405


# -- how much may be sent ------------------------------------------------------------------------


def test_an_upload_that_is_too_large_is_refused(app, waiting):
    large = {"file": ("results.csv", b"x" * (MOST_BYTES + 1))}
    answer = app.upload("/campaigns/small/rounds/1/results", large)
    assert answer.status == 413
    assert answer.text == (
        "This is more than the 1 MB that the app takes at once; use the command line for larger "
        "files.\n"
    )


def test_an_upload_that_does_not_tell_its_size_is_refused_once_it_is_too_large(app, waiting):
    with socket.create_connection(("127.0.0.1", app.port), timeout=30) as connection:
        connection.sendall(
            f"POST /campaigns/small/rounds/1/results HTTP/1.1\r\nHost: 127.0.0.1:{app.port}\r\n"
            f"Origin: {app.origin}\r\nTransfer-Encoding: chunked\r\n"
            "Content-Type: multipart/form-data; boundary=b\r\n\r\n".encode()
        )
        head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
        block = head + b"x" * 2**16
        answer = b""
        try:
            for _ in range(40):
                connection.sendall(b"%x\r\n" % len(block) + block + b"\r\n")
        except OSError:
            pass  # it was told no and the line closed
        answer = connection.recv(4096)
    assert b" 413 " in answer.splitlines()[0]
    assert list(app.house.uploads.folder.iterdir()) == []


@pytest.mark.parametrize("length", ["-1", "1e9", "99999999999999999999", "४"])
def test_an_odd_length_is_refused(app, length):
    connection = socket.create_connection(("127.0.0.1", app.port), timeout=10)
    with connection:
        connection.sendall(
            f"POST /new HTTP/1.1\r\nHost: 127.0.0.1:{app.port}\r\nOrigin: {app.origin}\r\n"
            f"Content-Length: {length}\r\n\r\n".encode()
        )
        assert connection.recv(4096).splitlines()[0].split()[1] in (b"400", b"413")


# -- what pages may do ---------------------------------------------------------------------------


def test_every_answer_carries_the_policy(app, new):
    for path in ("/", "/campaigns/small", "/static/app.js", "/nowhere"):
        headers = app.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers


def test_pages_are_not_kept_and_scripts_are(app):
    assert app.get("/").headers["cache-control"] == "no-store"
    assert "immutable" in app.get("/static/app.js").headers["cache-control"]


def test_pages_hold_no_script_of_their_own(app, done):
    for path in (
        "/",
        "/campaigns/small",
        "/campaigns/small/rounds/1",
        "/campaigns/small/definition",
    ):
        text = app.get(path).text
        scripts = re.findall(r"<script([^>]*)>", text)
        assert all("src=" in each or "application/json" in each for each in scripts)
        assert not re.search(r"\son\w+=", text)


SCRIPT = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7*7 }}"


def test_a_script_in_a_note_is_shown_as_text(app, done):
    app.post("/campaigns/small/notes", text=SCRIPT, round="1")
    for path in ("/campaigns/small", "/campaigns/small/rounds/1"):
        answer = app.get(path)
        assert "<script>alert" not in answer.text
        assert "<img src=x" not in answer.text
        assert SCRIPT in answer.words


def test_a_script_in_names_of_campaigns_files_and_answers_is_shown_as_text(app, waiting):
    named = {"file": ("<script>alert(2)<script>.csv", b"well,titre\n<script>alert(3)</script>,1\n")}
    answers = [
        app.get("/campaigns/%3Cscript%3Ealert(1)%3C%2Fscript%3E"),
        app.upload("/campaigns/small/rounds/1/results", named, instrument="<script>alert(4)"),
        app.upload("/campaigns/small/rounds/1/results", named),
        app.get("/campaigns/small/compare?formula=%3Cscript%3Ealert(5)"),
        app.post("/new", campaign="<script>alert(6)", like="template"),
        app.post("/campaigns/small/definition", text='a = "<script>alert(7)"', was="x"),
    ]
    for answer in answers:
        assert answer.status in (404, 409, 422)
        assert "<script>alert" not in answer.text


# -- the launch link -----------------------------------------------------------------------------


@pytest.fixture
def beyond(home, tmp_path):
    """The app as it listens beyond this computer."""
    uploads = tmp_path / "uploads-beyond"
    uploads.mkdir()
    running = App(home, uploads, token="secret-token")
    yield running
    running.close()


def test_without_the_link_nothing_is_shown(beyond, new):
    for path in ("/", "/campaigns/small", "/static/app.js", "/?token=wrong", "/?token="):
        answer = beyond.get(path)
        assert answer.status == 401
        assert answer.text == "Open the link that `labloop serve` printed: it carries the token.\n"


def test_the_link_sets_a_cookie_that_lets_in(beyond, new):
    first = beyond.get("/campaigns/small?token=secret-token&said=a%20b")
    assert first.status == 303
    assert first.headers["location"] == "/campaigns/small?said=a+b"
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    kept = cookie.partition(";")[0]
    assert beyond.ask("GET", "/campaigns/small", Cookie=kept).status == 200
    assert beyond.ask("GET", "/", Cookie="labloop_token=guess").status == 401
    assert beyond.ask("GET", "/", Cookie='labloop_token="\\').status == 401


def test_the_link_leads_to_no_other_server(beyond):
    answer = beyond.get("//evil.example/?token=secret-token")
    assert answer.headers["location"].startswith("/evil.example")


def test_a_post_needs_the_cookie_and_the_origin(beyond, new):
    path = "/campaigns/small/notes"
    assert beyond.post(path, text="a").status == 401
    assert beyond.post(f"{path}?token=secret-token", text="a").status == 401
    forged = beyond.ask("POST", path, b"text=a", Cookie="labloop_token=secret-token", Origin=EVIL)
    assert forged.status == 403
    assert notes(new) == []


def test_names_that_could_be_rebound_are_refused_beyond_this_computer_too(beyond):
    kept = {"Cookie": "labloop_token=secret-token"}
    assert beyond.ask("GET", "/", Host="evil.example", **kept).status == 400
    assert beyond.ask("GET", "/", Host="10.0.0.5:8765", **kept).status == 200
