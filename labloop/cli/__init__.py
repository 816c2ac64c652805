"""The command line: parse, call Campaign, print."""

from __future__ import annotations

from typing import Any

import click

from labloop.cli.completion import completion
from labloop.cli.keeping import backup, log, note, replay
from labloop.cli.learning import predict, pretrain, simulate
from labloop.cli.looking import best, compare, effects, report, status, wells
from labloop.cli.plates import plate
from labloop.cli.results import exclude, history, record
from labloop.cli.rounds import abandon, export, propose
from labloop.cli.serving import serve
from labloop.cli.starting import check, demo, init
from labloop.errors import LabloopError, did_you_mean
from labloop.terminal import say, speak_utf8

__all__ = ["main"]


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


for _command in (
    demo, init, check, history, pretrain, propose, export, record, exclude, abandon, note, status,
    best, compare, wells, plate, effects, predict, report, simulate, replay, log, backup,
    serve, completion,
):  # fmt: skip
    main.add_command(_command)
