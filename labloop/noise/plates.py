"""Offset and gain of plates, from formulas that several plates have in common.

    y = offset_p + gain_p · mu_f + error

y is the mean of a formula on a plate (a cell): a control's, of replicates that are dealt over
plates, of a formula measured again. How one such model is fitted stands in `plate_fit`. Offset
alone, gain alone, both and neither are compared by their evidence, so that the plates of a quiet
campaign are left alone. What a single formula says of a plate unlike the others is doubted
(`bridges`). Only differences within a formula count, so the scale is free: it is that of the median
plate of those that are connected, which a new plate hardly moves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import sparse

from labloop.noise.bridges import connected, doubted
from labloop.noise.groups import medians
from labloop.noise.plate_fit import Fit, Plates, Problem, fitted, fitted_nothing
from labloop.noise.spread import Array, Counts

# How much more likely, in logarithms, plates must be to differ at all, and by two parameters; and
# within which offset and gain count as equally likely.
_ANY: Final = 1.0
_ANY_OF_FEW: Final = 1.5
_BOTH: Final = 4.0
_AS_LIKELY: Final = 1.5
_CHUNK: Final = 4096
_LEAST_GAIN: Final = 0.02
# Without replicates on a plate, this many differences must remain to tell plates from chance; and
# so many, to tell formulas made anew from plates.
_ENOUGH: Final = 8


@dataclass(frozen=True, eq=False)
class Cells:
    """Means of the wells of one formula on one plate.

    Attributes:
        values: (c,) means as they were read, of one response.
        wells: (c,) behind each.
        formulas: (c,) number of the formula from 0.
        plates: (c,) number of the plate from 0.
    """

    values: Array
    wells: Counts
    formulas: Counts
    plates: Counts

    def take(self, rows: npt.NDArray[np.bool_]) -> Cells:
        """Return some of the cells."""
        return Cells(self.values[rows], self.wells[rows], self.formulas[rows], self.plates[rows])


@dataclass(frozen=True, eq=False)
class PlateEffects:
    """How each plate reads one response: y = offset + gain · true value.

    Attributes:
        offset: (plates,) 0 where a plate has nothing in common with another.
        gain: (plates,) 1 there.
        component: (plates,) number of the group of plates that are connected through formulas, -1
            for a plate on its own.
        covariance: (2·plates, 2·plates) of the errors of offsets and gains, relative to the
            reference of their component; of a plate on its own, how plates usually differ.
        interaction: Variance of a formula made anew on another plate, as a share of a well's.
        told: Parameters that the cells told, of all.
    """

    offset: Array
    gain: Array
    component: Counts
    covariance: Array
    interaction: float
    told: float

    @classmethod
    def none(cls, plates: int) -> PlateEffects:
        """Return plates that all read the truth."""
        return cls(
            np.zeros(plates),
            np.ones(plates),
            np.full(plates, -1),
            np.zeros((2 * plates, 2 * plates)),
            0.0,
            0.0,
        )

    def corrected(self, values: Array, plates: Counts) -> Array:
        """Return (n,) raw values as the reference plate reads them; unknown plates (-1) as is."""
        known = plates >= 0
        offset = np.where(known, self.offset[plates], 0.0) if len(self.offset) else 0.0
        gain = np.where(known, self.gain[plates], 1.0) if len(self.gain) else 1.0
        return np.asarray((values - offset) / gain)

    def variances_of_means(
        self, levels: Array, shares: Array, formulas: Counts, plates: Counts
    ) -> Array:
        """Return (g,) the variance of formulas' means from errors of offset and gain.

        `levels` (g) are the means; formula `formulas[c]` has the share `shares[c]` of its wells
        on plate `plates[c]`.
        """
        found = np.zeros(len(levels))
        if not self.covariance.any():
            return found
        count = len(self.offset)
        pull = shares / self.gain[plates]
        weights = sparse.csr_matrix(
            (
                np.concatenate([pull, pull * levels[formulas]]),
                (np.tile(formulas, 2), np.concatenate([plates, plates + count])),
            ),
            shape=(len(levels), 2 * count),
        )
        for start in range(0, len(levels), _CHUNK):
            part = weights[start : start + _CHUNK]
            found[start : start + _CHUNK] = part.multiply(part @ self.covariance).sum(axis=1).A1
        return np.maximum(found, 0.0)


def fit_plates(
    cells: Cells, plates: int, constant: float, relative: float, within: int
) -> PlateEffects:
    """Return the plates' effects on one response.

    `constant` and `relative` are the parts of a single well's variance, found from replicates
    within plates with so many degrees of freedom `within`; 0 where only their ratio is known.
    """
    component = _components(cells, plates)
    shared = (component[cells.plates] >= 0) & _repeated(cells)
    if not shared.any():
        return PlateEffects.none(plates)
    used, names = np.unique(cells.plates[shared], return_inverse=True)
    formulas, of_cell = np.unique(cells.formulas[shared], return_inverse=True)
    typical = float(np.median(cells.values))
    cells = cells.take(shared)
    spare = len(of_cell) - len(formulas) - len(used)
    if not within and spare < _ENOUGH:
        return replace(PlateEffects.none(plates), component=component)
    problem = Problem(
        cells.values, cells.wells, of_cell, names, len(formulas), len(used),
        constant, relative, within, spare + len(np.unique(component[used])),
    )  # fmt: skip
    fit = doubted(problem, _best(problem, typical))
    return _anchored(fit, used, component, plates)


def _repeated(cells: Cells) -> npt.NDArray[np.bool_]:
    """Return which cells are of formulas on two plates or more."""
    return np.asarray(np.bincount(cells.formulas)[cells.formulas] > 1)


def _components(cells: Cells, plates: int) -> Counts:
    """Return the component of each plate, -1 for one that shares no formula with another."""
    repeated = _repeated(cells)
    formulas, on = cells.formulas[repeated], cells.plates[repeated]
    label = connected(formulas, on, int(cells.formulas.max(initial=-1)) + 1, plates)
    met = np.zeros(plates, dtype=bool)
    met[on] = True
    found = np.full(plates, -1)
    if met.any():
        found[met] = np.unique(label[met], return_inverse=True)[1]
    return found


def _best(problem: Problem, typical: float) -> Fit:
    """Return the likeliest of no effect, offset, gain, and both.

    Where offset and gain explain as much, because what is repeated is alike in level, the one is
    taken that changes the others less: gain if they lie lower than what is repeated, offset if
    higher. That it may be the other one is part of the error.
    """
    start = _start_offset(problem)
    best = offset = fitted(problem, start, offsets=True, gains=False)
    start = Plates.start(problem, np.zeros(problem.n_plates), np.ones(problem.n_plates))
    if (problem.values > 0).all():
        start = _start_gain(problem)
        gain = fitted(problem, start, offsets=False, gains=True)
        lower = typical < float(np.median(gain.at.truth))
        ahead = gain.evidence - offset.evidence if problem.spare > 0 else 0.0
        best, other = (gain, offset) if ahead > (-_AS_LIKELY if lower else _AS_LIKELY) else (
            offset, gain)  # fmt: skip
        best = _in_doubt(best, other, abs(ahead))
    # Few differences tell nothing of formulas made anew unless plates may differ, too.
    few = problem.within and problem.spare < _ENOUGH
    nothing = fitted_nothing(problem, best.chance if few else None)
    if problem.spare > 0:
        both = fitted(problem, start, offsets=True, gains=True)
        best = both if both.evidence > best.evidence + _BOTH else best
    return best if best.evidence > nothing.evidence + (_ANY_OF_FEW if few else _ANY) else nothing


def _in_doubt(fit: Fit, other: Fit, ahead: float) -> Fit:
    """Return the fit with the errors that it has if the other one is right."""
    doubt = 1.0 / (1.0 + np.exp(min(ahead, 50.0)))
    apart = np.concatenate([other.at.offset - fit.at.offset, other.at.gain - fit.at.gain])
    return replace(fit, covariance=fit.covariance + doubt * np.outer(apart, apart))


def _polished(values: Array, problem: Problem) -> Array:
    """Return plates' levels by Tukey's median polish of formulas and plates (1977)."""
    level = np.zeros(problem.n_plates)
    for _ in range(5):
        truth = medians(values - level[problem.plates], problem.formulas, problem.n_formulas)
        level = medians(values - truth[problem.formulas], problem.plates, problem.n_plates)
        level -= np.median(level)
    return level


def _start_offset(problem: Problem) -> Plates:
    return Plates.start(problem, _polished(problem.values, problem), np.ones(problem.n_plates))


def _start_gain(problem: Problem) -> Plates:
    levels = np.clip(_polished(np.log(problem.values), problem), -20.0, 20.0)
    gain = np.maximum(np.exp(levels), _LEAST_GAIN)
    return Plates.start(problem, np.zeros(problem.n_plates), gain)


def _anchored(fit: Fit, used: Counts, component: Counts, plates: int) -> PlateEffects:
    """Return the effects relative to the median plate of each component, and their errors."""
    found = PlateEffects.none(plates)
    count = len(used)
    level = float(np.median(fit.at.truth))
    offset, gain = fit.at.offset, fit.at.gain
    change = np.zeros((2 * count, 2 * count))
    own = component[used]
    for which in np.unique(own):
        at = np.flatnonzero(own == which)
        gain_there = float(np.median(gain[at]))
        offset_there = float(np.median(offset[at] + gain[at] * level)) - gain_there * level
        new_gain = gain[at] / gain_there
        found.gain[used[at]] = new_gain
        found.offset[used[at]] = offset[at] - new_gain * offset_there
        # Errors are those relative to the component's average plate.
        average = np.full(len(at), gain_there / (gain[at].mean() * len(at)))
        of_gain = (np.eye(len(at)) - np.outer(gain[at], average) / gain_there) / gain_there
        change[np.ix_(at + count, at + count)] = of_gain
        change[np.ix_(at, at)] = np.eye(len(at)) - np.outer(new_gain, average)
        change[np.ix_(at, at + count)] = -offset_there * of_gain
    covariance = found.covariance
    covariance[np.diag_indices_from(covariance)] = np.repeat(
        [fit.at.offset_variance, fit.at.gain_variance], plates
    )
    at = np.concatenate([used, used + plates])
    covariance[np.ix_(at, at)] = change @ fit.covariance @ change.T
    interaction = max(fit.chance.interaction, 0.0)
    return PlateEffects(found.offset, found.gain, component, covariance, interaction, fit.told)
