import re
from dataclasses import replace
from importlib import resources

import numpy as np
import pandas as pd
import pytest

from labloop.definition import Plate, Robot
from labloop.plate.dispensing import plan as plan_dispenses
from labloop.report.bench_plates import (
    Amount,
    amounts_grid,
    even_lines,
    multichannel_hint,
    pipettes,
    runs,
    shares,
)
from labloop.report.bench_sheet import to_html
from labloop.wells import well_names
from labloop.worklists import RoundPlan

EVIL = "<script>alert('1')</script>"


def made(wells, formulas, *, glucose="glucose", peptone="soy", plate=None, robot=None):
    """A round of one replicate: formula n gets n ticks of glucose, each some peptone by hand."""
    plate = Plate(
        wells=wells,
        well_volume_ul=100.0,
        inoculum_ul=10.0,
        **({"diluent": "water"} | (plate or {})),
    )
    robot = Robot(**({"kind": "manual", "max_dispense_ul": 100.0} | (robot or {})))
    names = well_names(wells)
    each = [(1 + k // wells, names[k % wells], formulas[k]) for k in range(len(formulas))]
    layout = pd.DataFrame(
        [(p, w, "empty" if f is None else "formula", f, 1) for p, w, f in each],
        columns=["plate", "well", "role", "formula", "replicate"],
    ).astype({"formula": object})
    recipes = pd.DataFrame(
        [
            row
            for f in sorted({f for f in formulas if f is not None})
            for row in [
                (f, glucose, 1.0 * f, 1.0 * f, 100.0 if f else np.nan, f),
                (f, "peptone", peptone, peptone, np.nan, 0),
            ]
        ],
        columns=["formula", "component", "target", "achieved", "stock_concentration", "ticks"],
    ).astype({"formula": object, "target": object, "achieved": object})
    units = {glucose: "mM", "peptone": ""}
    dispenses = plan_dispenses(layout, recipes, components=list(units), plate=plate, robot=robot)
    return RoundPlan(layout, recipes, dispenses, units, plate, robot)


def text_of(html):
    body = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", body))


def sheets_of(html):
    return re.findall(r'<section class="page">.*?</section>', html, flags=re.DOTALL)


# -- the whole sheet -----------------------------------------------------------------------------


def test_it_says_what_to_prepare_and_in_which_order():
    plan = made(24, [10, 10, 20, None])
    text = text_of(to_html(plan, campaign="medium", number=3))
    assert "medium, round 3 Bench sheet" in text
    assert "Proposed on Made on Made by Checked by" in text
    assert (
        "1 plate of 24 wells, 3 of them filled, 100 µL in each, of which 10 µL are inoculum."
        in text
    )
    assert "water A1 366 100 glucose 100 mM B1 104 100 inoculum 30 without any" in text
    order = text[text.index("Order of work") :]
    steps = ["water", "glucose 100 mM", "peptone added by hand", "inoculum 10 µL into every filled"]
    places = [order.index(step) for step in steps]
    assert places == sorted(places)
    assert "plate 1 sheet 3" in order


@pytest.mark.parametrize(
    ("tips", "said"),
    [
        ("stock", "One tip a stock will do if it stays above the liquid; take a fresh one where"),
        ("dispense", "Take a fresh tip for every well."),
    ],
)
def test_it_says_when_to_change_tips(tips, said):
    plan = made(24, [10], robot={"tips": tips})
    assert said in text_of(to_html(plan, campaign="medium", number=1))


def test_each_stock_has_a_sheet_a_plate_with_its_volumes():
    plan = made(24, [10] * 24 + [20, 0])
    html = to_html(plan, campaign="medium", number=3)
    maps, sheets = sheets_of(html)[:2], sheets_of(html)[2:]
    assert [re.search(r"Formulas on (plate \d of 2)", m)[1] for m in maps] == [
        "plate 1 of 2",
        "plate 2 of 2",
    ]
    assert [re.search(r"sheet (\d+) of 6", s)[1] for s in sheets] == list("123456")
    glucose = text_of(sheets[3])
    assert "glucose 100 mM plate 2 of 2" in glucose
    assert "2 µL into 1 well, from B1. P2 for 1 well (2 µL)." in glucose
    row = re.search(r'<th scope="row">A</th>.*?</tr>', sheets[3], flags=re.DOTALL)[0]
    cells = re.findall(r'<td class="([a-z]+)[^>]*>(.*?)</td>', row)
    assert [kind for kind, _ in cells] == ["filled", "none", "empty", "empty", "empty", "empty"]
    assert cells[0][1] == "<bdi>2</bdi>"
    assert [re.sub("<.*?>", "", content) for _, content in cells[1:3]] == ["nothing", "empty"]


def test_what_is_split_is_shown_whole_with_its_parts():
    plan = made(24, [10, 10], robot={"max_dispense_ul": 40.0})
    water = sheets_of(to_html(plan, campaign="medium", number=1))[1]
    assert water.count("<bdi>89</bdi><i>a</i><small>in 3 parts</small>") == 2
    assert "P200 for 2 wells (29.7 µL)" in text_of(water)


def test_the_parts_of_a_robots_round_are_the_robots():
    plan = made(
        24, [10, 10], robot={"kind": "biomek", "max_dispense_ul": 40.0, "min_dispense_ul": 0.1}
    )
    html = to_html(plan, campaign="medium", number=1)
    assert "parts" not in html
    assert "P200 for 2 wells (89 µL)" in text_of(html)


def test_volumes_that_no_hand_pipette_measures_are_told():
    plan = made(24, [1, 2, 3], robot={"min_dispense_ul": 0.1})
    text = text_of(to_html(plan, campaign="medium", number=1))
    assert "1 volume is below 0.2 µL, which no hand pipette measures." in text
    assert "no hand pipette for 1 well (0.1 µL), P2 for 2 wells (0.2 to 0.3 µL)." in text
    fine = made(24, [2, 3], robot={"min_dispense_ul": 0.1})
    fine = text_of(to_html(fine, campaign="medium", number=1))
    assert "no hand pipette" not in fine


def test_volumes_are_written_to_the_last_tick():
    plan = made(384, [3, 7], robot={"increment_ul": 0.0025, "min_dispense_ul": 0.0025})
    html = to_html(plan, campaign="medium", number=1)
    assert "<bdi>0.0075</bdi>" in html
    assert "<bdi>89.9825</bdi>" in html
    assert "0.025 µL into 2 wells" in text_of(html)


def test_many_source_wells_are_told_in_short():
    small = {"source_wells": 384, "source_well_volume_ul": 110.0, "dead_volume_ul": 20.0}
    plan = made(24, [10] * 12, robot=small)
    text = text_of(to_html(plan, campaign="medium", number=1))
    assert "12 wells, A1 to L1 (see the deck list) 109 20" in text
    assert "1068 µL into 12 wells, from 12 source wells, A1 to L1, down the columns" in text
    few = made(24, [10] * 3, robot=small)
    text = text_of(to_html(few, campaign="medium", number=1))
    assert "water 327 µL in all A1 109 20 B1 109 20 C1 109 20" in text
    assert "267 µL into 3 wells, from A1 for A1, then from B1 for A2, then from C1 for A3." in text


def test_a_plate_of_1536_wells_is_listed_by_volume():
    robot = {"increment_ul": 0.025, "min_dispense_ul": 0.025, "source_wells": 384}
    plan = made(1536, [10] * 40 + [20], robot=robot)
    html = to_html(plan, campaign="medium", number=1)
    assert '<table class="plate' not in html
    assert "0.25 A1, A2, A3, A4" in text_of(html)
    assert "0.5 A41" in text_of(html)


def test_controls_are_named_by_their_letters():
    plan = made(24, [10, 20])
    layout = plan.layout.assign(
        role=["control", "formula"], formula=pd.Series(["base medium", 20], dtype=object)
    )
    html = to_html(replace(plan, layout=layout), campaign="medium", number=1)
    assert "framed wells are controls: C is base medium ." in text_of(html)
    assert re.search(r'<td class="control[^"]*"><bdi>C</bdi></td>', html)


def test_the_same_plan_gives_the_same_bytes():
    first, second = (
        to_html(made(96, list(range(10, 30))), campaign="m", number=1) for _ in range(2)
    )
    assert first == second


# -- safe, accessible and self-contained ---------------------------------------------------------


def test_names_are_text_whatever_they_hold():
    plan = made(24, [10, 20], glucose=EVIL, peptone=EVIL, plate={"diluent": EVIL + "water"})
    html = to_html(plan, campaign=EVIL, number=1)
    assert "<script" not in html
    assert html.count("&lt;script&gt;") > 10


def test_names_of_any_language_are_kept():
    html = to_html(made(24, [10], glucose="葡萄糖"), campaign="Среда", number=1)
    assert "Среда, round 1" in text_of(html)
    assert "葡萄糖 100 mM" in text_of(html)


def test_it_fetches_and_runs_nothing():
    html = to_html(made(96, [10] * 9), campaign="medium", number=1)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)[1]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"
    assert not re.search(r"<(script|link|img|iframe)|src=|href=|url\(|@import", html)


def test_pictures_are_tables_with_headings():
    picture = sheets_of(to_html(made(96, [10] * 9), campaign="medium", number=1))[1]
    assert '<caption class="unseen">water on plate 1, µL</caption>' in picture
    assert picture.count('<th scope="col"') == 12
    assert picture.count('<th scope="row"') == 8
    assert picture.count("<td") == 97
    boxes = re.findall(r"<input[^>]*>", picture)
    assert len(boxes) > 1
    assert 'aria-label="water on plate 1 done"' in boxes[0]


def test_it_prints_a_stock_and_plate_a_page_on_any_paper():
    html = to_html(made(24, [10]), campaign="medium", number=1)
    assert "@page { size: landscape;" in html
    assert "break-before: page" in html


def test_its_print_stays_small():
    html = to_html(made(24, [10]), campaign="medium", number=1)
    # Chromium prints each gradient of a well as a shading or picture of its own: 40 MB a round.
    assert not re.search("gradient|blur|filter:|opacity:", html)
    assert '.empty::before { content: "\\00d7"' in html
    assert '.none::before { content: "\\00b7"' in html


@pytest.mark.parametrize("name", ["bench_sheet.html.j2", "bench_sheet.css"])
def test_templates_are_part_of_the_package(name):
    assert (resources.files("labloop.report") / "templates" / name).is_file()


# -- wells that go together ----------------------------------------------------------------------


def test_wells_that_take_the_same_share_a_letter_and_a_shade():
    amounts = {w: Amount(str(v), v) for w, v in {"A1": 5, "B2": 1, "C3": 5, "D4": 9}.items()}
    low, mid, high = shares(amounts, 24)
    assert [(s.amount.text, s.wells, s.mark, s.shade) for s in (low, mid, high)] == [
        ("1", ("B2",), "", 1),
        ("5", ("A1", "C3"), "a", 3),
        ("9", ("D4",), "", 5),
    ]


def test_of_more_than_26_amounts_the_most_shared_have_letters():
    wells = iter(well_names(384))
    counts = [2] * 20 + [3] * 20
    amounts = {
        next(wells): Amount(str(v), v) for v, count in enumerate(counts) for _ in range(count)
    }
    marks = [share.mark for share in shares(amounts, 384)]
    assert "".join(marks) == "abcdefghijklmnopqrstuvwxyz"
    assert marks[:6] == list("abcdef")
    assert all(marks[20:])


def test_names_too_long_for_a_well_stand_as_letters():
    amounts = {"A1": Amount("soy", 0), "B1": Amount("a peptone of wheat", 0)}
    parts = shares(amounts, 96, named=True)
    grid = amounts_grid(parts, ["A1", "B1"], 96)
    assert [cells[0].text for _, cells in grid.rows[:2]] == ["b", "a"]
    letters = [
        part.mark for part in shares({w: Amount(w, 0) for w in well_names(48)}, 48, named=True)
    ]
    assert letters[24:28] == ["y", "z", "aa", "ab"]
    assert len(set(letters)) == 48


def test_even_rows_and_columns_are_told_for_multichannel_pipettes():
    filled = [w for w in well_names(24) if w != "D6"]
    volumes = dict.fromkeys(filled, 5) | {w: k for k, w in enumerate(filled) if w[0] in "BC"}
    volumes |= {"B2": 5, "C2": 5}
    parts = shares({w: Amount(str(v), v) for w, v in volumes.items()}, 24)
    assert [lines for _, lines in even_lines(parts, filled, 24)] == [["A", "D", "2"]]
    assert multichannel_hint(parts, filled, 24, "µL") == (
        "Multichannel pipette: rows A and D and column 2: 5 µL in every filled well."
    )
    assert amounts_grid(parts, filled, 24).even == {"A", "D", "2"}


def test_a_line_with_one_well_left_out_is_not_even():
    filled = ["A1", "A2", "A3", "A4"]
    parts = shares(dict.fromkeys(filled[:3], Amount("5", 5)), 24)
    assert multichannel_hint(parts, filled, 24, "µL") == ""


def test_a_plate_of_one_volume_needs_no_list_of_lines():
    filled = list(well_names(24))
    parts = shares(dict.fromkeys(filled, Amount("5", 5)), 24)
    assert multichannel_hint(parts, filled, 24, "µL") == (
        "Every filled well takes 5 µL: a multichannel or repeating pipette can do it."
    )


def test_pipettes_are_those_whose_range_a_volume_lies_in():
    assert pipettes([0.1, 2.0, 2.1, 20.0, 150.0, 1000.0, 1000.1, 20000.0]) == [
        "no hand pipette for 1 well (0.1 µL)",
        "P2 for 1 well (2 µL)",
        "P20 for 2 wells (2.1 to 20 µL)",
        "P200 for 1 well (150 µL)",
        "P1000 for 1 well (1000 µL)",
        "P5000 for 1 well (1000.1 µL)",
        "measuring cylinder for 1 well (20000 µL)",
    ]


def test_runs_name_the_wells_of_each_source_in_turn():
    drawn = [("A1", "A1"), ("A1", "B1"), ("B1", "B1"), ("A1", "C1")]
    assert runs(drawn) == [("A1", "A1 to B1"), ("B1", "B1"), ("A1", "C1")]
