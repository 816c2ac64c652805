"""From figures and a template to one self-contained HTML file.

The file fetches nothing: plotly's script, the styles and the figures are inside it, and its content
security policy forbids everything else. Names may hold anything: the templates escape them.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from labloop.report.templating import environment
from labloop.report.theme import THEMES, Theme


@dataclass(frozen=True)
class Picture:
    """A figure on the page: its caption and its JSON by theme, safe inside a script element."""

    name: str
    caption: str
    height: int
    json: Markup


def picture(name: str, caption: str, draw: Callable[[Theme], go.Figure]) -> Picture:
    """Return a figure as it is drawn in each theme."""
    figures = {theme.name: draw(theme) for theme in THEMES}
    text = ",".join(f'"{theme}":{figure.to_json()}' for theme, figure in figures.items())
    # Inside a script element, HTML must find neither an end tag nor the start of a comment.
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    height = int(figures[THEMES[0].name].layout.height)
    return Picture(name, caption, height, Markup(f"{{{text}}}"))


def render(template: str, **shown: Any) -> str:
    """Return a template of this room, filled in, as the text of one HTML file.

    Figures are among what is shown as `pictures`, by their names.
    """
    templates = environment()
    script = templates.get_template("figures.js").render()
    plotly = get_plotlyjs().replace("\r\n", "\n").replace("\r", "\n")
    return templates.get_template(template).render(
        themes=THEMES,
        plotly=Markup(plotly),
        script=Markup(script),
        hashes=[_hash(plotly), _hash(script)],
        **shown,
    )


def _hash(script: str) -> str:
    """Return what a content security policy calls a script that it lets run."""
    return base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
