"""The command that opens the browser app: serve."""

from __future__ import annotations

import click


@click.command()
@click.argument("campaigns", nargs=-1, metavar="[CAMPAIGN]...")
@click.option(
    "--port", default=8765, show_default=True, type=click.IntRange(0, 65535), help="0 finds one."
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen at; beyond this computer only who has the link gets in.",
)
def serve(campaigns: tuple[str, ...], port: int, host: str) -> None:
    """Open campaigns in the browser.

    All in this folder and below campaigns/ if none is named.
    """
    from labloop.campaign.folders import find
    from labloop.errors import RefusedError
    from labloop.terminal import say, show
    from labloop.web import serving

    folders = [find(name) for name in campaigns]
    for folder in folders:
        if not (folder / "campaign.toml").is_file():
            raise RefusedError(
                f'There is no campaign in "{folder}" (no campaign.toml); '
                "check the name, or make one with `labloop init`."
            )

    def tell(link: str, who: str) -> None:
        show(link)
        say(who)

    serving.serve(folders, host, port, tell)
