"""From the store to a surrogate: transfer of the pretrained network to the campaign's own rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labloop import store
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
        predicted = self.fitted.mean_and_variance(
            self.space.encode_concentrations(concentrations), chunk=_CHUNK
        )
        mean, sem = self.scale.to_natural(predicted.mean, predicted.variance)
        _, sd = self.scale.to_natural(predicted.mean, predicted.variance + self.noise)
        return mean, sd, sem

    @property
    def noise(self) -> Floats:
        """(responses,) variance of a new measurement, on the model's scale."""
        return np.asarray(self.fitted.noise * self._noise_share())

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
    refuse_lost_meaning(opened, definition, known_event)
    components, responses = definition.components, definition.responses
    mine = own(opened, definition, known_event)
    past = history(opened, definition, known_event)
    scale = Scale.of(responses, np.concatenate([past.means, mine.means]))
    pretrained, model = _pretrained(opened, definition, space, known_event, bool(len(past)))
    fitted = None
    if pretrained is not None or len(mine):
        from labloop.surrogate import fit

        Y, variance = scale.to_model(mine.means, mine.standard_errors)
        varying = np.array([component.varies for component in components])
        stage = OneStage("transferring", progress or _nothing)
        fitted = fit(
            pretrained,
            space.encode_concentrations(mine.concentrations),
            Y,
            variance,
            censored=mine.censored,
            transfer=definition.surrogate.transfer if pretrained is not None else "staged",
            varying=varying[space.component_of_column],
            seed=0,
            progress=stage.step,
        )
        stage.end()
    return Learned(mine, past, scale, fitted, space, definition, model)


@dataclass(eq=False)
class OneStage:
    """Shows work that counts from its start several times over as one stage that only advances.

    Nobody can know how many counts are to come, so each takes half of what is left: the first
    reaches a half, the second three quarters.

    Attributes:
        name: The stage's name.
        progress: Called with it, what is done and the total.
    """

    name: str
    progress: Progress
    _before: float = 0.0
    _share: float = 0.0

    def step(self, done: int, total: int) -> None:
        """Show that `done` of `total` of the present count are done."""
        share = done / max(total, 1)
        if share <= self._share:
            self._before += (1.0 - self._before) / 2 * self._share
        self._share = share
        reached = self._before + (1.0 - self._before) / 2 * share
        self.progress(self.name, min(int(100 * reached), 99), 100)

    def end(self) -> None:
        """Show that all is done."""
        self.progress(self.name, 100, 100)


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
    if model.metadata.get("subject") != subject_of(definition, space):
        raise RefusedError(
            "The components, responses, [noise] or [surrogate] have changed since the history was "
            "learned; run `labloop pretrain` again."
        )
    from labloop.surrogate import Pretrained

    return Pretrained.from_blob(model.weights, model.metadata.get("network", {})), model.id


def best(opened: Store, definition: Definition, top: int) -> pd.DataFrame:
    """Return the best measured formulas; see `Campaign.best`."""
    import pandas as pd

    from labloop.campaign.rounds import amounts_frame

    refuse_lost_meaning(opened, definition)
    known = own(opened, definition)
    merit = merits(definition, known)
    order = np.argsort(-merit, kind="stable")
    order = order[np.isfinite(merit[order])][:top]
    ids = known.ids[order].tolist()
    frame = amounts_frame(opened, ids, definition.components)
    origins = {
        p.formula: (r.number, p.origin)
        for r in reversed(store.read_rounds(opened))  # the round that first had it
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
