"""Commands that keep a campaign safe: backup."""

from __future__ import annotations

from pathlib import Path

import click

from labloop.cli.options import campaign_argument, open_campaign


@click.command()
@campaign_argument
@click.argument("file", type=click.Path(path_type=Path))
def backup(campaign: str, file: Path) -> None:
    """Copy the campaign's database, whole, even while it is in use."""
    with open_campaign(campaign) as opened:
        opened.backup(file)
    click.echo(file)
