"""Some of the campaign's formulas side by side: what is in them, what came of it, what differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from labloop import store
from labloop.campaign.differing import differences
from labloop.campaign.knowledge import Observed, own, refuse_lost_meaning
from labloop.campaign.rounds import amounts_frame
from labloop.definition import Definition
from labloop.errors import RefusedError, did_you_mean
from labloop.store import Store

if TYPE_CHECKING:
    import pandas as pd

Label = int | str

_MOST_DIGITS = 18  # a formula's number is a signed integer of 64 bits


@dataclass(frozen=True, eq=False)
class Comparison:
    """Formulas side by side, each called as it was asked for: by its number or name.

    Attributes:
        amounts: Frame by component: `unit`, and a column a formula with its concentrations, or
            names of choices.
        responses: Frame by formula and response: `predicted` and `sd` (of a new measurement) by
            the round that first proposed the formula; `measured`, `sem` and `wells` as in
            `Campaign.best`; `limit` (text such as `<5`) where nothing but that is known; that
            `round`, missing for formulas that labloop did not propose; `origin`, which is
            `control` of a named formula and `adopted` of the lab's own.
        sentences: What the first formula has more or less of than each other, and whether their
            measured values differ by more than chance makes.
    """

    amounts: pd.DataFrame
    responses: pd.DataFrame
    sentences: tuple[str, ...]


def compare(opened: Store, definition: Definition, formulas: Sequence[int | str]) -> Comparison:
    """Set some of the campaign's own formulas side by side; see `Campaign.compare`."""
    refuse_lost_meaning(opened, definition)
    named = store.named_formulas(opened)
    ids = _ids(opened, definition, formulas, named)
    known = own(opened, definition)
    amounts = _amounts(opened, definition, ids)
    responses = _responses(opened, definition, ids, known, set(named.values()))
    return Comparison(amounts, responses, differences(amounts, responses, definition))


def _ids(
    opened: Store, definition: Definition, formulas: Sequence[int | str], named: dict[str, int]
) -> dict[Label, int]:
    """Return label → id of the formulas that are asked for, each once."""
    numbers = {number for (number,) in opened.rows("SELECT id FROM formula WHERE source IS NULL")}
    found: dict[Label, int] = {}
    for asked in formulas:
        label = int(asked) if isinstance(asked, str) and _is_number(asked) else asked
        if isinstance(label, str):
            if label not in named:
                _refuse_name(label, definition, named)
            number = named[label]
        else:
            number = int(label)
            if number not in numbers:
                _refuse_number(opened, number)
        if number not in found.values():
            found[label] = number
    if len(found) < 2:
        raise RefusedError(
            "Comparing takes at least two different formulas (got "
            f"{', '.join(map(str, found)) or 'none'}); give their numbers, or names of controls."
        )
    return found


def _refuse_name(name: str, definition: Definition, named: dict[str, int]) -> None:
    if name in definition.formulas:
        raise RefusedError(
            f'The formula "{name}" was on no plate yet; list it among the controls of [plate], or '
            "compare others."
        )
    raise RefusedError(
        f'There is no formula "{name}"{did_you_mean(name, named)}; give numbers of formulas, or '
        "names of controls."
    )


def _is_number(text: str) -> bool:
    """Return whether a text is a number that a formula may have."""
    return text.strip().isdecimal() and len(text) <= _MOST_DIGITS


def _refuse_number(opened: Store, number: int) -> None:
    source = opened.rows(
        "SELECT s.name FROM formula AS f JOIN source AS s ON s.id = f.source WHERE f.id = ?",
        (min(number, 10**_MOST_DIGITS),),
    )
    if source:
        raise RefusedError(
            f'Formula {number} is of the history of "{source[0][0]}"; only formulas of the '
            "campaign itself can be compared."
        )
    raise RefusedError(
        f"There is no formula {number}; `labloop best` and the reports have the numbers."
    )


def _amounts(opened: Store, definition: Definition, ids: dict[Label, int]) -> pd.DataFrame:
    import pandas as pd

    frame = amounts_frame(opened, list(ids.values()), definition.components)
    of_formulas = frame.set_axis(pd.Index(list(ids), dtype=object), axis=0).T
    of_formulas = of_formulas.rename_axis(index="component", columns=None)
    units = pd.Series([c.unit for c in definition.components], of_formulas.index, name="unit")
    return pd.concat([units, of_formulas], axis=1)


def _responses(
    opened: Store, definition: Definition, ids: dict[Label, int], known: Observed, named: set[int]
) -> pd.DataFrame:
    import pandas as pd

    first = {
        p.formula: (r.number, p.origin)
        for r in reversed(store.read_rounds(opened))
        for p in store.read_proposals(opened, r.number)
    }
    predicted = {
        (p.formula, p.response): (p.mean, p.sd)
        for n in {first[number][0] for number in ids.values() if number in first}
        for p in store.read_predictions(opened, n)
        if p.formula in first and first[p.formula][0] == n
    }
    rows = []
    for number in ids.values():
        usual = "control" if number in named else "adopted"
        round_, origin = first.get(number, (None, usual))
        for j, name in enumerate(definition.response_names):
            mean, sd = predicted.get((number, name), (float("nan"), float("nan")))
            rows.append((mean, sd, *_measured(known, number, j), round_, origin))
    columns = ["predicted", "sd", "measured", "sem", "wells", "limit", "round", "origin"]
    index = pd.MultiIndex.from_product(
        [list(ids), definition.response_names], names=["formula", "response"]
    )
    return pd.DataFrame(rows, index, columns).astype({"round": "Int64"})


def _measured(known: Observed, number: int, j: int) -> tuple[Any, ...]:
    """Return mean, standard error, wells and limit of one response of a formula."""
    at = np.flatnonzero(known.ids == number)
    if not len(at):
        return float("nan"), float("nan"), 0, None
    k = at[0]
    side = int(known.censored[k, j])
    wells = int(known.wells[k, j])
    if side:
        limit = f"{'<' if side < 0 else '>'}{known.means[k, j]:.6g}"
        return float("nan"), float("nan"), wells, limit
    return float(known.means[k, j]), float(known.standard_errors[k, j]), wells, None
