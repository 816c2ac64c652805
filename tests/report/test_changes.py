import copy

from hypothesis import given
from hypothesis import strategies as st

from labloop.report.changes import changed, changes

LEAVES = st.none() | st.integers(-3, 3) | st.sampled_from(["", "a", "b"])
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["p", "q", "r"]), inner, max_size=3)
    ),
    max_leaves=8,
)


def without_nothing(value):
    """Return a value without keys that hold None: to plotly they are as if they were not there."""
    if isinstance(value, dict):
        return {k: without_nothing(v) for k, v in value.items() if v is not None}
    return [without_nothing(each) for each in value] if isinstance(value, list) else value


@given(VALUES, VALUES)
def test_changes_make_the_one_into_the_other(before, after):
    kept = copy.deepcopy(before)
    assert without_nothing(changed(before, changes(before, after))) == without_nothing(after)
    assert before == kept


@given(VALUES)
def test_nothing_changes_what_is_alike(value):
    assert changes(value, copy.deepcopy(value)) == []


def test_only_what_differs_is_told():
    before = {"data": [{"z": [1, 2], "text": "long"}], "layout": {"height": 3}}
    after = {"data": [{"z": [1, 5], "text": "long"}], "layout": {"width": 4}}
    assert changes(before, after) == [
        (["data", 0, "z", 1], 5), (["layout", "height"], None), (["layout", "width"], 4),
    ]  # fmt: skip
