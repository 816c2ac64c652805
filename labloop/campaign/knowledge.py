"""What the campaign's store knows, as arrays for the surrogate and the choice of a plate.

Natural values are in the responses' units; on the model's scale a response with a log transform is
its logarithm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from labloop import noise, store
from labloop.campaign.measured import SeenWells, measured_wells, seen_wells
from labloop.definition import Component, Definition, Response
from labloop.errors import RefusedError, did_you_mean
from labloop.noise import observe
from labloop.store import NOW, Store

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Signs = npt.NDArray[np.int8]

_WIDEST = 20.0  # standard deviations of a logarithm beyond which nothing is told apart


@dataclass(frozen=True, eq=False)
class Observed:
    """Formulas with one observation a response.

    Attributes:
        ids: (n,) formula ids.
        source: (n,) number of the source of history, or -1 for the campaign's own.
        source_names: The sources' names by number.
        concentrations: (n, components); of choices, their numbers, -1 for one unknown here.
        means: (n, responses) natural means of the replicates, corrected for their plates and
            places; NaN where nothing was measured; the limit of the range where all replicates were
            out of it.
        censored: (n, responses) 0 where the mean was measured, -1 where it is only known to be
            below the value in `means`, 1 where above.
        standard_errors: (n, responses) of the means, NaN where unknown.
        wells: (n, responses) number of wells behind each mean.
    """

    ids: Ints
    source: Ints
    source_names: tuple[str, ...]
    concentrations: Floats
    means: Floats
    censored: Signs
    standard_errors: Floats
    wells: Ints

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


def own(opened: Store, definition: Definition, up_to: int = NOW) -> Observed:
    """Return the campaign's own measured formulas as they were known after the event `up_to`."""
    return own_of(opened, definition, seen_wells(opened, definition, up_to=up_to), up_to)


def own_of(opened: Store, definition: Definition, seen: SeenWells, up_to: int = NOW) -> Observed:
    """Return the campaign's own measured formulas from wells that were seen already."""
    formulas = store.campaign_formulas(opened, definition.component_names, up_to=up_to)
    return _observed(formulas, [(seen.observed, -1)], (), definition.components)


def history(opened: Store, definition: Definition, up_to: int = NOW) -> Observed:
    """Return the formulas of every source of history as known after the event `up_to`.

    Each source is corrected by what its own plates have in common.
    """
    formulas = store.history_formulas(opened, definition.component_names, up_to=up_to)
    names = tuple(dict.fromkeys(source for source in formulas.sources if source is not None))
    source_of = dict(zip(formulas.ids, formulas.sources, strict=True))
    parts: dict[str, list[store.Measurement]] = {name: [] for name in names}
    for m in store.history_measurements(opened, up_to=up_to):
        source = None if m.formula is None else source_of.get(m.formula)
        if source is not None:
            parts[source].append(m)
    seen = [
        (_observe(opened, parts[name], definition), number) for number, name in enumerate(names)
    ]
    nothing = [(_observe(opened, (), definition), -1)]
    return _observed(formulas, seen or nothing, names, definition.components)


def _observe(
    opened: Store, measured: Sequence[store.Measurement], definition: Definition
) -> noise.Observed:
    found = measured_wells(opened, measured, definition.responses)
    return observe(found.wells, **definition.noise.model_dump())


def _observed(
    formulas: store.Formulas,
    parts: Sequence[tuple[noise.Observed, int]],
    source_names: tuple[str, ...],
    components: Sequence[Component],
) -> Observed:
    """Return the observations of one or several sources, by formula."""
    seen = [part for part, _ in parts]
    ids = np.concatenate([np.empty(0, dtype=np.int64), *(part.formulas for part in seen)])
    source = np.repeat([number for _, number in parts], [len(part.formulas) for part in seen])
    known = np.concatenate([np.empty(0, dtype=bool), *(_told(part) for part in seen)])
    order = np.argsort(ids, kind="stable")
    order = order[known[order]]
    row = {formula: k for k, formula in enumerate(formulas.ids)}
    rows = [formulas.rows[row[formula]] for formula in ids[order].tolist()]

    def of(name: str) -> Any:
        return np.concatenate([getattr(part, name) for part in seen])[order]

    return Observed(
        ids=ids[order],
        source=source.astype(np.int64)[order],
        source_names=source_names,
        concentrations=as_concentrations(rows, components),
        means=of("means"),
        censored=of("censored"),
        standard_errors=of("standard_errors"),
        wells=of("wells"),
    )


def _told(seen: noise.Observed) -> npt.NDArray[np.bool_]:
    """Return (g,) the formulas of which something is known."""
    return np.asarray(np.isfinite(seen.means).any(axis=1))


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
