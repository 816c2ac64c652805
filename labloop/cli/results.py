"""Commands that take in what was measured: history, record."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labloop.cli.options import (
    campaign_argument,
    dry_run_option,
    json_option,
    open_campaign,
    read_as,
    reading_options,
)
from labloop.terminal import say, show_json

if TYPE_CHECKING:
    from labloop.campaign.recording import Recorded


@click.command()
@campaign_argument
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--source", required=True, metavar="NAME", help="Cell line, strain or campaign.")
@reading_options
@dry_run_option
@json_option
def history(
    campaign: str, file: Path, source: str, dry_run: bool, as_json: bool, **reading: Any
) -> None:
    """Import earlier results of other lines."""
    with open_campaign(campaign) as opened:
        recorded = opened.add_history(file, source, dry_run=dry_run, **read_as(**reading))
    tell(recorded, f"the history of {source}", dry_run, as_json)


@click.command()
@campaign_argument
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--round", "number", type=int, help="The one that waits for results if left out.")
@reading_options
@dry_run_option
@json_option
def record(
    campaign: str, file: Path, number: int | None, dry_run: bool, as_json: bool, **reading: Any
) -> None:
    """Record results by well, by formula, or of the lab's own formulas."""
    with open_campaign(campaign) as opened:
        recorded = opened.record(file, number, dry_run=dry_run, **read_as(**reading))
    where = f"round {recorded.round}" if recorded.round else "formulas of the lab's own"
    tell(recorded, where, dry_run, as_json)


def tell(recorded: Recorded, where: str, dry_run: bool, as_json: bool) -> None:
    """Say what was taken from a file, and what was not."""
    if as_json:
        show_json(
            {
                "round": recorded.round,
                "formulas": recorded.formulas,
                "measurements": recorded.measurements,
                "without_value": recorded.without_value,
                "absent": recorded.absent,
                "ignored": recorded.ignored,
                "filled": recorded.filled,
                "stored": not dry_run,
            }
        )
        return
    verb = "Would record" if dry_run else "Recorded"
    new = f", {recorded.formulas} new formulas" if recorded.formulas else ""
    count = (
        "1 measurement" if recorded.measurements == 1 else f"{recorded.measurements} measurements"
    )
    say(f"{verb} {count} of {where} from {recorded.source}{new}.")
    if recorded.without_value:
        say(f"{recorded.without_value} of them have no value (missing, below or above the range).")
    if recorded.absent:
        say(f"Nothing was said of: {', '.join(recorded.absent)}.")
    if recorded.filled:
        say(f"Taken at their fixed value: {', '.join(recorded.filled)}.")
    if recorded.ignored:
        say(f"Columns not used: {', '.join(recorded.ignored)}.")
