"""What a shell completes: campaigns, rounds, sources, robots; quick, and silent where it fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from labloop.errors import LabloopError

if TYPE_CHECKING:
    from labloop.campaign import Campaign

_SHELLS = ("bash", "zsh", "fish")
_LINES = {
    "bash": 'eval "$(labloop completion bash)"   in ~/.bashrc',
    "zsh": 'eval "$(labloop completion zsh)"   in ~/.zshrc',
    "fish": "labloop completion fish | source   in ~/.config/fish/config.fish",
}


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS))
def completion(shell: str) -> None:
    """Print the script that lets a shell complete commands, campaigns and names."""
    from click.shell_completion import get_completion_class

    from labloop.cli import main
    from labloop.terminal import say

    found = get_completion_class(shell)
    if found is None:
        raise AssertionError(shell)
    click.echo(found(main, {}, "labloop", "_LABLOOP_COMPLETE").source())
    say(f"To have it always, put this line: {_LINES[shell]}")


def complete_campaigns(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete names below campaigns/ and folders with a campaign.toml here."""
    del ctx, param
    from labloop.campaign.folders import HOME

    here = Path()
    found = [path.parent.name for path in (here / HOME).glob("*/campaign.toml")]
    found += [str(path.parent) for path in here.glob("*/campaign.toml")]
    if "/" in incomplete or "\\" in incomplete:
        inside = Path(incomplete) if incomplete[-1] in "/\\" else Path(incomplete).parent
        with suppress(OSError):
            found += [str(path.parent) for path in inside.glob("*/campaign.toml")]
    known = _beginning(sorted(set(found)), incomplete)
    return [*known, *([] if known else [CompletionItem(incomplete, type="dir")])]


def complete_definitions(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete ready-made definitions and paths."""
    del ctx, param
    from labloop.campaign.folders import ready_made

    known = _beginning(ready_made(), incomplete)
    return [*known, *([] if known else [CompletionItem(incomplete, type="file")])]


def complete_kinds(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete kinds of robots."""
    del ctx, param
    from labloop.robots import ROBOTS

    return _beginning(ROBOTS, incomplete)


def _of_campaign(
    names: Callable[[Campaign], Iterable[str]],
) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """Return what completes names of the campaign that was typed before, none without one."""

    def complete(
        ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        del param
        from labloop.campaign import Campaign
        from labloop.campaign.folders import find

        # an option without its value leaves the words before it unread
        typed = [ctx.params.get("campaign"), *ctx.args]
        folder = find(next((str(word) for word in typed if word), ""))
        # a shell has no place for what is wrong with a campaign
        with suppress(LabloopError, OSError):
            if (folder / "campaign.db").is_file():
                with Campaign.open(folder) as campaign:
                    return _beginning(names(campaign), incomplete)
        return []

    return complete


def _beginning(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


complete_rounds = _of_campaign(lambda campaign: [str(each.number) for each in campaign.rounds()])
complete_sources = _of_campaign(lambda campaign: campaign.status().counts.sources)
complete_instruments = _of_campaign(
    lambda campaign: [each.name for each in campaign.definition.instruments]
)
complete_responses = _of_campaign(lambda campaign: campaign.definition.response_names)
complete_readings = _of_campaign(
    lambda campaign: [*campaign.definition.response_names, "origin", "formula", "status"]
)
