"""What `Campaign.wells` shows: raw values, statuses with reasons, corrected values."""

from __future__ import annotations

import numpy as np
import pytest

from labloop.errors import RefusedError


def test_every_measured_value_is_shown_as_it_was_recorded(recorded, lab):
    results = lab.results(recorded, 1)
    shown = recorded.wells(1)
    assert len(shown) == len(results) * len(lab.responses)
    for name in lab.responses:
        of = shown[shown["response"] == name].set_index("well")["value"]
        assert of.to_dict() == results.set_index("well")[name].to_dict()
    assert set(shown["status"]) == {"ok"}
    assert shown["reason"].isna().all()
    assert np.isfinite(shown["corrected"]).all()
    assert "commercial" in set(shown["formula"])
    assert recorded.wells().equals(shown)


def test_no_such_round(recorded):
    with pytest.raises(RefusedError, match="there is no round 7"):
        recorded.wells(7)
