"""The Echo's picklist, read and checked by kithairon with a labware list that is written here.

kithairon flags volumes that are no multiple of the drop, zero volumes, unknown types and source
wells that give more than they hold. What it does not see (negative volumes, wells that no plate
has, padded wells, plates that overflow) is tested in tests/worklists.
"""

import re
from decimal import Decimal
from xml.sax.saxutils import quoteattr

import pytest

from labloop.definition.checks.echo import CAPACITIES
from labloop.robots import SOURCE_TYPES
from labloop.wells import shape
from labloop.worklists import round_files

PLATE = (
    'plateformat="x" fluid="AQ" manufacturer="x" lotnumber="1" partnumber="1" location="None" '
    'a1offsetx="1" a1offsety="1" centerspacingx="1" centerspacingy="1" plateheight="1" '
    'skirtheight="1" wellwidth="1" welllength="1" bottominset="1" centerwellposx="1" '
    'centerwellposy="1"'
)


def labware_list():
    """An Echo's labware list (.elwx): well volumes in µL, drops and maxvoltotal in nL."""
    lines = ["<EchoLabware>", "<sourceplates>"]
    for name, of_type in SOURCE_TYPES.items():
        rows, columns = shape(of_type.wells)
        drop = f"{of_type.drop_ul * 1000:g}"
        lines.append(
            f'<plateinfo platetype={quoteattr(name)} usage="SRC" rows="{rows}" cols="{columns}" '
            f'{PLATE} wellcapacity="{of_type.well_volume_ul:.0f}" '
            f'minwellvol="{of_type.dead_volume_ul:g}" maxwellvol="{of_type.well_volume_ul:g}" '
            f'maxvoltotal="{of_type.most_from_well_ul * 1000:g}" minvolume="{drop}" '
            f'dropvolume="{drop}" />'
        )
    lines += ["</sourceplates>", "<destinationplates>"]
    for name, (wells, capacity) in CAPACITIES.items():
        rows, columns = shape(wells)
        lines.append(
            f'<plateinfo platetype={quoteattr(name)} usage="DEST" rows="{rows}" cols="{columns}" '
            f'{PLATE} wellcapacity="{capacity:g}" dropvolume="2.5" />'
        )
    return "\n".join([*lines, "</destinationplates>", "</EchoLabware>"])


@pytest.fixture
def labware(oracle, tmp_path):
    file = tmp_path / "labware.elwx"
    file.write_text(labware_list(), encoding="utf-8")
    return oracle("kithairon").Labware.from_file(file)


@pytest.fixture
def read(oracle, tmp_path):
    picklists = oracle("kithairon.picklists")

    def picklist(content):
        file = tmp_path / "picklist.csv"
        file.write_bytes(content)
        return picklists.PickList.read_csv_native(str(file))

    return picklist


def found(picklist, labware, capsys):
    """What kithairon says: errors, and warnings but those that no plate was surveyed yet."""
    errors, warnings = picklist.validate(labware=labware, raise_on=False)
    capsys.readouterr()
    return errors, [warning for warning in warnings if not warning.startswith("No survey data")]


def volumes_read(picklist, increment_ul):
    """{(source plate, source well, plate, well): ticks} of a picklist."""
    step = Decimal(str(increment_ul)) * 1000
    read = {}
    for row in picklist.to_polars().iter_rows(named=True):
        source = int(row["Source Plate Name"].removeprefix("Source[").removesuffix("]"))
        plate = int(row["Destination Plate Name"].removeprefix("Destination[").removesuffix("]"))
        place = (source, row["Source Well"], plate, row["Destination Well"])
        read[place] = read.get(place, 0) + Decimal(str(row["Transfer Volume"])) / step
    return read


@pytest.mark.parametrize("kind", ["echo525", "echo550"])
@pytest.mark.parametrize("wells", [96, 384, 1536])
def test_volumes_read_back_are_the_plan(
    kind, wells, round_of, planned_volumes, read, labware, capsys
):
    plan = round_of(kind, wells)
    picklist = read(round_files(kind, plan, stem="r")[f"r-{kind}.csv"])
    assert found(picklist, labware, capsys) == ([], [])
    assert volumes_read(picklist, plan.robot.increment_ul) == planned_volumes(plan)


def test_several_plates_and_plates_of_stocks_that_the_user_lists(
    round_of, planned_volumes, read, labware, capsys
):
    two_rows = [f"{row}{column}" for row in "PO" for column in range(24, 0, -1)]
    robot = {
        "source_labware": "384LDV_Plus_AQ_GP",
        "source_plate": [
            {"labware": "6RES_AQ_GPSA2", "holds": ["diluent", "NaCl"]},
            {"labware": "384PP_Plus_AQ_GP", "most_from_well_ul": 45.0, "holds": ["glucose"]},
        ],
        "place": [{"stock": "MgSO4", "source_plate": 3, "wells": two_rows}],
    }
    plan = round_of("echo525", 96, formulas=60, robot=robot, well_volume_ul=50.0, components=16)
    assert plan.layout["plate"].nunique() == 2
    assert plan.dispenses["source_plate"].nunique() >= 3
    picklist = read(round_files("echo525", plan, stem="r")["r-echo525.csv"])
    assert found(picklist, labware, capsys) == ([], [])
    assert volumes_read(picklist, plan.robot.increment_ul) == planned_volumes(plan)


def test_the_oracle_sees_what_it_is_trusted_with(round_of, read, labware, capsys):
    content = round_files("echo525", round_of("echo525", 384), stem="r")["r-echo525.csv"]
    lines = content.decode().splitlines()
    for change, what in (
        (lambda line: line.rsplit(",", 1)[0] + ",30", "multiple of drop volume"),
        (lambda line: line.rsplit(",", 1)[0] + ",0", "zero"),
        (lambda line: line.replace("6RES_AQ_BP2", "6RES"), "6RES"),
    ):
        wrong = "\n".join([*lines[:1], *map(change, lines[1:5]), ""]).encode()
        errors, warnings = found(read(wrong), labware, capsys)
        assert what in " ".join(errors + warnings)
    drained = [re.sub(",384PP_AQ_BP,[A-P]\\d+,", ",384PP_AQ_BP,A1,", line) for line in lines]
    errors, warnings = found(read("\n".join([*drained, ""]).encode()), labware, capsys)
    assert "net outflow" in " ".join(errors + warnings)
