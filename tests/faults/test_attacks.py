"""Files, names and blobs that are meant to do harm: refused at the door, or harmless as text."""

from __future__ import annotations

import csv
import io
import json
import pickle
import sqlite3
import sys
import zipfile

import openpyxl
import pytest

from labloop import Campaign, store
from tests.campaign.conftest import Lab
from tests.faults.conftest import write
from tests.faults.test_files import refused

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")

CALCULATIONS = ["=cmd|' /C calc'!A0", "+1", "-1+1", "@SUM(A1)", "\tx", "\rx", "＝1"]


# -- workbooks ---------------------------------------------------------------------------------


def parts_of(book):
    content = io.BytesIO()
    book.save(content)
    with zipfile.ZipFile(content) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(path, parts):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


@pytest.fixture
def parts(wells):
    """The parts of a workbook with results, its texts in sharedStrings."""
    book = openpyxl.Workbook()
    for line in (("well", "titre", "viability"), *wells):
        book.active.append(line)
    found = parts_of(book)
    space = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    found.setdefault("xl/sharedStrings.xml", b'<sst xmlns="' + space + b'"/>')
    return found


@pytest.fixture
def unparsed(monkeypatch):
    """Fail the test if anything parses a workbook."""

    def parse(*arguments, **options):
        raise AssertionError("the workbook was parsed")

    monkeypatch.setattr("openpyxl.load_workbook", parse)


def test_a_workbook_of_1_mb_that_unpacks_to_207_mb_is_refused(
    waiting, parts, run, tmp_path, unparsed
):
    sheet = parts["xl/worksheets/sheet1.xml"]
    row = b'<row r="2"><c r="A2"><v>1</v></c></row>'
    head, tail = sheet.split(b"</sheetData>")
    parts["xl/worksheets/sheet1.xml"] = (
        head + row * (207 * 2**20 // len(row)) + b"</sheetData>" + tail
    )
    file = packed(tmp_path / "bomb.xlsx", parts)
    assert file.stat().st_size < 2 * 2**20
    assert refused(run, waiting, "record", file) == [
        "bomb.xlsx: the workbook would unpack to 207 MB; that is no table of measurements; save "
        "the sheet as CSV"
    ]


BOMB = (
    b"""<!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>"""
)
FILE = b"""<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>"""


@pytest.mark.parametrize("doctype", [BOMB, FILE], ids=["bomb", "file"])
@pytest.mark.parametrize(
    "part", ["xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/workbook.xml"]
)
def test_xml_entities_are_refused(waiting, parts, run, tmp_path, unparsed, part, doctype):
    xml = parts[part]
    start = xml.index(b"?>") + 2 if xml.startswith(b"<?xml") else 0
    parts[part] = xml[:start] + doctype + xml[start:]
    file = packed(tmp_path / "entities.xlsx", parts)
    assert refused(run, waiting, "record", file) == [
        f'entities.xlsx: its part "{part}" declares an XML document type, which no spreadsheet '
        "program writes; export the sheet again"
    ]


def test_the_same_workbook_without_harm_is_read(waiting, parts, run, tmp_path):
    assert run("record", waiting, packed(tmp_path / "good.xlsx", parts))[0] == 0


# -- names -------------------------------------------------------------------------------------


def with_name(kind, name):
    """A definition in which something has a name."""
    definition = Lab.definition()
    if kind == "component":
        definition["component"][1]["name"] = name
    elif kind == "choice":
        definition["component"].append({"name": "extract", "choices": ["soy", name]})
    elif kind == "response":
        definition["response"][1]["name"] = name
    elif kind == "formula":
        definition["formulas"][name] = {"glucose": 1.0}
    elif kind == "stock":
        definition["plate"]["diluent"] = name
    elif kind == "alias":
        definition["aliases"] = {name: "glucose"}
    elif kind == "instrument":
        definition["instrument"] = [{"name": name, "block": [{"form": "table"}]}]
    elif kind == "campaign":
        definition["name"] = name
    return definition


KINDS = ("component", "choice", "response", "formula", "stock", "alias", "instrument", "campaign")


def as_toml(definition):
    """A definition as TOML, names and all, without a check."""
    lines = [
        f"{key} = {inline(value)}" if key != "formulas" else f"formulas = {inline(value)}"
        for key, value in definition.items()
    ]
    return "\n".join(lines) + "\n"


def inline(value):
    if isinstance(value, dict):
        pairs = ", ".join(f"{json.dumps(k)} = {inline(v)}" for k, v in value.items())
        return f"{{ {pairs} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(inline, value))}]"
    return json.dumps(value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", CALCULATIONS)
def test_names_that_begin_a_calculation_are_refused_at_the_door(new, run, kind, name):
    (new.path / "campaign.toml").write_text(as_toml(with_name(kind, name)), encoding="utf-8")
    old = new.files()
    code, out, error = run("check", new)
    assert (code, out) == (1, ""), error
    mark = name[0]
    assert (
        f'must not begin with "{mark}", which spreadsheets take for a calculation' in error
        or "must not begin or end with a space" in error
    )
    assert "\t" not in error
    assert "\r" not in error
    assert new.files() == old


@pytest.mark.parametrize("name", CALCULATIONS)
def test_sources_that_begin_a_calculation_are_refused(new, run, lab, tmp_path, name):
    file = tmp_path / "earlier.csv"
    lab.history(3).to_csv(file, index=False)
    code, out, error = run("history", new, file, "--source", name)
    if name.strip() == name:
        assert (code, out) == (1, "")
        assert error == (
            f'labloop: The name of a source must not begin with "{name[0]}", which spreadsheets '
            "take for a calculation.\n"
        )
    else:
        assert code == 0, "what is blank around a name is no part of it"
        assert '"source": "x"' in new.rows()["event"][-1][-1]


FREE = '=HYPERLINK("http://x","y")<script>alert(1)</script>'


def cells(path):
    text = path.read_text(encoding="utf-8-sig")
    return [cell for row in csv.reader(io.StringIO(text)) for cell in row]


def test_free_text_is_escaped_in_every_csv_and_page(done, run, lab, tmp_path):
    """Labels of candidates, reasons and descriptions may hold anything, and are data everywhere."""
    with Campaign.open(done.path) as campaign:
        Lab.rewrite(campaign, Lab.definition(description=FREE)).close()
    candidates = lab.history(4, seed=3)[lab.names].round(0)
    candidates.insert(0, "candidate", [f"{FREE} {n}" for n in range(4)])
    file = tmp_path / "candidates.csv"
    candidates.to_csv(file, index=False)
    code, _, error = run("propose", done, "--candidates", file, "--formulas", 2, "--seed", 1)
    assert code == 0, error
    well = next(row[3] for row in done.rows()["well"] if row[4] != "empty")
    reason = ("--reason", FREE)
    assert run("exclude", done, "--round", 1, "--well", well, *reason)[0] == 0
    out = tmp_path / "out"
    for kind in ("biomek", "manual"):
        code, _, error = run("export", done, "--to", kind, "--out", out / kind)
        assert code == 0, error
    for number in (1, 2):
        page = out / f"report-{number}.html"
        assert run("report", done, "--round", number, "--out", page)[0] == 0
    pages = list(out.rglob("*.html"))
    assert len(pages) >= 3
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "<script>alert(1)" not in text
    sheets = list(out.rglob("*.csv"))
    assert len(sheets) >= 3
    for sheet in sheets:
        assert not [c for c in cells(sheet) if c.startswith(("=", "@", "\t", "\r"))], sheet


# -- names of campaigns ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["CON", "nul.txt", "Lpt1", "x.", "x ", " x", "a?b", "a:b", "a\tb", "a\x1bb", "=x", "-x"]
)
def test_names_of_campaigns_that_a_system_cannot_have_are_refused(run, tmp_path, name):
    home = tmp_path / "home"
    home.mkdir()
    code, out, error = run("init", home / name)
    assert (code, out) == (1, "")
    shown = name.replace("\t", "�").replace("\x1b", "�")
    assert error.startswith(f'labloop: A campaign cannot be called "{shown}": ')
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("name", ["../x", "a/../../x", "..", "/"])
def test_names_that_lead_out_of_the_campaigns_are_refused(run, tmp_path, monkeypatch, name):
    home = tmp_path / "lab"
    (home / "campaigns").mkdir(parents=True)
    monkeypatch.chdir(home)
    code, out, error = run("init", name)
    assert (code, out) == (1, "")
    assert error.startswith("labloop: ")
    assert [path.name for path in tmp_path.iterdir()] == ["lab"]
    assert list((home / "campaigns").iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_campaign_that_is_a_link_is_refused(run, tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.mkdir()
    link.symlink_to(target)
    assert run("init", link) == (
        1,
        "",
        f'labloop: "{link}" is a link; give the folder that it points to.\n',
    )
    assert list(target.iterdir()) == []


@pytest.mark.parametrize("name", ["../x", "/abs/x", "CON", "a/b\\c"])
def test_no_name_in_campaign_toml_leads_files_out_of_their_folder(waiting, run, tmp_path, name):
    with Campaign.open(waiting.path) as campaign:
        Lab.rewrite(campaign, Lab.definition(name=name)).close()
    out = tmp_path / "deep" / "out"
    code, told, error = run("export", waiting, "--to", "manual", "--out", out)
    assert code == 0, error
    paths = told.splitlines()
    assert paths
    assert sorted(paths) == sorted(str(path) for path in out.iterdir())


# -- models ------------------------------------------------------------------------------------


class Evil:
    """What a pickle would run."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def spoil(folder, weights=None, metadata=None):
    """Put other bytes in the place of a stored network, as whoever has the file can do."""
    connection = sqlite3.connect(folder.database)
    triggers = connection.execute(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'model'"
    ).fetchall()
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    if weights is not None:
        connection.execute("UPDATE model SET weights = ?", (weights,))
    if metadata is not None:
        connection.execute("UPDATE model SET metadata = ?", (metadata,))
    for _, sql in triggers:
        connection.execute(sql)
    connection.commit()
    connection.close()


def test_a_malicious_model_is_refused_and_nothing_is_executed(learned, run, tmp_path):
    evidence = tmp_path / "evidence"
    with store.open_store(learned.database) as opened:
        model = store.latest_model(opened, "pretrained")
    settings = dict(model.metadata)
    deep = "[" * 900 + "]" * 900
    for weights, metadata in (
        (pickle.dumps(Evil(evidence)), None),
        (b"PK\x03\x04" + pickle.dumps(Evil(evidence)), None),
        ((2**40).to_bytes(8, "little") + b"{}", None),
        (model.weights[: len(model.weights) // 2], None),
        (model.weights, json.dumps(settings | {"network": None})),
        (model.weights, json.dumps(settings | {"network": {"format": 4, "recipe": []}})),
        (model.weights, json.dumps(settings | {"network": {"format": []}})),
        (model.weights, json.dumps(settings | {"network": 0})[:-1] + f', "x": {deep}}}'),
        (model.weights, json.dumps({k: v for k, v in settings.items() if k != "network"})),
    ):
        spoil(learned, weights, json.dumps(settings) if metadata is None else metadata)
        old = learned.rows()
        code, out, error = run("propose", learned, "--seed", 1)
        assert (code, out) == (1, "")
        assert error.startswith("labloop: The stored network cannot be used (")
        assert error.endswith("); pretrain again to replace it.\n")
        assert learned.rows() == old
    assert not evidence.exists()


def test_a_model_of_who_knows_what_is_not_used(learned, run):
    for metadata in ("[]", "1", '"x"', "{}", '{"subject": []}'):
        spoil(learned, metadata=metadata)
        assert "labloop pretrain" in run("status", learned)[1]
        assert run("propose", learned, "--seed", 1) == (
            1,
            "",
            "labloop: The components, responses, [noise] or [surrogate] have changed since the "
            "history was learned; run `labloop pretrain` again.\n",
        )


# -- terminals ---------------------------------------------------------------------------------

COMMAND = "\x1b]0;pwned\x07\x9b2J\u202e"


@pytest.mark.skipif(sys.platform == "win32", reason="no such names of files there")
def test_no_file_commands_the_terminal(waiting, wells, run, tmp_path):
    """Names of files, of sheets and of columns, cells, reasons: none reaches the terminal as is."""
    (tmp_path / COMMAND).mkdir()
    book = openpyxl.Workbook()
    book.active.title = "x\x9b2J\u202e"
    book.active.append(["well", "titre", "no\x9bte\u202e"])
    book.active.append([wells[0][0], "clo\x9bdy\u202e", 1])
    book.save(tmp_path / "evil.xlsx")
    good = write(tmp_path / f"{COMMAND}.csv", f"well,titre,{COMMAND}", [(wells[0][0], 1.5, 2)])
    bad = write(tmp_path / f"bad{COMMAND}.csv", "well,titre", [(COMMAND, f"{COMMAND}1")])
    said = [
        run("record", waiting, tmp_path / "evil.xlsx"),
        run("record", waiting, bad),
        run("record", waiting, good),
        run("record", waiting, good, "--ignore", COMMAND),
        run("record", waiting, good, "--ignore", COMMAND),
        run("record", waiting, bad, "--sheet", COMMAND),
        run("exclude", waiting, "--well", wells[0][0], "--reason", COMMAND),
        run("exclude", waiting, "--well", COMMAND, "--reason", "x"),
        run("exclude", waiting, "--file", good.name, "--reason", "bubble"),
        run("history", waiting, good, "--source", COMMAND),
        run("log", waiting),
        run("log", waiting, "--json"),
        run("wells", waiting),
        run("wells", waiting, "--json"),
        run("status", tmp_path / COMMAND),
        run("init", tmp_path / COMMAND / "new", "--like", COMMAND),
    ]
    assert 0 in {code for code, _, _ in said[2:5]}
    for code, out, error in said:
        assert code in (0, 1, 3), error
        for text in (out, error):
            assert not set(text) & {"\x1b", "\x07", "\x9b", "\u202e"}
