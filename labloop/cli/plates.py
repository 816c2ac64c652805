"""The command that draws a plate: plate."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

from labloop.cli.completion import complete_readings, complete_rounds
from labloop.cli.options import campaign_argument, json_option, open_campaign
from labloop.terminal import records, say, show, show_json, working

if TYPE_CHECKING:
    import pandas as pd

    from labloop.campaign.plate_reading import PlateReading
    from labloop.terminal.plate_map import PlateMap

_SHORT = {
    "latin_hypercube": "LH",
    "mixing": "MX",
    "permuted_grid": "PG",
    "local_moves": "LM",
    "candidate_list": "CL",
    "exploration": "EX",
    "replicate": "RE",
    "control": "C",
    "ok": "ok",
    "outlier": "out",
    "excluded": "exc",
    "missing": "mis",
    "below_range": "<",
    "above_range": ">",
    "waiting": "…",
}


@click.command()
@campaign_argument
@click.option(
    "--round",
    "number",
    type=int,
    help="The latest if left out.",
    shell_complete=complete_rounds,
)
@click.option("--plate", "only", type=int, help="Only this one of the round's plates.")
@click.option(
    "--show",
    "shown",
    metavar="NAME",
    help="A response, origin, formula or status.",
    shell_complete=complete_readings,
)
@json_option
def plate(
    campaign: str, number: int | None, only: int | None, shown: str | None, as_json: bool
) -> None:
    """Draw a round's plates: what was measured, where formulas come from, which wells count."""
    from labloop.campaign.plate_reading import read_plate
    from labloop.errors import RefusedError

    with open_campaign(campaign) as opened, working("reading the plate"):
        found = opened.round(number)
        measured = opened.wells(found.number)
        definition = opened.definition
    reading = read_plate(found, measured, definition, shown)
    plates = sorted(set(reading.wells["plate"]))
    if only is not None and only not in plates:
        listed = ", ".join(str(each) for each in plates)
        raise RefusedError(f"Round {found.number} has no plate {only}; it has {listed}.")
    wells = reading.wells if only is None else reading.wells[reading.wells["plate"] == only]
    if as_json:
        show_json(
            {
                "round": found.number,
                "shown": reading.shown,
                "kind": reading.kind,
                "unit": reading.unit,
                "wells": records(wells),
            }
        )
        return
    from labloop.terminal.plate_map import show_plate

    for place, (each, of_plate) in enumerate(wells.groupby("plate", sort=True)):
        if place:
            show("")
        title = f"round {found.number}" + (f", plate {each}" if len(plates) > 1 else "")
        show_plate(_drawn(title, of_plate, reading, definition.plate.wells))
    if reading.kind == "predicted" and not len(measured):
        say("Nothing was measured yet; these are the predictions.")


def _drawn(title: str, wells: pd.DataFrame, reading: PlateReading, size: int) -> PlateMap:
    from labloop.terminal.plate_map import PlateMap, Spot

    controls = {
        name: f"C{place}"
        for place, name in enumerate(
            dict.fromkeys(wells.loc[wells["role"] == "control", "formula"]), start=1
        )
    }
    spots: dict[str, Spot] = {}
    for row in wells.to_dict("records"):
        if row["role"] != "empty":
            text, value, word = _spot(row, reading.kind, controls)
            spots[row["well"]] = Spot(text, value, word)
    unit = f" ({reading.unit})" if reading.unit else ""
    said = {"measured": ", as measured", "predicted": ", predicted"}.get(reading.kind, "")
    legend = [_legend(wells, reading, controls)]
    return PlateMap(
        f"{title}: {reading.shown}{unit}{said}", size, spots, tuple(line for line in legend if line)
    )


def _spot(row: dict[Any, Any], kind: str, controls: dict[str, str]) -> tuple[str, float, str]:
    """Return the text, the value and the word of a well that is filled."""
    if kind in ("measured", "predicted"):
        value = float(row["value"])
        return ("–" if math.isnan(value) else f"{value:.3g}"), value, ""
    word = str(row["word"])
    if kind == "formula":
        return controls.get(word, word), math.nan, "formula"
    return _SHORT.get(word, word[:3]), math.nan, word


def _legend(wells: pd.DataFrame, reading: PlateReading, controls: dict[str, str]) -> str:
    from labloop.terminal.plate_map import legend_of

    if reading.kind == "formula":
        return legend_of([(short, name) for name, short in controls.items()])
    if reading.kind in ("measured", "predicted"):
        return "· empty, – no value"
    filled = wells.loc[wells["role"] != "empty", "word"]
    words = dict.fromkeys(word for word in filled if word is not None)
    told = [(_SHORT.get(word, word[:3]), word.replace("_", " ")) for word in words]
    return legend_of([(short, meaning) for short, meaning in told if short != meaning])
