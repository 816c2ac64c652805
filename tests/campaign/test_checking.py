"""What a definition allows is said before the first plate is made."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from labloop import Campaign
from labloop.campaign.checking import Checked, check
from labloop.definition import parse
from labloop.errors import RefusedError
from labloop.space import FormulaSpace


def checked(*components: dict[str, Any], **changes: Any) -> Checked:
    """Check a definition of components that each have a range of 0 to 10 mM."""
    usual = {"unit": "mM", "high": 10.0, "stocks": [200.0, 20.0]}
    definition = parse(
        {
            "name": "small",
            "plate": {"well_volume_ul": 200.0, "inoculum_ul": 20.0},
            "robot": {"kind": "biomek"},
            "component": [
                usual | {"name": f"c{number}"} | each
                for number, each in enumerate(components, start=1)
            ],
            "response": [{"name": "titre"}],
            "proposal": {"formulas": 6},
        }
        | changes
    )
    return check(definition, FormulaSpace.of(definition))


def test_what_the_robot_reaches_and_needs(fresh, lab):
    checked = fresh.check()
    assert checked.components.index.tolist() == lab.names
    glucose = checked.components.loc["glucose"]
    # 1 µL of the 20 mM stock in 200 µL is the least; 0.1 µL steps of it are 10 % there
    assert (glucose["unit"], glucose["lowest"], glucose["highest"]) == ("mM", 0.1, 10.0)
    assert 0.9 < glucose["reach"] < 1
    assert 0.23 < glucose["fine_from"] < 0.25
    assert glucose["worst_error"] == pytest.approx(0.005, abs=1e-4)  # halfway to the least level
    assert glucose["high_ul"] == 10.0
    assert 5.0 < glucose["usual_ul"] < 7.0
    assert (checked.plates, checked.wells, checked.feasible) == (1, 14, 1.0)
    assert checked.deck["stock"].tolist()[0] == "water"
    filled = checked.deck["volume_ul"].sum()
    assert filled == pytest.approx(14 * 180.0)
    assert (checked.deck["fill_volume_ul"] > checked.deck["volume_ul"]).all()
    assert checked.deck["source_plates"].unique().tolist() == ["1"]
    assert checked.source_plates["used"].tolist() == [checked.deck["source_wells"].sum()]
    assert checked.tips == {"tip": len(checked.deck)}
    assert (checked.tip_racks, checked.load.needed, checked.sittings) == (1, 3, 1)
    assert (checked.room_ul, checked.fits) == (180.0, 1.0)
    assert (checked.warnings, checked.notes) == ((), ())
    assert checked.extra_stocks.empty
    assert checked.stronger_stocks.empty
    assert np.isnan([checked.different, checked.fits_with_extra, checked.fits_with_stronger]).all()


def test_components_that_do_not_vary_or_have_no_range(tmp_path, lab):
    component = [
        *lab.definition()["component"][:1],
        {"name": "protein", "choices": ["soy", "wheat"]},
        {"name": "salt", "unit": "mM", "fixed": 0.0, "stocks": [100.0]},
        {"name": "buffer", "unit": "mM", "fixed": 25.0, "stocks": [1000.0]},
        {"name": "serum", "unit": "%", "high": 10.0},
    ]
    formulas = {"commercial": {"protein": "soy"}}
    definition = lab.definition(component=component, formulas=formulas)
    with Campaign.create(tmp_path / "kinds", definition) as campaign:
        shown = campaign.check().components
    assert shown.loc["protein", ["unit", "levels"]].tolist() == ["", 2]
    assert np.isnan(shown.loc["protein", "lowest"])
    assert shown.loc[["salt", "buffer"], "levels"].tolist() == [1, 1]
    assert shown.loc[["protein", "salt", "buffer", "serum"], "reach"].tolist() == [1.0] * 4


def test_constraints_say_how_much_of_the_space_they_leave(tmp_path, lab):
    limit = [{"total": {"glucose": 1.0, "zinc": 1.0}, "at_most": 10.0}]
    with Campaign.create(tmp_path / "limited", lab.definition(constraint=limit)) as campaign:
        assert 0.3 < campaign.check().feasible < 0.7


def test_a_control_that_the_stocks_cannot_make(tmp_path, lab):
    formulas = {"commercial": {"glucose": 0.01}}
    with (
        Campaign.create(tmp_path / "weak", lab.definition(formulas=formulas)) as campaign,
        pytest.raises(RefusedError) as error,
    ):
        campaign.check()
    assert str(error.value) == (
        'The control "commercial" cannot be made: 0.01 mM of glucose cannot be made from its '
        "stocks (200, 20 mM); add a stock of 2 mM or change the formula."
    )


def test_a_part_of_the_range_that_is_missing_and_the_stock_that_would_make_it():
    found = checked({"stocks": [400.0]}, {})
    assert found.warnings == (
        "c1: nothing between 0 and 2 mM can be made (20% of its range); add a stock of 60 mM (96% "
        "of its range within 2 %, instead of 71%).",
    )
    row = found.extra_stocks.iloc[0]
    assert row[["component", "unit", "stock"]].tolist() == ["c1", "mM", 60.0]
    assert row["reach"] == found.components.loc["c1", "reach"]
    assert np.isnan(row[["second_stock", "with_both"]].astype(float)).all()
    mended = checked({"stocks": [400.0, 60.0]}, {})
    assert mended.components.loc["c1", "reach"] == pytest.approx(row["with_stock"])
    assert mended.warnings == ()


def test_coarse_steps_at_the_low_end_are_no_reason_for_alarm():
    found = checked({"stocks": [100.0]}, {"stocks": [100.0]})
    assert found.components["reach"].max() < 0.95
    assert found.warnings == ()
    assert found.notes == (
        "c1 and c2 are made in steps that are coarse for the low end and small against the whole "
        "range: that is fine, and the table says which stocks would make finer ones.",
    )
    assert found.extra_stocks["component"].tolist() == ["c1", "c2"]


def test_a_gap_above_a_low_end_is_as_bad_as_one_half_as_wide_above_zero():
    found = checked({"low": 1.0, "high": 100.0, "stocks": [1000.0]}, {})
    assert found.warnings == (
        "c1: nothing between 1 and 5 mM can be made (4% of its range); add a stock of 500 mM (97% "
        "of its range within 2 %, instead of 94%).",
    )


def test_stocks_that_are_never_used_are_named():
    found = checked({"high": 0.4, "stocks": [8000.0, 20.0, 2.0]}, {})
    assert found.notes == (
        "The stock of 8000 mM of c1 is never used: the least dispense makes 40, above high 0.4; "
        "leave it out.",
    )
    weak = checked({"low": 9.5, "stocks": [200.0, 10.0]}, {})
    assert weak.notes[0] == (
        "The stock of 10 mM of c1 is never used: a well full of it makes 9, below low 9.5; leave "
        "it out."
    )
    idle = checked({"levels": [0.0, 5.0, 10.0], "stocks": [200.0, 100.0]}, {}, {})
    assert idle.notes == (
        "The stock of 100 mM of c1 is never used: every level is made as well, of less volume, or "
        "better with another; leave it out.",
    )
    control = {"controls": {"weak": 1}, "well_volume_ul": 200.0, "inoculum_ul": 20.0}
    drawn = checked(
        {"low": 5.0, "stocks": [200.0, 20.0]}, {}, plate=control, formulas={"weak": {"c1": 0.2}}
    )
    assert drawn.notes == ()


def test_volumes_and_concentrations_are_written_without_powers_of_ten():
    found = checked({"high": 30000.0, "stocks": [400000.0]}, {})
    assert "nothing between 0 and 2000 mM" in found.warnings[0]
    thin = checked({"high": 90000.0, "stocks": [1e6]}, {})
    assert "e+" not in "".join((*thin.warnings, *thin.notes))


def test_levels_and_fixed_concentrations_that_cannot_be_made():
    levels = {"levels": [0.0, 0.01, 1.0, 2.0]}
    found = checked(levels, {"fixed": 1.05, "stocks": [200.0]}, {})
    assert found.warnings == (
        "c2: 1.05 mM becomes 1; add a stock of 100 mM (100% of its range within 2 %, instead of "
        "0%).",
        "c1: of its levels 0, 0.01, 1, 2 mM the stocks make 0, 1, 2; add a stock of 2 mM (100% of "
        "its range within 2 %, instead of 67%).",
    )


def test_where_no_stock_helps_it_is_said_what_does():
    top = checked({"stocks": [10.0], "solubility": 10.0})
    assert top.warnings == (
        "c1: nothing between 9 and 10 mM can be made (8% of its range); no stock that fits the "
        "well and dissolves brings the reach up; narrow the range.",
    )
    small = {"wells": 1536, "well_volume_ul": 2.0}
    tiny = checked({"stocks": [20.0]}, {}, plate=small)
    assert tiny.warnings[-1].endswith('; more is reached with a robot like "idot" (99%).')


def test_how_much_of_the_space_the_well_cuts_off():
    weak = [{"stocks": [50.0], "solubility": 450.0}, *[{"stocks": [50.0]}] * 9]
    found = checked(*weak)
    assert found.fits < 0.5
    assert found.warnings[0].startswith(
        "The highest concentrations together take 400 µL, and a well has 180 µL beside the "
        f"inoculum: {1 - found.fits:.0%} of random formulas do not fit and are thinned. A "
        "formula's "
    )
    assert found.warnings[0].endswith(
        f"; with stronger stocks that dissolve (c1 400 mM) {found.fits_with_stronger:.0%} fit."
    )
    assert found.fits < found.fits_with_stronger < 1
    assert found.stronger_stocks.to_dict("list") == {
        "component": ["c1"],
        "unit": ["mM"],
        "stock": [400.0],
    }


def test_fewer_formulas_than_a_round_has():
    few = {"levels": [0.0, 1.0, 2.0]}
    found = checked(few)
    assert found.different == 3
    assert found.warnings == (
        "Only 3 different formulas can be made, and a round has 6; lower formulas under "
        "[proposal], or give components more levels.",
    )
    assert checked(few, few).notes == (
        "The stocks of 20 mM of c1 and c2 are never used: every level is made as well, of less "
        "volume, or better with another; leave them out.",
        "There are 9 different formulas, and a round has 6: few rounds make them all.",
    )
    limit = [{"total": {"c1": 1.0, "c2": 1.0}, "at_most": 2.0}]
    assert checked(few, few, constraint=limit).different == 6


def test_a_deck_that_is_too_small():
    fresh_tips = {"kind": "biomek", "positions": 4, "tips": "dispense"}
    found = checked({}, {}, robot=fresh_tips, plate={"replicates": 12})
    assert found.tips["tip"] > 96
    assert (found.load.needed, found.tip_racks) == (5, 3)
    assert found.warnings == (
        "The deck holds 4 plates, racks and reservoirs, and a round takes 5: 1 source plate, 1 "
        'plate and 3 tip racks; set tips = "stock" under [robot].',
    )
    small = checked({}, robot={"kind": "biomek", "positions": 2})
    assert small.warnings[0].endswith(
        "; use source plates with more or larger wells, or fewer plates a round."
    )


def test_an_opentrons_waits_for_new_tip_racks() -> None:
    fresh_tips = {"kind": "ot2", "positions": 5, "tips": "dispense"}
    found = checked({}, {}, robot=fresh_tips, plate={"replicates": 12})
    assert (found.load.tip_racks, found.load.needed, found.sittings) == (3, 5, 1)
    assert found.warnings == ()
    once = "The tip racks are changed once during the run; the protocol pauses for it."
    assert found.notes == (once,)
    many = checked({}, {}, robot=fresh_tips | {"kind": "flex"}, plate={"wells": 24, "plates": 8})
    assert many.sittings > 1
    assert many.warnings == ()
    assert many.notes[0].endswith("sittings, each with tips of its own.")
    assert not [each for each in many.notes if "racks are changed" in each]


def test_wells_that_the_user_gives_a_stock_and_that_are_nearly_drained():
    robot = {
        "kind": "biomek",
        "place": [{"stock": "c1", "wells": ["A1"]}],
        "source_plate": [{"wells": 24, "well_volume_ul": 680.0, "dead_volume_ul": 20.0}],
    }
    plate = {"replicates": 2, "inoculum_ul": 20.0}
    found = checked({"stocks": [20.0]}, robot=robot, plate=plate)
    assert found.warnings == (
        "A typical round takes 624.2 µL of c1 and its wells in [[robot.place]] give 660; "
        "another round may need more, so name more wells there.",
    )


def test_source_plates_that_do_not_suffice_or_stay_empty():
    small = {"wells": 6, "well_volume_ul": 120.0, "dead_volume_ul": 20.0, "holds": ["c1"]}
    spare = {"wells": 6, "well_volume_ul": 90.0, "dead_volume_ul": 20.0, "holds": ["c2"]}
    robot = {"kind": "biomek", "source_plate": [small, spare | {"labware": "spare"}]}
    plate = {"replicates": 2, "inoculum_ul": 20.0}
    choice = {"name": "c2", "fixed": 0.0, "stocks": [20.0]}
    found = checked({"stocks": [20.0]}, choice, robot=robot, plate=plate)
    assert found.warnings == (
        "c1 20 mM does not find room in source plate 1, which holds it: it stands in source plate "
        "3 too; give it more or larger wells.",
    )
    assert found.notes == (
        "Nothing stands in source plate 2 (spare); leave it out, or let it hold something.",
    )
    assert found.source_plates["used"].tolist()[:2] == [6, 0]


def test_a_robot_that_takes_little_from_each_source_well():
    plate = {"wells": 384, "well_volume_ul": 50.0, "replicates": 2}
    stock = {"stocks": [100.0]}
    found = checked(stock, plate=plate, robot={"kind": "echo525"})
    assert found.notes[-1:] == (
        "From one source well the robot takes at most 10 µL, so that stocks stand in 4 wells; if "
        "yours draws all 45 µL above the dead volume, set most_from_well_ul = 45 under [robot], "
        "and they stand in 1.",
    )
    whole = {"kind": "echo525", "most_from_well_ul": 45.0}
    assert checked(stock, plate=plate, robot=whole).notes == found.notes[:-1]


def test_a_round_that_the_robot_would_be_refused_is_said_with_its_reason():
    found = checked({}, robot={"kind": "ot2", "positions": 2})
    assert found.warnings[0].startswith('The robot "ot2" could not be given a first round. ')
    assert checked({}, robot={"kind": "ot2"}).warnings == ()


def test_warnings_are_ordered_by_what_they_cost():
    components = [{"stocks": [1000.0]}, {"stocks": [400.0]}, {"levels": [0.0, 5.0]}, {}]
    found = checked(*components, robot={"kind": "biomek", "positions": 1})
    assert [each.split(":")[0].split(" ")[0] for each in found.warnings] == ["The", "c1", "c2"]
