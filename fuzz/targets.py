"""What is fuzzed: bytes in; a clean result or a labloop error out, never another exception.

Each target has seeds, from which the fuzzer starts. The entry points and their promises are those
of `tests/tables/test_fuzzed.py`: `read` reads bytes in every way and checks what comes out.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from labloop.definition import Definition, parse
from labloop.errors import DefinitionError, RefusedError
from labloop.surrogate.pretraining import Pretrained, pretrain
from labloop.surrogate.training import Recipe
from tests.tables import test_fuzzed as tables

_CAMPAIGNS = Path(__file__).resolve().parents[1] / "campaigns"
_DECIMALS = (None, ",", ".")
_ENCODINGS = (None, None, None, "cp1252", "gbk", "utf-16")
_PLATES = (None, None, "1", "7")


@dataclass(frozen=True)
class Target:
    """A function of bytes that must return, the `seeds` it starts from, and words it tries."""

    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    words: tuple[str, ...]


# -- tables ------------------------------------------------------------------------------------


def read_csv(content: bytes) -> None:
    """Read a CSV file; its first byte chooses the options."""
    choice, text = content[:1] or b"\0", content[1:]
    number = choice[0]
    tables.read(
        text,
        "any.csv",
        decimal=_DECIMALS[number % 3],
        encoding=_ENCODINGS[number // 3 % 6],
        plate=_PLATES[number // 18 % 4],
    )


def csv_seeds() -> list[bytes]:
    """Return tables and plates with each separator."""
    rows = [
        ["plate", "well", "formula", "Dextrose [g/L]", "extract", "OD600", "titre (mg/L)"],
        ["1", "A2", "7", "1.8", "soy", "0.5", "2"],
        ["1", "B03", "7", "1.8", "soy", "<LOD", "<0.1"],
        ["1", "C5", "8", "0", "wheat", "", "OVRFLW"],
    ]
    texts = [tables.as_csv(rows, separator) for separator in ",;\t"]
    grid = [["OD600", *map(str, range(1, 7))], *([row, *["0,5"] * 6] for row in "ABCD")]
    texts += [tables.as_csv([["Reader 7"], [], *grid, [], *grid], separator) for separator in ";\t"]
    texts.append("well;OD600\nA1;1.234,5\nA2;0,5\n".encode("utf-16"))
    return [bytes([number]) + text for number, text in enumerate(texts)]


def read_workbook(content: bytes) -> None:
    """Read a small workbook, one part of which is replaced; the first byte says which."""
    parts = dict(tables.workbook())
    names = sorted(parts)
    number = content[0] if content else 0
    sheet = (None, "table", "600")[number // 16 % 3]
    if number == 255:
        tables.read(b"PK\x03\x04" + content[1:], "any.xlsx")
        return
    parts[names[number % 16 % len(names)]] = content[1:]
    tables.read(tables.as_workbook(parts), "book.xlsx", sheet=sheet)


def workbook_seeds() -> list[bytes]:
    """Return every part of the workbook, and the archive of all."""
    parts = tables.workbook()
    archive = tables.as_workbook(parts)
    return [
        *(bytes([place]) + parts[name] for place, name in enumerate(sorted(parts))),
        b"\xff" + archive[4:],
    ]


def read_grid(content: bytes) -> None:
    """Read a plate of letters and numbers that bytes spoil, as the property test draws it."""
    tables.test_plates.hypothesis.fuzz_one_input(content)


def read_declared(content: bytes) -> None:
    """Read a CSV file by the instrument that stands before it as TOML."""
    text, _, table = content.partition(b"\0")
    with contextlib.suppress(DefinitionError, UnicodeDecodeError):
        definition = parse(_REST + text.decode())
        for instrument in definition.instruments:
            tables.read(table, "reader.csv", instrument=instrument)
            tables.read(tables.as_workbook(tables.workbook()), "reader.xlsx", instrument=instrument)


def read_drawn_layout(content: bytes) -> None:
    """Read a table by an instrument, both drawn from bytes as the property test draws them."""
    tables.test_declared_layouts_of_csv.hypothesis.fuzz_one_input(content)


_REST = """
name = "fuzzed"
plate = {wells = 96, well_volume_ul = 200.0}
robot = {kind = "biomek"}
component = [{name = "glucose", unit = "mM", low = 0.0, high = 10.0, stocks = [200.0]}]
response = [{name = "OD600", goal = "maximize"}, {name = "titre", unit = "g/L", goal = "observe"}]
"""


def declared_seeds() -> list[bytes]:
    """Return instruments of each form, with a file that they fit."""
    head = '[[instrument]]\nname = "reader"\n'
    block = '[[instrument.block]]\nholds = "OD600"\n'
    grid = tables.as_csv([["", *map(str, range(1, 7))], *([row, *"123456"] for row in "ABCD")])
    return [
        f'{head}{block}form = "grid"\ncells = "A1"\nplate = "1"\n\0'.encode() + grid,
        f'{head}decimal = ","\nencoding = "cp1252"\n{block}form = "list"\n\0'.encode()
        + b"A1;0,5\nA2;1,5\n",
        f'{head}words = {{ "SAT" = "above_range" }}\n[[instrument.block]]\nform = "table"\n'
        f"header_rows = 2\n\0".encode()
        + b"well,OD,titre\n,600,[mg/L]\nA1,0.5,SAT\n",
        f'{head}{block}sheet = "600"\nunit = "mg/L"\n\0'.encode() + grid,
    ]


# -- definitions -------------------------------------------------------------------------------


def read_definition(content: bytes) -> None:
    """Check a campaign.toml; one without problem is the same when it was written and read again."""
    with contextlib.suppress(DefinitionError, UnicodeDecodeError):
        definition: Definition = parse(content.decode())
        assert parse(definition.to_toml()) == definition


def definition_seeds() -> list[bytes]:
    """Return the ready-made definitions without comments, and a short one with every section."""
    found = []
    for path in sorted(_CAMPAIGNS.glob("*.toml")):
        lines = path.read_text(encoding="utf-8").splitlines()
        found.append("\n".join(line for line in lines if line[:1] not in ("#", "")).encode())
    return [*found, _REST.encode()]


# -- models ------------------------------------------------------------------------------------


@cache
def learned() -> tuple[bytes, dict[str, object]]:
    """Return the stored form of a network that learned a little."""
    rng = np.random.default_rng(0)
    X = rng.random((12, 3))
    Y = np.column_stack([X[:, 0] - X[:, 1], X[:, 2]])
    source = np.zeros(12, dtype=int)
    return pretrain(X, Y, source, layers=3, members=1, recipe=Recipe(epochs=2)).to_blob()


def read_model(content: bytes) -> None:
    """Load a network: after a zero byte weights, after another byte settings as JSON."""
    blob, settings = learned()
    with contextlib.suppress(RefusedError):
        if content[:1] == b"\0":
            Pretrained.from_blob(content[1:], settings)
        else:
            try:
                given = json.loads(content[1:])
            except (ValueError, RecursionError):
                return
            Pretrained.from_blob(blob, given)


def model_seeds() -> list[bytes]:
    """Return weights and settings that belong together."""
    blob, settings = learned()
    return [b"\0" + blob, b"\1" + json.dumps(settings).encode()]


_KEYS = ("well", "plate", "formula", "replicate", "OD600", "titre", "[mM]", "(g/L)", "Dextrose")
_WORDS = ("<LOD", "OVRFLW", "#N/A", "1.234,5", "0,5", "A01", "H12", ";", "\\x09", '\\"')
_XML = (
    *("<row", "<c r=", "<v>", "</v>", "<f>", "<is><t>", 't=\\"s\\"', 't=\\"e\\"', 't=\\"b\\"'),
    *("mergeCell", "<!DOCTYPE", "<!ENTITY", "&#", "sheetId", "r:id", "numFmtId", "<dimension"),
)
_TOML = (
    *("name", "unit", "low", "high", "stocks", "molar_mass", "choices", "levels", "step", "scale"),
    *("[[component]]", "[[response]]", "[[constraint]]", "[plate]", "[robot]", "[formulas.x]"),
    *("[aliases]", "[noise]", "[[instrument]]", "[[instrument.block]]", "holds", "form", "cells"),
    *("total", "present", "at_most", "at_least", "equals", "goal", "bound", "range", "nan", "inf"),
)

TARGETS: dict[str, Target] = {
    "csv": Target(read_csv, csv_seeds, (*_KEYS, *_WORDS)),
    "workbook": Target(read_workbook, workbook_seeds, _XML),
    "grid": Target(read_grid, lambda: [bytes(64)], _WORDS),
    "instrument": Target(read_declared, declared_seeds, (*_TOML, *_WORDS)),
    "layout": Target(read_drawn_layout, lambda: [bytes(64)], _WORDS),
    "definition": Target(read_definition, definition_seeds, _TOML),
    "model": Target(read_model, model_seeds, ("F32", "F64", "I64", "BOOL", "NaN", "1e999", "null")),
}
