"""A campaign from beginning to end in headless Chromium, with every other address refused."""

from __future__ import annotations

import os
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from labloop import Campaign
from tests.campaign.conftest import Lab
from tests.web.conftest import App

sync_api = pytest.importorskip("playwright.sync_api")

NAMES = ("chromium", "chromium-browser", "google-chrome")
DEFINITION = """
name = "new line"

[plate]
wells = 96
well_volume_ul = 200.0
inoculum_ul = 20.0
replicates = 2
controls = { commercial = 2 }

[robot]
kind = "biomek"

[[response]]
name = "titre"
unit = "g/L"
goal = "maximize"

[[response]]
name = "viability"
unit = "%"
goal = "observe"

[formulas.commercial]
glucose = 5.0
iron = 2.0

[surrogate]
layers = 5
members = 2

[proposal]
formulas = 6
candidates = 2000
"""
for _name in Lab.names:
    DEFINITION += f'\n[[component]]\nname = "{_name}"\nunit = "mM"\nhigh = 10.0\n'
    DEFINITION += "stocks = [200.0, 20.0]\n"


@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    """Debian's Chromium, which knows no address but this computer's."""
    path = os.environ.get("LABLOOP_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("there is no Chromium on this computer; install the package chromium")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=path,
            args=["--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"],
        )
        yield started
        started.close()


@pytest.fixture
def browser(chromium, app: App):
    """A page that fails the test where it asks another server, or its scripts go wrong."""
    context = chromium.new_context(viewport={"width": 1440, "height": 1000}, accept_downloads=True)
    page = context.new_page()
    wrong: list[str] = []

    def ask(route):
        if urlsplit(route.request.url).netloc == f"127.0.0.1:{app.port}":
            return route.continue_()
        wrong.append(f"asked for {route.request.url}")
        return route.abort()

    context.route("**/*", ask)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda m: wrong.append(m.text) if _is_fault(m) else None)
    page.set_default_timeout(60_000)
    yield page
    context.close()
    assert wrong == []


def _is_fault(message) -> bool:
    """Whether the console tells of a fault; a page that refuses a form is none."""
    refused = message.text.startswith("Failed to load resource: the server responded with a status")
    return message.type == "error" and not refused


def drawn(page) -> None:
    """Wait until every figure of the page is drawn, by looking at each."""
    figures = page.locator("[data-figure]")
    assert figures.count() > 0
    for number in range(figures.count()):
        figures.nth(number).scroll_into_view_if_needed()
        figures.nth(number).locator(".main-svg").first.wait_for()


def test_a_campaign_from_beginning_to_end(browser, app: App, tmp_path: Path) -> None:
    page, lab = browser, Lab()
    page.goto(app.origin)

    page.get_by_role("link", name="New campaign").click()
    page.get_by_label("Name").fill("new line")
    page.get_by_role("button", name="Make the campaign").click()
    assert "The campaign is made." in page.inner_text("main")

    editor = page.get_by_label("campaign.toml")
    editor.fill(DEFINITION.replace("wells = 96", 'wells = "many"'))
    page.get_by_role("button", name="Save the definition").click()
    alert = page.get_by_role("alert")
    assert "must be one of 24, 48, 96, 384, 1536" in alert.inner_text()
    alert.get_by_role("link", name="line 5").click()
    assert editor.evaluate("t => t.value.slice(t.selectionStart, t.selectionEnd)") == (
        'wells = "many"'
    )
    editor.fill(DEFINITION)
    page.get_by_role("button", name="Save the definition").click()
    assert "Saved." in page.inner_text("main")
    folder = app.home / "new line"
    saved = (folder / "campaign.toml").read_text(encoding="utf-8")
    assert tomllib.loads(saved) == tomllib.loads(DEFINITION)

    table = tmp_path / "earlier.csv"
    lab.history(40).to_csv(table, index=False)
    page.get_by_role("link", name="History").click()
    page.get_by_label("Table of earlier results").set_input_files(table)
    page.get_by_label("Source").fill("CHO-S")
    page.get_by_role("button", name="See what would be imported").click()
    assert "Would record 80 measurements of the history of CHO-S" in page.inner_text("main")
    page.get_by_role("button", name="Import these results").click()
    page.get_by_label("Folds of the cross-validation").fill("2")
    page.get_by_role("button", name="Learn from the history").click()
    page.get_by_text("The network was tested on history that it had not seen").wait_for()

    page.get_by_role("link", name="Overview").click()
    page.get_by_role("link", name="Propose the next round").click()
    page.get_by_role("button", name="Choose the formulas").click()
    page.get_by_role("progressbar").first.wait_for()
    page.get_by_role("heading", name="Round 1 proposed").wait_for()
    drawn(page)

    with page.expect_download() as saving:
        page.get_by_role("button", name="Get the files").click()
        page.get_by_role("link", name="Save all of them").click()
    assert saving.value.suggested_filename == "new line-round-1.zip"

    with Campaign.open(folder) as campaign:
        results = lab.results(campaign, 1)
    bad, good = tmp_path / "bad.csv", tmp_path / "good.csv"
    results.assign(well=results["well"].replace(results["well"].iloc[0], "Z99")).to_csv(
        bad, index=False
    )
    results.to_csv(good, index=False)
    page.get_by_role("link", name="Back to round 1").click()
    page.get_by_role("link", name="Hand in results").click()
    page.get_by_label("What was measured").set_input_files(bad)
    page.get_by_role("button", name="See what would be recorded").click()
    assert "Z99" in page.get_by_role("alert").inner_text()
    page.get_by_label("What was measured").set_input_files(good)
    page.get_by_role("button", name="See what would be recorded").click()
    assert "Would record 28 measurements of round 1" in page.inner_text("main")
    page.get_by_role("button", name="Record these results").click()
    assert "What came out" in page.inner_text("main")
    drawn(page)

    page.get_by_role("link", name="What was learned").click()
    page.get_by_role("button", name="Learn it now").click()
    page.get_by_text("titre depends most on").wait_for()
    drawn(page)


def test_work_is_cancelled_by_its_button(browser, app: App, learned: Path) -> None:
    page = browser
    page.goto(f"{app.origin}/campaigns/small/propose")
    page.get_by_role("button", name="Choose the formulas").click()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("heading", name="Propose round 1").wait_for()
    with Campaign.open(learned) as campaign:
        assert campaign.rounds() == []


def test_a_script_in_a_note_does_not_run(browser, app: App, done: Path) -> None:
    page = browser
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    text = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    page.goto(f"{app.origin}/campaigns/small")
    page.get_by_label("A note on the campaign").fill(text)
    page.get_by_role("button", name="Keep this note").click()
    page.get_by_text(text).wait_for()


def test_pages_fit_a_narrow_window_and_both_schemes(chromium, app: App, done: Path) -> None:
    places = ("", "/definition", "/history", "/rounds/1", "/rounds/1/wells", "/rounds/1/results",
              "/propose", "/learned", "/compare", "/log", "/check")  # fmt: skip
    for scheme in ("light", "dark"):
        context = chromium.new_context(viewport={"width": 800, "height": 900}, color_scheme=scheme)
        page = context.new_page()
        for place in places:
            page.goto(f"{app.origin}/campaigns/small{place}")
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width <= 800, f"{place} is {width} wide"
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (paper == "rgb(255, 255, 255)") == (scheme == "light")
        context.close()


def test_without_scripts_a_campaign_can_still_be_led(chromium, app: App, learned: Path) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(f"{app.origin}/campaigns/small")
    page.get_by_role("link", name="Propose the next round").click()
    page.get_by_role("button", name="Choose the formulas").click()
    page.get_by_role("heading", name="Round 1 proposed").wait_for()
    context.close()
