"""The loop runs for every kind of component, response and goal, in natural units."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from labloop import Campaign

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")


def run(folder, definition, history, respond, *, rounds=1, columns=None):
    """Run a campaign, and return it with its last round and predictions."""
    campaign = Campaign.create(folder, definition)
    names = [component["name"] for component in definition["component"]]
    responses = [response["name"] for response in definition["response"]]
    if history is not None:
        campaign.add_history(history, source="earlier")
        campaign.pretrain(folds=2)
    for seed in range(1, rounds + 1):
        shown = campaign.propose(seed=seed)
        results = shown.layout.loc[shown.layout["role"] == "formula", ["well", "formula"]]
        made = shown.formulas.loc[results["formula"].astype(int), names]
        results[responses] = respond(made, np.random.default_rng(seed))
        campaign.record(results[["well", *(columns or responses)]])
    last = campaign.propose(seed=rounds + 1)
    predicted = campaign.predict(last.formulas)
    assert np.isfinite(predicted.to_numpy()).all()
    for name in responses:
        assert (predicted[f"{name}_sd"] >= predicted[f"{name}_sem"]).all()
        told = last.formulas[f"{name}_mean"]
        assert told.to_numpy() == pytest.approx(predicted[f"{name}_mean"].to_numpy(), rel=1e-3)
    campaign.close()
    return campaign, last, predicted


def test_choices_fixed_values_levels_and_components_by_hand(tmp_path, lab):
    component = [
        *lab.definition()["component"][:1],
        {"name": "protein", "choices": ["soy", "wheat", "yeast"]},
        {"name": "buffer", "unit": "mM", "fixed": 25.0, "stocks": [1000.0]},
        {"name": "insulin", "unit": "mg/L", "levels": [0.0, 1.0, 5.0, 10.0]},
        {"name": "salt", "unit": "%", "low": 0.0, "high": 2.0, "step": 0.25},
    ]
    formulas = {"commercial": {"glucose": 5.0, "protein": "wheat"}}
    definition = lab.definition(component=component, formulas=formulas)

    def respond(made, rng):
        gain = made["protein"].map({"soy": 0.0, "wheat": 2.0, "yeast": 1.0}).to_numpy(float)
        titre = 10 + gain + made["glucose"].to_numpy(float) / 5
        noise = rng.normal(0, 0.1, (len(made), 2))
        return np.column_stack([titre, 80 - made["salt"].to_numpy(float)]) + noise

    rng = np.random.default_rng(0)
    past = pd.DataFrame({"glucose": rng.random(60) * 10})
    past["protein"] = rng.choice(["soy", "wheat", "yeast"], 60)
    past["insulin"] = rng.choice([0.0, 1.0, 5.0, 10.0], 60)
    past["salt"] = rng.random(60) * 2
    past[lab.responses] = respond(past, rng)
    campaign, last, predicted = run(tmp_path / "kinds", definition, past, respond)
    assert (last.formulas["buffer"] == 25.0).all()
    assert set(last.formulas["protein"]) <= {"soy", "wheat", "yeast"}
    assert set(last.formulas["insulin"]) <= {0.0, 1.0, 5.0, 10.0}
    assert (last.formulas["salt"] % 0.25 == 0).all()
    assert last.controls.loc["commercial", ["protein", "buffer"]].tolist() == ["wheat", 25.0]
    assert predicted["titre_mean"].between(5, 20).all()
    with Campaign.open(campaign.folder) as again:
        paths = again.export("biomek", tmp_path / "out", round=2)
        by_hand = next(path for path in paths if "by-hand" in path.name)
        text = by_hand.read_text(encoding="utf-8")
        assert "protein" in text
        assert "insulin" in text


def test_logarithms_with_zeros_among_the_values(tmp_path, lab):
    response = [
        {"name": "titre", "unit": "g/L", "goal": "maximize", "transform": "log"},
        {"name": "viability", "unit": "%", "goal": "observe"},
    ]

    def respond(made, rng):
        Y = lab.measure(made[lab.names])
        titre = np.exp(Y[:, 0] - 3 + 0.1 * rng.standard_normal(len(made)))
        return np.column_stack([np.where(titre < 2, 0.0, titre), Y[:, 1]])

    past = lab.history(60)
    past[lab.responses] = respond(past, np.random.default_rng(0))
    assert (past["titre"] == 0).sum() > 3
    _, last, predicted = run(tmp_path / "log", lab.definition(response=response), past, respond)
    assert (predicted["titre_mean"] > 0).all()
    assert predicted["titre_mean"].max() < 1000
    assert (last.formulas["titre_sd"] > 0).all()


@pytest.mark.slow
def test_several_goals_and_bounds(tmp_path, lab):
    response = [
        {"name": "titre", "unit": "g/L", "goal": "maximize"},
        {"name": "cost", "goal": "minimize", "weight": 0.5},
        {"name": "pH", "goal": "near", "bound": 7.0},
        {"name": "viability", "unit": "%", "goal": "at_least", "bound": 80.0},
        {"name": "lactate", "unit": "g/L", "goal": "at_most", "bound": 4.0},
    ]

    def respond(made, rng):
        u = made[lab.names].to_numpy(float)
        Y = lab.measure(u)
        parts = [Y[:, 0], u.sum(axis=1), 6 + u[:, 1] / 5, Y[:, 1], u[:, 0] / 2]
        return np.column_stack(parts) * (1 + 0.02 * rng.standard_normal((len(made), 5)))

    past = lab.history(60)[lab.names]
    past[[r["name"] for r in response]] = respond(past, np.random.default_rng(0))
    campaign, _, predicted = run(
        tmp_path / "goals", lab.definition(response=response), past, respond
    )
    assert predicted["pH_mean"].between(4, 10).all()
    assert predicted["viability_mean"].between(40, 110).all()
    with Campaign.open(campaign.folder) as again:
        best = again.best(100)
        met = (best["viability_mean"] >= 80) & (best["lactate_mean"] <= 4)
        assert met.to_numpy().tolist() == sorted(met, reverse=True), "those within bounds first"


@pytest.mark.slow
def test_responses_that_are_not_always_measured(tmp_path, lab):
    past = lab.history(60)
    past.loc[::3, "titre"] = np.nan
    past.loc[1::3, "viability"] = np.nan

    def respond(made, rng):
        Y = lab.measure(made[lab.names], seed=1)
        Y[::4, 1] = np.nan
        return Y

    _, _, predicted = run(tmp_path / "gaps", lab.definition(), past, respond)
    assert predicted["titre_mean"].between(0, 10).all()


@pytest.mark.slow
def test_a_response_that_is_in_no_table_yet(tmp_path, lab):
    past = lab.history(40)[[*lab.names, "titre"]]

    def respond(made, rng):
        return lab.measure(made[lab.names], seed=1)

    campaign, _, _ = run(tmp_path / "half", lab.definition(), past, respond, columns=["titre"])
    with Campaign.open(campaign.folder) as again:
        assert again.best(3)["viability_mean"].isna().all()
        assert (again.best(3)["viability_wells"] == 0).all()


@pytest.mark.slow
def test_a_mixture_that_sums_to_one(tmp_path, lab):
    names = ["oil", "wax", "soap", "salt"]
    component = [{"name": n, "unit": "X", "low": 0.0, "high": 1.0, "step": 0.01} for n in names]
    constraint = [
        {"total": dict.fromkeys(names, 1.0), "equals": 1.0},
        {"present": names, "at_most": 3},
    ]
    definition = lab.definition(component=component, constraint=constraint, formulas={})
    definition["plate"]["controls"] = {}
    definition["robot"] = {"kind": "manual"}

    def respond(made, rng):
        X = made[names].to_numpy(float)
        Y = np.column_stack([X[:, 0] * X[:, 2], X[:, 1]])
        return Y + 0.01 * rng.standard_normal(Y.shape)

    X = np.random.default_rng(0).dirichlet(np.ones(4), 60)
    past = pd.DataFrame(X, columns=names)
    past[lab.responses] = respond(past, np.random.default_rng(0))
    _, last, _ = run(tmp_path / "mixture", definition, past, respond)
    amounts = last.formulas[names].to_numpy(float)
    assert amounts.sum(axis=1) == pytest.approx(np.ones(6))
    assert ((amounts > 0).sum(axis=1) <= 3).all()


@pytest.mark.slow
def test_the_patents_recipe(tmp_path, lab):
    surrogate = {"layers": 5, "members": 2, "transfer": "patent"}
    run(
        tmp_path / "patent",
        lab.definition(surrogate=surrogate),
        lab.history(40),
        lambda made, rng: lab.measure(made[lab.names], seed=1),
    )


@pytest.mark.slow
def test_histories_of_several_lines(tmp_path, lab):
    with Campaign.create(tmp_path / "lines", lab.definition()) as campaign:
        for k, source in enumerate(("CHO-S", "HEK", "一号")):
            past = lab.history(25, seed=k)
            past["titre"] = past["titre"] * 10.0**k
            campaign.add_history(past, source=source)
        report = campaign.pretrain(folds=2)
        assert (report.rows, report.sources) == (75, 3)
        shown = campaign.propose(seed=1)
        assert np.isfinite(shown.formulas["titre_mean"]).all()
