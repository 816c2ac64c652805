"""What takes two values, or two sections, of a definition to check.

Each function takes valid sections and yields sentences that begin with the place in the TOML.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Set
from typing import Any

from labloop.definition.models import (
    Component,
    Constraint,
    Plate,
    ProposalSettings,
    Response,
    Robot,
)
from labloop.errors import did_you_mean
from labloop.units import UnitError, canonical
from labloop.wells import edge_wells, parse_well, well_names

RESERVED_NAMES = frozenset(
    {"well", "plate", "formula", "replicate", "role", "round", "origin", "acquisition"}
    | {"candidate", "source", "price"}
)
_SUFFIXES = ("mean", "sd", "sem", "wells")  # of a response's columns
_LARGEST_TABLE = 65_535


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
        *_campaign_name(sections.get("name")),
        *_names(components, responses),
        *(p for component in components for p in _component(component)),
        *(p for response in responses for p in _response(response)),
        *_objectives(components, responses),
    ]
    for number, constraint in enumerate(sections.get("constraint", ()), start=1):
        found += _constraint(f"[[constraint]] number {number}", constraint, components, invalid)
    if formulas is not None:
        found += _formulas(formulas, components, invalid)
    if plate is not None:
        found += _plate(plate, formulas, components)
    if robot is not None:
        found += _robot(robot)
    if plate is not None and robot is not None:
        found += _volumes(plate, robot)
    if "proposal" in sections:
        seats = sections["proposal"].seats
        if seats.latin_hypercube + seats.mixing + seats.exploration > 1 + 1e-9:
            found.append(
                f"[proposal], seats: latin_hypercube {seats.latin_hypercube:g}, mixing "
                f"{seats.mixing:g} and exploration {seats.exploration:g} add up to more than 1; "
                "lower one of them"
            )
        found += _repeats(sections["proposal"], responses)
        found += _proposal(sections["proposal"], components, invalid)
    return found


def _proposal(
    proposal: ProposalSettings, components: tuple[Component, ...], invalid: Set[str]
) -> Iterator[str]:
    by_name = {component.name: component for component in components}
    for name in proposal.shared:
        if name not in by_name and name not in invalid:
            yield f'[proposal], shared: unknown component "{name}"{did_you_mean(name, by_name)}'
    for name in dict.fromkeys(n for n in proposal.shared if proposal.shared.count(n) > 1):
        yield f'[proposal], shared: names "{name}" twice; remove one'
    varying = {component.name for component in components if component.varies}
    if varying and varying <= set(proposal.shared):
        yield (
            "[proposal], shared: names every component that varies, so all formulas would be the "
            "same; leave one out"
        )
    if proposal.most_stocks is not None and components and not any(c.stocks for c in components):
        yield (
            "[proposal], most_stocks: no component has stocks; give a [[component]] its stocks "
            "or remove most_stocks"
        )
    if proposal.well_price is not None and components and not any(c.price for c in components):
        yield (
            "[proposal], well_price: no component has a price, so formulas would all cost the "
            "same; give a [[component]] its price or remove well_price"
        )


def _repeats(proposal: ProposalSettings, responses: tuple[Response, ...]) -> Iterator[str]:
    objectives = sum(response.is_objective for response in responses)
    if proposal.repeats and objectives > 1:
        yield (
            f"[proposal], repeats: repeating formulas is weighed for one objective, and there are "
            f"{objectives}; remove repeats"
        )


def _campaign_name(name: str | None) -> Iterator[str]:
    if name is not None and not name.strip():
        yield "name: must not be empty"


def _names(components: tuple[Component, ...], responses: tuple[Response, ...]) -> Iterator[str]:
    reserved = set(RESERVED_NAMES)
    for response in responses:
        reserved |= {_folded(f"{response.name}_{suffix}") for suffix in _SUFFIXES}
    seen: dict[str, str] = {}
    for key, items in (("component", components), ("response", responses)):
        for item in items:
            place = f'[[{key}]] "{item.name}"'
            folded = _folded(item.name)
            problem = _bad_name(item.name)
            if problem:
                yield f"{place}, name: {problem}"
            elif folded in reserved:
                yield f"{place}, name: this word names a column of labloop's tables; choose another"
            elif folded in seen:
                yield f"{place}, name: is already taken by {seen[folded]}; choose another"
            seen.setdefault(folded, place)


def _folded(name: str) -> str:
    """Return one spelling for all names that look the same up to capitals."""
    return unicodedata.normalize("NFKC", name).casefold()


def _bad_name(name: str) -> str:
    """Return what is wrong with a name that will stand in spreadsheets and robot files."""
    if not name.strip():
        return "must not be empty"
    if name != name.strip():
        return "must not begin or end with a space"
    if name[0] in "=+-@":
        return f'must not begin with "{name[0]}", which spreadsheets take for a calculation'
    if not name.isprintable():
        return "must not hold line ends, tabs or other characters that cannot be seen"
    return ""


def _component(component: Component) -> Iterator[str]:
    place = f'[[component]] "{component.name}"'
    given = component.model_fields_set
    kinds = [key for key in ("fixed", "choices", "levels", "step") if key in given]
    if len(kinds) > 1:
        yield f"{place}: {' and '.join(kinds)} exclude each other; keep one"
        return
    if component.choices is not None:
        yield from _choices(place, component)
        return
    if "unit" not in given:
        yield f'{place}: key "unit" is missing'
    else:
        try:
            canonical(component.unit)
        except UnitError as error:
            yield f"{place}, unit: {error}"
    if "high" not in given:
        yield f'{place}: key "high" is missing; give low and high, levels, fixed or choices'
        return
    yield from _range(place, component)
    if len(set(component.stocks)) < len(component.stocks):
        yield f"{place}, stocks: the same concentration stands twice; remove one"


def _choices(place: str, component: Component) -> Iterator[str]:
    assert component.choices is not None
    for key in ("low", "high", "stocks", "scale", "unit", "molar_mass", "price"):
        if key in component.model_fields_set:
            yield f"{place}, {key}: a component with choices has none; remove the key"
    if len(component.choices) < 2 or len(set(component.choices)) < len(component.choices):
        yield f"{place}, choices: must be at least two different names"
    for choice in component.choices:
        problem = _bad_name(choice)
        if problem:
            yield f'{place}, choices "{choice}": {problem}'


def _range(place: str, component: Component) -> Iterator[str]:
    low, high = component.low, component.high
    if component.fixed is not None:
        if not low <= component.fixed <= high:
            yield (
                f"{place}, fixed: {component.fixed:g} lies outside low {low:g} and high {high:g}"
            )
        return
    if low >= high:
        yield f"{place}, low: must be below high {high:g} (got {low:g}); swap or correct them"
    if component.levels is not None:
        if len(set(component.levels)) < max(2, len(component.levels)):
            yield f"{place}, levels: must be at least two different concentrations"
        outside = [level for level in component.levels if not low <= level <= high]
        if outside:
            yield f"{place}, levels: {outside[0]:g} lies outside low {low:g} and high {high:g}"
    if component.step is not None:
        if component.scale == "log":
            yield f'{place}, step: goes with scale = "linear" only; remove one of the two'
        elif component.step > high - low:
            yield (
                f"{place}, step: must be at most high - low = {high - low:g} "
                f"(got {component.step:g})"
            )
        elif (high - low) / component.step > _LARGEST_TABLE:
            yield f"{place}, step: makes more than {_LARGEST_TABLE} levels; use a larger step"


def _response(response: Response) -> Iterator[str]:
    place = f'[[response]] "{response.name}"'
    needs_bound = response.goal in ("at_least", "at_most", "near")
    if needs_bound and response.bound is None:
        yield f'{place}: goal = "{response.goal}" needs bound = …'
    if not needs_bound and response.bound is not None:
        yield (
            f'{place}, bound: goes with the goals at_least, at_most and near (goal is "'
            f'{response.goal}"); remove it or change the goal'
        )
    for key in ("bound", "reference"):
        value = getattr(response, key)
        if response.transform == "log" and value is not None and value <= 0:
            yield f'{place}, {key}: must be greater than 0 with transform = "log" (got {value:g})'


def _objectives(
    components: tuple[Component, ...], responses: tuple[Response, ...]
) -> Iterator[str]:
    if responses and not any(response.is_objective for response in responses):
        yield (
            "[[response]]: none has a goal to reach; "
            "set goal to maximize, minimize or near for at least one"
        )
    if components and not any(component.varies for component in components):
        yield "[[component]]: all are fixed; a campaign needs at least one that varies"


def _constraint(
    place: str, constraint: Constraint, components: tuple[Component, ...], invalid: Set[str]
) -> Iterator[str]:
    by_name = {component.name: component for component in components}
    if (constraint.total is None) == (constraint.present is None):
        yield f"{place}: needs either total or present"
        return
    key = "total" if constraint.total is not None else "present"
    names = list(constraint.total or constraint.present or ())
    unknown = [name for name in names if name not in by_name]
    for name in (name for name in unknown if name not in invalid):
        yield f'{place}, {key}: unknown component "{name}"{did_you_mean(name, by_name)}'
    words = [n for n in names if n in by_name and by_name[n].choices is not None]
    for name in words:
        yield f'{place}, {key}: "{name}" has choices, not concentrations; remove it here'
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        yield f'{place}, {key}: names "{name}" twice; remove one'
    lower, upper = constraint.bounds
    if constraint.equals is None and constraint.at_least is None and constraint.at_most is None:
        yield f"{place}: needs at_least, at_most or equals"
    elif constraint.equals is not None and (constraint.at_least, constraint.at_most) != (
        None,
        None,
    ):
        yield f"{place}: equals excludes at_least and at_most; keep one of them"
    elif lower > upper:
        yield f"{place}, at_least: must not exceed at_most {upper:g} (got {lower:g}); swap them"
    elif not unknown and not words and names:
        yield from _reachable(place, constraint, [by_name[name] for name in names])
    if not names:
        yield f"{place}, {key}: names no component"


def _reachable(place: str, constraint: Constraint, components: list[Component]) -> Iterator[str]:
    """Whether the components' ranges alone let the sum or count lie within its bounds."""
    lower, upper = constraint.bounds
    if constraint.total is not None:
        weights = [constraint.total[component.name] for component in components]
        ends = [(w * c.ends[0], w * c.ends[1]) for w, c in zip(weights, components, strict=True)]
        least, most, what = sum(map(min, ends)), sum(map(max, ends)), "the total"
    else:
        least = float(sum(c.ends[0] > 0 for c in components))
        most = float(sum(c.ends[1] > 0 for c in components))
        what = "the number of components above zero"
    slack = 1e-9 * max(1.0, abs(least), abs(most))
    if lower > most + slack or upper < least - slack:
        yield (
            f"{place}: {constraint} can never hold, since {what} lies between {least:g} and "
            f"{most:g}; change the bound or the components' low and high"
        )


def _formulas(
    formulas: Mapping[str, Mapping[str, float | str]],
    components: tuple[Component, ...],
    invalid: Set[str],
) -> Iterator[str]:
    by_name = {component.name: component for component in components}
    for formula, amounts in formulas.items():
        problem = _bad_name(formula)
        if problem or formula.isdecimal():
            yield f"[formulas.{formula}]: the name {problem or 'must not be a number'}"
        for name, amount in amounts.items():
            place = f"[formulas.{formula}], {name}"
            component = by_name.get(name)
            if component is None:
                if name not in invalid:
                    yield f"{place}: unknown component{did_you_mean(name, by_name)}"
            elif component.choices is None and isinstance(amount, str):
                yield f"{place}: must be a concentration in {component.unit} (got {amount!r})"
            elif component.choices is not None and amount not in component.choices:
                choices = ", ".join(component.choices)
                yield f"{place}: must be one of {choices} (got {amount!r})"
        for name, component in by_name.items():
            if component.choices is not None and name not in amounts:
                yield f'[formulas.{formula}]: does not say which "{name}" it has'


def _plate(
    plate: Plate, formulas: Mapping[str, Any] | None, components: tuple[Component, ...]
) -> Iterator[str]:
    for name in plate.controls:
        if formulas is not None and name not in formulas:
            yield (
                f'[plate], controls: there is no formula "{name}"{did_you_mean(name, formulas)}'
                f"; add [formulas.{name}]"
            )
    if plate.inoculum_ul >= plate.well_volume_ul:
        yield (
            f"[plate], inoculum_ul: must be below well_volume_ul {plate.well_volume_ul:g} "
            f"(got {plate.inoculum_ul:g}); the well volume includes the inoculum"
        )
    problem = _bad_name(plate.diluent)
    if problem:
        yield f"[plate], diluent: {problem}"
    if plate.diluent in {component.name for component in components}:
        yield f'[plate], diluent: "{plate.diluent}" is also a component; rename one of them'
    on_plate = set(well_names(plate.wells))
    if plate.empty_wells == "edge":
        empty = set(edge_wells(plate.wells))
    else:
        empty = set()
        for text in plate.empty_wells:
            well = parse_well(text)
            if well is None or well not in on_plate:
                yield f'[plate], empty_wells: a plate of {plate.wells} has no well "{text}"'
            else:
                empty.add(well)
    room = len(on_plate) - len(empty) - sum(plate.controls.values())
    if room < 1:
        yield (
            f"[plate]: controls and empty wells leave no well of {plate.wells} for formulas; "
            "use fewer of them"
        )


def _robot(robot: Robot) -> Iterator[str]:
    if robot.min_dispense_ul > robot.max_dispense_ul:
        yield (
            f"[robot], min_dispense_ul: must not exceed max_dispense_ul {robot.max_dispense_ul:g} "
            f"(got {robot.min_dispense_ul:g})"
        )
    elif robot.max_dispense_ul < 2 * robot.min_dispense_ul - robot.increment_ul:
        yield (
            f"[robot], max_dispense_ul: must be at least twice min_dispense_ul less increment_ul, "
            f"{2 * robot.min_dispense_ul - robot.increment_ul:g} (got {robot.max_dispense_ul:g}); "
            "volumes in between could not be split"
        )
    if robot.increment_ul > robot.max_dispense_ul:
        yield (
            f"[robot], increment_ul: must not exceed max_dispense_ul {robot.max_dispense_ul:g} "
            f"(got {robot.increment_ul:g})"
        )
    if robot.dead_volume_ul >= robot.source_well_volume_ul:
        yield (
            f"[robot], dead_volume_ul: must be below source_well_volume_ul "
            f"{robot.source_well_volume_ul:g} (got {robot.dead_volume_ul:g})"
        )


def _volumes(plate: Plate, robot: Robot) -> Iterator[str]:
    for key in ("well_volume_ul", "inoculum_ul"):
        volume = getattr(plate, key)
        ticks = volume / robot.increment_ul
        if abs(ticks - round(ticks)) > 1e-6:
            yield (
                f"[plate], {key}: must be a whole number of the robot's increments of "
                f"{robot.increment_ul:g} µL (got {volume:g})"
            )
