"""The round's page: frames and sentences in, the text of one self-contained HTML file out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from labloop.proposal.advice import Prospects
from labloop.report import tables
from labloop.report.journey import Journey
from labloop.report.learned import Effects
from labloop.report.pictures import pictures
from labloop.report.rendering import render
from labloop.report.subjects import Component, Response


@dataclass(frozen=True)
class Fact:
    """A number to see at a glance: what it is, the number, and what belongs to it."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True, eq=False)
class RoundPage:
    """What the page of a round shows.

    Attributes:
        campaign: Its name.
        description: What it is for.
        round: The round's number.
        state: Its state.
        as_of: What the page rests on, as a sentence.
        facts: Numbers to see at a glance.
        proposed: What was proposed and why, in sentences.
        outcome: What came out, in sentences; empty before anything is recorded.
        next_step: What to do next, as a sentence.
        command: The command that does it.
        components: The components of the round.
        responses: The responses of the round, at least one an objective.
        all_values: Every round's values; see `labloop.report.subjects`.
        amounts: Frame by formula of the round, in order of choice, with a column a component.
        labels: What the user calls the formulas, by formula; None without a list of candidates.
        wells: The round's wells: `plate`, `well`, `role`, `formula`.
        readings: What was measured in them of each response; see `bench.well_frame`.
        plate_wells: Wells of a plate.
        scores: Scores of the pretrained network, a row a response; empty without history.
        warnings: Sentences on responses that the network predicts no better than a plain model.
        plates: What plates, places and mishaps did to the wells, in sentences.
        left_out: The round's values that count for nothing: `plate`, `well`, `formula`, `response`,
            `value` and the `reason`.
        all_amounts: Frame by id of the campaign's own formulas, controls and adopted ones too, with
            a column a component.
        journey: Where formulas lie, and what history foretold; None to leave that out.
        effects: What was learned of the components; None to leave that out.
        learned: What was learned, in sentences, or why nothing was.
        prospects: What the next plate may bring by what is known after the round; None for unknown.
        outlook: The same in sentences.
        notes: What people wrote down: when, who and what.
    """

    campaign: str
    description: str
    round: int
    state: str
    as_of: str
    facts: tuple[Fact, ...]
    proposed: tuple[str, ...]
    outcome: tuple[str, ...]
    next_step: str
    command: str
    components: tuple[Component, ...]
    responses: tuple[Response, ...]
    all_values: pd.DataFrame
    amounts: pd.DataFrame
    labels: pd.Series[Any] | None
    wells: pd.DataFrame
    readings: pd.DataFrame
    plate_wells: int
    scores: pd.DataFrame
    warnings: tuple[str, ...]
    plates: tuple[str, ...] = ()
    left_out: pd.DataFrame = field(default_factory=pd.DataFrame)
    all_amounts: pd.DataFrame = field(default_factory=pd.DataFrame)
    journey: Journey | None = None
    effects: Effects | None = None
    learned: tuple[str, ...] = ()
    prospects: Prospects | None = None
    outlook: tuple[str, ...] = ()
    notes: tuple[tuple[str, str, str], ...] = ()

    @property
    def of_round(self) -> pd.DataFrame:
        """The values of this round's own formulas, controls and adopted ones left out."""
        chosen = ~self.all_values["origin"].isin(["control", "adopted"])
        return self.all_values[chosen & (self.all_values["round"] == self.round)]


def to_html(page: RoundPage) -> str:
    """Return the page as the text of one HTML file."""
    return render("round.html.j2", **shown(page))


def shown(page: RoundPage) -> dict[str, Any]:
    """Return what the template of a round's sections shows: the page, its pictures and tables."""
    return {
        "page": page,
        "pictures": pictures(page),
        "formula_tables": tables.formula_tables(
            page.of_round, page.amounts, page.components, page.responses, page.labels
        ),
        "origin_table": tables.origin_table(page.of_round, page.responses),
        "scores_table": tables.scores_table(page.scores) if len(page.scores) else None,
        "left_out_table": tables.left_out_table(page.left_out) if len(page.left_out) else None,
    }
