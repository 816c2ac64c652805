"""What is said of plates, places and mishaps, and that nothing is where there is nothing."""

from __future__ import annotations

import re

import numpy as np
import pytest

from labloop.noise import Wells, observe
from labloop.report.plate_readings import PlateReadings
from labloop.report.plate_sentences import what_plates_did
from labloop.report.subjects import Response

ON = {"plates": True, "positions": True, "outliers": True}
TITRE = Response("titre", "g/L", "maximize", float("nan"))


def wells_of(read, plates=3, formulas=12, places=False, seed=0):
    """Return wells of plates of 96 that hold the same formulas, each twice; read(truth, …)."""
    rng = np.random.default_rng(seed)
    each = 2 * formulas if not places else 96
    formula = np.concatenate([rng.permutation(np.arange(each) % formulas) for _ in range(plates)])
    plate = np.repeat(np.arange(plates), each)
    place = np.tile(np.arange(each), plates)
    row, column = place // 12, place % 12
    truth = np.linspace(2.0, 6.0, formulas)[formula]
    values = read(truth, plate, row, column) * (1 + 0.03 * rng.standard_normal(len(truth)))
    return Wells(
        values=values[:, None],
        statuses=np.full((len(values), 1), "ok", dtype="U11"),
        limits=np.full((len(values), 1), np.nan),
        formulas=formula,
        plates=plate,
        rows=row,
        columns=column,
        shapes=np.full((plates, 2), (8, 12)),
    )


def said_of(wells, shown=None, responses=(TITRE,), **switches):
    count = len(wells.shapes)
    chosen = ON | switches
    return what_plates_did(
        PlateReadings(
            wells=wells,
            seen=observe(wells, **chosen),
            names=[f"plate {k + 1} of round 1" for k in range(count)],
            shown=np.ones(count, dtype=bool) if shown is None else np.array(shown),
            responses=responses,
            controls={0, 1},
            switches=chosen,
        )
    )


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_said_of_plates_that_do_not_differ(seed):
    assert said_of(wells_of(lambda truth, *_: truth, seed=seed)) == ()


def test_a_plate_that_reads_more_is_named_with_its_error_and_what_tells_it():
    wells = wells_of(lambda truth, plate, *_: truth * np.where(plate == 1, 1.2, 1.0))
    (said,) = said_of(wells)
    match = re.fullmatch(
        r"Plate 2 of round 1 reads titre (\d+\.\d+) ± (\d\.\d+) % higher than the median plate "
        r"\(from 2 controls and 10 formulas on several plates\); corrected\.",
        said,
    )
    assert match, said
    assert float(match[1]) == pytest.approx(20, abs=3 * float(match[2]))
    assert said_of(wells, shown=[True, False, True]) == ()


def test_of_two_plates_one_is_compared_with_the_other():
    wells = wells_of(lambda truth, plate, *_: truth * np.where(plate == 1, 0.8, 1.0), plates=2)
    (said,) = said_of(wells)
    share = re.fullmatch(
        r"Plate 2 of round 1 reads titre (\S+) ± \S+ % lower than plate 1 of round 1 \(.*\); "
        r"corrected\.",
        said,
    )
    assert share, said
    # The share is of the level between the two plates.
    assert float(share[1]) == pytest.approx(20 / 0.9, abs=4)


def test_values_that_cross_zero_are_told_in_their_unit():
    wells = wells_of(lambda truth, plate, *_: truth - 4.0 + np.where(plate == 2, 1.5, 0.0))
    (said,) = said_of(wells)
    assert re.match(r"Plate 3 of round 1 reads titre 1\.\d+ ± 0\.\d+ g/L higher than", said), said


def test_plates_that_share_nothing_are_said_to_be_uncompared():
    wells = wells_of(lambda truth, *_: truth)
    alone = np.where(wells.plates == 2, wells.formulas + 50, wells.formulas)
    apart = Wells(**{**vars(wells), "formulas": alone})
    words = "Plate 3 of round 1 shares nothing with the others, so it could not be compared."
    assert said_of(apart) == (words,)
    assert said_of(apart, shown=[True, True, False]) == ()
    none = Wells(**{**vars(wells), "formulas": wells.formulas + 50 * wells.plates})
    assert said_of(none) == (
        "No formula stands on two plates, so plates could not be compared; a control on every "
        "plate would tell them apart.",
    )


def test_one_plate_needs_no_other():
    assert said_of(wells_of(lambda truth, *_: truth, plates=1)) == ()


def test_a_ring_that_reads_less_is_told():
    def read(truth, plate, row, column):
        edge = (row == 0) | (row == 7) | (column == 0) | (column == 11)
        return truth * np.where(edge, 0.85, 1.0)

    (said,) = said_of(wells_of(read, plates=2, places=True))
    sizes = re.fullmatch(
        r"The outer ring of plate 1 of round 1 and plate 2 of round 1 reads titre (\S+)(?: to "
        r"(\S+))? % lower than the inside; corrected\.",
        said,
    )
    assert sizes, said
    assert 11 < float(sizes[1]) <= float(sizes[2] or sizes[1]) < 19


def test_a_slope_is_told_from_end_to_end():
    wells = wells_of(lambda truth, plate, row, column: truth * (1 + 0.2 * (column / 11 - 0.5)),
                     plates=1, places=True)  # fmt: skip
    (said,) = said_of(wells)
    words = r"On plate 1 of round 1 titre rises by \S+ % from column 1 to column 12; corrected\."
    assert re.fullmatch(words, said), said


def test_values_that_do_not_count_are_counted():
    wells = wells_of(lambda truth, *_: truth)
    wells.values[5] *= 4
    assert said_of(wells) == ("1 of 72 values was left out, for it lies far from the replicates.",)
    wells.statuses[[7, 9]] = "excluded"
    assert said_of(wells)[1] == "2 values were excluded."


def test_what_is_switched_off_is_said():
    wells = wells_of(lambda truth, plate, *_: truth * np.where(plate == 1, 1.2, 1.0))
    assert said_of(wells, plates=False, positions=False) == (
        "As [noise] in campaign.toml says, plates are not compared and places are not corrected.",
    )
