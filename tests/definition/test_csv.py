"""What is said of every mistake in `[robot.csv]`, to the letter."""

import pytest

from labloop.definition import parse
from labloop.errors import DefinitionError

PLAIN = {
    "name": "x",
    "component": [{"name": "glucose", "unit": "mM", "high": 6.0, "stocks": [100.0]}],
    "response": [{"name": "titre"}],
}


def problems(toml):
    with pytest.raises(DefinitionError) as caught:
        parse(PLAIN | {"robot": toml})
    return list(caught.value.problems)


def of_columns(**columns):
    return problems({"kind": "hamilton", "csv": {"columns": columns}})


@pytest.mark.parametrize(
    ("robot", "problem"),
    [
        (
            {"kind": "hamilton", "csv": {"profile": "nimbuss"}},
            "[robot.csv], profile: must be one of biomek, hamilton, nimbus, epmotion, epblue (got "
            "'nimbuss'); did you mean \"nimbus\"?",
        ),
        (
            {"kind": "ot2", "csv": {"profile": "nimbus"}},
            "[robot.csv]: only the kinds biomek, hamilton, epmotion have worklists with columns "
            '(kind is "ot2"); remove it',
        ),
        (
            {"kind": "manual", "csv": {"columns": {"Well": "well"}}},
            "[robot.csv]: only the kinds biomek, hamilton, epmotion have worklists with columns "
            '(kind is "manual"); remove it',
        ),
        (
            {"kind": "hamilton", "csv": {"colums": {"Well": "well"}}},
            '[robot], csv: unknown key "colums"; did you mean "columns"?',
        ),
        (
            {"kind": "epmotion", "pipettes": ["TS_50", "TS_500"]},
            "[robot], pipettes: must be some of TS_10, TS_50, TS_300, TS_1000 (got 'TS_500'); did "
            'you mean "TS_50"?',
        ),
        (
            {"kind": "epmotion", "pipettes": ["TS_10", "TS_300"]},
            "[robot], pipettes: none of TS_10, TS_300 makes a little more than 10 µL; list "
            "another, or change min_dispense_ul and max_dispense_ul",
        ),
        (
            {"kind": "epmotion", "min_dispense_ul": 0.5},
            "[robot], pipettes: none of TS_50, TS_300, TS_1000 makes 0.5 µL; list another, or "
            "change min_dispense_ul and max_dispense_ul",
        ),
        (
            {"kind": "epmotion", "max_dispense_ul": 2000.0},
            "[robot], pipettes: none of TS_50, TS_300, TS_1000 makes a little more than 1000 µL; "
            "list another, or change min_dispense_ul and max_dispense_ul",
        ),
    ],
)
def test_mistakes_in_profiles_and_tools(robot, problem):
    assert problems(robot) == [problem]


@pytest.mark.parametrize(
    ("heading", "field", "problem"),
    [
        (
            "Vol",
            "volum_ul",
            'there is no field "volum_ul" (for that text in every line write "=volum_ul"); did you '
            'mean "volume_ul"?',
        ),
        ("Vol", "", 'there is no field "" (for that text in every line write "=")'),
        ("", "well", "a heading is one line of western letters; choose another"),
        ("Лунка", "well", "a heading is one line of western letters; choose another"),
        ("two\nlines", "well", "a heading is one line of western letters; choose another"),
        ("=A1", "well", "a heading is one line of western letters; choose another"),
        (
            "x",
            "==1+1",
            "the text behind = must be one line of western letters that does not begin as a "
            "calculation does (got '=1+1')",
        ),
        (
            "x",
            "=葡萄糖",
            "the text behind = must be one line of western letters that does not begin as a "
            "calculation does (got '葡萄糖')",
        ),
        (
            "x",
            "liquid_class",
            "there are no liquid classes; give them under [robot.liquid_classes]",
        ),
        (
            "x",
            "plate_labware",
            "there is no name to write; give plate_labware under [robot]",
        ),
    ],
)
def test_mistakes_in_columns(heading, field, problem):
    assert of_columns(**{heading: field}) == [f'[robot.csv.columns], "{heading}": {problem}']


def test_headings_that_differ_only_in_capitals():
    assert of_columns(**{"Well": "well", "x": "volume_ul", "WELL": "source_well"}) == [
        '[robot.csv.columns], "WELL": "Well" is the same heading up to capitals, which robots do '
        "not tell apart; choose another"
    ]


def test_every_problem_of_the_table_is_listed():
    assert len(of_columns(**{"a": "wel", "b": "volum", "": "=x"})) == 3


def test_equal_headings_are_no_toml():
    toml = 'name = "x"\n[robot]\nkind = "hamilton"\n[robot.csv.columns]\nA = "well"\nA = "plate"\n'
    with pytest.raises(DefinitionError, match="is not valid TOML"):
        parse(toml)


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"Volume, µL": "volume_ul"},
        {'the "well"': "well"},
        {"z": "=-5", "empty": "=", "class": "=Water, jet"},
    ],
)
def test_tables_that_are_sound(columns):
    definition = parse(PLAIN | {"robot": {"kind": "hamilton", "csv": {"columns": columns}}})
    assert definition.robot.csv.columns == columns


def test_tools_set_what_an_epmotion_dispenses():
    robot = parse(PLAIN | {"robot": {"kind": "epmotion", "pipettes": ["TS_50", "TS_10"]}}).robot
    assert (robot.min_dispense_ul, robot.max_dispense_ul) == (0.2, 50.0)


def test_own_columns_without_tools_ask_for_none():
    robot = {"kind": "epmotion", "max_dispense_ul": 2000.0, "csv": {"columns": {"w": "well"}}}
    assert parse(PLAIN | {"robot": robot}).robot.max_dispense_ul == 2000.0
