"""Tables of the page, as cells of text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from labloop.report.numbers import number, plus_minus
from labloop.report.subjects import Component, Response, first_objective
from labloop.report.theme import in_order, look, spoken

_COMPONENTS = 16  # columns of components in one table
_SPREADS = {"predicted": "sd", "measured": "sem"}


@dataclass(frozen=True)
class Column:
    """A column: its title, the title that it shares with its neighbours, and how it stands."""

    title: str
    group: str = ""
    numeric: bool = True
    upright: bool = False


@dataclass(frozen=True)
class Cell:
    """A cell: its text, how far along its range it is (0 to 1, None for no bar), its origin."""

    text: str
    share: float | None = None
    origin: str = ""


@dataclass(frozen=True)
class Table:
    """Columns and rows of cells."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @property
    def groups(self) -> list[tuple[Column, int]]:
        """Columns of the upper line of titles, and how many columns each spans."""
        spans: list[tuple[Column, int]] = []
        for column in self.columns:
            if column.group and spans and spans[-1][0].group == column.group:
                spans[-1] = (spans[-1][0], spans[-1][1] + 1)
            else:
                spans.append((column, 1))
        return spans


def formula_tables(
    values: pd.DataFrame,
    amounts: pd.DataFrame,
    components: Sequence[Component],
    responses: Sequence[Response],
    labels: pd.Series[Any] | None,
) -> list[Table]:
    """Return a round's formulas, best measured first, else as they were chosen.

    Many components are spread over several tables. `values` are the round's rows of the frame of
    values without controls; `amounts` has a row a formula and a column a component; `labels` is
    what the user calls the formulas, None without.
    """
    order = _best_first(values, amounts.index, first_objective(responses))
    amounts = amounts.loc[order]
    origin = values.drop_duplicates("formula").set_index("formula")["origin"].loc[order]
    leading = [
        (Column("formula"), [Cell(str(formula)) for formula in order]),
        (Column("origin", numeric=False), [Cell(spoken(each), origin=each) for each in origin]),
    ]
    if labels is not None:
        texts = [Cell(str(label)) for label in labels.loc[order]]
        leading.append((Column("candidate", numeric=False), texts))
    for response in responses:
        leading += _response_columns(values, response, order)
    made = [_component_column(component, amounts) for component in components]
    first, others = made[:_COMPONENTS], made[_COMPONENTS:]
    blocks = [others[k : k + 2 * _COMPONENTS] for k in range(0, len(others), 2 * _COMPONENTS)]
    return [_table(leading + first), *(_table(leading[:1] + block) for block in blocks)]


def _table(columns: Sequence[tuple[Column, list[Cell]]]) -> Table:
    rows = zip(*(cells for _, cells in columns), strict=True)
    return Table(tuple(column for column, _ in columns), tuple(rows))


def _best_first(values: pd.DataFrame, formulas: pd.Index[Any], response: Response) -> list[Any]:
    rows = values[values["response"] == response.name].set_index("formula")
    merit = response.merit(rows["measured"].reindex(formulas)).to_numpy(dtype=float)
    order = np.argsort(np.where(np.isnan(merit), np.inf, -merit), kind="stable")
    return [formulas[k] for k in order.tolist()]


def _response_columns(
    values: pd.DataFrame, response: Response, order: Sequence[Any]
) -> list[tuple[Column, list[Cell]]]:
    rows = values[values["response"] == response.name].set_index("formula").loc[list(order)]
    columns = []
    for kind, spread in _SPREADS.items():
        if rows[kind].notna().any():
            pairs = zip(rows[kind].tolist(), rows[spread].tolist(), strict=True)
            cells = [Cell(plus_minus(value, sd)) for value, sd in pairs]
            columns.append((Column(kind, group=response.title), cells))
    return columns


def _component_column(component: Component, amounts: pd.DataFrame) -> tuple[Column, list[Cell]]:
    cells = [_amount(amount, component) for amount in amounts[component.name].tolist()]
    return Column(component.title, upright=True), cells


def _amount(amount: float | str, component: Component) -> Cell:
    if isinstance(amount, str):
        return Cell(amount)
    width = component.high - component.low
    share = (amount - component.low) / width if width > 0 else 0.0
    return Cell(number(amount), share=min(max(share, 0.0), 1.0))


def origin_table(values: pd.DataFrame, responses: Sequence[Response]) -> Table:
    """Return what the origins of a round's formulas mean and how their formulas did."""
    response = first_objective(responses)
    rows = values[values["response"] == response.name]
    shown = [kind for kind in _SPREADS if rows[kind].notna().any()]
    columns = (
        Column("origin", numeric=False),
        Column("formulas"),
        Column("meaning", numeric=False),
        *(Column(kind, group=f"median {response.title}") for kind in shown),
    )
    cells = []
    for origin in in_order(set(rows["origin"])):
        of_origin = rows[rows["origin"] == origin]
        medians = [Cell(number(float(of_origin[kind].median()))) for kind in shown]
        count = Cell(str(len(of_origin)))
        meaning = Cell(look(origin).meaning)
        cells.append((Cell(spoken(origin), origin=origin), count, meaning, *medians))
    return Table(columns, tuple(cells))


def scores_table(scores: pd.DataFrame) -> Table:
    """Return how well the pretrained network predicted history that it had not seen.

    `scores` has a row a response: `r2`, `spearman`, `relative_error`, `mse`, `rows`, and with
    networks that were set beside a plain model its `plain_r2`.
    """
    compared = "plain_r2" in scores.columns
    columns = (
        Column("response", numeric=False),
        Column("R²"),
        *((Column("R² of a random forest"),) if compared else ()),
        Column("rank correlation"),
        Column("relative error"),
        Column("MSE (range 0 to 1)"),
        Column("formulas"),
    )
    cells = []
    for name, *each in scores.astype(float).reset_index().to_numpy().tolist():
        row = dict(zip(scores.columns, each, strict=True))
        error = row["relative_error"]
        texts = [
            str(name),
            number(row["r2"]),
            *((number(row["plain_r2"]),) if compared else ()),
            number(row["spearman"]),
            "–" if math.isnan(error) else f"{100 * error:.1f} %",
            number(row["mse"]),
            f"{row['rows']:.0f}",
        ]
        cells.append(tuple(Cell(text) for text in texts))
    return Table(columns, tuple(cells))


def left_out_table(values: pd.DataFrame) -> Table:
    """Return values that count for nothing, and why.

    `values` has a row a value: `plate`, `well`, `formula`, `response`, `value` (NaN for none) and
    the `reason`, None where none was given.
    """
    columns = (
        Column("well", numeric=False),
        Column("plate"),
        Column("formula", numeric=False),
        Column("response", numeric=False),
        Column("read"),
        Column("why it does not count", numeric=False),
    )
    cells = [
        (
            Cell(row["well"]), Cell(str(row["plate"])), Cell(str(row["formula"])),
            Cell(row["response"]), Cell(number(row["value"])), Cell(row["reason"] or ""),
        )
        for row in values.to_dict("records")
    ]  # fmt: skip
    return Table(columns, tuple(cells))
