"""Worklists in CSV for Biomek, Hamilton and epMotion: one writer, and a profile for each machine.

The columns are those of the profile that `[robot.csv]` names, or the user's own; both are made of
the fields in `labloop.csv_profiles`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from labloop.csv_profiles import PROFILES, Profile
from labloop.worklists.fields import Cells, cells, names_in
from labloop.worklists.labels import labels, legend, plain
from labloop.worklists.round_plan import RoundPlan
from labloop.worklists.standing import deck_sheet, positions_sheet, standing

_LONGEST = 32

_Line = tuple[str, ...]


def worklist(plan: RoundPlan) -> dict[str, bytes]:
    """Return the robot's files, named after its kind.

    `{kind}.csv` has one line a dispense, in order. Where a file may not have so many there are
    several, `{kind}-1-of-3.csv` … in the order in which they are run; a stock is divided over no
    more of them than it must. `{kind}-deck.csv` says what stands where, and `legend.csv` which
    short label stands for which name.

    Raises RefusedError for what the file cannot say: names of labware (`standing`), and columns
    that campaign.toml has nothing for (`fields`).
    """
    kind, own = plan.robot.kind, plan.robot.csv.columns
    profile = PROFILES[plan.robot.csv.profile or kind]
    columns = tuple(own.items()) or profile.columns
    deck = standing(plan)
    names = dict.fromkeys(name for _, field in columns for name in names_in(field, plan))
    made = labels(list(names), _LONGEST, allowed=plain)
    lines = _lines(plan, columns, cells(plan, deck, made))
    parts = list(_parts(plan, lines, profile.most_rows))
    headings = tuple(heading for heading, _ in columns)
    files = {
        name: _file(profile, headings, part)
        for name, part in zip(_names(kind, len(parts)), parts, strict=True)
    }
    by_position = columns == PROFILES["biomek"].columns
    files[f"{kind}-deck.csv"] = positions_sheet(deck) if by_position else deck_sheet(deck)
    return files | legend(made)


def _names(kind: str, parts: int) -> list[str]:
    """Return the names of a robot's methods; files of an export before cannot pass for one."""
    if parts == 1:
        return [f"{kind}.csv"]
    return [f"{kind}-{n:0{len(str(parts))}d}-of-{parts}.csv" for n in range(1, parts + 1)]


def _lines(
    plan: RoundPlan, columns: Sequence[tuple[str, str]], cells: Mapping[str, Cells]
) -> list[_Line]:
    """Return the cells of every dispense; a field that begins with = is a text for all of them."""
    table = [
        [field[1:]] * len(plan.dispenses) if field.startswith("=") else cells[field]()
        for _, field in columns
    ]
    return list(zip(*table, strict=True))


def _parts(plan: RoundPlan, lines: list[_Line], most: int | None) -> Iterator[list[_Line]]:
    """Yield the lines of each file; no stock is divided over more of them than it must."""
    if most is None or len(lines) <= most:
        yield lines
        return
    stocks = plan.dispenses[["stock", "stock_concentration"]].astype(str)
    counts = [len(list(run)) for _, run in groupby(stocks.itertuples(index=False, name=None))]
    start, used = 0, 0
    for count in counts:
        if used and -(-(used + count) // most) > -(-count // most):
            yield lines[start : start + used]
            start, used = start + used, 0
        used += count
        while used > most:
            yield lines[start : start + most]
            start, used = start + most, used - most
    yield lines[start : start + used]


def _file(profile: Profile, headings: _Line, lines: list[_Line]) -> bytes:
    written = io.StringIO(newline="")
    writer = csv.writer(written, lineterminator=profile.line_end)
    for line in profile.above:
        written.write(line + profile.line_end)
    writer.writerow(headings)
    writer.writerows(lines)
    return written.getvalue().encode("latin-1")
