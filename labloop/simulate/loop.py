"""The loop as campaigns run it, with and without history."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from labloop.definition import ProposalSettings
from labloop.proposal.acquisition import merit
from labloop.proposal.batch import Known, choose
from labloop.simulate.trial import Plate, Propose, SoFar, Trial
from labloop.surrogate import Pretrained, Surrogate, fit, pretrain
from labloop.surrogate.training import PLAIN, RESIDUAL


def labloop(trial: Trial, settings: ProposalSettings, seed: int) -> Propose:
    """Return the loop as campaigns run it."""
    pretrained = learned(trial, seed) if len(trial.X_history) else None

    def propose(so_far: SoFar, count: int, seed: int) -> Plate:
        surrogate = None
        if pretrained is not None or len(so_far.levels):
            surrogate = transferred(trial, pretrained, so_far)
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


def learned(trial: Trial, seed: int) -> Pretrained:
    """Return the networks that learned from the trial's history."""
    return pretrain(
        trial.X_history,
        trial.Y_history,
        trial.source,
        component_of_column=trial.space.component_of_column,
        layers=trial.nets.layers,
        members=trial.nets.members,
        feature_share=trial.nets.feature_share,
        recipe=PLAIN if trial.nets.transfer == "patent" else RESIDUAL,
        seed=seed,
    )


def transferred(trial: Trial, pretrained: Pretrained | None, so_far: SoFar) -> Surrogate:
    """Return the surrogate of what was measured so far."""
    varying = trial.space.counts > 1
    return fit(
        pretrained,
        trial.space.encode(so_far.levels),
        so_far.Y,
        transfer="staged" if pretrained is None else trial.nets.transfer,
        varying=varying[trial.space.component_of_column],
    )
