"""Eleven workbooks of a plate reader become one history, though the plates do not read alike.

A lab measured 651 buffers of a cell-free lysate on eleven plates of 384 wells. On the way it
changed the plates' sealer and the reader's gain; a few buffers were put on several plates. Here the
workbooks are imported as the reader wrote them, with a table that says what each buffer is made of,
and the network learns them twice: as they were read, and with plates and places corrected.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from labloop import Campaign
from labloop.errors import LabloopError

HOME = "https://github.com/LwSyBER/CFTX"
FOLDER = "1-From biotek data to active learning"
BUFFERS = "P0_P1_P2_P3_P4_P5_P6_P7_P8_P9_P10_AL_corr_everything_MG_GFP.csv"
DAYS = (
    "231107", "231221", "240115", "240131", "240212", "240314", "240319", "240327", "240403",
    "240410", "240417",
)  # fmt: skip
BESIDE_THE_CHECKOUT = Path(__file__).resolve().parents[3] / "shared" / "data"
AS_READ = "\n[noise]\nplates = false\npositions = false\noutliers = false\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    default = Path(os.environ.get("LABLOOP_REAL_TABLES", BESIDE_THE_CHECKOUT))
    parser.add_argument("--tables", type=Path, default=default, help="folder of the lab's files")
    parser.add_argument("--out", type=Path, help="where the campaigns go; a temporary folder")
    parser.add_argument("--plates", type=int, default=len(DAYS), help="only the first so many")
    parser.add_argument("--folds", type=int, default=10)
    options = parser.parse_args()
    if not lab_file(options.tables, "OUTPUT", BUFFERS).is_file():
        print(f"The lab's files are not in {options.tables}: clone {HOME} there, or say --tables.")
        return
    out = options.out or Path(tempfile.mkdtemp(prefix="cell-free-"))
    text = (Path(__file__).parent / "campaign.toml").read_text(encoding="utf-8")
    try:
        for name, definition in (("as read", text + AS_READ), ("corrected", text)):
            learn(name, definition, out, options.tables, options.plates, options.folds)
    except LabloopError as error:
        sys.exit(f"labloop: {error}")


def learn(name: str, definition: str, out: Path, tables: Path, plates: int, folds: int) -> None:
    """Import the workbooks into a new campaign and print how well a network predicts them."""
    toml = out / f"{name}.toml"
    out.mkdir(parents=True, exist_ok=True)
    toml.write_text(definition, encoding="utf-8")
    with Campaign.create(out / name, toml) as campaign:
        print(f"\n{name.capitalize()}")
        for number, day in enumerate(DAYS[:plates]):
            recorded = campaign.add_history(
                lab_file(tables, "INPUT", f"{day}_ECHO_DNA_plate{number}_fluoMax_data.xlsm"),
                source="lysate",
                instrument="biotek",
                plate=f"plate {number}",
                map=lab_file(tables, "OUTPUT", BUFFERS),
            )
            print(
                f"plate {number}: {recorded.measurements} readings, {recorded.formulas} new buffers"
            )
        scores = campaign.pretrain(folds=folds).scores
        print(scores[["r2", "relative_error", "spearman", "rows"]].round(2).to_string())


def lab_file(tables: Path, kind: str, name: str) -> Path:
    """Return a file of the lab's repository, cloned or kept in one folder with `__` for `/`."""
    flat = tables / "cftx" / "raw" / f"{FOLDER}__{kind}__{name}"
    return flat if flat.is_file() else tables / "CFTX" / FOLDER / kind / name


if __name__ == "__main__":
    main()
