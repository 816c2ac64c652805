"""Commands that begin a campaign: demo, init, check."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from labloop.cli.completion import complete_definitions
from labloop.cli.options import (
    SEED,
    campaign_argument,
    dry_run_option,
    json_option,
    open_campaign,
)
from labloop.terminal import (
    progress_shown,
    say,
    show,
    show_frame,
    show_json,
    show_path,
    working,
)


@click.command()
@click.option("--rounds", default=4, show_default=True, type=click.IntRange(1, 20))
@click.option("--seed", default=1, show_default=True, type=SEED)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Where to; a temporary folder if left out."
)
def demo(rounds: int, seed: int, out: Path | None) -> None:
    """Run a whole campaign on a virtual lab."""
    from labloop.simulate.demo_run import run_demo

    with progress_shown() as progress:
        run_demo(out, rounds, seed, show, progress)


@click.command()
@click.argument("campaign")
@click.option(
    "--like",
    metavar="NAME_OR_TOML",
    default="template",
    help="Definition to start from.",
    shell_complete=complete_definitions,
)
@dry_run_option
def init(campaign: str, like: str, dry_run: bool) -> None:
    """Make a new campaign: a folder with a commented campaign.toml."""
    from labloop.campaign.folders import home_of, start
    from labloop.campaign.standing import quoted

    folder = start(home_of(campaign), like, dry_run=dry_run)
    show_path(folder / "campaign.toml")
    if dry_run:
        say("This was a rehearsal; nothing was written.")
        return
    say(f"Edit this file, then: labloop check {quoted(folder)}")


@click.command()
@campaign_argument
@json_option
@click.pass_context
def check(ctx: click.Context, campaign: str, as_json: bool) -> None:
    """Check the definition, the robot's reach, what the deck needs, and the database."""
    from labloop.campaign.checked_text import as_values, prose, tables

    with open_campaign(campaign) as opened, working("checking"):
        database = opened.check_database()
        if database.faults:
            say(f"labloop: {database.sentence}")
        checked = opened.check()
    if as_json:
        found = {"sound": not database.faults} | asdict(database)
        show_json(as_values(checked) | {"database": found})
    else:
        for number, table in enumerate(tables(checked)):
            if number:
                click.echo()
            show_frame(table)
        say(f"\n{prose(checked)}")
        if not database.faults:
            say(database.sentence)
    ctx.exit(1 if database.faults else 0)
