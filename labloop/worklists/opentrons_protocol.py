"""The text of an Opentrons protocol: a head for people, the dispenses as CSV, and the code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from labloop.worklists.text import number

_ROBOT_TYPES = {"ot2": "OT-2", "flex": "Flex"}
_TRASH = {"ot2": None, "flex": "A3"}  # the OT-2's is fixed

_IMPORTS = """\
import csv

from opentrons import protocol_api
"""

_CODE = '''\
def run(protocol: protocol_api.ProtocolContext) -> None:
    source_plates = {
        number: protocol.load_labware(name, slot, f"source plate {number}")
        for number, (name, slot) in SOURCE_PLATES.items()
    }
    plates = {
        number: protocol.load_labware(name, slot, f"plate {number}")
        for number, (name, slot) in PLATES.items()
    }
    if TRASH:
        protocol.load_trash_bin(TRASH)
    pipettes = {}
    for mount, (name, rack, slots) in PIPETTES.items():
        racks = [protocol.load_labware(rack, slot) for slot in slots]
        pipettes[mount] = protocol.load_instrument(name, mount, tip_racks=racks)
        # Faster, a jet from above splashes into the next wells.
        speed = pipettes[mount].flow_rate
        speed.dispense = min(speed.dispense, MOST_UL_A_SECOND)
        speed.blow_out = min(speed.blow_out, MOST_UL_A_SECOND)
    for title, wells in STOCKS.values():
        liquid = protocol.define_liquid(title)
        for number, well, volume in wells:
            source_plates[number][well].load_liquid(liquid, volume)

    in_use = None  # the stock and the pipette that the tip in use is for
    for row in csv.DictReader(DISPENSES.strip().splitlines()):
        pipette, tip = pipettes[row["pipette"]], (row["stock"], row["pipette"])
        if tip != in_use:
            protocol.comment(f"{STOCKS[int(row['stock'])][0]}, {row['pipette']} pipette")
        if tip != in_use or FRESH_TIP_EACH_DISPENSE:
            drop_tips(pipettes.values())
            pick_up_tip(protocol, pipette)
            in_use = tip
        source = source_plates[int(row["source_plate"])][row["source_well"]]
        well = plates[int(row["plate"])][row["well"]]
        pipette.aspirate(float(row["volume_ul"]), source)
        # A tip that is used again stays above the liquid; one that is fresh each time goes in.
        pipette.dispense(float(row["volume_ul"]), well if FRESH_TIP_EACH_DISPENSE else well.top())
        pipette.blow_out(well.top())
    drop_tips(pipettes.values())


def pick_up_tip(protocol, pipette) -> None:
    """Pick up the next tip; where the racks are empty, wait until the lab has changed them."""
    try:
        pipette.pick_up_tip()
    except protocol_api.labware.OutOfTipsError:
        slots = ", ".join(f"slot {rack.parent}" for rack in pipette.tip_racks)
        protocol.pause(f"Change the tip racks of the {pipette.mount} pipette: {slots}.")
        pipette.reset_tipracks()
        pipette.pick_up_tip()


def drop_tips(pipettes) -> None:
    for pipette in pipettes:
        if pipette.has_tip:
            pipette.drop_tip()
'''


@dataclass(frozen=True)
class Placed:
    """A plate or source plate, by its number, and its slot."""

    number: int
    labware: str
    slot: str


@dataclass(frozen=True)
class Mounted:
    """A pipette on its mount, with its tip racks and how many tips the protocol takes."""

    mount: str
    pipette: str
    rack: str
    slots: tuple[str, ...]
    tips: int


@dataclass(frozen=True)
class Stock:
    """A stock by its number, with the source plate, well and fill in µL of each source well."""

    number: int
    title: str
    wells: tuple[tuple[int, str, float], ...]


@dataclass(frozen=True)
class Protocol:
    """What a protocol does.

    Attributes:
        kind: "ot2" or "flex".
        number: Of the protocol, from 1, among all `of` protocols of the round.
        of: How many protocols the round has.
        sources: The source plates.
        plates: The plates.
        pipettes: The pipettes.
        stocks: The stocks.
        fresh_tip_each_dispense: Else one tip a stock and pipette, from above the liquid.
        inoculum_ul: What the lab adds to each well itself.
        dispenses: Lines of CSV as in `DISPENSE_COLUMNS`.

    """

    kind: str
    number: int
    of: int
    sources: tuple[Placed, ...]
    plates: tuple[Placed, ...]
    pipettes: tuple[Mounted, ...]
    stocks: tuple[Stock, ...]
    fresh_tip_each_dispense: bool
    inoculum_ul: float
    dispenses: tuple[str, ...]


DISPENSE_COLUMNS = (
    "stock",
    "source_plate",
    "source_well",
    "plate",
    "well",
    "volume_ul",
    "pipette",
)


def protocol_text(protocol: Protocol) -> str:
    """Return the whole file."""
    constants = [
        'metadata = {"author": "labloop"}',
        f'requirements = {{"robotType": "{_ROBOT_TYPES[protocol.kind]}", "apiLevel": "2.20"}}',
        "",
        "# number: (labware, slot)",
        *_table("SOURCE_PLATES", ((s.number, (s.labware, s.slot)) for s in protocol.sources)),
        *_table("PLATES", ((s.number, (s.labware, s.slot)) for s in protocol.plates)),
        f"TRASH = {_TRASH[protocol.kind]!r}",
        "# mount: (pipette, its tip racks, their slots)",
        *_table("PIPETTES", ((p.mount, (p.pipette, p.rack, p.slots)) for p in protocol.pipettes)),
        "# number: (stock, [(source plate, well, µL to fill in), ...])",
        *_table("STOCKS", ((s.number, (s.title, list(s.wells))) for s in protocol.stocks)),
        "MOST_UL_A_SECOND = 100",
        f"FRESH_TIP_EACH_DISPENSE = {protocol.fresh_tip_each_dispense}",
        "",
        'DISPENSES = """',
        ",".join(DISPENSE_COLUMNS),
        *protocol.dispenses,
        '"""',
        *[""] * 3,
    ]
    head = "".join(f"# {line}".rstrip() + "\n" for line in _head(protocol))
    return "\n".join([head, _IMPORTS, *constants]) + _CODE


def _table(name: str, rows: Iterable[tuple[object, object]]) -> list[str]:
    return [f"{name} = {{", *(f"    {key!r}: {value!r}," for key, value in rows), "}"]


def _head(protocol: Protocol) -> Iterator[str]:
    """Yield the lines that tell the lab what to put where."""
    machine = _ROBOT_TYPES[protocol.kind]
    yield f"Dispenses of one round on an Opentrons {machine}, written by labloop."
    if protocol.of > 1:
        numbers = ", ".join(str(plate.number) for plate in protocol.plates)
        yield f"Protocol {protocol.number} of {protocol.of}, for plates {numbers}. All source"
        yield "plates stay where they are until the last protocol is done."
    yield ""
    yield "On the deck:"
    deck = [
        *((p.slot, f"source plate {p.number}", p.labware, "") for p in protocol.sources),
        *((p.slot, f"plate {p.number}", p.labware, "") for p in protocol.plates),
    ]
    for each in protocol.pipettes:
        use = f"{each.mount} pipette, {each.pipette}, {each.tips} tip{'s' * (each.tips > 1)}"
        deck += [(slot, "tip rack", each.rack, use) for slot in each.slots]
    yield from _columns([("slot", "what", "labware", ""), *deck])
    yield ""
    yield "To fill into the source plates, in µL, dead volume included:"
    wells = [
        (str(plate), well, number(fill), _printable(stock.title))
        for stock in protocol.stocks
        for plate, well, fill in stock.wells
    ]
    yield from _columns([("source plate", "well", "µL", "stock"), *wells])
    if protocol.inoculum_ul:
        yield ""
        yield f"The lab adds {number(protocol.inoculum_ul)} µL of inoculum to each well afterwards."


def _columns(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  "
        + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _printable(text: str) -> str:
    """Return text that cannot end a comment."""
    return "".join(mark if mark.isprintable() else " " for mark in text)
