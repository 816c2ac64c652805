from __future__ import annotations

import pytest
import torch

from labloop.surrogate.training import PLAIN, RESIDUAL, Recipe, bootstrap, masked_loss, train

FEW = Recipe(epochs=4)


def rows(n=60):
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(n, 3, generator=generator)
    return x, torch.cat([x[:, :1] * 2 - 1, torch.full((n, 1), float("nan"))], dim=1), generator


def test_same_seed_same_weights_and_the_global_generator_is_left_alone():
    x, y, generator = rows()
    draws = bootstrap(60, 3, generator)
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    one = train(x, y, draws, recipe=FEW, layers=5, seed=2)
    two = train(x, y, draws, recipe=FEW, layers=5, seed=2)
    other = train(x, y, draws, recipe=FEW, layers=5, seed=3)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(a, two.tensors()[n]) for n, a in one.tensors().items())
    assert not torch.equal(one.head, other.head)


def test_missing_responses_teach_nothing_and_spoil_nothing():
    x, y, generator = rows()
    net = train(x, y, bootstrap(60, 2, generator), recipe=FEW, layers=5, seed=0)
    assert all(torch.isfinite(w).all() for w in net.tensors().values())


@pytest.mark.parametrize("recipe", [RESIDUAL, PLAIN])
def test_nets_learn_a_simple_response(recipe):
    x, y, generator = rows(200)
    net = train(x, y[:, :1], bootstrap(200, 4, generator), recipe=recipe, layers=5, seed=0)
    with torch.no_grad():
        error = (net(x).mean(0) - y[:, :1]).square().mean()
    assert float(error) < 0.1 * float(y[:, 0].var())


def test_loss_counts_only_what_is_present():
    predicted = torch.zeros(2, 2, 2)
    wanted = torch.tensor([[[1.0, torch.nan], [torch.nan, 3.0]], [[torch.nan] * 2] * 2])
    assert float(masked_loss(predicted, wanted)) == pytest.approx(5.0)


def test_loss_beyond_a_limit_is_none():
    predicted = torch.tensor([[[2.0], [-2.0], [2.0], [-2.0]]])
    wanted, sides = torch.zeros(1, 4, 1), torch.tensor([[[-1], [-1], [1], [1]]])
    off = predicted.clone().requires_grad_()
    loss = masked_loss(off, wanted, sides)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(2.0)
    assert off.grad is not None
    assert (off.grad.ravel() != 0).tolist() == [True, False, False, True]


def test_nets_follow_the_response_beyond_a_limit_of_its_measurement():
    x, y, generator = rows(200)
    truth = y[:, :1]
    limited = truth.clamp_min(0.0)
    sides = -(truth < 0).to(torch.int8)
    draws = bootstrap(200, 4, generator)

    def above_zero(censored):
        net = train(x, limited, draws, recipe=FEW, layers=5, seed=0, censored=censored)
        with torch.no_grad():
            return float(net(x).mean(0)[truth < -0.3].clamp_min(0).mean())

    assert above_zero(sides) < above_zero(None)


def test_progress_counts_epochs_and_may_interrupt():
    x, y, generator = rows()
    seen = []

    def stop(done, total):
        seen.append((done, total))
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(x, y, bootstrap(60, 2, generator), recipe=FEW, layers=3, seed=0, progress=stop)
    assert seen == [(1, 4), (2, 4)]


def test_groups_of_nets_see_their_own_inputs():
    x, y, generator = rows()
    draws = bootstrap(60, 4, generator)
    stacked_x, stacked_y = torch.stack([x, x.flip(1)]), torch.stack([y, y])
    net = train(stacked_x, stacked_y, draws, recipe=FEW, layers=3, seed=0)
    same = train(torch.stack([x, x]), stacked_y, draws, recipe=FEW, layers=3, seed=0)
    assert torch.allclose(net.head[:2], same.head[:2], atol=1e-5)
    assert not torch.allclose(net.head[2:], same.head[2:], atol=1e-5)
