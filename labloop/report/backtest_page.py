"""The page of a backtest: what strategies found, as a figure and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from labloop.report.figures import curves
from labloop.report.figures.curves import Panel
from labloop.report.numbers import plus_minus
from labloop.report.rendering import picture, render
from labloop.report.tables import Cell, Column, Table


@dataclass(frozen=True, eq=False)
class BacktestPage:
    """What the page shows.

    Attributes:
        campaign: Its name.
        lab: What answered.
        seeds: How many campaigns of each strategy, as words.
        strategies: In the order of legend and tables.
        panels: What is shown of them.
        summary: A row a `strategy` and `round` with the panels' columns and their errors.
        outcome: Which strategy was best, in sentences.
        notes: What was played, in sentences.
        warnings: What makes the results doubtful, in sentences.
    """

    campaign: str
    lab: str
    seeds: str
    strategies: Sequence[str]
    panels: Sequence[Panel]
    summary: pd.DataFrame
    outcome: Sequence[str]
    notes: Sequence[str]
    warnings: Sequence[str]

    @property
    def tables(self) -> list[tuple[str, Table]]:
        """A title and a table for each panel."""
        return [(panel.title, self._table(panel)) for panel in self.panels]

    def _table(self, panel: Panel) -> Table:
        rounds = sorted(set(self.summary["round"]))
        columns = [Column("strategy", numeric=False), *(Column(f"round {n}") for n in rounds)]
        found = self.summary.set_index(["strategy", "round"])
        rows = []
        for name in self.strategies:
            cells = [
                Cell(plus_minus(*found.loc[(name, n), [panel.column, f"{panel.column}_sem"]]))
                for n in rounds
            ]
            rows.append((Cell(name), *cells))
        return Table(tuple(columns), tuple(rows))


def to_html(page: BacktestPage) -> str:
    """Return the page as the text of one HTML file."""
    figure = picture(
        "curves",
        f"Means over {page.seeds}; the bands are ± one standard error.",
        lambda theme: curves(page.summary, page.strategies, page.panels, theme),
    )
    return render("simulation.html.j2", pictures={figure.name: figure}, page=page)
