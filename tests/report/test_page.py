import base64
import hashlib
import json
import math
import re
from html.parser import HTMLParser
from importlib import resources

import pandas as pd
import pytest

from labloop.report.changes import changed
from labloop.report.page import Fact, to_html
from labloop.report.subjects import Component, Response

NAN = math.nan
EVIL = "<script>alert('1')</script>"


class Read(HTMLParser):
    """A page as its reader's browser takes it."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.scripts, self.styles, self.seen = [], [], [], []
        self._open, self.options = None, []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "option":
            self._open = tag
        if tag in ("script", "style"):
            self._open = tag
            self.scripts.append([dict(attrs), ""]) if tag == "script" else self.styles.append("")

    def handle_endtag(self, tag):
        if tag == self._open:
            self._open = None

    def handle_data(self, data):
        if self._open == "script":
            self.scripts[-1][1] += data
        elif self._open == "style":
            self.styles[-1] += data
        elif self._open == "option":
            self.options.append(data)
        else:
            self.seen.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.seen).split())

    @property
    def figures(self):
        return {
            attrs["id"]: json.loads(text)
            for attrs, text in self.scripts
            if attrs.get("type") == "application/json"
        }

    def choices(self, name):
        """What a figure can be asked to show: the names in its list, as HTML has them."""
        found, inside = [], False
        for tag, attrs in self.tags:
            inside = attrs.get("data-readings") == name if tag == "select" else inside
            if tag == "option" and inside:
                found.append(self.options[int(attrs["value"])])
        return found

    @property
    def running(self):
        return [text for attrs, text in self.scripts if "type" not in attrs]


def test_a_recorded_round_has_everything(page, scores):
    read = Read(to_html(page(scores=scores, warnings=("A forest does better.",))))
    for text in (
        "small, round 1", "recorded", "A small campaign", "rounds 2 1 recorded",
        "Next: Make the plate.", "labloop record small results.csv",
        "Goal: maximize titre; viability at least 80 %.", "What came out", "The best titre is 3.2.",
        "2 formulas in 2 wells.", "components of good formulas recombined",
        "Framed wells are controls: C is base.", "Grey wells have no value.",
        "Formulas of round 1", "3.20 ± 0.10",
        "What the history taught", "0.8556", "A forest does better.", "Rests on event 7.",
    ):  # fmt: skip
        assert text in read.text
    assert set(read.figures) == {"plate", "progress", "parity", "calibration"}


def test_a_round_that_was_only_proposed_has_no_results(page, values, readings):
    values = values.assign(measured=NAN, sem=NAN, wells=0, waits=True)
    values = values[values["origin"] != "control"]
    proposed = page(state="proposed", outcome=(), all_values=values, readings=readings[:0])
    read = Read(to_html(proposed))
    assert set(read.figures) == {"plate", "progress"}
    assert read.choices("plate") == [
        "titre, predicted", "viability, predicted", "origin of the formula",
    ]  # fmt: skip
    for absent in ("What came out", "Predicted against measured", "What the history taught"):
        assert absent not in read.text


def test_a_round_of_which_nothing_is_known_still_has_its_plate(page, values, readings):
    values = values[values["origin"] != "control"]
    values = values.assign(predicted=NAN, sd=NAN, low=NAN, high=NAN, measured=NAN)
    unknown = page(outcome=(), all_values=values, readings=readings[:0])
    read = Read(to_html(unknown))
    assert set(read.figures) == {"plate"}


def test_figures_are_there_in_light_and_dark(page):
    for figure in Read(to_html(page())).figures.values():
        light, dark = figure["light"], changed(figure["light"], figure["dark"])
        assert light["layout"]["font"] != dark["layout"]["font"]
        assert len(light["data"]) == len(dark["data"])


# -- nothing from outside ------------------------------------------------------------------------


def test_the_page_fetches_nothing(page):
    read = Read(to_html(page()))
    for tag, attrs in read.tags:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base", "audio", "video")
        assert not {"src", "href", "srcset", "action", "background"} & set(attrs)
    for style in read.styles:
        assert "url(" not in style
        assert "@import" not in style
    _, ours = read.running
    assert not re.search(r"https?:|fetch|import|XMLHttpRequest", ours)


def test_the_policy_lets_only_the_pages_own_scripts_run(page):
    read = Read(to_html(page()))
    (policy,) = [a["content"] for t, a in read.tags if t == "meta" and "http-equiv" in a]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    digests = [hashlib.sha256(text.encode()).digest() for text in read.running]
    allowed = [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
    assert rules["default-src"] == "'none'"
    assert rules["script-src"].split() == allowed
    assert set(rules) == {"default-src", "script-src", "style-src", "img-src"}


def test_scripts_and_styles_have_the_newlines_that_their_hashes_were_taken_of(page):
    assert "\r" not in to_html(page())


@pytest.mark.parametrize(
    "name", ["round.html.j2", "round_body.html.j2", "macros.html.j2", "style.css", "figures.js"]
)
def test_templates_are_part_of_the_package(name):
    assert (resources.files("labloop.report") / "templates" / name).is_file()


# -- escaping ------------------------------------------------------------------------------------


@pytest.fixture
def evil_page(page, values, wells, readings, scores):
    """The page with markup in every text that a user can choose."""
    evil = {"titre": EVIL, "base": EVIL, "soy": EVIL, "mixing": EVIL}
    return page(
        campaign=EVIL,
        description=f"</title></style>{EVIL}",
        facts=(Fact(EVIL, EVIL, EVIL),),
        proposed=(EVIL,),
        outcome=(EVIL, "</ul><img src=x onerror=alert(1)>"),
        next_step=EVIL,
        command=f"labloop record '{EVIL}'",
        components=(Component(EVIL, EVIL, 0.0, 10.0), Component("serum", "", 0.0, 1.0)),
        responses=(
            Response(EVIL, EVIL, "maximize", NAN), Response("viability", "%", "at_least", 80.0),
        ),
        all_values=values.replace(evil),
        amounts=pd.DataFrame({EVIL: [2.5, 0.0], "serum": [EVIL, "wheat"]}, index=[1, 2]),
        labels=pd.Series({1: EVIL, 2: '" onload="alert(1)'}),
        wells=wells.replace({"base": EVIL}),
        readings=readings.replace({"titre": EVIL}),
        scores=scores.rename(index={"titre": EVIL}),
        warnings=(EVIL,),
    )  # fmt: skip


def test_names_and_notes_are_text_whatever_they_hold(page, evil_page):
    harmless, evil = Read(to_html(page(scores=evil_page.scores))), Read(to_html(evil_page))
    assert len(evil.scripts) == len(harmless.scripts)
    assert evil.running == harmless.running
    assert not any(key.startswith("on") for _, attrs in evil.tags for key in attrs)
    assert "img" not in {tag for tag, _ in evil.tags}
    assert evil.text.count(EVIL) > 10


def test_markup_in_figures_is_neither_html_nor_plotlys(evil_page):
    read = Read(to_html(evil_page))
    for attrs, text in read.scripts:
        if attrs.get("type") == "application/json":
            assert not {"<", ">", "&"} & set(text)
    assert EVIL not in json.dumps(read.figures)
    cut = f"{EVIL} ({EVIL})"[:35] + "…"
    escaped = cut.replace("<", "&lt;").replace(">", "&gt;")
    titles = read.figures["progress"]["light"]["layout"]["yaxis"]["title"]["text"]
    assert titles == escaped


def test_names_of_any_language_are_kept(page):
    assert "培地 Глюкоза, round 1" in Read(to_html(page(campaign="培地 Глюкоза"))).text
