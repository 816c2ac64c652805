"""Options and arguments that several commands share, and the campaign that they open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from labloop.cli.completion import complete_campaigns, complete_instruments
from labloop.terminal import say

if TYPE_CHECKING:
    from labloop.campaign import Campaign

F = TypeVar("F", bound=Callable[..., Any])


def options(*several: Callable[[F], F]) -> Callable[[F], F]:
    """Return one decorator for several options."""

    def decorate(function: F) -> F:
        for option in reversed(several):
            function = option(function)
        return function

    return decorate


SEED = click.IntRange(0, 2**32 - 1)
campaign_argument = click.argument("campaign", shell_complete=complete_campaigns)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Check everything, change nothing.")
where_options = options(
    click.option(
        "--jobs", type=click.IntRange(min=1), help="Processes; as many as pay if left out."
    ),
    click.option(
        "--cluster", metavar="ADDRESS", help="Dask scheduler, such as tcp://10.0.0.5:8786."
    ),
)
reading_options = options(
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
measured_options = options(
    click.option(
        "--instrument",
        metavar="NAME",
        help="How to read it: [[instrument]] NAME.",
        shell_complete=complete_instruments,
    ),
    click.option("--plate", metavar="NAME", help="The plate that the whole file is of."),
    click.option(
        "--map",
        "map",
        type=click.Path(path_type=Path),
        help="What is in the wells, or formulas, of the lab's own plates.",
    ),
)


@contextmanager
def open_campaign(name: str) -> Iterator[Campaign]:
    """Open the campaign of a folder or a name below campaigns/; say where a new one begins."""
    from labloop.campaign import Campaign
    from labloop.campaign.folders import find

    folder = find(name)
    if (folder / "campaign.toml").is_file() and not (folder / "campaign.db").exists():
        say(f"There is no campaign.db in {folder}: a new campaign begins.")
    with Campaign.open(folder) as campaign:
        yield campaign


def read_as(
    no_header: bool,
    columns: tuple[str, ...],
    ignore: tuple[str, ...],
    decimal: str | None,
    encoding: str | None,
    sheet: str | None,
    **measured: Any,
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
        **measured,
    }
