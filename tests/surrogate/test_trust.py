from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from labloop.surrogate.gp import fit_process
from labloop.surrogate.kernels import OWN_ROWS, RESIDUAL_GP
from labloop.surrogate.points import Points
from labloop.surrogate.transfer import fit
from labloop.surrogate.trust import trust_of

SHOWN = "where it foretells a difference of 1, 30 own formulas show"


@pytest.fixture(scope="module")
def planned():
    return np.random.default_rng(11).random((8, 6))


@pytest.fixture(scope="module")
def over():
    return np.random.default_rng(12).random((40, 6))


def test_trust_has_numbers_and_a_sentence_for_each_response(surrogate):
    trust = surrogate.trust(["titre", "density"])
    assert trust.index.tolist() == ["titre", "density"]
    kinds = [f"{kind}_{name}" for kind in ("score", "weight") for name in surrogate.experts]
    assert list(trust.columns) == ["b", "b_sd", "history_share", *kinds, "text"]
    assert np.isfinite(trust.drop(columns="text").to_numpy(float)).all()
    assert trust.filter(like="weight_").sum(axis=1).tolist() == pytest.approx([1.0, 1.0])
    assert trust["text"].str.contains(SHOWN).all()


def test_what_never_saw_the_history_is_the_rest_of_the_prediction(surrogate):
    trust = surrogate.trust()
    own = [surrogate.experts.index(name) for name in ("own_rows", "own_curves")]
    without = surrogate.weights[own].sum(0)
    assert trust["history_share"].tolist() == pytest.approx(1.0 - without)


def test_a_plan_says_what_the_rows_will_teach(surrogate, planned, over):
    now, then = surrogate.trust(), surrogate.trust(planned=planned, over=over)
    added = ["b_sd_after", "sd_cut"]
    assert list(then.columns.difference(now.columns)) == added
    assert (then["b_sd_after"] < then["b_sd"]).all()
    assert then["sd_cut"].between(0.0, 1.0, inclusive="neither").all()
    for _, row in then.iterrows():
        assert f", ± {row['b_sd_after']:.2f} expected with this plate)" in row["text"]
        assert row["text"].endswith(
            "With this plate the uncertainty over the space is expected to fall by "
            f"{row['sd_cut']:.0%}."
        )


def test_more_rows_teach_more(surrogate, planned, over):
    few, many = (surrogate.trust(planned=planned[:k], over=over) for k in (2, 8))
    assert (many["b_sd_after"] < few["b_sd_after"]).all()
    assert (many["sd_cut"] > few["sd_cut"]).all()


def test_a_plan_without_rows_to_look_over_has_no_cut(surrogate, planned):
    trust = surrogate.trust(planned=planned)
    assert trust["sd_cut"].isna().all()
    assert not trust["text"].str.contains("over the space").any()


def test_before_own_rows_the_plate_will_say_how_far_the_history_holds(pretrained, lines, planned):
    surrogate = fit(pretrained, lines.own_x[:0], lines.own_y[:0])
    assert set(surrogate.trust()["text"]) == {
        "No own rows yet: predictions rest on the history, at its level and scale."
    }
    for _, row in surrogate.trust(planned=planned).iterrows():
        assert row["text"] == (
            "No own rows yet: predictions rest on the history, at its level and scale; this plate "
            f"is expected to say how far it holds to ± {row['b_sd_after']:.2f} (now ± 0.50)."
        )


def test_scores_compare_experts_on_the_rows_that_all_could_leave_out(pretrained, lines):
    surrogate = fit(pretrained, lines.own_x[:9], lines.own_y[:9])
    unseen = {
        name: torch.isnan(each[0].left_out_mean).sum().item()
        for name, each in surrogate._processes.items()
    }
    assert unseen["tuned"] > 0  # three members: some rows are in every bootstrap
    trust = surrogate.trust()
    assert np.isfinite(trust.filter(like="score_").to_numpy(float)).all()
    assert np.isfinite(surrogate.weights).all()


def test_trust_without_history_says_so(lines, planned, over):
    surrogate = fit(None, lines.own_x, lines.own_y)
    trust = surrogate.trust()
    assert trust["b"].isna().all()
    assert (trust["history_share"] == 0).all()
    alone = "No history is used: predictions rest on the campaign's own rows alone."
    assert set(trust["text"]) == {alone}
    then = surrogate.trust(planned=planned, over=over)
    assert then["b_sd_after"].isna().all()
    cut = [f"{each:.0%}." for each in then["sd_cut"]]
    falls = "With this plate the uncertainty over the space is expected to fall by"
    assert then["text"].tolist() == [f"{alone} {falls} {each}" for each in cut]


def test_trust_in_the_patent_s_model_says_what_it_rests_on(plain, lines, planned, over):
    before = fit(plain, lines.own_x[:0], lines.own_y[:0], transfer="patent")
    assert set(before.trust(planned=planned, over=over)["text"]) == {
        "No own rows yet: predictions rest on the history, at its level and scale."
    }
    after = fit(plain, lines.own_x, lines.own_y, transfer="patent").trust(planned=planned)
    assert after[["b", "b_sd_after", "sd_cut"]].isna().all(axis=None)
    assert (after["history_share"] == 1).all()
    assert set(after["text"]) == {
        "The pretrained network is used as tuned on 30 own rows; "
        "how far the history still holds is not measured."
    }


def test_trust_says_which_response_the_history_lacks(pretrained, lines):
    halved = replace(pretrained, known=torch.tensor([True, False]))
    surrogate = fit(halved, lines.own_x[:3], lines.own_y[:3])
    lacking = "The history lacks this response: only the campaign's own rows can teach it."
    assert (surrogate.trust()["text"] == lacking).tolist() == [False, True]
    assert surrogate.trust()["b"].isna().tolist() == [False, True]
    assert surrogate.subset_output([1]).trust()["text"].tolist() == [lacking]


@pytest.fixture(scope="module")
def processes():
    x = torch.rand(30, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    points = Points(x, x, x[:, :1], *[x.new_zeros(30, 0, 1)] * (len(fields(Points)) - 3))
    y = x[:, 0] - x[:, 1]
    unknown = torch.full_like(y, math.nan)
    return y, fit_process(OWN_ROWS, points, y, unknown, 0), fit_process(
        RESIDUAL_GP, points, y, unknown, 0
    )  # fmt: skip


def test_processes_that_keep_some_of_many_rows_are_scored_on_those(monkeypatch):
    monkeypatch.setattr("labloop.surrogate.gp.MAX_ANCHORS", 12)
    x = torch.rand(40, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    points = Points(x, *[x.new_zeros(40, 0)] * (len(fields(Points)) - 1))
    y = torch.where(torch.arange(40) < 20, torch.nan, x[:, 0])
    process = fit_process(OWN_ROWS, points, y, torch.full_like(y, math.nan), 0)
    record = trust_of(0, {"own_rows": [process]}, {"own_rows": 1.0}, y, None, None)
    assert math.isfinite(record["score_own_rows"])


@pytest.mark.parametrize(
    ("b", "share", "said"),
    [
        (0.9, 0.75, "The history is followed"),
        (0.7, 0.5, "The history is followed in part"),
        (0.1, 0.5, "Little of the history holds here"),
        (0.9, 0.25, "The history is set aside, the own results alone predict better"),
    ],
)
def test_the_sentence_says_how_far_and_by_which_share(processes, pretrained, b, share, said):
    y, own, residual = processes
    experts = {"own": [own], "other": [replace(residual, trust=(b, 0.12))]}
    weights = {"own": 1.0 - share, "other": share}
    record = trust_of(0, experts, weights, y, pretrained, None)
    assert record["text"] == (
        f"{said} ({SHOWN} {b:.2f} ± 0.12). {share:.0%} of the prediction comes from models that "
        f"start from the history and correct it by the own results, {1 - share:.0%} from models "
        "that know the own results alone."
    )
