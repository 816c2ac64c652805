"""From the store to a surrogate: pretraining on history, transfer to the campaign's own rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from labloop import store
from labloop.campaign.explaining import importance_of_history, importance_sentences
from labloop.campaign.knowledge import (
    Floats,
    Observed,
    Scale,
    history,
    own,
    refuse_lost_meaning,
)
from labloop.campaign.subject import PRETRAINED, subject_of
from labloop.definition import Definition
from labloop.errors import RefusedError
from labloop.space import FormulaSpace
from labloop.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from labloop.surrogate import Pretrained, Surrogate

_CHUNK = 4096

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class Pretraining:
    """A network trained on the history, and how well it predicts.

    Attributes:
        scores: Frame by response: `r2`, `mse` (outputs scaled to 0 to 1), `relative_error`,
            `spearman`, `rows`, by cross-validation on formulas left out; empty without folds.
        ranking: Frame by component, the most telling first: `information` (nats) about the
            responses, `kept` (whether the network sees it), and one column a response.
        importance: Frame of which components matter to the network; see `Campaign.importance`.
            Responses that the history lacks are left out.
        folds: Folds of the cross-validation; fewer than asked where there are fewer formulas.
        rows: Number of formulas learned from.
        sources: Number of sources.
        pretrained: The network.
        subject: What it was trained for; see `subject_of`.
    """

    scores: pd.DataFrame
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

    def stored(self) -> tuple[bytes, dict[str, Any]]:
        """Return weights and metadata for the store."""
        weights, network = self.pretrained.to_blob()
        scores = self.scores.reset_index().to_dict("records")
        finite = [{k: None if v != v else v for k, v in row.items()} for row in scores]
        return weights, {"network": network, "subject": self.subject, "scores": finite}


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
    import pandas as pd

    from labloop import surrogate
    from labloop.surrogate.training import PLAIN, RESIDUAL

    refuse_lost_meaning(opened, definition)
    if folds == 1 or folds < 0:
        raise RefusedError(f"Cross-validation takes 2 folds or more, or 0 for none (got {folds}).")
    known = history(opened, definition.components, definition.responses, known_event)
    if not len(known):
        raise RefusedError(
            "There is no history to learn from; import earlier results with `labloop history`, or "
            "go straight to `labloop propose`."
        )
    settings = definition.surrogate
    X = space.encode_concentrations(known.concentrations)
    scale = Scale.of(definition.responses, known.means)
    Y, _ = scale.to_model(known.means, known.standard_errors)
    recipe: dict[str, Any] = {
        "censored": known.censored,
        "component_of_column": space.component_of_column,
        "layers": settings.layers,
        "members": settings.members,
        "feature_share": settings.feature_share,
        "recipe": PLAIN if settings.transfer == "patent" else RESIDUAL,
        "seed": seed,
    }
    scores, used = pd.DataFrame(), 0
    if folds:
        validation = surrogate.cross_validate(
            X, Y, known.source, folds=folds, untransform=scale.medians,
            progress=_stage("cross-validating", progress), **recipe,
        )  # fmt: skip
        scores = validation.scores.set_axis(
            pd.Index(definition.response_names, name="response"), axis=0
        )
        used = int(validation.fold.max()) + 1
    pretrained = surrogate.pretrain(
        X, Y, known.source, progress=_stage("pretraining", progress), **recipe
    )
    return Pretraining(
        scores=scores,
        ranking=_named(pretrained.ranking(), definition),
        importance=importance_of_history(pretrained, definition, space),
        folds=used,
        rows=len(known),
        sources=len(np.unique(known.source)),
        pretrained=pretrained,
        subject=subject_of(definition, space),
    )


def _named(ranking: pd.DataFrame, definition: Definition) -> pd.DataFrame:
    names = definition.component_names
    responses = {str(j): name for j, name in enumerate(definition.response_names)}
    ranking = ranking.set_axis([names[number] for number in ranking.index], axis=0)
    return ranking.rename(columns=responses).rename_axis("component")


def _stage(name: str, progress: Progress) -> Callable[[int, int], None]:
    return lambda done, total: progress(name, done, total)


@dataclass(frozen=True, eq=False)
class Learned:
    """What is known, and the surrogate that learned from it.

    Attributes:
        own: The campaign's measured formulas.
        history: Those of the history.
        scale: The model's scale.
        surrogate: The transferred model.
        space: The formulas that can be made.
        definition: The campaign's.
        model: The id of the pretrained network in the store, None where there is no history.
    """

    own: Observed
    history: Observed
    scale: Scale
    surrogate: Surrogate | None
    space: FormulaSpace
    definition: Definition
    model: int | None

    @property
    def fitted(self) -> Surrogate:
        """The surrogate; raises RefusedError where nothing is known."""
        if self.surrogate is None:
            raise RefusedError(
                "There is nothing to predict from yet; record results with `labloop record`, or "
                "import earlier ones with `labloop history` and learn them with `labloop pretrain`."
            )
        return self.surrogate

    def moments(self, concentrations: Floats) -> tuple[Floats, Floats, Floats]:
        """Return (n, responses) natural mean, sd of a new measurement, and sd of the mean alone.

        A new measurement is made as the campaign makes them: the mean of its replicates.
        """
        fitted = self.fitted
        predicted = fitted.mean_and_variance(
            self.space.encode_concentrations(concentrations), chunk=_CHUNK
        )
        mean, sem = self.scale.to_natural(predicted.mean, predicted.variance)
        noise = fitted.noise * self._noise_share()
        _, sd = self.scale.to_natural(predicted.mean, predicted.variance + noise)
        return mean, sd, sem

    def _noise_share(self) -> Floats:
        """Return (responses,) the noise of a new mean over that of the own rows' means.

        The surrogate knows the mean noise of the own rows, which have replicates of their own
        number (a control many, an adopted formula perhaps one): variances go with 1 / wells.
        """
        one_over = np.where(self.own.wells > 0, 1.0 / np.maximum(self.own.wells, 1), np.nan)
        if not len(one_over):
            return np.ones(len(self.definition.responses))
        measured = np.isfinite(one_over).any(axis=0)
        typical = np.where(measured, np.nansum(one_over, axis=0), 1.0)
        typical /= np.where(measured, np.isfinite(one_over).sum(axis=0), 1.0)
        return np.where(measured, 1.0 / self.definition.plate.replicates / typical, 1.0)

    def predict(self, concentrations: Floats, index: pd.Index) -> pd.DataFrame:
        """Return the predictions as a frame; see `Campaign.predict`."""
        import pandas as pd

        moments = dict(zip(("mean", "sd", "sem"), self.moments(concentrations), strict=True))
        columns = {
            f"{name}_{kind}": values[:, j]
            for j, name in enumerate(self.definition.response_names)
            for kind, values in moments.items()
        }
        return pd.DataFrame(columns, index=index)


def learn(
    opened: Store,
    definition: Definition,
    space: FormulaSpace,
    known_event: int,
    progress: Progress | None = None,
) -> Learned:
    """Transfer the pretrained network to what was known after an event.

    Raises:
        RefusedError: The history was not learned yet, or was learned for another definition.
    """
    refuse_lost_meaning(opened, definition)
    components, responses = definition.components, definition.responses
    mine = own(opened, components, responses, known_event)
    past = history(opened, components, responses, known_event)
    scale = Scale.of(responses, np.concatenate([past.means, mine.means]))
    pretrained, model = _pretrained(opened, definition, space, known_event, bool(len(past)))
    fitted = None
    if pretrained is not None or len(mine):
        from labloop.surrogate import fit

        Y, variance = scale.to_model(mine.means, mine.standard_errors)
        varying = np.array([component.varies for component in components])
        fitted = fit(
            pretrained,
            space.encode_concentrations(mine.concentrations),
            Y,
            variance,
            censored=mine.censored,
            transfer=definition.surrogate.transfer if pretrained is not None else "staged",
            varying=varying[space.component_of_column],
            seed=0,
            progress=_stage("transferring", progress or _nothing),
        )
    return Learned(mine, past, scale, fitted, space, definition, model)


def _nothing(stage: str, done: int, total: int) -> None:
    pass


def _pretrained(
    opened: Store,
    definition: Definition,
    space: FormulaSpace,
    known_event: int,
    has_history: bool,
) -> tuple[Pretrained | None, int | None]:
    """Return the network to transfer and its id, None and None without history."""
    if not has_history:
        return None, None
    model = store.latest_model(opened, PRETRAINED, up_to=known_event)
    if model is None or model.known_event < store.last_history_event(opened, up_to=known_event):
        what = "has not been learned" if model is None else "has grown since it was learned"
        raise RefusedError(f"The history {what}; run `labloop pretrain` first.")
    if model.metadata["subject"] != subject_of(definition, space):
        raise RefusedError(
            "The components, responses or [surrogate] settings have changed since the history was "
            "learned; run `labloop pretrain` again."
        )
    from labloop.surrogate import Pretrained

    return Pretrained.from_blob(model.weights, model.metadata["network"]), model.id


def best(opened: Store, definition: Definition, top: int) -> pd.DataFrame:
    """Return the best measured formulas; see `Campaign.best`."""
    import pandas as pd

    from labloop.campaign.rounds import amounts_frame

    refuse_lost_meaning(opened, definition)
    known = own(opened, definition.components, definition.responses)
    merit = merits(definition, known)
    order = np.argsort(-merit, kind="stable")
    order = order[np.isfinite(merit[order])][:top]
    ids = known.ids[order].tolist()
    frame = amounts_frame(opened, ids, definition.components)
    origins = {
        p.formula: (r.number, p.origin)
        for r in store.read_rounds(opened)
        for p in store.read_proposals(opened, r.number)
    }
    frame["round"] = pd.array([origins.get(i, (None, None))[0] for i in ids], dtype="Int64")
    frame["origin"] = [origins.get(i, (None, None))[1] for i in ids]
    known = known.take(order)
    for j, name in enumerate(definition.response_names):
        exact = known.censored[:, j] == 0
        frame[f"{name}_mean"] = known.measured[:, j]
        frame[f"{name}_sem"] = np.where(exact, known.standard_errors[:, j], np.nan)
        frame[f"{name}_wells"] = known.wells[:, j]
        if not exact.all():
            frame[f"{name}_limit"] = [
                f"{'<' if side < 0 else '>'}{limit:.6g}" if side else None
                for side, limit in zip(known.censored[:, j], known.means[:, j], strict=True)
            ]
    return frame


_BETTER = {"maximize": 1, "at_least": 1, "minimize": -1, "at_most": -1}


def merits(definition: Definition, known: Observed) -> Floats:
    """Return (n,) how good measured formulas are, bigger is better, -inf where not known.

    A limit counts where the formula is sure to be as good as that: above the range where more is
    wanted, below it where less is. On the other side it could pass for the best that was measured.
    """
    import torch

    from labloop.proposal.acquisition import merit
    from labloop.proposal.goals import Goals

    scale = Scale.of(definition.responses, known.means)
    better = np.array([_BETTER.get(response.goal, 0) for response in definition.responses])
    sure = (known.censored == 0) | (known.censored == better)
    Y, _ = scale.to_model(np.where(sure, known.means, np.nan), known.standard_errors)
    return merit(Goals.of(definition.responses), torch.from_numpy(Y)).numpy()
