"""A round as it is stored beside the same round proposed again."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, TypeVar

from labloop import store
from labloop.campaign.storing import Rows
from labloop.report.numbers import enumerated

if TYPE_CHECKING:
    import pandas as pd

Row = TypeVar("Row", bound=tuple[object, ...])
Name = int | str | None  # a formula's id, a control's name, `new 1` for one that the round has not


@dataclass(frozen=True, eq=False)
class Replayed:
    """How a round came out when it was proposed again; the frames hold only what differs.

    Attributes:
        number: The round's.
        counts: How many formulas, filled wells and dispenses the round has, by these words.
        missing: The ids of its formulas that did not come again.
        new: What came in their place: `new 1` is the first formula of the plate that came again,
            and is not in the round.
        formulas: Frame by `rank` (place among the formulas, from 1): `formula` and `formula_again`
            (ids), `origin`, `origin_again`, `acquisition`, `acquisition_again`.
        wells: Frame `plate`, `well`, `formula`, `formula_again`: ids, controls' names, None for
            an empty well.
        predictions: Frame `formula`, `response`, `mean`, `mean_again`, `sd`, `sd_again`, and
            `difference`, the larger of both relative to the value of then; of formulas that came
            again.
        dispenses: How many dispenses are others than those at their place in the order.
        why: Sentences on the likeliest cause; none where all is the same.
    """

    number: int
    counts: Mapping[str, int]
    missing: tuple[Name, ...]
    new: tuple[Name, ...]
    formulas: pd.DataFrame
    wells: pd.DataFrame
    predictions: pd.DataFrame
    dispenses: int
    why: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether formulas, origins, order, predictions, wells and dispenses agree to the bit."""
        return self.same_plate and not len(self.formulas) and not len(self.predictions)

    @property
    def same_plate(self) -> bool:
        """Whether every well gets the same from the same dispenses, whatever was predicted."""
        return not self.missing and not len(self.wells) and not self.dispenses

    @property
    def sentences(self) -> tuple[str, ...]:
        """What came out, and the likeliest cause where that is not the same."""
        had = ", ".join(_counted(count, word) for word, count in self.counts.items())
        if self.same:
            return (f"Round {self.number} comes out the same: {had}.",)
        verdict = "on the same plate, but" if self.same_plate else "differently:"
        found = enumerated(self._found())
        return (f"Round {self.number} ({had}) comes out {verdict} with {found}.", *self.why)

    def _found(self) -> list[str]:
        both = self.formulas[~self.formulas["formula"].isin(self.missing)]
        kept = (both["formula"] == both["formula_again"]) & (both["origin"] == both["origin_again"])
        moved, scored = int((~kept).sum()), int(kept.sum())
        found = []
        if self.missing:
            found.append(_counted(len(self.missing), "other formulas"))
        if moved:
            found.append(f"{_counted(moved, 'formulas')} in another place or of another origin")
        if len(self.wells):
            found.append(f"{_counted(len(self.wells), 'wells')} that get something else")
        if self.dispenses:
            found.append(_counted(self.dispenses, "other dispenses"))
        if scored:
            found.append(_counted(scored, "other acquisitions"))
        if len(self.predictions):
            largest = self.predictions["difference"].max()
            found.append(f"{_counted(len(self.predictions), 'predictions')} that differ by up to "
                         f"{largest:.1g} of their value")  # fmt: skip
        return found


def _counted(count: int, words: str) -> str:
    return f"{count:,} {words.removesuffix('s') if count == 1 else words}"


def compared(
    number: int, was: Rows, again: Rows, controls: Mapping[int, str], why: tuple[str, ...]
) -> Replayed:
    """Return how a round differs from what it was.

    Args:
        number: The round's.
        was: What is stored of it.
        again: What came out now, its formulas by the same ids, those it did not have below zero.
        controls: The names of its controls by the ids of their formulas.
        why: Sentences on the likeliest cause of differences.
    """
    had, has = ([p.formula for p in rows.proposals] for rows in (was, again))
    missing = [formula for formula in had if formula not in has]
    new = [formula for formula in has if formula not in had]
    names: dict[int | None, Name] = {formula: formula for formula in had}
    names[None] = None
    names.update((formula, f"new {k}") for k, formula in enumerate(new, start=1))
    names.update(controls.items())
    same = not (missing or new) and was == again
    return Replayed(
        number=number,
        counts={
            "formulas": len(was.proposals),
            "wells": sum(well.formula is not None for well in was.wells),
            "dispenses": len(was.dispenses),
        },
        missing=tuple(missing),
        new=tuple(names[formula] for formula in new),
        formulas=_formulas(was.proposals, again.proposals, names),
        wells=_wells(was.wells, again.wells, names),
        predictions=_predictions(was.predictions, again.predictions, {*missing, *new}),
        dispenses=sum(one != other for one, other in zip_longest(was.dispenses, again.dispenses)),
        why=() if same else why,
    )


def _formulas(
    was: Sequence[store.Proposal],
    again: Sequence[store.Proposal],
    names: Mapping[int | None, Name],
) -> pd.DataFrame:
    import pandas as pd

    columns: dict[str, list[object]] = {
        name: []
        for kind in ("formula", "origin", "acquisition")
        for name in (kind, f"{kind}_again")
    }
    ranks = []
    for rank, pair in enumerate(zip_longest(was, again), start=1):
        if pair[0] == pair[1]:
            continue
        ranks.append(rank)
        for each, suffix in zip(pair, ("", "_again"), strict=True):
            columns[f"formula{suffix}"].append(None if each is None else names[each.formula])
            columns[f"origin{suffix}"].append(None if each is None else each.origin)
            columns[f"acquisition{suffix}"].append(None if each is None else each.acquisition)
    return pd.DataFrame(columns, index=pd.Index(ranks, name="rank"))


def _wells(
    was: Sequence[store.Well], again: Sequence[store.Well], names: Mapping[int | None, Name]
) -> pd.DataFrame:
    import pandas as pd

    rows = [
        (*place, *(None if each is None else names.get(each.formula, "another control")
                   for each in pair))
        for place, pair in _by_first_two(was, again).items()
        if pair[0] != pair[1]
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["plate", "well", "formula", "formula_again"], dtype=object)


def _predictions(
    was: Sequence[store.Prediction], again: Sequence[store.Prediction], but: set[int]
) -> pd.DataFrame:
    import pandas as pd

    nan = float("nan")
    rows = []
    for place, (one, other) in _by_first_two(was, again).items():
        if one == other or place[0] in but:
            continue
        means = tuple(nan if each is None else each.mean for each in (one, other))
        sds = tuple(nan if each is None else each.sd for each in (one, other))
        rows.append((*place, *means, *sds, max(_relative(*means), _relative(*sds))))
    measures = ["mean", "mean_again", "sd", "sd_again", "difference"]
    return pd.DataFrame(rows, columns=["formula", "response", *measures])


def _relative(then: float, now: float) -> float:
    if then == now:
        return 0.0
    return abs(now - then) / abs(then) if then else float("inf")


def _by_first_two(
    was: Sequence[Row], again: Sequence[Row]
) -> dict[tuple[Hashable, Hashable], tuple[Row | None, Row | None]]:
    """Return the rows of both by their first two columns, None where one has no such row."""
    old, new = ({(row[0], row[1]): row for row in rows} for rows in (was, again))
    return {key: (old.get(key), new.get(key)) for key in dict.fromkeys([*old, *new])}
