"""Commands of a round: propose, export, abandon."""

from __future__ import annotations

from pathlib import Path

import click

from labloop.cli.completion import complete_kinds, complete_rounds
from labloop.cli.options import (
    SEED,
    campaign_argument,
    dry_run_option,
    json_option,
    open_campaign,
    where_options,
)
from labloop.terminal import (
    progress_shown,
    records,
    say,
    show_frame,
    show_json,
    show_path,
    working,
)


@click.command()
@campaign_argument
@click.option("--formulas", type=click.IntRange(min=1), help="Distinct formulas of the round.")
@click.option("--seed", type=SEED, help="Makes the round repeatable.")
@click.option("--candidates", type=click.Path(path_type=Path), help="File of the only candidates.")
@where_options
@dry_run_option
@json_option
def propose(
    campaign: str,
    formulas: int | None,
    seed: int | None,
    candidates: Path | None,
    jobs: int | None,
    cluster: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Choose the formulas of the next round and lay out its plates."""
    from labloop.campaign.prospecting import stored

    with open_campaign(campaign) as opened, progress_shown() as progress:
        proposed = opened.propose(
            formulas, seed, candidates,
            dry_run=dry_run, jobs=jobs, cluster=cluster, progress=progress,
        )  # fmt: skip
        responses = opened.definition.response_names
        following = "" if dry_run else opened.status().next[0]
    if as_json:
        show_json(
            {
                "round": proposed.number,
                "seed": proposed.seed,
                "formulas": records(proposed.formulas),
                "layout": records(proposed.layout),
                "notes": proposed.notes,
                "trust": records(proposed.trust),
                "importance": records(proposed.importance.reset_index()),
                "prospects": stored(proposed.prospects),
            }
        )
        return
    predicted = [f"{name}_{kind}" for name in responses for kind in ("mean", "sd")]
    label = ["candidate"] if "candidate" in proposed.formulas else []
    show_frame(proposed.formulas[[*label, "origin", *predicted, "acquisition"]])
    say(f"\nRound {proposed.number}: " + "\n".join(proposed.notes))
    say("This was a rehearsal; nothing was stored." if dry_run else f"\nNext: {following}")


@click.command()
@campaign_argument
@click.option(
    "--to",
    "kind",
    required=True,
    metavar="KIND",
    help="Robot, such as biomek.",
    shell_complete=complete_kinds,
)
@click.option(
    "--round",
    "number",
    type=int,
    help="The latest if left out.",
    shell_complete=complete_rounds,
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder.")
@dry_run_option
def export(campaign: str, kind: str, number: int | None, out: Path, dry_run: bool) -> None:
    """Write a round's plate map, worklist and deck list."""
    with open_campaign(campaign) as opened, working("writing the files"):
        paths = opened.export(kind, out, number, dry_run=dry_run)
    for path in paths:
        show_path(path)
    if dry_run:
        say("This was a rehearsal; nothing was written.")
        return
    from labloop.worklists import other_parts

    old = other_parts(paths)
    if old:
        names = ", ".join(path.name for path in old)
        say(f"Of an earlier export in other parts, and no longer to be run: {names}.")


@click.command()
@campaign_argument
@click.option("--round", "number", required=True, type=int, shell_complete=complete_rounds)
@dry_run_option
def abandon(campaign: str, number: int, dry_run: bool) -> None:
    """Give a round up; its number stays taken."""
    with open_campaign(campaign) as opened:
        opened.abandon(number, dry_run=dry_run)
    say(f"Round {number} {'can be' if dry_run else 'is'} abandoned.")
