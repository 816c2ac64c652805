import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from labloop.errors import RefusedError
from labloop.plate.layout import arrange
from labloop.wells import edge_wells, position, ring, shape, well_names

SMALL = st.sampled_from([24, 48, 96])


@st.composite
def rounds(draw):
    wells = draw(SMALL)
    controls = {f"control {n}": draw(st.integers(1, 3)) for n in range(draw(st.integers(0, 2)))}
    empty = draw(
        st.one_of(st.just("edge"), st.sets(st.sampled_from(well_names(wells)), max_size=9))
    )
    formulas = draw(st.integers(1, 40))
    replicates = draw(st.integers(1, 4))
    assume(empty != "edge" or wells > 24)
    return {
        "formulas": [f"F{n}" for n in range(formulas)],
        "controls": controls,
        "wells": wells,
        "replicates": replicates,
        "plates": draw(st.integers(1, 5)),
        "empty_wells": empty if empty == "edge" else tuple(empty),
        "seed": draw(st.integers(0, 2**32)),
    }


@settings(max_examples=35, deadline=None)
@given(rounds())
def test_every_formula_control_and_empty_well_has_its_place(wanted):
    layout = arrange(**wanted)
    plates = int(layout["plate"].max())
    assert len(layout) == plates * wanted["wells"]
    assert not layout.duplicated(["plate", "well"]).any()
    assert sorted(layout.loc[layout["plate"] == 1, "well"]) == sorted(well_names(wanted["wells"]))

    formulas = layout[layout["role"] == "formula"]
    count = formulas["formula"].value_counts()
    assert set(count.index) == set(wanted["formulas"])
    assert (count == wanted["replicates"]).all()
    for _, rows in formulas.groupby("formula"):
        assert sorted(rows["replicate"]) == list(range(1, wanted["replicates"] + 1))

    controls = layout[layout["role"] == "control"]
    for name, wells in wanted["controls"].items():
        mine = controls[controls["formula"] == name]
        assert list(mine["plate"].value_counts().sort_index()) == [wells] * plates
        assert sorted(mine["replicate"]) == list(range(1, wells * plates + 1))

    kept_empty = wanted["empty_wells"]
    kept_empty = edge_wells(wanted["wells"]) if kept_empty == "edge" else kept_empty
    empty = layout[layout["well"].isin(kept_empty)]
    assert (empty["role"] == "empty").all()
    unused = layout[layout["role"] == "empty"]
    assert unused["formula"].isna().all()
    assert (unused["replicate"] == 0).all()


@settings(max_examples=20, deadline=None)
@given(rounds())
def test_replicates_are_spread_over_the_plates_as_evenly_as_they_can_be(wanted):
    layout = arrange(**wanted)
    formulas = layout[layout["role"] == "formula"]
    plates = int(layout["plate"].max())
    each = pd.crosstab(formulas["formula"], formulas["plate"])
    each = each.reindex(columns=range(1, plates + 1), fill_value=0)
    assert (each.max(axis=1) - each.min(axis=1) <= 1).all()
    load = formulas["plate"].value_counts()
    assert load.max() - load.min() <= 1


@settings(max_examples=15, deadline=None)
@given(rounds())
def test_a_round_has_the_wanted_plates_but_none_without_a_formula(wanted):
    formula_wells = len(wanted["formulas"]) * wanted["replicates"]
    plates = int(arrange(**wanted)["plate"].max())
    alone = int(arrange(**(wanted | {"plates": 1}))["plate"].max())
    assert plates == max(alone, min(wanted["plates"], formula_wells))


@pytest.mark.parametrize(("plates", "replicates"), [(4, 2), (3, 2), (5, 3), (8, 3)])
def test_every_two_plates_share_formulas(plates, replicates):
    """Plates are told apart by the formulas that they share, not by their controls alone."""
    formulas = [f"F{n}" for n in range(60)]
    layout = arrange(formulas, {}, wells=96, replicates=replicates, plates=plates, seed=0)
    there = pd.crosstab(layout["formula"], layout["plate"]).to_numpy() > 0
    assert (there.sum(axis=1) == replicates).all()
    assert (there.astype(int).T @ there > 0).all()


@settings(max_examples=10, deadline=None)
@given(
    st.sampled_from([24, 48, 96]),
    st.lists(st.integers(1, 4), min_size=1, max_size=3),
    st.integers(1, 2),
    st.integers(0, 2**32),
)
def test_no_two_controls_stand_side_by_side(wells, each, plates, seed):
    controls = {f"k{number}": count for number, count in enumerate(each)}
    formulas = [f"F{n}" for n in range((wells - sum(each)) * plates // 2)]
    layout = arrange(formulas, controls, wells=wells, replicates=2, plates=plates, seed=seed)
    for _, plate in layout.groupby("plate"):
        control = (plate["role"] == "control").to_numpy().reshape(shape(wells))
        assert not (control[1:] & control[:-1]).any()
        assert not (control[:, 1:] & control[:, :-1]).any()


@pytest.mark.parametrize("wells", [24, 96, 384])
def test_controls_in_a_quarter_of_the_wells_are_parted(wells):
    formulas = [f"F{n}" for n in range(wells // 4)]
    layout = arrange(formulas, {"k": wells // 4}, wells=wells, replicates=3, seed=0)
    control = (layout["role"] == "control").to_numpy().reshape(shape(wells))
    assert not (control[1:] & control[:-1]).any()
    assert not (control[:, 1:] & control[:, :-1]).any()


def test_the_seed_decides():
    one, same, other = (
        arrange(["a", "b", "c"], {"k": 3}, wells=96, replicates=3, seed=seed) for seed in (1, 1, 2)
    )
    pd.testing.assert_frame_equal(one, same)
    assert not one.equals(other)


def test_a_plate_that_is_not_full_leaves_its_outer_wells_empty():
    layout = arrange([f"F{n}" for n in range(30)], {}, wells=96, replicates=2, seed=0)
    filled = layout.loc[layout["role"] != "empty", "well"]
    assert len(filled) == 60
    assert min(ring(well, 96) for well in filled) == 1


@pytest.mark.parametrize("profile", [(0.35, 0.25, 0.10, 0), (0.16, 0.07, 0.01, 0)])
def test_edge_and_gradient_bias_formulas_less_than_a_random_layout(profile):
    """The published edge profiles (Mansoury et al. 2021) on 28 formulas × 3 and 12 controls."""
    ours, random = [], []
    for seed in range(5):
        layout = arrange([f"F{n}" for n in range(28)], {"k": 12}, wells=96, replicates=3, seed=seed)
        place = np.array([position(well, 96) for well in layout["well"]])
        depth = np.minimum([ring(well, 96) for well in layout["well"]], 3)
        effect = -np.array(profile)[depth] + 0.1 * place[:, 0] / 7 + 0.1 * place[:, 1] / 11
        formula = layout["formula"].to_numpy()
        shuffled = np.random.default_rng(seed).permutation(formula)
        for label, found in ((formula, ours), (shuffled, random)):
            found.append(pd.Series(effect).groupby(label).mean().drop("k").std())
    assert np.mean(ours) < 0.4 * np.mean(random)


def test_large_plates_keep_the_invariants():
    layout = arrange([f"F{n}" for n in range(500)], {"k": 32}, wells=1536, replicates=3, seed=0)
    assert (layout["role"] == "formula").sum() == 1500
    assert not layout.duplicated(["plate", "well"]).any()
    assert layout["plate"].max() == 1
    round_of_eight = arrange(
        [f"F{n}" for n in range(930)], {"k": 32}, wells=384, replicates=3, plates=8, seed=0
    )
    assert round_of_eight["plate"].max() == 8
    assert round_of_eight.groupby(["plate", "role"]).size().xs("control", level=1).eq(32).all()


def test_whole_numbers_serve_as_formula_ids():
    layout = arrange([7, 8], {"k": 1}, wells=24, replicates=2, seed=0)
    assert sorted(layout.loc[layout["role"] == "formula", "formula"]) == [7, 7, 8, 8]


def test_controls_that_overfill_a_plate_are_refused():
    with pytest.raises(RefusedError) as refusal:
        arrange(["a"], {"k": 8}, wells=24, replicates=1, empty_wells="edge", seed=0)
    assert str(refusal.value) == (
        "The controls take 8 wells and the plate has 8 that are not kept empty, which leaves none "
        "for a formula; have fewer controls, fewer empty wells or a larger plate."
    )


def test_a_formula_named_twice_or_like_a_control_is_refused():
    with pytest.raises(RefusedError, match='Formula "a" is named twice'):
        arrange(["a", "a"], {}, wells=24, replicates=1, seed=0)
    with pytest.raises(RefusedError, match='Formula "k" is named like a control'):
        arrange(["a", "k"], {"k": 1}, wells=24, replicates=1, seed=0)


def test_an_empty_well_that_the_plate_lacks_is_refused():
    with pytest.raises(RefusedError, match='no well "H1"'):
        arrange(["a"], {}, wells=24, replicates=1, empty_wells=("H1",), seed=0)
