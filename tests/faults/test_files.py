"""Files of results as labs hand them in: read for what they say, or refused with the cell."""

from __future__ import annotations

import openpyxl
import pytest

from labloop import Campaign
from tests.campaign.conftest import Lab
from tests.faults.conftest import Folder, write

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")

HEADER = "well,titre,viability"


def stored(folder):
    """(well, response) → (value, status) of everything that a campaign has measured."""
    with Campaign.open(folder.path) as campaign:
        frame = campaign.wells()
    outcomes = zip(frame["value"].tolist(), frame["status"], strict=True)
    return dict(zip(zip(frame["well"], frame["response"], strict=True), outcomes, strict=True))


def refused(run, folder, *command):
    """The problems of a command that rejects a file and changes nothing."""
    old = folder.files()
    code, out, error = run(command[0], folder, *command[1:])
    assert (code, out) == (3, ""), error
    assert folder.files() == old
    head, *problems = error.rstrip("\n").split("\n")
    assert head.startswith("labloop: ")
    assert "nothing was changed:" in head
    return [problem.removeprefix("  - ") for problem in problems]


# -- encodings ---------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_byte_order_marks_are_read_as_utf_8(waiting, wells, run, tmp_path, encoding):
    file = write(tmp_path / "results.csv", HEADER + ",Prüfer", [(*w, "培地") for w in wells],
                 encoding=encoding)  # fmt: skip
    code, _, error = run("record", waiting, file, "--ignore", "Prüfer")
    assert code == 0, error
    assert {well: stored(waiting)[well, "titre"] for well, _, _ in wells} == {
        well: (titre, "ok") for well, titre, _ in wells
    }


@pytest.mark.parametrize(("encoding", "note"), [("gbk", "培地"), ("latin-1", "Prüfung")])
def test_other_encodings_are_refused_and_read_when_told(
    waiting, wells, run, tmp_path, encoding, note
):
    lines = [(*wells[0], ""), (*wells[1], note), *((*w, "") for w in wells[2:])]
    file = write(tmp_path / "results.csv", HEADER + ",note", lines, encoding=encoding)
    byte = note.encode(encoding)[encoding == "latin-1" and 2 :][0]
    assert refused(run, waiting, "record", file) == [
        f"results.csv, line 3: byte 0x{byte:02X} is not utf-8 text; say which encoding it is with "
        "--encoding (latin-1 and cp1252 are common in Europe, gbk in China), or save it as UTF-8"
    ]
    options = ("--encoding", encoding, "--ignore", "note")
    assert run("record", waiting, file, *options)[0] == 0
    assert stored(waiting)[wells[1][0], "titre"] == (wells[1][1], "ok")


# -- numbers -----------------------------------------------------------------------------------


def test_decimal_commas_between_semicolons_need_no_option(waiting, wells, run, tmp_path):
    lines = [(w, str(t).replace(".", ","), str(v).replace(".", ",")) for w, t, v in wells]
    file = write(tmp_path / "results.csv", HEADER.replace(",", ";"), lines, separator=";")
    code, _, error = run("record", waiting, file)
    assert code == 0, error
    assert stored(waiting)[wells[0][0], "titre"] == (wells[0][1], "ok")


@pytest.mark.parametrize(
    ("text", "decimal", "value", "why"),
    [
        (
            "1.234,5", ",", 1234.5,
            '"1.234,5" has a comma; say what the decimal mark is with --decimal , or .',
        ),
        (
            "1,234", ",", 1.234,
            '"1,234" can be 1.234 or 1234; say which with --decimal , or --decimal .',
        ),
        (
            "1,234", ".", 1234.0,
            '"1,234" can be 1.234 or 1234; say which with --decimal , or --decimal .',
        ),
    ],
)  # fmt: skip
def test_decimals_that_could_be_two_numbers_need_decimal(
    waiting, wells, run, tmp_path, text, decimal, value, why
):
    file = write(tmp_path / "results.csv", "well;titre", [(wells[0][0], text)], separator=";")
    assert refused(run, waiting, "record", file) == [f'results.csv, row 2, column "titre": {why}']
    assert run("record", waiting, file, "--decimal", decimal)[0] == 0
    assert stored(waiting)[wells[0][0], "titre"] == (value, "ok")


@pytest.mark.parametrize(
    "text", ["1_000", "１２", "nan", "inf", "-inf", "1e999", "0x10", "٣", "1 000", "5%", "TRUE"]
)
def test_odd_numbers_are_refused(waiting, wells, run, tmp_path, text):
    file = write(tmp_path / "results.csv", "well,titre", [(wells[0][0], text)])
    (problem,) = refused(run, waiting, "record", file)
    assert problem.startswith(f'results.csv, row 2, column "titre": "{text}" ')


STATUSES = {
    "<LOD": ("below_range", None),
    "<0.5": ("below_range", 0.5),
    ">4.0": ("above_range", 4.0),
    "OVRFLW": ("above_range", None),
    "": ("missing", None),
    "#N/A": ("missing", None),
}


def test_status_words_are_statuses_and_never_numbers(waiting, wells, run, tmp_path):
    names = [well for well, _, _ in wells]
    lines = [(well, text, 90) for well, text in zip(names, STATUSES, strict=False)]
    assert run("record", waiting, write(tmp_path / "results.csv", HEADER, lines))[0] == 0
    found = {row[2]: row for row in measured(waiting, "titre")}
    for well, (status, limit) in zip(names, STATUSES.values(), strict=False):
        assert found[well][:2] == (limit, status)


def measured(folder, response):
    import sqlite3

    connection = sqlite3.connect(folder.database)
    rows = connection.execute(
        "SELECT m.value, m.status, w.well FROM measurement AS m "
        "JOIN well AS w ON w.id = m.well JOIN response AS r ON r.id = m.response "
        "WHERE r.name = ?",
        (response,),
    ).fetchall()
    connection.close()
    return rows


def test_other_texts_are_refused_with_their_cell(waiting, wells, run, tmp_path):
    lines = [(wells[0][0], "cloudy"), (wells[1][0], "***")]
    assert refused(run, waiting, "record", write(tmp_path / "r.csv", "well,titre", lines)) == [
        'r.csv, row 2, column "titre": "cloudy" is not a number; write a number, or leave it '
        "blank, NA, <LOD or OVRFLW where there is none",
        'r.csv, row 3, column "titre": "***" stands for more than one thing; say what it means '
        "here with words of an [[instrument]] in campaign.toml",
    ]


# -- headers -----------------------------------------------------------------------------------


def two_rows(path, wells):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["well", "reader 7", None])
    sheet.append([None, "titre", "viability"])
    sheet.merge_cells("B1:C1")
    sheet.merge_cells("A1:A2")
    for line in wells:
        sheet.append(line)
    book.save(path)
    return path


def test_merged_and_two_row_headers_are_refused_or_read_as_declared(waiting, wells, run, tmp_path):
    file = two_rows(tmp_path / "reader.xlsx", wells)
    assert refused(run, waiting, "record", file)
    block = {"form": "table", "header_rows": 2}
    aliases = {"reader 7 titre": "titre", "reader 7 viability": "viability"}
    with Campaign.open(waiting.path) as campaign:
        definition = Lab.definition(aliases=aliases, instrument=[{"name": "r7", "block": [block]}])
        Lab.rewrite(campaign, definition).close()
    code, _, error = run("record", waiting, file, "--instrument", "r7")
    assert code == 0, error
    assert stored(waiting)[wells[-1][0], "viability"] == (wells[-1][2], "ok")


# -- wells -------------------------------------------------------------------------------------


def test_duplicate_wells_are_refused(waiting, wells, run, tmp_path):
    name = wells[0][0]
    padded = f"{name[0].lower()}0{name[1:]}"
    file = write(tmp_path / "r.csv", "well,titre", [(name, 1), (padded, 2)])
    (problem,) = refused(run, waiting, "record", file)
    assert problem.startswith('r.csv, row 3, column "well": ')
    assert name in problem


def test_missing_wells_are_listed(waiting, wells, run, tmp_path):
    file = write(tmp_path / "r.csv", HEADER, wells[2:])
    code, _, error = run("record", waiting, file)
    assert code == 0
    absent = next(line for line in error.splitlines() if line.startswith("Nothing was said of"))
    assert absent == f"Nothing was said of: {wells[0][0]}, {wells[1][0]}."
    _, out, _ = run("status", waiting)
    assert "recorded in part: titre of 2 wells, viability of 2 wells missing" in out


def test_off_plate_and_empty_wells_are_refused(waiting, run, tmp_path):
    for name, why in (
        ("I1", "holds no formula"),
        ("A13", "holds no formula"),
        ("Z99", ""),
        ("A1", "holds no formula"),
    ):
        file = write(tmp_path / "r.csv", "well,titre", [(name, 1)])
        (problem,) = refused(run, waiting, "record", file)
        assert problem.startswith('r.csv, row 2, column "well": ')
        assert name in problem
        assert why in problem


def test_names_of_wells_are_normalised(waiting, wells, run, tmp_path):
    lines = [(f"{w[0].lower()}{int(w[1:]):03}", t, v) for w, t, v in wells]
    assert run("record", waiting, write(tmp_path / "r.csv", HEADER, lines))[0] == 0
    assert stored(waiting)[wells[0][0], "titre"] == (wells[0][1], "ok")


def test_results_of_another_plate_or_round_are_refused(waiting, wells, run, tmp_path):
    file = write(tmp_path / "plate.csv", "plate,well,titre", [("7", wells[0][0], 1)])
    (problem,) = refused(run, waiting, "record", file)
    assert problem == (
        'plate.csv, row 2, column "well": plate "7" is not in this round, which has 1; is this the '
        "file of another round?"
    )
    file = write(tmp_path / "formula.csv", "formula,titre", [("9999", 1)])
    (problem,) = refused(run, waiting, "record", file)
    assert problem == (
        'formula.csv, row 2, column "formula": formula "9999" is not in this round'
    ) or problem.startswith('formula.csv, row 2, column "formula": formula "9999" is not in')
    old = waiting.files()
    file = write(tmp_path / "round.csv", "well,titre", [(wells[0][0], 1)])
    code, out, error = run("record", waiting, file, "--round", 2)
    assert (code, out) == (1, "")
    assert error.startswith("labloop: ")
    assert "round 2" in error.casefold()
    assert waiting.files() == old


# -- units -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mass", [180.16, None])
def test_mass_in_place_of_moles_is_converted_by_the_molar_mass_or_refused(run, tmp_path, mass):
    components = Lab.definition()["component"]
    if mass is not None:
        components[0]["molar_mass"] = mass
    with Campaign.create(tmp_path / "small", Lab.definition(component=components)) as campaign:
        folder = Folder(campaign.folder)
    header = "glucose [g/L],glutamine,iron,zinc,titre"
    file = write(tmp_path / "earlier.csv", header, [(0.9008, 0, 0, 0, 2.5)])
    command = ("history", file, "--source", "HEK")
    if mass is None:
        (problem,) = refused(run, folder, *command)
        assert problem.startswith('earlier.csv, column "glucose [g/L]": ')
        assert "molar_mass" in problem
    else:
        assert run(command[0], folder, *command[1:])[0] == 0
        amounts = [row for row in folder.rows()["amount"] if row[2]]
        assert len([row for row in amounts if row[2] == pytest.approx(5.0)]) == 1
