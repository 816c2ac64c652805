"""The whole loop on a virtual lab, as `labloop demo` runs it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labloop.campaign import Campaign
from labloop.campaign.prospecting import sentences
from labloop.campaign.rounds import Round
from labloop.simulate.demo import Floats, demo_definition, to_concentrations, to_unit
from labloop.simulate.virtual_lab import CellLine, Likeness, VirtualLab

if TYPE_CHECKING:
    import pandas as pd

_HISTORY = 1000
_LIKENESS: Likeness = "moderate"

Progress = Callable[[str, int, int], None]
Say = Callable[[str], None]


def run_demo(out: Path | None, rounds: int, seed: int, say: Say, progress: Progress) -> None:
    """Run a campaign of several rounds: import, pretrain, propose, export, measure, record, report.

    What the virtual lab hands in is left in the folder, as the files that a lab would hand in.

    Args:
        out: Folder of the campaign; None for a new temporary one.
        rounds: How many plates are made.
        seed: Makes the virtual lab and the campaign repeatable.
        say: Takes sentences.
        progress: Takes a stage's name, what is done and the total.
    """
    folder = (out or Path(tempfile.mkdtemp(prefix="labloop-"))) / "demo"
    lab = VirtualLab(len(demo_definition()["component"]), seed=seed)
    line = lab.line(_LIKENESS)
    with Campaign.create(folder, demo_definition()) as campaign:
        rng = np.random.default_rng(seed)
        say(
            f"A new cell line; {_HISTORY} formulas of another one were measured earlier "
            f"(rank correlation of the two lines {line.likeness:.2f})."
        )
        earlier = _written(_history(campaign, lab.source, rng), folder / "earlier.csv")
        campaign.add_history(earlier, source="earlier line")
        pretraining = campaign.pretrain(folds=5, seed=seed, progress=progress)
        r2 = ", ".join(f"{name} {score:.2f}" for name, score in pretraining.scores["r2"].items())
        say(f"Pretrained on it; cross-validated R2: {r2}.\n")
        optimum = line.best()[1]
        files: list[Path] = []
        for _ in range(rounds):
            round_ = campaign.propose(seed=seed, progress=progress)
            place = folder / f"round-{round_.number}"
            files = campaign.export("biomek", place)
            results = _written(_measured(campaign, line, round_, rng), place / "results.csv")
            campaign.record(results, round=round_.number)
            best = campaign.best(1)
            truth = line.true_response(_unit(campaign, best[campaign.space.names]))[0, 0]
            say(
                f"Round {round_.number}: {_chosen(campaign, round_)} Best titre so far "
                f"{best['titre_mean'].iloc[0]:.2f} ± {best['titre_sem'].iloc[0]:.2f} g/L; it is "
                f"really {truth:.2f}, {truth / optimum:.0%} of the best that this line can give.\n"
            )
        page = campaign.report(folder / "report.html")
    plate_map = next(path for path in files if path.name.endswith("plate-map.csv"))
    say(f"Plate map of the last round: {plate_map}")
    say(f"Campaign, with its files:    {folder}")
    say(f"Report, open it in a browser: {page}")


def _chosen(campaign: Campaign, round_: Round) -> str:
    """Return how a plate was chosen and, once there is something to raise, what it may bring."""
    expected = sentences(round_.prospects, campaign.definition)[:1]
    return " ".join([round_.notes[0], *expected])


def _written(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_csv(path, index=False, float_format="%.6g", encoding="utf-8", lineterminator="\n")
    return path


def _history(campaign: Campaign, line: CellLine, rng: np.random.Generator) -> pd.DataFrame:
    X = rng.random((_HISTORY, len(campaign.space.names)))
    low, high = _ranges(campaign)
    frame = _frame(to_concentrations(X, low, high), campaign.space.names)
    frame[campaign.definition.response_names] = line.measure(X, rng)
    return frame


def _measured(
    campaign: Campaign, line: CellLine, round_: Round, rng: np.random.Generator
) -> pd.DataFrame:
    """Return what the virtual lab reads of each filled well of a round."""
    import pandas as pd

    filled = round_.layout[round_.layout["role"] != "empty"]
    made = pd.concat([round_.formulas[campaign.space.names], round_.controls])
    formulas = made.loc[filled["formula"]]
    results = filled[["plate", "well"]].copy()
    results[campaign.definition.response_names] = line.measure(
        _unit(campaign, formulas),
        rng,
        plates=filled["plate"].to_numpy(),
        wells=filled["well"].tolist(),
        plate_wells=campaign.definition.plate.wells,
    )
    return results


def _unit(campaign: Campaign, formulas: pd.DataFrame) -> Floats:
    return to_unit(formulas.to_numpy(dtype=float), *_ranges(campaign))


def _ranges(campaign: Campaign) -> tuple[list[float], list[float]]:
    components = campaign.definition.components
    return [c.low for c in components], [c.high for c in components]


def _frame(values: Floats, names: list[str]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(values, columns=names)
