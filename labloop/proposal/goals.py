"""What is wanted of the responses, as arithmetic on arrays of (…, responses) values.

Everything here is on the surrogate's scale: a response with a log transform is its logarithm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from labloop.definition import Response


@dataclass(frozen=True, eq=False)
class Goals:
    """Objectives to improve and bounds to meet.

    Attributes:
        objective: (k,) which responses are objectives.
        sign: (k,) 1 to maximize, -1 to minimize or to come near a target.
        target: (k,) the target of a response to come near, else NaN.
        weight: (k,) the user's weights.
        reference: (k,) objective value that counts as no use at all, else NaN.
        lower, upper: (responses,) bounds to meet, infinite where there is none.
    """

    objective: Tensor
    sign: Tensor
    target: Tensor
    weight: Tensor
    reference: Tensor
    lower: Tensor
    upper: Tensor

    @classmethod
    def of(cls, responses: Sequence[Response]) -> Goals:
        """Return the goals of a campaign's responses."""

        def number(response: Response, value: float | None, missing: float) -> float:
            if value is None:
                return missing
            if response.transform == "log":
                return math.log(value) if value > 0 else -math.inf
            return value

        def tensor(numbers: list[float]) -> Tensor:
            # a bound in single precision would not hold for a value that lies exactly on it
            return torch.tensor(numbers, dtype=torch.float64)

        wanted = [(j, r) for j, r in enumerate(responses) if r.is_objective]
        at_least = [r.bound if r.goal == "at_least" else None for r in responses]
        at_most = [r.bound if r.goal == "at_most" else None for r in responses]
        sign = tensor([1.0 if r.goal == "maximize" else -1.0 for _, r in wanted])
        target = [number(r, r.bound if r.goal == "near" else None, math.nan) for _, r in wanted]
        reference = tensor([number(r, r.reference, math.nan) for _, r in wanted])
        near = tensor(target)
        distance = torch.where(near.isnan(), reference, (reference - near).abs())
        return cls(
            objective=torch.tensor([j for j, _ in wanted], dtype=torch.long),
            sign=sign,
            target=near,
            weight=tensor([r.weight for _, r in wanted]),
            reference=sign * distance,
            lower=tensor(
                [number(r, b, -math.inf) for r, b in zip(responses, at_least, strict=True)]
            ),
            upper=tensor([number(r, b, math.inf) for r, b in zip(responses, at_most, strict=True)]),
        )

    @property
    def bounded(self) -> Tensor:
        """(b,) which responses have a bound to meet."""
        return torch.nonzero(self.lower.isfinite() | self.upper.isfinite())[:, 0]

    @property
    def is_linear(self) -> bool:
        """Whether there is one objective and it is the response itself, up to its sign."""
        return len(self.objective) == 1 and bool(self.target.isnan().all())

    def values(self, Y: Tensor) -> Tensor:
        """Return (…, k) objective values, bigger is better, of (…, responses) values."""
        return self.values_of_objectives(Y[..., self.objective])

    def values_of_objectives(self, Y: Tensor) -> Tensor:
        """Return (…, k) objective values, bigger is better, of (…, k) responses to improve."""
        distance = (Y - self.target).abs()
        return self.sign * torch.where(self.target.isnan(), Y, distance)

    def met(self, Y: Tensor) -> Tensor:
        """Return (…) whether all bounds are met by (…, responses) values."""
        b = self.bounded
        return ((Y[..., b] >= self.lower[b]) & (Y[..., b] <= self.upper[b])).all(dim=-1)
