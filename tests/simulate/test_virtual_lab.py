import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from labloop.simulate.virtual_lab import VirtualLab
from labloop.wells import well_names

SEEDS = st.integers(0, 1000)


def formulas(count, components, seed=0):
    return np.random.default_rng(seed).random((count, components))


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 30), st.integers(1, 5), SEEDS)
def test_responses_have_their_shape_and_are_above_zero(components, responses, seed):
    lab = VirtualLab(components, responses, seed)
    truth = lab.source.true_response(formulas(50, components, seed))
    assert truth.shape == (50, responses)
    assert (truth > 0).all()
    measured = lab.source.measure(formulas(50, components, seed), np.random.default_rng(seed))
    assert measured.shape == (50, responses)
    assert (measured > 0).all()
    names = [response.name for response in lab.source.responses]
    assert len(set(names)) == responses
    if "viability" in names:
        assert (measured[:, names.index("viability")] <= 100).all()


def test_the_corners_are_finite():
    line = VirtualLab(6, 3, 0).line("moderate")
    assert np.isfinite(line.true_response([[0.0] * 6, [1.0] * 6])).all()


def test_the_same_numbers_give_the_same_lab_and_others_another():
    X = formulas(20, 8)
    truth = VirtualLab(8, 2, 1).line("related", 3).true_response(X)
    np.testing.assert_array_equal(truth, VirtualLab(8, 2, 1).line("related", 3).true_response(X))
    assert not np.allclose(truth, VirtualLab(8, 2, 2).line("related", 3).true_response(X))
    assert not np.allclose(truth, VirtualLab(8, 2, 1).line("related", 4).true_response(X))


@pytest.mark.parametrize("components", [10, 20, 50])
@pytest.mark.parametrize(
    ("likeness", "low", "high"),
    [("related", 0.9, 0.99), ("moderate", 0.65, 0.85), ("unrelated", 0.25, 0.55), (0.6, 0.5, 0.7)],
)
def test_lines_are_as_alike_as_wanted(components, likeness, low, high):
    lab = VirtualLab(components, 1, seed=1)
    X = formulas(4000, components, seed=7)
    line = lab.line(likeness, seed=2)
    found = spearmanr(lab.source.true_response(X), line.true_response(X)).statistic
    assert low < found < high
    assert abs(found - line.likeness) < 0.08


def test_full_likeness_is_the_source_itself():
    lab = VirtualLab(5, 1, 0)
    assert lab.line(1.0) is lab.source


def test_a_likeness_beyond_one_is_refused():
    with pytest.raises(ValueError, match=r"likeness must be between 0 and 1 \(got 1.5\)"):
        VirtualLab(5).line(1.5)


def test_a_fifth_of_the_components_is_inert_in_every_line():
    lab = VirtualLab(20, 2, 3)
    for line in (lab.source, lab.line("unrelated")):
        X = formulas(5, 20)
        inert = [
            component
            for component in range(20)
            if np.allclose(line.true_response(X), line.true_response(_without(X, component)))
        ]
        assert len(inert) == 4


def _without(X, component):
    changed = X.copy()
    changed[:, component] = 0.0
    return changed


def test_noise_is_five_to_ten_percent_and_grows_with_the_signal():
    line = VirtualLab(10, 1, 0).source
    X = np.repeat(formulas(40, 10), 400, axis=0)
    measured = line.measure(X, np.random.default_rng(0)).reshape(40, 400)
    truth = line.true_response(X[::400])[:, 0]
    relative = measured.std(axis=1) / truth
    assert ((relative > 0.04) & (relative < 0.12)).all()
    assert spearmanr(measured.std(axis=1), truth).statistic > 0.8


def test_plates_and_wells_leave_their_marks():
    line = VirtualLab(10, 1, 0).source
    wells = list(well_names(96)) * 20
    plates = np.repeat(np.arange(20), 96)
    X = np.full((len(wells), 10), 0.5)
    rng = np.random.default_rng(0)
    measured = line.measure(X, rng, plates=plates, wells=wells)[:, 0].reshape(20, 8, 12)
    truth = line.true_response(X[:1])[0, 0]
    inside = measured[:, 3:5, 3:9].mean()
    outside = measured[:, 0, :].mean()
    assert outside < 0.9 * inside
    by_plate = measured.mean(axis=(1, 2)) / truth
    assert 0.02 < by_plate.std() < 0.15


@pytest.mark.parametrize("components", [10, 20, 50])
def test_the_best_is_several_times_the_median_and_beyond_random_search(components):
    line = VirtualLab(components, 3, 4).line("moderate")
    titre = line.true_response(formulas(4000, components))[:, 0]
    formula, best = line.best()
    assert formula.shape == (components,)
    assert ((formula >= 0) & (formula <= 1)).all()
    assert line.true_response(formula[None])[0, 0] == best
    assert best > 2.5 * np.median(titre)
    assert best > titre.max()
    again = line.best(seed=1)[1]
    assert again == pytest.approx(best, rel=0.05)


def test_other_responses_follow_the_titre_without_being_it():
    truth = VirtualLab(20, 4, 0).source.true_response(formulas(2000, 20))
    for other in range(1, 4):
        assert 0.2 < spearmanr(truth[:, 0], truth[:, other]).statistic < 0.98


def test_rows_of_another_width_are_refused():
    with pytest.raises(ValueError, match=r"X must be \(n, 5\) \(got \(3, 4\)\)"):
        VirtualLab(5).source.true_response(np.zeros((3, 4)))
