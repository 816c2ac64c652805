"""A tour of labloop's Python calls on a virtual strain.

`python examples/python_api.py` makes a campaign in a temporary folder (or in --out), brings history
in, goes through two rounds and looks at what is known, in under a minute. Read it from `main`
downwards; every call is explained in docs/reference/python.md. Tables are pandas frames,
concentrations in the components' units.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from labloop import Campaign
from labloop.campaign.rounds import Round
from labloop.errors import RejectedError

# The same keys as campaign.toml; the path of such a file would do as well.
DEFINITION = {
    "name": "tour",
    "description": "Growth medium of a virtual strain",
    "plate": {
        "wells": 96,
        "well_volume_ul": 200.0,
        "inoculum_ul": 20.0,
        "replicates": 2,
        "controls": {"standard": 4},
    },
    "robot": {"kind": "biomek"},
    "component": [
        {"name": "glucose", "unit": "g/L", "low": 1.0, "high": 60.0, "stocks": [400.0, 40.0]},
        {"name": "ammonium", "unit": "mM", "low": 1.0, "high": 80.0, "stocks": [1000.0, 100.0]},
        {"name": "magnesium", "unit": "mM", "low": 0.0, "high": 5.0, "stocks": [100.0, 10.0]},
        {"name": "iron", "unit": "uM", "low": 0.0, "high": 50.0, "stocks": [1000.0, 100.0]},
    ],
    "response": [
        {"name": "titre", "unit": "g/L", "goal": "maximize"},
        {"name": "acetate", "unit": "mM", "goal": "at_most", "bound": 30.0},
    ],
    "formulas": {"standard": {"glucose": 20.0, "ammonium": 20.0, "magnesium": 2.0, "iron": 10.0}},
    "proposal": {"formulas": 12, "candidates": 20_000},
    # small networks, so that the tour is short; leave this out for work
    "surrogate": {"layers": 5, "members": 2},
}
COMPONENTS = ["glucose", "ammonium", "magnesium", "iron"]


class Strain:
    """Stands for the lab: measures any formula, with an error of 5 %."""

    def __init__(self, thirst: float, seed: int) -> None:
        self._thirst = thirst
        self._rng = np.random.default_rng(seed)

    def random_formulas(self, count: int) -> pd.DataFrame:
        """Return formulas as a lab might have tried them, evenly over the ranges."""
        tried = self._rng.uniform([1, 1, 0, 0], [60, 80, 5, 50], (count, 4))
        return pd.DataFrame(tried.round(1), columns=COMPONENTS)

    def measured(self, formulas: pd.DataFrame) -> pd.DataFrame:
        """Return titre and acetate of each formula, under the formulas' index."""
        glucose, ammonium, magnesium, iron = formulas[COMPONENTS].to_numpy(dtype=float).T
        growth = glucose / (glucose + 5 * self._thirst) / (1 + (glucose / 50) ** 2)
        growth *= ammonium / (ammonium + 4) / (1 + (ammonium / 70) ** 2)
        growth *= (0.2 + magnesium) / (0.7 + magnesium) * (0.4 + iron / (iron + 8 * self._thirst))
        error = self._rng.normal(1.0, 0.05, (2, len(formulas)))
        titre, acetate = 9 * growth * error[0], (2 + 0.8 * glucose) * error[1]
        return pd.DataFrame({"titre": titre, "acetate": acetate}, index=formulas.index).round(3)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, help="folder to keep; a temporary one without it")
    out = parser.parse_args().out
    pd.set_option("display.width", 120, "display.max_columns", 12)
    if out is not None:
        tour(out)
        return
    with tempfile.TemporaryDirectory() as folder:
        tour(Path(folder))


def tour(folder: Path) -> None:
    """Go from an empty folder to the second plate and what was learned."""
    new_strain = Strain(thirst=1.5, seed=2)
    # A campaign is a folder. `Campaign.open(folder)` opens it again; `with` closes the database.
    with Campaign.create(folder / "tour", DEFINITION) as campaign:
        look_at_the_deck(campaign)
        bring_history(campaign)
        first_plate(campaign, new_strain, folder)
        second_plate(campaign, new_strain)
        what_is_known(campaign)
        own_formulas_and_lists(campaign, new_strain)
        keep(campaign, folder)


def look_at_the_deck(campaign: Campaign) -> None:
    """Print what the robot reaches, and what a first plate takes."""
    heading("What the robot reaches")
    check = campaign.check()
    print(check.components[["unit", "lowest", "highest", "reach"]])
    for sentence in (*check.warnings, *check.notes):
        print(sentence)


def bring_history(campaign: Campaign) -> None:
    """Import earlier results: one row a formula, a column a component, a column a response."""
    heading("History of another strain")
    earlier_strain = Strain(thirst=1.0, seed=1)
    tried = earlier_strain.random_formulas(150)
    earlier = tried.join(earlier_strain.measured(tried))

    # What does not fit is refused whole, with every cell named, and nothing is changed.
    spoilt = earlier.astype(object)
    spoilt.loc[3, "titre"] = "2.23*"
    try:
        campaign.add_history(spoilt, source="earlier strain")
    except RejectedError as error:
        print(error)

    recorded = campaign.add_history(earlier, source="earlier strain")
    print(f"{recorded.measurements} measurements of {recorded.formulas} new formulas")

    pretraining = campaign.pretrain(folds=4)  # folds=0 skips the cross-validation
    print(pretraining.scores[["r2", "plain_r2", "spearman", "rows"]])


def first_plate(campaign: Campaign, strain: Strain, folder: Path) -> None:
    """Propose, export, measure, record."""
    heading("The first plate")
    round_ = campaign.propose(seed=1)  # the same seed on the same state gives the same plate
    print(round_.formulas[[*COMPONENTS, "origin", "titre_mean", "titre_sd"]].round(2))
    print(*round_.notes, sep="\n")

    # Which formula is in which well, and what the robot does, are frames too.
    print(round_.layout.query("role == 'control'"))
    print(round_.dispenses.groupby("stock")["volume_ul"].sum())
    for path in campaign.export("biomek", folder / "plate-1", round=round_.number):
        print(path.name)

    results = measured_wells(round_, strain)
    tried = campaign.record(results, round=round_.number, dry_run=True)  # stores nothing
    print(f"would record {tried.measurements} measurements")
    campaign.record(results, round=round_.number)

    # A bad well is left out with a reason and kept all the same; a correction takes its place.
    bad, wrong = results["well"].iloc[0], results.iloc[[1]].assign(titre=1.5)
    campaign.exclude(wells=[bad], round=1, reason="air bubble")
    campaign.record(wrong, round=1, correct=True, reason="diluted twice")
    wells = campaign.wells(1)
    print(wells.loc[wells["reason"].notna(), ["well", "response", "value", "status", "reason"]])


def measured_wells(round_: Round, strain: Strain) -> pd.DataFrame:
    """Return a plate's results as a reader hands them in: a row a well."""
    filled = round_.layout.query("role != 'empty'")
    made = pd.concat([round_.formulas[COMPONENTS], round_.controls[COMPONENTS]])
    formulas = made.loc[filled["formula"]].set_axis(filled["well"])
    return strain.measured(formulas).reset_index()


def second_plate(campaign: Campaign, strain: Strain) -> None:
    """Propose again; the round says how far the history holds, and whether going on pays."""
    heading("The second plate")
    round_ = campaign.propose()
    print(round_.trust[["b", "b_sd", "history_share"]].round(2))
    prospects = round_.prospects
    if prospects is not None:
        print(f"expected gain {prospects.gain:.1%}, advice: {prospects.advice}")
    campaign.export("biomek", campaign.folder / "plate-2", round=round_.number)
    campaign.record(measured_wells(round_, strain))  # the round that waits
    campaign.note("new batch of iron stock", round=round_.number)
    for number, state in campaign.status().rounds:
        print(f"round {number} is {state}", *(note.text for note in campaign.notes(number)))


def what_is_known(campaign: Campaign) -> None:
    """Print the best formulas, predictions of any formula, and which components matter."""
    heading("What is known")
    print(campaign.best(3)[[*COMPONENTS, "round", "titre_mean", "titre_sem", "acetate_mean"]])
    asked = pd.DataFrame(
        {"glucose": [10, 20], "ammonium": [20, 20], "magnesium": [2, 2], "iron": [20, 20]},
        index=["lean", "rich"],
    )
    print(campaign.predict(asked).round(2))
    print(campaign.importance().loc["titre"].round(2))
    first, second = campaign.best(2).index
    print(*campaign.compare([first, second, "standard"]).sentences, sep="\n")


def own_formulas_and_lists(campaign: Campaign, strain: Strain) -> None:
    """Record formulas that labloop never proposed; choose from a list of what is on the shelf."""
    heading("Formulas of the lab's own")
    idea = pd.DataFrame([[15, 18, 4.5, 40]], columns=COMPONENTS)
    recorded = campaign.record(idea.join(strain.measured(idea)))
    print(f"{recorded.formulas} formula of the lab's own")

    shelf = strain.random_formulas(40).set_axis([f"batch {n}" for n in range(1, 41)])
    chosen = campaign.propose(formulas=4, candidates=shelf, dry_run=True)
    print(chosen.formulas[["candidate", "titre_mean", "titre_sd"]].round(2))


def keep(campaign: Campaign, folder: Path) -> None:
    """Write the report and a copy; make a round again from what was known then."""
    heading("What stays")
    print(campaign.report(folder / "report.html").name)
    print(campaign.replay(2).sentences[0])
    print(*campaign.log()["words"].tail(3), sep="\n")
    campaign.backup(folder / "copy.db")
    print(campaign.check_database().sentence)


def heading(text: str) -> None:
    print(f"\n== {text} ==")


if __name__ == "__main__":
    main()
