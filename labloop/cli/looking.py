"""Commands that only look: status, best, wells, report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from labloop.cli.options import campaign_argument, json_option, open_campaign
from labloop.report.numbers import counted
from labloop.terminal import records, say, show, show_frame, show_json, show_path

if TYPE_CHECKING:
    from labloop.campaign.standing import Standing


@click.command()
@campaign_argument
@json_option
def status(campaign: str, as_json: bool) -> None:
    """Say where the campaign stands, and the next command to type."""
    with open_campaign(campaign) as opened:
        standing = opened.status()
    counts = standing.counts
    if as_json:
        show_json(
            {
                "name": standing.name,
                "sources": {name: formulas for name, (formulas, _) in counts.sources.items()},
                "formulas": counts.own_formulas,
                "measurements": counts.own_measurements,
                "rounds": [
                    {"round": n, "state": state, "waiting": _waiting(standing, n)}
                    for n, state in standing.rounds
                ],
                "pending": standing.pending,
                "next": standing.next[0],
            }
        )
        return
    show(standing.name)
    for name, (formulas, measurements) in counts.sources.items():
        show(f"history   {name}: {formulas} formulas, {measurements} measurements")
    show(f"own       {counts.own_formulas} formulas, {counts.own_measurements} measurements")
    for number, state in standing.rounds:
        absent = ", ".join(
            f"{r} of {counted(n, 'well')}" for r, n in _waiting(standing, number).items()
        )
        show(f"round {number:<3} {state}{f' in part: {absent} missing' if absent else ''}")
    command, reason = standing.next
    show(f"next      {command}   ({reason})")


def _waiting(standing: Standing, number: int) -> dict[str, int]:
    """Return response → wells that wait for a value, of a round."""
    return standing.waiting[number].waiting if number in standing.waiting else {}


@click.command()
@campaign_argument
@click.option("--top", default=10, show_default=True, type=click.IntRange(min=1))
@json_option
def best(campaign: str, top: int, as_json: bool) -> None:
    """List the best measured formulas."""
    with open_campaign(campaign) as opened:
        frame = opened.best(top)
        has_results = opened.status().counts.own_measurements > 0
        aims = [r.name for r in opened.definition.responses if r.goal != "observe"]
    if as_json:
        show_json(records(frame))
    elif len(frame):
        show_frame(frame)
    elif has_results:
        say(f"No formula is known in all that the goals are of: {', '.join(aims)}.")
    else:
        say("Nothing was measured yet.")


@click.command()
@campaign_argument
@click.option("--round", "number", type=int, help="The latest if left out.")
@click.option(
    "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="HTML file."
)
def report(campaign: str, number: int | None, out: Path) -> None:
    """Write a round's report, one HTML file."""
    with open_campaign(campaign) as opened:
        show_path(opened.report(out, number))


@click.command()
@campaign_argument
@click.option("--round", "number", type=int, help="All, and the lab's own plates, if left out.")
@json_option
def wells(campaign: str, number: int | None, as_json: bool) -> None:
    """List every measured well: raw value, status and why, corrected value.

    History is left out.
    """
    with open_campaign(campaign) as opened:
        frame = opened.wells(number)
    if as_json:
        show_json(records(frame))
    elif len(frame):
        show_frame(frame)
    else:
        of = "" if number is None else f" in the wells of round {number}"
        say(f"Nothing was measured{of} yet.")
    for sentence in frame.attrs["plates"]:
        say(sentence)
