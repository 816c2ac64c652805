import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from labloop.surrogate.blending import blend_shares

finite = st.floats(-1e3, 1e3)
unknown_too = st.one_of(finite, st.just(float("nan")))


@settings(deadline=None)
@given(hnp.arrays("float64", (4, 12, 2), elements=unknown_too))
def test_shares_are_not_negative_and_sum_to_one(arrays):
    z, *said = torch.as_tensor(arrays)
    shares = blend_shares(z, torch.stack(said))
    assert bool((shares >= 0).all())
    assert shares.sum(0).tolist() == pytest.approx([1.0, 1.0], abs=1e-9)


@settings(deadline=None)
@given(hnp.arrays("float64", (3, 30), elements=finite), st.permutations(range(2)))
def test_the_order_of_the_kinds_does_not_matter(arrays, order):
    z, said = torch.as_tensor(arrays[0])[:, None], torch.as_tensor(arrays[1:])[..., None]
    shares = blend_shares(z, said)
    assert blend_shares(z, said[order]).flatten().tolist() == pytest.approx(
        shares[order].flatten().tolist(), abs=1e-4
    )


def test_a_blend_follows_whoever_is_right_and_few_rows_decide_little():
    z = torch.randn(400, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    said = torch.stack([z, z + 1.0])
    shares = [float(blend_shares(z[:n], said[:, :n])[0]) for n in (1, 10, 400)]
    assert shares == pytest.approx([6 / 11, 15 / 20, 405 / 410], rel=1e-4)


def test_without_rows_all_kinds_have_the_same_share():
    nothing = torch.full((5, 1), torch.nan, dtype=torch.float64)
    shares = blend_shares(nothing, torch.ones(3, 5, 1, dtype=torch.float64))
    assert shares.flatten().tolist() == pytest.approx([1 / 3] * 3)


def test_errors_that_cancel_are_shared_out_and_the_worst_is_left_out():
    error = torch.randn(3, 400, 1, generator=torch.Generator().manual_seed(1)).double()
    z = torch.zeros(400, 1, dtype=torch.float64)
    shares = blend_shares(z, error * torch.tensor([1.0, 1.0, 5.0]).view(3, 1, 1)).flatten()
    assert shares.tolist() == pytest.approx([0.5, 0.5, 0.03], abs=0.06)
