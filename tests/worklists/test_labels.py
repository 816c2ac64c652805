import math
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labloop.worklists.labels import labels, latin, legend, plain, stock_title

NAMES = st.lists(
    st.one_of(
        st.text(max_size=12),
        st.text("aAbB -,;=1é葡", max_size=40),
        st.text("12.", max_size=40),
        st.sampled_from(["N", "N-2", "a", "A", "a-2", "x" * 40, "x" * 39 + "y", "ß", "SS"]),
    ),
    max_size=20,
)
ALLOWED = st.sampled_from([None, plain, latin, str.isalnum, lambda c: c.isascii() and c.isalnum()])


def folded(text):
    return unicodedata.normalize("NFKC", text).casefold()


@settings(deadline=None)
@given(NAMES, st.integers(2, 40), ALLOWED)
def test_labels_are_unique_short_and_allowed(names, longest, allowed):
    made = labels(names, longest, allowed=allowed)
    assert list(made) == list(dict.fromkeys(names))
    assert len({folded(label) for label in made.values()}) == len(made)
    for label in made.values():
        assert 0 < len(label) <= longest
        assert allowed is None or all(map(allowed, label))
        assert not label.startswith(("=", "+", "-", "@", "\t", "\r"))
        assert label == label.strip() or label in made


@settings(deadline=None)
@given(NAMES, st.integers(2, 40), ALLOWED)
def test_no_label_is_another_name(names, longest, allowed):
    for name, label in labels(names, longest, allowed=allowed).items():
        assert folded(label) not in {folded(each) for each in names} - {folded(name)}


@settings(deadline=None)
@given(st.lists(st.text("abcdéф葡", min_size=1, max_size=8), unique=True), ALLOWED)
def test_names_that_fit_stay(names, allowed):
    for name, label in labels(names, 8, allowed=allowed).items():
        assert label == name or not all(map(allowed or bool, name))


@settings(deadline=None)
@given(NAMES, st.text("abcdef", max_size=30))
def test_a_name_added_below_changes_no_label_above(names, added):
    before = labels(names, 12, allowed=plain)
    after = labels([*names, added], 12, allowed=plain)
    if folded(added) not in map(folded, before.values()):
        assert {name: after[name] for name in before} == before


@settings(deadline=None)
@given(NAMES, st.integers(2, 40), ALLOWED)
def test_labels_are_labels_of_themselves(names, longest, allowed):
    made = list(labels(names, longest, allowed=allowed).values())
    kept = [label for label in made if label == label.strip()]
    assert list(labels(kept, longest, allowed=allowed).values()) == kept


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("L-glutamine", "L-glutamine"),
        ("glucose, anhydrous", "glucose anhydrous"),
        ("a;b", "a-b"),
        ('"quoted"', "quoted"),
        ("=1+1", "1+1"),
        ("-OH", "OH"),
        ("@home", "home"),
        ("a" * 20 + " \r" + "b" * 20, "a" * 20 + "-" + "b" * 10),
        ("crème brûlée", "creme brulee"),
        ("Straße", "Strasse"),
        ("Größe 5 µM", "Grosse 5 uM"),
        ("α-ketoglutarate", "alpha-ketoglutarate"),
        ("Δ9", "Delta9"),
        ("FeSO₄·7H₂O", "FeSO4.7H2O"),
        ("глюкоза", "glyukoza"),
        ("Щёлочь", "Shcheloch"),
        ("葡萄糖", "PuTaoTang"),
        ("葡萄糖 1000 mM", "PuTaoTang 1000 mM"),
        ("ブドウ糖 (D)", "budouTang (D)"),
        (";;", "N"),
        (
            "L-phenylalanine hydrochloride monohydrate 1000 mM",
            "L-phenylalanine hydro-te 1000 mM",
        ),
    ],
)
def test_labels_are_readable(name, label):
    assert labels([name], 32, allowed=plain) == {name: label}


def test_latin_1_keeps_its_letters():
    assert labels(["crème µ", "ф"], 32, allowed=latin) == {"crème µ": "crème µ", "ф": "f"}


def test_long_names_that_differ_in_the_last_letter():
    names = ["x" * 39 + last for last in "abc"]
    assert list(labels(names, 12, allowed=plain).values()) == [
        "xxxxxxxx-xxa",
        "xxxxxxxx-xxb",
        "xxxxxxxx-xxc",
    ]


def test_no_number_is_cut():
    titles = ["trace metals of the first supplier 66.667 mM", "9" * 40, "8" * 40]
    assert list(labels(titles, 24, allowed=plain).values()) == [
        "trace metals of the-mM",
        "N",
        "N-2",
    ]


def test_numbers_where_a_label_is_taken():
    names = ["😀", ";;", "N-3", "葡", "::", "葡,", "Glucose", "glucose"]
    assert list(labels(names, 32, allowed=plain).values()) == [
        "N",
        "N-2",
        "N-3",
        "Pu",
        "::",
        "Pu-2",
        "Glucose",
        "glucose-2",
    ]


def test_more_names_than_labels():
    with pytest.raises(ValueError, match="not enough labels of 1 characters"):
        labels(["葡" * n for n in range(1, 12)], 1, allowed=plain)


def test_the_legend_has_the_names_that_changed():
    made = labels(["glucose", "葡萄糖", "=1"], 32, allowed=plain)
    assert legend(made) == {
        "legend.csv": b"\xef\xbb\xbf" + "label,name\nPuTaoTang,葡萄糖\n1,'=1\n".encode()
    }
    assert legend(labels(["glucose"], 32, allowed=plain)) == {}


def test_stock_titles():
    assert stock_title("glucose", 1000.0, "mM") == "glucose 1000 mM"
    assert stock_title("supplement", 0.5, "") == "supplement 0.5"
    assert stock_title("salt", 2e6 / 3, "nM") == "salt 666667 nM"
    assert stock_title("water", math.nan, "") == "water"
    assert stock_title("water", None, "mM") == "water"
