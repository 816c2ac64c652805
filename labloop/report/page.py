"""The round's page: frames and sentences in, the text of one self-contained HTML file out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from labloop.report import bench, tables
from labloop.report.bench_readings import WellReading, well_readings
from labloop.report.figures import parity, plate_map, progress
from labloop.report.rendering import Picture, Reading, picture, picture_of_readings, render
from labloop.report.subjects import Component, Response, first_objective


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
        "pictures": {each.name: each for each in _pictures(page)},
        "formula_tables": tables.formula_tables(
            page.of_round, page.amounts, page.components, page.responses, page.labels
        ),
        "origin_table": tables.origin_table(page.of_round, page.responses),
        "scores_table": tables.scores_table(page.scores) if len(page.scores) else None,
        "left_out_table": tables.left_out_table(page.left_out) if len(page.left_out) else None,
    }


def _plate(page: RoundPage) -> Picture:
    """Return the plate map, the first objective as measured, else as predicted, to begin with."""
    first = first_objective(page.responses)
    responses = sorted(page.responses, key=lambda response: response != first)
    wells = bench.well_frame(
        page.wells, page.readings, page.of_round, page.amounts, page.components, responses
    )

    def reading(each: WellReading) -> Reading:
        coloured = wells.assign(value=each.numbers)
        return Reading(
            each.name,
            each.group,
            lambda theme: plate_map(coloured, page.plate_wells, each.scale, theme),
        )

    readings = well_readings(page.wells, page.readings, page.of_round, responses)
    return picture_of_readings(
        "plate",
        bench.caption(page.wells, page.readings, page.of_round),
        [reading(each) for each in readings],
    )


def _pictures(page: RoundPage) -> list[Picture]:
    values, responses = page.all_values, page.responses
    pictures = [_plate(page)]
    if values[["predicted", "measured"]].notna().any(axis=None):
        shown = [response for response in responses if response.goal != "observe"]
        pictures.append(
            picture(
                "progress",
                "Each mark is a formula, in the order in which its round was chosen. Measured "
                "values have their standard error, predicted ones (hollow) their 90 % interval.",
                lambda theme: progress(values, shown, theme),
            )
        )
    both = set(values.dropna(subset=["predicted", "measured"])["response"])
    compared = [response for response in responses if response.name in both]
    if compared:
        pictures.append(
            picture(
                "parity",
                "Predictions were stored before the plate was made. Bars are the predicted 90 % "
                "interval (across) and the standard error of the measured mean (upright).",
                lambda theme: parity(values, compared, page.round, theme),
            )
        )
    return pictures
