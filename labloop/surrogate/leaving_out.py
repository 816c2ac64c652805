"""Predicting rows by nets that never saw them: the work of cross-validation."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from labloop.parallel import chosen, spread, workers
from labloop.surrogate.plain import forest_predictions
from labloop.surrogate.scaling import Array, input_ranges, source_scales, standardised
from labloop.surrogate.selection import select_components
from labloop.surrogate.training import Progress, Recipe, train

Ints = NDArray[np.int64]
Held = tuple[int, ...]
Work = tuple["History", Ints, Held]

TOGETHER = 10_000  # nets × rows that are trained as one batch; more gains nothing
SPREAD_OUT = 30_000  # nets × rows from which on starting worker processes pays


@dataclass(frozen=True)
class History:
    """Measured rows and how nets learn from them.

    `X` (n, D), `Y` (n, m), `censored` (n, m), `source` (n,) from 0, `component_of_column` (D,);
    these and the settings are as for `pretrain`.
    """

    X: Array
    Y: Array
    censored: NDArray[np.int8]
    source: Ints
    component_of_column: Ints
    layers: int
    members: int
    feature_share: float
    recipe: Recipe
    seed: int

    def __len__(self) -> int:
        return len(self.X)


@dataclass(frozen=True)
class LeftOut:
    """What was predicted of `rows` (r,) by the nets and by a plain model: (r, m) in units of Y.

    NaN where the others have no value of a response. `levelled` (r, m) says where they have one
    of the row's own source; elsewhere the prediction is at the sources' pooled level and scale.
    """

    rows: Ints
    predicted: Array
    plain: Array
    levelled: NDArray[np.bool_]

    @classmethod
    def joined(cls, pieces: Sequence[LeftOut], shape: tuple[int, int]) -> LeftOut:
        """Return pieces as one in the order of the rows, NaN for rows that none of them has."""
        nothing = np.full(shape, np.nan)
        whole = cls(np.arange(shape[0]), nothing, nothing.copy(), np.zeros(shape, dtype=bool))
        for piece in pieces:
            whole.predicted[piece.rows] = piece.predicted
            whole.plain[piece.rows] = piece.plain
            whole.levelled[piece.rows] = piece.levelled
        return whole


@dataclass(frozen=True)
class _Lesson:
    """What the nets of one part learn from: the `training` rows; `held` is what they predict.

    `x` (n, k) inputs of the kept components, `z` (n, m) standardised responses, NaN where held;
    `level`, `scale` (r, m) lead back to the units of the held rows, `levelled` as in `LeftOut`.
    """

    training: Ints
    held: Ints
    x: Array
    z: Array
    level: Array
    scale: Array
    levelled: NDArray[np.bool_]

    @classmethod
    def of(cls, past: History, part: Ints, number: int) -> _Lesson:
        """Learn scales and the choice of components from the rows outside a part."""
        training, held = np.flatnonzero(part != number), np.flatnonzero(part == number)
        known = np.full_like(past.Y, np.nan)
        known[training] = past.Y[training]
        scales = source_scales(known, past.source, min_max=past.recipe.kind == "plain")
        z = standardised(known, past.source, scales)
        low, high = input_ranges(past.X)
        chosen = select_components(
            past.X[training], z[training], past.component_of_column,
            source=past.source[training], share=past.feature_share, seed=past.seed,
        )  # fmt: skip
        of_held = past.source[held]
        known_at_all = scales.present.any(axis=0)
        return cls(
            training,
            held,
            ((past.X - low) / (high - low))[:, chosen.columns],
            z,
            np.where(known_at_all, scales.level[of_held], np.nan),
            scales.scale[of_held],
            scales.present[of_held],
        )


def predict_left_out(
    past: History, fold: Ints, part: Ints, progress: Progress
) -> tuple[LeftOut, LeftOut]:
    """Predict each row by nets that never saw its fold, and by nets that never saw its part.

    `fold` and `part` (n,) number what is left out together from 0; a row whose part is −1 is only
    learned from. The second have half as many members. `progress(done, total)` counts folds and
    parts; what it raises ends the work. The result does not depend on the number of workers.
    """
    few = replace(past, members=-(-past.members // 2))
    folds = [(past, fold, held) for held in _batches(past, fold)]
    parts = [(few, part, (number,)) for number in np.unique(part[part >= 0]).tolist()]
    work = folds + parts
    size = sum(each.members * len(each) * len(held) for each, _, held in work)
    done, total = 0, sum(len(held) for _, _, held in work)
    progress(done, total)
    pieces: list[LeftOut] = []
    with closing(_worked(work, spread_out=size > SPREAD_OUT)) as finished:
        for (_, _, held), piece in zip(work, finished, strict=True):
            pieces.append(piece)
            done += len(held)
            progress(done, total)
    shape = (len(past), past.Y.shape[1])
    return (
        LeftOut.joined(pieces[: len(folds)], shape),
        LeftOut.joined(pieces[len(folds) :], shape),
    )


def _batches(past: History, fold: Ints) -> list[Held]:
    """Return the folds whose nets are trained as one batch: several of a short history, or one."""
    together = max(1, TOGETHER // (past.members * len(past)))
    folds = range(int(fold.max()) + 1)
    return [tuple(folds[first : first + together]) for first in folds[::together]]


def _worked(work: Sequence[Work], *, spread_out: bool) -> Generator[LeftOut, None, None]:
    """Do the work where workers were chosen, else on all cores if it is to be `spread_out`."""
    with workers(jobs=os.cpu_count() if spread_out and not chosen() else None):
        yield from spread(_left_out_of, work, range(len(work)))


def _left_out_of(work: Sequence[Work], number: int) -> LeftOut:
    return leave_out(*work[number])


def leave_out(past: History, part: Ints, held: Held) -> LeftOut:
    """Train an ensemble for each of the parts `held` on all other rows, and predict its rows.

    `part` (n,) numbers the rows' parts. The nets of all of them are one batch.
    """
    seed = int(np.random.SeedSequence([past.seed, *held]).generate_state(1)[0])
    generator = torch.Generator().manual_seed(seed)
    lessons = [_Lesson.of(past, part, number) for number in held]
    least = min(len(lesson.training) for lesson in lessons)
    # Parts may keep choices of different width: empty columns even them out.
    x = torch.zeros(len(held), len(past), max(lesson.x.shape[1] for lesson in lessons))
    draws = []
    for inputs, lesson in zip(x, lessons, strict=True):
        inputs[:, : lesson.x.shape[1]] = torch.as_tensor(lesson.x, dtype=torch.float32)
        picks = torch.randint(len(lesson.training), (past.members, least), generator=generator)
        draws.append(torch.as_tensor(lesson.training)[picks])
    z = torch.as_tensor(np.stack([lesson.z for lesson in lessons]), dtype=torch.float32)
    net = train(
        x, z, torch.cat(draws), recipe=past.recipe, layers=past.layers, seed=seed,
        censored=torch.as_tensor(past.censored).expand(z.shape),
    )  # fmt: skip
    pieces = []
    for place, lesson in enumerate(lessons):
        own = slice(place * past.members, (place + 1) * past.members)
        nets = net.having({name: weight[own] for name, weight in net.tensors().items()})
        with torch.no_grad():
            mean = nets(x[place, torch.as_tensor(lesson.held)]).mean(0).double().numpy()
        learned, asked = past.X[lesson.training], past.X[lesson.held]
        plain = forest_predictions(learned, lesson.z[lesson.training], asked, seed)
        pieces.append(
            LeftOut(
                rows=lesson.held,
                predicted=mean * lesson.scale + lesson.level,
                plain=plain * lesson.scale + lesson.level,
                levelled=lesson.levelled,
            )
        )
    return LeftOut(
        np.concatenate([piece.rows for piece in pieces]),
        np.concatenate([piece.predicted for piece in pieces]),
        np.concatenate([piece.plain for piece in pieces]),
        np.concatenate([piece.levelled for piece in pieces]),
    )
