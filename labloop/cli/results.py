"""Commands that take in what was measured, or leave it out: history, record, exclude."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labloop.cli.options import (
    campaign_argument,
    dry_run_option,
    json_option,
    measured_options,
    open_campaign,
    read_as,
    reading_options,
)
from labloop.terminal import say, show_frame, show_json

if TYPE_CHECKING:
    from labloop.campaign.recorded import Entry, Excluded, Recorded

_NAMED = 12  # wells that a sentence names before it only counts them


@click.command()
@campaign_argument
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--source", required=True, metavar="NAME", help="Cell line, strain or campaign.")
@reading_options
@measured_options
@dry_run_option
@json_option
def history(
    campaign: str, file: Path, source: str, dry_run: bool, as_json: bool, **reading: Any
) -> None:
    """Import earlier results of other lines."""
    with open_campaign(campaign) as opened:
        recorded = opened.add_history(file, source, dry_run=dry_run, **read_as(**reading))
    tell(recorded, f"the history of {source.strip()}", dry_run, as_json)


@click.command()
@campaign_argument
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--round", "number", type=int, help="The one that waits for results if left out.")
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
    with open_campaign(campaign) as opened:
        recorded = opened.record(
            file, number, correct=correct, reason=reason, dry_run=dry_run, **read_as(**reading)
        )
    where = f"round {recorded.round}" if recorded.round else "formulas of the lab's own"
    tell(recorded, where, dry_run, as_json)


@click.command()
@campaign_argument
@click.option("--round", "number", type=int, help="The wells' round; the latest if left out.")
@click.option(
    "--well", "wells", multiple=True, metavar="WELL", help="Such as B7 or 2:B7; repeatable."
)
@click.option("--plate", metavar="NAME", help="The wells' plate, where the round has several.")
@click.option("--source", metavar="NAME", help="Everything of a source of history.")
@click.option("--file", metavar="NAME", help="Everything of a file that was recorded.")
@click.option("--response", metavar="NAME", help="Only this response.")
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
    _tell_excluded(excluded, dry_run)


def _tell_excluded(excluded: Excluded, dry_run: bool) -> None:
    verb = "take back the exclusion of" if excluded.undo else "exclude"
    if not dry_run:
        verb = "Took back the exclusion of" if excluded.undo else "Excluded"
    of_round = f" of round {excluded.round}" if excluded.round else ""
    say(
        f"{'Would ' if dry_run else ''}{verb} {_counted(len(excluded.entries))}{of_round}"
        f"{'' if excluded.undo else '; the values are kept'}."
    )
    if excluded.left:
        why = "Not excluded" if excluded.undo else "Excluded already"
        say(f"{why}: {_some(excluded.left)}.")
    if excluded.without_result:
        say(f"Without a result: {_some(excluded.without_result)}.")


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
    for sentence in sentences(recorded, where, dry_run=dry_run):
        say(sentence)


def sentences(recorded: Recorded, where: str, *, dry_run: bool) -> list[str]:
    """Return what was taken from a file, and what was not, in sentences."""
    verb = "Would record" if dry_run else "Recorded"
    new = f", {recorded.formulas} new formulas" if recorded.formulas else ""
    said = [f"{verb} {_counted(recorded.measurements)} of {where} from {recorded.source}{new}."]
    if recorded.without_value:
        said.append(
            f"{recorded.without_value} of them have no value (missing, below or above the range)."
        )
    if recorded.corrected:
        said.append(f"{recorded.corrected} of them replace what was recorded.")
    if recorded.known:
        are = "result is" if recorded.known == 1 else "results are"
        said.append(
            f"{recorded.known} {are} there already with the same values, and not stored again: "
            f"{_some(recorded.known_of)}."
        )
    blanks = "Stored as blanks" if recorded.round else "Not stored"
    told: dict[str, tuple[str, ...]] = {
        "Nothing was said of": _some_of(recorded.absent),
        f"{blanks}, for these wells hold no formula": _some_of(recorded.blanks),
        "Not stored, for the map does not have these formulas": recorded.unmapped,
        "Read as": recorded.read_as,
        "Taken at their fixed value": recorded.filled,
        "Columns not used": recorded.ignored,
        "Not used of the file": recorded.unused,
    }
    said += [f"{what}: {', '.join(names)}." for what, names in told.items() if names]
    return said


def show_entries(entries: Sequence[Entry]) -> None:
    """Write every measurement as a table to standard output; columns that say nothing left out."""
    import pandas as pd

    from labloop.campaign.recorded import shown_value

    columns: dict[str, list[Any]] = {
        "plate": [entry.plate for entry in entries],
        "well": [entry.well for entry in entries],
        "formula": [entry.formula for entry in entries],
        "response": [entry.response for entry in entries],
        "value": [shown_value(entry) for entry in entries],
        "status": [entry.status for entry in entries],
        "replaces": [None if e.replaces is None else str(e.replaces) for e in entries],
        "reason": [entry.reason for entry in entries],
    }
    optional = ("plate", "well", "replaces", "reason")
    shown = {
        name: pd.Series(values, dtype=object)
        for name, values in columns.items()
        if name not in optional or any(value is not None for value in values)
    }
    if entries:
        show_frame(pd.DataFrame(shown))


def _counted(count: int) -> str:
    return "1 measurement" if count == 1 else f"{count} measurements"


def _some_of(names: Sequence[str]) -> tuple[str, ...]:
    """Return the first of many names, and how many more there are."""
    more = len(names) - _NAMED
    return (*names[:_NAMED], *([f"{more} more"] if more > 0 else []))


def _some(names: Sequence[str]) -> str:
    return ", ".join(_some_of(names))
