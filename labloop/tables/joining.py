"""How rows of results find their formula: by plate and well, by formula, by composition."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from labloop.errors import did_you_mean
from labloop.tables.columns import ColumnMatch
from labloop.tables.history import read_concentrations
from labloop.tables.numbers import Readings, quoted
from labloop.tables.places import label, read_places
from labloop.tables.table import Table
from labloop.wells import parse_well

if TYPE_CHECKING:
    from labloop.definition import Component

Layout: TypeAlias = Mapping[tuple[str, str], str | None]
"""(plate, well) to the formula in it, None for a well left empty; wells as A1, plates as text."""


_NAMED: Final = 12  # wells that a sentence names before it only counts them


@dataclass(frozen=True, eq=False)
class Joined:
    """What the rows are joined by; `kept` are the rows' numbers in the table.

    A formula "" is that of a well which holds none: `blanks` names these wells.
    """

    key: Literal["well", "formula", "composition"]
    kept: npt.NDArray[np.int64]
    plates: tuple[str, ...] = ()
    wells: tuple[str, ...] = ()
    formulas: tuple[str, ...] = ()
    concentrations: npt.NDArray[np.float64] | None = None
    absent: tuple[str, ...] = ()
    blanks: tuple[str, ...] = ()
    used: tuple[str, ...] = ()
    filled: tuple[str, ...] = ()


def by_well(
    table: Table, match: ColumnMatch, readings: Readings, layout: Layout
) -> tuple[Joined, list[str]]:
    """Join rows to the wells of the layout.

    A reader lists every well: what it measured in a well without formula is a blank.
    """
    plates_known = list(dict.fromkeys(plate for plate, _ in layout))
    if "plate" not in match.keys and len(plates_known) > 1:
        listed = ", ".join(plates_known)
        return Joined("well", np.arange(0)), [
            f'{table.title}: the round has plates {listed}; add a column "plate", or name the one '
            "that the file is of with --plate"
        ]
    column = match.keys["well"]
    silent = (readings.statuses == "missing").all(axis=1)
    problems: list[str] = []
    first: dict[tuple[str, str], int] = {}
    of_none: dict[tuple[str, str], int] = {}
    strange: dict[str | None, list[int]] = {}
    for row, cell in enumerate(table.columns[column]):
        plate = _plate(table, match, row, plates_known)
        well = parse_well(label(cell))
        is_empty = _is_empty(plate, well, plates_known, layout)
        if is_empty and silent[row]:
            continue
        why = _well_problem(well, label(cell))
        if why is None and plate not in plates_known:
            strange.setdefault(plate, []).append(row)
        elif why is None and plate is not None and well is not None:
            place = (plate, well)
            if is_empty and not (table.is_plate and place in layout):
                of_none.setdefault(place, row)
            elif place in first:
                earlier = table.short_row(first[place])
                why = f"well {well} is already in {earlier}; keep one of the two"
            else:
                first[place] = row
                why = _formula_problem(table, match, row, layout[place], well)
        if why is not None:
            problems.append(f"{table.cell(row, column)}: {why}")
    problems += [
        _other_plate(table, match, plate, rows, plates_known) for plate, rows in strange.items()
    ]
    problems += _nothing_in(table, column, of_none, several=len(plates_known) > 1)
    absent = [key for key, formula in layout.items() if formula is not None and key not in first]
    several = len(plates_known) > 1
    joined = Joined(
        key="well",
        kept=np.array(list(first.values()), dtype=np.int64),
        plates=tuple(plate for plate, _ in first),
        wells=tuple(well for _, well in first),
        formulas=tuple(layout.get(key) or "" for key in first),
        absent=_absent(absent, layout, several=several),
        blanks=name_places((key for key in first if layout[key] is None), several=several),
        used=("well", "plate", "formula"),
    )
    return joined, problems


def name_places(places: Iterable[tuple[str, str]], *, several: bool) -> tuple[str, ...]:
    """Return (plate, well) as messages name them: `A1`; with several plates `2:A1`."""
    return tuple(f"{plate}:{well}" if several else well for plate, well in places)


def _is_empty(plate: str | None, well: str | None, plates: Sequence[str], layout: Layout) -> bool:
    """Return whether a well of the round has no formula.

    Plate readers list every well; one without formula and without reading has nothing to lose.
    """
    if plate is None or well is None:
        return False
    return plate in plates and layout.get((plate, well)) is None


def _plate(table: Table, match: ColumnMatch, row: int, known: Sequence[str]) -> str | None:
    """Return the plate of a row, None when its cell is blank."""
    if "plate" not in match.keys:
        return known[0] if known else None
    return label(table.columns[match.keys["plate"]][row]) or None


def _well_problem(well: str | None, written: str) -> str | None:
    """Say why a row names no well, or return None."""
    if not written:
        return "the cell is blank; write the well, such as A1"
    if well is None:
        return f"{quoted(written)} is no well; wells are written as A1 or A01"
    return None


def _other_plate(
    table: Table,
    match: ColumnMatch,
    plate: str | None,
    rows: Sequence[int],
    plates: Sequence[str],
) -> str:
    """Say once that a plate is not one of the round's, however many wells the file has of it."""
    where = table.cell(rows[0], match.keys["well"])
    if table.positions[match.keys["plate"]] == 0:
        where = f"{table.title}, --plate"
    elif len(rows) > 1:
        where = f"{where}, and {len(rows) - 1} more"
    return (
        f"{where}: plate {quoted(plate or '')} is not in this round, which has "
        f"{', '.join(plates)}; is this the file of another round?"
    )


def _nothing_in(
    table: Table, column: int, wells: Mapping[tuple[str, str], int], *, several: bool
) -> list[str]:
    """Say, in one sentence for all, which wells that hold no formula have a reading."""
    if len(wells) < 2:
        return [
            f"{table.cell(row, column)}: well {well} holds no formula on plate {plate}; "
            "is this the file of the right round? If so, remove the row"
            for (plate, well), row in wells.items()
        ]
    names = name_places(wells, several=several)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    remedy = "leave their cells blank"
    if not table.is_plate:
        remedy += (
            ", or, if a plate reader wrote the file, declare the reader as an [[instrument]] with "
            'form = "table" in campaign.toml, for --instrument; they are stored as blanks then'
        )
    return [
        f"{table.title}: {len(names)} wells hold no formula and have a reading "
        f"({', '.join(names[:_NAMED])}{more}); is this the file of the right round? If so, {remedy}"
    ]


def _absent(absent: Sequence[tuple[str, str]], layout: Layout, *, several: bool) -> tuple[str, ...]:
    """Name the wells that a file says nothing of; of several plates, a whole one as such."""
    of_plate = _count(plate for (plate, _), formula in layout.items() if formula is not None)
    missing = _count(plate for plate, _ in absent)
    whole = {p for p, count in missing.items() if several and count == of_plate[p] > 1}
    named = dict.fromkeys(
        f"plate {plate} (all {of_plate[plate]} wells)"
        if plate in whole
        else name_places([(plate, well)], several=several)[0]
        for plate, well in absent
    )
    return tuple(named)


def _formula_problem(
    table: Table, match: ColumnMatch, row: int, formula: str | None, well: str
) -> str | None:
    """Say that the file names another formula for a well than the layout does, or return None."""
    if "formula" not in match.keys:
        return None
    written = label(table.columns[match.keys["formula"]][row])
    if not written or written == formula:
        return None
    holds = "no formula" if formula is None else f"formula {formula}"
    return (
        f"well {well} holds {holds}, but the file says {quoted(written)}; "
        "is this the file of another round?"
    )


def by_formula(table: Table, match: ColumnMatch, layout: Layout) -> tuple[Joined, list[str]]:
    """Join rows to the formulas of the layout; several rows of one formula are its replicates."""
    known = list(dict.fromkeys(formula for formula in layout.values() if formula is not None))
    wells = _count(layout.values())
    column = match.keys["formula"]
    written = [label(cell) for cell in table.columns[column]]
    problems = [
        f"{table.cell(row, column)}: {why}"
        for row, name in enumerate(written)
        if (why := _name_problem(name, known)) is not None
    ]
    for name, count in _count(written).items():
        if name in wells and count > wells[name]:
            last = len(written) - 1 - written[::-1].index(name)
            problems.append(
                f"{table.cell(last, column)}: formula {name} has {count} rows and only "
                f"{wells[name]} wells; remove what does not belong to this round"
            )
    problems += _repeated_replicates(table, match, written)
    joined = Joined(
        key="formula",
        kept=np.arange(len(table)),
        formulas=tuple(written),
        absent=tuple(name for name in known if name not in set(written)),
        used=("formula", "replicate"),
    )
    return joined, problems


def _count(names: Iterable[str | None]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        if name is not None:
            counts[name] = counts.get(name, 0) + 1
    return counts


def _name_problem(name: str, known: Collection[str]) -> str | None:
    if not name:
        return "the cell is blank; write the formula's number or the control's name"
    if name in known:
        return None
    hint = did_you_mean(name, known)
    return f"formula {quoted(name)} is not in this round{hint or '; is this the right file?'}"


def _repeated_replicates(table: Table, match: ColumnMatch, written: Sequence[str]) -> list[str]:
    """Say which rows repeat a formula's replicate, where the file numbers them."""
    if "replicate" not in match.keys:
        return []
    column = match.keys["replicate"]
    first: dict[tuple[str, str], int] = {}
    problems = []
    for row, (name, cell) in enumerate(zip(written, table.columns[column], strict=True)):
        key = name, label(cell)
        if key[1] and key in first:
            problems.append(
                f"{table.cell(row, column)}: replicate {key[1]} of formula {name} is already in "
                f"{table.short_row(first[key])}; keep one of the two"
            )
        first.setdefault(key, row)
    return problems


def by_composition(
    table: Table, match: ColumnMatch, components: Sequence[Component], *, has_round: bool
) -> tuple[Joined, list[str]]:
    """Take rows as formulas of the lab's own, given by their components."""
    if all(column is None for column in match.components):
        return Joined("composition", np.arange(0)), [_no_key(table, match, has_round)]
    concentrations, filled, problems = read_concentrations(table, match, components)
    places, misplaced = read_places(table, match)
    joined = Joined(
        key="composition",
        kept=np.arange(len(table)),
        plates=places.plates,
        wells=places.wells,
        concentrations=concentrations,
        used=("well", "plate"),
        filled=filled,
    )
    return joined, problems + misplaced


def _no_key(table: Table, match: ColumnMatch, has_round: bool) -> str:
    """Say that nothing in the table tells which formula a row belongs to."""
    if not has_round and ("well" in match.keys or "formula" in match.keys):
        return (
            f"{table.title}: it has wells or formulas, but no round is waiting for results; "
            "name the round with --round, or add the columns of the components"
        )
    return (
        f'{table.title}: nothing says which formula a row is; add a column "well" or "formula", '
        "or the columns of the components"
    )
