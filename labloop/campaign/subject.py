"""What a pretrained network was trained for, and whether it still fits."""

from __future__ import annotations

from typing import Any

import numpy as np

from labloop.definition import Definition
from labloop.space import FormulaSpace

PRETRAINED = "pretrained"  # the kind of model under which the store keeps it


def subject_of(definition: Definition, space: FormulaSpace) -> dict[str, Any]:
    """Return what of a definition a pretrained network depends on.

    A network reads components scaled to their ranges and predicts responses on the model's scale:
    where any of this changes it has to be trained again. The scale of a logarithmic range that
    begins at zero, and of a fixed component, follows from what the stocks can make.

    What it learned are the history's means and limits, which [noise] and the ranges of responses
    change. Both are left out where campaign.toml says nothing of them, so that networks of before
    they could be set still fit.
    """
    scales = space.encode_concentrations(np.ones((1, len(definition.components))))
    components = [
        [c.name, c.unit, c.low, c.high, c.scale, c.fixed, list(c.choices or ())]
        for c in definition.components
    ]
    responses = [[r.name, r.unit, r.transform] for r in definition.responses]
    off = [name for name, on in definition.noise.model_dump().items() if not on]
    ranges = {
        r.name: [end if np.isfinite(end) else None for end in r.range]
        for r in definition.responses
        if r.range is not None
    }
    means = {"noise": off} if off else {}
    limits = {"ranges": ranges} if ranges else {}
    return {
        "components": components,
        "scales": [float(f"{place:.9g}") for place in scales[0]],
        "responses": responses,
        "surrogate": definition.surrogate.model_dump(),
        **means,
        **limits,
    }
