"""The loop as campaigns run it, with and without history."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from labloop.definition import ProposalSettings
from labloop.proposal.acquisition import merit
from labloop.proposal.batch import Known, choose
from labloop.proposal.repeats import Repeatable
from labloop.simulate.trial import Plate, Propose, SoFar, Trial
from labloop.space.levels import Floats, Ints, LevelNumbers
from labloop.surrogate import Pretrained, Surrogate, fit, pretrain
from labloop.surrogate.training import PLAIN, RESIDUAL


def labloop(trial: Trial, settings: ProposalSettings, seed: int) -> Propose:
    """Return the loop as campaigns run it."""
    pretrained = learned(trial, seed) if len(trial.X_history) else None
    noise: Floats | None = None  # as the surrogate before the present one saw it

    def propose(so_far: SoFar, count: int, seed: int) -> Plate:
        nonlocal noise
        surrogate = None
        known_now = known(trial, so_far)
        if pretrained is not None or len(so_far.levels):
            surrogate = transferred(trial, pretrained, so_far, noise)
            noise = surrogate.noise
            every = np.arange(len(known_now.measured))
            known_now = replace(known_now, repeatable=Repeatable(every, noise))
        chosen = choose(
            trial.space,
            surrogate,
            trial.goals,
            known_now,
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
    levels, Y, _ = pooled(so_far)
    return Known(
        measured=trial.space.concentrations(levels),
        utility=merit(trial.goals, torch.from_numpy(Y)).numpy(),
        pending=np.empty((0, len(trial.space.tables))),
        performers=trial.performers,
    )


def pooled(so_far: SoFar) -> tuple[LevelNumbers, Floats, Ints]:
    """Return distinct formulas in the order of their first, their means, and how often measured."""
    levels, first, of_row, times = np.unique(
        so_far.levels, axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    total = np.zeros((len(levels), so_far.Y.shape[1]))
    np.add.at(total, of_row.reshape(-1), so_far.Y)
    order = np.argsort(first)
    return levels[order], (total / times[:, None])[order], times[order]


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


def transferred(
    trial: Trial, pretrained: Pretrained | None, so_far: SoFar, noise: Floats | None = None
) -> Surrogate:
    """Return the surrogate of what was measured so far.

    What was measured more than once is a mean, of which `noise` (responses,), the variance of a
    single measurement, tells how much surer it is.
    """
    varying = trial.space.counts > 1
    levels, Y, times = pooled(so_far)
    variance = None
    if noise is not None and (times > 1).any():
        variance = np.where(times[:, None] > 1, noise / times[:, None], np.nan)
    return fit(
        pretrained,
        trial.space.encode(levels),
        Y,
        variance,
        transfer="staged" if pretrained is None else trial.nets.transfer,
        varying=varying[trial.space.component_of_column],
    )
