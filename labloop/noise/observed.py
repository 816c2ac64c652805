"""One observation a formula and response, and what was corrected in the wells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labloop.noise.means import Observations
from labloop.noise.plates import PlateEffects
from labloop.noise.spread import Array, Counts, Spread
from labloop.noise.wells import Wells

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Observed(Observations):
    """Observations of g formulas and m responses, and what was corrected in n wells.

    The 90 % interval of a formula is the mean ± 1.645 standard errors: errors count as normal,
    widened where the spread is little known. They include those of the corrections.

    Attributes:
        censored: (g, m) 0 measured, -1 only known to be below `means`, 1 above.
        corrected: (n, m) each well's value after correction, NaN where nothing was measured.
        flagged: (n, m) wells that lie far from their replicates and do not count.
        scores: (n, m) distance from the replicates in standard deviations.
        offset: (plates, m) y_raw = offset + gain · y_true; 0 where not known.
        gain: (plates, m) 1 where not known.
        offset_error: (plates, m) standard error relative to the plates that it is connected with;
            where not connected, how much plates usually differ (0: not known to differ).
        gain_error: (plates, m) likewise.
        error_product: (plates, m) covariance of the two errors.
        connected: (plates, m) whether a plate has formulas in common with another; one that has
            none is left as it was read.
        position: (n, m) what the well's place adds to the true value.
    """

    censored: npt.NDArray[np.int8]
    corrected: Array
    flagged: Flags
    scores: Array
    offset: Array
    gain: Array
    offset_error: Array
    gain_error: Array
    error_product: Array
    connected: Flags
    position: Array


@dataclass(frozen=True, eq=False)
class Seen:
    """One response of `Observed`."""

    means: Array
    errors: Array
    counts: Counts
    censored: npt.NDArray[np.int8]
    corrected: Array
    flagged: Flags
    scores: Array
    effects: PlateEffects
    position: Array
    spread: Spread
    size: float


def joined(wells: Wells, formulas: Counts, found: list[Seen]) -> Observed:
    """Return the responses side by side."""

    def columns(parts: list[Array], rows: int) -> Array:
        return np.stack(parts, axis=1) if parts else np.zeros((rows, 0))

    n, g, plates = len(wells.formulas), len(formulas), len(wells.shapes)
    errors = [np.sqrt(np.maximum(np.diag(one.effects.covariance), 0.0)) for one in found]
    sizes = np.array([one.size for one in found])
    spreads = [one.spread for one in found]
    constant = np.array([one.constant for one in spreads])
    return Observed(
        formulas=formulas,
        means=columns([one.means for one in found], g),
        standard_errors=columns([one.errors for one in found], g),
        wells=columns([one.counts.astype(np.float64) for one in found], g).astype(np.int64),
        replicate_sd=np.sqrt([one.pooled for one in spreads]) * sizes,
        constant_sd=np.sqrt(constant) * sizes,
        relative_sd=np.sqrt([one.relative for one in spreads]),
        prior_wells=np.array([one.prior_wells for one in spreads]),
        censored=columns([one.censored.astype(np.float64) for one in found], g).astype(np.int8),
        corrected=columns([one.corrected for one in found], n),
        flagged=columns([one.flagged.astype(np.float64) for one in found], n).astype(bool),
        scores=columns([one.scores for one in found], n),
        offset=columns([one.effects.offset * one.size for one in found], plates),
        gain=columns([one.effects.gain for one in found], plates),
        offset_error=columns(
            [e[:plates] * one.size for e, one in zip(errors, found, strict=True)], plates
        ),
        gain_error=columns([e[plates:] for e in errors], plates),
        error_product=columns(
            [np.diag(one.effects.covariance, plates)[:plates] * one.size for one in found], plates
        ),
        connected=columns(
            [(one.effects.component >= 0).astype(np.float64) for one in found], plates
        ).astype(bool),
        position=columns([one.position for one in found], n),
    )
