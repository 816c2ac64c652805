"""Strategies by name: labloop's loop, and each of its parts alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from labloop.definition import ProposalSettings, SurrogateSettings
from labloop.proposal.acquisition import merit
from labloop.proposal.batch import Known, choose
from labloop.simulate.trial import Plate, Propose, SoFar, Trial

Strategy = Callable[[Trial, ProposalSettings, int], Propose]
"""(trial, [proposal] settings, seed) → how to propose; learns from the history once."""

_NETS = SurrogateSettings()


def labloop(trial: Trial, settings: ProposalSettings, seed: int) -> Propose:
    """Return the loop as campaigns run it."""
    from labloop.surrogate import fit, pretrain

    pretrained = None
    if len(trial.X_history):
        pretrained = pretrain(
            trial.X_history,
            trial.Y_history,
            trial.source,
            component_of_column=trial.space.component_of_column,
            layers=_NETS.layers,
            members=_NETS.members,
            feature_share=_NETS.feature_share,
            seed=seed,
        )
    varying = np.array([component.varies for component in trial.space.components])

    def propose(so_far: SoFar, count: int, seed: int) -> Plate:
        surrogate = None
        if pretrained is not None or len(so_far.levels):
            surrogate = fit(
                pretrained,
                trial.space.encode(so_far.levels),
                so_far.Y,
                varying=varying[trial.space.component_of_column],
            )
        chosen = choose(
            trial.space,
            surrogate,
            trial.goals,
            known(trial, so_far),
            settings,
            count,
            seed,
            so_far.left,
        )
        return Plate(chosen.levels, chosen.origin)

    return propose


def without_history(trial: Trial, settings: ProposalSettings, seed: int) -> Propose:
    """Return the loop of a campaign that knows of no other line."""
    return labloop(forgetful(trial), settings, seed)


def forgetful(trial: Trial) -> Trial:
    """Return the trial without its history."""
    return replace(
        trial,
        X_history=trial.X_history[:0],
        Y_history=trial.Y_history[:0],
        source=trial.source[:0],
        performers=trial.performers[:0],
    )


def known(trial: Trial, so_far: SoFar) -> Known:
    """Return what the choice of a plate knows."""
    return Known(
        measured=trial.space.concentrations(so_far.levels),
        utility=merit(trial.goals, torch.from_numpy(so_far.Y)).numpy(),
        pending=np.empty((0, len(trial.space.tables))),
        performers=trial.performers,
    )


def by_chance(trial: Trial, settings: ProposalSettings, seed: int) -> Propose:
    """Return the choice of formulas at random."""
    del settings, seed

    def propose(so_far: SoFar, count: int, seed: int) -> Plate:
        rng = np.random.default_rng(seed)
        if so_far.left is None:
            levels = trial.space.sample(count, rng)
        else:
            levels = so_far.left[rng.permutation(len(so_far.left))[:count]]
        return Plate(levels, np.full(len(levels), "random"))

    return propose


STRATEGIES: dict[str, Strategy] = {
    "labloop": labloop,
    "without history": without_history,
    "random": by_chance,
}
