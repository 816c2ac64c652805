"""What a worklist calls the source plates and plates that stand on the robot's deck."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from labloop.definition.checks.naming import CALCULATIONS
from labloop.errors import RefusedError
from labloop.worklists.round_plan import RoundPlan
from labloop.worklists.text import sheet


@dataclass(frozen=True)
class Standing:
    """A source plate or a plate of a round.

    Attributes:
        side: `source` or `destination`.
        number: From 1, on its side.
        name: What the worklist calls it; different for each.
        position: Where it stands: `P1`, `P2` …, the source plates first.
        labware: The robot's own name of its kind; empty where campaign.toml gives none.
        wells: How many it has.

    """

    side: str
    number: int
    name: str
    position: str
    labware: str
    wells: int

    @property
    def title(self) -> str:
        """What people call it: `source plate 1` or `plate 1`."""
        return f"{'source plate' if self.side == 'source' else 'plate'} {self.number}"


def standing(plan: RoundPlan) -> list[Standing]:
    """Return what stands on the deck in a round, the source plates first.

    Each has its labware's name from campaign.toml, numbered `_0001` … where there are several of
    them, as VENUS does; without one it is `Source1` … or `Plate1` …

    Raises RefusedError for a name that the file cannot carry, and for two that are the same.
    """
    sources = int(plan.dispenses["source_plate"].max()) if len(plan.dispenses) else 0
    plates = sorted(plan.layout["plate"].unique())
    kinds = [(plan.robot.source_plate(n + 1).labware, f"Source{n + 1}") for n in range(sources)]
    kinds += [(plan.robot.plate_labware, f"Plate{n}") for n in plates]
    total, seen = Counter(labware for labware, _ in kinds), Counter[str]()
    names = []
    for labware, unnamed in kinds:
        _check_carried(labware)
        seen[labware] += 1
        numbered = f"{labware}_{seen[labware]:04d}" if total[labware] > 1 else labware
        names.append(numbered if labware else unnamed)
    for name, count in Counter(name.casefold() for name in names).items():
        if count > 1:
            raise RefusedError(
                f'Two plates on the deck would be called "{name}"; give source_labware and '
                "plate_labware under [robot] other names."
            )
    sides = [("source", n + 1, plan.robot.source_plate(n + 1).wells) for n in range(sources)]
    sides += [("destination", int(n), plan.plate.wells) for n in plates]
    return [
        Standing(side, n, name, f"P{place}", labware, wells)
        for place, ((side, n, wells), name, (labware, _)) in enumerate(
            zip(sides, names, kinds, strict=True), start=1
        )
    ]


def positions_sheet(deck: list[Standing]) -> bytes:
    """Return a CSV sheet that says which plate stands at which position."""
    return sheet(("position", "labware"), [(each.position, each.title) for each in deck])


def deck_sheet(deck: list[Standing]) -> bytes:
    """Return a CSV sheet with all that the worklist may call a plate."""
    header = ("name", "stands_for", "number", "position", "labware", "wells")
    rows = [
        (each.name, each.title, each.number, each.position, each.labware, each.wells)
        for each in deck
    ]
    return sheet(header, rows)


def _check_carried(labware: str) -> None:
    carried = all(character.isprintable() and ord(character) < 256 for character in labware)
    if not carried or labware.startswith(CALCULATIONS):
        raise RefusedError(
            f'The worklist cannot carry the labware\'s name "{labware}"; give it one in western '
            "letters, that does not begin as a calculation does, under [robot] and on the robot."
        )
