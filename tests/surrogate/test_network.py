from __future__ import annotations

import pytest
import torch

from labloop.surrogate.network import Network, basis, initial_network


def network(kind="residual", layers=8, members=3) -> Network:
    return initial_network(
        kind,
        inputs=4,
        responses=2,
        layers=layers,
        members=members,
        generator=torch.Generator().manual_seed(0),
    )


@pytest.mark.parametrize("kind", ["residual", "plain"])
@pytest.mark.parametrize("layers", [2, 5, 8, 20])
def test_layers_counts_the_linear_layers(kind, layers):
    net = network(kind, layers)
    matrices = 2 + net.hidden.shape[1]
    assert matrices == layers == net.layers


@pytest.mark.parametrize("kind", ["residual", "plain"])
def test_members_answer_as_they_would_alone(kind):
    net = network(kind)
    x = torch.rand(7, 4)
    together = net(x)
    assert together.shape == (3, 7, 2)
    for member in range(3):
        alone = net.having({n: w[member : member + 1] for n, w in net.tensors().items()})
        assert torch.allclose(alone(x)[0], together[member], atol=1e-6)


def test_advancing_in_two_parts_is_advancing():
    net = network()
    h = net.begin(torch.rand(5, 4))
    assert torch.equal(net.advance(net.advance(h, 0, 2), 2), net.advance(h))


def test_slope_of_the_basis_is_finite_at_zero_and_below():
    x = torch.tensor([[0.0, -1.0]], requires_grad=True)
    basis(x).sum().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("layers", [3, 20])
def test_depth_keeps_the_size_of_an_untrained_answer(layers):
    out = network(layers=layers, members=16)(torch.rand(200, 4))
    assert 0.3 < float(out.std()) < 3.0


def test_predictions_are_the_same_where_gradients_are_wanted():
    generator = torch.Generator().manual_seed(0)
    net = initial_network(
        "residual", inputs=5, responses=2, layers=6, members=3, generator=generator
    )
    x = torch.rand(9, 5, generator=generator)
    wanted = net.having({name: w.requires_grad_() for name, w in net.tensors().items()})(x)
    with torch.no_grad():
        assert torch.allclose(net.to(torch.float64)(x.double()).float(), wanted, atol=1e-5)
