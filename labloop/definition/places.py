"""Where in the text of a campaign.toml the problem stands that an error speaks of."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any

from labloop.definition.toml_lines import Path, lines_of_keys

_SYNTAX = re.compile(r"\(at line (\d+), column \d+\)$")
_AT_END = "(at end of document)"
_UNKNOWN = re.compile(r'[:,] unknown key "(.*?)"(?:; did you mean|$)', re.DOTALL)
_FREE_NAMES = ("formulas", "aliases")  # their keys are names that may be any word of a sentence


def line_of(text: str, problem: str) -> int | None:
    """Return the line, from 1, that a problem of a definition speaks of.

    It is the line of the key that the problem names, or else of its table's header; None where the
    text has neither.

    Args:
        text: Of a campaign.toml.
        problem: One of a DefinitionError's `problems`.
    """
    try:
        root = tomllib.loads(text)
        lines = lines_of_keys(text)
    except (ValueError, RecursionError):
        syntax = _SYNTAX.search(problem)
        if syntax is not None:
            return int(syntax[1])
        return max(1, len(text.splitlines())) if problem.endswith(_AT_END) else None
    found = _place_of(root, problem)
    return None if found is None else _line(lines, found)


def _place_of(root: dict[str, Any], problem: str) -> Path | None:
    """Return the path of the key or table that a problem names."""
    label, table, value = max(
        (each for each in _labels(root) if _begins(problem, each[0])), key=lambda each: len(each[0])
    )
    rest = problem[len(label) :] if label else f", {problem}"
    below, within = _key_below(value, rest)
    unknown = _UNKNOWN.match(within)
    if unknown is not None:
        return (*table, *below, unknown[1])
    if below:
        return table + below + _quoted_child(_at(value, below), within)
    if not table:
        return None
    free = table[0] in _FREE_NAMES or " is missing" in rest
    return table if free else table + _mentioned(value, rest)


def _labels(root: dict[str, Any]) -> Iterator[tuple[str, Path, Any]]:
    """Yield how problems call each table and list, its path and what it holds."""
    yield "", (), root
    for section, value in root.items():
        if isinstance(value, list):
            yield f"[[{section}]]", (section,), value
            for k, element in enumerate(value):
                yield from _element_labels(section, k, element)
        elif isinstance(value, dict):
            yield from _table_labels((section,), value)


def _element_labels(section: str, k: int, element: Any) -> Iterator[tuple[str, Path, Any]]:
    path: Path = (section, k)
    labels = [f"[[{section}]] number {k + 1}"]
    if isinstance(element, dict):
        name = element.get("name")
        if isinstance(name, str):
            labels += [f'[[{section}]] "{name}"', f'The {section} "{name}"']
    for label in labels:
        yield label, path, element
        if isinstance(element, dict):
            for key, blocks in element.items():
                for j, block in enumerate(blocks if isinstance(blocks, list) else ()):
                    below = f"{label}, [[{section}.{key}]] number {j + 1}"
                    yield below, (*path, key, j), block


def _table_labels(path: Path, table: dict[str, Any]) -> Iterator[tuple[str, Path, Any]]:
    dotted = ".".join(map(str, path))
    yield f"[{dotted}]", path, table
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _table_labels((*path, key), value)
        elif isinstance(value, list):
            for j, element in enumerate(value):
                yield f"[[{dotted}.{key}]] number {j + 1}", (*path, key, j), element


def _begins(problem: str, label: str) -> bool:
    """Whether a problem begins with a label as a whole."""
    rest = problem[len(label) :]
    return problem.startswith(label) and (not label or not rest or rest[0] in ":, ")


def _key_below(table: Any, rest: str) -> tuple[Path, str]:
    """Return the path of the key in `, key.key: …` and what follows it; () and `rest` for none."""
    best: tuple[Path, str] = ((), rest)
    for below in _paths(table):
        dotted = ".".join(map(str, below))
        for written in (f", {dotted}", f', "{dotted}"'):
            after = rest[len(written) :]
            if rest.startswith(written) and after[:1] in (":", " ") and len(after) < len(best[1]):
                best = below, after
    return best


def _paths(value: Any) -> Iterator[Path]:
    """Yield the path of everything in a value, without its own."""
    for key, item in _items(value):
        yield (key,)
        yield from ((key, *below) for below in _paths(item))


def _items(value: Any) -> list[tuple[str | int, Any]]:
    """Return the keys or numbers of what is in a table or list, and what it is."""
    if isinstance(value, dict):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, list) else []


def _quoted_child(value: Any, sentence: str) -> Path:
    """Return the path of the key or item that a sentence quotes first, () for none."""
    at = {
        key: found.start()
        for key, item in _items(value)
        if (found := re.search(rf"""["']{re.escape(str(_name(key, item)))}["']""", sentence))
    }
    return (min(at, key=lambda key: at[key]),) if at else ()


def _name(key: str | int, item: Any) -> Any:
    """Return what sentences call a key of a table, or an item of a list."""
    return key if isinstance(key, str) else item


def _mentioned(table: Any, sentence: str) -> Path:
    """Return the path of the table's key that a sentence mentions first, () for none."""
    at = {
        key: found.start()
        for key in (table if isinstance(table, dict) else ())
        if (found := re.search(rf"(?<![\w\"']){re.escape(key)}(?![\w\"'])", sentence))
    }
    return (min(at, key=lambda key: at[key]),) if at else ()


def _at(value: Any, path: Path) -> Any:
    for key in path:
        value = value[key]
    return value


def _line(lines: dict[Path, int], path: Path) -> int | None:
    """Return the line of a path; of one that is only implied by what is in it, that of the first.

    A key that stands nowhere has the line of its table.
    """
    while path:
        if path in lines:
            return lines[path]
        inside = [line for below, line in lines.items() if below[: len(path)] == path]
        if inside:
            return min(inside)
        path = path[:-1]
    return None
