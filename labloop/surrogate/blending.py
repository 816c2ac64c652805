"""The history's prediction as a blend of what several kinds of models say."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

PRIOR_ROWS = 10.0


def blend_shares(z: Tensor, said: Tensor) -> Tensor:
    """Return the shares of the best blend Σ_k w_k · said_k of each response: (K, m).

    Least squares over shares that are not negative and sum to 1, pulled towards equal ones by as
    much as ten rows (stacked regressions: Breiman 1996, Machine Learning 24:49).

    Args:
        z: (n, m) wanted values, NaN where missing.
        said: (K, n, m) predictions of rows left out, NaN where missing.
    """
    columns = zip(z.unbind(1), said.unbind(2), strict=True)
    return torch.stack([_shares(wanted, each.mT) for wanted, each in columns], dim=1)


def _shares(wanted: Tensor, said: Tensor) -> Tensor:
    from scipy.optimize import nnls

    known = torch.isfinite(wanted) & torch.isfinite(said).all(dim=1)
    kinds = said.shape[1]
    # With shares that sum to 1 the blend's error is the blend of the errors.
    error = (said[known] - wanted[known].unsqueeze(1)).numpy()
    square = error.T @ error
    # The median, so that one kind that is far off does not make the pull towards it stronger.
    ridge = PRIOR_ROWS * np.median(np.diag(square)) / max(len(error), 1) + 1e-12
    size = np.sqrt(np.trace(square) + kinds * ridge)
    even = np.sqrt(ridge) / size * np.eye(kinds)
    sums_to_one = np.full((1, kinds), 1e4)
    value, vector = np.linalg.eigh(square / size**2)
    root = np.sqrt(value.clip(0.0))[:, None] * vector.T
    rows = np.concatenate([root, even, sums_to_one])
    target = np.concatenate([np.zeros(kinds), even.sum(1) / kinds, [1e4]])
    shares = nnls(rows, target)[0]
    return torch.as_tensor(shares / shares.sum())
