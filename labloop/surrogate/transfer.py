"""Transfer to the campaign: from pretrained nets and own rows to a surrogate."""

from __future__ import annotations

from typing import Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from labloop.errors import RefusedError
from labloop.surrogate.censoring import pseudo_observations
from labloop.surrogate.experts import Expert, TunedEnsemble, calibrated_ensemble, plain_ensemble
from labloop.surrogate.gp import GaussianProcess, fit_process
from labloop.surrogate.guard import log_density, vote
from labloop.surrogate.kernels import OUTPUT_LAYER, OWN_ROWS, RESIDUAL_GP
from labloop.surrogate.model import Surrogate
from labloop.surrogate.network import Network
from labloop.surrogate.points import Describer, Points
from labloop.surrogate.pretraining import Pretrained
from labloop.surrogate.scaling import (
    Array,
    checked_censoring,
    checked_inputs,
    checked_outputs,
    least_and_range,
    own_scales,
    standard_variances,
)
from labloop.surrogate.threads import one_thread
from labloop.surrogate.training import Progress, bootstrap, silent
from labloop.surrogate.tuning import PATENT, STAGED, fine_tune, frozen_layers, levelled

Transfer = Literal["staged", "patent"]
FEW_ROWS = 300


def fit(
    pretrained: Pretrained | None,
    X: NDArray[np.floating],
    Y: NDArray[np.floating],
    Yvar: NDArray[np.floating] | None = None,
    *,
    censored: NDArray[np.integer] | None = None,
    transfer: Transfer = "staged",
    varying: NDArray[np.bool_] | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Surrogate:
    """Transfer the pretrained nets to the campaign's own rows.

    `X` (n, D) encoded rows, n ≥ 0; `Y` (n, m) responses with NaN = missing; `Yvar` (n, m) the
    variance of each observation or NaN where unknown; `censored` (n, m) 0 where measured, −1
    where only known to be below the value in `Y`, 1 where above (the patent's schedule knows
    nothing of limits and leaves such values out). `varying` (D,) marks the columns that the
    campaign can vary (default: all). Without pretrained nets the surrogate is the Gaussian
    process on own rows alone. `transfer="patent"` follows the patent's schedule to the letter and
    needs nets pretrained with the recipe PLAIN to be the patent's model.
    Raises RefusedError where the nets do not fit the rows.
    """
    X = checked_inputs(X, "campaign")
    Y = checked_outputs(Y, len(X), "campaign")
    variance = np.full_like(Y, np.nan) if Yvar is None else np.array(Yvar, dtype=np.float64)
    if pretrained is not None and (X.shape[1], Y.shape[1]) != (
        pretrained.inputs, pretrained.responses,
    ):  # fmt: skip
        raise RefusedError(
            f"The network was pretrained on {pretrained.inputs} inputs and "
            f"{pretrained.responses} responses, the campaign has {X.shape[1]} and {Y.shape[1]}; "
            "pretrain again."
        )
    sides = checked_censoring(censored, Y, "campaign")
    active = torch.as_tensor(np.ones(X.shape[1], bool) if varying is None else varying)
    if transfer == "patent":
        if pretrained is None:
            raise RefusedError('transfer = "patent" needs a pretrained network; import a history.')
        return _patent(pretrained, X, np.where(sides == 0, Y, np.nan), active, seed, progress)
    with one_thread(when=len(X) <= FEW_ROWS):
        return _staged(pretrained, X, Y, variance, sides, active, seed, progress)


def _staged(
    pretrained: Pretrained | None, X: Array, Y: Array, variance: Array, sides: NDArray[np.int8],
    active: Tensor, seed: int, progress: Progress,
) -> Surrogate:  # fmt: skip
    history = pretrained is not None
    level, scale = own_scales(Y, *_prior_scales(pretrained, Y.shape[1]))
    y = torch.as_tensor((Y - level) / scale)
    known = torch.as_tensor(standard_variances(variance, scale))
    rows = torch.as_tensor(X)
    exact = torch.as_tensor(sides == 0)
    y, known = pseudo_observations(rows[:, active], y, known, torch.as_tensor(sides), seed)
    tuned, frozen, draws = None, 0, torch.zeros(0, 0, dtype=torch.int64)
    if pretrained is not None:
        tuned, frozen, draws = _tuned(pretrained, rows, y, seed, progress)
    describer = Describer(pretrained, tuned, frozen, active, Y.shape[1])
    with torch.no_grad():
        points = describer(rows)
    shapes = {"own_rows": OWN_ROWS}
    if history:
        shapes |= {"output_layer": OUTPUT_LAYER, "residual_gp": RESIDUAL_GP}
    responses = range(Y.shape[1])
    experts: dict[str, list[Expert]] = {name: [] for name in shapes}
    for done, (name, shape) in enumerate(shapes.items()):
        for j in responses:
            process = fit_process(shape, points, y[:, j], known[:, j], j, seed, exact[:, j])
            experts[name].append(process)
            progress(done * len(responses) + j + 1, len(shapes) * len(responses))
    if tuned is not None:
        experts["tuned"] = [
            _ensemble(points, y[:, j], draws, j, experts, exact[:, j]) for j in responses
        ]
    rows_measured = (~np.isnan(Y)).sum(axis=0)
    return Surrogate(
        describer, experts, _weights(experts, y), level, scale, rows_measured, y.numpy()
    )


def _prior_scales(pretrained: Pretrained | None, responses: int) -> tuple[Array, Array]:
    """Return the history's level and scale (m,), NaN for responses that it lacks."""
    if pretrained is None:
        return np.full(responses, np.nan), np.full(responses, np.nan)
    known = pretrained.known.numpy()
    return (
        np.where(known, pretrained.level.numpy(), np.nan),
        np.where(known, pretrained.scale.numpy(), np.nan),
    )


def _weights(experts: dict[str, list[Expert]], y: Tensor) -> Array:
    """Return each expert's share of each response's mixture (K, m) after the guard."""
    votes = np.ones((len(experts), y.shape[1]))
    for j in range(y.shape[1]):
        measured = y[~torch.isnan(y[:, j]), j]
        scored = [
            log_density(measured, each[j].left_out_mean, each[j].left_out_variance)
            if len(each[j].left_out_mean) == len(measured)
            else measured.new_zeros(0)
            for each in experts.values()
        ]
        votes[:, j] = [1.0] + [vote(scored[0], other) for other in scored[1:]]
    return cast(Array, votes / votes.sum(axis=0))


def _tuned(
    pretrained: Pretrained, rows: Tensor, y: Tensor, seed: int, progress: Progress
) -> tuple[Network, int, Tensor]:
    """Return the fine-tuned net, its frozen layers, and the rows that each member learned from."""
    network = pretrained.network
    frozen = frozen_layers(len(rows), network.layers)
    draws = (
        bootstrap(len(rows), network.members, torch.Generator().manual_seed(seed))
        if len(rows)
        else torch.zeros(network.members, 0, dtype=torch.int64)
    )
    if not len(rows):
        return network, frozen, draws
    x = pretrained.scaled(rows).float()
    with torch.no_grad():
        zero_shot = network(x).mean(0).double()
    ready = levelled(network, zero_shot, y)
    tuned = fine_tune(
        ready, x, y.float(), draws, frozen=frozen, schedule=STAGED, seed=seed, progress=progress
    )
    return tuned, frozen, draws


def _ensemble(
    points: Points, y: Tensor, draws: Tensor, response: int, experts: dict[str, list[Expert]],
    exact: Tensor,
) -> TunedEnsemble:  # fmt: skip
    seen = torch.zeros(len(draws), len(y), dtype=torch.bool)
    seen.scatter_(1, draws, True)
    # What stands for a limit is no measurement to be judged by: it counts as seen by all members.
    seen |= ~exact
    process = cast(GaussianProcess, experts["residual_gp"][response])
    return calibrated_ensemble(points, y, seen, response, process.noise, process.theta.lengthscale)


def _patent(
    pretrained: Pretrained, X: Array, Y: Array, active: Tensor, seed: int, progress: Progress
) -> Surrogate:
    """Transfer as the patent does: min-max scaled outputs, two stages, mean of the members."""
    network = pretrained.network
    least, extent, count = least_and_range(Y)
    own_level, own_scale = own_scales(Y, *_prior_scales(pretrained, Y.shape[1]))
    known = pretrained.known.numpy()
    level = np.where(count > 1, least, np.where(known, pretrained.level.numpy(), own_level))
    scale = np.where(known, pretrained.scale.numpy(), own_scale)
    scale = np.where((count > 1) & (extent > 0), extent, scale)
    y = (Y - level) / scale
    frozen = frozen_layers(len(X), network.layers)
    tuned = network
    if len(X):
        everything = torch.arange(len(X)).expand(network.members, -1)
        inputs = pretrained.scaled(torch.as_tensor(X)).float()
        tuned = fine_tune(
            network, inputs, torch.as_tensor(y).float(), everything, frozen=frozen,
            schedule=PATENT, seed=seed, progress=progress,
        )  # fmt: skip
    describer = Describer(pretrained, tuned, frozen, active, Y.shape[1], features=False)
    columns = int(active.sum())
    with torch.no_grad():
        error = describer(torch.as_tensor(X)).tuned.mean(-2).numpy() - y
    squared = np.nansum(error**2, axis=0) / np.maximum(count, 1)
    noise = torch.as_tensor(np.where(count > 0, squared, 0.01))
    ensemble: list[Expert] = [plain_ensemble(j, columns, noise[j]) for j in range(Y.shape[1])]
    return Surrogate(
        describer, {"patent": ensemble}, np.ones((1, Y.shape[1])), level, scale, count, y
    )
