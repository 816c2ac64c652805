import csv
import io

import pandas as pd

from labloop.worklists import biomek

WORKLIST = b"""\
Source Position,Source Well,Destination Position,Destination Well,Transfer Volume [uL]
P1,A1,P2,A1,42.5
P1,A1,P2,A1,42.5
P1,A1,P2,A2,45
P1,A1,P2,A2,45
P1,A1,P3,D6,42.5
P1,A1,P3,D6,42.5
P1,B1,P2,A1,5
P1,C1,P3,D6,5
"""

DECK = b"""\
position,labware
P1,source plate 1
P2,plate 1
P3,plate 2
"""


def test_worklist_to_the_byte(plan):
    assert biomek.worklist(plan) == {"biomek.csv": WORKLIST, "biomek-deck.csv": DECK}


def test_volumes_read_back_are_the_plan(plan):
    text = biomek.worklist(plan)["biomek.csv"].decode("ascii")
    read = pd.DataFrame(csv.DictReader(io.StringIO(text)))
    volume = read["Transfer Volume [uL]"].astype(float)
    assert list(volume) == list(plan.dispenses["volume_ul"])
