"""Inverses of positive definite matrices with their determinants."""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack

from labloop.noise.spread import Array


def inverse(squares: Array, precision: Array) -> tuple[Array, float]:
    """Return the inverse of squares + diag(precision), (k, k), and its determinant's logarithm.

    The determinant is that of the matrix, not of its inverse.
    """
    whole = squares.copy()
    whole.reshape(-1)[:: len(whole) + 1] += precision
    factor, failed = lapack.dpotrf(whole, lower=1)
    if failed:  # rounding has left no positive pivot
        return np.asarray(np.linalg.inv(whole), dtype=np.float64), float(
            np.linalg.slogdet(whole)[1]
        )
    log_det = 2.0 * float(np.log(factor.diagonal()).sum())
    found, _ = lapack.dpotri(factor, lower=1)
    found = found + found.T  # above its diagonal there were zeros
    found.reshape(-1)[:: len(found) + 1] /= 2
    return found, log_det


def bordered_inverse(blocks: Array, prior: Array, shared: Array) -> tuple[Array, float]:
    """Return the same of D + diag(1 / prior) - shared' shared, for few rows of `shared`.

    `blocks` (b, b, n) are the diagonals that D is made of, b = 1 or 2; `prior` is (b·n,), `shared`
    (f, b·n). By Woodbury's identity: only an (f, f) matrix is inverted.
    """
    count, size = len(blocks), blocks.shape[2]
    own = blocks.copy()
    for i in range(count):
        own[i, i] += 1.0 / prior[i * size : (i + 1) * size]
    inner = np.linalg.inv(np.moveaxis(own, 2, 0))
    log_det = float(np.linalg.slogdet(np.moveaxis(own, 2, 0))[1].sum())
    diagonal = np.zeros((count * size, count * size))
    for i in range(count):
        for j in range(count):
            at = np.arange(size)
            diagonal[i * size + at, j * size + at] = inner[:, i, j]
    parts = shared.reshape(len(shared), count, size)
    reach = np.einsum("nij,fjn->inf", inner, parts).reshape(count * size, -1)
    middle = np.eye(len(shared)) - shared @ reach
    log_det += float(np.linalg.slogdet(middle)[1])
    return diagonal + reach @ np.linalg.solve(middle, reach.T), log_det
