"""What is wrong with the names of a campaign, its components and responses."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from labloop.definition.models import Component, Response

RESERVED_NAMES = frozenset(
    {"well", "plate", "formula", "replicate", "role", "round", "origin", "acquisition"}
    | {"candidate", "source", "price"}
)
CALCULATIONS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What spreadsheets take for the beginning of a calculation, some of them in full width, too.

OWASP, CSV Injection: https://owasp.org/www-community/attacks/CSV_Injection
"""

_SUFFIXES = ("mean", "sd", "sem", "wells")  # of a response's columns


def campaign_name_problems(name: str | None) -> Iterator[str]:
    """Yield what is wrong with the name of the campaign."""
    problem = bad_name(name) if name is not None else ""
    if problem:
        yield f"name: {problem}"


def name_problems(
    components: tuple[Component, ...], responses: tuple[Response, ...]
) -> Iterator[str]:
    """Yield names that are empty, hidden, taken twice, or columns of labloop's own tables."""
    reserved = set(RESERVED_NAMES)
    for response in responses:
        reserved |= {_folded(f"{response.name}_{suffix}") for suffix in _SUFFIXES}
    seen: dict[str, str] = {}
    for key, items in (("component", components), ("response", responses)):
        for item in items:
            place = f'[[{key}]] "{item.name}"'
            folded = _folded(item.name)
            problem = bad_name(item.name)
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


def bad_name(name: str) -> str:
    """Return what is wrong with a name that will stand in spreadsheets and robot files."""
    if not name.strip():
        return "must not be empty"
    if name != name.strip():
        return "must not begin or end with a space"
    # some spreadsheets take the wide signs of East Asian keyboards as well
    if unicodedata.normalize("NFKC", name).startswith(CALCULATIONS):
        return f'must not begin with "{name[0]}", which spreadsheets take for a calculation'
    if not name.isprintable():
        return "must not hold line ends, tabs or other characters that cannot be seen"
    return ""
