"""Commands that learn and foretell: pretrain, predict, simulate."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from labloop.cli.options import (
    SEED,
    campaign_argument,
    json_option,
    open_campaign,
    read_as,
    reading_options,
    where_options,
)
from labloop.terminal import (
    progress_shown,
    records,
    say,
    show,
    show_frame,
    show_json,
    working,
)


@click.command()
@campaign_argument
@click.option("--folds", default=10, show_default=True, type=click.IntRange(0, 100))
@click.option("--seed", default=0, show_default=True, type=SEED)
@where_options
@json_option
def pretrain(
    campaign: str, folds: int, seed: int, jobs: int | None, cluster: str | None, as_json: bool
) -> None:
    """Learn from the history, and say by cross-validation how well."""
    with open_campaign(campaign) as opened, progress_shown() as progress:
        pretraining = opened.pretrain(folds, seed, progress, jobs=jobs, cluster=cluster)
    if as_json:
        show_json(
            {
                "rows": pretraining.rows,
                "sources": pretraining.sources,
                "scores": records(pretraining.scores),
                "scores_by_source": records(pretraining.scores_by_source),
                "ranking": records(pretraining.ranking),
                "importance": records(pretraining.importance.reset_index()),
                "notes": pretraining.notes,
                "warnings": pretraining.warnings,
            }
        )
        return
    if len(pretraining.scores):
        show_frame(pretraining.scores)
    if len(pretraining.scores_by_source):
        click.echo()
        show_frame(pretraining.scores_by_source)
    say(
        f"\nLearned from {pretraining.rows} formulas of {pretraining.sources} source"
        f"{'s' if pretraining.sources > 1 else ''}."
    )
    if len(pretraining.scores):
        say(
            f"The scores are of formulas left out, in {pretraining.folds} folds; plain_r2 is that "
            "of a random forest, mse is on outputs scaled to 0 to 1."
        )
    if len(pretraining.scores_by_source):
        say(
            "The scores by source are of sources left out, predicted from the others, level and "
            "scale refitted."
        )
    for sentence in (*pretraining.warnings, *pretraining.notes):
        say(sentence)


@click.command()
@campaign_argument
@click.argument("file", type=click.Path(path_type=Path))
@reading_options
@json_option
def predict(campaign: str, file: Path, as_json: bool, **reading: Any) -> None:
    """Predict any formulas, as CSV.

    For each response: its mean, the sd of a new measurement, the sem of the mean alone.
    """
    with open_campaign(campaign) as opened, working("learning from all results"):
        frame = opened.predict(file, **read_as(**reading))
    if as_json:
        show_json(records(frame))
    else:
        click.echo(frame.to_csv(lineterminator="\n"), nl=False)


@click.command()
@campaign_argument
@click.option(
    "--lab",
    required=True,
    type=click.Choice(["replay", "emulator", "related", "moderate", "unrelated"]),
    help="What answers: measured formulas alone, a model of them, or a virtual line that is so "
    "like the history's.",
)
@click.option(
    "--source", metavar="NAME", help="Whose results stand for the new line; all others are history."
)
@click.option("--strategy", multiple=True, metavar="NAME", help="Repeatable; all if left out.")
@click.option("--rounds", default=4, show_default=True, type=click.IntRange(1, 100))
@click.option("--formulas", type=click.IntRange(min=1), help="Distinct formulas of a round.")
@click.option(
    "--seeds",
    default=4,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="Campaigns of each strategy.",
)
@where_options
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="HTML file with figure and table.",
)
@json_option
def simulate(
    campaign: str,
    lab: str,
    source: str | None,
    strategy: tuple[str, ...],
    rounds: int,
    formulas: int | None,
    seeds: int,
    jobs: int | None,
    cluster: str | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Backtest strategies on your own results before a plate is spent.

    Whole campaigns are run on a lab that answers from what was measured; nothing is stored.
    """
    from labloop.worklists import check_writable

    if out is not None:
        check_writable(out)
    if jobs is None and cluster is None:
        jobs = os.cpu_count()
    with open_campaign(campaign) as opened, progress_shown() as progress:
        simulation = opened.simulate(
            lab, source, strategy or None, rounds, formulas, seeds,
            jobs=jobs, cluster=cluster, progress=progress,
        )  # fmt: skip
    if as_json:
        show_json(
            {
                "lab": simulation.lab,
                "rounds": records(simulation.rounds),
                "summary": records(simulation.summary),
                "notes": simulation.notes,
                "warnings": simulation.warnings,
                "outcome": simulation.outcome,
            }
        )
    else:
        for place, measure in enumerate(simulation.measures):
            show(("\n" if place else "") + measure.title)
            show_frame(simulation.table(measure))
        say("")
        for sentence in (*simulation.notes, *simulation.warnings, *simulation.outcome):
            say(sentence)
    if out is not None:
        say(f"Written: {simulation.report(out)}")
