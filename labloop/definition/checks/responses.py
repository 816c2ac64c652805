"""What is wrong with the responses, alone and together."""

from __future__ import annotations

from collections.abc import Iterator

from labloop.definition.models import Component, Response


def response_problems(response: Response) -> Iterator[str]:
    """Yield what is wrong with one response."""
    place = f'[[response]] "{response.name}"'
    needs_bound = response.goal in ("at_least", "at_most", "near")
    if needs_bound and response.bound is None:
        yield f'{place}: goal = "{response.goal}" needs bound = …'
    if not needs_bound and response.bound is not None:
        yield (
            f'{place}, bound: goes with the goals at_least, at_most and near (goal is "'
            f'{response.goal}"); remove it or change the goal'
        )
    if response.range is not None and not response.range[0] < response.range[1]:
        low, high = response.range
        yield f"{place}, range: must rise, as [lowest, highest] (got [{low:g}, {high:g}])"
    for key in ("bound", "reference"):
        value = getattr(response, key)
        if response.transform == "log" and value is not None and value <= 0:
            yield f'{place}, {key}: must be greater than 0 with transform = "log" (got {value:g})'


def objective_problems(
    components: tuple[Component, ...], responses: tuple[Response, ...]
) -> Iterator[str]:
    """Yield why there is nothing to reach, or nothing to vary."""
    if responses and not any(response.is_objective for response in responses):
        yield (
            "[[response]]: none has a goal to reach; "
            "set goal to maximize, minimize or near for at least one"
        )
    if components and not any(component.varies for component in components):
        yield "[[component]]: all are fixed; a campaign needs at least one that varies"
