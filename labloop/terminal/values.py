"""Values for other programs: JSON on standard output."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

import click

from labloop.terminal.text import is_hidden, is_missing

if TYPE_CHECKING:
    import pandas as pd


def show_json(value: object) -> None:
    """Write JSON to standard output; NaN and infinity become null."""
    text = json.dumps(_finite(value), ensure_ascii=False, indent=2)
    # JSON itself escapes only the first 32 of them
    click.echo(re.sub(r"[^\n -~]", _as_json, text))


def _as_json(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1] if is_hidden(match[0]) else match[0]


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    if is_missing(value) or (isinstance(value, float) and math.isinf(value)):
        return None
    return value if isinstance(value, str | int | float | bool) else str(value)


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a frame's rows as dicts, a named index among the columns."""
    import pandas as pd

    if frame.index.name is not None:
        frame = frame.reset_index()
    rows = frame.astype(object).where(pd.notna(frame), None).to_dict("records")
    return [{str(key): value for key, value in row.items()} for row in rows]
