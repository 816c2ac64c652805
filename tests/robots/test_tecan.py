"""Tecan worklists read by dioscuri, and written and simulated by robotools."""

import locale
from collections import Counter
from decimal import Decimal
from itertools import groupby

import numpy as np
import pytest

from labloop.definition import DILUENT
from labloop.plate.deck import deck_list
from labloop.wells import column_major, padded, position, shape
from labloop.worklists import round_files

TROUGHS = (1, 12)

RESERVOIR = {"wells": 12, "well_volume_ul": 15000.0, "dead_volume_ul": 1000.0, "labware": "Trough"}
TUBES = {"wells": 15, "well_volume_ul": 1500.0, "dead_volume_ul": 50.0, "labware": "Tubes 15"}
SMALL = {"min_dispense_ul": 0.1, "increment_ul": 0.01, "max_dispense_ul": 10.0}

ROUNDS = {
    "96 wells": (96, {}),
    "384 wells": (384, {"tips": "dispense"}),
    "1536 wells": (1536, SMALL),
    "two plates of 96 wells from a reservoir, tubes and a deep-well plate": (
        96,
        {
            "source_plate": [RESERVOIR | {"holds": [DILUENT]}, TUBES | {"holds": ["glucose"]}],
            "place": [{"stock": "NaCl", "source_plate": 3, "wells": ["H12", "A1", "C7", "H11"]}],
            "source_well_volume_ul": 300.0,
            "tips": "dispense",
            "liquid_classes": {"glucose": "Sugar", "default": "Water free dispense"},
            "plate_labware": "96 Well Flat",
            "max_dispense_ul": 60.0,
        },
    ),
    "384 wells by hundredths of a microlitre": (384, SMALL | {"source_wells": 24}),
}


@pytest.fixture(scope="module", params=["evo", "fluent"])
def kind(request):
    return request.param


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(each, marks=pytest.mark.slow if wells > 96 else ())
        for each, (wells, _) in ROUNDS.items()
    ],
)
def plan(request, kind, round_of):
    wells, robot = ROUNDS[request.param]
    formulas = 60 if request.param.startswith("two plates") else None
    return round_of(kind, wells, robot=robot, formulas=formulas)


@pytest.fixture(scope="module")
def worklist(plan, kind):
    return round_files(kind, plan, stem="r1")[f"r1-{kind}.gwl"]


def test_dioscuri_reads_back_the_plan(plan, kind, worklist, planned_volumes, oracle, tmp_path):
    dioscuri = oracle("dioscuri")
    path = tmp_path / "round.gwl"
    path.write_text(worklist.decode("latin-1"), encoding=locale.getencoding())
    records = dioscuri.read_gwl(path).records
    pairs = [each for each in records if isinstance(each, dioscuri.Pipette)]
    assert [each.type_character for each in pairs] == ["A", "D"] * len(plan.dispenses)
    found = Counter()
    for drawn, given in zip(pairs[::2], pairs[1::2], strict=True):
        assert drawn.volume == given.volume
        number = int(drawn.rack_label.removeprefix("Source"))
        source = well_at(drawn.position, plan.robot.source_plate(number).wells, kind)
        plate = int(given.rack_label.removeprefix("Plate"))
        target = well_at(given.position, plan.plate.wells, kind)
        ticks = Decimal(drawn.volume) / Decimal(str(plan.robot.increment_ul))
        assert ticks == int(ticks) > 0
        found[number, source, plate, target] += int(ticks)
    assert found == planned_volumes(plan)


def well_at(text, wells, kind):
    """The well at a position, counted down the columns; a trough's rows are one well."""
    number = int(text)
    if wells in TROUGHS and kind == "evo":
        number = (number - 1) // 8 + 1
    assert 1 <= number <= wells
    return column_major(wells)[number - 1]


def test_tips_are_changed_at_each_stock_or_after_each_dispense(plan, worklist, oracle, tmp_path):
    dioscuri = oracle("dioscuri")
    path = tmp_path / "round.gwl"
    path.write_text(worklist.decode("latin-1"), encoding=locale.getencoding())
    stocks = plan.dispenses.groupby(["stock", "stock_concentration"], dropna=False).ngroups
    letters = Counter(dioscuri.read_gwl(path).list_records())
    assert letters["C"] == stocks
    assert letters["B"] == stocks - 1
    assert letters["W"] == (stocks if plan.robot.tips == "stock" else len(plan.dispenses))


def test_robotools_writes_the_same_and_nothing_runs_over_or_dry(plan, kind, worklist, oracle):
    robotools = oracle("robotools")
    written, racks = replayed(robotools, plan, kind, worklist)
    assert written == worklist.decode("latin-1").splitlines()

    tick = plan.robot.increment_ul
    taken = plan.dispenses.groupby(["source_plate", "source_well"])["ticks"].sum()
    for (number, well), ticks in taken.items():
        rack = racks[f"Source{number}"]
        dead = plan.robot.source_plate(number).dead_volume_ul
        assert rack.volumes[rack.indices[name(rack, well)]] == pytest.approx(dead, abs=tick / 1e3)
        assert ticks > 0
    filled = plan.layout[plan.layout["role"] != "empty"]
    room = plan.plate.well_volume_ul - plan.plate.inoculum_ul
    for plate, wells in filled.groupby("plate"):
        rack = racks[f"Plate{plate}"]
        left = np.zeros_like(rack.volumes)
        for well in wells["well"]:
            left[rack.indices[name(rack, well)]] = room
        np.testing.assert_allclose(rack.volumes, left, atol=tick / 1e3)


def replayed(robotools, plan, kind, worklist):
    """The lines that robotools writes for the plan, and its racks after it."""
    racks = racks_of(robotools, plan)
    kinds = {"evo": robotools.EvoWorklist, "fluent": robotools.FluentWorklist}
    made = kinds[kind](max_volume=10_000, auto_split=False, diti_mode=True)
    comments = iter(line[2:] for line in worklist.decode("latin-1").splitlines() if line[0] == "C")
    one_tip = plan.robot.tips == "stock"
    columns = ["stock", "stock_concentration", "source_plate", "source_well", "plate", "well"]
    rows = plan.dispenses[[*columns, "volume_ul"]].itertuples(index=False, name=None)
    classes = plan.robot.liquid_classes
    for count, (_, dispenses) in enumerate(groupby(rows, lambda row: (row[0], str(row[1])))):
        if count:
            made.commit()
        made.comment(next(comments))
        for n, (stock, _, number, source_well, plate, well, volume) in enumerate(dispenses):
            how = {"liquid_class": classes.get(stock, classes.get("default", ""))}
            how |= {"tip": 1} if one_tip else {}
            source, target = racks[f"Source{number}"], racks[f"Plate{plate}"]
            # Which of a trough's rows is used is free: the worklist goes down them.
            drawn = name(source, source_well, 0 if one_tip else n % 8)
            labware = plan.robot.source_plate(number).labware
            made.aspirate(source, drawn, volume, rack_type=labware, **how)
            given = name(target, well)
            made.dispense(target, given, volume, rack_type=plan.robot.plate_labware, **how)
            if not one_tip:
                made.wash()
        if one_tip:
            made.wash()
    return list(made), racks


def racks_of(robotools, plan):
    """robotools' racks, filled as the deck list says.

    robotools has no rows past Z, so that 1536 wells are one row of as many columns.
    """
    slack = plan.robot.increment_ul / 1e3
    racks = {}
    for number, wells in deck_list(plan.dispenses, plan.robot).groupby("source_plate"):
        source = plan.robot.source_plate(number)
        limits = {
            "min_volume": max(0.0, source.dead_volume_ul - slack),
            "max_volume": source.well_volume_ul + slack,
        }
        rows, columns = shape(source.wells)
        fill = np.zeros((rows, columns))
        for well, volume in zip(wells["source_well"], wells["fill_volume_ul"], strict=True):
            fill[position(well, source.wells)] = volume
        label = f"Source{number}"
        racks[label] = (
            robotools.Trough(label, 8, columns, initial_volumes=fill.ravel().tolist(), **limits)
            if source.wells in TROUGHS
            else robotools.Labware(label, rows, columns, initial_volumes=fill, **limits)
        )
    rows, columns = shape(plan.plate.wells) if plan.plate.wells < 1536 else (1, 1536)
    for plate in plan.layout["plate"].unique():
        most = plan.plate.well_volume_ul - plan.plate.inoculum_ul + slack
        racks[f"Plate{plate}"] = robotools.Labware(
            f"Plate{plate}", rows, columns, min_volume=0, max_volume=most
        )
    return racks


def name(rack, well, row=0):
    """robotools' name of a well; a trough has eight for each column."""
    if rack.virtual_rows:
        return f"{'ABCDEFGH'[row]}{padded(well)[1:]}"
    if rack.shape == (1, 1536):
        return f"A{column_major(1536).index(well) + 1:02d}"
    return padded(well)


def test_robotools_would_notice_wells_that_run_over_and_sources_that_run_dry(round_of, oracle):
    robotools = oracle("robotools")
    plan = round_of("evo", 96, formulas=4)
    worklist = round_files("evo", plan, stem="r1")["r1-evo.gwl"]
    plan.dispenses.loc[0, "volume_ul"] += 0.1
    with pytest.raises(robotools.VolumeUnderflowError):
        replayed(robotools, plan, "evo", worklist)
    plan.dispenses.loc[0, "ticks"] += 1  # the source well holds as much more
    with pytest.raises(robotools.VolumeOverflowError):
        replayed(robotools, plan, "evo", worklist)
