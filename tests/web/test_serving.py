"""`labloop serve` from the outside: the link, who can open it, how it ends."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from labloop.cli import main
from labloop.web import serving
from labloop.web.guard import LOOPBACK

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def served(folder, *arguments):
    """Start the command in a folder: (the running program, what it printed first)."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    started = subprocess.Popen(
        [sys.executable, "-m", "labloop", "serve", *arguments],
        cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    guard = threading.Timer(60, started.kill)
    guard.start()
    try:
        yield started, started.stdout.readline().strip()
    finally:
        guard.cancel()
        if started.poll() is None:
            started.kill()
        started.communicate()


def get(link, path="/"):
    host, _, port = re.sub(r"^http://|/.*$", "", link).partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, body


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no Ctrl-C to one program alone")
def test_it_prints_a_link_serves_this_folders_campaigns_and_ends_with_ctrl_c(home, new):
    with served(home, "--port", "0") as (program, link):
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", link)
        status, body = get(link)
        assert status == 200
        assert "small" in body
        program.send_signal(signal.SIGINT)
        _, said = program.communicate(timeout=30)
        assert program.returncode == 0
        assert said == "Only this computer can open it. Ctrl-C ends it.\n"


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no Ctrl-C to one program alone")
def test_work_under_way_ends_with_the_app(home, learned, tmp_path):
    with served(home, "--port", "0") as (program, link):
        host = link.removeprefix("http://").rstrip("/")
        connection = http.client.HTTPConnection(host, timeout=30)
        connection.request(
            "POST", "/campaigns/small/propose", b"formulas=6",
            {"Origin": f"http://{host}", "Content-Type": "application/x-www-form-urlencoded"},
        )  # fmt: skip
        assert connection.getresponse().status == 303
        connection.close()
        program.send_signal(signal.SIGINT)
        program.communicate(timeout=30)
        assert program.returncode == 0
    from labloop import Campaign

    with Campaign.open(learned) as campaign:
        assert campaign.rounds() == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has 127.0.0.2 from the start")
def test_beyond_this_computer_the_link_carries_a_token(home, new):
    with served(home, "--port", "0", "--host", "127.0.0.2") as (_, link):
        found = re.fullmatch(r"http://127\.0\.0\.2:\d+/\?token=([\w-]{32})", link)
        assert found
        assert get(link)[0] == 401
        assert get(link, f"/?token={found[1]}")[0] == 303


def test_only_campaigns_that_are_named_are_served(home, new):
    (home / "other").mkdir()
    (home / "other" / "campaign.toml").write_text("", encoding="utf-8")
    with served(home, "small", "--port", "0") as (_, link):
        body = get(link)[1]
        assert "small" in body
        assert "other" not in body


def test_a_port_that_is_taken_is_said():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = CliRunner().invoke(main, ["serve", "--port", str(port)])
    assert result.exit_code == 1
    assert result.stderr.startswith(f"labloop: labloop cannot listen at 127.0.0.1, port {port} (")
    assert result.stderr.endswith("name another with --port, or let --port 0 find one.\n")


def test_an_address_that_is_not_this_computers_is_said():
    result = CliRunner().invoke(main, ["serve", "--host", "256.0.0.1", "--port", "0"])
    assert result.exit_code == 1
    assert "cannot listen at 256.0.0.1" in result.stderr


def test_a_campaign_that_is_not_there_is_said(tmp_path):
    result = CliRunner().invoke(main, ["serve", str(tmp_path)])
    assert result.exit_code == 1
    assert f'There is no campaign in "{tmp_path}" (no campaign.toml)' in result.stderr


def test_the_rules_let_addresses_in_only_with_a_token():
    alone = serving.rules("127.0.0.1", None)
    assert (alone.hosts, alone.any_address) == (LOOPBACK, False)
    beyond = serving.rules("10.0.0.5", "token")
    assert beyond.any_address
    assert "10.0.0.5" in beyond.hosts
    assert "evil.example" not in beyond.hosts
