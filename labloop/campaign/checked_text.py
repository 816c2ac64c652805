"""What `labloop check` finds, as the command line shows it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from labloop.campaign.checking import Checked
from labloop.plate.deck_load import DeckLoad
from labloop.plate.tips import RACK
from labloop.report.numbers import counted
from labloop.terminal import records

if TYPE_CHECKING:
    import pandas as pd

_COMPONENTS = ["unit", "levels", "lowest", "highest", "reach", "fine_from", "worst_error"]
_DECK = ["stock", "stock_concentration", "source_plates", "source_wells"]
_MOST_WARNINGS = 8


def as_values(checked: Checked) -> dict[str, Any]:
    """Return everything that was found, frames as lists of rows, for JSON."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(checked):
        value = getattr(checked, field.name)
        if hasattr(value, "to_dict"):
            value = records(value)
        elif isinstance(value, DeckLoad):
            value = dataclasses.asdict(value) | {"needed": value.needed}
        values[field.name] = value
    return values


def tables(checked: Checked) -> list[pd.DataFrame]:
    """Return the tables that are shown, narrow enough for a terminal.

    They are the components, the stocks that would help (where any would), the stocks on the deck
    and the source plates.
    """
    shown = [checked.components[[*_COMPONENTS, "usual_ul"]]]
    if len(checked.extra_stocks):
        extra = checked.extra_stocks
        second = ["second_stock", "with_both"] if extra["second_stock"].notna().any() else []
        shown.append(extra[["component", "unit", "reach", "stock", "with_stock", *second]])
    shown.append(checked.deck[[*_DECK, "volume_ul", "fill_volume_ul"]])
    shown.append(checked.source_plates)
    return shown


def prose(checked: Checked) -> str:
    """Return what is said beside the tables."""
    lines = [
        "The definition is sound." if not checked.warnings else "The definition is sound, but:"
    ]
    lines += [f"  - {each}" for each in checked.warnings[:_MOST_WARNINGS]]
    if len(checked.warnings) > _MOST_WARNINGS:
        lines.append(f"  - … and {len(checked.warnings) - _MOST_WARNINGS} more like these: --json.")
    lines.append(_round(checked))
    lines += checked.notes
    return "\n".join(lines)


def _round(checked: Checked) -> str:
    """Say what a round takes, and how many formulas are feasible as they are."""
    text = (
        f"A round fills {checked.wells} wells of {counted(checked.plates, 'plate')}"
        + (f" and takes {_tips(checked)}" if checked.tips else "")
        + "; the volumes are those of a typical first one."
    )
    return f"{text} {_feasible(checked.feasible)}"


def _feasible(share: float) -> str:
    if share == 1:
        return "All random formulas satisfy all constraints as they are."
    if share == 0:
        return "No random formula satisfies all constraints as it is: all are mended."
    shown = f"{share:.0%}" if 0.005 <= share < 0.995 else f"{share:.2%}"
    return f"{shown} of random formulas satisfy all constraints as they are; the others are mended."


def _tips(checked: Checked) -> str:
    racks = f"{counted(checked.tip_racks, 'rack')} of {RACK}"
    named = [
        f"{number} of {kind}" for kind, number in checked.tips.items() if len(checked.tips) > 1
    ]
    total = counted(sum(checked.tips.values()), "tip")
    if len(checked.tips) == 1 and sum(checked.tips.values()) == len(checked.deck):
        total += ", one a stock"
    return f"{total} ({racks}{': ' if named else ''}{', '.join(named)})"
