"""What is wrong with the named formulas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

from labloop.definition.checks.naming import bad_name
from labloop.definition.models import Component
from labloop.errors import did_you_mean


def formula_problems(
    formulas: Mapping[str, Mapping[str, float | str]],
    components: tuple[Component, ...],
    invalid: Set[str],
) -> Iterator[str]:
    """Yield what is wrong with the named formulas."""
    by_name = {component.name: component for component in components}
    for formula, amounts in formulas.items():
        problem = bad_name(formula)
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
