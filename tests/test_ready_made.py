"""The definitions that come with labloop work as they are."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from labloop import Campaign
from labloop.campaign.folders import like, ready_made
from labloop.definition import load
from labloop.definition.models import (
    Component,
    Constraint,
    Definition,
    Plate,
    ProposalSettings,
    Response,
    Robot,
    Seats,
    SurrogateSettings,
)
from labloop.space import FormulaSpace

# gpytorch's dependency linear_operator still uses it
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")

HERE = Path(__file__).resolve().parents[1] / "campaigns"
NAMES = sorted(path.stem for path in HERE.glob("*.toml"))
SECTIONS = (
    Definition, Plate, Robot, Component, Response, Constraint, SurrogateSettings, ProposalSettings,
    Seats,
)  # fmt: skip


def test_the_promised_ones_are_found_by_name() -> None:
    promised = {"cell-free", "cho-basal", "mixture", "pseudomonas-minimal", "template"}
    assert promised <= set(ready_made())
    assert {like(name) for name in promised} <= set(HERE.glob("*.toml"))


@pytest.mark.parametrize("name", NAMES)
def test_every_component_has_levels_over_most_of_its_range(name: str) -> None:
    for table in FormulaSpace.of(load(HERE / f"{name}.toml")).tables:
        component = table.component
        if component.varies and component.levels is None and component.choices is None:
            span = component.high - component.low
            assert len(table) >= 20, component.name
            assert table.concentration[0] - component.low <= 0.02 * span, component.name
            assert component.high - table.concentration[-1] <= 0.03 * span, component.name
        elif component.levels is not None:
            assert len(table) == len(component.levels), component.name


@pytest.mark.parametrize("name", NAMES)
def test_random_formulas_are_feasible_and_various(name: str) -> None:
    definition = load(HERE / f"{name}.toml")
    space = FormulaSpace.of(definition)
    levels = space.sample(500, np.random.default_rng(0))
    assert space.satisfied(levels).all()
    assert len(np.unique(levels, axis=0)) > 400
    for column, component in zip(levels.T, space.components, strict=True):
        assert (len(np.unique(column)) > 1) == component.varies, component.name


@pytest.mark.parametrize("name", NAMES)
def test_a_first_round_can_be_proposed_and_fills_the_plate(name: str, tmp_path: Path) -> None:
    definition = load(HERE / f"{name}.toml")
    with Campaign.create(tmp_path / name, HERE / f"{name}.toml") as campaign:
        proposed = campaign.propose(seed=1)
    wells = proposed.layout["role"].value_counts()
    assert len(proposed.formulas) == definition.proposal.formulas
    assert wells["formula"] == definition.proposal.formulas * definition.plate.replicates
    assert wells["control"] == sum(definition.plate.controls.values())
    assert proposed.layout["plate"].max() == 1
    poured = proposed.dispenses.groupby(["plate", "well"])["volume_ul"].sum()
    room = definition.plate.well_volume_ul - definition.plate.inoculum_ul
    assert poured.to_numpy() == pytest.approx(np.full(len(poured), room))


@pytest.mark.parametrize("name", NAMES)
def test_every_ready_made_definition_begins_with_what_it_is_for(name: str) -> None:
    text = (HERE / f"{name}.toml").read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert load(HERE / f"{name}.toml").description


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_the_template_shows_every_key(section: type[Definition]) -> None:
    text = (HERE / "template.toml").read_text(encoding="utf-8")
    for name, field in section.model_fields.items():
        key = field.alias or name
        assert re.search(rf"\b{key}\b", text), key


def test_what_the_template_has_commented_out_works_too(tmp_path: Path) -> None:
    lines = (HERE / "template.toml").read_text(encoding="utf-8").splitlines()
    opened = [re.sub(r"^# (?=\[\[|[a-z_]+ = )", "", line) for line in lines]
    text = "\n".join(opened)
    # the constraint on three growth factors names two that the small template does not have
    text = text.replace('"IGF-1", "EGF", "insulin"', '"glucose", "buffer", "insulin"')
    text = text.replace("[formulas.standard]", '[formulas.standard]\nhydrolysate = "soy"')
    path = tmp_path / "opened.toml"
    path.write_text(text, encoding="utf-8")
    definition = load(path)
    assert definition.component_names[-3:] == ["hydrolysate", "buffer", "HEPES"]
    assert len(definition.constraints) == 2
    assert definition.responses[0].reference == 0.1
    FormulaSpace.of(definition)
