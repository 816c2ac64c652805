"""Fine-tuning: the pretrained net follows the new line, from the output backwards."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor
from torch.optim.adam import adam

from labloop.surrogate.kernels import TRUST_VARIANCE
from labloop.surrogate.network import Network
from labloop.surrogate.training import MOST_STEPS, Progress, masked_loss, silent


def frozen_layers(rows: int, layers: int) -> int:
    """Return how many input-side linear layers stay frozen: fewer with more own rows.

    Ten at 50 rows and fewer, falling with log(rows) to five at 500 and beyond, but always
    leaving the head and, where there is one, the hidden layer before it to be tuned.
    """
    wanted = 10.0 - 5.0 * math.log10(max(rows, 1) / 50.0)
    return max(0, min(round(min(max(wanted, 5.0), 10.0)), layers - 2))


@dataclass(frozen=True)
class Schedule:
    """Rates and epochs of the two stages; `pull` is the L2-SP weight (Li et al. 2018, ICML).

    Where the epochs would take more than `most_steps` there are fewer, in proportion.
    """

    head_rate: float = 1e-3
    head_epochs: int = 20
    deep_rate: float = 1e-3
    deep_epochs: int = 60
    batch: int = 32
    pull: float = 0.05
    stepwise: bool = True
    most_steps: int = 4000

    def fitted(self, batches: int) -> Schedule:
        """Return the schedule for epochs of so many batches; a stage keeps one at least."""
        steps = batches * (self.head_epochs + self.deep_epochs)
        if steps <= self.most_steps:
            return self
        head, deep = (
            max(min(1, epochs), epochs * self.most_steps // steps)
            for epochs in (self.head_epochs, self.deep_epochs)
        )
        return replace(self, head_epochs=head, deep_epochs=deep)


STAGED = Schedule()
# The patent's stages: output layer at 1e-4 for 20 epochs, then the last layers at 1e-5 for 30.
PATENT = Schedule(1e-4, 20, 1e-5, 30, batch=32, pull=0.0, stepwise=False, most_steps=MOST_STEPS)


def level_and_gain(predicted: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Fit y ≈ c + b × predicted, a response at a time: c and b (m,).

    `predicted` (n, m) the history's prediction, `y` (n, m) wanted values with NaN = missing.
    b ~ N(1, ½²) against residuals of variance 0.3, then c ~ N(0, 1) against those of variance 1:
    few rows move b little.
    """
    present = ~torch.isnan(y)
    count = present.sum(0)
    p = torch.where(present, predicted, 0.0)
    t = torch.where(present, y.nan_to_num() - predicted, 0.0)
    share = 1.0 / (count + 1.0)
    p_free = torch.where(present, p - p.sum(0) / count.clamp_min(1), 0.0)
    gain = 1.0 + (p_free * t).sum(0) / (p_free.square().sum(0) + 0.3 / TRUST_VARIANCE)
    level = (torch.where(present, y.nan_to_num() - gain * predicted, 0.0)).sum(0) * share
    return level, gain


def levelled(network: Network, predicted: Tensor, y: Tensor) -> Network:
    """Refit level and scale: return the net whose responses are c + b × the old ones.

    Arguments as for `level_and_gain`.
    """
    level, gain = level_and_gain(predicted, y)
    return network.having(
        {
            "head": network.head * gain.to(network.head),
            "head_bias": network.head_bias * gain.to(network.head) + level.to(network.head),
        }
    )


@dataclass(frozen=True)
class _Tail:
    """The tunable end of a net, and what enters it.

    `net` shares its tensors with `weights`, which the optimizer changes; `base` are their
    pretrained values. `entered` (M, n, w) leaves the frozen layers, `features` (M, n, w) the
    pretrained hidden layers; `y` (n, m) are the wanted responses. `span` counts the epochs of
    both stages.
    """

    net: Network
    weights: dict[str, Tensor]
    base: dict[str, Tensor]
    entered: Tensor
    features: Tensor
    y: Tensor
    schedule: Schedule
    span: int

    @property
    def depth(self) -> int:
        """Number of hidden layers that can be tuned."""
        return self.weights["hidden"].shape[1]

    def loss(self, rows: Tensor, names: list[str], *, deep: bool) -> Tensor:
        """Return the members' loss on their own `rows` (M, b), with the pull of `names`."""
        members = torch.arange(len(rows)).unsqueeze(1)
        if deep:
            features = self.net.finish(self.net.advance(self.entered[members, rows]))
        else:
            features = self.features[members, rows]
        total = masked_loss(self.net.respond(features), self.y[rows])
        for name in names:
            drift = (self.weights[name] - self.base[name]).square().sum()
            total = total + self.schedule.pull * drift
        return total

    def hold(self, layers: int) -> None:
        """Clear the gradients of the first `layers` hidden layers."""
        for name in ("hidden", "hidden_bias"):
            gradient = self.weights[name].grad
            if gradient is not None:
                gradient[:, :layers] = 0.0


def _tail(network: Network, x: Tensor, y: Tensor, first: int, schedule: Schedule) -> _Tail:
    """Cut the net before its hidden layer `first`; what lies before is computed once."""
    base = {
        "hidden": network.hidden[:, first:], "hidden_bias": network.hidden_bias[:, first:],
        "head": network.head, "head_bias": network.head_bias,
    }  # fmt: skip
    weights = {name: w.clone().requires_grad_() for name, w in base.items()}
    with torch.no_grad():
        entered = network.advance(network.begin(x), 0, first)
        features = network.finish(network.advance(entered, first))
    span = schedule.head_epochs + schedule.deep_epochs
    return _Tail(network.having(weights), weights, base, entered, features, y, schedule, span)


def _batches(draws: Tensor, schedule: Schedule) -> int:
    return max(1, -(-draws.shape[1] // schedule.batch))


@dataclass(frozen=True, eq=False)
class _Adam:
    """Adam (Kingma and Ba 2015) with torch's usual settings, by torch's own function for a step.

    The class `torch.optim.Adam` does the same, to the bit, but imports torch's compiler, which
    takes as long as the tuning.
    """

    parameters: list[Tensor]
    rate: float
    means: list[Tensor]
    squares: list[Tensor]
    steps: list[Tensor]

    @classmethod
    def of(cls, parameters: list[Tensor], rate: float) -> _Adam:
        """Begin to change parameters at a learning rate."""
        means, squares = ([torch.zeros_like(p) for p in parameters] for _ in range(2))
        return cls(parameters, rate, means, squares, [torch.zeros(()) for _ in parameters])

    def forget_gradients(self) -> None:
        """Make room for the gradients of the next step."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Change each parameter by its gradient; every one has to have one."""
        adam(
            self.parameters,
            [cast(Tensor, parameter.grad) for parameter in self.parameters],
            self.means,
            self.squares,
            [],
            self.steps,
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=self.rate,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )


def _run_stage(
    tail: _Tail, draws: Tensor, epochs: range, generator: torch.Generator, progress: Progress, *,
    deep: bool,
) -> None:  # fmt: skip
    """Tune the head alone, or (`deep`) the whole tail, releasing it from the output backwards."""
    schedule = tail.schedule
    names = list(tail.weights) if deep else ["head", "head_bias"]
    rate = schedule.deep_rate if deep else schedule.head_rate
    optimizer = _Adam.of([tail.weights[name] for name in names], rate)
    batches = _batches(draws, schedule)
    for epoch in epochs:
        order = torch.argsort(torch.rand(draws.shape, generator=generator), dim=1)
        released = tail.depth
        if deep and schedule.stepwise:
            share = 2.0 * (epoch - epochs.start + 1) / max(len(epochs), 1)
            released = max(1, min(tail.depth, math.ceil(share * tail.depth)))
        for rows in draws.gather(1, order).tensor_split(batches, dim=1):
            optimizer.forget_gradients()
            tail.loss(rows, names, deep=deep).backward()
            if deep:
                tail.hold(tail.depth - released)
            optimizer.step()
        progress(epoch + 1, tail.span)


def fine_tune(
    network: Network,
    x: Tensor,
    y: Tensor,
    draws: Tensor,
    *,
    frozen: int,
    schedule: Schedule = STAGED,
    seed: int = 0,
    progress: Progress = silent,
) -> Network:
    """Tune the head, then release the layers before it; the first `frozen` never change.

    `x` (n, d) scaled inputs, `y` (n, m) wanted responses with NaN = missing, `draws` (M, r) the
    rows that each member learns from. With `stepwise` the layers of the second stage are released
    one by one from the output during its first half; each weight is pulled towards its
    pretrained value.
    """
    generator = torch.Generator().manual_seed(seed)
    schedule = schedule.fitted(_batches(draws, schedule))
    # Hidden layers before this one stay frozen.
    first = max(0, min(frozen - 1, network.hidden.shape[1]))
    tail = _tail(network, x, y, first, schedule)
    _run_stage(tail, draws, range(schedule.head_epochs), generator, progress, deep=False)
    if tail.depth:
        deep = range(schedule.head_epochs, tail.span)
        _run_stage(tail, draws, deep, generator, progress, deep=True)
    tuned = {name: w.detach() for name, w in tail.weights.items()}
    for name in ("hidden", "hidden_bias"):
        tuned[name] = torch.cat([getattr(network, name)[:, :first], tuned[name]], dim=1)
    return network.having(tuned)
