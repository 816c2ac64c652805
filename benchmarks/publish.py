"""Turn results into the committed summary and the table of the benchmarks page.

    python -m benchmarks.publish results

reads `surrogate.csv`, and `peers.csv` if it is there, of that folder.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmarks.summary import average_table, cell_table, compared, summarised, verdict

HERE = Path(__file__).resolve().parent
PUBLISHED = HERE / "results"
PAGE = HERE.parent / "docs" / "explanation" / "benchmarks.md"


def main(arguments: Sequence[str] | None = None) -> None:
    """Summarise results with those of the peers; write them and the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", type=Path, help="folder that the benchmarks wrote to")
    folder = parser.parse_args(arguments).results
    files = [folder / f"{name}.csv" for name in ("surrogate", "peers")]
    if not files[1].is_file():
        print(f"{files[1]} is absent: the tables will lack the peers", file=sys.stderr)
    raw = [pd.read_csv(file) for file in files if file.is_file()]
    means = summarised(pd.concat(raw, ignore_index=True))
    PUBLISHED.mkdir(exist_ok=True)
    write_text(PUBLISHED / "surrogate.csv", means.to_csv(index=False, float_format="%.3g"))
    cells = compared(means)
    text = f"{verdict(cells, means)}\n\n{average_table(means)}\n\n{cell_table(cells)}"
    put_between_marks(PAGE, "surrogate", text)
    print(PAGE)


def put_between_marks(page: Path, name: str, text: str) -> None:
    """Replace what stands between a page's marks `<!-- name -->` and `<!-- /name -->`.

    Raises ValueError for a page without them.
    """
    opening, closing = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, found, rest = page.read_text(encoding="utf-8").partition(opening)
    _, ended, after = rest.partition(closing)
    if not found or not ended:
        raise ValueError(f"{page} has no {opening} … {closing} to write between.")
    write_text(page, f"{before}{opening}\n\n{text}\n\n{closing}{after}")


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 with the same ends of lines everywhere."""
    path.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
