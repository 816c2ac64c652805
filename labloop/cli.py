"""The command line: parse, call Campaign, print."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from labloop.errors import LabloopError, did_you_mean
from labloop.terminal import progress_shown, records, say, show_frame, show_json, speak_utf8

if TYPE_CHECKING:
    from labloop.campaign import Campaign
    from labloop.campaign.recording import Recorded

F = TypeVar("F", bound=Callable[..., Any])


class _Commands(click.Group):
    """Commands in the order in which a campaign meets them; errors as sentences."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            ctx.fail(f'no command "{args[0]}"{did_you_mean(args[0], self.commands)}')
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except LabloopError as error:
            say(f"labloop: {error}")
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            say("labloop: interrupted; the campaign is as it was.")
            ctx.exit(130)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="labloop")
def main() -> None:
    """Learn from earlier formulas, propose the next plate, learn from its results.

    CAMPAIGN is a campaign's folder, or its name below campaigns/.
    """
    speak_utf8()


def _options(*options: Callable[[F], F]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


_SEED = click.IntRange(0, 2**32 - 1)
_campaign = click.argument("campaign")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_dry_run = click.option("--dry-run", is_flag=True, help="Check everything, change nothing.")
_where = _options(
    click.option(
        "--jobs", type=click.IntRange(min=1), help="Processes; as many as pay if left out."
    ),
    click.option(
        "--cluster", metavar="ADDRESS", help="Dask scheduler, such as tcp://10.0.0.5:8786."
    ),
)
_reading = _options(
    click.option("--no-header", is_flag=True, help="No header: components, then responses."),
    click.option(
        "--columns", multiple=True, metavar='"FILE NAME=NAME"', help="What a column is; repeatable."
    ),
    click.option(
        "--ignore", multiple=True, metavar="NAME", help="Column to leave out; repeatable."
    ),
    click.option("--decimal", type=click.Choice([".", ","]), help="Decimal mark."),
    click.option("--encoding", metavar="NAME", help="Encoding of a CSV file that is not UTF-8."),
    click.option("--sheet", metavar="NAME", help="Sheet of a workbook."),
)


@contextmanager
def _open(name: str) -> Iterator[Campaign]:
    from labloop.campaign import Campaign
    from labloop.campaign.folders import find

    folder = find(name)
    if (folder / "campaign.toml").is_file() and not (folder / "campaign.db").exists():
        say(f"There is no campaign.db in {folder}: a new campaign begins.")
    with Campaign.open(folder) as campaign:
        yield campaign


def _read_as(
    no_header: bool,
    columns: tuple[str, ...],
    ignore: tuple[str, ...],
    decimal: str | None,
    encoding: str | None,
    sheet: str | None,
) -> dict[str, Any]:
    """Return the options of reading a file as the keywords of Campaign's methods."""
    pairs = [column.partition("=") for column in columns]
    for file_name, sign, name in pairs:
        if not (file_name and sign and name):
            raise click.BadParameter(
                f'write it as "FILE NAME=NAME" (got "{file_name}{sign}{name}")',
                param_hint="--columns",
            )
    return {
        "header": not no_header,
        "columns": {file_name: name for file_name, _, name in pairs},
        "ignore": ignore,
        "decimal": decimal,
        "encoding": encoding,
        "sheet": sheet,
    }


@main.command()
@click.option("--rounds", default=4, show_default=True, type=click.IntRange(1, 20))
@click.option("--seed", default=1, show_default=True, type=_SEED)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Where to; a temporary folder if left out."
)
def demo(rounds: int, seed: int, out: Path | None) -> None:
    """Run a whole campaign on a virtual lab."""
    from labloop.simulate.demo_run import run_demo

    with progress_shown() as progress:
        run_demo(out, rounds, seed, click.echo, progress)


@main.command()
@click.argument("campaign")
@click.option(
    "--like", metavar="NAME_OR_TOML", default="template", help="Definition to start from."
)
def init(campaign: str, like: str) -> None:
    """Make a new campaign: a folder with a commented campaign.toml."""
    from labloop.campaign.folders import home_of, start
    from labloop.campaign.standing import quoted

    folder = start(home_of(campaign), like)
    click.echo(folder / "campaign.toml")
    say(f"Edit this file, then: labloop check {quoted(folder)}")


@main.command()
@_campaign
@_json
def check(campaign: str, as_json: bool) -> None:
    """Check the definition, the robot's reach and what the deck needs."""
    from labloop.campaign.checked_text import as_values, prose, tables

    with _open(campaign) as opened:
        checked = opened.check()
    if as_json:
        show_json(as_values(checked))
        return
    for number, table in enumerate(tables(checked)):
        if number:
            click.echo()
        show_frame(table)
    say(f"\n{prose(checked)}")


@main.command()
@_campaign
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--source", required=True, metavar="NAME", help="Cell line, strain or campaign.")
@_reading
@_dry_run
@_json
def history(
    campaign: str, file: Path, source: str, dry_run: bool, as_json: bool, **reading: Any
) -> None:
    """Import earlier results of other lines."""
    with _open(campaign) as opened:
        recorded = opened.add_history(file, source, dry_run=dry_run, **_read_as(**reading))
    _tell(recorded, f"the history of {source}", dry_run, as_json)


@main.command()
@_campaign
@click.option("--folds", default=10, show_default=True, type=click.IntRange(0, 100))
@click.option("--seed", default=0, show_default=True, type=_SEED)
@_where
@_json
def pretrain(
    campaign: str, folds: int, seed: int, jobs: int | None, cluster: str | None, as_json: bool
) -> None:
    """Learn from the history, and say by cross-validation how well."""
    with _open(campaign) as opened, progress_shown() as progress:
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


@main.command()
@_campaign
@click.option("--formulas", type=click.IntRange(min=1), help="Distinct formulas of the round.")
@click.option("--seed", type=_SEED, help="Makes the round repeatable.")
@click.option("--candidates", type=click.Path(path_type=Path), help="File of the only candidates.")
@_where
@_dry_run
@_json
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

    with _open(campaign) as opened, progress_shown() as progress:
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


@main.command()
@_campaign
@click.option("--to", "kind", required=True, metavar="KIND", help="Robot, such as biomek.")
@click.option("--round", "number", type=int, help="The latest if left out.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder.")
@_dry_run
def export(campaign: str, kind: str, number: int | None, out: Path, dry_run: bool) -> None:
    """Write a round's plate map, worklist and deck list."""
    with _open(campaign) as opened:
        paths = opened.export(kind, out, number, dry_run=dry_run)
    for path in paths:
        click.echo(path)
    if dry_run:
        say("This was a rehearsal; nothing was written.")
        return
    from labloop.worklists import other_parts

    old = other_parts(paths)
    if old:
        names = ", ".join(path.name for path in old)
        say(f"Of an earlier export in other parts, and no longer to be run: {names}.")


@main.command()
@_campaign
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--round", "number", type=int, help="The one that waits for results if left out.")
@_reading
@_dry_run
@_json
def record(
    campaign: str, file: Path, number: int | None, dry_run: bool, as_json: bool, **reading: Any
) -> None:
    """Record results by well, by formula, or of the lab's own formulas."""
    with _open(campaign) as opened:
        recorded = opened.record(file, number, dry_run=dry_run, **_read_as(**reading))
    where = f"round {recorded.round}" if recorded.round else "formulas of the lab's own"
    _tell(recorded, where, dry_run, as_json)


@main.command()
@_campaign
@click.option("--round", "number", required=True, type=int)
@_dry_run
def abandon(campaign: str, number: int, dry_run: bool) -> None:
    """Give a round up; its number stays taken."""
    with _open(campaign) as opened:
        opened.abandon(number, dry_run=dry_run)
    say(f"Round {number} {'can be' if dry_run else 'is'} abandoned.")


@main.command()
@_campaign
@_json
def status(campaign: str, as_json: bool) -> None:
    """Say where the campaign stands, and the next command to type."""
    with _open(campaign) as opened:
        standing = opened.status()
    counts = standing.counts
    if as_json:
        show_json(
            {
                "name": standing.name,
                "sources": {name: formulas for name, (formulas, _) in counts.sources.items()},
                "formulas": counts.own_formulas,
                "measurements": counts.own_measurements,
                "rounds": [{"round": n, "state": state} for n, state in standing.rounds],
                "pending": standing.pending,
                "next": standing.next[0],
            }
        )
        return
    click.echo(standing.name)
    for name, (formulas, measurements) in counts.sources.items():
        click.echo(f"history   {name}: {formulas} formulas, {measurements} measurements")
    click.echo(f"own       {counts.own_formulas} formulas, {counts.own_measurements} measurements")
    for number, state in standing.rounds:
        click.echo(f"round {number:<3} {state}")
    command, reason = standing.next
    click.echo(f"next      {command}   ({reason})")


@main.command()
@_campaign
@click.option("--top", default=10, show_default=True, type=click.IntRange(min=1))
@_json
def best(campaign: str, top: int, as_json: bool) -> None:
    """List the best measured formulas."""
    with _open(campaign) as opened:
        frame = opened.best(top)
    if as_json:
        show_json(records(frame))
    elif len(frame):
        show_frame(frame)
    else:
        say("Nothing was measured yet.")


@main.command()
@_campaign
@click.argument("file", type=click.Path(path_type=Path))
@_reading
@_json
def predict(campaign: str, file: Path, as_json: bool, **reading: Any) -> None:
    """Predict any formulas, as CSV.

    For each response: its mean, the sd of a new measurement, the sem of the mean alone.
    """
    with _open(campaign) as opened:
        frame = opened.predict(file, **_read_as(**reading))
    if as_json:
        show_json(records(frame))
    else:
        click.echo(frame.to_csv(lineterminator="\n"), nl=False)


@main.command()
@_campaign
@click.option("--round", "number", type=int, help="The latest if left out.")
@click.option(
    "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="HTML file."
)
def report(campaign: str, number: int | None, out: Path) -> None:
    """Write a round's report, one HTML file."""
    with _open(campaign) as opened:
        click.echo(opened.report(out, number))


@main.command()
@_campaign
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
@_where
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="HTML file with figure and table.",
)
@_json
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
    with _open(campaign) as opened, progress_shown() as progress:
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
            click.echo(("\n" if place else "") + measure.title)
            show_frame(simulation.table(measure))
        say("")
        for sentence in (*simulation.notes, *simulation.warnings, *simulation.outcome):
            say(sentence)
    if out is not None:
        say(f"Written: {simulation.report(out)}")


@main.command()
@_campaign
@click.argument("file", type=click.Path(path_type=Path))
def backup(campaign: str, file: Path) -> None:
    """Copy the campaign's database, whole, even while it is in use."""
    with _open(campaign) as opened:
        opened.backup(file)
    click.echo(file)


def _tell(recorded: Recorded, where: str, dry_run: bool, as_json: bool) -> None:
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
