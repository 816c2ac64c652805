"""What `labloop check` has to say of a definition, gravest first."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from labloop.campaign.deck_cautions import deck_notes, deck_warnings
from labloop.campaign.findings import Findings, Weighed
from labloop.campaign.reach_cautions import reach_notes, reach_warnings, some, unused_notes
from labloop.plain import plain

MOST_FIT = 0.75
"""Share of random formulas that fit a well from which on its volume does not matter."""

_FEW_FIT = 0.5
_ROUNDS = 3
_LARGEST = 3


def warnings(found: Findings) -> tuple[str, ...]:
    """Return what should be mended before the first plate, gravest first."""
    weighed = [*deck_warnings(found), *_too_few(found), *_volume(found), *reach_warnings(found)]
    return tuple(text for _, text in sorted(weighed, key=lambda each: -each[0]))


def notes(found: Findings) -> tuple[str, ...]:
    """Return what is worth knowing and does no harm."""
    tight = [_tightness(found)] if _FEW_FIT <= found.use.fits < MOST_FIT else []
    return (*reach_notes(found), *unused_notes(found), *tight, *_used_up(found), *deck_notes(found))


def _too_few(found: Findings) -> Iterator[Weighed]:
    formulas = found.definition.proposal.formulas
    if found.different < formulas:
        yield (
            9.0,
            f"Only {found.different:.0f} different formulas can be made, and a round has "
            f"{formulas}; lower formulas under [proposal], or give components more levels.",
        )


def _used_up(found: Findings) -> Iterator[str]:
    formulas = found.definition.proposal.formulas
    if formulas <= found.different < _ROUNDS * formulas:
        yield (
            f"There are {found.different:.0f} different formulas, and a round has {formulas}: few "
            "rounds make them all."
        )


def _volume(found: Findings) -> Iterator[Weighed]:
    if found.use.fits < _FEW_FIT:
        yield 1 - found.use.fits, _tightness(found)


def _tightness(found: Findings) -> str:
    """Say how much does not fit the well, what takes the most of it, and what would make room."""
    use = found.use
    order = np.argsort(-use.usual, kind="stable")[:_LARGEST]
    largest = [f"{found.space.names[j]} {plain(use.usual[j])}" for j in order if use.usual[j] > 0]
    mostly = use.usual[order].sum() > use.usual.sum() / 2
    sentence = (
        f"The highest concentrations together take {plain(use.high.sum())} µL, and a well has "
        f"{plain(use.room)} µL beside the inoculum: {1 - use.fits:.0%} of random formulas do not "
        f"fit and are thinned. A formula's {plain(use.usual.sum())} µL are "
        f"{'mostly' if mostly else 'spread over many components, the largest'} {', '.join(largest)}"
    )
    if found.stronger:
        units = {component.name: component.unit for component in found.space.components}
        stocks = [f"{name} {plain(stock)} {units[name]}" for name, stock in found.stronger.items()]
        return (
            f"{sentence}; with stronger stocks that dissolve ({some(stocks)}) "
            f"{found.fits_with_stronger:.0%} fit."
        )
    return (
        f"{sentence}; stronger stocks make room (`solubility` tells labloop which can be had), and "
        "so do narrower ranges."
    )
