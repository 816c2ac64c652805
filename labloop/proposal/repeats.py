"""When measuring a known formula again is a better use of a well than another new formula.

A plate is worth what the best formula is expected to be once its results are in and the formula
with the best mean is taken. A new formula adds to that by what it may turn out to be; a known one,
measured again, by showing whether it is as good as it looks.

Source: Frazier, Powell and Dayanik (2009), "The knowledge-gradient policy for correlated normal
beliefs", INFORMS Journal on Computing 21:599.
"""

from __future__ import annotations

import torch
from torch import Tensor

_SCENARIOS = 1024
_SURE = 2.0  # standard errors by which a repeat has to be better
_CONSIDERED = 16


def value_of_plate(mean: Tensor, covariance: Tensor, noise: float, plate: list[int]) -> Tensor:
    """Return what the best formula's mean will be after a plate, in (scenarios,) possible results.

    Args:
        mean: (a,) means of the formulas between which will be chosen.
        covariance: (a, a) of their values.
        noise: Variance of one measurement of a formula.
        plate: Numbers of the formulas that are measured; one that is named twice, twice.
    """
    rows = torch.tensor(plate, dtype=torch.long)
    measured = covariance[rows][:, rows] + noise * torch.eye(len(rows), dtype=mean.dtype)
    root = torch.linalg.cholesky(measured)
    shift = torch.linalg.solve_triangular(root, covariance[rows], upper=False)
    generator = torch.Generator().manual_seed(0)  # the same scenarios whatever the plate
    normal = torch.randn(_SCENARIOS // 2, len(rows), generator=generator, dtype=mean.dtype)
    best: Tensor = (mean + torch.cat([normal, -normal]) @ shift).amax(dim=1)
    return best


def repeats(mean: Tensor, covariance: Tensor, noise: float, known: int, most: int) -> list[int]:
    """Return which known formulas to measure again in place of the last new ones of a plate.

    One after another takes the place of the plate's last new formula, while that makes the plate
    worth more by a clear margin.

    Args:
        mean: (known + plate,) means of known formulas, then of the plate's new ones in their order.
        covariance: (known + plate, known + plate) of their values.
        noise: Variance of one measurement of a formula, above zero.
        known: How many are known.
        most: How many new formulas may be replaced.

    Returns:
        Numbers of known formulas, the most useful first; one may come more than once.
    """
    plate = list(range(known, len(mean)))
    considered = mean[:known].argsort(descending=True, stable=True)[:_CONSIDERED].tolist()
    chosen: list[int] = []
    value = value_of_plate(mean, covariance, noise, plate)
    while len(chosen) < min(most, len(plate) - 1):
        kept = plate[: len(plate) - len(chosen) - 1]
        options = [
            value_of_plate(mean, covariance, noise, [*kept, *chosen, one]) for one in considered
        ]
        if not options:
            break
        best = max(range(len(options)), key=lambda k: float(options[k].mean()))
        gain = options[best] - value
        if float(gain.mean()) <= _SURE * float(gain.std()) / _SCENARIOS**0.5:
            break
        chosen.append(considered[best])
        value = options[best]
    return chosen
