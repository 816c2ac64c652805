"""Campaigns of several strategies and seeds, side by side wherever workers are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from threadpoolctl import threadpool_limits

from labloop.definition import ProposalSettings
from labloop.parallel import spread
from labloop.simulate.backtest import Record, campaign
from labloop.simulate.strategies import STRATEGIES
from labloop.simulate.trial import Trial
from labloop.surrogate.threads import one_thread

TrialOf = Callable[[int], Trial]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class Same:
    """The same trial whatever the seed."""

    trial: Trial

    def __call__(self, seed: int) -> Trial:
        """Return the trial."""
        del seed
        return self.trial


@dataclass(frozen=True, eq=False)
class Plan:
    """What all campaigns of a backtest have in common.

    Attributes:
        trial_of: The trial of a seed.
        settings: Formulas of a plate, and how they are chosen.
        rounds: How many plates.
    """

    trial_of: TrialOf
    settings: ProposalSettings
    rounds: int


def run(
    plan: Plan, strategies: Sequence[str], seeds: Sequence[int], progress: Progress
) -> list[Record]:
    """Run a campaign for every strategy and seed; return their records, strategy by strategy.

    Each campaign runs on one thread, so that its results are the same wherever it runs. The
    longest campaigns, those that learn, are not held back by others: seeds come first.

    Args:
        plan: What they have in common.
        strategies: Names of `STRATEGIES`.
        seeds: One campaign a seed and strategy; strategies of one seed meet the same lab.
        progress: Called with a stage's name, how many campaigns are done, and their number.
    """
    tasks = [(name, seed) for seed in seeds for name in strategies]
    found: dict[tuple[str, int], list[Record]] = {}
    progress("campaigns", 0, len(tasks))
    for task, records in zip(tasks, spread(_one, plan, tasks), strict=True):
        found[task] = records
        progress("campaigns", len(found), len(tasks))
    return [record for name in strategies for seed in seeds for record in found[name, seed]]


def _one(plan: Plan, task: tuple[str, int]) -> list[Record]:
    name, seed = task
    with one_thread(), threadpool_limits(1):
        trial = plan.trial_of(seed)
        return campaign(trial, name, STRATEGIES[name], plan.settings, plan.rounds, seed)
