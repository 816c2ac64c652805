"""Which files a round gives for which robot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from labloop.errors import RefusedError, did_you_mean
from labloop.worklists import (
    columns,
    deck,
    echo,
    idot,
    mantis,
    manual,
    opentrons,
    plate_map,
    tecan,
)
from labloop.worklists.checks import check
from labloop.worklists.round_plan import RoundPlan

WORKLISTS: Mapping[str, Callable[[RoundPlan], dict[str, bytes]]] = MappingProxyType(
    {
        "biomek": columns.worklist,
        "hamilton": columns.worklist,
        "epmotion": columns.worklist,
        "echo525": echo.worklist,
        "echo550": echo.worklist,
        "ot2": opentrons.worklist,
        "flex": opentrons.worklist,
        "evo": tecan.evo,
        "fluent": tecan.fluent,
        "mantis": mantis.worklist,
        "idot": idot.worklist,
        "manual": manual.worklist,
    }
)
"""For each kind of robot, the function that writes its own files, named by what is in them."""


def round_files(kind: str, plan: RoundPlan, *, stem: str) -> dict[str, bytes]:
    """Return the files of a round, named `{stem}-….csv` or `.toml`, ready for `write_files`.

    Every kind has the plate map (tidy CSV, grid CSV, wellmap TOML), the deck list and, where there
    is anything, what the lab adds by hand; the kind's own worklist joins them. Every plan is
    checked first.

    Raises RefusedError for a kind that cannot be written, for a plan that was made for another
    robot (a bench sheet can be had of every plan), and for whatever the robot would refuse or
    silently make wrong.
    """
    if kind not in WORKLISTS:
        available = ", ".join(WORKLISTS)
        raise RefusedError(
            f'There is no export to "{kind}"; choose one of {available}'
            f"{did_you_mean(kind, WORKLISTS)}."
        )
    if kind not in (plan.robot.kind, "manual"):
        raise RefusedError(
            f'The round was planned for the robot "{plan.robot.kind}", not for "{kind}", whose '
            f'volumes differ; export to {_possible(plan.robot.kind)}, or set kind = "{kind}" under '
            "[robot] before the next round is proposed."
        )
    check(plan)
    files = {
        "plate-map.csv": plate_map.tidy(plan),
        "plate-grid.csv": plate_map.grid(plan),
        "plate-map.toml": plate_map.wellmap_toml(plan),
        "deck-list.csv": deck.deck_csv(plan),
        **deck.by_hand_csv(plan),
        **WORKLISTS[kind](plan),
    }
    return {f"{stem}-{name}": content for name, content in files.items()}


def _possible(kind: str) -> str:
    """Name the kinds that a round planned for a robot can be exported to."""
    return '"manual"' if kind == "manual" else f'"{kind}" or "manual"'
