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


@pytest.mark.parametrize("wells", [{}, {"well": ["A1", "A2", "A3"]}])
def test_a_table_that_has_got_a_response_adds_its_values(fresh, lab, wells):
    table = lab.history(3).assign(**wells)
    fresh.add_history(table.drop(columns="titre"), source="CHO-S")
    taken = fresh.add_history(table, source="CHO-S")
    assert (taken.measurements, taken.known) == (3, 3)
    assert {entry.response for entry in taken.entries} == {"titre"}


def test_one_value_equal_to_an_earlier_one_is_no_copy(fresh, lab):
    table = lab.history(3)
    fresh.add_history(table, source="CHO-S")
    taken = fresh.add_history(table.assign(titre=table["titre"] + 1), source="CHO-S")
    assert (taken.measurements, taken.known) == (6, 0)


def test_a_file_read_with_a_wrong_map_is_excluded_and_read_again(fresh, lab, tmp_path):
    table, path = lab.history(2), tmp_path / "reader.csv"
    contents = table[lab.names].assign(well=["A1", "B1"])
    table[lab.responses].assign(well=["A1", "B1"]).to_csv(path, index=False)
    fresh.add_history(path, source="CHO-S", map=contents.assign(well=["B1", "A1"]))
    with pytest.raises(RefusedError, match="recorded before"):
        fresh.add_history(path, source="CHO-S", map=contents)
    fresh.exclude(file="reader.csv", reason="the map was turned around")
    assert fresh.add_history(path, source="CHO-S", map=contents).measurements == 4
    with pytest.raises(RefusedError, match="recorded before"):
        fresh.add_history(path, source="CHO-S", map=contents)


def test_instruments_that_read_other_cells_of_one_file(fresh, lab, tmp_path):
    blocks = {"upper": ("titre", "A1"), "lower": ("viability", "A8")}
    declared = [
        {"name": name, "block": [{"holds": holds, "form": "grid", "cells": cells}]}
        for name, (holds, cells) in blocks.items()
    ]
    path = tmp_path / "reader.csv"
    grid = [",1,2,3,4,5,6", *(f"{row}" + f",{k}.5" * 6 for k, row in enumerate("ABCD"))]
    path.write_text("\n".join([*grid, ",,,,,,", ",,,,,,", *grid]), encoding="utf-8")
    wells = [f"{row}{column}" for row in "ABCD" for column in range(1, 7)]
    of_wells = {"source": "CHO-S", "map": lab.history(24)[lab.names].assign(well=wells)}
    with lab.rewrite(fresh, lab.definition(instrument=declared)) as campaign:
        for name in blocks:
            assert campaign.add_history(path, instrument=name, **of_wells).measurements == 24
        with pytest.raises(RefusedError, match="recorded before"):
            campaign.add_history(path, instrument="upper", **of_wells)


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
