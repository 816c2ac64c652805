"""Known formulas that are measured again: which may be, and what is said of those that are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from labloop import store
from labloop.campaign.knowledge import Ints
from labloop.report.numbers import counted, enumerated
from labloop.store import Store

if TYPE_CHECKING:
    from labloop.campaign.learning import Learned
    from labloop.proposal.repeats import Repeatable


def repeatable(
    opened: Store,
    learned: Learned,
    ids: Ints,
    judged: npt.NDArray[np.bool_],
    wanted: Sequence[int],
    known_event: int,
) -> Repeatable | None:
    """Return which measured formulas may be measured again; None where that is not wanted.

    Neither one whose worth is not known, nor a control, which every plate has, nor one that is on
    its way already.

    Args:
        opened: The campaign's store.
        learned: What was learned of it.
        ids: (n,) the measured formulas.
        judged: (n,) whether it is known how good each is.
        wanted: Numbers of the responses that the choice of formulas asks for.
        known_event: The last event that is known.
    """
    from labloop.proposal.repeats import Repeatable

    if learned.surrogate is None or not learned.definition.proposal.repeats:
        return None
    coming = [*store.named_formulas(opened, up_to=known_event).values()]
    coming += store.pending_formulas(opened, up_to=known_event)
    rows = np.flatnonzero(judged & ~np.isin(ids, coming))
    return Repeatable(rows, learned.noise[list(wanted)])


def repeat_notes(repeated: Sequence[int], replicates: int) -> list[str]:
    """Return a sentence on the formulas that are measured again, and why; none of none."""
    if not repeated:
        return []
    one, wells = len(repeated) == 1, replicates * len(repeated)
    names = enumerated([str(formula) for formula in repeated])
    which = f"{'formula' if one else 'formulas'} {names}"
    return [
        f"{counted(wells, 'well')} {'repeats' if wells == 1 else 'repeat'} {which}: measurements "
        f"are so noisy that to know whether {'it is' if one else 'they are'} as good as "
        f"{'it looks' if one else 'they look'} is worth more than "
        f"{counted(len(repeated), 'more new formula')}."
    ]
