"""pandas frames handed in from Python, taken as they are: blanks are NaN, None or empty text."""

from __future__ import annotations

import hashlib
import math
from numbers import Real
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from labloop.tables.numbers import Column, quoted
from labloop.tables.table import reject

if TYPE_CHECKING:
    import pandas as pd

SOURCE: Final = "frame"


def frame_columns(frame: pd.DataFrame) -> tuple[list[str], list[Column], np.ndarray[Any, Any]]:
    """Return names, columns and row labels; index levels with a name become columns.

    Raises RejectedError for two-row headers.
    """
    if frame.columns.nlevels > 1:
        reject(SOURCE, [f"{SOURCE}: its header has {frame.columns.nlevels} rows; give it one"])
    labels = frame.index.to_numpy(dtype=object)
    if any(name is not None for name in frame.index.names):
        clash = [str(name) for name in frame.index.names if name in frame.columns]
        if clash:
            reject(SOURCE, [f"{SOURCE}: {quoted(clash[0])} names both its index and a column"])
        frame = frame.reset_index()
        labels = np.arange(len(frame)).astype(object)
    names = [str(name).strip() for name in frame.columns]
    return names, [_column(frame.iloc[:, at]) for at in range(len(names))], labels


def fingerprint(names: list[str], columns: list[Column]) -> str:
    """Return the SHA-256 of a frame's content: equal for equal names and cells."""
    digest = hashlib.sha256()
    for name, column in zip(names, columns, strict=True):
        digest.update(f"\n{name!r}:{column.dtype.kind}:{len(column)}:".encode())
        if column.dtype == object:
            digest.update("\x1f".join(repr(cell) for cell in column).encode("utf-8", "replace"))
        else:
            digest.update(column.astype("<f8").tobytes())
    return digest.hexdigest()


def _column(series: pd.Series[Any]) -> Column:
    """Return one column as float64, or as object with text and float."""
    from pandas.api.types import is_bool_dtype, is_float_dtype, is_integer_dtype

    if (is_float_dtype(series) or is_integer_dtype(series)) and not is_bool_dtype(series):
        return np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan))
    cells = np.empty(len(series), dtype=object)
    cells[:] = [_cell(value) for value in series.to_numpy(dtype=object)]
    return cells


def _cell(value: Any) -> str | float:
    if isinstance(value, str):
        return value.strip()
    if value is None or type(value).__name__ in {"NAType", "NaTType"}:
        return ""
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        return str(value).strip()
    try:
        number = float(value)
    except OverflowError:
        return str(value)[:50]
    return "" if math.isnan(number) else number
