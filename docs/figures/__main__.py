"""Write every figure: `python -m docs.figures`, some minutes, mostly of small campaigns."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from docs.figures.campaigns import LINES, SEEDS, course
from docs.figures.plates import filled_plate, plate_effects
from docs.figures.results import calibration, trust
from docs.figures.schemes import staged_transfer

NAMES = ("staged-transfer", "trust", "filled-plate", "plate-effects", "calibration")
IMAGES = Path(__file__).resolve().parents[1] / "images"


def main() -> None:
    """Run the campaigns and draw."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    courses = [course(likeness, seed) for likeness in LINES for seed in SEEDS]
    draw: tuple[Callable[[], str], ...] = (
        staged_transfer,
        lambda: trust(courses),
        filled_plate,
        plate_effects,
        lambda: calibration(courses),
    )
    for name, figure in zip(NAMES, draw, strict=True):
        path = IMAGES / f"{name}.svg"
        path.write_text(figure(), encoding="utf-8", newline="\n")
        print(f"{path.relative_to(Path.cwd())}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
