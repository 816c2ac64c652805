"""What is wrong with the names that other labs' files use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from labloop.definition.checks.naming import bad_name
from labloop.definition.models import Component, Response
from labloop.errors import did_you_mean


def alias_problems(
    aliases: Mapping[str, str],
    components: tuple[Component, ...],
    responses: tuple[Response, ...],
) -> Iterator[str]:
    """Yield what is wrong with [aliases]: alias to a component or response of the campaign."""
    names = [each.name for each in components] + [each.name for each in responses]
    for alias, name in aliases.items():
        place = f'[aliases], "{alias}"'
        problem = bad_name(alias)
        if problem:
            yield f"{place}: {problem}"
        elif alias in names:
            yield f"{place}: is a component or response of the campaign itself; remove the alias"
        if name not in names:
            hint = did_you_mean(name, names)
            yield f'{place}: there is no component or response "{name}"{hint}'
