import pytest
from hypothesis import given
from hypothesis import strategies as st

from labloop.errors import RefusedError
from labloop.wells import (
    SHAPES,
    column_major,
    edge_wells,
    name_wells,
    normalise,
    padded,
    parse_well,
    position,
    ring,
    shape,
    well_name,
    well_names,
)

PLATES = st.sampled_from(sorted(SHAPES))


@st.composite
def places(draw):
    wells = draw(PLATES)
    rows, columns = shape(wells)
    return wells, draw(st.integers(0, rows - 1)), draw(st.integers(0, columns - 1))


@given(places())
def test_every_spelling_of_a_well_gives_its_name_and_place(place):
    wells, row, column = place
    name = well_name(row, column)
    for spelling in (name, padded(name), name.lower(), f" {name} ", padded(name).lower()):
        assert normalise(spelling, wells) == name
        assert parse_well(spelling) == name
    assert position(name, wells) == (row, column)


@given(PLATES)
def test_orders_hold_every_well_once(wells):
    assert len(well_names(wells)) == wells
    assert sorted(well_names(wells)) == sorted(column_major(wells))
    assert len(set(well_names(wells))) == wells


def test_orders_run_along_rows_and_down_columns():
    assert well_names(96)[:13] == (*(f"A{n}" for n in range(1, 13)), "B1")
    assert column_major(96)[:9] == (*(f"{row}1" for row in "ABCDEFGH"), "A2")
    assert column_major(1536)[31] == "AF1"
    assert well_names(1536)[-1] == "AF48"


@pytest.mark.parametrize("text", ["", "A", "1", "A0", "AG1", "A49", "A1B", "1A", "Ä1", "A-1"])
def test_what_is_no_well_is_not_parsed(text):
    assert parse_well(text) is None


def test_a_well_that_the_plate_lacks_is_refused_with_what_it_has():
    with pytest.raises(RefusedError) as refusal:
        normalise("Q1", 96)
    assert str(refusal.value) == (
        'A plate of 96 wells has no well "Q1"; its rows are A to H, its columns 1 to 12.'
    )


def test_a_plate_that_does_not_exist_is_refused():
    with pytest.raises(RefusedError) as refusal:
        shape(100)
    assert str(refusal.value) == (
        "There is no plate of 100 wells; choose one of 1, 6, 12, 15, 24, 48, 96, 384, 1536."
    )


def test_rings_count_from_the_edge():
    assert [ring(well, 96) for well in ("A1", "H7", "B2", "C3", "D6", "E7")] == [0, 0, 1, 2, 3, 3]
    assert len(edge_wells(96)) == 36
    assert edge_wells(24)[0] == "A1"


def test_padding_keeps_two_digits():
    assert [padded(well) for well in ("A1", "H12", "AF8")] == ["A01", "H12", "AF08"]


def test_messages_name_eight_wells():
    assert name_wells(["A1", "A2", "A1"]) == "A1, A2"
    assert name_wells(f"A{n}" for n in range(1, 12)) == "A1, A2, A3, A4, A5, A6, A7, A8 and 3 more"
