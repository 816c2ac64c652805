from __future__ import annotations

import math
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labloop.errors import RefusedError
from labloop.store import (
    add_formulas,
    campaign_formulas,
    check_store,
    create_store,
    definition_text,
    history_formulas,
    last_event,
    named_formulas,
    open_store,
    read_components,
    read_responses,
    use_definition,
)

names = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), min_size=1, max_size=12
)
amounts = st.none() | st.floats(allow_nan=False, allow_infinity=False) | names


@st.composite
def tables(draw):
    components = draw(st.lists(names, min_size=1, max_size=5, unique=True))
    rows = draw(st.lists(st.lists(amounts, min_size=len(components), max_size=len(components))))
    return components, rows


@settings(max_examples=30, deadline=None)
@given(table=tables(), source=st.none() | names, text=st.text(st.characters(codec="utf-8")))
def test_what_goes_in_comes_out(table, source, text):
    components, rows = table
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "campaign.db"
        units = [(name, "mM") for name in components]
        create_store(path, lambda writing: use_definition(writing, text, units, [])).close()
        with open_store(path) as store:
            with store.writing("formulas") as writing:
                ids = add_formulas(writing, components, rows, source=source)
            read = campaign_formulas if source is None else history_formulas
            found = read(store, components[::-1])
            assert found.ids == ids == sorted(set(ids))
            assert found.rows == [row[::-1] for row in rows]
            assert found.sources == [source] * len(rows)
            assert definition_text(store, 1) == text
            assert list(read_components(store)) == components
            assert check_store(store) == []


def test_arrays_and_numpy_scalars_are_stored_as_numbers(store, steps):
    array = np.array([[0.1, 2.0], [3.0, 4.5]], dtype=np.float32)
    with store.writing("formulas") as writing:
        add_formulas(writing, steps.components, array, source="CHO-S")
        add_formulas(writing, steps.components, [[np.int64(3), np.str_("soy")]], source="CHO-S")
    assert history_formulas(store, steps.components).rows == [*array.tolist(), [3.0, "soy"]]
    assert store.rows("SELECT DISTINCT typeof(concentration) FROM amount") == [("real",), ("null",)]


@pytest.mark.parametrize("amount", [math.nan, math.inf, np.float64("nan"), b"1", [1.0]])
def test_what_is_no_amount_is_refused_and_nothing_stored(store, steps, amount):
    before = list(store.connection.iterdump())
    with (
        pytest.raises(ValueError, match="an amount must be a finite number or a name"),
        store.writing("formulas") as writing,
    ):
        add_formulas(writing, steps.components, [[1.0, "soy"], [amount, "soy"]])
    assert list(store.connection.iterdump()) == before


def test_an_unknown_component_is_refused(store):
    with pytest.raises(KeyError, match="galactose"), store.writing("formulas") as writing:
        add_formulas(writing, ["glucose", "galactose"], [[1.0, 2.0]])


def test_a_component_that_the_store_does_not_have_yet_is_absent_from_every_formula(store, steps):
    with store.writing("formulas") as writing:
        add_formulas(writing, steps.components, [[1.0, "soy"]])
    formulas = campaign_formulas(store, ["galactose", *steps.components])
    assert formulas.rows == [[None, 25.0, "soy"], [None, 1.0, "soy"]]


def test_rows_of_another_width_are_refused(store, steps):
    with pytest.raises(ValueError, match="zip"), store.writing("formulas") as writing:
        add_formulas(writing, steps.components, [[1.0, "soy"], [1.0]])


def test_sources_are_kept_apart_and_seen_as_of_an_event(store, steps):
    first = steps.history(store, "CHO-S")
    known = last_event(store)
    second = steps.history(store, "HEK")
    more = steps.propose(store)
    assert more == 1
    assert history_formulas(store, ["glucose"]).ids == first + second
    assert history_formulas(store, ["glucose"]).sources == ["CHO-S"] * 2 + ["HEK"] * 2
    assert history_formulas(store, ["glucose"], source="HEK").ids == second
    assert history_formulas(store, ["glucose"], up_to=known).ids == first
    assert campaign_formulas(store, ["glucose"], up_to=known).rows == [[25.0]]
    assert campaign_formulas(store, ["glucose"]).rows == [[25.0], [7.5], [7.5]]


def test_a_named_formula_can_be_changed_and_both_stay(store, steps):
    with store.writing("formulas") as writing:
        changed = add_formulas(writing, steps.components, [[30.0, "soy"]], names=["commercial"])
    assert named_formulas(store) == {"commercial": changed[0]}
    assert named_formulas(store, up_to=1) == {"commercial": 1}
    assert campaign_formulas(store, ["glucose"]).names == ["commercial", "commercial"]


def test_a_definition_is_stored_once_and_every_version_kept(store, steps):
    with store.writing("propose") as writing:
        assert use_definition(writing, steps.text, steps.units, steps.responses) == 1
        units = [*steps.units, ("galactose", "g/L")]
        assert use_definition(writing, "new", units, [("viability", "%")]) == 2
    assert definition_text(store, 1) == steps.text
    assert definition_text(store, 2) == "new"
    assert read_components(store) == {"glucose": "mM", "protein": "", "galactose": "g/L"}
    assert read_responses(store) == {"titre": "g/L", "density": "", "viability": "%"}
    assert campaign_formulas(store, ["galactose", "glucose"]).rows == [[None, 25.0]]
    columns = store.connection.execute("SELECT * FROM round_wells").description
    assert [column[0] for column in columns][9:] == [
        "glucose", "protein", "galactose", "titre", "density", "viability"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("units", "message"),
    [
        (
            [("glucose", "g/L")],
            'the component "glucose" was in mM until now and cannot be in g/L; '
            "put the old unit back, or give the component another name",
        ),
        (
            [("protein", "g/L")],
            'the component "protein" had no unit until now and cannot be in g/L; '
            "put the old unit back, or give the component another name",
        ),
    ],
)
def test_a_unit_cannot_change(store, units, message):
    with pytest.raises(RefusedError) as caught, store.writing("propose") as writing:
        use_definition(writing, "new", units, [])
    assert str(caught.value) == message
