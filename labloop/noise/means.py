"""Means of replicates with honest standard errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labloop.noise.spread import Array, Spread


@dataclass(frozen=True, eq=False)
class Observations:
    """One observation a formula and response.

    `formulas` (g) are the distinct formulas in sorted order. `means` and `standard_errors` are
    g × m: NaN where no well counts, and a NaN standard error alone where nothing is known about the
    spread (no replicates anywhere). `wells` (g × m) counts the wells behind each mean. Over all
    formulas and for each response (m): `replicate_sd`, the pooled sd of a single well;
    `constant_sd` and `relative_sd`, its two parts, so that the sd of a well with signal y is
    √(constant² + (relative·y)²); `prior_wells`, the degrees of freedom d0 with which the pooled
    variance counts (∞: alone).
    """

    formulas: npt.NDArray[Any]
    means: Array
    standard_errors: Array
    wells: npt.NDArray[np.int64]
    replicate_sd: Array
    constant_sd: Array
    relative_sd: Array
    prior_wells: Array

    def usual_errors(self, means: Array, wells: npt.NDArray[np.int64]) -> Array:
        """Return the usual standard errors of means whose wells show no spread of their own.

        `means` and `wells` are n × m, of the same responses; NaN where nothing is known about the
        spread or the mean.
        """
        errors = np.full_like(means, np.nan)
        for k in range(means.shape[1]):
            spread = Spread(
                float(self.replicate_sd[k] ** 2),
                float(self.constant_sd[k] ** 2),
                float(self.relative_sd[k] ** 2),
                float(self.prior_wells[k]),
            )
            single = np.isfinite(means[:, k]).astype(np.int64)
            errors[:, k] = spread.standard_errors(means[:, k], np.zeros(len(means)), single)
        return np.asarray(errors / np.sqrt(np.maximum(wells, 1)))


def observations(
    values: Array, formulas: npt.NDArray[Any], statuses: npt.NDArray[np.str_] | None = None
) -> Observations:
    """Return mean and standard error of each formula and response from the values of wells.

    `values` is n wells × m responses, `formulas` (n) says what is in each well, `statuses` (n × m)
    which values count: those that are "ok" and finite. Raises ValueError for arrays that do not
    fit together.
    """
    values = np.asarray(values, dtype=np.float64)
    formulas = np.asarray(formulas)
    if values.ndim != 2 or formulas.shape != values.shape[:1]:
        raise ValueError(
            f"values must be wells × responses and formulas have one entry a well "
            f"(got {values.shape} and {formulas.shape})"
        )
    if statuses is not None and np.shape(statuses) != values.shape:
        raise ValueError(
            f"statuses must have the shape of values (got {np.shape(statuses)} and {values.shape})"
        )
    counts_in = np.isfinite(values)
    if statuses is not None:
        counts_in &= np.asarray(statuses) == "ok"
    names, group = np.unique(formulas, return_inverse=True)
    means, squares, wells = group_sums(values, counts_in, group.reshape(-1), len(names))
    per_response = [
        Spread.fit(means[:, k], squares[:, k], wells[:, k]) for k in range(values.shape[1])
    ]
    errors = np.full_like(means, np.nan)
    for k, spread in enumerate(per_response):
        errors[:, k] = spread.standard_errors(means[:, k], squares[:, k], wells[:, k])
    return Observations(
        formulas=names,
        means=means,
        standard_errors=errors,
        wells=wells,
        replicate_sd=np.sqrt([spread.pooled for spread in per_response]),
        constant_sd=np.sqrt([spread.constant for spread in per_response]),
        relative_sd=np.sqrt([spread.relative for spread in per_response]),
        prior_wells=np.array([spread.prior_wells for spread in per_response]),
    )


def group_sums(
    values: Array, counts_in: npt.NDArray[np.bool_], group: npt.NDArray[np.int64], n_groups: int
) -> tuple[Array, Array, npt.NDArray[np.int64]]:
    """Return mean, sum of squared deviations and number of wells, each formulas × responses."""
    shape = (n_groups, values.shape[1])
    wells = np.zeros(shape, dtype=np.int64)
    np.add.at(wells, group, counts_in)
    sums = np.zeros(shape)
    np.add.at(sums, group, np.where(counts_in, values, 0.0))
    means = np.divide(sums, wells, out=np.full(shape, np.nan), where=wells > 0)
    squares = np.zeros(shape)
    deviations = np.where(counts_in, values - means[group], 0.0)
    np.add.at(squares, group, deviations**2)
    return means, squares, wells
