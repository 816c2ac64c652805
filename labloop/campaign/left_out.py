"""Predictions of the history's formulas by networks that never saw them, and their stored form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from labloop.campaign.knowledge import Floats, Observed

if TYPE_CHECKING:
    import pandas as pd

MOST_STORED = 1000
"""Formulas whose predictions are kept: more marks would hide one another, and are slow to read."""

_COLUMNS = ["source", "formula", "response", "measured", "predicted"]


def frame(
    known: Observed, predicted: Floats, counted: npt.NDArray[np.bool_], responses: Sequence[str]
) -> pd.DataFrame:
    """Return a row a formula and response that is `counted`, by response, then by formula.

    `predicted` and `counted` are (n, responses), natural values. The columns are `source`,
    `formula` (its id), `response`, `measured` and `predicted`.
    """
    import pandas as pd

    column, row = np.nonzero(counted.T)
    names = np.array([*known.source_names, ""], dtype=object)
    return pd.DataFrame(
        {
            "source": names[known.source[row]],
            "formula": known.ids[row],
            "response": np.array([*responses], dtype=object)[column],
            "measured": known.means[row, column],
            "predicted": predicted[row, column],
        },
        columns=_COLUMNS,
    )


def stored(predictions: pd.DataFrame) -> dict[str, Any] | None:
    """Return a frame as JSON keeps it: columns, six figures a number; None for an empty one.

    Of more than MOST_STORED formulas a random choice, the same for the same formulas; `of` says
    of how many.
    """
    if not len(predictions):
        return None
    formulas = np.unique(predictions["formula"].to_numpy(dtype=np.int64))
    kept = np.random.default_rng(0).permutation(formulas)[:MOST_STORED]
    shown = predictions[predictions["formula"].isin(kept)]
    texts = {name: list(dict.fromkeys(shown[name])) for name in ("source", "response")}
    return {
        "of": len(formulas),
        "sources": texts["source"],
        "responses": texts["response"],
        "source": [texts["source"].index(each) for each in shown["source"]],
        "response": [texts["response"].index(each) for each in shown["response"]],
        "formula": shown["formula"].tolist(),
        **{
            name: [float(f"{value:.6g}") for value in shown[name]]
            for name in ("measured", "predicted")
        },
    }


def of_stored(metadata: Mapping[str, Any]) -> tuple[pd.DataFrame, int]:
    """Return the frame in a model's metadata, and of how many formulas it is a choice.

    An empty frame and 0 for a model that was stored without.
    """
    import pandas as pd

    found = metadata.get("left_out")
    if not found:
        return pd.DataFrame(columns=_COLUMNS), 0
    columns = {
        "source": [found["sources"][number] for number in found["source"]],
        "formula": found["formula"],
        "response": [found["responses"][number] for number in found["response"]],
        "measured": found["measured"],
        "predicted": found["predicted"],
    }
    return pd.DataFrame(columns, columns=_COLUMNS), int(found["of"])
