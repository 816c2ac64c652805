"""Pretraining on every source together."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from labloop.errors import RefusedError
from labloop.surrogate.blending import blend_shares
from labloop.surrogate.curves import Curves, fit_curves, left_out_curves
from labloop.surrogate.forest import (
    FOREST_ROWS,
    Forest,
    left_out_mean,
    source_forest,
)
from labloop.surrogate.gp import thin
from labloop.surrogate.network import Network
from labloop.surrogate.scaling import (
    Array,
    checked_censoring,
    checked_inputs,
    checked_outputs,
    in_range,
    input_ranges,
    source_scales,
    standardised,
)
from labloop.surrogate.selection import select_components
from labloop.surrogate.storing import packed, unpacked
from labloop.surrogate.training import RESIDUAL, Progress, Recipe, bootstrap, silent, train

FEATURE_ROWS = 20_000


@dataclass(frozen=True)
class Pretrained:
    """What the history taught: plain tensors and settings, nothing of the campaign.

    `network` takes the kept `columns` (k,) of the encoded rows, scaled by `low` and `high` (D,),
    and gives responses in units of a source's level and scale. `level`, `scale` (m,) are the
    sources' pooled level and scale, in the units of Y; `known` (m,) says which responses any
    source has. `feature_mean`, `feature_scale` (M, 1, w) standardise the features over the
    history. `taught_x` (r, D) and `taught_z` (r, m) are rows of the history and their standardised
    responses, gaps filled with the nets' predictions: the `forest` was grown from them and the
    `curves` were fitted to them. `blend` (3, m) are the shares of nets, forest and curves in the
    history's prediction; the patent's nets stand alone. `ranking` holds one record a component.
    """

    network: Network
    columns: Tensor
    low: Tensor
    high: Tensor
    level: Tensor
    scale: Tensor
    known: Tensor
    feature_mean: Tensor
    feature_scale: Tensor
    taught_x: Tensor
    taught_z: Tensor
    blend: Tensor
    rows: int
    sources: int
    recipe: Recipe
    feature_share: float
    seed: int
    ranking_records: tuple[dict[str, float], ...] = field(default=(), repr=False)
    forest: Forest | None = field(default=None, repr=False, compare=False)
    curves: Curves | None = field(default=None, repr=False, compare=False)

    @property
    def inputs(self) -> int:
        """Number of columns of an encoded row."""
        return self.low.shape[0]

    @property
    def responses(self) -> int:
        """Number of responses."""
        return self.level.shape[0]

    def ranking(self) -> pd.DataFrame:
        """Return components, best first: component, information (nats), kept, one a response."""
        frame = pd.DataFrame(list(self.ranking_records))
        frame["kept"] = frame["kept"].astype(bool)
        frame["component"] = frame["component"].astype(int)
        return frame.set_index("component")

    def scaled(self, X: Tensor) -> Tensor:
        """Return the network's inputs for encoded rows: (…, D) → (…, k)."""
        return self.in_range(X)[..., self.columns]

    def in_range(self, X: Tensor) -> Tensor:
        """Return encoded rows (…, D) in units of the history's range: 0 to 1 within it."""
        return in_range(X, self.low, self.high)

    def predict(self, X: Array) -> tuple[Array, Array]:
        """Return the untuned nets' mean and standard deviation over members: (n, m) each.

        The nets alone, without the forest. Units of Y at the sources' pooled level and scale; a
        ranking more than a prediction.
        """
        with torch.no_grad():
            z = self.network(self.scaled(torch.as_tensor(X, dtype=torch.float32))).double()
        spread = z.std(dim=0, correction=1) if len(z) > 1 else torch.zeros_like(z[0])
        return (
            (z.mean(dim=0) * self.scale + self.level).numpy(),
            (spread * self.scale).numpy(),
        )

    def to_blob(self) -> tuple[bytes, dict[str, Any]]:
        """Return safetensors bytes and JSON-able settings that `from_blob` reads back."""
        return packed(self)

    @classmethod
    def from_blob(cls, blob: bytes, settings: dict[str, Any]) -> Pretrained:
        """Read what `to_blob` wrote.

        Raises RefusedError for anything else: nothing in the blob is ever executed, and shapes,
        types and values are checked before use.
        """
        return cls(**unpacked(blob, settings))


def pretrain(
    X: NDArray[np.floating],
    Y: NDArray[np.floating],
    source: NDArray[np.integer],
    *,
    censored: NDArray[np.integer] | None = None,
    component_of_column: NDArray[np.integer] | None = None,
    layers: int = 8,
    members: int = 8,
    feature_share: float = 0.7,
    recipe: Recipe = RESIDUAL,
    seed: int = 0,
    progress: Progress = silent,
) -> Pretrained:
    """Learn an ensemble of deep nets from every source together.

    `X` (n, D) encoded rows in units of the campaign's range, `Y` (n, m) responses with NaN =
    missing, `source` (n,) whole numbers from 0: each source has its own level and scale of each
    response (mean and standard deviation; minimum and range for the plain net, as in the
    patent). `censored` (n, m) is 0 where measured, −1 where only known to be below the value in
    `Y`, 1 where above: a net is not in error beyond such a limit. `component_of_column` (D,)
    groups the columns of a choice. Each member learns from its own bootstrap of the rows. The same
    arguments give the same weights.
    Raises RefusedError when there is nothing to learn from.
    """
    X, Y, sides, line = _measured(X, Y, censored, source)
    component = np.arange(X.shape[1]) if component_of_column is None else component_of_column
    scales = source_scales(Y, line, min_max=recipe.kind == "plain")
    Z = standardised(Y, line, scales)
    selection = select_components(
        X, Z, np.asarray(component), source=line, share=feature_share, seed=seed
    )
    low, high = input_ranges(X)
    x = torch.as_tensor(((X - low) / (high - low))[:, selection.columns], dtype=torch.float32)
    known = torch.as_tensor(scales.present.any(axis=0))
    draws = bootstrap(len(X), members, torch.Generator().manual_seed(seed))
    network = train(
        x, torch.as_tensor(Z, dtype=torch.float32), draws, recipe=recipe, layers=layers, seed=seed,
        censored=torch.as_tensor(sides), progress=progress,
    )  # fmt: skip
    if recipe.kind == "residual":
        # Of a response that no source has the nets know nothing, not what they were drawn with.
        # The patent's, whose spread is their whole variance, go on from there.
        network = network.having({"head": network.head * known})
        span = torch.as_tensor(low), torch.as_tensor(high)
        forest, curves, taught = _grow(network, x, X, Z, sides, draws, span, seed)
    else:
        forest, curves, taught = None, None, _nothing_taught(X, Z)
    ranges = {"low": low, "high": high, "level": scales.pooled_level, "scale": scales.pooled_scale}
    return Pretrained(
        network=network,
        columns=torch.as_tensor(selection.columns),
        **{name: torch.as_tensor(each) for name, each in ranges.items()},
        known=known,
        **_feature_moments(network, x, seed),
        **taught,
        forest=forest,
        curves=curves,
        rows=len(X),
        sources=int(line.max()) + 1,
        recipe=recipe,
        feature_share=float(feature_share),
        seed=int(seed),
        ranking_records=_records(selection.ranking),
    )


def _measured(
    X: NDArray[np.floating],
    Y: NDArray[np.floating],
    censored: NDArray[np.integer] | None,
    source: NDArray[np.integer],
) -> tuple[Array, Array, NDArray[np.int8], NDArray[np.int64]]:
    """Return the checked rows that have a response, their sources renumbered from 0."""
    X = checked_inputs(X, "history")
    Y = checked_outputs(Y, len(X), "history")
    sides = checked_censoring(censored, Y, "history")
    usable = ~np.isnan(Y).all(axis=1)
    if not usable.any():
        raise RefusedError("The history has no measured response; import results to pretrain on.")
    line = np.unique(np.asarray(source)[usable], return_inverse=True)[1].reshape(-1)
    return X[usable], Y[usable], sides[usable], line.astype(np.int64)


def _grow(
    network: Network, x: Tensor, X: Array, Z: Array, sides: NDArray[np.int8], draws: Tensor,
    span: tuple[Tensor, Tensor], seed: int,
) -> tuple[Forest, Curves, dict[str, Tensor]]:  # fmt: skip
    """Return the forest and the curves, what they learned from, and the shares of all three.

    `x` (n, k) the nets' inputs, `X` (n, D), `Z` (n, m) with NaN = missing, `sides` (n, m) of its
    limits, `draws` (M, n) the rows that each member learned from, `span` the inputs' range. What
    is missing is as the nets predict it, and so is what lies beyond a limit where they agree that
    it does.
    """
    rows = thin(torch.arange(len(X)), FOREST_ROWS, seed)
    with torch.no_grad():
        said = network(x[rows]).double()
    z, side = torch.as_tensor(Z)[rows], torch.as_tensor(sides)[rows]
    taught_x = torch.as_tensor(X)[rows].float()
    beyond = side * (said.mean(0) - z) > 0
    taught_z = torch.where(torch.isnan(z) | beyond, said.mean(0), z).float()
    z = torch.where(side == 0, z, torch.nan)
    forest = source_forest(taught_x.numpy(), taught_z.numpy(), seed)
    seen = torch.zeros(len(draws), len(X), dtype=torch.bool).scatter_(1, draws, True)[:, rows]
    nets = left_out_mean(said.permute(1, 0, 2), seen)
    trees = torch.as_tensor(forest.values(taught_x.numpy())).double()
    woods = left_out_mean(trees, torch.as_tensor(forest.seen))
    u, wanted = in_range(taught_x.double(), *span).numpy(), taught_z.double().numpy()
    bent = torch.as_tensor(left_out_curves(u, wanted))
    shares = blend_shares(z, torch.stack([nets, woods, bent]))
    taught = {"taught_x": taught_x, "taught_z": taught_z, "blend": shares}
    return forest, fit_curves(u, wanted), taught


def _nothing_taught(X: Array, Z: Array) -> dict[str, Tensor]:
    return {
        "taught_x": torch.zeros(0, X.shape[1]),
        "taught_z": torch.zeros(0, Z.shape[1]),
        "blend": torch.tensor([[1.0], [0.0], [0.0]], dtype=torch.float64).repeat(1, Z.shape[1]),
    }


def _feature_moments(network: Network, x: Tensor, seed: int) -> dict[str, Tensor]:
    """Return mean and scale (M, 1, w) of the features over at most FEATURE_ROWS rows."""
    rows = thin(torch.arange(len(x)), FEATURE_ROWS, seed)
    with torch.no_grad():
        features = network.features(x[rows])
    scale = features.std(dim=1, keepdim=True, correction=0).clamp_min(1e-3)
    return {"feature_mean": features.mean(dim=1, keepdim=True), "feature_scale": scale}


def _records(ranking: pd.DataFrame) -> tuple[dict[str, float], ...]:
    named = ranking.reset_index()
    named.columns = [str(column) for column in named.columns]
    return tuple(
        {str(key): (v if math.isfinite(v := float(value)) else 0.0) for key, value in row.items()}
        for row in named.to_dict("records")
    )
