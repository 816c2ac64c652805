"""Which thing of the campaign a column's name means: only what is certainly the same name.

Names are compared exactly, and then without regard to capitals, spaces and underscores; those of
components also without regard to hyphens and to how the dot of a hydrate is written. All else takes
an alias: `NTPs` may be `NTP`, and `MgCl2·6H2O` may be `MgCl2`, but only the lab knows.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from labloop.errors import did_you_mean
from labloop.names import fold
from labloop.units import is_unit

_BRACKETS: Final = re.compile(r"(?P<name>.+?)\s*(?:\[(?P<square>[^][]*)\]|\((?P<round>[^()]*)\))")
_COMMA: Final = re.compile(r"(?P<name>.+?)\s*,\s*(?P<unit>[^,]+)")
_BEHIND: Final = re.compile(r"(?P<name>.+?)[\s_]+(?P<unit>[^\s_]+)")
_HYPHENS: Final = re.compile(r"(?<=\w)[-\u2010\u2011\u2012\u2013\u2014\u2212](?=\w)")
_HYDRATE: Final = re.compile(r"[·*•∙⋅.×x](?=[0-9.]*h2o$)")
_FEWEST: Final = 3  # letters of a name that is looked for within another


@dataclass(frozen=True)
class Target:
    """A thing of the campaign that a column can stand for."""

    kind: str  # component, response or key
    at: int
    name: str


@dataclass(frozen=True)
class Found:
    """What a header means: its target (None: nothing), its unit, and the alias that told."""

    target: Target | None
    unit: str | None = None
    alias: str | None = None


class Finder:
    """Finds the target that a column's name means."""

    def __init__(self, targets: Sequence[Target], aliases: Mapping[str, str] | None = None) -> None:
        self.targets = targets
        exact = {target.name: target for target in targets}
        self._aliases = {
            alias: exact[name] for alias, name in (aliases or {}).items() if name in exact
        }
        names = [(target.name, target) for target in targets]
        told = list(self._aliases.items())
        # in the order in which they are looked up
        self._tables = (
            (str, exact, False),
            (str, self._aliases, True),
            (fold, _by_fold(names, fold), False),
            (fold, _by_fold(told, fold), True),
            (_loosely, _by_fold(_of_components(names), _loosely), False),
            (_loosely, _by_fold(_of_components(told), _loosely), True),
        )

    def find(self, header: str, wanted: str | None = None) -> Found:
        """Return what a header means; `wanted` is what the user said that it is.

        A name of the campaign that itself ends in a unit, such as "titre (g/L)", states its own
        unit. Behind what the user mapped or keeps as an alias, only a known unit counts.
        """
        found = self._named(header if wanted is None else wanted)
        if found.target is not None:
            if wanted in (None, header) and found.alias is None:
                return found
            units = [unit for _, unit in _splits(header) if is_unit(unit)]
            return Found(found.target, units[0] if units else None, found.alias)
        if wanted is None:
            for bare, unit in _splits(header):
                found = self._named(bare)
                if found.target is not None:
                    return Found(found.target, unit, found.alias)
        return Found(None)

    def _named(self, name: str) -> Found:
        for folded, table, is_alias in self._tables:
            target = table.get(folded(name))
            if target is not None:
                return Found(target, alias=name if is_alias else None)
        return Found(None)

    @property
    def names(self) -> list[str]:
        """The names of components and responses."""
        return [target.name for target in self.targets if target.kind != "key"]

    def hint(self, header: str) -> str:
        """Return `; did you mean "x"?` for the name nearest to a header's, or an empty string."""
        bare, _ = split_unit(header)
        meant = {target.name: target.name for target in self.targets}
        meant |= {alias: target.name for alias, target in self._aliases.items()}
        near = did_you_mean(bare, meant)
        if near:
            spelled = near.removeprefix('; did you mean "').removesuffix('"?')
            name = meant[spelled]
            if name != spelled:
                return f'; did you mean "{name}" (alias "{spelled}")?'
            return (
                f'; did you mean "{name}", without its water?' if _is_hydrate(bare, name) else near
            )
        known = set(self.names)
        within = {
            name for spelled, name in meant.items() if name in known and _is_within(spelled, bare)
        }
        return f'; did you mean "{within.pop()}"?' if len(within) == 1 else ""


def _loosely(name: str) -> str:
    """Return a component's name without regard to hyphens and the dot of a hydrate, too.

    Of a response a hyphen may be a minus: GFP-RFP is not GFP RFP.
    """
    return _HYDRATE.sub("·", fold(_HYPHENS.sub("_", unicodedata.normalize("NFKC", name))))


def split_unit(header: str) -> tuple[str, str | None]:
    """Split a header into name and unit; no unit, the header and None.

    In brackets anything is taken for a unit; behind a comma, a blank or an underscore only what is
    one: `glucose, mM`, `glucose_mM`.
    """
    return next(_splits(header), (header, None))


def _splits(header: str) -> Iterator[tuple[str, str]]:
    match = _BRACKETS.fullmatch(header)
    if match is not None:
        unit = match["square"] if match["square"] is not None else match["round"]
        yield match["name"], unit.strip()
        return
    for pattern in (_COMMA, _BEHIND):
        match = pattern.fullmatch(header)
        if match is None or not is_unit(match["unit"]):
            continue
        # without a comma a single letter, as in glucose_M or titre_x, is not certainly a unit
        if pattern is _COMMA or len(match["unit"]) > 1 or match["unit"] == "%":
            yield match["name"], match["unit"]


def _by_fold(
    names: Iterable[tuple[str, Target]], folded: Callable[[str], str]
) -> dict[str, Target]:
    """Return the target of each folded name that only one target has."""
    targets: dict[str, set[Target]] = {}
    for name, target in names:
        targets.setdefault(folded(name), set()).add(target)
    return {name: next(iter(found)) for name, found in targets.items() if len(found) == 1}


def _of_components(names: Iterable[tuple[str, Target]]) -> list[tuple[str, Target]]:
    return [(name, target) for name, target in names if target.kind == "component"]


def _is_hydrate(one: str, other: str) -> bool:
    """Return whether one of two names is a hydrate and the other is not: their grams differ."""
    return ("·" in _loosely(one)) != ("·" in _loosely(other))


def _is_within(one: str, other: str) -> bool:
    """Return whether one of two names stands within the other."""
    short, long = sorted((fold(one), fold(other)), key=len)
    return len(short) >= _FEWEST and short in long
