"""How far each response follows the history: numbers, and a sentence for the lab."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from labloop.surrogate.experts import Expert
from labloop.surrogate.foresight import trust_sd_after, variance_after
from labloop.surrogate.gp import GaussianProcess
from labloop.surrogate.points import Points
from labloop.surrogate.pretraining import Pretrained
from labloop.surrogate.stacking import left_out_densities

NO_HISTORY = "No history is used: predictions rest on the campaign's own rows alone."
LACKING = "The history lacks this response: only the campaign's own rows can teach it."


@dataclass(frozen=True)
class Plan:
    """What is about to be measured.

    `planned` (q) are the rows, `over` (n) rows of the space over which uncertainty is averaged,
    or None.
    """

    planned: Points
    over: Points | None


@dataclass(frozen=True)
class _Scale:
    """The fitted scale b of the history's prediction: mean, sd, and sd after the plan."""

    mean: float
    sd: float
    sd_after: float


def trust_of(
    response: int,
    experts: Mapping[str, Sequence[Expert]],
    weights: Mapping[str, float],
    y: Tensor,
    pretrained: Pretrained | None,
    plan: Plan | None,
) -> dict[str, float | str]:
    """Return the record of one response in the frame that `Surrogate.trust` describes.

    `response` is its place among the experts of the surrogate, `weights` each expert's share of
    its mixture, `y` (n,) the own rows' standardised values with NaN = missing.
    """
    own = {name: each[response] for name, each in experts.items()}
    # Of a subset of the outputs, the experts still know which response is theirs.
    original = next(iter(own.values())).response
    known = pretrained is not None and bool(pretrained.known[original])
    rows = int((~torch.isnan(y)).sum())
    scale = _scale(own, plan) if known else _Scale(math.nan, math.nan, math.nan)
    share = sum(weights[name] for name, each in own.items() if pretrained and uses_history(each))
    cut = math.nan if plan is None else _cut(own, weights, plan)
    record: dict[str, float | str] = {"b": scale.mean, "b_sd": scale.sd}
    if plan is not None:
        record["b_sd_after"] = scale.sd_after
        record["sd_cut"] = cut
    record["history_share"] = share
    record |= {f"score_{name}": score for name, score in _scores(own, y).items()}
    record |= {f"weight_{name}": weights[name] for name in own}
    said = [LACKING if pretrained else NO_HISTORY] if not known else [_followed(scale, share, rows)]
    if math.isfinite(cut):
        said.append(
            "With this plate the uncertainty over the space is expected to "
            + (f"fall by {cut:.0%}." if cut >= 0.005 else "stay as it is.")
        )
    return record | {"text": " ".join(said)}


def uses_history(expert: Expert) -> bool:
    """Say whether an expert of a campaign with history learned anything from it.

    A process of own rows alone did not; nets and trees start from its prediction.
    """
    if isinstance(expert, GaussianProcess):
        return expert.shape.history
    return True


def _scale(own: Mapping[str, Expert], plan: Plan | None) -> _Scale:
    for expert in own.values():
        if isinstance(expert, GaussianProcess) and expert.shape.history:
            after = math.nan if plan is None else trust_sd_after(expert, plan.planned)
            return _Scale(*expert.trust, after)
    return _Scale(math.nan, math.nan, math.nan)


def _cut(own: Mapping[str, Expert], weights: Mapping[str, float], plan: Plan) -> float:
    """Return the share by which the processes' mean uncertainty is expected to fall, or NaN.

    Root mean squares over the rows `plan.over`, each process counted by its weight.
    """
    if plan.over is None:
        return math.nan
    before, after = 0.0, 0.0
    for name, expert in own.items():
        if isinstance(expert, GaussianProcess):
            before += weights[name] * float(expert.marginal(plan.over)[1].mean())
            after += weights[name] * float(variance_after(expert, plan.planned, plan.over).mean())
    return 1.0 - math.sqrt(after / before) if before > 0 else math.nan


def _followed(scale: _Scale, share: float, rows: int) -> str:
    """Return the sentence of a response that the history has."""
    if not rows:
        said = "No own rows yet: predictions rest on the history, at its level and scale"
        if math.isfinite(scale.sd_after):
            said += (
                "; this plate is expected to say how far it holds to "
                f"± {scale.sd_after:.2f} (now ± {scale.sd:.2f})"
            )
        return f"{said}."
    if math.isnan(scale.mean):
        return (
            f"The pretrained network is used as tuned on {rows} own rows; "
            "how far the history still holds is not measured."
        )
    if share < 0.4:
        verdict = "The history is set aside, the own results alone predict better"
    elif scale.mean - scale.sd > 0.6:
        verdict = "The history is followed"
    elif scale.mean + scale.sd < 0.3:
        verdict = "Little of the history holds here"
    else:
        verdict = "The history is followed in part"
    seen = f"{rows} own formulas show" if rows > 1 else "1 own formula shows"
    how = f"where it foretells a difference of 1, {seen} {scale.mean:.2f} ± {scale.sd:.2f}"
    if math.isfinite(scale.sd_after):
        how += f", ± {scale.sd_after:.2f} expected with this plate"
    return (
        f"{verdict} ({how}). {share:.0%} of the prediction comes from models that start from the "
        f"history and correct it by the own results, {1 - share:.0%} from models that know the own "
        "results alone."
    )


def _scores(own: Mapping[str, Expert], y: Tensor) -> dict[str, float]:
    """Average left-out log densities over the rows that all could leave out; NaN without such."""
    alone = {name: [expert] for name, expert in own.items()}
    densities = left_out_densities(alone, y.unsqueeze(-1)).squeeze(-1)
    common = torch.isfinite(densities).all(0)
    return dict(zip(own, densities[:, common].mean(-1).tolist(), strict=True))
