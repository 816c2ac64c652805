"""History and the lab's own plates: copies are recognised, maps and places are used."""

from __future__ import annotations

import pandas as pd
import pytest

from labloop.errors import RefusedError
from labloop.store import campaign_measurements, history_measurements

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")


def test_a_copy_of_a_history_is_refused(fresh, lab, tmp_path):
    path, copy = tmp_path / "earlier.csv", tmp_path / "copy.csv"
    lab.history(3).to_csv(path, index=False)
    copy.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    fresh.add_history(path, source="CHO-S")
    before = lab.log(fresh)
    with pytest.raises(RefusedError) as error:
        fresh.add_history(copy, source="CHO-S")
    assert str(error.value) == (
        "Every result of copy.csv is in the source CHO-S already, with these very values, so "
        "nothing was changed. If they were measured again, add a column of wells, or of plates."
    )
    assert lab.log(fresh) == before


def test_a_table_that_has_grown_adds_its_new_rows(fresh, lab):
    table = lab.history(5)
    fresh.add_history(table.head(3), source="CHO-S")
    taken = fresh.add_history(table, source="CHO-S")
    assert (taken.measurements, taken.formulas, taken.known) == (4, 2, 6)
    assert taken.known_of == ("row 0", "row 1", "row 2")
    assert len(history_measurements(fresh.store)) == 10


def test_equal_rows_of_one_file_are_replicates(fresh, lab):
    table = lab.history(2)
    taken = fresh.add_history(pd.concat([table, table], ignore_index=True), source="CHO-S")
    assert (taken.measurements, taken.formulas, taken.known) == (8, 2, 0)


def test_plates_of_the_labs_own_are_joined_with_their_map_by_well(fresh, lab):
    table = lab.history(2)
    contents = table[lab.names].assign(well=["A1", "B01"]).iloc[::-1]
    read = table[lab.responses].assign(well=["A01", "B1"])
    taken = fresh.record(read, map=contents, plate="trial 7")
    assert (taken.round, taken.formulas, taken.measurements) == (None, 2, 4)
    assert {
        (m.plate_label, m.well_label, m.response): m.value
        for m in campaign_measurements(fresh.store)
    } == {
        ("trial 7", well, response): table[response][k]
        for k, well in enumerate(["A1", "B1"])
        for response in lab.responses
    }


def test_a_map_is_not_of_a_round(proposed, lab):
    with pytest.raises(RefusedError) as error:
        proposed.record(lab.results(proposed, 1), round=1, map=lab.history(1))
    assert str(error.value) == (
        "A map is of the lab's own plates, not of a round, whose wells labloop knows; leave out "
        "--map, or --round."
    )


def test_an_instrument_that_is_not_declared(proposed):
    with pytest.raises(RefusedError) as error:
        proposed.record("reader.xlsx", instrument="biotek")
    assert str(error.value) == (
        'campaign.toml has no [[instrument]] "biotek"; declare it there, or leave --instrument out.'
    )


@pytest.mark.parametrize("name", ["=cmd", "CHO\tS"])
def test_a_source_may_not_be_called_what_a_spreadsheet_runs(fresh, lab, name):
    with pytest.raises(RefusedError, match="The name of a source must"):
        fresh.add_history(lab.history(2), source=name)
