"""The line that a problem speaks of: of its key, or of its table's header."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labloop.campaign.folders import ready_made
from labloop.definition import parse
from labloop.definition.places import line_of
from labloop.errors import DefinitionError
from labloop.space import FormulaSpace

_PAIR = re.compile(r'^(?P<key>"[^"]*"|[\w-]+) *= *(?P<value>.*)$')


def problems(text):
    try:
        FormulaSpace.of(parse(text))
    except DefinitionError as error:
        return error.problems
    return ()


def spoilt(name, key, value):
    """Yield (lines, number of the line) of a ready-made campaign, each with one line spoilt."""
    lines = ready_made()[name].read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        found = _PAIR.match(line)
        if found is not None:
            another = f"{key or found['key']} = {value or found['value']}"
            yield [*lines[: number - 1], another, *lines[number:]], number


@pytest.mark.parametrize("name", ready_made())
def test_every_key_with_another_value_is_found(name):
    for lines, number in spoilt(name, None, "{ wrong = [[]] }"):
        said = problems("\n".join(lines))
        found = [line_of("\n".join(lines), problem) for problem in said]
        assert number in found
        for problem, line in zip(said, found, strict=True):
            shown = lines[line - 1]
            pair = _PAIR.match(shown)
            word = pair["key"].strip('"') if pair else shown.partition("#")[0].strip(" []")
            assert word.split(".")[-1] in problem, (problem, shown)


@pytest.mark.parametrize("name", ready_made())
def test_every_unknown_key_is_found(name):
    for lines, number in spoilt(name, "no_such_key", None):
        said = [p for p in problems("\n".join(lines)) if "no_such_key" in p]
        assert [line_of("\n".join(lines), problem) for problem in said] == [number] * len(said)
        assert said


TEXT = '''\
# [plate] is below
name = """
[[component]]
name = "glucose" """
description = \'\'\'
it's [plate] wells = 5\'\'\'

[plate] # wells = 3
wells = 97
controls = { commercial = 4,  "other # one" = 2 }
"empty_wells" = [ # wells
  "A1", # ]
  "Z99",
]
[robot.csv]
profile = "none"
columns.Source = 1

[[component]]
name = "a \\"b\\" = ] c"
unit = "mM"
low = 1
high = [
  1,
  2,
]
[[component]]
name = "zinc"
high = 1.0
low = 2.0
unit = "mM"
[[instrument]]
name = "biotek"
[[instrument.block]]
holds = "titre"
[[instrument.block]]
header_rows = 2
holds = "titer"
[formulas."x.y"]
zinc = 1
[aliases]
"[plate]" = "zinc"
'''


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        ("name: must be text", 2),
        ('unknown key "description"', 5),
        ("[plate], wells: must be one of 24, 48 (got 97)", 9),
        ('[plate], controls: there is no formula "other # one"', 10),
        ("[plate], controls.commercial: must be at least 1 (got 0)", 10),
        ('[plate], empty_wells: a plate of 97 has no well "Z99"', 13),
        ("[plate]: controls and empty wells leave no well", 10),
        ("[plate], replicates: must be at least 1 (got 0)", 8),
        ("[robot.csv], profile: must be one of a, b (got 'none')", 16),
        ('[robot.csv.columns], "Source": there is no field "1"', 17),
        ("[robot], csv.profile: must be text (got 1)", 16),
        ("[robot], kind: must be text (got 1)", 15),
        ('[[component]] "a "b" = ] c", high: must be a number (got [1, 2])', 23),
        ('[[component]] "a "b" = ] c", high.1: must be text (got 2)', 25),
        ('[[component]] number 2, low: must be a number (got "x")', 30),
        ('[[component]] "zinc", low: must be below high 1 (got 2); swap or correct them', 30),
        ('[[component]] "zinc": key "stocks" is missing', 27),
        ('[[component]] "zinc": unknown key "high"; did you mean "low"?', 29),
        ("[[component]]: all are fixed; a campaign needs at least one that varies", 19),
        ('The component "zinc" was in uM until now and cannot be in mM; put the old unit', 31),
        ('[[instrument]] "biotek", [[instrument.block]] number 2, header_rows: goes with', 37),
        ('[[instrument]] "biotek", [[instrument.block]] number 1: unknown key "holds"', 35),
        ("[formulas.x.y], zinc: must be a concentration in mM (got 'a')", 40),
        ('[formulas.x.y]: does not say which "serum" it has', 39),
        ('[aliases], "[plate]": means "zinc", but', 42),
        ("[[response]] is missing; a campaign needs at least one", None),
        ("instruments = … is missing", None),
        ("total glucose + zinc at most 60", None),
        ("", None),
    ],
)
def test_places_among_strings_lists_and_comments(problem, line):
    assert line_of(TEXT, problem) == line
    assert line_of(TEXT.replace("\n", "\r\n"), problem) == line


@pytest.mark.parametrize(
    ("text", "line"),
    [('name = "a"\nplate = [1,\n', 2), ("a = 1\nb = \nc = 2", 2), ("a = 1\na = 2", 2), ("[", 1)],
)
def test_what_is_not_toml(text, line):
    [problem] = problems(text)
    assert line_of(text, problem) == line


def test_what_cannot_be_read_at_all_has_no_line():
    for text in ("a = " + "[" * 100_000, "a = " + "9" * 5000):
        [problem] = problems(text)
        assert line_of(text, problem) is None


_DECOYS = st.sampled_from(
    [
        "# x = 1",
        "",
        'd{} = """\n[x]\nx = 1\n\\""" """""',
        "d{} = '''\n[[x]]\n'x' = 1''''",
        "d{} = [\n  { x = 1, y = [ # ]\n 2 ] },\n]",
        'd{}."x.y" = { x = "}" }',
        "d{} = 1979-05-27 07:32:00 # x",
        "[t{}]",
        "[[l]]",
        "[[l]]\n[[l.x]]\n[l.x.y]",
    ]
)


@given(st.lists(_DECOYS, max_size=8), st.lists(_DECOYS, max_size=8))
def test_a_key_is_found_whatever_stands_around_it(before, after):
    some = [decoy.replace("{}", str(k)) for k, decoy in enumerate([*before, *after])]
    head, tail = some[: len(before)], some[len(before) :]
    text = "\n".join([*head, "[target]", "a = 0", "x.y = 1", *tail])
    at = sum(each.count("\n") + 1 for each in head)
    assert line_of(text, "[target], x.y: must be text (got 1)") == at + 3
    assert line_of(text, "[target], z: must be text (got 1)") == at + 1


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_and_any_problem(text, problem):
    line = line_of(text, problem)
    assert line is None or line >= 1
