"""The pictures of a round's page, those of which nothing is known left out."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd
import plotly.graph_objects as go

from labloop.proposal.advice import STEP, Prospects
from labloop.report import bench, front
from labloop.report.bench_readings import WellReading, well_readings
from labloop.report.coverage import compared
from labloop.report.figures import parity, plate_map, progress
from labloop.report.figures.calibration import calibration
from labloop.report.figures.outlook import outlook
from labloop.report.figures.pareto import pareto
from labloop.report.figures.plate_map import recolour
from labloop.report.journey import journey_pictures
from labloop.report.learned import learned_pictures
from labloop.report.numbers import enumerated, number, with_unit
from labloop.report.rendering import Picture, Reading, picture, picture_of_readings
from labloop.report.subjects import Response, first_objective
from labloop.report.theme import Theme

if TYPE_CHECKING:
    from labloop.report.page import RoundPage


def pictures(page: RoundPage) -> dict[str, Picture]:
    """Return by its name each picture of a round's page."""
    responses = page.responses
    made = [_plate(page), progress_picture(page), _pareto(page), *_predicted_and_measured(page)]
    if page.effects is not None:
        made += learned_pictures(
            page.effects, page.all_values, page.all_amounts, page.components, responses
        )
    if page.prospects is not None:
        made.append(_outlook(page.prospects, first_objective(responses)))
    if page.journey is not None:
        made += journey_pictures(
            page.journey, page.round, page.components, responses, page.all_values
        )
    return {each.name: each for each in made if each is not None}


def _plate(page: RoundPage) -> Picture:
    """Return the plate map, the first objective as measured, else as predicted, to begin with."""
    first = first_objective(page.responses)
    responses = sorted(page.responses, key=lambda response: response != first)
    wells = bench.well_frame(
        page.wells, page.readings, page.of_round, page.amounts, page.components, responses
    )

    drawn: dict[str, go.Figure] = {}

    def draw(each: WellReading, theme: Theme) -> go.Figure:
        coloured = wells.assign(value=each.numbers)
        if theme.name not in drawn:
            drawn[theme.name] = plate_map(coloured, page.plate_wells, each.scale, theme)
        return recolour(drawn[theme.name], coloured, page.plate_wells, each.scale, theme)

    readings = well_readings(page.wells, page.readings, page.of_round, responses)
    return picture_of_readings(
        "plate",
        bench.caption(page.wells, page.readings, page.of_round),
        [Reading(each.name, each.group, partial(draw, each)) for each in readings],
    )


def progress_picture(page: RoundPage) -> Picture | None:
    """Return the campaign's progress; None before anything was predicted or measured."""
    values = page.all_values
    if not values[["predicted", "measured"]].notna().any(axis=None):
        return None
    shown = [response for response in page.responses if response.goal != "observe"]
    return picture(
        "progress",
        "Each mark is a formula, in the order in which its round was chosen. Measured values have "
        "their standard error, predicted ones (hollow) their 90 % interval.",
        lambda theme: progress(values, shown, theme),
    )


# -- several objectives --------------------------------------------------------------------------


def _pareto(page: RoundPage) -> Picture | None:
    objectives = [response for response in page.responses if response.is_objective]
    if len(objectives) < 2:
        return None
    formulas = front.complete(page.all_values, objectives)
    if not len(formulas):
        return None
    formulas = formulas.assign(front=front.on_front(formulas, objectives))
    waiting = front.waiting(page.all_values, objectives)
    volumes = front.hypervolumes(formulas, objectives)
    said = [
        "Ringed formulas are the Pareto front: no other that was measured and meets the bounds is "
        "as good in all objectives and better in one. Bars are standard errors, of formulas that "
        "wait for results (hollow) predicted 90 % intervals.",
        _of_hypervolume(formulas, objectives),
    ]
    return picture(
        "pareto",
        " ".join(said),
        lambda theme: pareto(formulas, waiting, volumes, objectives, theme),
    )


def _of_hypervolume(formulas: pd.DataFrame, objectives: list[Response]) -> str:
    each = [
        f"{objective.name} {with_unit(number(value), objective.unit)}"
        for objective, value in zip(objectives, front.references(formulas, objectives), strict=True)
    ]
    given = [not math.isnan(objective.reference) for objective in objectives]
    where = (
        "is what campaign.toml says" if all(given)
        else "is what campaign.toml says or else what nine of ten measured formulas surpass"
        if any(given)
        else "is what nine of ten measured formulas surpass"
    )  # fmt: skip
    return (
        "The hypervolume is how much of the box from a reference to the best value of each "
        f"objective the formulas surpass. The reference, {enumerated(each)}, {where}; the bars are "
        "standard errors from those of the measured values."
    )


# -- predictions ---------------------------------------------------------------------------------


def _predicted_and_measured(page: RoundPage) -> list[Picture]:
    values = page.all_values
    both = set(compared(values)["response"])
    shown = [response for response in page.responses if response.name in both]
    if not shown:
        return []
    return [
        picture(
            "parity",
            "Predictions were stored before the plate was made. Bars are the predicted 90 % "
            "interval (across) and the standard error of the measured mean (upright).",
            lambda theme: parity(values, shown, page.round, theme),
        ),
        picture(
            "calibration",
            "Left: how many measured means lay within the 90 % interval that was predicted for "
            "them; honest intervals stay around the dashed line at 90 %. Bars are the 90 % "
            "interval of that share, wide where there were few formulas. Right: measured minus "
            "predicted, in standard deviations of the prediction. Nine of ten should lie between "
            "the dashed lines; a mean that keeps away from zero means that predictions are too low "
            "(above) or too high (below).",
            lambda theme: calibration(values, shown, theme),
        ),
    ]


# -- what is to come -----------------------------------------------------------------------------


def _outlook(found: Prospects, response: Response) -> Picture | None:
    gain = (found.gain, found.gain_low, found.gain_high)
    if any(not math.isfinite(each) for each in (*gain, found.potential)):
        return None
    measure = {
        "ratio": f"the best {response.name}",
        "best": f"the best {response.name}",
        "range": f"the range of measured {response.name}",
        "hypervolume": "the hypervolume",
    }[found.measure]
    said = (
        "What another plate is expected to gain, with its 80 % interval, and the median of what "
        "the whole space may still hold. The dashed line is the gain that counts as worth having."
    )
    if not math.isnan(found.visible):
        said += " Less than the shaded part cannot be told from chance between two measurements."
    return picture(
        "outlook",
        said,
        lambda theme: outlook(gain, found.potential, found.visible, STEP, measure, theme),
    )
