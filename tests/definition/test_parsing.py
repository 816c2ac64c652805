"""campaign.toml: all of it parses, survives a round trip, and is never met by a traceback."""

from __future__ import annotations

import string

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labloop.definition import Definition, load, parse
from labloop.errors import DefinitionError
from labloop.robots import ROBOTS
from labloop.units import UNITS

FULL = """
name = "cho-k1-basal"
description = "Basal medium for CHO-K1"

[plate]
wells = 96
well_volume_ul = 200.0
inoculum_ul = 20.0
diluent = "water"
replicates = 2
controls = { commercial = 4 }
empty_wells = ["A1"]

[robot]
kind = "echo525"
min_dispense_ul = 0.025
increment_ul = 0.025
max_dispense_ul = 5.0

[[component]]
name = "glucose"
unit = "mM"
low = 0.0
high = 60.0
stocks = [1000.0, 100.0]
molar_mass = 180.16
price = 0.02

[[component]]
name = "galactose"
unit = "mM"
low = 0
high = 30
scale = "log"

[[component]]
name = "IGF1"
unit = "ug/L"
high = 100.0
step = 0.5

[[component]]
name = "EGF"
unit = "ug/L"
levels = [0, 1, 10, 60]

[[component]]
name = "FGF2"
unit = "ug/L"
fixed = 25.0

[[component]]
name = "hydrolysate"
choices = ["soy", "wheat"]

[[response]]
name = "titre"
unit = "g/L"
goal = "maximize"
transform = "log"
reference = 0.1

[[response]]
name = "viability"
unit = "%"
goal = "at_least"
bound = 90.0
weight = 1.0

[[constraint]]
total = { glucose = 1.0, galactose = 1.0 }
at_most = 60.0

[[constraint]]
present = ["IGF1", "EGF", "FGF2"]
at_most = 2

[formulas.commercial]
glucose = 25.0
hydrolysate = "soy"

[surrogate]
layers = 8
members = 8
feature_share = 0.7
transfer = "staged"

[proposal]
formulas = 24
candidates = 1_000_000
grid_levels = 5
seats = { latin_hypercube = 0.1, mixing = 0.1 }
"""

SMALLEST = """
name = "smallest"
[[component]]
name = "glucose"
unit = "mM"
high = 60.0
[[response]]
name = "titre"
"""


def test_the_full_example_parses():
    definition = parse(FULL)
    assert definition.name == "cho-k1-basal"
    assert definition.component_names == [
        "glucose",
        "galactose",
        "IGF1",
        "EGF",
        "FGF2",
        "hydrolysate",
    ]
    glucose, galactose, igf1, egf, fgf2, hydrolysate = definition.components
    assert glucose.stocks == (1000.0, 100.0)
    assert (glucose.molar_mass, glucose.price) == (180.16, 0.02)
    assert galactose.scale == "log"
    assert igf1.step == 0.5
    assert (egf.levels, egf.low, egf.high) == ((0.0, 1.0, 10.0, 60.0), 0.0, 60.0)
    assert (fgf2.fixed, fgf2.ends, fgf2.varies) == (25.0, (25.0, 25.0), False)
    assert hydrolysate.choices == ("soy", "wheat")
    assert definition.response_names == ["titre", "viability"]
    assert [r.is_objective for r in definition.responses] == [True, False]
    assert definition.plate.controls == {"commercial": 4}
    assert definition.plate.empty_wells == ("A1",)
    assert definition.formulas == {"commercial": {"glucose": 25.0, "hydrolysate": "soy"}}
    assert definition.constraints[0].bounds == (-np.inf, 60.0)
    assert str(definition.constraints[1]) == "number present of IGF1, EGF, FGF2 ≤ 2"
    assert definition.proposal.candidates == 1_000_000


def test_what_is_left_out_has_defaults():
    definition = parse(SMALLEST)
    assert definition.plate.wells == 96
    assert definition.robot.kind == "manual"
    assert definition.components[0].low == 0.0
    assert definition.responses[0].goal == "maximize"
    assert definition.surrogate.layers == 8
    assert definition.proposal.seats.mixing == 0.05


@pytest.mark.parametrize("kind", ROBOTS)
def test_a_robot_has_its_makers_limits_unless_the_campaign_says_otherwise(kind):
    text = f'{SMALLEST}\n[robot]\nkind = "{kind}"\nmax_dispense_ul = 10.0\nmin_dispense_ul = 5.0\n'
    robot = parse(text).robot
    assert robot.increment_ul == ROBOTS[kind].increment_ul
    assert robot.dead_volume_ul == ROBOTS[kind].dead_volume_ul
    assert robot.source_wells == ROBOTS[kind].source_wells
    assert robot.source_well_volume_ul == ROBOTS[kind].source_well_volume_ul
    assert (robot.min_dispense_ul, robot.max_dispense_ul) == (5.0, 10.0)


def test_a_definition_cannot_be_changed():
    definition = parse(SMALLEST)
    with pytest.raises(ValueError, match="frozen"):
        definition.name = "other"  # type: ignore[misc]


def test_numpy_scalars_and_arrays_from_python_are_plain_numbers():
    definition = parse(
        {
            "name": "from python",
            "plate": {"wells": np.int64(96), "replicates": np.int32(2)},
            "component": (
                {
                    "name": "glucose",
                    "unit": "mM",
                    "low": np.float32(0.5),
                    "high": np.int64(60),
                    "stocks": np.array([1000, 100]),
                },
                {"name": "EGF", "unit": "ug/L", "levels": np.array([0.0, 1.0, 10.0])},
                {"name": "FGF2", "unit": "ug/L", "fixed": np.float64(3)},
            ),
            "response": [{"name": "titre", "weight": np.float64(2)}],
        }
    )
    glucose, egf, fgf2 = definition.components
    assert (glucose.low, glucose.high, glucose.stocks) == (0.5, 60.0, (1000.0, 100.0))
    assert (egf.levels, egf.high) == ((0.0, 1.0, 10.0), 10.0)
    assert fgf2.fixed == 3.0
    assert type(fgf2.fixed) is float
    assert type(definition.plate.wells) is int
    assert parse(definition.to_toml()) == definition


def test_a_file_with_a_byte_order_mark_and_any_language_is_read(tmp_path):
    path = tmp_path / "campaign.toml"
    text = SMALLEST.replace("glucose", "葡萄糖").replace("titre", "Ausbeute (größer)")
    path.write_text("\ufeff" + text, encoding="utf-8")
    definition = load(path)
    assert definition.component_names == ["葡萄糖"]
    path.write_text(definition.to_toml(), encoding="utf-8")
    assert load(str(path)) == definition


# Definitions at random ---------------------------------------------------------------------------

amounts = st.floats(1e-6, 1e6)
letters = st.text(alphabet=string.ascii_letters + "äß葡µ -_.\"'\\#[]", min_size=1, max_size=12)
words = letters.map(lambda text: f"x{text}x")


@st.composite
def components(draw, name):
    kind = draw(st.sampled_from(["range", "levels", "fixed", "choices", "step"]))
    if kind == "choices":
        choices = draw(st.lists(words, min_size=2, max_size=4, unique=True))
        return {"name": name, "choices": choices}
    low = draw(st.floats(0, 1e3))
    high = low + draw(st.floats(1, 1e3))
    component = {"name": name, "unit": draw(st.sampled_from(UNITS))}
    if kind == "levels":
        count = draw(st.integers(2, 6))
        component["levels"] = list(np.linspace(low, high, count))
    elif kind == "fixed":
        component["fixed"] = draw(st.one_of(st.just(0.0), amounts))
    else:
        component |= {"low": low, "high": high}
    if kind == "step":
        component["step"] = (high - low) / draw(st.integers(1, 100))
    elif kind == "range":
        component["scale"] = draw(st.sampled_from(["linear", "log"]))
    optional = {
        "stocks": st.lists(amounts, max_size=3, unique=True),
        "molar_mass": amounts,
        "price": amounts,
    }
    return component | draw(st.fixed_dictionaries({}, optional=optional))


@st.composite
def definitions(draw):
    names = draw(
        st.lists(words, min_size=2, max_size=8, unique_by=lambda n: n.casefold()).filter(
            lambda names: len({n.casefold().replace("ß", "ss") for n in names}) == len(names)
        )
    )
    split = draw(st.integers(1, len(names) - 1))
    made = [draw(components(name)) for name in names[:split]]
    made.append({"name": "always varies", "unit": "X", "high": 1.0})
    responses = [{"name": name, "goal": "observe"} for name in names[split:]]
    for response in responses:
        goal = draw(st.sampled_from(["maximize", "minimize", "near", "at_least", "observe"]))
        response["goal"] = goal
        if goal in ("near", "at_least"):
            response["bound"] = draw(amounts)
        response |= draw(st.fixed_dictionaries({}, optional={"weight": amounts, "unit": words}))
    responses.append({"name": "an objective"})
    return {
        "name": draw(words),
        "component": made,
        "response": responses,
        "constraint": [{"total": {"always varies": 2.0}, "at_most": 1.5}],
        **draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "description": st.text(),
                    "plate": st.fixed_dictionaries(
                        {
                            "wells": st.sampled_from([24, 48, 96, 384, 1536]),
                            "well_volume_ul": st.just(10.0),
                        },
                        optional={"replicates": st.integers(1, 8), "empty_wells": st.just("edge")},
                    ),
                    "robot": st.fixed_dictionaries({"kind": st.sampled_from(sorted(ROBOTS))}),
                    "surrogate": st.fixed_dictionaries({"layers": st.integers(5, 20)}),
                    "proposal": st.fixed_dictionaries(
                        {"seats": st.fixed_dictionaries({"mixing": st.floats(0, 0.75)})}
                    ),
                },
            )
        ),
    }


@settings(max_examples=150, deadline=None)
@given(definitions())
def test_round_trip_through_toml(source):
    definition = parse(source)
    assert parse(definition.to_toml()) == definition
    again = parse(definition.model_dump(by_alias=True, exclude_unset=True, exclude_none=True))
    assert again == definition


KEYS = sorted(
    {
        *("name", "description", "plate", "robot", "component", "response", "constraint"),
        *("formulas", "surrogate", "proposal", "unit", "low", "high", "stocks", "levels", "fixed"),
        *("choices", "step", "scale", "goal", "bound", "total", "present", "at_most", "equals"),
        *("kind", "wells", "controls", "empty_wells", "seats", "mixing", "a", "float", "str"),
        *("replicates", "transform", "reference", "well_volume_ul", "increment_ul"),
    }
)
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from(["a", "mM", "edge", "log", "near", "manual", "=1", "", " ", "A1", "\n"]),
    st.text(max_size=3),
    st.sampled_from([10**400, np.float64(3), np.int64(-2), np.array([1.0, 2.0]), np.bool_(True)]),
    st.dates(),
)
trees = st.recursive(
    leaves,
    lambda child: st.one_of(
        st.lists(child, max_size=3),
        st.dictionaries(st.sampled_from(KEYS) | st.integers(0, 3), child, max_size=4),
    ),
    max_leaves=20,
)
nearly_right = {
    "name": st.just("x") | trees,
    "component": st.lists(
        st.fixed_dictionaries(
            {"name": st.sampled_from(["a", "float", "a "]), "unit": st.just("mM"), "high": trees},
            optional=dict.fromkeys(("low", "stocks", "levels", "fixed", "choices", "step"), trees),
        )
        | trees,
        max_size=3,
    )
    | trees,
    "response": st.lists(
        st.fixed_dictionaries(
            {"name": st.just("t")}, optional={"goal": trees, "bound": trees, "transform": trees}
        ),
        max_size=2,
    )
    | trees,
}
optional_parts = {
    "constraint": st.lists(
        st.fixed_dictionaries(
            {"total": st.dictionaries(st.sampled_from(["a", "float"]), leaves) | trees},
            optional={"present": st.lists(st.just("a")) | trees, "at_most": leaves},
        )
    )
    | trees,
    "formulas": st.dictionaries(
        st.sampled_from(["float", "f", "1"]), st.dictionaries(st.sampled_from(["a", "str"]), trees)
    )
    | trees,
    "plate": st.fixed_dictionaries({}, optional=dict.fromkeys(("wells", "empty_wells"), trees))
    | trees,
    "robot": st.fixed_dictionaries({"kind": trees}) | trees,
    "proposal": trees,
    "surrogate": trees,
    "components": trees,
}


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.fixed_dictionaries(nearly_right, optional=optional_parts) | trees)
def test_any_nested_dict_is_a_definition_or_a_list_of_problems(source):
    if not isinstance(source, dict):
        return
    try:
        definition = parse(source)
    except DefinitionError as error:
        answer: Definition | tuple[str, ...] = error.problems
    else:
        answer = definition
    assert isinstance(answer, Definition) or all(problem.strip() for problem in answer)
    assert answer


@settings(max_examples=100, deadline=None)
@given(st.text())
def test_any_text_is_a_definition_or_a_list_of_problems(text):
    with pytest.raises(DefinitionError):
        parse(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x = " + "[" * 100_000, "lists or tables are nested too deeply"),
        ("x = " + "{a=" * 100_000, "lists or tables are nested too deeply"),
        ("x = " + "1" * 5000, "a whole number has more than 4300 digits"),
    ],
    ids=["lists", "tables", "digits"],
)
def test_toml_that_is_made_to_break_readers_is_refused(text, problem):
    with pytest.raises(DefinitionError) as raised:
        parse(text)
    assert str(raised.value) == f"The definition cannot be read.\n  - {problem}"


@pytest.mark.parametrize("name", ["=cmd", "+1", "-x", "@sum", "＝cmd", "＠sum"])
def test_a_campaign_is_not_called_what_a_spreadsheet_would_run(name):
    with pytest.raises(DefinitionError) as raised:
        parse(
            {
                "name": name,
                "component": [{"name": "glucose", "unit": "mM", "high": 1.0}],
                "response": [{"name": "titre"}],
            }
        )
    assert raised.value.problems == (
        f'name: must not begin with "{name[0]}", which spreadsheets take for a calculation',
    )
