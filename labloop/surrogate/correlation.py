"""How responses go together beyond what the experts predict of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from labloop.surrogate.experts import Expert

# Rows of independent responses that the prior is worth. On normal residuals of 3 to 200 rows it
# loses less than estimated shrinkage does (Schäfer and Strimmer 2005) except where responses are
# independent or nearly one, and there by little.
PRIOR_ROWS = 4.0
# A row that every expert gets very wrong in two responses must not decide alone (sd).
MOST = 3.0
LEAST_EIGENVALUE = 1e-3


def left_out_residuals(
    experts: Mapping[str, Sequence[Expert]], weights: Tensor, y: Tensor
) -> Tensor:
    """Return how far each own row lies from what the mixture says without it, in its sd: (n, m).

    `weights` (K, m) are the experts' shares, `y` (n, m) the standardised own rows. NaN where a
    value is missing, or no expert with a share could leave the row out.
    """
    residuals = torch.full_like(y, torch.nan)
    for j in range(y.shape[1]):
        mean = torch.full((len(experts), len(y)), torch.nan, dtype=y.dtype)
        variance = torch.full_like(mean, torch.nan)
        for number, each in enumerate(experts.values()):
            rows = each[j].rows
            mean[number, rows] = each[j].left_out_mean.to(y)
            variance[number, rows] = each[j].left_out_variance.to(y)
        known = torch.isfinite(mean) & torch.isfinite(variance)
        share = torch.where(known, weights[:, j, None], 0.0)
        share = share / share.sum(0)  # NaN where nobody could leave the row out
        centre = (share * mean.nan_to_num()).sum(0)
        spread = share * (variance.nan_to_num() + (mean.nan_to_num() - centre).square())
        residuals[:, j] = (y[:, j] - centre) / spread.sum(0).sqrt()
    return residuals


def response_correlation(residuals: Tensor) -> Tensor:
    """Estimate the correlation of m responses from residuals (n, m) with NaN = missing: (m, m).

    Of each pair the rows with both count: their uncentred correlation, times n/(n + 4), which is
    how the mean of an inverse Wishart posterior shrinks it if the prior is worth four rows of
    independent responses. Where different rows of different pairs make that indefinite, all
    correlations are shrunk by the least factor that mends it. One matrix serves all experts:
    their residuals are of the same rows, and what sets them apart is less than the error of
    estimation.
    """
    known = ~torch.isnan(residuals)
    z = torch.where(known, residuals.nan_to_num().clamp(-MOST, MOST), 0.0)
    square = z.square().mT @ known.to(z)  # of the first of a pair, over the rows with both
    both = (known.to(z).mT @ known.to(z)).clamp_min(0.0)
    raw = (z.mT @ z) / (square * square.mT).sqrt().clamp_min(1e-12)
    shrunk = raw.clamp(-1.0, 1.0) * both / (both + PRIOR_ROWS)
    shrunk.fill_diagonal_(1.0)
    least = float(torch.linalg.eigvalsh(shrunk)[0]) if len(shrunk) else 1.0
    kept = 1.0 if least >= LEAST_EIGENVALUE else (1.0 - LEAST_EIGENVALUE) / (1.0 - least)
    mended = shrunk * kept
    mended.fill_diagonal_(1.0)
    return mended
