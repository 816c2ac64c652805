from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from labloop.surrogate.transfer import fit


@pytest.mark.parametrize("history", ["nets and trees", "nets", "none"])
@pytest.mark.parametrize("own", [30, 3])
@pytest.mark.parametrize("chunk", [7, 50])
def test_a_stream_describes_as_one_call_does(pretrained, lines, history, own, chunk):
    before = {
        "nets and trees": pretrained, "nets": replace(pretrained, forest=None), "none": None,
    }[history]  # fmt: skip
    describe = fit(before, lines.own_x[:own], lines.own_y[:own])._describe
    X = torch.as_tensor(np.random.default_rng(1).random((50, 6)))
    with torch.no_grad():
        whole, parts = describe(X), list(describe.stream(X, chunk))
    assert [len(part.x) for part in parts] == [len(part) for part in X.split(chunk)]
    for name in ("x", "phi", "prior", "tuned"):
        joined = torch.cat([getattr(part, name) for part in parts])
        assert torch.allclose(joined, getattr(whole, name), atol=1e-6), name
    trees = torch.cat([part.trees for part in parts])
    assert (trees.shape[1] == 0) == (whole.trees.shape[1] == 0)
    if trees.shape[1]:
        assert torch.allclose(trees.mean(1), whole.trees.mean(1), atol=1e-6)
        assert torch.allclose(trees.var(1), whole.trees.var(1), atol=1e-6)
