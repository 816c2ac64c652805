"""Commands that keep a campaign safe, and what was: note, replay, log, backup."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from labloop.cli.completion import complete_rounds
from labloop.cli.options import campaign_argument, dry_run_option, json_option, open_campaign
from labloop.terminal import (
    progress_shown,
    records,
    say,
    show,
    show_frame,
    show_json,
    show_path,
    working,
)


@click.command()
@campaign_argument
@click.argument("text")
@click.option("--round", "number", type=int, help="The whole campaign if left out.")
@dry_run_option
def note(campaign: str, text: str, number: int | None, dry_run: bool) -> None:
    """Write down what is worth remembering, on a round or the campaign."""
    with open_campaign(campaign) as opened:
        opened.note(text, number, dry_run=dry_run)
    where = "the campaign" if number is None else f"round {number}"
    say("This was a rehearsal; nothing was written." if dry_run else f"Noted on {where}.")


@click.command()
@campaign_argument
@click.option("--round", "number", required=True, type=int, shell_complete=complete_rounds)
@click.option("--candidates", type=click.Path(path_type=Path), help="The list it was chosen from.")
@json_option
@click.pass_context
def replay(
    ctx: click.Context, campaign: str, number: int, candidates: Path | None, as_json: bool
) -> None:
    """Propose an earlier round again from what was known then."""
    with open_campaign(campaign) as opened, progress_shown() as progress:
        replayed = opened.replay(number, candidates, progress=progress)
    if as_json:
        show_json(
            {
                "round": replayed.number,
                "same": replayed.same,
                "counts": replayed.counts,
                "missing": replayed.missing,
                "new": replayed.new,
                "formulas": records(replayed.formulas),
                "wells": records(replayed.wells),
                "predictions": records(replayed.predictions),
                "dispenses": replayed.dispenses,
                "why": replayed.why,
            }
        )
    else:
        for frame in (replayed.formulas, replayed.wells, replayed.predictions):
            if len(frame):
                show_frame(frame)
                click.echo()
        for sentence in replayed.sentences:
            say(sentence)
    ctx.exit(0 if replayed.same else 1)


@click.command()
@campaign_argument
@click.option("--last", type=click.IntRange(min=1), help="Only the latest events, so many.")
@json_option
@click.pass_context
def log(ctx: click.Context, campaign: str, last: int | None, as_json: bool) -> None:
    """Tell what happened, when and by whom; verify that nobody altered it."""
    from labloop.campaign.chronicle import in_words, read_chronicle

    with open_campaign(campaign) as opened:
        chronicle = read_chronicle(opened.store)
    shown = chronicle.events if last is None else chronicle.events[-last:]
    if as_json:
        show_json([event._asdict() | {"words": in_words(event)} for event in shown])
    else:
        width = len(str(shown[-1].sequence))
        for event in shown:
            at = datetime.fromisoformat(event.at).astimezone().strftime("%Y-%m-%d %H:%M")
            show(f"{event.sequence:>{width}}  {at}  {event.who}  {in_words(event)}")
    say(chronicle.sentence)
    ctx.exit(1 if chronicle.faults else 0)


@click.command()
@campaign_argument
@click.argument("file", type=click.Path(path_type=Path))
@dry_run_option
def backup(campaign: str, file: Path, dry_run: bool) -> None:
    """Copy the campaign's database, whole, even while it is in use."""
    with open_campaign(campaign) as opened, working("copying the database"):
        opened.backup(file, dry_run=dry_run)
    show_path(file)
    if dry_run:
        say("This was a rehearsal; nothing was written.")
    else:
        say(f"The copy is sound: {file.stat().st_size / 1e6:.1f} MB.")
