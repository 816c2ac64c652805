"""Whether to use colours, and which: they only repeat what the words say.

NO_COLOR (no-color.org) and TERM=dumb switch them off, FORCE_COLOR switches them on.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Literal, TextIO

from labloop.terminal.text import show, visible

if TYPE_CHECKING:
    from rich.console import Console

# Names of the terminal's own colours, which its user chose to be read on its background.
WORDS = {
    "proposed": "cyan",
    "exported": "yellow",
    "recorded": "green",
    "abandoned": "dim",
    "outlier": "magenta",
    "excluded": "red",
    "missing": "yellow",
    "below_range": "cyan",
    "above_range": "cyan",
    "latin_hypercube": "cyan",
    "mixing": "yellow",
    "permuted_grid": "green",
    "local_moves": "magenta",
    "candidate_list": "blue",
    "exploration": "red",
    "replicate": "dim",
}


def pretty(stream: TextIO | None = None) -> bool:
    """Return whether a stream (standard output by default) shows tables with lines and colours."""
    forced = os.environ.get("FORCE_COLOR", "")
    if forced:
        return forced != "0"
    shown = sys.stdout if stream is None else stream
    return shown.isatty() and os.environ.get("TERM") != "dumb"


def console() -> Console:
    """Return standard output as rich writes to it; nothing in what is written is obeyed."""
    from rich.console import Console

    colourless = bool(os.environ.get("NO_COLOR"))
    system: Literal["auto"] | None = None if colourless else "auto"
    return Console(
        file=sys.stdout,
        force_terminal=True,
        color_system=system,
        no_color=colourless,
        markup=False,
        emoji=False,
        highlight=False,
        soft_wrap=False,
    )


def show_words(*pieces: tuple[str, str]) -> None:
    """Write a line of (text, style) to standard output, without styles where there are none."""
    if not pretty():
        show("".join(text for text, _ in pieces))
        return
    from rich.text import Text

    console().print(Text.assemble(*((visible(text), style) for text, style in pieces)))
