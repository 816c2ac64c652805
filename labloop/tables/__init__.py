"""What people hand in, CSV and Excel files or frames, read strictly into checked rows.

`reading.read_table` turns a file or a frame into a `Table`; `history.read_history` and
`results.read_results` turn a table into rows that fit the campaign, or reject it with every cell
named. Nothing is guessed and nothing is dropped without being said.
"""

from labloop.tables.history import HistoryRows, read_history
from labloop.tables.mapped import read_mapped
from labloop.tables.numbers import Readings
from labloop.tables.reading import Table, read_table
from labloop.tables.results import MeasuredRows, read_results

__all__ = [
    "HistoryRows",
    "MeasuredRows",
    "Readings",
    "Table",
    "read_history",
    "read_mapped",
    "read_results",
    "read_table",
]
