"""Commands that take in what was measured, or leave it out: history, record, exclude."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labloop.cli.completion import complete_responses, complete_rounds, complete_sources
from labloop.cli.options import (
    campaign_argument,
    dry_run_option,
    json_option,
    measured_options,
    open_campaign,
    read_as,
    reading_options,
)
from labloop.terminal import say, show_frame, show_json, working

if TYPE_CHECKING:
    from labloop.campaign.recorded import Entry, Recorded


@click.command()
@campaign_argument
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--source",
    required=True,
    metavar="NAME",
    help="Cell line, strain or campaign.",
    shell_complete=complete_sources,
)
@reading_options
@measured_options
@dry_run_option
@json_option
def history(
    campaign: str, file: Path, source: str, dry_run: bool, as_json: bool, **reading: Any
) -> None:
    """Import earlier results of other lines."""
    with open_campaign(campaign) as opened, working("reading the file"):
        recorded = opened.add_history(file, source, dry_run=dry_run, **read_as(**reading))
    tell(recorded, f"the history of {source.strip()}", dry_run, as_json)


@click.command()
@campaign_argument
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--round",
    "number",
    type=int,
    help="The one that waits for results if left out.",
    shell_complete=complete_rounds,
)
@reading_options
@measured_options
@click.option("--correct", is_flag=True, help="Let other values supersede what is recorded.")
@click.option("--reason", metavar="TEXT", help="Of the corrections; kept with each.")
@dry_run_option
@json_option
def record(
    campaign: str,
    file: Path,
    number: int | None,
    correct: bool,
    reason: str | None,
    dry_run: bool,
    as_json: bool,
    **reading: Any,
) -> None:
    """Record results by well, by formula, or of the lab's own formulas."""
    with open_campaign(campaign) as opened, working("reading the file"):
        recorded = opened.record(
            file, number, correct=correct, reason=reason, dry_run=dry_run, **read_as(**reading)
        )
    from labloop.campaign.recorded_text import where_of

    tell(recorded, where_of(recorded), dry_run, as_json)


@click.command()
@campaign_argument
@click.option(
    "--round",
    "number",
    type=int,
    help="The wells' round; the latest if left out.",
    shell_complete=complete_rounds,
)
@click.option(
    "--well", "wells", multiple=True, metavar="WELL", help="Such as B7 or 2:B7; repeatable."
)
@click.option("--plate", metavar="NAME", help="The wells' plate, where the round has several.")
@click.option(
    "--source",
    metavar="NAME",
    help="Everything of a source of history.",
    shell_complete=complete_sources,
)
@click.option("--file", metavar="NAME", help="Everything of a file that was recorded.")
@click.option(
    "--response", metavar="NAME", help="Only this response.", shell_complete=complete_responses
)
@click.option("--reason", metavar="TEXT", help="Why; needed unless taken back.")
@click.option("--undo", is_flag=True, help="Take the exclusion back.")
@dry_run_option
@json_option
def exclude(
    campaign: str,
    number: int | None,
    wells: tuple[str, ...],
    plate: str | None,
    source: str | None,
    file: str | None,
    response: str | None,
    reason: str | None,
    undo: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Leave results out of all that is learned; they are kept, with the reason."""
    with open_campaign(campaign) as opened:
        excluded = opened.exclude(
            wells, reason, round=number, plate=plate, response=response,
            source=source, file=file, undo=undo, dry_run=dry_run,
        )  # fmt: skip
    if as_json:
        from labloop.campaign.recorded import entries_values

        show_json(
            {
                "round": excluded.round,
                "undo": excluded.undo,
                "measurements": entries_values(excluded.entries),
                "left": excluded.left,
                "without_result": excluded.without_result,
                "stored": not dry_run,
            }
        )
        return
    if dry_run:
        show_entries(excluded.entries)
    from labloop.campaign.recorded_text import excluded_sentences

    for sentence in excluded_sentences(excluded, dry_run=dry_run):
        say(sentence)


def tell(recorded: Recorded, where: str, dry_run: bool, as_json: bool) -> None:
    """Say what was taken from a file, and what was not; a rehearsal shows every measurement."""
    if as_json:
        from labloop.campaign.recorded import entries_values

        values: dict[str, Any] = {
            "round": recorded.round,
            "formulas": recorded.formulas,
            "measurements": recorded.measurements,
            "without_value": recorded.without_value,
            "corrected": recorded.corrected,
            "known": recorded.known,
            "absent": recorded.absent,
            "blanks": recorded.blanks,
            "unmapped": recorded.unmapped,
            "ignored": recorded.ignored,
            "filled": recorded.filled,
            "read_as": recorded.read_as,
            "unused": recorded.unused,
            "stored": not dry_run,
        }
        if dry_run:
            values["entries"] = entries_values(recorded.entries)
        show_json(values)
        return
    if dry_run:
        show_entries(recorded.entries)
    from labloop.campaign.recorded_text import recorded_sentences

    for sentence in recorded_sentences(recorded, where, dry_run=dry_run):
        say(sentence)


def show_entries(entries: Sequence[Entry]) -> None:
    """Write every measurement as a table to standard output."""
    from labloop.campaign.recorded_text import entries_table

    if entries:
        show_frame(entries_table(entries))
