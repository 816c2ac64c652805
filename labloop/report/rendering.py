"""From figures and a template to one self-contained HTML file.

The file fetches nothing: plotly's script, the styles and the figures are inside it, and its content
security policy forbids everything else. Names may hold anything: the templates escape them.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import plotly.graph_objects as go
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from labloop.report.changes import changed, changes
from labloop.report.templating import environment
from labloop.report.theme import LIGHT, THEMES, Theme, in_dark


class Reading(NamedTuple):
    """One of the ways in which a figure can be shown: its name, and that of its group."""

    name: str
    group: str
    draw: Callable[[Theme], go.Figure]


@dataclass(frozen=True)
class Picture:
    """A figure on the page: its caption and its JSON, safe inside a script element.

    The JSON has the figure as it is `light`, what is changed for `dark`, and where there are
    `readings` to choose from, for each what is changed, and what for `dark` beyond that.
    `choices` are the readings' groups, each with the numbers and names of its own.
    """

    name: str
    caption: str
    height: int
    json: Markup
    choices: tuple[tuple[str, tuple[tuple[int, str], ...]], ...] = ()


def picture(name: str, caption: str, draw: Callable[[Theme], go.Figure]) -> Picture:
    """Return a figure as it is in each theme; it is drawn in the light one."""
    return picture_of_readings(name, caption, [Reading("", "", draw)])


def picture_of_readings(name: str, caption: str, readings: Sequence[Reading]) -> Picture:
    """Return a figure that can be shown in several ways, the first of them to begin with.

    All have the height of the first. Those of a group stand together in the list of choices.
    """
    light = _json(readings[0].draw(LIGHT))
    dark = in_dark(light)
    held: dict[str, Any] = {"light": light, "dark": changes(light, dark)}
    if len(readings) > 1:
        held["readings"] = [{"all": [], "dark": []}]
        for reading in readings[1:]:
            drawn = _json(reading.draw(LIGHT))
            of_all = changes(light, drawn)
            beyond = changes(changed(dark, of_all), in_dark(drawn))
            held["readings"].append({"all": of_all, "dark": beyond})
    groups: dict[str, list[tuple[int, str]]] = {}
    for place, reading in enumerate(readings):
        groups.setdefault(reading.group, []).append((place, reading.name))
    choices = tuple((group, tuple(each)) for group, each in groups.items())
    return Picture(
        name,
        caption,
        int(light["layout"]["height"]),
        _in_script(held),
        choices if len(readings) > 1 else (),
    )


def _json(figure: go.Figure) -> Any:
    return json.loads(figure.to_json())


def _in_script(held: object) -> Markup:
    """Return JSON in which HTML finds neither an end tag nor the start of a comment."""
    text = json.dumps(held, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def render(template: str, *, pictures: Mapping[str, Picture], **shown: Any) -> str:
    """Return a template of this room, filled in, as the text of one HTML file."""
    templates = environment()
    script = templates.get_template("figures.js").render()
    plotly = get_plotlyjs().replace("\r\n", "\n").replace("\r", "\n")
    return templates.get_template(template).render(
        pictures=pictures,
        themes=THEMES,
        plotly=Markup(plotly),
        script=Markup(script),
        hashes=[_hash(plotly), _hash(script)],
        **shown,
    )


def _hash(script: str) -> str:
    """Return what a content security policy calls a script that it lets run."""
    return base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
