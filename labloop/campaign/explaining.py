"""What a campaign's predictions rest on: trust in the history, and components that matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from labloop.definition import Definition
from labloop.report.numbers import enumerated

if TYPE_CHECKING:
    import pandas as pd

    from labloop.campaign.knowledge import Floats
    from labloop.space import FormulaSpace
    from labloop.space.levels import LevelNumbers
    from labloop.surrogate import Pretrained, Surrogate
    from labloop.surrogate.importance import Importance

_NAMED = 3
_WORTH_NAMING = 0.01
_IMPORTANCE = ["response", "component"]
_NUMBERS = ["importance", "low", "high", "rank"]


@dataclass(frozen=True, eq=False)
class Explanation:
    """Numbers behind a round, and sentences about them.

    Attributes:
        trust: Frame by response; see `Surrogate.trust`. Empty where there is no surrogate.
        importance: Frame by response and component; see `Campaign.importance`.
    """

    trust: pd.DataFrame
    importance: pd.DataFrame

    @property
    def sentences(self) -> tuple[str, ...]:
        """A sentence a response on the history, then one a response on the components."""
        followed = [f"{name}: {text}" for name, text in self.trust.get("text", {}).items()]
        return (*followed, *importance_sentences(self.importance))

    def stored(self) -> dict[str, list[dict[str, Any]]]:
        """Return the frames as JSON-able records, six figures a number."""
        return {"trust": _records(self.trust), "importance": _records(self.importance)}

    @classmethod
    def of_stored(cls, settings: Mapping[str, Any]) -> Explanation:
        """Read what `stored` returned; empty frames of a round that has nothing of it."""
        return cls(
            _frame(settings.get("trust", []), ["response"]),
            _frame(settings.get("importance", []), _IMPORTANCE),
        )


def explain(
    surrogate: Surrogate | None,
    definition: Definition,
    space: FormulaSpace,
    planned: LevelNumbers,
    listed: LevelNumbers | None,
) -> Explanation:
    """Return what a surrogate rests on, and what `planned` formulas will teach it.

    Over the formulas of a list where there is one, else over the whole space.
    """
    if surrogate is None:
        return Explanation.of_stored({})
    rows = _rows(space, listed)
    trust = surrogate.trust(definition.response_names, planned=space.encode(planned), over=rows)
    return Explanation(trust, importance_of(surrogate, definition, space, rows))


def importance_of(
    surrogate: Surrogate, definition: Definition, space: FormulaSpace, rows: Floats | None = None
) -> pd.DataFrame:
    """Return the frame of `Campaign.importance`, over encoded rows or else the whole space."""
    from labloop.surrogate.importance import importance

    rows = _rows(space, None) if rows is None else rows
    return _named(importance(surrogate, rows, space.component_of_column), definition)


def importance_of_history(
    pretrained: Pretrained, definition: Definition, space: FormulaSpace
) -> pd.DataFrame:
    """Return the same frame for the networks that saw the history alone."""
    from labloop.surrogate.importance import network_importance

    rows = _rows(space, None)
    return _named(network_importance(pretrained, rows, space.component_of_column), definition)


def importance_sentences(importance: pd.DataFrame) -> tuple[str, ...]:
    """Return for each response a sentence that names the components it depends on most."""
    said = []
    for response, part in importance.groupby(level="response", sort=False):
        top = part.droplevel("response").nsmallest(_NAMED, "rank")
        top = top[top["importance"] >= _WORTH_NAMING]
        each = [
            f"{name} ({row['importance']:.2f}, {row['low']:.2f}–{row['high']:.2f})"
            for name, row in top.iterrows()
        ]
        if each:
            said.append(f"{response} depends most on {enumerated(each)}.")
        else:
            said.append(f"{response} is not known to depend on any component.")
    return tuple(said)


def _rows(space: FormulaSpace, listed: LevelNumbers | None) -> Floats:
    """Return encoded formulas in random order, always the same ones."""
    from labloop.surrogate.importance import base_rows

    rng = np.random.default_rng(0)
    count = base_rows(len(space.tables))
    levels = space.sample(count, rng) if listed is None else rng.permutation(listed)[:count]
    return space.encode(levels)


def _named(found: Importance, definition: Definition) -> pd.DataFrame:
    """Return importances by response and component, the greatest first; unknown ones left out."""
    import pandas as pd

    names = definition.component_names
    parts = []
    for j, response in enumerate(definition.response_names):
        if np.isnan(found.value[:, j]).any():
            continue
        order = np.argsort(-found.value[:, j], kind="stable")
        columns = {
            "importance": found.value[order, j],
            "low": found.low[order, j],
            "high": found.high[order, j],
            "rank": np.arange(1, len(order) + 1),
        }
        labels = [(response, names[k]) for k in order]
        parts.append(
            pd.DataFrame(columns, index=pd.MultiIndex.from_tuples(labels, names=_IMPORTANCE))
        )
    return pd.concat(parts) if parts else _frame([], _IMPORTANCE)


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    rows = frame.reset_index().to_dict("records") if len(frame) else []
    return [{str(key): _plain(value) for key, value in row.items()} for row in rows]


def _plain(value: object) -> object:
    if isinstance(value, float):
        return None if np.isnan(value) else float(f"{value:.6g}")
    return int(value) if isinstance(value, np.integer) else value


def _frame(records: Sequence[Mapping[str, Any]], index: list[str]) -> pd.DataFrame:
    import pandas as pd

    if not records:
        columns = [*index, *_NUMBERS] if index == _IMPORTANCE else index
        return pd.DataFrame(columns=columns).set_index(index)
    frame = pd.DataFrame([dict(record) for record in records]).set_index(index)
    # None is what JSON keeps of NaN.
    numbers = [column for column in frame if column not in ("text", "rank")]
    return frame.astype(dict.fromkeys(numbers, float))
