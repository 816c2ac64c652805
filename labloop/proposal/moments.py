"""What a mixture of experts says of formulas: of each response, and of the responses together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from labloop.space.levels import Floats
from labloop.surrogate.posterior import coupled

_BLOCK = 1024  # candidates


class Surrogate(Protocol):
    """What the choice of a plate needs of a model of the responses."""

    @property
    def weights(self) -> Floats:
        """(experts, responses) shares of the mixture."""
        ...

    @property
    def correlation(self) -> Floats:
        """(responses, responses) correlation of the responses within a draw."""
        ...

    def mean_and_variance(self, X: Floats, *, by_expert: bool) -> Any:
        """Return (experts, n, responses) `expert_mean` and `expert_variance` at (n, columns)."""
        ...

    def posterior(self, X: Tensor) -> Any:
        """Return BoTorch's joint posterior at (n, columns) inputs."""
        ...


@dataclass(frozen=True, eq=False)
class Moments:
    """What each expert of a mixture says of n formulas.

    Attributes:
        weights: (experts, responses) shares of the mixture.
        mean, variance: (experts, n, responses).
        correlation: (responses, responses) of one formula's responses within a draw; None where
            they are independent.
    """

    weights: Tensor
    mean: Tensor
    variance: Tensor
    correlation: Tensor | None = None

    def rows(self, rows: slice) -> Moments:
        """Return the moments of some of the formulas."""
        return replace(self, mean=self.mean[:, rows], variance=self.variance[:, rows])

    def correlated(self, responses: Tensor) -> Tensor:
        """Return the (r, r) correlation of some of the responses."""
        if self.correlation is None:
            return torch.eye(len(responses), dtype=self.mean.dtype)
        return self.correlation[responses][:, responses].to(self.mean)

    def scenarios(self, responses: Tensor) -> tuple[Tensor, Tensor]:
        """Return (s,) shares of scenarios and the (s, r) experts that r responses follow in each.

        They are those of the joint posterior's draws, so a candidate's score and its draws agree.
        """
        shares, experts = coupled(self.weights)
        distinct, which = torch.unique(experts[:, responses], dim=0, return_inverse=True)
        return shares.new_zeros(len(distinct)).index_add(0, which, shares), distinct


def moments_of(surrogate: Surrogate, X: Floats) -> Moments:
    """Return what each expert says of (n, columns) encoded formulas."""
    predicted = surrogate.mean_and_variance(X, by_expert=True)
    return Moments(
        torch.as_tensor(surrogate.weights),
        torch.as_tensor(predicted.expert_mean),
        torch.as_tensor(predicted.expert_variance),
        torch.as_tensor(surrogate.correlation),
    )


def in_blocks(score: Callable[[Moments], Tensor]) -> Callable[[Moments], Tensor]:
    """Return the same function of moments, (n,), computed in blocks that the cache holds."""

    def of_all(moments: Moments) -> Tensor:
        n = moments.mean.shape[1]
        starts = range(0, max(n, 1), _BLOCK)
        return torch.cat([score(moments.rows(slice(k, k + _BLOCK))) for k in starts])

    return of_all
