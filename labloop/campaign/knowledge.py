"""What the campaign's store knows, as arrays for the surrogate and the choice of a plate.

Natural values are in the responses' units; on the model's scale a response with a log transform is
its logarithm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from labloop import store
from labloop.definition import Component, Definition, Response
from labloop.errors import RefusedError, did_you_mean
from labloop.noise import observations
from labloop.store import NOW, Store

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Signs = npt.NDArray[np.int8]

_SIDES = {"ok": 0, "below_range": -1, "above_range": 1}
_WIDEST = 20.0  # standard deviations of a logarithm beyond which nothing is told apart


@dataclass(frozen=True, eq=False)
class Observed:
    """Formulas with one observation a response.

    Attributes:
        ids: (n,) formula ids.
        source: (n,) number of the source of history, or -1 for the campaign's own.
        source_names: The sources' names by number.
        concentrations: (n, components); of choices, their numbers, -1 for one unknown here.
        means: (n, responses) natural means of the replicates, NaN where nothing was measured; the
            mean limit of the range where all replicates were out of it.
        censored: (n, responses) 0 where the mean was measured, -1 where it is only known to be
            below the value in `means`, 1 where above.
        standard_errors: (n, responses) of the means, NaN where unknown.
        wells: (n, responses) number of wells behind each mean.
        replicate_sd: (responses,) pooled standard deviation of a single well.
    """

    ids: Ints
    source: Ints
    source_names: tuple[str, ...]
    concentrations: Floats
    means: Floats
    censored: Signs
    standard_errors: Floats
    wells: Ints
    replicate_sd: Floats

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def measured(self) -> Floats:
        """(n, responses) natural means, NaN where nothing or only a limit is known."""
        return np.where(self.censored == 0, self.means, np.nan)

    def take(self, rows: Ints) -> Observed:
        """Return some of the formulas, by their row numbers."""
        return replace(
            self,
            ids=self.ids[rows],
            source=self.source[rows],
            concentrations=self.concentrations[rows],
            means=self.means[rows],
            censored=self.censored[rows],
            standard_errors=self.standard_errors[rows],
            wells=self.wells[rows],
        )


def refuse_lost_meaning(opened: Store, definition: Definition, up_to: int = NOW) -> None:
    """Raise RefusedError where numbers stored until the event `up_to` would lose their meaning.

    A name may not get another unit, and a component that formulas contain may not vanish: formulas
    that differ in it alone would count as the same.
    """
    components = store.read_components(opened, up_to=up_to)
    for name in components:
        if name not in definition.component_names:
            hint = did_you_mean(name, definition.component_names)
            raise RefusedError(
                f'The component "{name}" is no longer in campaign.toml, but stored formulas '
                f"contain it{hint}; put it back, with fixed = 0 if it is not used any more."
            )
    for what, known, now in (
        ("component", components, definition.components),
        ("response", store.read_responses(opened, up_to=up_to), definition.responses),
    ):
        for each in now:
            unit = known.get(each.name, each.unit)
            if unit != each.unit:
                rename = f", or give the {what} another name" if what == "response" else ""
                raise RefusedError(
                    f'The {what} "{each.name}" was in {unit or "no unit"} until now and cannot be '
                    f"in {each.unit or 'no unit'}; put the old unit back{rename}."
                )


def own(
    opened: Store,
    components: Sequence[Component],
    responses: Sequence[Response],
    up_to: int = NOW,
) -> Observed:
    """Return the campaign's own measured formulas as they were known after the event `up_to`."""
    formulas = store.campaign_formulas(opened, [c.name for c in components], up_to=up_to)
    measured = store.campaign_measurements(opened, up_to=up_to)
    return _observed(formulas, measured, components, responses)


def history(
    opened: Store,
    components: Sequence[Component],
    responses: Sequence[Response],
    up_to: int = NOW,
) -> Observed:
    """Return the formulas of every source of history as known after the event `up_to`."""
    formulas = store.history_formulas(opened, [c.name for c in components], up_to=up_to)
    measured = store.history_measurements(opened, up_to=up_to)
    return _observed(formulas, measured, components, responses)


def _observed(
    formulas: store.Formulas,
    measured: Sequence[store.Measurement],
    components: Sequence[Component],
    responses: Sequence[Response],
) -> Observed:
    names = [r.name for r in responses]
    grouped = _replicates(measured, names)
    values, of_row = _as_wells(grouped, len(names))
    seen = observations(values, of_row)
    limits = _limits(grouped)
    ids = np.union1d(seen.formulas, [formula for formula, _ in limits]).astype(np.int64)
    shape = (len(ids), len(names))
    means, errors = np.full(shape, np.nan), np.full(shape, np.nan)
    wells, censored = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int8)
    place = np.searchsorted(ids, seen.formulas)
    means[place], wells[place] = seen.means, seen.wells
    for (formula, j), (limit, side, count) in limits.items():
        k = np.searchsorted(ids, formula)
        means[k, j], censored[k, j], wells[k, j] = limit, side, count
    errors[place] = seen.standard_errors
    errors = np.where(censored == 0, errors, seen.usual_errors(means, wells))
    row = {formula: k for k, formula in enumerate(formulas.ids)}
    rows = np.array([row[int(formula)] for formula in ids], dtype=np.int64)
    sources = list(dict.fromkeys(s for s in formulas.sources if s is not None))
    number = {source: k for k, source in enumerate(sources)}
    matrix = as_concentrations(formulas.rows, components)
    source = np.array([number.get(s, -1) if s else -1 for s in formulas.sources], dtype=np.int64)
    kept = np.flatnonzero(np.isfinite(means).any(axis=1))
    return Observed(
        ids=ids,
        source=source[rows],
        source_names=tuple(sources),
        concentrations=matrix[rows],
        means=means,
        censored=censored,
        standard_errors=errors,
        wells=wells,
        replicate_sd=seen.replicate_sd,
    ).take(kept)


_Replicates = dict[tuple[int, int], list[store.Measurement]]


def _replicates(measured: Sequence[store.Measurement], responses: Sequence[str]) -> _Replicates:
    """Return the measurements that say something by (formula, number of the response)."""
    column = {name: j for j, name in enumerate(responses)}
    grouped: _Replicates = {}
    for m in measured:
        if m.formula is not None and m.response in column and m.status in _SIDES:
            grouped.setdefault((m.formula, column[m.response]), []).append(m)
    return grouped


def _limits(grouped: _Replicates) -> dict[tuple[int, int], tuple[float, int, int]]:
    """Return limit, side and number of wells where all of a formula's are out on one side.

    Wells that are each below their limit have a mean below the mean limit. Where one limit is not
    known, or one well is below the range and another above, nothing is known.
    """
    found = {}
    for place, wells in grouped.items():
        sides = {_SIDES[m.status] for m in wells}
        limits = [m.value for m in wells if m.value is not None]
        if len(sides) == 1 and sides != {0} and len(limits) == len(wells):
            found[place] = (float(np.mean(limits)), sides.pop(), len(wells))
    return found


def _as_wells(grouped: _Replicates, responses: int) -> tuple[Floats, Ints]:
    """Return (wells, responses) values and (wells,) formula ids from single measurements.

    The k-th value of a formula's response joins the k-th values of its other responses. Beside
    replicates that were measured, one below or above the range counts as its limit, lest a formula
    look better for its failures; without a known limit the response of the formula is unknown.
    """
    place: dict[tuple[int, int], int] = {}
    entries: list[tuple[int, int, float]] = []
    for (formula, response), wells in grouped.items():
        values = [m.value for m in wells]
        if all(m.status != "ok" for m in wells) or None in values:
            continue
        for k, value in enumerate(values):
            row = place.setdefault((formula, k), len(place))
            entries.append((row, response, float(value or 0.0)))
    table = np.full((len(place), responses), np.nan)
    for row, j, value in entries:
        table[row, j] = value
    return table, np.array([formula for formula, _ in place], dtype=np.int64)


def as_concentrations(
    rows: Sequence[Sequence[float | str | None]], components: Sequence[Component]
) -> Floats:
    """Return stored amounts as numbers.

    No amount is a concentration of zero; choices are numbers, -1 where there is none or one that
    the definition does not have.
    """
    matrix = np.zeros((len(rows), len(components)))
    for j, component in enumerate(components):
        if component.choices is not None:
            numbers: dict[object, float] = {c: float(k) for k, c in enumerate(component.choices)}
            matrix[:, j] = [numbers.get(row[j], -1.0) for row in rows]
        else:
            matrix[:, j] = [float(row[j] or 0.0) for row in rows]
    return matrix


def as_amounts(concentrations: Floats, components: Sequence[Component]) -> list[list[float | str]]:
    """Return rows of numbers as the store keeps them: choices by name."""
    amounts: list[list[float | str]] = concentrations.tolist()
    for j, component in enumerate(components):
        if component.choices is not None:
            for row in amounts:
                row[j] = component.choices[int(row[j])]
    return amounts


@dataclass(frozen=True, eq=False)
class Scale:
    """How natural values become the model's and back.

    Attributes:
        log: (responses,) which are modelled as logarithms.
        floor: (responses,) what a value at or below zero counts as before its logarithm: half the
            smallest positive value that was measured.
    """

    log: npt.NDArray[np.bool_]
    floor: Floats

    @classmethod
    def of(cls, responses: Sequence[Response], measured: Floats) -> Scale:
        """Return the scale of responses of which (n, responses) values were measured.

        Raises RefusedError where a logarithm is wanted of values none of which is above zero.
        """
        log = np.array([response.transform == "log" for response in responses])
        for response, values in zip(responses, measured.T, strict=True):
            some = values[np.isfinite(values)]
            if response.transform == "log" and len(some) and not (some > 0).any():
                raise RefusedError(
                    f'[[response]] "{response.name}" has transform = "log", but no measured value '
                    "is above zero; remove the transform."
                )
        positive = np.where(measured > 0, measured, np.inf)
        smallest = positive.min(axis=0, initial=np.inf)
        return cls(log, np.where(np.isfinite(smallest), smallest / 2, 1e-9))

    def to_model(self, means: Floats, standard_errors: Floats) -> tuple[Floats, Floats]:
        """Return means and variances on the model's scale; the variance by the delta method."""
        above = np.where(means > 0, means, self.floor)
        above = np.where(np.isnan(means), np.nan, above)
        model = np.where(self.log, np.log(above), means)
        # an error as large as the value says that not even the magnitude is known
        errors = np.where(self.log, np.minimum(standard_errors / above, 1.0), standard_errors)
        return model, errors**2

    def to_natural(self, mean: Floats, variance: Floats) -> tuple[Floats, Floats]:
        """Return natural centres and spreads of normal values on the model's scale.

        Of a logarithm they are the median, exp(μ), and half the width of the central 68 %,
        exp(μ)·sinh(σ). The moments of a log-normal would not do: while little is known they are
        ruled by a tail that no formula reaches.
        """
        sd = np.sqrt(variance)
        median = np.exp(np.where(self.log, mean, 0.0))
        half = median * np.sinh(np.where(self.log, np.minimum(sd, _WIDEST), 0.0))
        return np.where(self.log, median, mean), np.where(self.log, half, sd)

    def medians(self, values: Floats) -> Floats:
        """Return (n, responses) values on the model's scale as natural ones."""
        return np.where(self.log, np.exp(np.where(self.log, values, 0.0)), values)
