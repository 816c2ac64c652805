from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from labloop.errors import RefusedError
from labloop.surrogate.network import WEIGHTS
from labloop.surrogate.pretraining import Pretrained


def test_blob_round_trip_is_exact(pretrained, lines):
    blob, settings = pretrained.to_blob()
    again = Pretrained.from_blob(blob, json.loads(json.dumps(settings)))
    assert again.to_blob() == (blob, settings)
    for one, two in zip(pretrained.predict(lines.X), again.predict(lines.X), strict=True):
        assert np.array_equal(one, two)
    assert again.ranking().equals(pretrained.ranking())


def crowd(tensors, rows):
    for name in ("taught_x", "taught_z"):
        tensors[name] = tensors[name][:1].repeat(rows, 1)


def without(tensors, dimension):
    """Take away all members (0) or the whole width (2) of the nets."""
    for name in ("feature_mean", "feature_scale"):
        tensors[name] = tensors[name].narrow(dimension, 0, 0).contiguous()
    for name in WEIGHTS:
        if dimension == 0:
            tensors[f"network.{name}"] = tensors[f"network.{name}"][:0]
    if dimension == 2:
        for name in ("enter", "enter_bias", "hidden", "hidden_bias"):
            tensors[f"network.{name}"] = tensors[f"network.{name}"][..., :0].contiguous()
        for name, axis in (("hidden", 2), ("head", 1)):
            tensors[f"network.{name}"] = tensors[f"network.{name}"].narrow(axis, 0, 0).contiguous()


def without_responses(tensors):
    for name in ("level", "scale", "known"):
        tensors[name] = tensors[name][:0]
    for name in ("network.head", "network.head_bias", "taught_z", "blend"):
        tensors[name] = tensors[name][..., :0].contiguous()


def without_inputs(tensors):
    for name in ("low", "high", "columns"):
        tensors[name] = tensors[name][:0]
    tensors["taught_x"] = tensors["taught_x"][:, :0].contiguous()
    tensors["network.enter"] = tensors["network.enter"][:, :0].contiguous()


def spoil(tensors, settings, how):
    if how == "shape":
        tensors["network.head"] = tensors["network.head"][:, :-1].contiguous()
    elif how == "type":
        tensors["network.head"] = tensors["network.head"].double()
    elif how == "nan":
        tensors["level"] = tensors["level"] * torch.nan
    elif how == "missing":
        del tensors["low"]
    elif how == "extra":
        tensors["surprise"] = torch.zeros(1)
    elif how == "columns":
        tensors["columns"] = tensors["columns"] + 1000
    elif how == "scale":
        tensors["scale"] = -tensors["scale"]
    elif how == "format":
        settings["format"] = 99
    elif how == "kind":
        settings["kind"] = "os.system"
    elif how == "recipe":
        settings["recipe"] = {"unknown": 1}
    elif how == "settings":
        settings.clear()
    elif how == "flat":
        tensors["network.hidden"] = tensors["network.hidden"].flatten()
    elif how == "members":
        without(tensors, 0)
    elif how == "width":
        without(tensors, 2)
    elif how == "responses":
        without_responses(tensors)
    elif how == "inputs":
        without_inputs(tensors)
    elif how == "layers":
        for name in ("network.hidden", "network.hidden_bias"):
            tensors[name] = tensors[name][:, :1].repeat(1, 63, 1, 1)
    elif how == "crowd":
        crowd(tensors, 3001)
    elif how == "untaught":
        crowd(tensors, 0)
        tensors["blend"] = torch.full_like(tensors["blend"], 1.0 / 3.0)
    elif how == "blend":
        tensors["blend"] = tensors["blend"] + 1.5
    elif how == "no blend":
        tensors["blend"] = tensors["blend"] * torch.tensor([[3.0], [-1.0], [-1.0]])
    elif how == "far":
        tensors["taught_z"] = tensors["taught_z"] * 1e9
    elif how == "ranges":
        tensors["high"] = tensors["low"].clone()
    elif how == "endless":
        settings["rows"] = float("inf")
    elif how == "earlier":
        settings["format"] = 2


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("shape", "network.head has shape (3, 31, 2) instead of (3, 32, 2)"),
        ("type", "network.head has type torch.float64"),
        ("nan", "level holds values that are not finite"),
        ("missing", "its tensors are ['low'] off"),
        ("extra", "its tensors are ['surprise'] off"),
        ("columns", "its columns point outside the inputs"),
        ("scale", "a scale is not positive"),
        ("format", "this labloop does not know how it was stored"),
        ("earlier", "an earlier labloop stored it"),
        ("kind", "its kind of net is 'os.system'"),
        ("recipe", "TypeError: "),
        ("settings", "KeyError: 'format'"),
        ("flat", "ValueError: "),
        ("members", "its nets are empty"),
        ("width", "its nets are empty"),
        ("responses", "its nets are empty"),
        ("inputs", "its nets are empty"),
        ("layers", "its nets have too many layers"),
        ("crowd", "it keeps too many rows of the history"),
        ("untaught", "it counts on a forest, but keeps no row to grow it from"),
        ("blend", "shares are below 0 or do not sum to 1"),
        ("no blend", "shares are below 0 or do not sum to 1"),
        ("far", "a kept response is far outside the history's range"),
        ("ranges", "an input's range is empty"),
        ("endless", "OverflowError: cannot convert float infinity to integer"),
    ],
)
def test_foreign_blobs_are_refused(pretrained, how, why):
    blob, settings = pretrained.to_blob()
    tensors = load(blob)
    spoil(tensors, settings, how)
    with pytest.raises(RefusedError) as caught:
        Pretrained.from_blob(save(tensors), settings)
    said = str(caught.value)
    assert said.startswith(f"The stored network cannot be used ({why}")
    assert said.endswith("); pretrain again to replace it.")


@pytest.mark.parametrize("blob", [b"", b"garbage", b"\xff" * 64, pickle.dumps({"network": 1})])
def test_bytes_that_are_no_tensors_are_refused(pretrained, blob):
    with pytest.raises(RefusedError, match="pretrain again to replace it"):
        Pretrained.from_blob(blob, pretrained.to_blob()[1])
