from dataclasses import replace

from labloop.worklists import deck, manual

DECK = b"""\
source_plate,source_well,stock,stock_concentration,unit,volume_ul,dead_volume_ul,fill_volume_ul,stock_fill_ul,note
1,A1,water,,,260,20,280,280,
1,B1,glucose,100,mM,5,20,25,25,
1,C1,glucose,10,mM,5,20,25,25,
,,inoculum,,,30,,,30,added last by the lab: 10 uL to each of 3 wells
"""

BY_HAND = b"""\
plate,well,component,amount,unit
1,A1,peptone,soy,g/L
1,A2,peptone,soy,g/L
2,D6,peptone,wheat,g/L
"""

BENCH = b"""\
stock,stock_concentration,unit,source_plate,source_well,plate,well,volume_ul
water,,,1,A1,1,A1,42.5
water,,,1,A1,1,A1,42.5
water,,,1,A1,1,A2,45
water,,,1,A1,1,A2,45
water,,,1,A1,2,D6,42.5
water,,,1,A1,2,D6,42.5
glucose,100,mM,1,B1,1,A1,5
glucose,10,mM,1,C1,2,D6,5
"""


def test_deck_list_to_the_byte(plan):
    assert deck.deck_csv(plan) == DECK


def test_no_inoculum_no_line(plan):
    dry = replace(plan, plate=plan.plate.model_copy(update={"inoculum_ul": 0.0}))
    assert b"inoculum" not in deck.deck_csv(dry)


def test_what_the_lab_adds_by_hand_to_the_byte(plan):
    assert deck.by_hand_csv(plan) == {"by-hand.csv": BY_HAND}


def test_nothing_by_hand_no_file(plan):
    recipes = plan.recipes[plan.recipes["component"] == "glucose"]
    assert deck.by_hand_csv(replace(plan, recipes=recipes)) == {}


def test_bench_list_to_the_byte(plan):
    assert manual.worklist(plan) == {"bench-list.csv": BENCH}
