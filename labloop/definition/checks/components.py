"""What is wrong with a component that takes two of its values to see."""

from __future__ import annotations

from collections.abc import Iterator

from labloop.definition.checks.naming import bad_name
from labloop.definition.models import Component
from labloop.units import UnitError, canonical

_LARGEST_TABLE = 65_535


def component_problems(component: Component) -> Iterator[str]:
    """Yield what is wrong with one component."""
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
    if component.solubility is not None:
        for stock in component.stocks:
            if stock > component.solubility:
                yield (
                    f"{place}, stocks: {stock:g} {component.unit} is above its solubility of "
                    f"{component.solubility:g} {component.unit}; use a weaker stock"
                )


def _choices(place: str, component: Component) -> Iterator[str]:
    assert component.choices is not None
    for key in ("low", "high", "stocks", "scale", "unit", "molar_mass", "price", "solubility"):
        if key in component.model_fields_set:
            yield f"{place}, {key}: a component with choices has none; remove the key"
    if len(component.choices) < 2 or len(set(component.choices)) < len(component.choices):
        yield f"{place}, choices: must be at least two different names"
    for choice in component.choices:
        problem = bad_name(choice)
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
