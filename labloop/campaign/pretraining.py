"""Pretraining: from the history in the store to a network, and how well it predicts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labloop.campaign import left_out
from labloop.campaign.explaining import importance_of_history, importance_sentences
from labloop.campaign.knowledge import Observed, Scale, history, refuse_lost_meaning
from labloop.campaign.subject import subject_of
from labloop.definition import Definition
from labloop.errors import RefusedError
from labloop.space import FormulaSpace
from labloop.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from labloop.surrogate import Pretrained

Progress = Callable[[str, int, int], None]

_AHEAD = 0.02  # R2 by which a forest has to be ahead of the networks to be worth a sentence


@dataclass(frozen=True, eq=False)
class Pretraining:
    """A network trained on the history, and how well it predicts.

    Attributes:
        scores: Frame by response: `r2`, `plain_r2` (of a random forest on the same folds), `mse`
            (outputs scaled to 0 to 1), `relative_error`, `spearman`, `rows`, by cross-validation
            on formulas left out; empty without folds.
        scores_by_source: Frame, a row a `source` and `response`: `r2` and `plain_r2` (level and
            scale refitted), `spearman`, `rows`, predicted from the other sources alone; empty
            without folds or with one source.
        left_out: Frame, a row a formula and response that the scores rest on: `source`,
            `formula` (its id), `response`, `measured` and `predicted` by networks that never saw
            the formula, in the response's unit; empty without folds.
        ranking: Frame by component, the most telling first: `information` (nats) about the
            responses with its 90 % interval `information_low` to `information_high`, `kept`
            (whether the network sees it), `kept_share` (in how many of the random halves of the
            history it would), and one column a response.
        importance: Frame of which components matter to the network; see `Campaign.importance`.
            Responses that the history lacks are left out.
        folds: Folds of the cross-validation; fewer than asked where there are fewer formulas.
        rows: Number of formulas learned from.
        sources: Number of sources.
        pretrained: The network.
        subject: What it was trained for; see `subject_of`.
    """

    scores: pd.DataFrame
    scores_by_source: pd.DataFrame
    left_out: pd.DataFrame
    ranking: pd.DataFrame
    importance: pd.DataFrame
    folds: int
    rows: int
    sources: int
    pretrained: Pretrained
    subject: dict[str, Any]

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on which components matter."""
        return importance_sentences(self.importance)

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence for each response that the networks predict no better than a plain model."""
        return plain_is_ahead(self.scores, self.subject["surrogate"]["transfer"])

    def stored(self) -> tuple[bytes, dict[str, Any]]:
        """Return weights and metadata for the store."""
        weights, network = self.pretrained.to_blob()
        return weights, {
            "network": network,
            "subject": self.subject,
            "scores": _records(self.scores.reset_index()),
            "scores_by_source": _records(self.scores_by_source),
            "left_out": left_out.stored(self.left_out),
        }


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a frame's rows for JSON, which knows no NaN."""
    rows = frame.to_dict("records")
    return [{str(k): None if v != v else v for k, v in row.items()} for row in rows]


def plain_is_ahead(scores: pd.DataFrame, transfer: str) -> tuple[str, ...]:
    """Return a sentence for each response that the networks predict no better than a forest.

    Args:
        scores: Frame by response with `r2` and `plain_r2`; nothing is said without the latter.
        transfer: How the campaign transfers, `staged` or `patent`.
    """
    if not {"r2", "plain_r2"} <= set(scores.columns):
        return ()
    remedy = (
        "the forest among the experts carries this response"
        if transfer == "staged"
        else 'with transfer = "staged" a forest among the experts carries this response'
    )
    told = []
    for name, r2, plain in zip(scores.index, scores["r2"], scores["plain_r2"], strict=True):
        if r2 <= 0 and plain <= 0:
            told.append(
                f"Neither the networks nor a plain random forest predict {name} from the history "
                f"(R2 {r2:.2f} and {plain:.2f}); predictions of it will rest on the campaign's own "
                "results."
            )
        elif plain > r2 + _AHEAD:
            told.append(
                f"The networks predict {name} no better than a plain random forest (R2 {r2:.2f} "
                f"against {plain:.2f}); {remedy}, and more formulas of history would help the "
                "networks."
            )
    return tuple(told)


def pretrain(
    opened: Store,
    definition: Definition,
    space: FormulaSpace,
    known_event: int,
    folds: int,
    seed: int,
    progress: Progress,
) -> Pretraining:
    """Train on all history known after an event; see `Campaign.pretrain`."""
    from labloop import surrogate

    refuse_lost_meaning(opened, definition)
    if folds == 1 or folds < 0:
        raise RefusedError(f"Cross-validation takes 2 folds or more, or 0 for none (got {folds}).")
    known = history(opened, definition, known_event)
    if not len(known):
        raise RefusedError(
            "There is no history to learn from; import earlier results with `labloop history`, or "
            "go straight to `labloop propose`."
        )
    lesson = _lesson(known, definition, space, seed)
    scores, by_source, predictions, used = _cross_validated(
        lesson, known, definition, folds, progress
    )
    pretrained = surrogate.pretrain(
        **lesson, progress=lambda done, total: progress("pretraining", done, total)
    )
    return Pretraining(
        scores=scores,
        scores_by_source=by_source,
        left_out=predictions,
        ranking=_named(pretrained.ranking(), definition),
        importance=importance_of_history(pretrained, definition, space),
        folds=used,
        rows=len(known),
        sources=len(set(known.source.tolist())),
        pretrained=pretrained,
        subject=subject_of(definition, space),
    )


def _lesson(
    known: Observed, definition: Definition, space: FormulaSpace, seed: int
) -> dict[str, Any]:
    """Return what the surrogate's `pretrain` and `cross_validate` take alike."""
    from labloop.surrogate.training import PLAIN, RESIDUAL

    settings = definition.surrogate
    scale = Scale.of(definition.responses, known.means)
    return {
        "X": space.encode_concentrations(known.concentrations),
        "Y": scale.to_model(known.means, known.standard_errors)[0],
        "source": known.source,
        "censored": known.censored,
        "component_of_column": space.component_of_column,
        "layers": settings.layers,
        "members": settings.members,
        "feature_share": settings.feature_share,
        "recipe": PLAIN if settings.transfer == "patent" else RESIDUAL,
        "seed": seed,
    }


def _cross_validated(
    lesson: dict[str, Any],
    known: Observed,
    definition: Definition,
    folds: int,
    progress: Progress,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, int]:
    """Return scores by response and by source, predictions, and the number of folds."""
    import pandas as pd

    from labloop.surrogate import cross_validate

    if not folds:
        return pd.DataFrame(), pd.DataFrame(), pd.DataFrame(), 0
    scale = Scale.of(definition.responses, known.means)
    validation = cross_validate(
        **lesson,
        folds=folds,
        untransform=scale.medians,
        progress=lambda done, total: progress("cross-validating", done, total),
    )
    responses = pd.Index(definition.response_names, name="response")
    by_source = validation.scores_by_source
    by_source = by_source.assign(
        source=[known.source_names[number] for number in by_source["source"]],
        response=[definition.response_names[number] for number in by_source["response"]],
    )
    predictions = left_out.frame(
        known, scale.medians(validation.predicted), validation.counted, definition.response_names
    )
    used = int(validation.fold.max()) + 1
    return validation.scores.set_axis(responses, axis=0), by_source, predictions, used


def _named(ranking: pd.DataFrame, definition: Definition) -> pd.DataFrame:
    names = definition.component_names
    responses = {str(j): name for j, name in enumerate(definition.response_names)}
    ranking = ranking.set_axis([names[number] for number in ranking.index], axis=0)
    return ranking.rename(columns=responses).rename_axis("component")
