"""What the surrogate makes of the components: importance, effects, interactions, what is left."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labloop import store
from labloop.campaign.explaining import importance_of
from labloop.campaign.learning import Learned, learn
from labloop.campaign.outlook import ahead, outlook
from labloop.campaign.prospecting import of_stored
from labloop.campaign.rounds import definition_of
from labloop.campaign.varying import (
    CELLS,
    WORTH_PAIRING,
    Varied,
    curve_settings,
    pair_settings,
    varied,
)
from labloop.definition import Definition, Response
from labloop.proposal.advice import Prospects
from labloop.report.numbers import number, with_unit
from labloop.space import FormulaSpace
from labloop.space.levels import Floats, LevelNumbers
from labloop.store import Store
from labloop.surrogate.threads import one_thread

if TYPE_CHECKING:
    import pandas as pd

    from labloop.surrogate.effects import Averages, Trend

_ROWS = 3_000  # of all curves together
_FEWEST_ROWS, _MOST_ROWS = 12, 48  # base formulas of a curve
_PAIR_ROWS = 6
_VARIANCE_ROWS = 256
_BETTER = {"maximize": 1, "at_least": 1, "minimize": -1, "at_most": -1}

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class Effects:
    """What the surrogate makes of the components, with what is not known of it.

    Attributes:
        importance: As `Campaign.importance` has it.
        curves: Frame `response`, `component`, `amount` (of choices, which), `mean`, `low`, `high`:
            the response's average over random formulas of the campaign with the component set to
            that amount, and the 90 % interval of that average, in the response's unit (of a
            response with transform = "log" the geometric mean). Where an amount alone would break
            a constraint the other components give way, and amounts that fewer than half of the
            formulas can take are left out. Components that do not vary have none.
        directions: Frame `response`, `component`, `direction`: what each curve does, in words, as
            far as it is known.
        interactions: Frame `response`, `first`, `second`, `strength`, `low`, `high`: the share of
            the predicted response's variance that is of that pair alone and its 90 % interval,
            strongest pairs first. It cannot exceed the smaller importance of the two, and only
            pairs in which that is greatest are there: a pair that is left out matters less than
            its less important component.
        surfaces: Frame `response`, `first`, `second`, `first_amount`, `second_amount`, `mean`,
            `low`, `high`: as `curves`, of both components of these pairs.
        outlook: What the next plate and the space may bring; None where too little is known.
    """

    importance: pd.DataFrame
    curves: pd.DataFrame
    directions: pd.DataFrame
    interactions: pd.DataFrame
    surfaces: pd.DataFrame
    outlook: Prospects | None


def effects(
    opened: Store,
    definition: Definition,
    space: FormulaSpace,
    round: int | None,  # noqa: A002
    progress: Progress | None = None,
) -> Effects:
    """Return what is known now, or was right after a round's results; see `Campaign.effects`."""
    following, known_event = _following(opened, round)
    if following is not None and definition_of(opened, following) != definition:
        definition = definition_of(opened, following)
        space = FormulaSpace.of(definition)
    learned = learn(opened, definition, space, known_event, progress)
    start = ahead(opened, learned, known_event) if following is None else None
    # What is to come and what was learned wait for nothing of each other.
    with one_thread(), ThreadPoolExecutor(1) as beside:
        coming = None if start is None else beside.submit(outlook, learned, start)
        importance = importance_of(learned.fitted, definition, space)
        told = _Told.of(learned, _ranked(importance, definition))
        stored = None if following is None else of_stored(following.settings.get("prospects"))
        return Effects(
            importance=importance,
            curves=told.curves(),
            directions=told.directions(),
            interactions=told.interactions(),
            surfaces=told.surfaces(),
            outlook=stored if coming is None else coming.result(),
        )


def _following(opened: Store, number: int | None) -> tuple[store.Round | None, int]:
    """Return the round that was proposed next, if any, and the last event that it knew of.

    After the results of a round; for None, the round that waits for results if nothing has come
    since it was proposed.
    """
    now = store.last_event(opened)
    rounds = [r for r in store.read_rounds(opened) if r.state != "abandoned"]
    if number is not None:
        store.read_round(opened, number)
        seen = [m.event for m in store.round_measurements(opened, number)]
        later = [r for r in rounds if seen and r.number > number and r.known_event >= min(seen)]
        if later:
            return later[0], later[0].known_event
    latest = rounds[-1] if rounds else None
    if latest is None or latest.state not in ("proposed", "exported"):
        return None, now
    seen = [m.event for m in store.campaign_measurements(opened)]
    news = max([*seen, store.last_history_event(opened)], default=0) > latest.known_event
    return (None, now) if news else (latest, latest.known_event)


def _ranked(importance: pd.DataFrame, definition: Definition) -> Floats:
    """Return (components, responses) importances, zero where none is known."""
    names, responses = definition.component_names, definition.response_names
    found = np.zeros((len(names), len(responses)))
    for row in importance.reset_index().to_dict("records"):
        found[names.index(row["component"]), responses.index(row["response"])] = row["importance"]
    return found


@dataclass(frozen=True, eq=False)
class _Told:
    """Averages of the surrogate at the settings of every curve and of some pairs."""

    learned: Learned
    importance: Floats
    singles: list[tuple[Varied, Averages]]
    pairs: list[tuple[Varied, Averages]]
    base: Averages

    @classmethod
    def of(cls, learned: Learned, importance: Floats) -> _Told:
        """Ask the surrogate once for all of them, so that its draws are the same functions."""
        from labloop.proposal.latin_hypercube import latin_hypercube
        from labloop.surrogate.effects import averages, levelled

        space, rng = learned.space, np.random.default_rng(0)
        wanted = curve_settings(space, importance)
        total = max(sum(len(levels) for _, levels in wanted), 1)
        rows = int(np.clip(_ROWS // total, _FEWEST_ROWS, _MOST_ROWS))
        some = latin_hypercube(space, rows, rng)
        few = some[:_PAIR_ROWS]
        singles = [varied(space, some, *each) for each in wanted]
        pairs = [varied(space, few, *each) for each in pair_settings(space, importance)]
        every = [each for each in (*singles, *pairs) if len(each)]
        settings = [
            *(_encoded(space, each.formulas) for each in every),
            *(_encoded(space, levels[None]) for levels in (some, few)),
        ]
        base = space.encode(space.sample(_VARIANCE_ROWS, rng))
        (*found, of_some, of_few), values = averages(learned.fitted, settings, base)
        by_size: dict[int, list[tuple[Varied, Averages]]] = {1: [], 2: []}
        for each, average in zip(every, found, strict=True):
            size = len(each.components)
            mine = of_some if size == 1 else of_few
            by_size[size].append((each, levelled(average, mine, values)))
        return cls(learned, importance, by_size[1], by_size[2], values)

    @property
    def _definition(self) -> Definition:
        return self.learned.definition

    def _name(self, component: int) -> str:
        return self._definition.component_names[component]

    def _amount(self, component: int, level: int) -> float | str:
        table = self.learned.space.tables[component]
        amount = float(table.concentration[level])
        choices = table.component.choices
        return amount if choices is None else choices[int(amount)]

    def _natural(self, found: Averages) -> tuple[Floats, Floats, Floats]:
        """Return (a, responses) means and the ends of their intervals in the responses' units."""
        low, high = found.interval
        to = self.learned.scale.medians
        return to(found.mean), to(low), to(high)

    def curves(self) -> pd.DataFrame:
        import pandas as pd

        rows = []
        for each, found in self.singles:
            j = int(each.components[0])
            amounts = [self._amount(j, level) for level in each.levels[:, 0].tolist()]
            values = np.stack(self._natural(found), axis=-1)
            for k, response in enumerate(self._definition.response_names):
                rows += [
                    (response, self._name(j), amount, *numbers)
                    for amount, numbers in zip(amounts, values[:, k].tolist(), strict=True)
                ]
        return _in_order(
            pd.DataFrame(rows, columns=["response", "component", "amount", "mean", "low", "high"]),
            self._definition,
        )

    def directions(self) -> pd.DataFrame:
        import pandas as pd

        rows = [
            (response.name, self._name(int(each.components[0])), self._direction(each, found, k))
            for k, response in enumerate(self._definition.responses)
            for each, found in self.singles
        ]
        return pd.DataFrame(rows, columns=["response", "component", "direction"])

    def _direction(self, each: Varied, found: Averages, k: int) -> str:
        from labloop.surrogate.effects import trend

        j = int(each.components[0])
        component, response = self._definition.components[j], self._definition.responses[k]
        ordered = component.choices is None
        sign = -1 if not ordered and _BETTER.get(response.goal) == -1 else 1
        said = trend(sign * found.mean[:, k], sign * found.draws[..., k], ordered=ordered)
        amount = self._amount(j, int(each.levels[said.at, 0]))
        unit = component.unit if ordered else ""
        return in_words(said, with_unit(number(amount), unit), response)

    def interactions(self) -> pd.DataFrame:
        import pandas as pd

        from labloop.surrogate.effects import interaction

        rows = []
        for each, found in self.pairs:
            first, second = (self._name(j) for j in each.components.tolist())
            shares = interaction(
                found, each.levels[:, 0], each.levels[:, 1], self.base, self._correction(each)
            )
            for k, response in enumerate(self._definition.response_names):
                if np.isfinite(shares[0][k]) and self._worth(each, k):
                    rows.append((response, first, second, *(float(part[k]) for part in shares)))
        names = ["response", "first", "second", "strength", "low", "high"]
        frame = pd.DataFrame(rows, columns=names)
        frame = frame.sort_values("strength", ascending=False, kind="stable")
        return _in_order(frame, self._definition)

    def _worth(self, each: Varied, k: int) -> bool:
        """Whether a pair may matter for a response: its share is part of both importances."""
        return bool(self.importance[each.components, k].min() >= WORTH_PAIRING)

    def _correction(self, each: Varied) -> float:
        """Return what the middles of equal shares lack of the variance of a whole range.

        Of k middles of the range of a uniform number the variance is 1 − 1/k² of its variance.
        """
        counts = self.learned.space.counts[each.components]
        return float(
            np.prod([1 - 1 / CELLS**2 if count > CELLS else 1.0 for count in counts]) ** -1
        )

    def surfaces(self) -> pd.DataFrame:
        import pandas as pd

        rows = []
        for each, found in self.pairs:
            i, j = each.components.tolist()
            amounts = [(self._amount(i, a), self._amount(j, b)) for a, b in each.levels.tolist()]
            values = np.stack(self._natural(found), axis=-1)
            for k, response in enumerate(self._definition.response_names):
                if not self._worth(each, k):
                    continue
                rows += [
                    (response, self._name(i), self._name(j), *both, *numbers)
                    for both, numbers in zip(amounts, values[:, k].tolist(), strict=True)
                ]
        names = ["response", "first", "second", "first_amount", "second_amount"]
        return _in_order(
            pd.DataFrame(rows, columns=[*names, "mean", "low", "high"]), self._definition
        )


def _encoded(space: FormulaSpace, formulas: LevelNumbers) -> Floats:
    """Return (a, n, columns) inputs of a surrogate of (a, n, components) level numbers."""
    flat = space.encode(formulas.reshape(-1, formulas.shape[2]))
    return flat.reshape(*formulas.shape[:2], -1)


def in_words(trend: Trend, amount: str, response: Response) -> str:
    """Return what a curve does, as a reader says it; `amount` is where it turns."""
    better = _BETTER.get(response.goal, 0)
    return {
        "flat": "flat within its uncertainty",
        "rises": "rises",
        "falls": "falls",
        "levels off": f"rises until about {amount}, then flat",
        "bottoms out": f"falls until about {amount}, then flat",
        "takes off": f"no sure change until about {amount}, then rises",
        "drops": f"no sure change until about {amount}, then falls",
        "peak": f"{'best' if better > 0 else 'highest'} near {amount}",
        "valley": f"{'best' if better < 0 else 'lowest'} near {amount}",
        "differs": f"{'best' if better else 'highest'} with {amount}",
    }[trend.kind]


def _in_order(frame: pd.DataFrame, definition: Definition) -> pd.DataFrame:
    """Return the rows by response in the definition's order, each response's as they are."""
    place = {name: k for k, name in enumerate(definition.response_names)}
    order = frame["response"].map(place).to_numpy()
    return frame.iloc[np.argsort(order, kind="stable")].reset_index(drop=True)
