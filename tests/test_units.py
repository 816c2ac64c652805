"""Units: spellings, exact factors, and sentences for what cannot be converted."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labloop.errors import LabloopError
from labloop.units import UNITS, UnitError, canonical, conversion_factor, is_unit

MOLAR = ("M", "mM", "uM", "nM")
MASS = ("g/L", "mg/L", "ug/L", "ng/mL", "%")
molar_masses = st.floats(min_value=1.0, max_value=1e6)


@pytest.mark.parametrize("unit", UNITS)
def test_every_unit_is_its_own_canonical_spelling(unit):
    assert canonical(unit) == unit
    assert is_unit(unit)
    assert conversion_factor(unit, unit) == 1.0


@pytest.mark.parametrize(
    ("written", "unit"),
    [
        ("µM", "uM"),
        ("μM", "uM"),
        (" µg/l ", "ug/L"),
        ("ng/ml", "ng/mL"),
        ("mmol/L", "mM"),
        ("mg/mL", "g/L"),
        ("x", "X"),
        ("U/ml", "U/mL"),
        ("ng/µL", "mg/L"),
        ("µg/µl", "g/L"),
        ("g L-1", "g/L"),
        ("mmol·L⁻¹", "mM"),
        ("µg l^-1", "ug/L"),
        ("% (w/v)", "%"),
    ],
)
def test_other_spellings_of_the_same_unit(written, unit):
    assert canonical(written) == unit


@pytest.mark.parametrize("text", ["", "mm", "MM", "gram", "w/v", "%v/v", "m"])
def test_what_is_no_unit(text):
    assert not is_unit(text)
    with pytest.raises(UnitError):
        canonical(text)


def test_unknown_unit_is_named_with_all_that_exist():
    with pytest.raises(UnitError) as caught:
        canonical("mg/Lit")
    assert str(caught.value) == (
        'unknown unit "mg/Lit"; did you mean "mg/L"? '
        "units are M, mM, uM, nM, g/L, mg/L, ug/L, ng/mL, %, X, U/mL"
    )
    assert isinstance(caught.value, LabloopError)


@pytest.mark.parametrize(
    ("source", "target", "molar_mass", "factor"),
    [
        ("M", "mM", None, 1000.0),
        ("mM", "M", None, 0.001),
        ("uM", "mM", None, 0.001),
        ("%", "g/L", None, 10.0),
        ("g/L", "%", None, 0.1),
        ("ng/mL", "ug/L", None, 1.0),
        ("mM", "g/L", 180.0, 0.18),
        ("g/L", "mM", 180.0, 1000.0 / 180.0),
        ("%", "mM", 100.0, 100.0),
    ],
)
def test_factors(source, target, molar_mass, factor):
    assert conversion_factor(source, target, molar_mass) == pytest.approx(factor, rel=1e-15)


@given(st.sampled_from(MOLAR + MASS), st.sampled_from(MOLAR + MASS), molar_masses)
def test_there_and_back_gives_the_same_concentration(source, target, molar_mass):
    there = conversion_factor(source, target, molar_mass)
    back = conversion_factor(target, source, molar_mass)
    assert math.isclose(there * back, 1.0, rel_tol=1e-14)


@given(st.tuples(*[st.sampled_from(MOLAR + MASS)] * 3), molar_masses)
def test_the_way_does_not_matter(units, molar_mass):
    first, middle, last = units
    direct = conversion_factor(first, last, molar_mass)
    detour = conversion_factor(first, middle, molar_mass) * conversion_factor(
        middle, last, molar_mass
    )
    assert math.isclose(direct, detour, rel_tol=1e-13)


def test_mass_to_molar_needs_the_molar_mass():
    with pytest.raises(UnitError) as caught:
        conversion_factor("g/L", "mM")
    assert str(caught.value) == (
        "cannot convert g/L to mM without molar_mass; "
        "add molar_mass = … (in g/mol) to the component"
    )


@pytest.mark.parametrize("molar_mass", [0.0, -1.0, math.nan, math.inf])
def test_a_molar_mass_is_a_positive_number(molar_mass):
    with pytest.raises(UnitError, match=r"molar_mass must be a positive number of g/mol"):
        conversion_factor("g/L", "mM", molar_mass)


@pytest.mark.parametrize(
    ("source", "target", "which"),
    [("X", "mM", "X"), ("g/L", "X", "X"), ("U/mL", "X", "U/mL"), ("%", "U/mL", "U/mL")],
)
def test_fold_and_activity_convert_only_to_themselves(source, target, which):
    with pytest.raises(UnitError) as caught:
        conversion_factor(source, target, 180.0)
    assert str(caught.value) == (
        f"cannot convert {source} to {target}: {which} converts only to itself"
    )
