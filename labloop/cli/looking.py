"""Commands that only look: status, best, wells, effects, report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from labloop.cli.options import (
    campaign_argument,
    dry_run_option,
    json_option,
    open_campaign,
)
from labloop.report.numbers import counted
from labloop.terminal import (
    progress_shown,
    records,
    say,
    show,
    show_frame,
    show_json,
    show_path,
    show_words,
    working,
)
from labloop.terminal.colours import WORDS

if TYPE_CHECKING:
    from labloop.campaign.standing import Standing

_WORTH_A_ROW = 0.01  # importance
_STRONGEST = 3  # interactions of a response that are listed


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
    show_words((standing.name, "bold"))
    for name, (formulas, measurements) in counts.sources.items():
        show(f"history   {name}: {formulas} formulas, {measurements} measurements")
    show(f"own       {counts.own_formulas} formulas, {counts.own_measurements} measurements")
    for number, state in standing.rounds:
        absent = ", ".join(
            f"{r} of {counted(n, 'well')}" for r, n in _waiting(standing, number).items()
        )
        part = f" in part: {absent} missing" if absent else ""
        show_words((f"round {number:<3} ", ""), (state, WORDS[state]), (part, ""))
    command, reason = standing.next
    show_words(("next      ", ""), (command, "bold"), (f"   ({reason})", ""))


def _waiting(standing: Standing, number: int) -> dict[str, int]:
    """Return response → wells that wait for a value, of a round."""
    return standing.waiting[number].waiting if number in standing.waiting else {}


@click.command()
@campaign_argument
@click.option("--top", default=10, show_default=True, type=click.IntRange(min=1))
@json_option
def best(campaign: str, top: int, as_json: bool) -> None:
    """List the best measured formulas."""
    with open_campaign(campaign) as opened, working("reading all results"):
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
@click.argument("formulas", metavar="FORMULA FORMULA...", nargs=-1, required=True)
@json_option
def compare(campaign: str, formulas: tuple[str, ...], as_json: bool) -> None:
    """Set formulas side by side, by number or a control's name."""
    with open_campaign(campaign) as opened:
        comparison = opened.compare(formulas)
    responses = comparison.responses.reset_index()
    if as_json:
        show_json(
            {
                "amounts": records(comparison.amounts),
                "responses": records(responses),
                "sentences": comparison.sentences,
            }
        )
        return
    show_frame(comparison.amounts)
    click.echo()
    show_frame(responses if responses["limit"].notna().any() else responses.drop(columns="limit"))
    for sentence in comparison.sentences:
        say(sentence)


@click.command()
@campaign_argument
@click.option("--round", "number", type=int, help="The latest if left out.")
@click.option(
    "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="HTML file."
)
@dry_run_option
def report(campaign: str, number: int | None, out: Path, dry_run: bool) -> None:
    """Write a round's report, one HTML file."""
    with open_campaign(campaign) as opened, working("writing the report"):
        path = opened.report(out, number, dry_run=dry_run)
    show_path(path)
    if dry_run:
        say("This was a rehearsal; nothing was written.")


@click.command()
@campaign_argument
@click.option("--round", "number", type=int, help="All, and the lab's own plates, if left out.")
@json_option
def wells(campaign: str, number: int | None, as_json: bool) -> None:
    """List every measured well: raw value, status and why, corrected value.

    History is left out.
    """
    with open_campaign(campaign) as opened, working("reading the wells"):
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


@click.command()
@campaign_argument
@json_option
def effects(campaign: str, as_json: bool) -> None:
    """Say what each component does, how sure that is, and which interact."""
    from labloop.campaign.prospecting import sentences, stored

    with open_campaign(campaign) as opened, progress_shown() as progress:
        found = opened.effects(progress=progress)
        definition = opened.definition
    importance = found.importance.reset_index()
    table = importance.merge(found.directions, on=["response", "component"], how="left")
    if as_json:
        show_json(
            {
                "importance": records(table),
                "curves": records(found.curves),
                "interactions": records(found.interactions),
                "surfaces": records(found.surfaces),
                "outlook": stored(found.outlook),
            }
        )
        return
    worth = table["importance"] >= _WORTH_A_ROW
    show_frame(
        table.loc[worth, ["response", "component", "importance", "low", "high", "direction"]]
    )
    if not worth.all():
        say(f"Left out: components of an importance below {_WORTH_A_ROW} for a response.")
    strongest = found.interactions.groupby("response", sort=False).head(_STRONGEST)
    if len(strongest):
        show("")
        show_frame(strongest)
    if found.outlook is not None:
        say("Of the next plate, by what is known now:")
    for sentence in sentences(found.outlook, definition):
        say(sentence)
