"""Headers of several rows joined into one name a column."""

from __future__ import annotations

from collections.abc import Sequence

from labloop.tables.cells import Area, Sheet, as_text


def joined_header(sheet: Sheet, area: Area, header_rows: int, merged: Sequence[Area]) -> list[str]:
    """Return the name of each column of `area`: its header's texts from the top, blank between.

    A merged cell counts for all the columns that it spans. Where the header has no merged cells, as
    in a CSV file, a text above the last row carries on to the right until the next one, unless
    nothing stands below it: then it names its own column alone.
    """
    rows = range(area.top, area.top + header_rows)
    columns = range(area.left, area.right + 1)
    texts = [[as_text(sheet.at(row, column)) for column in columns] for row in rows]
    spans = [each for each in merged if each.top in rows]
    if spans:
        for span in spans:
            text = as_text(sheet.at(span.top, span.left))
            for at, column in enumerate(columns):
                if span.left < column <= span.right:
                    texts[span.top - area.top][at] = text
    else:
        for depth in range(header_rows - 1):
            _carry_on(texts, depth)
    return [" ".join(filter(None, column)) for column in zip(*texts, strict=True)]


def _carry_on(texts: list[list[str]], depth: int) -> None:
    """Let the texts of a header row stand for the columns to their right, too."""
    group = ""
    for at, text in enumerate(texts[depth]):
        below = any(row[at] for row in texts[depth + 1 :])
        if text:
            group = text if below else ""
        elif below:
            texts[depth][at] = group
