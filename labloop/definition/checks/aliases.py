"""What is wrong with the names that other labs' files use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from labloop.definition.checks.naming import bad_name
from labloop.definition.models import Component, Response
from labloop.errors import did_you_mean
from labloop.names import KEYS, fold


def alias_problems(
    aliases: Mapping[str, str],
    components: tuple[Component, ...],
    responses: tuple[Response, ...],
) -> Iterator[str]:
    """Yield what is wrong with [aliases]: alias to a component, response or key of tables."""
    names = [each.name for each in components] + [each.name for each in responses]
    first: dict[str, str] = {}
    for alias, name in aliases.items():
        place = f'[aliases], "{alias}"'
        problem = bad_name(alias)
        earlier = first.setdefault(fold(alias), alias)
        if problem:
            yield f"{place}: {problem}"
        elif alias in names:
            yield f"{place}: is a component or response of the campaign itself; remove the alias"
        elif alias in KEYS:
            yield f"{place}: is a column of labloop's own tables; remove the alias"
        elif aliases[earlier] != name:
            yield (
                f'{place}: means "{name}", but "{earlier}", which is spelled the same but for '
                f'capitals, spaces and underscores, means "{aliases[earlier]}"; remove one of them'
            )
        if name not in names and name not in KEYS:
            hint = did_you_mean(name, names)
            yield f'{place}: there is no component or response "{name}"{hint}'
