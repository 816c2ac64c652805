"""What check found, as tables, prose and JSON."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from labloop.campaign.checked_text import as_values, prose, tables
from labloop.campaign.checking import Checked, check
from labloop.definition import parse
from labloop.space import FormulaSpace
from labloop.terminal import show_frame, show_json


def checked(components: int, stock: float, more: float = 0.0, **robot: Any) -> Checked:
    """Check a definition of components of two decades, each of a stock stronger by `more`."""
    definition = parse(
        {
            "name": "wide",
            "plate": {"well_volume_ul": 200.0, "inoculum_ul": 20.0},
            "robot": {"kind": "ot2"} | robot,
            "component": [
                {
                    "name": f"a long component {number:02}",
                    "unit": "ng/mL",
                    "low": 0.01,
                    "high": 1.0,
                    "scale": "log",
                    "stocks": [stock + more * number],
                }
                for number in range(components)
            ],
            "response": [{"name": "titre"}],
        }
    )
    return check(definition, FormulaSpace.of(definition))


@pytest.fixture(scope="module")
def wide() -> Checked:
    return checked(30, 40.0, more=1.0)


def test_tables_of_thirty_components_are_narrow(
    wide: Checked, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = tables(wide)
    assert [len(table) for table in shown[:2]] == [30, 30]
    for table in shown:
        show_frame(table)
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines) <= 100


def test_the_suggestions_of_thirty_components_fit_the_well(wide: Checked) -> None:
    first = wide.extra_stocks.iloc[0]
    assert first["reach"] < 0.35
    assert first["with_both"] > 0.8
    assert wide.fits_with_extra > 0.9


def test_more_than_eight_warnings_are_counted(wide: Checked) -> None:
    assert len(wide.warnings) == 30
    lines = prose(wide).splitlines()
    assert lines[0] == "The definition is sound, but:"
    assert sum(line.startswith("  - ") for line in lines) == 9
    assert lines[9] == "  - … and 22 more like these: --json."


def test_components_of_which_the_same_is_said_share_a_sentence() -> None:
    (said,) = checked(5, 40.0).warnings
    assert said.startswith(
        "a long component 00, a long component 01, a long component 02 and 2 others: nothing "
        "between 0.01 and 0.2 ng/mL can be made (65% of its range); add a stock of "
    )


def test_prose_of_a_sound_definition_says_what_a_round_takes() -> None:
    said = prose(checked(1, 1.0, kind="echo550"))
    assert said.startswith(
        "The definition is sound.\nA round fills 24 wells of 1 plate; the volumes"
    )
    with_tips = prose(checked(2, 4.0, kind="biomek"))
    assert " and takes 3 tips, one a stock (1 rack of 96); the volumes are" in with_tips
    assert with_tips.endswith(" All random formulas satisfy all constraints as they are.")
    fresh = prose(checked(2, 4.0, kind="biomek", tips="dispense"))
    assert "one a stock" not in fresh


@pytest.mark.parametrize(
    ("feasible", "said"),
    [
        (0.0, "No random formula satisfies all constraints as it is: all are mended."),
        (0.5, "50% of random formulas satisfy all constraints as they are; the others are mended."),
        (
            0.9995,
            "99.95% of random formulas satisfy all constraints as they are; the others are mended.",
        ),
    ],
)
def test_how_many_formulas_satisfy_the_constraints(
    wide: Checked, feasible: float, said: str
) -> None:
    assert said in prose(dataclasses.replace(wide, feasible=feasible)).splitlines()[10]


def test_json_has_every_field(wide: Checked, capsys: pytest.CaptureFixture[str]) -> None:
    show_json(as_values(wide))
    told = json.loads(capsys.readouterr().out)
    assert list(told) == [field.name for field in dataclasses.fields(Checked)]
    assert told["load"]["needed"] == wide.load.needed
    assert told["components"][0]["component"] == "a long component 00"
    assert told["extra_stocks"][0]["stock"] == wide.extra_stocks["stock"].iloc[0]
    assert told["fits_with_stronger"] is None
    assert len(told["warnings"]) == 30
