"""What takes two values, or two sections, of a definition to check.

Each module looks at one section; its functions take valid sections and yield sentences that begin
with the place in the TOML.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from labloop.definition.checks.aliases import alias_problems
from labloop.definition.checks.components import component_problems
from labloop.definition.checks.constraints import constraint_problems
from labloop.definition.checks.echo import echo_plate_problems
from labloop.definition.checks.formulas import formula_problems
from labloop.definition.checks.instruments import instrument_problems
from labloop.definition.checks.naming import campaign_name_problems, name_problems
from labloop.definition.checks.plates import plate_problems, volume_problems
from labloop.definition.checks.proposals import proposal_problems
from labloop.definition.checks.responses import objective_problems, response_problems
from labloop.definition.checks.robots import robot_problems
from labloop.definition.checks.sources import (
    least_volume_problems,
    pipette_problems,
    source_problems,
)
from labloop.definition.models import Component, Response


def problems_of(sections: Mapping[str, Any], invalid: Set[str] = frozenset()) -> list[str]:
    """Return every problem of the sections that are valid one by one.

    Args:
        sections: The models of the top-level keys of campaign.toml, without the invalid ones.
        invalid: Names of components left out of `sections` because they are invalid.
    """
    components: tuple[Component, ...] = sections.get("component", ())
    responses: tuple[Response, ...] = sections.get("response", ())
    plate, robot = sections.get("plate"), sections.get("robot")
    formulas = sections.get("formulas")
    found = [
        *campaign_name_problems(sections.get("name")),
        *name_problems(components, responses),
        *(p for component in components for p in component_problems(component)),
        *(p for response in responses for p in response_problems(response)),
        *objective_problems(components, responses),
    ]
    for number, constraint in enumerate(sections.get("constraint", ()), start=1):
        found += constraint_problems(
            f"[[constraint]] number {number}", constraint, components, invalid
        )
    if formulas is not None:
        found += formula_problems(formulas, components, invalid)
    if plate is not None:
        found += plate_problems(plate, formulas, components)
    if robot is not None:
        found += [
            *robot_problems(robot),
            *pipette_problems(robot),
            *least_volume_problems(robot),
        ]
    if plate is not None and robot is not None:
        found += volume_problems(plate, robot)
        found += echo_plate_problems(plate, robot)
        found += source_problems(robot, plate, components, invalid)
    aliases = sections.get("aliases")
    if aliases is not None and components and responses and not invalid:
        found += alias_problems(aliases, components, responses)
    if responses:
        found += instrument_problems(sections.get("instrument", ()), responses, aliases or {})
    if "proposal" in sections:
        found += proposal_problems(sections["proposal"], responses, components, invalid)
    return found
