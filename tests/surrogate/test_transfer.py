from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from labloop.errors import RefusedError
from labloop.surrogate.transfer import fit, refitted_without_itself
from labloop.surrogate.tuning import level_and_gain


def usable(surrogate, X):
    predictions = surrogate.mean_and_variance(X)
    assert np.isfinite(predictions.mean).all()
    assert np.isfinite(predictions.variance).all()
    assert (predictions.variance > 0).all()
    assert np.isfinite(surrogate.noise).all()
    assert np.isfinite(surrogate.draw(X[:3], 4)).all()


def test_experts_are_named_and_the_one_that_never_saw_the_history_always_counts(pretrained, lines):
    with_history = fit(pretrained, lines.own_x, lines.own_y)
    assert with_history.experts == ("own_rows", "own_curves", "residual_gp", "tuned", "forest")
    assert (with_history.weights > 0).all()
    assert fit(None, lines.own_x, lines.own_y).experts == ("own_rows", "own_curves", "forest")


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 10])
@pytest.mark.parametrize("history", [True, False])
def test_any_number_of_rows_is_enough(pretrained, lines, rows, history):
    surrogate = fit(pretrained if history else None, lines.own_x[:rows], lines.own_y[:rows])
    usable(surrogate, lines.X[:20])
    assert surrogate.rows.tolist() == [rows, rows]


def test_without_rows_the_history_ranks_at_its_own_level_and_scale(pretrained, lines):
    surrogate = fit(pretrained, lines.own_x[:0], lines.own_y[:0])
    predicted = surrogate.mean_and_variance(lines.own_x)
    assert np.corrcoef(predicted.mean[:, 0], lines.own_y[:, 0])[0, 1] > 0.8
    assert np.abs(predicted.mean.mean(0) - pretrained.level.numpy()).max() < 0.5 * (
        pretrained.scale.numpy().max()
    )
    assert (np.sqrt(predicted.variance) > pretrained.scale.numpy()).all()


def test_level_and_scale_are_refitted(pretrained, lines):
    surrogate = fit(pretrained, lines.own_x, 1e6 * lines.own_y - 3e7)
    error = surrogate.mean_and_variance(lines.own_x).mean - (1e6 * lines.own_y - 3e7)
    assert np.abs(error).mean() < 1e6


@pytest.mark.parametrize("rows", [1, 2, 3])
@pytest.mark.parametrize("transfer", ["staged", "patent"])
def test_a_response_that_the_history_lacks_is_not_taken_as_known(plain, lines, rows, transfer):
    halved = replace(
        plain,
        known=torch.tensor([True, False]),
        level=plain.level * torch.tensor([1.0, 0.0]),
        scale=torch.stack([plain.scale[0], torch.ones(()).double()]),
    )
    Y = np.column_stack([lines.own_y[:, 0], 949.0 + lines.own_y[:, 1]])[:rows]
    surrogate = fit(halved, lines.own_x[:rows], Y, transfer=transfer)
    alone = fit(None, lines.own_x[:rows], Y)
    predicted, wanted = (each.mean_and_variance(lines.X[:20]) for each in (surrogate, alone))
    if transfer == "staged":
        assert surrogate.scale[1] == alone.scale[1]
        assert (predicted.variance[:, 1] > wanted.variance[:, 1] / 5).all()
    else:
        assert (surrogate.scale[1] > 900.0) == (rows == 1)
    assert np.abs(predicted.mean[:, 1] - 949.0).max() < 2 * alone.scale[1]


def test_each_response_learns_from_its_own_rows(pretrained, lines):
    Y = lines.own_y.copy()
    Y[10:, 1] = np.nan
    surrogate = fit(pretrained, lines.own_x, Y)
    usable(surrogate, lines.X[:20])
    assert surrogate.rows.tolist() == [30, 10]


def test_same_seed_same_surrogate(pretrained, lines):
    one = fit(pretrained, lines.own_x, lines.own_y, seed=2).mean_and_variance(lines.X)
    two = fit(pretrained, lines.own_x, lines.own_y, seed=2).mean_and_variance(lines.X)
    assert np.array_equal(one.mean, two.mean)
    assert np.array_equal(one.variance, two.variance)


@pytest.mark.parametrize("history", [True, False])
def test_the_number_of_threads_changes_no_digit(pretrained, lines, candidates, history):
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            surrogate = fit(pretrained if history else None, lines.own_x, lines.own_y)
            streamed = surrogate.mean_and_variance(candidates, chunk=7, by_expert=True)
            found.append(streamed)
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    one, two = found
    assert np.array_equal(one.expert_mean, two.expert_mean)
    assert np.array_equal(one.expert_variance, two.expert_variance)


def test_known_variances_count(pretrained, lines):
    variance = np.full_like(lines.own_y, 1e-4)
    variance[0] = 1e6
    Y = lines.own_y.copy()
    Y[0] += 100.0
    kept = np.arange(30) > 0
    trusting = fit(None, lines.own_x, Y, variance).mean_and_variance(lines.own_x[kept])
    assert np.abs(trusting.mean - lines.own_y[kept]).mean() < 2.0


awkward = st.sampled_from([0.0, 1.0, -1.0, 1e10, -1e10, 1e-10, float("nan")])


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    X=hnp.arrays(float, (7, 6), elements=st.sampled_from([0.0, 0.5, 1.0, -0.2, 3.0])),
    Y=hnp.arrays(float, (7, 2), elements=awkward),
    history=st.booleans(),
)
def test_awkward_rows_never_give_nan(pretrained, lines, X, Y, history):
    usable(fit(pretrained if history else None, X, Y), lines.X[:5])


@pytest.mark.parametrize("value", [0.0, 5.0, -1e8])
@pytest.mark.parametrize("history", [True, False])
def test_constant_responses_are_predicted_as_such(pretrained, lines, value, history):
    surrogate = fit(pretrained if history else None, lines.own_x, np.full_like(lines.own_y, value))
    usable(surrogate, lines.X[:5])
    near = surrogate.mean_and_variance(lines.own_x).mean
    assert np.abs(near - value).max() < 0.5 * surrogate.scale.max()


def test_conflicting_repeats_become_noise(pretrained, lines):
    X = np.repeat(lines.own_x[:5], 4, axis=0)
    Y = np.tile([[1.0, -1.0], [-1.0, 1.0]], (10, 1))
    surrogate = fit(pretrained, X, Y)
    usable(surrogate, lines.X[:5])
    assert (surrogate.noise > 0.3).all()


def test_patent_mode_is_the_ensemble_alone(plain, lines):
    surrogate = fit(plain, lines.own_x, lines.own_y, transfer="patent")
    assert surrogate.experts == ("patent",)
    usable(surrogate, lines.X[:20])


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_patent_mode_needs_no_rows_either(plain, lines, rows):
    usable(fit(plain, lines.own_x[:rows], lines.own_y[:rows], transfer="patent"), lines.X[:5])


def test_patent_mode_needs_a_history(lines):
    with pytest.raises(RefusedError) as caught:
        fit(None, lines.own_x, lines.own_y, transfer="patent")
    assert str(caught.value) == (
        'transfer = "patent" needs a pretrained network; import a history.'
    )


def test_nets_of_another_shape_are_refused(pretrained, lines):
    with pytest.raises(RefusedError) as caught:
        fit(pretrained, lines.own_x[:, :4], lines.own_y)
    assert str(caught.value) == (
        "The network was pretrained on 6 inputs and 2 responses, the campaign has 4 and 2; "
        "pretrain again."
    )


def test_columns_the_campaign_cannot_vary_do_not_matter(pretrained, lines):
    varying = np.array([True, True, True, False, False, False])
    surrogate = fit(None, lines.own_x, lines.own_y, varying=varying)
    moved = lines.X[:10].copy()
    moved[:, 3:] = 0.9
    one, two = (surrogate.mean_and_variance(X) for X in (lines.X[:10], moved))
    assert np.array_equal(one.mean, two.mean)


def test_progress_may_interrupt_a_fit(pretrained, lines):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(pretrained, lines.own_x, lines.own_y, progress=stop)


def test_a_row_is_left_out_of_the_level_and_gain_that_predict_it():
    generator = torch.Generator().manual_seed(1)
    values = torch.randn(5, 7, generator=generator, dtype=torch.float64)
    y = torch.randn(5, generator=generator, dtype=torch.float64)
    found = refitted_without_itself(values, y)
    for row in range(5):
        others = torch.arange(5) != row
        level, gain = level_and_gain(values.mean(1)[others, None], y[others, None])
        assert torch.allclose(found[row], level + gain * values[row])


def test_a_single_row_hardly_tells_the_experts_apart(pretrained, lines):
    halved = replace(pretrained, known=torch.tensor([True, False]))
    before = fit(halved, lines.own_x[:0], lines.own_y[:0]).weights
    weights = fit(halved, lines.own_x[:1], lines.own_y[:1]).weights
    assert np.abs(weights - before).max() < 0.08
