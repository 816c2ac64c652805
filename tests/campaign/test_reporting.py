import html
import math
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from labloop import Campaign
from labloop.campaign.prospecting import likelihood
from labloop.campaign.reporting import round_page
from labloop.errors import RefusedError


def page_of(campaign, number=1):
    return round_page(campaign.store, number, campaign.status())


def text_of(path):
    without_scripts = re.sub(r"(?s)<(script|style).*?</\1>", " ", path.read_text(encoding="utf-8"))
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", without_scripts)).split())


def test_a_proposed_round_says_what_was_proposed_and_what_is_next(proposed, tmp_path):
    out = tmp_path / "reports" / "round 1.html"
    assert proposed.report(out) == out
    text = text_of(out)
    assert text.startswith("small, round 1 small, round 1 proposed rounds 1 1 proposed")
    assert "formulas measured 0 6 wait for results" in text
    assert "history 70 formulas of 1 source" in text
    assert "6 formulas in 12 wells on 1 plate of 96; controls: commercial in 2 wells." in text
    assert (
        "Next: Write the plate map, the deck list and the worklist of the proposed round." in text
    )
    assert all(note in text for note in proposed.round(1).notes)
    assert "What came out" not in text


def test_predictions_are_those_stored_with_the_round(proposed):
    values = page_of(proposed).all_values
    titre = values[values["response"] == "titre"].set_index("formula")
    formulas = proposed.round(1).formulas
    assert titre["predicted"].to_dict() == formulas["titre_mean"].to_dict()
    assert titre["sd"].to_dict() == formulas["titre_sd"].to_dict()
    width = (titre["high"] - titre["low"]) / titre["sd"]
    assert width.to_numpy(float) == pytest.approx(2 * 1.645, rel=1e-3)
    assert titre["waits"].all()


def test_a_recorded_round_says_what_came_out(recorded, tmp_path):
    text = text_of(recorded.report(tmp_path / "r.html", round=1))
    best = recorded.best(20)
    formulas = best[best["round"].notna()]
    assert f"of formula {formulas.index[0]}." in text
    assert "The control commercial had titre" in text
    assert re.search(r"\d of 6 formulas \(\d+ %\) lie within the 90 % interval", text)
    assert "Next: Nothing waits for results; propose the next round. labloop propose" in text


def test_measured_values_are_those_of_best(recorded):
    values = page_of(recorded).all_values
    chosen = values[(values["response"] == "titre") & (values["origin"] != "control")]
    best = recorded.best(20)
    for formula, row in chosen.set_index("formula").iterrows():
        assert row["measured"] == best.loc[formula, "titre_mean"]
        assert row["sem"] == best.loc[formula, "titre_sem"]
        assert row["wells"] == best.loc[formula, "titre_wells"]


def test_controls_are_the_mean_of_their_rounds_wells(recorded, lab):
    values = page_of(recorded).all_values
    control = values[(values["origin"] == "control") & (values["response"] == "titre")]
    layout = recorded.round(1).layout
    measured = lab.results(recorded, 1).merge(layout, on=["plate", "well"])
    titre = measured.loc[measured["role"] == "control", "titre"]
    (row,) = control.to_dict("records")
    assert row["measured"] == pytest.approx(titre.mean())
    assert (row["formula"], row["wells"]) == ("commercial", 2)


def test_the_error_of_a_control_is_not_that_of_its_plates(tmp_path, lab):
    definition = lab.definition(plate={**lab.definition()["plate"], "wells": 24})
    with Campaign.create(tmp_path / "small", definition) as campaign:
        campaign.propose(formulas=15, seed=1)
        frame = lab.results(campaign, 1)
        assert frame["plate"].max() > 1
        frame.loc[frame["plate"] == 2, "titre"] += 2.0
        campaign.record(frame)
        values = page_of(campaign).all_values
        (row,) = values.query("origin == 'control' and response == 'titre'").to_dict("records")
        (known,) = campaign.best(30).query("origin.isna()").to_dict("records")
        assert row["measured"] == pytest.approx(known["titre_mean"])
        assert row["sem"] < 0.2


def test_the_wells_have_what_was_measured_in_them(recorded, lab):
    wells = page_of(recorded).readings.query("response == 'titre'").set_index("well")
    for row in lab.results(recorded, 1).to_dict("records"):
        assert wells.loc[row["well"], "value"] == row["titre"]
        assert wells.loc[row["well"], "status"] == "ok"
    assert "A1" not in wells.index


def test_adopted_formulas_follow_the_round_before_them(recorded, lab):
    frame = pd.DataFrame([[1.0, 2.0, 3.0, 4.0]], columns=lab.names)
    recorded.record(frame.assign(titre=9.0, viability=80.0))
    page = page_of(recorded)
    (row,) = page.all_values.query("origin == 'adopted' and response == 'titre'").to_dict("records")
    assert (row["round"], row["measured"]) == (1, 9.0)
    assert page.facts[2].note == f"formula {row['formula']}, adopted"


def test_a_round_with_prospects_shows_how_likely_there_is_better(recorded):
    shown = recorded.propose(seed=2)
    assert not any(fact.name == "better by 5 % or more" for fact in page_of(recorded, 1).facts)
    fact = page_of(recorded, 2).facts[-1]
    assert fact.name == "better by 5 % or more"
    assert fact.value == f"{likelihood(shown.prospects.better)} likely"
    assert fact.note == "to exist, as far as round 2 knew"


def test_the_same_campaign_gives_the_same_file(recorded, tmp_path):
    first = recorded.report(tmp_path / "a.html").read_bytes()
    assert recorded.report(tmp_path / "b.html").read_bytes() == first


def test_a_report_replaces_the_file_whole(proposed, tmp_path):
    out = tmp_path / "r.html"
    out.write_text("old", encoding="utf-8")
    proposed.report(out)
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert [path.name for path in tmp_path.glob("*.html*")] == ["r.html"]
    assert not list(tmp_path.glob(".*part"))


def test_reporting_changes_nothing_in_the_campaign(proposed, lab, tmp_path):
    before = lab.log(proposed)
    proposed.report(tmp_path / "r.html")
    assert lab.log(proposed) == before


def test_a_round_that_is_not_there_is_refused(proposed, tmp_path):
    with pytest.raises(RefusedError, match="there is no round 7; the last one is round 1"):
        proposed.report(tmp_path / "r.html", round=7)
    assert not (tmp_path / "r.html").exists()


def test_a_campaign_without_a_round_has_no_report(fresh, tmp_path):
    with pytest.raises(RefusedError, match="Nothing was proposed yet"):
        fresh.report(tmp_path / "r.html")


# -- other campaigns -----------------------------------------------------------------------------


@pytest.fixture
def odd(tmp_path, lab):
    """A campaign without history, with several objectives, a bound and names full of markup."""
    responses = [
        {"name": "titre <b>", "unit": "g/L", "goal": "maximize", "transform": "log"},
        {"name": "cost & waste", "goal": "minimize"},
        {"name": "pH", "goal": "near", "bound": 7.0},
        {"name": "viability", "unit": "%", "goal": "at_least", "bound": 80.0},
    ]
    definition = lab.definition(response=responses, name="<script>alert(1)</script>")
    with Campaign.create(tmp_path / "odd", definition) as campaign:
        campaign.propose(seed=1)
        yield campaign


def measure(campaign, **columns):
    layout = campaign.round(1).layout
    frame = layout.loc[layout["role"] != "empty", ["plate", "well"]].reset_index(drop=True)
    rng = np.random.default_rng(0)
    count = len(frame)
    frame["titre <b>"] = np.exp(rng.normal(size=count))
    frame["cost & waste"] = rng.uniform(10, 20, count)
    frame["pH"] = rng.normal(7, 0.2, count)
    frame["viability"] = rng.uniform(70, 100, count)
    return frame.assign(**columns)


def test_a_first_round_without_history_rests_on_nothing(odd, tmp_path):
    text = text_of(odd.report(tmp_path / "r.html"))
    assert "Nothing was measured yet: the plate fills the space evenly." in text
    assert "Nothing was predicted for this round." in text
    assert "What the history taught" not in text
    assert "<script>alert(1)</script>, round 1" in text


def test_every_objective_has_its_best_among_formulas_that_meet_the_bound(odd, tmp_path):
    odd.record(measure(odd))
    text = text_of(odd.report(tmp_path / "r.html"))
    values = page_of(odd).all_values
    values = values[values["origin"] != "control"]
    viable = values.query("response == 'viability' and measured >= 80")["formula"]
    assert 0 < viable.nunique() < 6
    for name, merit in (
        ("titre <b>", lambda y: y), ("cost & waste", lambda y: -y), ("pH", lambda y: -abs(y - 7)),
    ):  # fmt: skip
        rows = values[(values["response"] == name) & values["formula"].isin(viable)]
        best = rows.loc[merit(rows["measured"]).idxmax()]
        assert re.search(
            f"The best {name} of this round is [^,]*, of formula {best['formula']}", text
        )


def test_wells_without_a_value_are_counted_and_do_no_harm(odd, tmp_path):
    frame = measure(odd).astype({"titre <b>": object, "pH": object})
    frame["pH"] = None
    frame.loc[0, "titre <b>"] = "<0.1"
    odd.record(frame)
    text = text_of(odd.report(tmp_path / "r.html"))
    assert f"Measurements without a value: 1 below range, {len(frame)} missing." in text
    assert "read above the range" not in text
    assert "No formula of this round has a value of pH." in text
    values = page_of(odd).all_values
    assert values.loc[values["response"] == "pH", "measured"].isna().all()


def test_formulas_beyond_the_range_may_be_the_best(proposed, lab, tmp_path):
    frame = lab.results(proposed, 1).astype({"titre": object})
    frame["titre"] = [f">{4.0}"] * len(frame)
    proposed.record(frame)
    said = "6 formulas read above the range of titre, as good as the best or better."
    assert said in text_of(proposed.report(tmp_path / "r.html"))


def test_intervals_of_logarithms_are_log_normal(odd, lab):
    odd.record(measure(odd))
    odd.propose(seed=2)
    values = page_of(odd, 2).all_values
    rows = values[(values["response"] == "titre <b>") & (values["round"] == 2)]
    assert (rows["low"] > 0).all()
    middle = np.sqrt(rows["low"] * rows["high"]).to_numpy(float)
    assert middle == pytest.approx(rows["predicted"].to_numpy(float))
    sigma = np.arcsinh(rows["sd"] / rows["predicted"]).to_numpy(float)
    steps = np.log(rows["high"] / rows["predicted"]).to_numpy(float) / sigma
    assert steps == pytest.approx(1.6449, abs=1e-3)


def test_an_abandoned_round_can_still_be_looked_at(odd, tmp_path):
    odd.abandon(1)
    text = text_of(odd.report(tmp_path / "r.html"))
    assert "abandoned rounds 1 1 abandoned" in text
    assert math.isnan(page_of(odd).all_values["measured"].max())


def test_a_recorded_round_says_what_was_learned_and_whether_another_plate_pays(recorded, tmp_path):
    out = recorded.report(tmp_path / "r.html")
    text = text_of(out)
    assert "What was learned" in text
    assert re.search(r"titre (depends most on|is not known to depend)", text)
    assert "Whether another plate is worth it The next plate is expected to raise the best" in text
    drawn = re.findall(r'data-figure="([\w-]+)"', out.read_text(encoding="utf-8"))
    assert {"importance", "calibration", "parity", "parallel"} <= set(drawn)


def test_where_learning_is_refused_the_page_says_why(recorded, tmp_path, monkeypatch):
    def refuse(*_):
        raise RefusedError("The history has not been learned as it is now; run pretrain.")

    monkeypatch.setattr("labloop.campaign.effects.effects", refuse)
    text = text_of(recorded.report(tmp_path / "r.html"))
    assert (
        "Nothing was learned for this page. The history has not been learned as it is now; run "
        "pretrain." in text
    )
    assert "Whether another plate is worth it" not in text


def test_a_page_without_learning_is_made_without_torch(proposed):
    code = (
        "import sys; from labloop import Campaign; from labloop.report.page import shown\n"
        f"with Campaign.open({str(proposed.folder)!r}) as campaign: shown(campaign.round_page())\n"
        "assert 'torch' not in sys.modules, 'torch'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_notes_of_the_round_are_on_its_page_as_text(proposed, tmp_path):
    proposed.note("Row A <b>dried</b> out.\nPlate kept at 4 °C.", round=1)
    proposed.note("Of the campaign.")
    text = text_of(proposed.report(tmp_path / "r.html"))
    assert re.search(r"Notes \S+ \S+, .+ Row A <b>dried</b> out. Plate kept at 4 °C.", text)
    assert "Of the campaign." not in text


def test_the_page_has_the_amounts_of_every_formula_of_the_campaign(recorded, lab):
    page = page_of(recorded)
    assert list(page.all_amounts.columns) == list(page.amounts.columns) == lab.names
    assert page.all_amounts.loc[page.amounts.index].equals(page.amounts)
    assert len(page.all_amounts) > len(page.amounts)


def test_a_rehearsed_report_says_whether_it_could_be_written_and_writes_nothing(recorded, tmp_path):
    out = tmp_path / "report.html"
    assert recorded.report(out, dry_run=True) == out
    assert not out.exists()
    with pytest.raises(RefusedError, match="there is no round 9"):
        recorded.report(out, 9, dry_run=True)
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(RefusedError):
        recorded.report(tmp_path / "file" / "report.html", dry_run=True)
