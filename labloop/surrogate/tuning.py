"""Fine-tuning: the pretrained net follows the new line, from the output backwards."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from labloop.surrogate.network import Network
from labloop.surrogate.training import Progress, masked_loss, silent

TRUST_VARIANCE = 0.25


def frozen_layers(rows: int, layers: int) -> int:
    """Return how many input-side linear layers stay frozen: fewer with more own rows.

    Ten at 50 rows and fewer, falling with log(rows) to five at 500 and beyond, but always
    leaving the head and, where there is one, the hidden layer before it to be tuned.
    """
    wanted = 10.0 - 5.0 * math.log10(max(rows, 1) / 50.0)
    return max(0, min(round(min(max(wanted, 5.0), 10.0)), layers - 2))


@dataclass(frozen=True)
class Schedule:
    """Rates and epochs of the two stages; `pull` is the L2-SP weight (Li et al. 2018, ICML)."""

    head_rate: float = 1e-3
    head_epochs: int = 20
    deep_rate: float = 1e-3
    deep_epochs: int = 60
    batch: int = 32
    pull: float = 0.05
    stepwise: bool = True


STAGED = Schedule()
# The patent's stages: output layer at 1e-4 for 20 epochs, then the last layers at 1e-5 for 30.
PATENT = Schedule(1e-4, 20, 1e-5, 30, batch=32, pull=0.0, stepwise=False)


def levelled(network: Network, predicted: Tensor, y: Tensor) -> Network:
    """Refit level and scale: return the net whose responses are c + b × the old ones.

    `predicted` (n, m) the untuned ensemble's mean, `y` (n, m) wanted values with NaN = missing.
    Per response, b ~ N(1, ½²) and c ~ N(0, 1) against unit residuals: few rows move b little.
    """
    present = ~torch.isnan(y)
    count = present.sum(0)
    p = torch.where(present, predicted, 0.0)
    t = torch.where(present, y.nan_to_num() - predicted, 0.0)
    share = 1.0 / (count + 1.0)
    p_free = torch.where(present, p - p.sum(0) / count.clamp_min(1), 0.0)
    gain = 1.0 + (p_free * t).sum(0) / (p_free.square().sum(0) + 0.3 / TRUST_VARIANCE)
    level = (torch.where(present, y.nan_to_num() - gain * predicted, 0.0)).sum(0) * share
    return network.having(
        {
            "head": network.head * gain.to(network.head),
            "head_bias": network.head_bias * gain.to(network.head) + level.to(network.head),
        }
    )


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
    blocks = network.hidden.shape[1]
    first = max(0, min(frozen - 1, blocks))  # hidden layers before this one stay frozen
    with torch.no_grad():
        # The frozen layers' output is the same in every epoch.
        entered = network.advance(network.begin(x), 0, first)
    base = {
        "hidden": network.hidden[:, first:], "hidden_bias": network.hidden_bias[:, first:],
        "head": network.head, "head_bias": network.head_bias,
    }  # fmt: skip
    weights = {name: w.clone().requires_grad_() for name, w in base.items()}
    tail = network.having(weights)
    depth = blocks - first
    total = schedule.head_epochs + schedule.deep_epochs
    members = torch.arange(len(draws)).unsqueeze(1)

    def run(names: list[str], rate: float, epochs: range, *, deep: bool) -> None:
        optimizer = torch.optim.Adam([weights[name] for name in names], lr=rate, fused=True)
        for epoch in epochs:
            order = torch.argsort(torch.rand(draws.shape, generator=generator), dim=1)
            batches = max(1, -(-draws.shape[1] // schedule.batch))
            released = depth
            if deep and schedule.stepwise:
                share = 2.0 * (epoch - epochs.start + 1) / max(len(epochs), 1)
                released = max(1, min(depth, math.ceil(share * depth)))
            for rows in draws.gather(1, order).tensor_split(batches, dim=1):
                optimizer.zero_grad(set_to_none=True)
                h = tail.advance(entered[members, rows]) if deep else features[members, rows]
                out = tail.respond(tail.finish(h) if deep else h)
                loss = masked_loss(out, y[rows])
                for name in names:
                    loss = loss + schedule.pull * (weights[name] - base[name]).square().sum()
                loss.backward()
                if deep and released < depth:
                    for name in ("hidden", "hidden_bias"):
                        gradient = weights[name].grad
                        if gradient is not None:
                            gradient[:, : depth - released] = 0.0
                optimizer.step()
            progress(epoch + 1, total)

    with torch.no_grad():
        features = network.finish(network.advance(entered, first))
    run(["head", "head_bias"], schedule.head_rate, range(schedule.head_epochs), deep=False)
    if depth:
        run(list(weights), schedule.deep_rate, range(schedule.head_epochs, total), deep=True)
    tuned = {name: w.detach() for name, w in weights.items()}
    return network.having(
        tuned
        | {
            "hidden": torch.cat([network.hidden[:, :first], tuned["hidden"]], dim=1),
            "hidden_bias": torch.cat([network.hidden_bias[:, :first], tuned["hidden_bias"]], dim=1),
        }
    )
