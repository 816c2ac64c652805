"""What came out of a round, said in sentences; for the frame see `labloop.report.subjects`.

A number is never without its uncertainty where that is known.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from labloop.report.coverage import compared, verdict
from labloop.report.numbers import counted, plus_minus, with_unit
from labloop.report.subjects import Response


def outcome(values: pd.DataFrame, responses: Sequence[Response], latest: int) -> list[str]:
    """Return what came out of round `latest`: its best, its controls, its coverage."""
    objectives = [response for response in responses if response.is_objective]
    said = [_best(values, response, latest) for response in objectives]
    said += _controls(values, objectives, latest)
    for response in responses:
        said += _coverage(values, response, latest)
    return list(dict.fromkeys(said))


def _best(values: pd.DataFrame, response: Response, latest: int) -> str:
    chosen = values[(values["round"] == latest) & (values["origin"] != "adopted")]
    best = response.leader(chosen)
    if best is None:
        of_formulas = chosen[chosen["origin"] != "control"]
        measured = of_formulas.loc[of_formulas["response"] == response.name, "measured"]
        why = "meets all bounds" if measured.notna().any() else f"has a value of {response.name}"
        return f"No formula of this round {why}."
    said = f"The best {response.name} of this round is {_shown(best, response)}"
    said += f", of formula {best['formula']}"
    earlier = response.leader(values[values["round"] < latest])
    if earlier is None:
        return f"{said}."
    before = f"formula {earlier['formula']}"
    both = response.merit(pd.Series([best["measured"], earlier["measured"]], dtype=float))
    gain = float(both.iloc[0] - both.iloc[1])
    if gain <= 0:
        return f"{said}; {before} stays the best, with {_shown(earlier, response)}."
    better = with_unit(plus_minus(gain, math.hypot(best["sem"], earlier["sem"])), response.unit)
    return (
        f"{said}: better by {better} than the best before, {before} with "
        f"{_shown(earlier, response)}."
    )


def _shown(row: dict[Any, Any], response: Response) -> str:
    return with_unit(plus_minus(row["measured"], row["sem"]), response.unit)


def _controls(values: pd.DataFrame, responses: Sequence[Response], latest: int) -> list[str]:
    rows = values[(values["round"] == latest) & (values["origin"] == "control")]
    rows = rows[rows["measured"].notna()]
    said = []
    for name, of_control in rows.groupby("formula", sort=False):
        by_response = of_control.set_index("response").to_dict("index")
        means = [
            f"{response.name} {_shown(by_response[response.name], response)}"
            for response in responses
            if response.name in by_response
        ]
        if means:
            said.append(f"The control {name} had {', '.join(means)}.")
    return said


def _coverage(values: pd.DataFrame, response: Response, latest: int) -> list[str]:
    """Return how many measured means lie within the 90 % intervals predicted for them."""
    rows = compared(values[values["response"] == response.name])
    of_round = rows[rows["round"] == latest]
    if not len(of_round):
        return []
    said = f"{_share(of_round)} lie within the 90 % interval predicted for their {response.name}"
    if len(rows) > len(of_round):
        said += f"; over all rounds, {_share(rows)}: {verdict(rows)}"
    return [f"{said}."]


def _share(rows: pd.DataFrame) -> str:
    within = int(rows["inside"].sum())
    share = f"{100 * within / len(rows):.0f} %"
    return f"{within} of {counted(len(rows), 'formula')} ({share})"
