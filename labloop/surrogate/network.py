"""The deep net: an ensemble of residual nets evaluated as one batched tensor.

Every parameter has a leading member dimension, so one `baddbmm` a layer serves all members.
A residual net of `layers` linear layers is: input basis → linear → `layers − 2` pre-activation
blocks h + W·SiLU(LayerNorm(h)) of one linear layer each → LayerNorm → linear head with all
responses (He et al. 2016, "Identity mappings in deep residual networks"). The plain net is the
patent's: raw inputs, linear layers with ReLU between them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Kind = Literal["residual", "plain"]
WIDTH = 32


def basis(x: Tensor) -> Tensor:
    """Return [x, √max(x, 0), (x − ½)²] along the last dimension: (…, d) → (…, 3d).

    Saturating and optimum-shaped effects of a nutrient are near-linear in this basis.
    """
    # The tiny offset keeps the slope of the root finite at zero, where many doses lie.
    return torch.cat([x, torch.sqrt(x.clamp_min(0.0) + 1e-6), (x - 0.5) ** 2], dim=-1)


def _layer_norm(h: Tensor) -> Tensor:
    """Return (…, w) with mean 0 and variance 1 along the last dimension."""
    if h.requires_grad:
        return functional.layer_norm(h, h.shape[-1:])
    # Of rows as narrow as these, torch's own takes twice as long, while its gradient takes half.
    apart = h - h.mean(-1, keepdim=True)
    return apart.mul_(apart.square().mean(-1, keepdim=True).add_(1e-5).rsqrt_())


@dataclass(frozen=True)
class Network:
    """Weights of an ensemble: plain tensors with the member dimension M first.

    `enter` (M, p, w) and `enter_bias` (M, 1, w); `hidden` (M, layers − 2, w, w) and
    `hidden_bias` (M, layers − 2, 1, w); `head` (M, w, m) and `head_bias` (M, 1, m), where p is
    the number of inputs after the basis, w the width, m the number of responses.
    """

    kind: Kind
    enter: Tensor
    enter_bias: Tensor
    hidden: Tensor
    hidden_bias: Tensor
    head: Tensor
    head_bias: Tensor

    @property
    def members(self) -> int:
        """Number of nets in the ensemble."""
        return self.enter.shape[0]

    @property
    def layers(self) -> int:
        """Number of linear layers of each net, first and head included."""
        return self.hidden.shape[1] + 2

    def tensors(self) -> dict[str, Tensor]:
        """Return the weights by name."""
        return {name: getattr(self, name) for name in WEIGHTS}

    def having(self, weights: Mapping[str, Tensor]) -> Network:
        """Return the net with some weights replaced, by name."""
        return Network(self.kind, **(self.tensors() | dict(weights)))

    def to(self, dtype: torch.dtype) -> Network:
        """Return the same net in another precision."""
        return self.having({name: w.to(dtype) for name, w in self.tensors().items()})

    def begin(self, x: Tensor) -> Tensor:
        """Apply the first linear layer: (n, d) or (M, n, d) scaled inputs → (M, n, w)."""
        inputs = basis(x) if self.kind == "residual" else x
        if inputs.dim() == 2:
            inputs = inputs.expand(self.members, *inputs.shape)
        return torch.baddbmm(self.enter_bias, inputs, self.enter)

    def advance(self, h: Tensor, start: int = 0, stop: int | None = None) -> Tensor:
        """Apply the hidden linear layers `start` to `stop`: (M, n, w) → (M, n, w)."""
        # unbind, not indexing: the gradient of each index would fill the whole stack anew.
        stack = zip(self.hidden.unbind(1), self.hidden_bias.unbind(1), strict=True)
        for weight, bias in list(stack)[start:stop]:
            if self.kind == "residual":
                h = h + torch.baddbmm(bias, functional.silu(_layer_norm(h)), weight)
            else:
                h = torch.baddbmm(bias, functional.relu(h), weight)
        return h

    def finish(self, h: Tensor) -> Tensor:
        """Return the features that the head sees: (M, n, w) → (M, n, w)."""
        return _layer_norm(h) if self.kind == "residual" else functional.relu(h)

    def features(self, x: Tensor) -> Tensor:
        """Return the inputs of the head: (n, d) or (M, n, d) → (M, n, w)."""
        return self.finish(self.advance(self.begin(x)))

    def respond(self, features: Tensor) -> Tensor:
        """Apply the head: (M, n, w) → (M, n, m)."""
        return torch.baddbmm(self.head_bias, features, self.head)

    def __call__(self, x: Tensor) -> Tensor:
        """Return every member's standardised responses: (n, d) or (M, n, d) → (M, n, m)."""
        return self.respond(self.features(x))


WEIGHTS = ("enter", "enter_bias", "hidden", "hidden_bias", "head", "head_bias")


def initial_network(
    kind: Kind,
    *,
    inputs: int,
    responses: int,
    layers: int,
    members: int,
    generator: torch.Generator,
    width: int = WIDTH,
) -> Network:
    """Draw an untrained ensemble for `inputs` columns, with `layers` ≥ 2 linear layers each.

    Weights are normal with variance 1/fan-in (2/fan-in under ReLU); residual blocks are
    shrunk by 1/√blocks so that depth does not change the size of the signal.
    """
    columns = 3 * inputs if kind == "residual" else inputs
    blocks = layers - 2

    def normal(*shape: int, gain: float) -> Tensor:
        return torch.randn(*shape, generator=generator) * gain

    gain = 1.0 if kind == "residual" else 2.0**0.5
    block_gain = gain / max(blocks, 1) ** 0.5 if kind == "residual" else gain
    return Network(
        kind,
        enter=normal(members, columns, width, gain=columns**-0.5),
        enter_bias=torch.zeros(members, 1, width),
        hidden=normal(members, blocks, width, width, gain=block_gain * width**-0.5),
        hidden_bias=torch.zeros(members, blocks, 1, width),
        head=normal(members, width, responses, gain=width**-0.5),
        head_bias=torch.zeros(members, 1, responses),
    )
