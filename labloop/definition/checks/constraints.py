"""What is wrong with a constraint, and whether it can hold at all."""

from __future__ import annotations

from collections.abc import Iterator, Set

from labloop.definition.models import Component, Constraint
from labloop.errors import did_you_mean


def constraint_problems(
    place: str, constraint: Constraint, components: tuple[Component, ...], invalid: Set[str]
) -> Iterator[str]:
    """Yield what is wrong with the constraint at a place in the TOML."""
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
