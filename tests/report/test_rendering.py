"""A figure is drawn once: in the dark it differs by its colours alone."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from labloop.report import rendering
from labloop.report.changes import changes
from labloop.report.page import shown
from labloop.report.theme import DARK, LIGHT, in_dark


def as_json(figure):
    return json.loads(figure.to_json())


@pytest.fixture
def drawn(monkeypatch):
    """Every way in which a figure was asked for, by its name."""
    asked = {}
    make = rendering.picture_of_readings

    def spy(name, caption, readings):
        asked[name] = list(readings)
        return make(name, caption, readings)

    monkeypatch.setattr(rendering, "picture_of_readings", spy)
    monkeypatch.setattr("labloop.report.pictures.picture_of_readings", spy)
    return asked


def test_every_figure_of_a_page_in_the_dark_is_the_light_one_in_other_colours(page, drawn):
    assert {"plate", "progress", "parity"} <= set(shown(page())["pictures"])
    assert len(drawn) >= 3
    for name, readings in drawn.items():
        for reading in readings:
            light, dark = (as_json(reading.draw(theme)) for theme in (LIGHT, DARK))
            assert light != dark, name
            assert changes(in_dark(light), dark) == [], name


def test_every_colour_of_the_light_theme_has_one_use():
    held = asdict(LIGHT)
    colours = [colour for role, colour in held.items() if role not in ("name", "origins")]
    colours += held["origins"]
    assert len(set(colours)) == len(colours)
    assert in_dark(colours) == [
        *(getattr(DARK, role) for role in held if role not in ("name", "origins")),
        *DARK.origins,
    ]


def test_faint_colours_keep_how_faint_they_are():
    assert in_dark({"a": [LIGHT.faint("mixing"), "rgba(1,2,3,0.25)", 7, None]}) == {
        "a": [DARK.faint("mixing"), "rgba(1,2,3,0.25)", 7, None]
    }
