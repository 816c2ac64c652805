"""Names of columns: what is certainly the same name, what takes an alias, and what a unit is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labloop.definition import Component, Response
from labloop.errors import RejectedError
from labloop.names import fold
from labloop.tables.columns import match_columns
from labloop.tables.history import read_history
from labloop.tables.naming import Finder, Target, split_unit
from labloop.tables.reading import read_bytes
from labloop.units import UNITS

GLUCOSE = Component(name="glucose", unit="mM", molar_mass=180.0)
RESPONSES = (Response(name="titre", unit="g/L"), Response(name="OD340"))


def history(text, components=(GLUCOSE,), responses=RESPONSES, **options):
    return read_history(read_bytes(text.encode(), "old.csv"), components, responses, **options)


def problems(text, *arguments, **options):
    with pytest.raises(RejectedError) as caught:
        history(text, *arguments, **options)
    return caught.value.problems


def means(header, *names, kind="component", aliases=None):
    """Return the name that a header means, and its unit."""
    targets = [Target(kind, at, name) for at, name in enumerate(names)]
    found = Finder(targets, aliases).find(header)
    return found.target and found.target.name, found.unit


# As three labs write them: cftx, cellfree_two_labs, flaviolin, lipomyces_malate.
@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("Mg-glutamate", "Mg_Glutamate"),
        ("K-glutamate", "K Glutamate"),
        ("amino_acids", "Amino acids"),
        ("3-PGA", "3PGA"),
        ("PEG-8000", "PEG 8000"),
        ("raw1", "raw_1"),
        ("MgSO4*7H2O", "MgSO4·7H2O"),
        ("MgSO4 x 7 H2O", "MgSO4·7H2O"),
        ("MgSO4 . 7H2O", "MgSO4•7H2O"),
        ("(NH4)6Mo7O24", "(NH4)6Mo7O24"),
        ("para\N{NON-BREAKING HYPHEN}aminobenzoic acid", "para-aminobenzoic acid"),
        ("K₂SO₄", "K2SO4"),
    ],
)
def test_the_same_component(header, name):
    assert means(header, name) == (name, None)
    assert means(f"{header} [mM]", name) == (name, "mM")


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("NTPs", "NTP"),
        ("amino_acids", "Amino acid"),
        ("PEG", "PEG-8000"),
        ("D-Glucose", "glucose"),
        ("MgCl2·6H2O", "MgCl2"),
        ("CuSO4·5H20", "CuSO4·5H2O"),  # a zero for the letter, in a published table
        ("Conc. glucose", "glucose"),
        ("1_2-propanediol", "12-propanediol"),
        ("P0_Ref+", "P0_Ref-"),
    ],
)
def test_another_component_until_an_alias_says_so(header, name):
    assert means(header, name) == (None, None)
    assert means(header, name, aliases={header: name}) == (name, None)


def test_a_hyphen_in_a_response_may_be_a_minus():
    assert means("GFP-RFP", "GFP_RFP", kind="response") == (None, None)


@pytest.mark.parametrize(
    "header",
    ["glucose [mM]", "glucose (mM)", "glucose, mM", "glucose_mM", "glucose mM", "Glucose ,mM"],
)
def test_units_behind_a_name(header):
    assert split_unit(header) == (header[:7], "mM")
    assert means(header, "glucose") == ("glucose", "mM")


@pytest.mark.parametrize("header", ["glucose_M", "titre_x", "glucose_mm", "glucose", "mM", "a, b"])
def test_what_is_no_certain_unit(header):
    assert split_unit(header) == (header, None)


@pytest.mark.parametrize("micro", ["\N{MICRO SIGN}", "\N{GREEK SMALL LETTER MU}", "u"])
def test_both_micros(micro):
    found = history(f"glucose_{micro}M,titre [{micro}g/L]\n1000,1\n")
    assert found.concentrations.tolist() == [[1.0]]
    assert found.readings.measured[0, 0] == 1e-6


def test_a_response_in_another_kind_of_unit():
    assert problems("glucose,titre [mM]\n1,2\n") == (
        'old.csv, column "titre [mM]": titre: the column is in "mM", the campaign wants "g/L"; '
        "convert the numbers and rename the column",
    )


def test_a_response_without_unit():
    assert problems("glucose,OD340 [mM]\n1,2\n") == (
        'old.csv, column "OD340 [mM]": OD340: the column is in "mM", the campaign says no unit; '
        'add unit = "mM" to the response in campaign.toml, or rename the column',
    )


@given(st.sampled_from(UNITS))
def test_every_unit_stands_in_brackets_and_behind_a_comma(unit):
    for header in (f"salt [{unit}]", f"salt ({unit})", f"salt, {unit}"):
        assert means(header, "salt") == ("salt", unit)


def test_a_name_that_ends_in_a_unit_is_itself():
    assert means("glucose mM", "glucose mM", "glucose") == ("glucose mM", None)


def test_an_alias_is_used_and_said():
    aliases = {"D-Glucose": "glucose", "340": "OD340"}
    found = history("d-glucose [g/L],340\n1.8,0.5\n", aliases=aliases)
    assert found.concentrations.tolist() == [[pytest.approx(10.0)]]
    assert found.readings.measured[0, 1] == 0.5
    assert found.read_as == ('"d-glucose [g/L]" as glucose, g/L in mM', '"340" as OD340')
    assert history("glucose,OD340\n1,2\n", aliases=aliases).read_as == ()


def test_a_unit_within_an_alias_counts():
    aliases = {"Glc (g/L)": "glucose"}
    assert history("Glc (g/L),titre\n1.8,1\n", aliases=aliases).concentrations[0, 0] == (
        pytest.approx(10.0)
    )


def test_names_and_columns_come_before_aliases():
    components = (GLUCOSE, Component(name="serum", unit="%"))
    aliases = {"Serum": "glucose"}
    text = "Serum,serum,titre\n1,2,3\n"
    assert history(text, components, aliases=aliases).concentrations.tolist() == [[1.0, 2.0]]
    swapped = history(
        text, components, aliases=aliases, columns={"Serum": "serum", "serum": "glucose"}
    )
    assert swapped.concentrations.tolist() == [[2.0, 1.0]]


def test_an_alias_may_name_a_key():
    table = read_bytes(b"Position,glucose,titre\nA01,1,2\n", "old.csv")
    match, wrong = match_columns(table, (GLUCOSE,), RESPONSES, aliases={"Position": "well"})
    assert (match.keys, wrong) == ({"well": 0}, [])


def test_two_columns_of_one_component_are_both_named():
    assert problems("glucose,Dextrose,titre\n1,2,3\n", aliases={"Dextrose": "glucose"}) == (
        'old.csv, column "Dextrose": column "glucose" is already component "glucose"; '
        "leave one of them out with --ignore",
    )


@pytest.mark.parametrize(
    ("header", "hint"),
    [
        ("glucos", '; did you mean "glucose"?'),
        ("Dextros", '; did you mean "glucose" (alias "Dextrose")?'),
        ("Conc. of glucose in the well", '; did you mean "glucose"?'),
        ("Mg", ";"),
        ("Well ID", '; did you mean "well"?'),
        ("Glucose·H2O", '; did you mean "glucose", without its water?'),
    ],
)
def test_hints(header, hint):
    (problem,) = problems(f"glucose,{header},titre\n1,2,3\n", aliases={"Dextrose": "glucose"})
    assert problem == (
        f'old.csv, column "{header}": no component or response has that name{hint} the campaign '
        f'has glucose, titre, OD340; name it with --columns "{header}=…", for all files under '
        f'[aliases] in campaign.toml, or leave it out with --ignore "{header}"'
    )


@pytest.mark.parametrize("unit", ["mM", "[mM]", "(mM)"])
def test_a_row_of_units_below_the_header(unit):
    assert problems(f"glucose,titre\n{unit},g/L\n1,2\n") == (
        "old.csv, row 2: it holds units (mM, g/L) where values should be; write each unit behind "
        'its name, such as "glucose [mM]", and remove the row',
    )


def test_a_choice_called_like_a_unit_is_no_unit():
    choice = Component(name="extract", choices=("X", "M"))
    assert history("extract,titre\nM,\nX,2\n", (choice,)).concentrations.tolist() == [[1.0], [0.0]]


@given(st.text("abcÄβ12 _", min_size=1))
def test_capitals_spaces_and_underscores_do_not_matter(text):
    assert fold(text) == fold(text.upper()) == fold(text.replace(" ", "_")) == fold(f" {text} ")


@given(st.text(max_size=12), st.text(max_size=12), st.dictionaries(st.text(), st.just("a")))
def test_any_name_means_one_thing_or_nothing(header, name, aliases):
    found = Finder([Target("component", 0, name)], aliases).find(header)
    assert found.target is None or found.target.name == name
    if header == name:
        assert found.target is not None
