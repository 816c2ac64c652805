"""The line of each key in a TOML text, which `tomllib` does not keep.

The grammar is that of https://toml.io/en/v1.0.0; whether a text is sound is `tomllib`'s to say.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any

Path = tuple[str | int, ...]
"""Keys that lead to a place, with the numbers of list items, from 0."""


def lines_of_keys(text: str) -> dict[Path, int]:
    """Return the line, from 1, of each key, list item and table's header of a valid TOML text.

    The path of a key is the keys that lead to it, with the numbers of list items, from 0:
    `("component", 0, "name")`.
    """
    scan = _Scan(text)
    table: Path = ()
    at = scan.blanks(0)
    while at < len(text):
        if text[at] == "[":
            table, at = scan.header(at)
        else:
            at = scan.pair(at, table)
        at = scan.blanks(at)
    return scan.lines


@dataclass(frozen=True, eq=False)
class _Scan:
    """A text and what was found in it so far; each method returns where it stopped."""

    text: str
    lines: dict[Path, int] = field(default_factory=dict)
    counts: dict[Path, int] = field(default_factory=dict)
    starts: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.starts.extend([0, *(m.end() for m in re.finditer("\n", self.text))])

    def note(self, path: Path, at: int) -> None:
        self.lines.setdefault(path, bisect_right(self.starts, at))

    def blanks(self, at: int) -> int:
        """Skip blanks, ends of lines and comments."""
        found = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*").match(self.text, at)
        return at if found is None else found.end()

    def header(self, at: int) -> tuple[Path, int]:
        is_list = self.text.startswith("[[", at)
        parts, end = self.key(at + 1 + is_list)
        path: Path = ()
        for part in parts:
            if path in self.counts:
                path = (*path, self.counts[path] - 1)
            path = (*path, part)
        if is_list:
            self.counts[path] = self.counts.get(path, 0) + 1
            path = (*path, self.counts[path] - 1)
        self.note(path, at)
        return path, end + 1 + is_list

    def pair(self, at: int, table: Path) -> int:
        parts, end = self.key(at)
        for depth in range(1, len(parts) + 1):
            self.note((*table, *parts[:depth]), at)
        return self.value(self.blanks(end + 1), (*table, *parts))

    def key(self, at: int) -> tuple[tuple[str, ...], int]:
        """Read a dotted key up to its `=` or `]`."""
        end = at
        while self.text[end] not in "=]":
            end = self.string(end) if self.text[end] in "\"'" else end + 1
        nested: Any = tomllib.loads(f"{self.text[at:end]} = 0")
        parts: list[str] = []
        while isinstance(nested, dict):
            [(part, nested)] = nested.items()
            parts.append(part)
        return tuple(parts), end

    def value(self, at: int, path: Path) -> int:
        self.note(path, at)
        first = self.text[at]
        if first in "\"'":
            return self.string(at)
        if first not in "[{":
            found = re.compile(r"[^,\]}#\n]*").match(self.text, at)
            return at if found is None else found.end()
        number, at = 0, self.blanks(at + 1)
        while self.text[at] not in "]}":
            at = self.value(at, (*path, number)) if first == "[" else self.pair(at, path)
            number, at = number + 1, self.blanks(at)
            if self.text[at] == ",":
                at = self.blanks(at + 1)
        return at + 1

    def string(self, at: int) -> int:
        quote = self.text[at]
        if self.text.startswith(quote * 3, at):
            # one or two quotes may stand right before the three that end the string
            body = r"(?:\\.|[^\\])*?" if quote == '"' else r".*?"
            pattern = rf"{quote * 3}{body}{quote * 3}{quote}{{0,2}}"
        else:
            body = r"(?:\\.|[^\\\"])*" if quote == '"' else r"[^']*"
            pattern = f"{quote}{body}{quote}"
        found = re.compile(pattern, re.DOTALL).match(self.text, at)
        return at + 1 if found is None else found.end()
