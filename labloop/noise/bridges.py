"""Plates that a single formula connects with the others, and how far it is believed.

Where one control is all that plates have in common, a plate that reads everything lower and a
control that went wrong there look the same. A deviation d that is like those of the other plates
counts as the plate's. One that is not came about by something else, which was as likely the
control: with densities of both (a Student's t with the spread of the others, and a normal ten
times as wide that one plate in twenty has), the share r of the second is doubted by half: the
plate is corrected by (1 - r/2)·d, and the error of that is d·sqrt(r/2 · (1 - r/2)).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from scipy import sparse
from scipy.special import gammaln

from labloop.noise.plate_fit import Fit, Problem
from labloop.noise.spread import Array, Counts

_UNLIKE: Final = 0.05
_WIDER: Final = 10.0
_LEAST_BLOCKS: Final = 3


def doubted(problem: Problem, fit: Fit) -> Fit:
    """Return the fit with what a single formula says of plates unlike the others doubted."""
    if not (fit.offsets or fit.gains):
        return fit
    for bridge, block, at in _bridges(problem):
        fit = _limited(problem, fit, bridge, block, at)
    return fit


def connected(formulas: Counts, plates: Counts, n_formulas: int, n_plates: int) -> Counts:
    """Return (plates,) labels that plates connected through formulas have in common."""
    size = n_plates + n_formulas
    graph = sparse.csr_matrix(
        (np.ones(len(formulas)), (formulas + n_plates, plates)), shape=(size, size)
    )
    _, label = sparse.csgraph.connected_components(graph, directed=False)
    return np.asarray(label[:n_plates], dtype=np.int64)


def _bridges(problem: Problem) -> list[tuple[int, Counts, Counts]]:
    """Return formulas without which plates fall apart: their number, the blocks, the plates."""
    formulas, plates = problem.formulas, problem.plates
    whole = connected(formulas, plates, problem.n_formulas, problem.n_plates)
    found = []
    for label in np.unique(whole):
        at = np.flatnonzero(whole == label)
        inside = whole[plates] == label
        bridge = int(np.bincount(formulas[inside]).argmax())
        rest = inside & (formulas != bridge)
        parts = connected(formulas[rest], plates[rest], problem.n_formulas, problem.n_plates)
        on = plates[formulas == bridge]
        # A block that is connected by yet another formula is not told by this one.
        at = at[np.isin(parts[at], parts[on])]
        blocks, block = np.unique(parts[at], return_inverse=True)
        if len(blocks) >= _LEAST_BLOCKS:
            found.append((bridge, block.reshape(-1).astype(np.int64), at))
    return found


def _limited(problem: Problem, fit: Fit, bridge: int, block: Counts, at: Counts) -> Fit:
    truth = fit.at.truth[bridge]
    read = fit.at.offset[at] + fit.at.gain[at] * truth
    deviation = np.log(fit.at.gain[at]) if not fit.offsets else read
    count = np.bincount(block)
    by_block = np.bincount(block, weights=deviation) / count
    by_block = by_block - np.median(by_block)
    doubt = _doubt(by_block, _told(problem, fit, bridge, block, at))
    offset, gain, covariance = fit.at.offset.copy(), fit.at.gain.copy(), fit.covariance.copy()
    for number in np.flatnonzero(doubt > 1e-6):
        plates = at[block == number]
        apart, share = by_block[number], doubt[number]
        moved = np.zeros(len(covariance))
        if fit.offsets:
            moved[plates] = apart
            offset[plates] -= share * apart
        else:
            moved[problem.n_plates + plates] = gain[plates] * (1.0 - np.exp(-apart))
            gain[plates] *= np.exp(-share * apart)
        covariance = covariance + share * (1.0 - share) * np.outer(moved, moved)
    return replace(fit, at=replace(fit.at, offset=offset, gain=gain), covariance=covariance)


def _told(problem: Problem, fit: Fit, bridge: int, block: Counts, at: Counts) -> Array:
    """Return (blocks,) variances with which the formula tells the deviations."""
    number = np.full(problem.n_plates, -1)
    number[at] = block
    cells = (problem.formulas == bridge) & (number[problem.plates] >= 0)
    expected = problem.expected(fit.at)[cells]
    variance = problem.variances(expected, fit.chance)
    if not fit.offsets:
        variance = variance / np.maximum(expected**2, 1e-12)
    worth = np.bincount(number[problem.plates[cells]], weights=1.0 / variance)
    return np.asarray(1.0 / np.maximum(worth, 1e-300))


def _doubt(deviations: Array, told: Array) -> Array:
    """Return (blocks,) half the probability of deviations to be unlike the others."""
    others = len(deviations) - 1
    total, squares = deviations.sum(), (deviations**2).sum()
    mean = (total - deviations) / others
    variance = (squares - deviations**2 - others * mean**2) / (others - 1)
    scale2 = np.maximum(variance, told) * (1.0 + 1.0 / others)
    z2 = (deviations - mean) ** 2 / np.maximum(scale2, 1e-300)
    nu = others - 1.0
    alike = (
        gammaln((nu + 1) / 2) - gammaln(nu / 2) - np.log(nu * np.pi) / 2
        - (nu + 1) / 2 * np.log1p(z2 / nu)
    )  # fmt: skip
    other = -z2 / _WIDER**2 / 2 - np.log(2 * np.pi * _WIDER**2) / 2
    # What is farther away than the wide density reaches is unlike the others all the more.
    other = np.maximum(other, -2.0 - np.log(2 * np.pi * _WIDER**2) / 2)
    odds = np.exp(np.clip(other - alike, -50.0, 50.0)) * _UNLIKE / (1.0 - _UNLIKE)
    return np.asarray(odds / (1.0 + odds) / 2)
