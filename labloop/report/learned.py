"""Pictures of what was learned: which components matter, what each does, and which interact."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import pandas as pd

from labloop.report.figures.effects import Panel, effects
from labloop.report.figures.importance import importance
from labloop.report.figures.interactions import PairPanel, interactions
from labloop.report.numbers import counted, enumerated
from labloop.report.rendering import Picture, picture
from labloop.report.subjects import Component, Response

_BARS = 12  # components in the figure of importance
_CURVES, _FEWER = 6, 3  # panels of the first response that something is wanted of, of the others
_WORTH_A_CURVE = 0.01  # importance
_BARS_OF_PAIRS = 6
_SLIGHT = 0.01  # share of the variance


class Effects(Protocol):
    """What is shown; `labloop.campaign.effects.Effects` says what the frames hold."""

    @property
    def importance(self) -> pd.DataFrame:
        """How much each component matters."""
        ...

    @property
    def curves(self) -> pd.DataFrame:
        """What each does."""
        ...

    @property
    def directions(self) -> pd.DataFrame:
        """What each does, in words."""
        ...

    @property
    def interactions(self) -> pd.DataFrame:
        """Which two do more together."""
        ...

    @property
    def surfaces(self) -> pd.DataFrame:
        """What such two do."""
        ...


def learned_pictures(
    found: Effects,
    values: pd.DataFrame,
    amounts: pd.DataFrame,
    components: Sequence[Component],
    responses: Sequence[Response],
) -> list[Picture]:
    """Return pictures of importance, effects and interactions, those of which there is something.

    Args:
        found: What the surrogate makes of the components.
        values: Every round's values; see `labloop.report.subjects`.
        amounts: Frame by formula of every round with a column a component.
        components: Those that are shown.
        responses: Those that are shown.
    """
    known = found.importance.reset_index()
    names = {component.name for component in components}
    known = known[known["component"].isin(names)]
    shown = [response for response in responses if (known["response"] == response.name).any()]
    if not shown:
        return []
    wanted = [response for response in shown if response.goal != "observe"] or shown[:1]
    pictures = [_importance(known, shown, wanted)]
    panels = _panels(found, known, values, amounts, components, wanted)
    if panels:
        pictures.append(_effects(found, panels))
    pairs = _pairs(found, components, wanted)
    if pairs:
        pictures.append(_interactions(pairs))
    return pictures


def _importance(
    known: pd.DataFrame, shown: Sequence[Response], wanted: Sequence[Response]
) -> Picture:
    order = _most_important(known)
    top, rest = order[:_BARS], order[_BARS:]
    top = _most_important(
        known[known["component"].isin(top) & known["response"].isin([r.name for r in wanted])]
    )
    said = (
        "Importance: how much of the differences between formulas' predicted values would be lost "
        "to someone who did not know this component. Lines are 90 % intervals; where they reach "
        "zero, it may not matter at all. Bars of a response can add up to more than 100 %, since "
        "what two components do together counts for both."
    )
    if rest:
        left = known[known["component"].isin(rest)]
        said += (
            f" Left out: {counted(len(rest), 'component')} with at most "
            f"{100 * float(left['importance'].max()):.1f} % each."
        )
    return picture("importance", said, lambda theme: importance(known, top, shown, theme))


def _most_important(known: pd.DataFrame) -> list[str]:
    """Return the components, the one that matters most for any of the responses first."""
    most = known.groupby("component", sort=False)["importance"].max()
    return list(most.sort_values(ascending=False, kind="stable").index)


def _panels(
    found: Effects,
    known: pd.DataFrame,
    values: pd.DataFrame,
    amounts: pd.DataFrame,
    components: Sequence[Component],
    wanted: Sequence[Response],
) -> list[Panel]:
    by_name = {component.name: component for component in components}
    panels = []
    for place, response in enumerate(wanted):
        of_response = known[known["response"] == response.name].sort_values("rank")
        curves = found.curves[found.curves["response"] == response.name]
        order = [name for name in of_response["component"] if (curves["component"] == name).any()]
        worth = set(of_response.loc[of_response["importance"] >= _WORTH_A_CURVE, "component"])
        most = _CURVES if not place else _FEWER
        top = [name for name in order if name in worth][:most] or order[:1]
        measured = values[(values["response"] == response.name) & values["measured"].notna()]
        for name in top:
            points = measured[measured["formula"].isin(amounts.index)]
            if name in amounts:
                points = points.assign(amount=points["formula"].map(amounts[name]))
                points = points[points["amount"].notna()]
            else:
                points = points.iloc[:0].assign(amount=[])
            curve = curves[curves["component"] == name]
            panels.append(Panel(response, by_name[name], curve, points))
    return panels


def _effects(found: Effects, panels: list[Panel]) -> Picture:
    said = (
        "The line is the predicted response, averaged over random formulas in which only this "
        "component is set to the amount below it (and others give way where a total or the well "
        "leaves no room); the band is the 90 % interval of that average. "
        "Marks are measured formulas: they scatter about the line, and those of later rounds lie "
        "beyond it, because their other components differ too. What lies too far for the panel is "
        "left out."
    )
    words = found.directions.set_index(["response", "component"])["direction"]
    for name in dict.fromkeys(panel.response.name for panel in panels):
        of_response = [panel.component.name for panel in panels if panel.response.name == name]
        each = [f"{component} ({words[name, component]})" for component in of_response]
        said += f" What the model says of {name}: {enumerated(each)}."
    return picture("effects", said, lambda theme: effects(panels, theme))


def _pairs(
    found: Effects, components: Sequence[Component], wanted: Sequence[Response]
) -> list[PairPanel]:
    by_name = {component.name: component for component in components}
    panels = []
    for response in wanted:
        rows = found.interactions[found.interactions["response"] == response.name]
        rows = rows[rows["first"].isin(by_name) & rows["second"].isin(by_name)]
        if not len(rows):
            continue
        first, second = rows.iloc[0]["first"], rows.iloc[0]["second"]
        surfaces = found.surfaces
        of_pair = (surfaces["first"] == first) & (surfaces["second"] == second)
        surface = surfaces[of_pair & (surfaces["response"] == response.name)]
        top = rows.head(_BARS_OF_PAIRS)
        panels.append(PairPanel(response, top, by_name[first], by_name[second], surface))
    return panels


def _interactions(panels: list[PairPanel]) -> Picture:
    said = (
        "Left: the share of a response's differences that two components make only together, "
        "beyond what each does alone, with 90 % intervals. Right: the predicted response at "
        "amounts of the strongest pair, averaged over the other components."
    )
    for panel in panels:
        pair = panel.pairs.iloc[0]
        names = f"{pair['first']} and {pair['second']}"
        if pair["high"] < _SLIGHT:
            said += (
                f" For {panel.response.name} no pair matters: each component can be set by itself."
            )
        elif pair["low"] >= _SLIGHT:
            said += f" For {panel.response.name}, set {names} together."
        else:
            said += (
                f" For {panel.response.name}, {names} may have to be set together; how much is "
                "not known well."
            )
    return picture("interactions", said, lambda theme: interactions(panels, theme))
