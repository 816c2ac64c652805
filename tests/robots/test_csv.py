"""The CSV of Biomek, Hamilton, Nimbus and epMotion, replayed in PyLabRobot, which tracks volumes.

PyLabRobot knows no worklists: each line of the file becomes one aspiration and one dispense on a
STARlet whose deck the deck file describes. It raises on a well that a plate lacks, on too little
liquid and on too much. Its own table of plates is unreliable, so the plates here have the plan's
capacities. What it misses is shown below; tests/worklists has a test of each that labloop refuses
it: of a negative volume, one below the minimum or off the increment, an underfilled well and one
that must stay empty (test_checks), of tools, tips and too many lines (test_columns).
"""

import asyncio
import contextlib
import csv
import io

import pytest

from labloop.wells import shape
from labloop.worklists import round_files

KINDS = {
    "biomek": ("biomek", None),
    "hamilton": ("hamilton", None),
    "nimbus": ("hamilton", "nimbus"),
    "epmotion": ("epmotion", None),
    "epblue": ("epmotion", "epblue"),
}
# Place of the source plate and well, of the plate and well, and of the volume in a line.
PLACES = {"nimbus": (0, 1, 3, 4, 2), "epblue": (1, 2, 3, 4, 5)}
SIDED = ("epmotion", "epblue")


def files_of(plan):
    return round_files(plan.robot.kind, plan, stem="r")


def dispenses_in(files, profile):
    """(source plate, source well, plate, well, µL as text) of every line, plates as in the file."""
    kind = KINDS[profile][0]
    methods = [n for n in files if n.startswith(f"r-{kind}") and n != f"r-{kind}-deck.csv"]
    for name in sorted(methods):
        text = files[name].decode("latin-1")
        lines = list(csv.reader(io.StringIO(text, newline="")))[7 if profile == "epblue" else 1 :]
        assert profile not in SIDED or len(lines) <= 500
        for line in lines:
            yield tuple(line[place] for place in PLACES.get(profile, (0, 1, 2, 3, 4)))


def standing_in(files, profile):
    """{(side, plate as in the file): (number, wells or None)} of the deck file."""
    kind = KINDS[profile][0]
    deck = list(csv.DictReader(io.StringIO(files[f"r-{kind}-deck.csv"].decode("utf-8-sig"))))
    named = {}
    for row in deck:
        what = row.get("stands_for") or row["labware"]
        side = "source" if what.startswith("source") else "destination"
        number = int(what.split()[-1])
        called = {"biomek": row.get("position")}.get(profile, row.get("name"))
        called = str(number) if profile in SIDED else called
        named[side, called] = number
    return named


class Replayed:
    """A STARlet with the plan's plates on it, on which worklists are replayed."""

    def __init__(self, plan, oracle, fill_ul=None, capacity_ul=None):
        self.hamilton = oracle("pylabrobot.resources.hamilton")
        self.resources = oracle("pylabrobot.resources")
        backends = oracle("pylabrobot.liquid_handling.backends")
        handling = oracle("pylabrobot.liquid_handling")
        self.deck = self.hamilton.STARLetDeck()
        backend = backends.LiquidHandlerChatterboxBackend(num_channels=1)
        self.handler = handling.LiquidHandler(backend, deck=self.deck)
        self.plan, self.plates = plan, {}
        sources = plan.dispenses.groupby("source_plate")["source_well"].unique()
        for number, wells in sources.items():
            source = plan.robot.source_plate(int(number))
            plate = self._plate(f"source {number}", source.wells, source.well_volume_ul)
            for well in wells:
                plate[well][0].tracker.set_volume(fill_ul or source.well_volume_ul)
            self.plates["source", int(number)] = plate
        most = capacity_ul or plan.plate.well_volume_ul - plan.plate.inoculum_ul
        for number in sorted(plan.layout["plate"].unique()):
            self.plates["destination", int(number)] = self._plate(
                f"plate {number}", plan.plate.wells, most
            )

    def _plate(self, name, wells, capacity_ul):
        rows, columns = shape(wells)
        pitch = {4: 18.0, 8: 9.0, 16: 4.5, 32: 2.25}.get(rows, 9.0)
        plate = self.resources.Plate(
            name,
            size_x=127.76,
            size_y=85.48,
            size_z=14.0,
            ordered_items=self.resources.create_ordered_items_2d(
                self.resources.Well,
                num_items_x=columns,
                num_items_y=rows,
                dx=10.0,
                dy=7.0,
                dz=1.0,
                item_dx=pitch,
                item_dy=pitch,
                size_x=pitch * 0.7,
                size_y=pitch * 0.7,
                size_z=10.0,
                max_volume=capacity_ul,
            ),
        )
        site = len(self.plates)
        if site % 5 == 0:
            self.carrier = self.hamilton.PLT_CAR_L5AC_A00(name=f"carrier {site // 5}")
            self.deck.assign_child_resource(self.carrier, rails=8 + 6 * (site // 5))
        self.carrier[site % 5] = plate
        return plate

    def run(self, lines, named):
        """Make every dispense; returns {(source plate, source well, plate, well): ticks}."""
        with contextlib.redirect_stdout(io.StringIO()):  # it tells every move
            return asyncio.run(self._run(lines, named))

    async def _run(self, lines, named):
        await self.handler.setup()
        carrier = self.hamilton.TIP_CAR_480_A00(name="tips")
        carrier[0] = rack = self.hamilton.hamilton_96_tiprack_1000uL(name="rack")
        self.deck.assign_child_resource(carrier, rails=1)
        await self.handler.pick_up_tips(rack["A1"])
        made = {}
        for source_plate, source_well, plate, well, volume in lines:
            numbers = named["source", source_plate], named["destination", plate]
            source = self.plates["source", numbers[0]][source_well]
            target = self.plates["destination", numbers[1]][well]
            before = used(source), used(target)
            await self.handler.aspirate(source, vols=[float(volume)])
            await self.handler.dispense(target, vols=[float(volume)])
            taken = self._ticks(before[0] - used(source))
            assert taken == self._ticks(used(target) - before[1])
            key = (numbers[0], source_well, numbers[1], well)
            made[key] = made.get(key, 0) + taken
        await self.handler.return_tips()
        await self.handler.stop()
        return made

    def _ticks(self, volume_ul):
        ticks = round(volume_ul / self.plan.robot.increment_ul)
        assert volume_ul == pytest.approx(ticks * self.plan.robot.increment_ul, abs=1e-6)
        return ticks


def used(wells):
    return wells[0].tracker.get_used_volume()


@pytest.fixture
def tracking(oracle):
    resources = oracle("pylabrobot.resources")
    resources.set_volume_tracking(True)
    yield
    resources.set_volume_tracking(False)


def replay(plan, profile, oracle, **limits):
    files = files_of(plan)
    replayed = Replayed(plan, oracle, **limits)
    return replayed.run(dispenses_in(files, profile), standing_in(files, profile))


def settings_of(profile):
    kind, name = KINDS[profile]
    return kind, {"csv": {"profile": name}} if name else {}


@pytest.mark.parametrize("profile", KINDS)
@pytest.mark.parametrize("wells", [96, pytest.param(384, marks=pytest.mark.slow)])
def test_volumes_read_back_are_the_plan(
    profile, wells, round_of, planned_volumes, oracle, tracking
):
    kind, robot = settings_of(profile)
    plan = round_of(kind, wells, robot=robot)
    assert replay(plan, profile, oracle) == planned_volumes(plan)


@pytest.mark.parametrize("profile", ["biomek", "nimbus", "epblue"])
def test_several_plates_and_source_plates(profile, round_of, planned_volumes, oracle, tracking):
    kind, robot = settings_of(profile)
    listed = [
        {"wells": 1, "well_volume_ul": 1e5, "dead_volume_ul": 1e3, "holds": ["diluent"]},
        {"wells": 96, "well_volume_ul": 300.0, "dead_volume_ul": 50.0},
    ]
    robot |= {"source_plate": listed, "source_labware": "Tubes", "plate_labware": "Deep"}
    plan = round_of(kind, 96, components=5, formulas=110, robot=robot)
    assert set(plan.dispenses["plate"]) == {1, 2, 3}
    assert set(plan.dispenses["source_plate"]) >= {1, 2}
    assert replay(plan, profile, oracle) == planned_volumes(plan)


@pytest.mark.slow
def test_1536_wells(round_of, planned_volumes, oracle, tracking):
    plan = round_of("hamilton", 1536, components=4, robot={"min_dispense_ul": 0.1})
    assert "AF48" in set(plan.dispenses["well"])
    assert replay(plan, "hamilton", oracle) == planned_volumes(plan)


def broken(plan, profile, change):
    """The lines of a worklist after one was changed, and the deck."""
    files = files_of(plan)
    lines = list(dispenses_in(files, profile))
    lines[-1] = change(lines[-1])
    return lines, standing_in(files, profile)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda line: (*line[:4], str(float(line[4]) + 0.1)), "TooLittleVolumeError"),
        (lambda line: (*line[:3], "H13", line[4]), "IndexError"),
        (lambda line: (line[0], "E1", *line[2:]), "IndexError"),
    ],
    ids=["overfilled", "no such well", "no such source well"],
)
def test_the_oracle_sees_a_broken_file(change, error, round_of, oracle, tracking):
    plan = round_of("biomek", 96)
    lines, named = broken(plan, "biomek", change)
    with pytest.raises(Exception) as caught:  # noqa: PT011
        Replayed(plan, oracle).run(lines, named)
    assert type(caught.value).__name__ == error


@pytest.mark.parametrize(
    "change",
    [
        lambda line: (*line[:4], "-5"),
        lambda line: (*line[:4], "0"),
        lambda line: (*line[:4], str(float(line[4]) - 1)),
        lambda line: (*line[:3], "A1", line[4]),
    ],
    ids=["negative", "zero", "too little", "in a well that must stay empty"],
)
def test_the_oracle_alone_misses_what_the_comparison_sees(
    change, round_of, planned_volumes, oracle, tracking
):
    plan = round_of("biomek", 24, components=3)
    lines, named = broken(plan, "biomek", change)
    assert Replayed(plan, oracle).run(lines, named) != planned_volumes(plan)


def test_the_oracle_sees_a_drained_source(round_of, oracle, tracking):
    plan = round_of("biomek", 96)
    needed = plan.dispenses.groupby(["source_plate", "source_well"])["volume_ul"].sum().max()
    errors = oracle("pylabrobot.resources.errors")
    assert replay(plan, "biomek", oracle, fill_ul=needed)
    with pytest.raises(errors.TooLittleLiquidError):
        replay(plan, "biomek", oracle, fill_ul=needed - 0.1)


def test_without_tracking_the_oracle_sees_nothing(round_of, oracle):
    plan = round_of("biomek", 96)
    lines, named = broken(plan, "biomek", lambda line: (*line[:4], "999"))
    made = Replayed(plan, oracle).run(lines, named)
    assert set(made.values()) == {0}
