"""Pictures of the campaign's way: what history foretold, how far it is followed, and to where.

`journey_pictures` makes them all; `labloop.campaign.journey.journey_of` gathers what they show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from labloop.report.figures.cross_validation import cross_validation
from labloop.report.figures.map_of_formulas import Axes, map_of_formulas, two_axes
from labloop.report.figures.parallel import MOST_LINES, MOST_SHOWN, parallel, shown_first
from labloop.report.figures.transfer import transfer
from labloop.report.numbers import counted, enumerated
from labloop.report.rendering import Picture, picture
from labloop.report.subjects import Component, Response, first_objective

_OF_PLATE = " With this plate"
_LOADING = 0.3  # of an axis of length 1, below which a component is not named


@dataclass(frozen=True, eq=False)
class Journey:
    """Where formulas lie, how far the history was followed, and how well it was learned.

    Attributes:
        amounts: Frame by id of every formula of the campaign's own, with a column a component;
            the names of choices as text.
        choices: Component → the names of its choices in order, of those that have any.
        encoded: Frame by id of the own formulas and of (at most 3000 of) the history's: the
            inputs of the surrogate, a column a component or choice, each called as its component
            is, or `component = choice`.
        sources: Series by id of the history's formulas among them: the name of their source.
        importance: Frame by response and component, as of `Campaign.importance`; may be empty.
        trust: Frame, a row a `round` and `response`: `b`, `b_sd` (scale of the history's
            prediction), `history_share` and `text`; see `Surrogate.trust`. Empty without history.
        scores: Frame by response with `r2`, `plain_r2`, `spearman`, `rows`; empty without.
        left_out: Frame `source`, `formula`, `response`, `measured`, `predicted` of history's
            formulas that the networks never saw; empty where it was not stored.
        left_out_of: Of how many formulas that frame is a random choice.
    """

    amounts: pd.DataFrame
    choices: dict[str, tuple[str, ...]] = field(default_factory=dict)
    encoded: pd.DataFrame = field(default_factory=pd.DataFrame)
    sources: pd.Series[str] = field(default_factory=lambda: pd.Series(dtype=object))
    importance: pd.DataFrame = field(default_factory=pd.DataFrame)
    trust: pd.DataFrame = field(default_factory=pd.DataFrame)
    scores: pd.DataFrame = field(default_factory=pd.DataFrame)
    left_out: pd.DataFrame = field(default_factory=pd.DataFrame)
    left_out_of: int = 0


def journey_pictures(
    journey: Journey,
    number: int,
    components: Sequence[Component],
    responses: Sequence[Response],
    values: pd.DataFrame,
) -> list[Picture]:
    """Return the pictures of the page of a round; those of which nothing is known are left out.

    They are named, in this order, `parallel` and `map` (where the round's formulas lie, for "what
    was proposed"), `transfer` (how far the history is followed, round by round) and
    `cross-validation` (how well the pretrained networks predict what they never saw). Each has
    its caption in whole sentences. All but `journey` are fields of `RoundPage`.

    Args:
        journey: What `labloop.campaign.journey.journey_of` gathers.
        number: The round that the page is of.
        components: The components of the round.
        responses: Its responses, at least one an objective.
        values: Every round's values; see `labloop.report.subjects`.
    """
    first = first_objective(responses)
    made = [
        _parallel(journey, number, components, first, values),
        _map(journey, number, first, values),
        _transfer(journey, number, responses),
        cross_validation_picture(journey, responses),
    ]
    return [each for each in made if each is not None]


def _of_response(values: pd.DataFrame, response: Response) -> pd.DataFrame:
    """Return the rows of a response, of formulas alone: controls have no number."""
    return values[(values["response"] == response.name) & (values["origin"] != "control")]


def _of_round(values: pd.DataFrame, number: int) -> pd.DataFrame:
    return values[(values["round"] == number) & (values["origin"] != "adopted")]


# -- where the formulas lie ----------------------------------------------------------------------


def _parallel(
    journey: Journey,
    number: int,
    components: Sequence[Component],
    first: Response,
    values: pd.DataFrame,
) -> Picture | None:
    rows = _of_response(values, first)
    rows = rows[rows["formula"].isin(journey.amounts.index)]
    of_round = _of_round(rows, number)
    varied = [c for c in components if c.name in journey.choices or c.low < c.high]
    if not (len(of_round) and varied):
        return None
    shown = shown_first(varied, journey.importance)[:MOST_SHOWN]
    places = _places(journey, [component.name for component in shown])
    places = places.loc[list(dict.fromkeys(rows["formula"]))]
    return picture(
        "parallel",
        " ".join(
            [
                *_parallel_caption(len(varied), len(shown), len(of_round), journey.importance),
                *(
                    ["Other formulas of the campaign are faint."]
                    if len(places) > len(of_round)
                    else []
                ),
            ]
        ),
        lambda theme: parallel(
            of_round, places, journey.amounts, shown, journey.choices, first, theme
        ),
    )


def _places(journey: Journey, components: Sequence[str]) -> pd.DataFrame:
    """Return by formula the place of each amount in its range, as the surrogate sees it."""
    columns = {}
    for name in components:
        if name in journey.choices:
            names = journey.choices[name]
            place = {choice: k / max(len(names) - 1, 1) for k, choice in enumerate(names)}
            columns[name] = journey.amounts[name].map(place).astype(float)
        else:
            columns[name] = journey.encoded[name].reindex(journey.amounts.index)
    return pd.DataFrame(columns)


def _parallel_caption(
    varied: int, shown: int, formulas: int, importance: pd.DataFrame
) -> list[str]:
    said = ["Each line is a formula of the round, each row a component from low to high."]
    if len(importance):
        said.append("The components that matter most stand above.")
    if shown < varied:
        said.append(f"{varied - shown} of the {varied} components are left out.")
    if formulas > MOST_LINES:
        said.append(f"The {MOST_LINES} formulas that were chosen first are drawn.")
    return said


def _map(journey: Journey, number: int, first: Response, values: pd.DataFrame) -> Picture | None:
    rows = _of_response(values, first)
    rows = rows[rows["formula"].isin(journey.encoded.index)]
    of_round = _of_round(rows, number)
    axes = two_axes(journey.encoded)
    if axes is None or not len(of_round):
        return None
    others = rows[~rows["formula"].isin(of_round["formula"])]
    sources = dict(zip(journey.sources.index.tolist(), journey.sources.tolist(), strict=True))
    return picture(
        "map",
        _map_caption(axes, journey),
        lambda theme: map_of_formulas(axes, sources, of_round, others, first, theme),
    )


def _map_caption(axes: Axes, journey: Journey) -> str:
    of = "the campaign and of the history" if len(journey.sources) else "the campaign"
    choices = {f"{name} = {choice}" for name, each in journey.choices.items() for choice in each}
    said = [
        "Formulas that are alike lie near each other. The axes are the two directions in which "
        f"all formulas of {of} differ most; together they hold {sum(axes.shares):.0%} of the "
        "differences, so that formulas that lie together may still differ in the rest."
    ]
    for column, ordinal, share in zip(("x", "y"), ("first", "second"), axes.shares, strict=True):
        loads = axes.loadings[column]
        loads = loads[loads.abs() >= min(_LOADING, float(loads.abs().max()))]
        loads = loads.reindex(loads.abs().sort_values(ascending=False, kind="stable").index)[:4]
        if share > 0:
            each = [
                f"{'more' if load > 0 else 'less'}{' often' if name in choices else ''} {name}"
                for name, load in loads.items()
            ]
            said.append(f"Along the {ordinal} axis there is mostly {enumerated(each)}.")
    return " ".join(said)


# -- what the history is worth -------------------------------------------------------------------


def _transfer(journey: Journey, number: int, responses: Sequence[Response]) -> Picture | None:
    trust = journey.trust
    names = [r.name for r in responses]
    if len(trust):
        trust = trust[trust["response"].isin(names) & trust["b"].notna()]
    if not len(trust):
        return None
    shown = [name for name in names if name in set(trust["response"])]
    known = trust[trust["round"] <= number]
    latest = int(known["round"].max()) if len(known) else 0
    texts = known[known["round"] == latest].set_index("response")["text"].to_dict()
    # what the plate will teach stands among the reasons for it
    said = [f"{name}: {texts[name].split(_OF_PLATE)[0]}" for name in shown if name in texts]
    return picture(
        "transfer",
        " ".join(
            [
                "Above: of a difference between formulas that the history foretells, how much the "
                "campaign's own results show (1 all of it, 0 nothing; ± one standard deviation). "
                "Below: how much of the prediction comes from models that start from the history.",
                *([f"As round {latest} was proposed: {' '.join(said)}"] if said else []),
            ]
        ),
        lambda theme: transfer(trust, shown, theme),
    )


def cross_validation_picture(journey: Journey, responses: Sequence[Response]) -> Picture | None:
    """Return how well the pretrained networks predict what they never saw; None if not known."""
    left_out = journey.left_out
    if not len(left_out):
        return None
    known = np.isfinite(left_out[["measured", "predicted"]].to_numpy(dtype=float)).all(axis=1)
    left_out = left_out.loc[known]
    shown = [r for r in responses if r.name in set(left_out["response"])]
    if not shown:
        return None
    left_out = left_out.loc[left_out["response"].isin([r.name for r in shown])]
    kept = left_out["formula"].nunique()
    said = [
        "Each mark is a formula of the history as networks predicted it that never saw it or its "
        "near-copies. R² is the share of the differences between a source's formulas that they "
        "foresee (1 is all; of logarithms where the response is modelled so), rank how well they "
        "put formulas in order (1 is perfectly), beside them the R² of a plain random forest."
    ]
    if kept < journey.left_out_of:
        said.append(
            f"The picture shows {counted(kept, 'formula')} at random, the numbers rest on all."
        )
    return picture(
        "cross-validation",
        " ".join(said),
        lambda theme: cross_validation(left_out, journey.scores, shown, theme),
    )
