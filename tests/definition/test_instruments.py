"""[aliases], [[instrument]], [noise] and a response's range: what is taken, and what is told."""

from __future__ import annotations

import math
import tomllib
from typing import Any

import pytest

from labloop.definition import parse
from labloop.errors import DefinitionError

BASE = """
name = "x"
[[component]]
name = "glucose"
unit = "mM"
high = 60.0
[[response]]
name = "titre"
"""


def definition(text: str) -> dict[str, Any]:
    return tomllib.loads(BASE) | tomllib.loads(text)


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(DefinitionError) as raised:
        parse(definition(text))
    return raised.value.problems


def test_everything_has_a_default() -> None:
    plain = parse(BASE)
    assert plain.aliases == {}
    assert plain.instruments == ()
    assert (plain.noise.plates, plain.noise.positions, plain.noise.outliers) == (True, True, True)
    assert plain.responses[0].range is None


def test_a_whole_instrument() -> None:
    read = parse(
        definition(
            """
            [aliases]
            "D-Glucose" = "glucose"
            "340" = "titre"
            [[instrument]]
            name = "reader"
            decimal = ","
            words = { "SAT" = "above_range" }
            [[instrument.block]]
            holds = "340"
            form = "list"
            sheet = "Data"
            cells = "A1:B384"
            [[instrument.block]]
            holds = "formula"
            sheet = "layout"
            """
        )
    )
    (instrument,) = read.instruments
    assert instrument.words == {"SAT": "above_range"}
    assert [block.form for block in instrument.blocks] == ["list", "grid"]
    assert parse(read.to_toml()) == read


def test_a_range_may_have_no_end() -> None:
    with_range = BASE + "range = [0.05, inf]\n"
    assert parse(with_range).responses[0].range == (0.05, math.inf)
    with pytest.raises(DefinitionError, match=r'"titre", range: must rise, as \[lowest, highest\]'):
        parse(BASE + "range = [4.0, 0.05]\n")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            '[aliases]\n"Glc" = "glucos"',
            '[aliases], "Glc": there is no component or response "glucos"; '
            'did you mean "glucose"?',
        ),
        (
            '[aliases]\n"titre" = "glucose"',
            '[aliases], "titre": is a component or response of the campaign itself; '
            "remove the alias",
        ),
        (
            '[aliases]\n"well" = "glucose"',
            '[aliases], "well": is a column of labloop\'s own tables; remove the alias',
        ),
        (
            '[aliases]\n"Glc" = "glucose"\n"GLC" = "titre"',
            '[aliases], "GLC": means "titre", but "Glc", which is spelled the same but for '
            'capitals, spaces and underscores, means "glucose"; remove one of them',
        ),
        (
            '[aliases]\n"=cmd" = "glucose"',
            '[aliases], "=cmd": must not begin with "=", which spreadsheets take for a calculation',
        ),
        ("[noise]\nplates = 1", "[noise], plates: must be true or false (got 1)"),
        (
            '[[instrument]]\nname = "r"',
            '[[instrument]] "r": [[instrument.block]] is missing; say what the file holds and '
            "where",
        ),
        (
            '[[instrument]]\nname = "r"\ndecimal = ";"\n[[instrument.block]]\nholds = "titre"',
            '[[instrument]] "r", decimal: must be "." or "," (got ";")',
        ),
        (
            '[[instrument]]\nname = "r"\nencoding = "utf-9"\n[[instrument.block]]\nholds = "titre"',
            '[[instrument]] "r", encoding: no encoding is called "utf-9"; try latin-1 or gbk',
        ),
        (
            '[[instrument]]\nname = "r"\n[[instrument.block]]\nholds = "titr"',
            '[[instrument]] "r", [[instrument.block]] number 1, holds: there is no response '
            '"titr"; did you mean "titre"?',
        ),
        (
            '[[instrument]]\nname = "r"\n[[instrument.block]]\nform = "grid"',
            '[[instrument]] "r", [[instrument.block]] number 1, holds: is missing; '
            'name a response, or "formula"',
        ),
        (
            '[[instrument]]\nname = "r"\n[[instrument.block]]\nform = "table"\nholds = "titre"',
            '[[instrument]] "r", [[instrument.block]] number 1, holds: a table\'s header says what '
            "it holds; remove it",
        ),
        (
            '[[instrument]]\nname = "r"\n[[instrument.block]]\nform = "lst"\nholds = "titre"',
            '[[instrument]] "r", [[instrument.block]] number 1, form: must be one of grid, list, '
            "table (got 'lst'); did you mean \"list\"?",
        ),
        (
            '[[instrument]]\nname = "r"\n[[instrument.block]]\nholds = "titre"\ncells = "B"',
            '[[instrument]] "r", [[instrument.block]] number 1, cells: must be a cell or a range '
            'such as A1 or A1:M9 (got "B")',
        ),
        (
            '[[instrument]]\nname = "r"\n[[instrument.block]]\nholds = "titre"\nheader_rows = 2',
            '[[instrument]] "r", [[instrument.block]] number 1, header_rows: goes with '
            'form = "table"; remove it',
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(text: str, problem: str) -> None:
    assert problem in problems(text)
