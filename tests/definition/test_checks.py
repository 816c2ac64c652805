"""What is said of every kind of mistake in a definition, to the letter."""

from __future__ import annotations

import copy

import pytest

from labloop.definition import load, parse
from labloop.errors import DefinitionError

GLUCOSE = {"name": "glucose", "unit": "mM", "high": 60.0}
EGF = {"name": "EGF", "unit": "ug/L", "low": 1.0, "high": 10.0}
SERUM = {"name": "serum", "choices": ["calf", "horse"]}
TITRE = {"name": "titre"}
PLAIN = {"name": "x", "component": [GLUCOSE, EGF, SERUM], "response": [TITRE]}


def problems(**sections):
    with pytest.raises(DefinitionError) as caught:
        parse(copy.deepcopy(PLAIN | sections))
    return list(caught.value.problems)


def test_the_plain_definition_has_no_problem():
    assert parse(PLAIN).name == "x"


@pytest.mark.parametrize(
    ("sections", "problem"),
    [
        ({"components": []}, 'unknown key "components"; did you mean "component"?'),
        ({"plat": {}}, 'unknown key "plat"; did you mean "plate"?'),
        ({3: 4}, 'unknown key "3"'),
        (
            {"plate": {"well": 96}},
            '[plate]: unknown key "well"; did you mean "wells"?',
        ),
        ({"robot": {"knd": "ot2"}}, '[robot]: unknown key "knd"; did you mean "kind"?'),
        (
            {"surrogate": {"layrs": 8}},
            '[surrogate]: unknown key "layrs"; did you mean "layers"?',
        ),
        (
            {"proposal": {"formula": 8}},
            '[proposal]: unknown key "formula"; did you mean "formulas"?',
        ),
        (
            {"proposal": {"seats": {"mixng": 0.1}}},
            '[proposal], seats: unknown key "mixng"; did you mean "mixing"?',
        ),
        (
            {"robot": {"kind": "ot2", "source_plate": [{}, {"label": "reservoir"}]}},
            '[[robot.source_plate]] number 2: unknown key "label"; did you mean "labware"?',
        ),
        (
            {"constraint": [{"totl": {"glucose": 1.0}, "at_most": 3}]},
            '[[constraint]] number 1: unknown key "totl"; did you mean "total"?',
        ),
        (
            {"response": [{"name": "titre", "gaol": "maximize"}]},
            '[[response]] "titre": unknown key "gaol"; did you mean "goal"?',
        ),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_known_one(sections, problem):
    assert problems(**{str(k): v for k, v in sections.items()}) == [problem]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"hgh": 3.0}, 'unknown key "hgh"; did you mean "high"?'),
        ({"low": True}, ", low: must be a number (got True)"),
        ({"high": "60"}, ", high: must be a number (got '60')"),
        ({"high": float("inf")}, ", high: must be a finite number (got inf)"),
        ({"high": 0}, ", high: must be greater than 0 (got 0)"),
        ({"low": -1}, ", low: must be at least 0 (got -1)"),
        ({"stocks": [0.0]}, ", stocks.0: must be greater than 0 (got 0.0)"),
        ({"stocks": 5.0}, ", stocks: must be a list (got 5.0)"),
        ({"stocks": [5.0, 5.0]}, ", stocks: the same concentration stands twice; remove one"),
        (
            {"stocks": [1000.0, 5.0], "solubility": 900.0},
            ", stocks: 1000 mM is above its solubility of 900 mM; use a weaker stock",
        ),
        (
            {"scale": "lin"},
            ", scale: must be one of linear, log (got 'lin'); did you mean \"linear\"?",
        ),
        ({"choices": "soy"}, ", choices: must be a list (got 'soy')"),
        ({"fixed": -2.0}, ", fixed: must be at least 0 (got -2.0)"),
        ({"fixed": 61.0}, ", fixed: 61 lies outside low 0 and high 60"),
        ({"low": 60.0}, ", low: must be below high 60 (got 60); swap or correct them"),
        ({"low": 70.0}, ", low: must be below high 60 (got 70); swap or correct them"),
        ({"levels": [1.0]}, ", levels: must be at least two different concentrations"),
        ({"levels": [1.0, 1.0]}, ", levels: must be at least two different concentrations"),
        ({"levels": [1.0, -1.0]}, ", levels.1: must be at least 0 (got -1.0)"),
        ({"levels": [0.0, 70.0]}, ", levels: 70 lies outside low 0 and high 60"),
        ({"step": 70.0}, ", step: must be at most high - low = 60 (got 70)"),
        ({"step": 1e-4}, ", step: makes more than 65535 levels; use a larger step"),
        (
            {"step": 1.0, "scale": "log"},
            ', step: goes with scale = "linear" only; remove one of the two',
        ),
        (
            {"step": 1.0, "levels": [1.0, 2.0]},
            ": levels and step exclude each other; keep one",
        ),
        (
            {"unit": "mm"},
            ', unit: unknown unit "mm"; did you mean "mM"? units are '
            "M, mM, uM, nM, g/L, mg/L, ug/L, ng/mL, %, X, U/mL",
        ),
        (
            {"unit": "bar"},
            ', unit: unknown unit "bar"; units are '
            "M, mM, uM, nM, g/L, mg/L, ug/L, ng/mL, %, X, U/mL",
        ),
    ],
)
def test_mistakes_in_a_component(change, problem):
    place = '[[component]] "glucose"'
    separator = ": " if problem.startswith("unknown") else ""
    assert problems(component=[GLUCOSE | change, EGF]) == [f"{place}{separator}{problem}"]


@pytest.mark.parametrize(
    ("component", "problem"),
    [
        ({"unit": "mM", "high": 3.0}, '[[component]] number 2: key "name" is missing'),
        ({"name": "a", "high": 3.0}, '[[component]] "a": key "unit" is missing'),
        (
            {"name": "a", "unit": "mM"},
            '[[component]] "a": key "high" is missing; give low and high, levels, fixed or choices',
        ),
        (
            {"name": "a", "choices": ["soy", "soy"]},
            '[[component]] "a", choices: must be at least two different names',
        ),
        (
            {"name": "a", "choices": ["soy", "=soy"]},
            '[[component]] "a", choices "=soy": must not begin with "=", '
            "which spreadsheets take for a calculation",
        ),
        (
            {"name": "a", "choices": ["soy", "wheat"], "stocks": [3.0]},
            '[[component]] "a", stocks: a component with choices has none; remove the key',
        ),
        (
            {"name": "a", "choices": ["soy", "wheat"], "high": 3.0},
            '[[component]] "a", high: a component with choices has none; remove the key',
        ),
        (3, "[[component]] number 2: must be a table (got 3)"),
    ],
)
def test_mistakes_in_another_component(component, problem):
    assert problems(component=[GLUCOSE, component]) == [problem]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "must not be empty"),
        (" glucose", "must not begin or end with a space"),
        ("a\tb", "must not hold line ends, tabs or other characters that cannot be seen"),
        ("=A1", 'must not begin with "=", which spreadsheets take for a calculation'),
        ("+A1", 'must not begin with "+", which spreadsheets take for a calculation'),
        ("-A1", 'must not begin with "-", which spreadsheets take for a calculation'),
        ("@A1", 'must not begin with "@", which spreadsheets take for a calculation'),
        ("Well", "this word names a column of labloop's tables; choose another"),
        ("titre_SD", "this word names a column of labloop's tables; choose another"),
        ("Glucose", 'is already taken by [[component]] "glucose"; choose another'),
        ("glucose", 'is already taken by [[component]] "glucose"; choose another'),
    ],
)
def test_names_that_no_table_could_hold(name, problem):
    found = problems(component=[GLUCOSE, {**EGF, "name": name}])
    assert found == [f'[[component]] "{name}", name: {problem}']


def test_a_response_may_not_have_the_name_of_a_component():
    assert problems(response=[{"name": "GLUCOSE"}]) == [
        '[[response]] "GLUCOSE", name: is already taken by [[component]] "glucose"; choose another'
    ]


@pytest.mark.parametrize(
    ("response", "problem"),
    [
        ({"goal": "at_least"}, ': goal = "at_least" needs bound = …'),
        ({"goal": "at_most"}, ': goal = "at_most" needs bound = …'),
        ({"goal": "near"}, ': goal = "near" needs bound = …'),
        (
            {"bound": 3.0},
            ", bound: goes with the goals at_least, at_most and near (goal is "
            '"maximize"); remove it or change the goal',
        ),
        (
            {"goal": "maximise"},
            ", goal: must be one of maximize, minimize, at_least, at_most, near, observe "
            "(got 'maximise'); did you mean \"maximize\"?",
        ),
        ({"weight": 0}, ", weight: must be greater than 0 (got 0)"),
        (
            {"goal": "at_most", "bound": 0.0, "transform": "log"},
            ', bound: must be greater than 0 with transform = "log" (got 0)',
        ),
        (
            {"reference": 0.0, "transform": "log"},
            ', reference: must be greater than 0 with transform = "log" (got 0)',
        ),
    ],
)
def test_mistakes_in_a_response(response, problem):
    found = problems(response=[TITRE, {"name": "viability", **response}])
    assert found == [f'[[response]] "viability"{problem}']


def test_a_campaign_needs_something_to_reach_and_something_to_vary():
    assert problems(response=[{"name": "titre", "goal": "observe"}]) == [
        "[[response]]: none has a goal to reach; "
        "set goal to maximize, minimize or near for at least one"
    ]
    assert problems(component=[{"name": "glucose", "unit": "mM", "fixed": 3.0}]) == [
        "[[component]]: all are fixed; a campaign needs at least one that varies"
    ]


@pytest.mark.parametrize(
    ("constraint", "problem"),
    [
        ({"at_most": 3.0}, ": needs either total or present"),
        (
            {"total": {"glucose": 1.0}, "present": ["glucose"], "at_most": 3.0},
            ": needs either total or present",
        ),
        ({"total": {"glucose": 1.0}}, ": needs at_least, at_most or equals"),
        ({"total": {}, "at_most": 3.0}, ", total: names no component"),
        ({"present": [], "at_most": 3}, ", present: names no component"),
        (
            {"total": {"glukose": 1.0}, "at_most": 3.0},
            ', total: unknown component "glukose"; did you mean "glucose"?',
        ),
        (
            {"present": ["glukose"], "at_most": 3},
            ', present: unknown component "glukose"; did you mean "glucose"?',
        ),
        (
            {"total": {"serum": 1.0}, "at_most": 3.0},
            ', total: "serum" has choices, not concentrations; remove it here',
        ),
        (
            {"present": ["glucose", "glucose"], "at_most": 1},
            ', present: names "glucose" twice; remove one',
        ),
        (
            {"total": {"glucose": 1.0}, "at_least": 5.0, "at_most": 3.0},
            ", at_least: must not exceed at_most 3 (got 5); swap them",
        ),
        (
            {"total": {"glucose": 1.0}, "equals": 5.0, "at_most": 3.0},
            ": equals excludes at_least and at_most; keep one of them",
        ),
        (
            {"total": {"glucose": 1.0, "EGF": 2.0}, "at_least": 81.0},
            ": glucose + 2 EGF ≥ 81 can never hold, since the total lies between 2 and 80; "
            "change the bound or the components' low and high",
        ),
        (
            {"total": {"glucose": 1.0, "EGF": 2.0}, "equals": 1.5},
            ": glucose + 2 EGF = 1.5 can never hold, since the total lies between 2 and 80; "
            "change the bound or the components' low and high",
        ),
        (
            {"present": ["glucose", "EGF"], "at_most": 0},
            ": number present of glucose, EGF ≤ 0 can never hold, since the number of components "
            "above zero lies between 1 and 2; change the bound or the components' low and high",
        ),
    ],
)
def test_mistakes_in_a_constraint(constraint, problem):
    assert problems(constraint=[constraint]) == [f"[[constraint]] number 1{problem}"]


def test_a_fixed_component_counts_with_its_one_concentration_in_a_total():
    fixed = {**GLUCOSE, "fixed": 25.0}
    assert problems(
        component=[fixed, EGF],
        constraint=[{"total": {"glucose": 1.0}, "at_most": 20.0}],
    ) == [
        "[[constraint]] number 1: glucose ≤ 20 can never hold, since the total lies between 25 and "
        "25; change the bound or the components' low and high"
    ]


@pytest.mark.parametrize(
    ("formula", "problem"),
    [
        (
            {"glukose": 1.0, "serum": "calf"},
            ', glukose: unknown component; did you mean "glucose"?',
        ),
        (
            {"glucose": "much", "serum": "calf"},
            ", glucose: must be a concentration in mM (got 'much')",
        ),
        ({"glucose": True, "serum": "calf"}, ", glucose: must be a number (got True)"),
        ({"glucose": -1.0, "serum": "calf"}, ", glucose: must be at least 0 (got -1.0)"),
        ({"serum": "pig"}, ", serum: must be one of calf, horse (got 'pig')"),
        ({"glucose": 1.0}, ': does not say which "serum" it has'),
    ],
)
def test_mistakes_in_a_named_formula(formula, problem):
    assert problems(formulas={"commercial": formula}) == [f"[formulas.commercial]{problem}"]


def test_a_named_formula_is_not_a_number():
    assert problems(formulas={"12": {"serum": "calf"}}) == [
        "[formulas.12]: the name must not be a number"
    ]


@pytest.mark.parametrize(
    ("plate", "problem"),
    [
        ({"wells": 95}, "[plate], wells: must be one of 24, 48, 96, 384, 1536 (got 95)"),
        ({"wells": True}, "[plate], wells: must be one of 24, 48, 96, 384, 1536 (got True)"),
        (
            {"controls": {"comercial": 4}},
            '[plate], controls: there is no formula "comercial"; did you mean "commercial"?; '
            "add [formulas.comercial]",
        ),
        (
            {"controls": {"commercial": 0}},
            "[plate], controls.commercial: must be at least 1 (got 0)",
        ),
        (
            {"controls": {"commercial": True}},
            "[plate], controls.commercial: must be a whole number (got True)",
        ),
        ({"replicates": 1.5}, "[plate], replicates: must be a whole number (got 1.5)"),
        ({"empty_wells": ["A13"]}, '[plate], empty_wells: a plate of 96 has no well "A13"'),
        (
            {"empty_wells": "edges"},
            "[plate], empty_wells: must be a list of wells or \"edge\" (got 'edges')",
        ),
        (
            {"inoculum_ul": 200.0},
            "[plate], inoculum_ul: must be below well_volume_ul 200 (got 200); "
            "the well volume includes the inoculum",
        ),
        (
            {"wells": 384, "well_volume_ul": 240.1},
            "[plate], well_volume_ul: must be at most 240, what the largest usual plates of 384 "
            "wells hold (got 240.1); correct it or wells, or say with well_capacity_ul what yours "
            "hold",
        ),
        (
            {"well_volume_ul": 200.0, "well_capacity_ul": 180.0},
            "[plate], well_volume_ul: must not exceed well_capacity_ul 180 (got 200)",
        ),
        (
            {"inoculum_ul": 20.05},
            "[plate], inoculum_ul: must be a whole number of the robot's increments of 0.1 µL "
            "(got 20.05)",
        ),
        ({"diluent": ""}, "[plate], diluent: must not be empty"),
        (
            {"diluent": "glucose"},
            '[plate], diluent: "glucose" is also a component; rename one of them',
        ),
        (
            {"controls": {"commercial": 60}, "empty_wells": "edge"},
            "[plate]: controls and empty wells leave no well of 96 for formulas; use fewer of them",
        ),
        (3, "plate: must be a table (got 3)"),
    ],
)
def test_mistakes_in_the_plate(plate, problem):
    formulas = {"commercial": {"serum": "calf"}}
    assert problems(plate=plate, formulas=formulas) == [problem]


@pytest.mark.parametrize(
    ("robot", "problem"),
    [
        (
            {"kind": "echo52"},
            "[robot], kind: must be one of echo525, echo550, ot2, flex, evo, fluent, biomek, "
            "hamilton, epmotion, mantis, idot, manual (got 'echo52'); did you mean \"echo525\"?",
        ),
        (
            {"kind": ["ot2"]},
            "[robot], kind: must be one of echo525, echo550, ot2, flex, evo, fluent, biomek, "
            "hamilton, epmotion, mantis, idot, manual (got ['ot2'])",
        ),
        (
            {"min_dispense_ul": 2000.0},
            "[robot], min_dispense_ul: must not exceed max_dispense_ul 1000 (got 2000)",
        ),
        (
            {"min_dispense_ul": 0.05, "increment_ul": 0.05, "max_dispense_ul": 0.1},
            "[robot], max_dispense_ul: a well of 200 µL would take 2000 dispenses of 0.1 µL; raise "
            "it, or use smaller wells",
        ),
        (
            {"dead_volume_ul": 10000.0},
            "[robot], dead_volume_ul: must be below source_well_volume_ul 10000 (got 10000)",
        ),
    ],
)
def test_mistakes_in_the_robot(robot, problem):
    assert problems(robot=robot) == [problem]


@pytest.mark.parametrize(
    ("sections", "problem"),
    [
        ({"surrogate": {"layers": 4}}, "[surrogate], layers: must be at least 5 (got 4)"),
        ({"surrogate": {"layers": 21}}, "[surrogate], layers: must be at most 20 (got 21)"),
        (
            {"surrogate": {"feature_share": 0}},
            "[surrogate], feature_share: must be greater than 0 (got 0)",
        ),
        (
            {"surrogate": {"transfer": "stages"}},
            "[surrogate], transfer: must be one of staged, patent (got 'stages'); "
            'did you mean "staged"?',
        ),
        (
            {"proposal": {"seats": {"mixing": 1.5}}},
            "[proposal], seats.mixing: must be at most 1 (got 1.5)",
        ),
        (
            {"proposal": {"seats": {"mixing": 0.5, "latin_hypercube": 0.6}}},
            "[proposal], seats: latin_hypercube 0.6, mixing 0.5 and exploration 0 add up to more "
            "than 1; lower one of them",
        ),
        ({"name": " "}, "name: must not be empty"),
        ({"name": 3}, "name: must be text (got 3)"),
        ({"component": "x"}, "[[component]]: must be a list (got 'x')"),
        ({"response": 3}, "[[response]]: must be a list (got 3)"),
        (
            {"constraint": {"at_most": 3}},
            "[[constraint]]: must be a list (got {'at_most': 3})",
        ),
        ({"component": []}, "[[component]] is missing; a campaign needs at least one"),
        ({"response": []}, "[[response]] is missing; a campaign needs at least one"),
    ],
)
def test_mistakes_elsewhere(sections, problem):
    assert problems(**sections) == [problem]


def test_exploration_counts_among_the_seats():
    seats = {"latin_hypercube": 0.5, "mixing": 0.3, "exploration": 0.3}
    assert problems(proposal={"seats": seats}) == [
        "[proposal], seats: latin_hypercube 0.5, mixing 0.3 and exploration 0.3 add up to more "
        "than 1; lower one of them"
    ]


def test_a_price_of_a_well_needs_a_component_with_a_price():
    proposal = {"well_price": 0.5}
    assert problems(component=[GLUCOSE, EGF], proposal=proposal) == [
        "[proposal], well_price: no component has a price, so formulas would all cost the same; "
        "give a [[component]] its price or remove well_price"
    ]
    priced = PLAIN | {"component": [GLUCOSE | {"price": 0.1}], "proposal": proposal}
    assert parse(priced).proposal.well_price == 0.5
    assert problems(component=[GLUCOSE | {"price": 0.1}], proposal={"well_price": 0.0}) == [
        "[proposal], well_price: must be greater than 0 (got 0.0)"
    ]


def test_mistakes_in_wishes_for_the_plate():
    assert problems(component=[GLUCOSE, EGF], proposal={"shared": ["glucse", "EGF", "EGF"]}) == [
        '[proposal], shared: unknown component "glucse"; did you mean "glucose"?',
        '[proposal], shared: names "EGF" twice; remove one',
    ]
    assert problems(component=[GLUCOSE, EGF], proposal={"shared": ["glucose", "EGF"]}) == [
        "[proposal], shared: names every component that varies, so all formulas would be the "
        "same; leave one out"
    ]
    assert problems(component=[EGF], proposal={"most_stocks": 4}) == [
        "[proposal], most_stocks: no component has stocks; give a [[component]] its stocks or "
        "remove most_stocks"
    ]


def test_repeats_are_weighed_for_one_objective():
    responses = [{"name": "titre"}, {"name": "lactate", "goal": "minimize"}]
    assert problems(response=responses, proposal={"repeats": 0.1}) == [
        "[proposal], repeats: repeating formulas is weighed for one objective, and there are 2; "
        "remove repeats"
    ]
    responses[1] |= {"goal": "at_most", "bound": 2.0}
    given = PLAIN | {"response": responses, "proposal": {"repeats": 0.1}}
    assert parse(given).proposal.repeats == 0.1
    assert parse(PLAIN).proposal.repeats == 0.0


def test_seats_may_fill_the_plate_exactly():
    seats = {"latin_hypercube": 0.7, "mixing": 0.3}
    assert parse(PLAIN | {"proposal": {"seats": seats}}).proposal.seats.mixing == 0.3


def test_all_problems_are_listed_at_once():
    with pytest.raises(DefinitionError) as caught:
        parse(
            """
description = 3
[plate]
wells = 97
[[component]]
name = "glucose"
unit = "mol"
low = 70.0
high = 60.0
[[component]]
name = "=EGF"
unit = "mM"
hgh = 3
[[response]]
name = "titre"
goal = "near"
[[constraint]]
total = { glucose = 1.0, "=EGF" = 1.0, lactate = 1.0 }
at_most = 3.0
[proposal]
seats = { mixing = 0.7, latin_hypercube = 0.7 }
""",
            where="campaign.toml",
        )
    assert str(caught.value) == "\n".join(
        [
            "campaign.toml has 9 problems:",
            "  - description: must be text (got 3)",
            "  - [plate], wells: must be one of 24, 48, 96, 384, 1536 (got 97)",
            '  - [[component]] "=EGF": unknown key "hgh"; did you mean "high"?',
            "  - name = … is missing",
            '  - [[component]] "glucose", unit: unknown unit "mol"; units are '
            "M, mM, uM, nM, g/L, mg/L, ug/L, ng/mL, %, X, U/mL",
            '  - [[component]] "glucose", low: must be below high 60 (got 70); '
            "swap or correct them",
            '  - [[response]] "titre": goal = "near" needs bound = …',
            '  - [[constraint]] number 1, total: unknown component "lactate"',
            "  - [proposal], seats: latin_hypercube 0.7, mixing 0.7 and exploration 0 add up to "
            "more than 1; lower one of them",
        ]
    )


def test_a_long_value_is_cut_in_the_message():
    assert problems(name=list(range(1000))) == [
        "name: must be text (got [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 1…)"
    ]


def test_a_file_that_is_not_there(tmp_path):
    path = tmp_path / "campaign.toml"
    with pytest.raises(DefinitionError) as caught:
        load(path)
    assert str(caught.value) == (
        f"{path} does not exist.\n  - make it with `labloop init`, or check the path"
    )


def test_a_file_that_is_not_utf_8(tmp_path):
    path = tmp_path / "campaign.toml"
    path.write_bytes('name = "größe"'.encode("latin-1"))
    with pytest.raises(DefinitionError) as caught:
        load(path)
    assert str(caught.value) == (
        f"{path} is not UTF-8 text.\n  - byte 11 cannot be read; save the file as UTF-8"
    )


def test_a_file_that_is_not_toml(tmp_path):
    path = tmp_path / "campaign.toml"
    path.write_text('name = "x\n', encoding="utf-8")
    with pytest.raises(DefinitionError) as caught:
        load(path)
    assert str(caught.value) == (
        f"{path} is not valid TOML.\n  - Illegal character '\\n' (at line 1, column 10)"
    )


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(DefinitionError) as caught:
        load(tmp_path)
    assert caught.value.headline == f"{tmp_path} cannot be read."


@pytest.mark.parametrize(
    ("plate", "stocks"),
    [
        ({"wells": 1536, "well_volume_ul": 13.0}, [900.0]),
        ({"wells": 96, "well_volume_ul": 3000.0, "well_capacity_ul": 3000.0}, [900.0, 1.0]),
    ],
)
def test_a_well_may_be_full_and_a_stock_saturated(plate, stocks):
    glucose = GLUCOSE | {"stocks": stocks, "solubility": 900.0}
    assert parse(copy.deepcopy(PLAIN | {"plate": plate, "component": [glucose]}))
