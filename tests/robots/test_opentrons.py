"""Opentrons' own analysis of the protocols, and its labware, in an environment of its own.

`opentrons` wants another numpy than labloop. The analysis catches wells that labware lacks, empty
tip racks and more than a pipette holds; what it lets pass is tested in
tests/worklists/test_opentrons.py.
"""

import json
import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from labloop.plate.tips import tips_needed
from labloop.robots import PIPETTES
from labloop.worklists import round_files
from labloop.worklists.opentrons_labware import (
    PLATES,
    SOURCES,
    TIP_RACKS,
    capacity_ul,
    problem_of,
    wells_of,
)

pytestmark = pytest.mark.slow

LABWARE = """
import json, opentrons_shared_data, pathlib
found = {}
folder = pathlib.Path(opentrons_shared_data.__file__).parent / "data/labware/definitions/2"
for file in folder.glob("*/*.json"):
    labware = json.loads(file.read_text(encoding="utf-8"))
    most = {well["totalLiquidVolume"] for well in labware["wells"].values()}
    found[labware["parameters"]["loadName"]] = (
        labware["metadata"]["displayCategory"], len(labware["ordering"]),
        [len(column) for column in labware["ordering"]][:1], sorted(most))
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def python():
    """The interpreter that has opentrons; tests are skipped where there is none."""
    beside = Path(__file__).resolve().parents[2] / ".venv-opentrons"
    folder = Path(os.environ.get("LABLOOP_OPENTRONS", beside))
    found = [folder / name for name in ("bin/python", "Scripts/python.exe")]
    found = [file for file in found if file.exists()]
    if not found:
        pytest.skip(f"opentrons is not installed in {folder}; `make test-robots` installs it")
    return found[0]


@pytest.fixture
def analysed(python, tmp_path):
    """The function that analyses a protocol, and returns the analysis."""

    def analysed(content):
        protocol, result = tmp_path / "protocol.py", tmp_path / "analysis.json"
        protocol.write_bytes(content)
        asked = [python, "-m", "opentrons.cli", "analyze", f"--json-output={result}", protocol]
        settings = {"OT_API_CONFIG_DIR": str(tmp_path / "settings"), "PYTHONUTF8": "1"}
        (tmp_path / "settings").mkdir(exist_ok=True)
        subprocess.run(asked, check=True, capture_output=True, env=os.environ | settings)
        analysis = json.loads(result.read_text(encoding="utf-8"))
        assert analysis["errors"] == []
        assert analysis["result"] == "ok"
        return analysis

    return analysed


def volumes_of(analysis, increment_ul):
    """Sum the pairs of aspirate and dispense as `planned_volumes` does."""
    named = {}
    for each in analysis["labware"]:
        if each.get("displayName", "").startswith(("plate ", "source plate ")):
            named[each["id"]] = int(each["displayName"].split()[-1])
    held, total = {}, Counter()
    for command in analysis["commands"]:
        params = command["params"]
        if command["commandType"] == "aspirate":
            assert params["pipetteId"] not in held
            held[params["pipetteId"]] = params
        elif command["commandType"] == "dispense":
            drawn = held.pop(params["pipetteId"])
            assert drawn["volume"] == params["volume"]
            ticks = params["volume"] / increment_ul
            assert ticks == pytest.approx(round(ticks), abs=1e-6)
            source = named[drawn["labwareId"]], drawn["wellName"]
            total[(*source, named[params["labwareId"]], params["wellName"])] += round(ticks)
    assert not held
    return dict(total)


def tips_of(analysis):
    """Count the tips that each pipette picks up, by the pipette's name in the Python API."""
    api = {"p50_single_flex": "flex_1channel_50", "p1000_single_flex": "flex_1channel_1000"}
    names = {
        each["id"]: api.get(each["pipetteName"], each["pipetteName"])
        for each in analysis["pipettes"]
    }
    picked = [c["params"] for c in analysis["commands"] if c["commandType"] == "pickUpTip"]
    return dict(Counter(names[params["pipetteId"]] for params in picked))


ROUNDS = [
    ("ot2", 96, {"components": 9}),
    ("flex", 96, {"components": 9}),
    ("ot2", 384, {"components": 2, "inoculum_share": 0.0}),
    ("flex", 384, {"components": 2}),
    ("ot2", 24, {"components": 8, "formulas": 30}),
    ("ot2", 24, {"components": 9, "robot": {"tips": "dispense", "positions": 5}}),
    ("flex", 24, {"components": 9, "robot": {"tips": "dispense"}}),
    ("ot2", 24, {"components": 8, "robot": {"pipettes": ["p1000_single_gen2", "p20_single_gen2"]}}),
    ("ot2", 24, {"components": 8, "robot": {"pipettes": ["p10_single", "p50_single"]}}),
    ("ot2", 24, {"components": 6, "robot": {"pipettes": ["p300_single", "p1000_single"]}}),
]


@pytest.mark.parametrize(("kind", "wells", "changes"), ROUNDS)
def test_the_analysis_dispenses_the_plan_with_the_tips_that_are_counted(
    analysed, round_of, planned_volumes, kind, wells, changes
):
    plan = round_of(kind, wells, **changes)
    files = round_files(kind, plan, stem="r1")
    total, tips = Counter(), Counter()
    for name, content in files.items():
        if name.endswith(".py"):
            analysis = analysed(content)
            total.update(volumes_of(analysis, plan.robot.increment_ul))
            tips.update(tips_of(analysis))
    assert dict(total) == planned_volumes(plan)
    assert dict(tips) == tips_needed(plan.dispenses, plan.robot)


def test_every_plate_of_several_protocols_is_made(analysed, round_of, planned_volumes):
    plan = round_of("ot2", 24, components=3, formulas=60, robot={"positions": 7})
    files = round_files("ot2", plan, stem="r1")
    protocols = [content for name, content in files.items() if name.endswith(".py")]
    assert len(protocols) == 2
    total = Counter()
    for content in protocols:
        total.update(volumes_of(analysed(content), plan.robot.increment_ul))
    assert dict(total) == planned_volumes(plan)


def test_names_of_labware_say_what_opentrons_labware_holds(python):
    printed = subprocess.run([python, "-c", LABWARE], check=True, capture_output=True)
    found = json.loads(printed.stdout)
    assert {*PLATES.values(), *SOURCES.values(), *TIP_RACKS.values()} <= set(found)
    said = 0
    for name, (category, columns, rows, most) in found.items():
        vessel = category in ("wellPlate", "reservoir", "tubeRack", "aluminumBlock")
        if vessel and len(most) == 1 and most[0] > 0 and capacity_ul(name) is not None:
            said += 1
            wells = columns * rows[0]
            # One plate is called 130 µL and holds 131.
            assert most[0] - 1 <= capacity_ul(name) <= most[0]
            assert problem_of(name, wells) == (
                ""
                if wells != 12 or rows == [1]
                else "has three rows, where labloop's 12 wells are the channels of a reservoir"
            )
            if wells_of(name):
                assert problem_of(name, 2 * wells) == f"has {wells} wells, not {2 * wells}"
        elif category == "tipRack":
            assert problem_of(name, 96)
    assert said > 50


def test_every_pipette_has_a_tip_rack():
    opentrons = {name for name in PIPETTES if name.startswith(("p", "flex_"))}
    assert opentrons == set(TIP_RACKS)
