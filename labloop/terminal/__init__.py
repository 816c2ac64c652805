"""What the command line shows: tables on standard output, progress and prose on standard error."""

from labloop.terminal.colours import pretty, show_words
from labloop.terminal.progress import Progress, progress_shown, working
from labloop.terminal.tables import show_frame
from labloop.terminal.text import say, show, show_path, speak_utf8, visible
from labloop.terminal.values import records, show_json

__all__ = [
    "Progress",
    "pretty",
    "progress_shown",
    "records",
    "say",
    "show",
    "show_frame",
    "show_json",
    "show_path",
    "show_words",
    "speak_utf8",
    "visible",
    "working",
]
