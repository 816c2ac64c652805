"""Transfer to the campaign: from pretrained nets and own rows to a surrogate."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from labloop.errors import RefusedError
from labloop.surrogate.censoring import pseudo_observations
from labloop.surrogate.experts import Ensemble, Expert, calibrated_ensemble, plain_ensemble
from labloop.surrogate.forest import FEWEST_ROWS, TREES, Forest, Grove, own_forest
from labloop.surrogate.gp import GaussianProcess, fit_process
from labloop.surrogate.kernels import OWN_CURVES, OWN_ROWS, RESIDUAL_GP, Shape, noise_of
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
from labloop.surrogate.stacking import left_out_densities, prior_rows, stacked_weights
from labloop.surrogate.threads import one_thread, side_by_side
from labloop.surrogate.training import Progress, bootstrap, silent
from labloop.surrogate.tuning import (
    PATENT,
    STAGED,
    fine_tune,
    frozen_layers,
    level_and_gain,
    levelled,
)

Transfer = Literal["staged", "patent"]
# Of a measurement of unknown variance, as the Gaussian processes start with.
USUAL_NOISE = 0.1


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
    campaign can vary (default: all). Without pretrained nets the experts are those of the own rows
    alone. `transfer="patent"` follows the patent's schedule to the letter and needs nets pretrained
    with the recipe PLAIN to be the patent's model.
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
    workers = torch.get_num_threads()
    with one_thread():
        return _staged(pretrained, X, Y, variance, sides, active, seed, workers, progress)


def _staged(
    pretrained: Pretrained | None, X: Array, Y: Array, variance: Array, sides: NDArray[np.int8],
    active: Tensor, seed: int, workers: int, progress: Progress,
) -> Surrogate:  # fmt: skip
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
    source = _source_trees(pretrained, X, Y.shape[1])
    with torch.no_grad():
        grove = _grove(describer(rows), y, known, pretrained, source, seed, workers)
    describer = Describer(pretrained, tuned, frozen, active, Y.shape[1], grove=grove)
    with torch.no_grad():
        points = describer(rows)
    experts = _processes(points, y, known, exact, pretrained is not None, seed, workers, progress)
    processes = cast(list[GaussianProcess], list(experts.values())[-1])
    if tuned is not None:
        seen = torch.zeros(len(draws), len(X), dtype=torch.bool).scatter_(1, draws, True)
        experts["tuned"] = [
            _ensemble("tuned", points, y, known, exact, seen, process) for process in processes
        ]
    if grove is not None:
        left_out = replace(points, trees=_left_out_trees(points.trees, source, grove, y))
        experts["forest"] = [
            _ensemble("trees", left_out, y, known, exact, _seen(forest, y[:, j]), process)
            for j, (forest, process) in enumerate(zip(grove.forests, processes, strict=True))
        ]
    densities = left_out_densities(experts, y)
    blends = [None] * y.shape[1] if grove is None or pretrained is None else pretrained.blend.mT
    priors = [prior_rows(list(experts), blend) for blend in blends]
    each_weights = map(stacked_weights, densities.unbind(-1), priors)
    weights = torch.stack(list(each_weights), -1)
    rows_measured = (~np.isnan(Y)).sum(axis=0)
    return Surrogate(describer, experts, weights.numpy(), level, scale, rows_measured, y.numpy())


def _processes(
    points: Points, y: Tensor, known: Tensor, exact: Tensor, history: bool, seed: int,
    workers: int, progress: Progress,
) -> dict[str, list[Expert]]:  # fmt: skip
    """Fit the Gaussian processes of every response, the one nearest the history last."""
    shapes = {"own_rows": OWN_ROWS, "own_curves": OWN_CURVES}
    shapes |= {"residual_gp": RESIDUAL_GP} if history else {}
    tasks = [(shape, j) for shape in shapes.values() for j in range(y.shape[1])]

    def fitted(task: tuple[Shape, int]) -> GaussianProcess:
        shape, j = task
        return fit_process(shape, points, y[:, j], known[:, j], j, seed, exact[:, j])

    processes: list[Expert] = []
    for process in side_by_side(fitted, tasks, workers):
        processes.append(process)
        progress(len(processes), len(tasks))
    m = y.shape[1]
    return {name: processes[k * m : (k + 1) * m] for k, name in enumerate(shapes)}


def _prior_scales(pretrained: Pretrained | None, responses: int) -> tuple[Array, Array]:
    """Return the history's level and scale (m,), NaN for responses that it lacks."""
    if pretrained is None:
        return np.full(responses, np.nan), np.full(responses, np.nan)
    known = pretrained.known.numpy()
    return (
        np.where(known, pretrained.level.numpy(), np.nan),
        np.where(known, pretrained.scale.numpy(), np.nan),
    )


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


def _source_trees(pretrained: Pretrained | None, X: Array, responses: int) -> Tensor:
    """Return what each tree of the history says of rows (n, D): (n, T, m), 0 without trees."""
    if pretrained is None or pretrained.forest is None:
        return torch.zeros(len(X), TREES, responses, dtype=torch.float64)
    return torch.as_tensor(pretrained.forest.values(X)).double()


def _grove(
    points: Points, y: Tensor, known: Tensor, pretrained: Pretrained | None, source: Tensor,
    seed: int, workers: int,
) -> Grove | None:  # fmt: skip
    """Grow a forest for each response, or none where there is neither history nor enough rows.

    `source` (n, T, m) is what the history's trees say of the rows.
    """
    enough = (~torch.isnan(y)).sum(0) >= FEWEST_ROWS
    if pretrained is None and not bool(enough.any()):
        return None
    inputs = points.x.numpy()
    # The less is known of a row, the less it counts beside the response's own variance of 1.
    weights = (1.0 / (1.0 + known.nan_to_num(USUAL_NOISE))).numpy()

    def grown(j: int) -> Forest | None:
        if not enough[j]:
            return None
        rows = torch.nonzero(~torch.isnan(y[:, j])).squeeze(1).numpy()
        both = np.column_stack([inputs[rows], points.prior[rows, j].numpy()])
        return own_forest(both, y[rows, j].numpy(), weights[rows, j], seed)

    forests = list(side_by_side(grown, range(y.shape[1]), workers))
    level, gain = level_and_gain(source.mean(1), y)
    return Grove(tuple(forests), level.numpy(), gain.numpy())


def _left_out_trees(trees: Tensor, source: Tensor, grove: Grove, y: Tensor) -> Tensor:
    """Return `trees` (n, T, m) with the history's own put where each row's others put them.

    They saw no row, but the level and gain that they stand at did.
    """
    trees = trees.clone()
    for j, forest in enumerate(grove.forests):
        if forest is None:
            rows = torch.nonzero(~torch.isnan(y[:, j])).squeeze(1)
            trees[rows, :, j] = refitted_without_itself(source[rows, :, j], y[rows, j])
    return trees


def refitted_without_itself(values: Tensor, y: Tensor) -> Tensor:
    """Put each row's values (n, T) at the level and gain that the other rows' `y` (n,) call for.

    Meant for a few rows: takes n² numbers.
    """
    itself = torch.eye(len(y), dtype=torch.bool)
    others = torch.where(itself, torch.nan, y.unsqueeze(1))
    level, gain = level_and_gain(values.mean(1, keepdim=True).expand(-1, len(y)), others)
    return level.unsqueeze(1) + gain.unsqueeze(1) * values


def _seen(forest: Forest | None, y: Tensor) -> Tensor:
    """Return which tree saw which of the rows (T, n); trees of the history saw none."""
    seen = torch.zeros(TREES, len(y), dtype=torch.bool)
    if forest is not None:
        seen[:, ~torch.isnan(y)] = torch.as_tensor(forest.seen)
    return seen


def _ensemble(
    of: Literal["tuned", "trees"], points: Points, y: Tensor, known: Tensor, exact: Tensor,
    seen: Tensor, process: GaussianProcess,
) -> Ensemble:  # fmt: skip
    """Calibrate an ensemble by what its members left out, with a process's noise and length."""
    j = process.response
    values = (points.tuned if of == "tuned" else points.trees)[..., j]
    noises = noise_of(process.theta, known[:, j])
    # What stands for a limit is no measurement to be judged by: it counts as seen by all members,
    # and its variance, which says how little the limit tells, is not that of a measurement.
    seen = seen | ~exact[:, j]
    length = process.theta.lengthscale
    return calibrated_ensemble(of, values, y[:, j], seen, j, noises, length, process.noise)


def _patent(
    pretrained: Pretrained, X: Array, Y: Array, active: Tensor, seed: int, progress: Progress
) -> Surrogate:
    """Transfer as the patent does: min-max scaled outputs, two stages, mean of the members."""
    network = pretrained.network
    least, extent, count = least_and_range(Y)
    own_level, own_scale = own_scales(Y, *_prior_scales(pretrained, Y.shape[1]))
    known = pretrained.known.numpy()
    level = np.where(known & (count == 0), pretrained.level.numpy(), own_level)
    level = np.where(count > 1, least, level)
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
    noise = torch.as_tensor(np.where(count > 0, squared, 0.01)).clamp_min(1e-6)
    ensemble: list[Expert] = [plain_ensemble(j, columns, noise[j]) for j in range(Y.shape[1])]
    return Surrogate(
        describer, {"patent": ensemble}, np.ones((1, Y.shape[1])), level, scale, count, y
    )
