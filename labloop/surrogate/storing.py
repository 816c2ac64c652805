"""The stored form of what was learned: tensors and plain settings, checked before use."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from labloop.errors import RefusedError
from labloop.surrogate.curves import fit_curves
from labloop.surrogate.forest import FOREST_ROWS, source_forest
from labloop.surrogate.network import WEIGHTS, Network
from labloop.surrogate.scaling import in_range
from labloop.surrogate.training import Recipe

if TYPE_CHECKING:
    from labloop.surrogate.pretraining import Pretrained

FORMAT = 4
MAX_LAYERS = 64
# Standardised responses are of the size of 1; beyond this a forest's squares would be nonsense.
MOST_STANDARDISED = 1e6
TENSORS = (
    "columns", "low", "high", "level", "scale", "known", "feature_mean", "feature_scale",
    "taught_x", "taught_z", "blend",
)  # fmt: skip


def packed(pretrained: Pretrained) -> tuple[bytes, dict[str, Any]]:
    """Return safetensors bytes and JSON-able settings that `unpacked` reads back."""
    from safetensors.torch import save

    tensors = {f"network.{name}": w for name, w in pretrained.network.tensors().items()}
    tensors |= {name: getattr(pretrained, name) for name in TENSORS}
    settings = {
        "format": FORMAT,
        "kind": pretrained.network.kind,
        "rows": pretrained.rows,
        "sources": pretrained.sources,
        "recipe": asdict(pretrained.recipe),
        "feature_share": pretrained.feature_share,
        "seed": pretrained.seed,
        "ranking": [dict(record) for record in pretrained.ranking_records],
    }
    return save({name: w.contiguous() for name, w in tensors.items()}), settings


def unpacked(blob: bytes, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of the `Pretrained` that `packed` wrote.

    Its forest is grown again and its curves are fitted again, from the rows that were kept.

    Raises RefusedError for anything else: nothing in the blob is ever executed, and shapes,
    types and values are checked before use.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        if settings["format"] != FORMAT:
            raise _unusable(
                "an earlier labloop stored it"
                if settings["format"] in range(FORMAT)
                else "this labloop does not know how it was stored"
            )
        tensors = load(blob)
        _check(tensors)
        recipe = Recipe(**settings["recipe"])
        if settings["kind"] != recipe.kind or recipe.kind not in ("residual", "plain"):
            raise _unusable(f"its kind of net is {settings['kind']!r}")
        network = Network(recipe.kind, **{name: tensors[f"network.{name}"] for name in WEIGHTS})
        records = tuple(dict(record) for record in json.loads(json.dumps(settings["ranking"])))
        return {
            "network": network,
            **{name: tensors[name] for name in TENSORS},
            **_regrown(tensors, int(settings["seed"])),
            "rows": int(settings["rows"]),
            "sources": int(settings["sources"]),
            "recipe": recipe,
            "feature_share": float(settings["feature_share"]),
            "seed": int(settings["seed"]),
            "ranking_records": records,
        }
    except (
        SafetensorError, LookupError, TypeError, ValueError, AttributeError, OverflowError,
    ) as problem:  # fmt: skip
        raise _unusable(f"{type(problem).__name__}: {problem}") from problem


def _regrown(tensors: dict[str, Tensor], seed: int) -> dict[str, Any]:
    """Return the forest and the curves, none where no rows were kept."""
    x, z = tensors["taught_x"], tensors["taught_z"]
    if not len(x):
        return {}
    u = in_range(x.double(), tensors["low"], tensors["high"])
    return {
        "forest": source_forest(x.numpy(), z.numpy(), seed),
        "curves": fit_curves(u.numpy(), z.double().numpy()),
    }


def _unusable(why: str) -> RefusedError:
    return RefusedError(f"The stored network cannot be used ({why}); pretrain again to replace it.")


def _check(tensors: dict[str, Tensor]) -> None:
    """Refuse tensors whose names, types, shapes or values do not fit one another."""
    expected = {*(f"network.{name}" for name in WEIGHTS), *TENSORS}
    if set(tensors) != expected:
        raise _unusable(f"its tensors are {sorted(set(tensors) ^ expected)[:3]} off")
    _check_shapes(tensors)
    types = {"columns": torch.int64, "known": torch.bool}
    for name, tensor in tensors.items():
        short = name.startswith(("network.", "feature_", "taught_"))
        single = torch.float32 if short else torch.float64
        if tensor.dtype != types.get(name, single):
            raise _unusable(f"{name} has type {tensor.dtype}")
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise _unusable(f"{name} holds values that are not finite")
    _check_values(tensors)


def _check_shapes(tensors: dict[str, Tensor]) -> None:
    members, blocks = tensors["network.hidden"].shape[:2]
    entering, width = tensors["network.enter"].shape[1:]
    responses, inputs = tensors["level"].shape[0], tensors["low"].shape[0]
    rows = tensors["taught_x"].shape[0]
    shapes = {
        "network.enter": (members, entering, width),
        "network.enter_bias": (members, 1, width),
        "network.hidden": (members, blocks, width, width),
        "network.hidden_bias": (members, blocks, 1, width),
        "network.head": (members, width, responses),
        "network.head_bias": (members, 1, responses),
        "feature_mean": (members, 1, width),
        "feature_scale": (members, 1, width),
        "low": (inputs,),
        "high": (inputs,),
        "taught_x": (rows, inputs),
        "taught_z": (rows, responses),
        "blend": (3, responses),
        **dict.fromkeys(("level", "scale", "known"), (responses,)),
    }
    for name, shape in shapes.items():
        if tuple(tensors[name].shape) != shape:
            raise _unusable(f"{name} has shape {tuple(tensors[name].shape)} instead of {shape}")
    if min(members, width, responses, inputs) < 1:
        raise _unusable("its nets are empty")
    if rows > FOREST_ROWS:
        raise _unusable("it keeps too many rows of the history")
    columns = tensors["columns"]
    if columns.dim() != 1 or entering not in (len(columns), 3 * len(columns)):
        raise _unusable("its columns do not fit its first layer")
    if blocks + 2 > MAX_LAYERS:
        raise _unusable("its nets have too many layers")


def _check_values(tensors: dict[str, Tensor]) -> None:
    columns, taught_z, blend = tensors["columns"], tensors["taught_z"], tensors["blend"]
    if bool(((columns < 0) | (columns >= len(tensors["low"]))).any()):
        raise _unusable("its columns point outside the inputs")
    if bool((tensors["high"] <= tensors["low"]).any()):
        raise _unusable("an input's range is empty")
    if bool((tensors["scale"] <= 0).any()) or bool((tensors["feature_scale"] <= 0).any()):
        raise _unusable("a scale is not positive")
    if bool((blend < 0).any()) or bool(((blend.sum(0) - 1.0).abs() > 1e-6).any()):
        raise _unusable("shares are below 0 or do not sum to 1")
    if not len(taught_z) and bool((blend[1:] > 0).any()):
        raise _unusable("it counts on a forest, but keeps no row to grow it from")
    if bool((taught_z.abs() > MOST_STANDARDISED).any()):
        raise _unusable("a kept response is far outside the history's range")
