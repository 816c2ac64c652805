"""Formulas side by side: the same numbers as elsewhere, and what differs in words."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from labloop.campaign.differing import differences
from labloop.definition import parse
from labloop.errors import RefusedError

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")


def test_the_numbers_are_those_of_the_round_and_of_best(recorded):
    shown, best = recorded.round(1), recorded.best(100)
    ids = best.index[:3].tolist()
    comparison = recorded.compare(ids)
    assert comparison.amounts.columns.tolist() == ["unit", *ids]
    assert comparison.amounts["unit"].tolist() == ["mM"] * 4
    names = comparison.amounts.index.tolist()
    assert comparison.amounts[ids].T.to_numpy().tolist() == best.loc[ids, names].to_numpy().tolist()
    for (formula, response), row in comparison.responses.iterrows():
        for ours, theirs in (("measured", "mean"), ("sem", "sem"), ("wells", "wells")):
            assert row[ours] == best.loc[formula, f"{response}_{theirs}"]
        if formula in shown.formulas.index:
            assert row["predicted"] == shown.formulas.loc[formula, f"{response}_mean"]
            assert row["sd"] == shown.formulas.loc[formula, f"{response}_sd"]
            assert (row["round"], row["origin"]) == (1, shown.formulas.loc[formula, "origin"])
    assert len(comparison.sentences) == 2 * 3


def test_controls_go_by_their_names_and_numbers_may_be_text(recorded):
    number = int(recorded.round(1).formulas.index[0])
    comparison = recorded.compare([str(number), "commercial", number])
    assert comparison.amounts.columns.tolist() == ["unit", number, "commercial"]
    assert comparison.amounts["commercial"].tolist() == [5.0, 0.0, 2.0, 0.0]
    row = comparison.responses.loc[("commercial", "titre")]
    assert (row["origin"], row["wells"], row["round"] is pd.NA) == ("control", 2, True)
    assert math.isnan(row["predicted"])


def test_formulas_of_the_lab_and_formulas_that_wait(proposed, lab):
    waiting = int(proposed.round(1).formulas.index[0])
    proposed.record(lab.history(1, seed=6))
    adopted = max(proposed.best().index)
    comparison = proposed.compare([waiting, adopted])
    assert comparison.responses.loc[(adopted, "titre"), "origin"] == "adopted"
    assert comparison.responses.loc[(waiting, "titre"), "wells"] == 0
    assert comparison.sentences[1].startswith("titre: ")
    assert comparison.sentences[1].endswith(
        f" g/L of formula {adopted}; formula {waiting} is not measured."
    )


def test_a_limit_is_told_as_one(proposed, lab):
    first, second = proposed.round(1).formulas.index[:2].tolist()
    layout = proposed.round(1).layout
    results = lab.results(proposed, 1).astype({"titre": object})
    wells = layout.loc[layout["formula"] == first, "well"]
    results.loc[results["well"].isin(wells), "titre"] = "<2"
    proposed.record(results)
    comparison = proposed.compare([first, second])
    limits = comparison.responses["limit"]
    assert limits[first, "titre"] == "<2"
    assert limits.notna().sum() == 1
    assert math.isnan(comparison.responses.loc[(first, "titre"), "measured"])
    assert comparison.sentences[1].startswith(f"titre: below 2 g/L of formula {first} against ")
    assert "difference" not in comparison.sentences[1]


@pytest.mark.parametrize(
    ("formulas", "sentence"),
    [
        (
            [],
            "Comparing takes at least two different formulas (got none); give their numbers, or "
            "names of controls.",
        ),
        (
            ["commercial", "commercial"],
            "Comparing takes at least two different formulas (got commercial); give their numbers, "
            "or names of controls.",
        ),
        (
            ["commercial", "comercial"],
            'There is no formula "comercial"; did you mean "commercial"?; give numbers of '
            "formulas, or names of controls.",
        ),
        (
            ["commercial", 9999],
            "There is no formula 9999; `labloop best` and the reports have the numbers.",
        ),
        (
            ["commercial", 1],
            'Formula 1 is of the history of "CHO-S"; only formulas of the campaign itself can be '
            "compared.",
        ),
    ],
)
def test_what_cannot_be_compared(recorded, formulas, sentence):
    with pytest.raises(RefusedError) as error:
        recorded.compare(formulas)
    assert str(error.value) == sentence


def test_a_formula_that_was_on_no_plate(recorded, lab):
    formulas = lab.definition()["formulas"] | {"rich": {"zinc": 9.0}}
    again = lab.rewrite(recorded, lab.definition(formulas=formulas))
    with again, pytest.raises(RefusedError) as error:
        again.compare(["rich", "commercial"])
    assert str(error.value) == (
        'The formula "rich" was on no plate yet; list it among the controls of [plate], or compare '
        "others."
    )


# -- sentences ----------------------------------------------------------------------------------


def said(lab, first, second, **values):
    """Return the sentences on formula 12 and `base`, which contain and read what is given."""
    serum = {"name": "serum", "choices": ["soy", "wheat"]}
    definition = lab.definition()
    definition["component"].append(serum)
    definition["formulas"]["commercial"]["serum"] = "soy"
    definition = parse(definition)
    names = definition.component_names
    amounts = pd.DataFrame(
        {"unit": "mM", 12: first, "base": second}, index=pd.Index(names, name="component")
    )
    unknown = {"predicted": math.nan, "sd": math.nan, "measured": math.nan, "sem": math.nan}
    rows = {
        (formula, name): unknown | {"limit": None} | values.get(f"{name}_{formula}", {})
        for formula in (12, "base")
        for name in definition.response_names
    }
    responses = pd.DataFrame(rows.values(), pd.MultiIndex.from_tuples(rows)).rename_axis(
        index=["formula", "response"]
    )
    return differences(amounts, responses, definition)


BASE = [5.0, 0.0, 2.0, 0.0, "soy"]


def test_what_is_in_them(lab):
    assert said(lab, BASE, BASE)[0] == "Formula 12 and base are made alike."
    assert said(lab, [9.0, 0.5, 1.0, 0.0, "wheat"], BASE)[0] == (
        "Formula 12 against base: more glucose (9 against 5 mM) and glutamine (0.5 against 0 mM); "
        "less iron (1 against 2 mM); wheat serum for soy."
    )


@pytest.mark.parametrize(
    ("ours", "theirs", "sentence"),
    [
        (
            {"measured": 5.1, "sem": 0.2},
            {"measured": 4.4, "sem": 0.3},
            "titre: 5.10 ± 0.20 g/L of formula 12 against 4.40 ± 0.30 g/L of base: the difference "
            "0.70 ± 0.36 is 1.9 of its standard errors, which chance alone may make.",
        ),
        (
            {"measured": 4.0, "sem": 0.0},
            {"measured": 5.0, "sem": 0.4},
            "titre: 4 ± 0 g/L of formula 12 against 5.00 ± 0.40 g/L of base: the difference "
            "1.00 ± 0.40 is 2.5 of its standard errors, which chance alone seldom makes.",
        ),
        (
            {"measured": 5.0},
            {"measured": 4.0, "sem": 0.3},
            "titre: 5 g/L of formula 12 against 4.00 ± 0.30 g/L of base: the difference is 1, its "
            "error is not known.",
        ),
        (
            {"limit": ">9"},
            {"measured": 4.0, "sem": 0.3},
            "titre: above 9 g/L of formula 12 against 4.00 ± 0.30 g/L of base.",
        ),
        (
            {"predicted": 5.0, "sd": 0.5},
            {"predicted": 4.0, "sd": 0.5, "limit": "<2"},
            "titre: below 2 g/L of base; formula 12 is not measured; predicted were 5.00 ± 0.50 "
            "against 4.00 ± 0.50 g/L.",
        ),
        (
            {"predicted": 5.0, "sd": 0.5},
            {},
            "titre: neither formula 12 nor base is measured.",
        ),
    ],
)
def test_what_came_of_them(lab, ours, theirs, sentence):
    assert said(lab, BASE, BASE, titre_12=ours, titre_base=theirs)[1] == sentence


def test_small_differences_are_counted(lab):
    definition = lab.definition()
    many = [definition["component"][0] | {"name": f"c{k}"} for k in range(9)]
    definition = parse(definition | {"component": many, "formulas": {}, "plate": {}})
    amounts = pd.DataFrame(
        {"unit": "mM", 1: [float(k) for k in range(9)], 2: 0.0},
        index=definition.component_names,
    )
    index = pd.MultiIndex.from_product([[1, 2], definition.response_names])
    columns = ["predicted", "sd", "measured", "sem"]
    responses = pd.DataFrame(math.nan, index, columns).assign(limit=None)
    composition = differences(amounts, responses.rename_axis(["formula", "response"]), definition)
    assert composition[0].startswith("Formula 1 against formula 2: more c8 (8 against 0 mM), c7 (")
    assert composition[0].endswith(" and c3 (3 against 0 mM); and 2 smaller differences.")


@pytest.mark.parametrize("number", [10**30, "9" * 19, "9" * 5000])
def test_numbers_that_no_formula_can_have_are_refused(recorded, number):
    with pytest.raises(RefusedError, match="There is no formula"):
        recorded.compare([next(iter(recorded.round(1).formulas.index)), number])
