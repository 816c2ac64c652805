from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from labloop.surrogate.network import initial_network
from labloop.surrogate.training import bootstrap
from labloop.surrogate.tuning import PATENT, STAGED, _Adam, fine_tune, frozen_layers, levelled


def network(kind="residual", layers=8):
    return initial_network(
        kind, inputs=3, responses=2, layers=layers, members=3,
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip


def rows(n=40):
    generator = torch.Generator().manual_seed(3)
    x = torch.rand(n, 3, generator=generator)
    y = torch.stack([2 * x[:, 0] - 1, torch.full((n,), torch.nan)], dim=1)
    return x, y, bootstrap(n, 3, generator)


def test_fifty_rows_freeze_ten_layers_of_a_deep_net_and_five_hundred_five():
    assert [frozen_layers(n, 20) for n in (50, 158, 500, 5000)] == [10, 8, 5, 5]


@given(st.integers(0, 10_000), st.integers(2, 20))
def test_the_head_and_the_layer_before_it_can_always_be_tuned(count, layers):
    assert 0 <= frozen_layers(count, layers) <= max(layers - 2, 0)
    assert frozen_layers(count + 100, layers) <= frozen_layers(count, layers)


@pytest.mark.parametrize("frozen", [0, 1, 4, 6])
@pytest.mark.parametrize("schedule", [STAGED, PATENT])
def test_frozen_layers_never_change_and_the_others_do(frozen, schedule):
    net = network("plain" if schedule is PATENT else "residual")
    x, y, draws = rows()
    tuned = fine_tune(net, x, y, draws, frozen=frozen, schedule=schedule)
    still = max(frozen - 1, 0)
    assert torch.equal(tuned.enter, net.enter)
    assert torch.equal(tuned.hidden[:, :still], net.hidden[:, :still])
    changed = (tuned.hidden[:, still:] != net.hidden[:, still:]).flatten(2).any(2)
    assert changed.all()
    assert not torch.equal(tuned.head, net.head)


def test_a_response_without_rows_keeps_its_head():
    net = network()
    x, y, draws = rows()
    tuned = fine_tune(net, x, y, draws, frozen=6)
    assert torch.allclose(tuned.head[..., 1], net.head[..., 1], atol=1e-6)


def test_tuning_follows_the_new_rows_and_repeats_exactly():
    net = network()
    x, y, draws = rows()

    def error(candidate):
        with torch.no_grad():
            return float((candidate(x).mean(0)[:, 0] - y[:, 0]).square().mean())

    tuned = fine_tune(net, x, y, draws, frozen=4, seed=5)
    assert error(tuned) < 0.3 * error(net)
    assert torch.equal(tuned.head, fine_tune(net, x, y, draws, frozen=4, seed=5).head)


def test_levelling_refits_level_and_scale_of_each_response():
    net = network()
    x, _, _ = rows(200)
    with torch.no_grad():
        net = net.having({"head": 5.0 * net.head})
        old = net(x).mean(0)
        y = torch.stack([2.0 * old[:, 0] + 7.0, torch.full((200,), torch.nan)], dim=1)
        new = levelled(net, old, y)(x).mean(0)
    assert torch.allclose(new[:, 0], y[:, 0], atol=0.15)
    assert torch.allclose(new[:, 1], old[:, 1], atol=1e-5)


def test_progress_covers_both_stages():
    x, y, draws = rows()
    seen = []
    fine_tune(network(), x, y, draws, frozen=4, progress=lambda d, t: seen.append((d, t)))
    total = STAGED.head_epochs + STAGED.deep_epochs
    assert seen == [(done, total) for done in range(1, total + 1)]


def test_many_rows_are_learned_in_fewer_epochs_of_both_stages():
    seen = []
    schedule = replace(STAGED, most_steps=8)
    x, y, draws = rows(64)
    fine_tune(
        network(),
        x,
        y,
        draws,
        frozen=4,
        schedule=schedule,
        progress=lambda *done: seen.append(done),
    )
    assert seen == [(done, 4) for done in range(1, 5)]


@given(st.integers(1, 10_000), st.sampled_from([STAGED, PATENT]))
def test_epochs_are_cut_only_where_they_would_take_too_many_steps(batches, schedule):
    cut = schedule.fitted(batches)
    epochs = schedule.head_epochs + schedule.deep_epochs
    assert (cut == schedule) == (batches * epochs <= schedule.most_steps)
    fewest, left = min(cut.head_epochs, cut.deep_epochs), cut.head_epochs + cut.deep_epochs
    assert fewest == 1 or (fewest > 1 and batches * left <= schedule.most_steps)


def test_steps_are_those_of_torchs_adam_to_the_bit():
    generator = torch.Generator().manual_seed(5)
    start = [torch.rand(shape, generator=generator) for shape in ((3, 4), (2,), (1, 5, 2))]
    ours, theirs = ([p.clone().requires_grad_() for p in start] for _ in range(2))
    optimizer = _Adam.of(ours, 1e-2)
    reference = torch.optim.Adam(theirs, lr=1e-2, fused=True)
    for _ in range(7):
        optimizer.forget_gradients()
        reference.zero_grad(set_to_none=True)
        for mine, other in zip(ours, theirs, strict=True):
            gradient = torch.randn(mine.shape, generator=generator)
            mine.grad, other.grad = gradient.clone(), gradient.clone()
        optimizer.step()
        reference.step()
    assert all(torch.equal(mine, other) for mine, other in zip(ours, theirs, strict=True))
