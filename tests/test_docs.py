"""What the pages say of keys, commands, tables and links is what the program has."""

from __future__ import annotations

import re
import shlex
import tomllib
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from defusedxml import ElementTree

from docs.figures.__main__ import NAMES
from docs.figures.schemes import staged_transfer
from labloop.campaign import Campaign
from labloop.cli import main
from labloop.csv_profiles import FIELDS, PROFILES
from labloop.definition import Definition, parse
from labloop.definition.models import (
    Block,
    Component,
    Constraint,
    CsvSettings,
    Instrument,
    NoiseSettings,
    Place,
    Plate,
    ProposalSettings,
    Response,
    Robot,
    Seats,
    SourcePlate,
    SurrogateSettings,
)
from labloop.errors import BusyError, RefusedError, RejectedError
from labloop.plate.dispensing import DISPENSE_COLUMNS
from labloop.robots import ROBOTS
from labloop.store import create_store
from tests.transcripts import alike_to_the_letter, follow, roughly_alike, shown_blocks

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
EXAMPLES = sorted((ROOT / "examples").glob("*/README.md"))

_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[[^]]*\]\((?P<target>[^()\s]+)\)")
_HEADING = re.compile(r"^#+ +(?P<text>.+?)\s*$", re.MULTILINE)


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path, language: str) -> list[tuple[list[str], str]]:
    """Return (words behind the language, body) of the fenced blocks in a language."""
    found = [(m["info"].split(), m["body"]) for m in _FENCE.finditer(text_of(page))]
    return [(words[1:], body) for words, body in found if words and words[0] == language]


def sections(page: Path, level: int) -> dict[str, str]:
    """Return heading → text of the page's sections of one level, subsections included."""
    mark = "#" * level
    parts = re.split(rf"^{mark} +(.+)$", _FENCE.sub("", text_of(page)), flags=re.MULTILINE)
    upper = re.compile(rf"^#{{1,{level - 1}}} +", re.MULTILINE) if level > 1 else None
    found = {}
    for heading, body in zip(parts[1::2], parts[2::2], strict=True):
        found[heading.strip()] = upper.split(body)[0] if upper else body
    return found


def rows(text: str) -> list[list[str]]:
    """Return the cells of every table's rows, heads left out."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line[1:-1])] for line in lines]
    heads = {at - 1 for at, row in enumerate(cells) if set("".join(row)) <= {"-"}}
    return [row for at, row in enumerate(cells) if at not in heads and set("".join(row)) - {"-"}]


# -- links --------------------------------------------------------------------------------------


def slug(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    plain = re.sub(r"`|\[([^]]*)\]\([^)]*\)", r"\1", unicodedata.normalize("NFC", heading))
    return re.sub(r"[^\w\- ]", "", plain.casefold()).replace(" ", "-")


def relative_links() -> Iterator[Any]:
    for page in [*PAGES, *EXAMPLES]:
        for match in _LINK.finditer(_FENCE.sub("", text_of(page))):
            if "://" not in match["target"]:
                yield pytest.param(page, match["target"], id=f"{page.name}→{match['target']}")


@pytest.mark.parametrize(("page", "target"), list(relative_links()))
def test_every_relative_link_leads_somewhere(page: Path, target: str) -> None:
    path, _, anchor = target.partition("#")
    linked = page.parent / path if path else page
    assert linked.exists(), f"{page.name} links to {target}"
    if anchor:
        anchors = [slug(m["text"]) for m in _HEADING.finditer(_FENCE.sub("", text_of(linked)))]
        assert anchor in anchors, f"{linked.name} has no heading for #{anchor}"


def test_every_page_is_linked_from_another() -> None:
    linked = {
        (page.parent / match["target"].partition("#")[0]).resolve()
        for page in PAGES
        for match in _LINK.finditer(text_of(page))
        if not match["target"].startswith("#")
    }
    assert set(DOCS.rglob("*.md")) <= linked


# -- definitions --------------------------------------------------------------------------------

WHOLE = blocks(REFERENCE / "definition.md", "toml")[0][1]


def completed(fragment: str) -> dict[str, Any]:
    """Return the whole definition of definition.md with a fragment's keys put into it."""
    definition = tomllib.loads(WHOLE)
    for key, value in tomllib.loads(fragment).items():
        if isinstance(value, list):
            names = [each["name"] for each in value if "name" in each]
            kept = [each for each in definition.get(key, []) if each.get("name") not in names]
            definition[key] = [*kept, *value]
        elif isinstance(value, dict):
            definition[key] = definition.get(key, {}) | value
        else:
            definition[key] = value
    names = [component["name"] for component in definition["component"]]
    for formula in definition["formulas"].values():
        for component in definition["component"]:
            if "choices" in component and names.count(component["name"]) == 1:
                formula.setdefault(component["name"], component["choices"][0])
    return definition


@pytest.mark.parametrize(
    ("words", "body"),
    [
        pytest.param(*block, id=f"{page.name}-{number}")
        for page in [*PAGES, *EXAMPLES]
        for number, block in enumerate(blocks(page, "toml"), start=1)
        if not ("fragment" in block[0] and len(block[0]) > 1)  # tried where the page is followed
    ],
)
def test_definitions_shown_are_sound(words: list[str], body: str) -> None:
    parse(completed(body) if "fragment" in words else body)


MODELS: dict[str, type[Any]] = {
    "Top level": Definition,
    "Plate": Plate,
    "Robot": Robot,
    "Source plates": SourcePlate,
    "Places": Place,
    "CSV": CsvSettings,
    "Component": Component,
    "Response": Response,
    "Constraint": Constraint,
    "Instruments": Instrument,
    "Blocks": Block,
    "Noise": NoiseSettings,
    "Surrogate": SurrogateSettings,
    "Proposal": ProposalSettings,
}


@pytest.mark.parametrize("heading", MODELS)
def test_definition_page_has_every_key_and_no_other(heading: str) -> None:
    model = MODELS[heading]
    keys = {field.alias or name for name, field in model.model_fields.items()}
    if model is ProposalSettings:
        keys |= {f"seats.{name}" for name in Seats.model_fields}
    section = sections(REFERENCE / "definition.md", 2)[heading]
    told = [row[0].strip("`") for row in rows(section) if len(row) == 4]
    assert sorted(told) == sorted(keys)


@pytest.mark.parametrize("heading", MODELS)
def test_definition_page_tells_the_defaults(heading: str) -> None:
    defaults = defaults_of(MODELS[heading])
    section = sections(REFERENCE / "definition.md", 2)[heading]
    told = {row[0].strip("`"): row[2].strip("`") for row in rows(section) if len(row) == 4}
    assert told
    for key, text in told.items():
        if text == "–":
            assert key not in defaults, f"{key} has the default {defaults.get(key)}"
        else:
            assert tomllib.loads(f"value = {text}")["value"] == defaults[key], key


def defaults_of(model: type[Any]) -> dict[str, Any]:
    """Return the defaults that are plain values; a robot's come from its kind."""
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        value = None if field.is_required() else field.get_default(call_default_factory=True)
        if isinstance(value, Seats):
            found |= {f"seats.{key}": share for key, share in value.model_dump().items()}
        elif value is not None and not hasattr(value, "model_dump"):
            found[field.alias or name] = list(value) if isinstance(value, tuple) else value
    if model is Robot:
        kinds = ("kind", "place", "plate_labware", "pipettes", "tips", "liquid_classes")
        return {key: found[key] for key in kinds}
    needed = {Component: ("high", "unit"), Instrument: ("block",)}
    for key in needed.get(model, ()):
        del found[key]  # needed, though the model has a value for components that lack it
    return found


def test_definition_page_has_every_field_of_a_csv_with_its_meaning() -> None:
    section = sections(REFERENCE / "definition.md", 2)["CSV"]
    told = {row[0].strip("`"): row[1] for row in rows(section) if len(row) == 2}
    assert told == {field: f"{meaning}." for field, meaning in FIELDS.items()}


def test_files_page_has_every_profile_with_its_headings() -> None:
    section = sections(REFERENCE / "files.md", 3)["Worklists in CSV"]
    told = {row[0].strip("`"): row[1].split("`")[1] for row in rows(section)}
    assert told == {
        name: ",".join(heading for heading, _ in profile.columns)
        for name, profile in PROFILES.items()
    }


def test_definition_page_tells_the_robots_limits() -> None:
    section = sections(REFERENCE / "definition.md", 2)["Robot"]
    told = {row[0].strip("`"): row[1:] for row in rows(section) if row[0].strip("`") in ROBOTS}
    limits = {
        kind: [f"{value:.10g}" for value in list(vars(robot).values())[:6]]
        for kind, robot in ROBOTS.items()
    }
    assert told == limits
    section = sections(REFERENCE / "definition.md", 2)["Source plates"]
    told = {row[0].strip("`"): row[1:] for row in rows(section) if row[0].strip("`") in ROBOTS}
    bulk = {kind: robot.bulk for kind, robot in ROBOTS.items() if robot.bulk is not None}
    assert told == {
        kind: [
            f"{each.wells}",
            f"{each.well_volume_ul:.10g}",
            f"{each.dead_volume_ul:.10g}",
            each.labware,
        ]
        for kind, each in bulk.items()
    }


# -- commands -----------------------------------------------------------------------------------

_PROMPT = re.compile(r"^ *(?:\$ +)?(?:\S*[/\\])?(?P<line>labloop(?: .*)?)$", re.MULTILINE)
_SPAN = re.compile(r"(?<!`)`(?P<line>labloop [^`\n]*)`(?!`)")


def code_lines(text: str) -> Iterator[str]:
    """Yield every command line of labloop that stands in a block of code."""
    fenced = [
        m["body"] for m in _FENCE.finditer(text) if m["info"].split()[:1] in (["console"], ["sh"])
    ]
    indented = "\n".join(
        line for line in _FENCE.sub("", text).splitlines() if line.startswith("    ")
    )
    for part in (*fenced, indented):
        for match in _PROMPT.finditer(part):
            yield match["line"]


def arguments(line: str) -> list[str]:
    """Return a line's arguments as the shell would, up to a redirection."""
    words = shlex.split(line, comments=True)[1:]
    ends = [at for at, word in enumerate(words) if word in (">", "|", "2>")]
    return words[: ends[0]] if ends else words


def command_of(words: list[str]) -> click.Command:
    assert words[0] in main.commands, f"there is no labloop {words[0]}"
    return main.commands[words[0]]


@pytest.mark.parametrize(
    "line",
    sorted(
        {line for page in [*PAGES, *EXAMPLES] for line in code_lines(text_of(page))}
        - {"labloop COMMAND CAMPAIGN … [options]"}
    ),
)
def test_command_lines_shown_can_be_typed(line: str) -> None:
    words = arguments(line)
    command = command_of(words)
    command.make_context(words[0], words[1:], parent=click.Context(main))


@pytest.mark.parametrize(
    "line",
    sorted(
        {
            match["line"].strip()
            for page in [*PAGES, *EXAMPLES]
            for match in _SPAN.finditer(_FENCE.sub("", text_of(page)))
        }
    ),
)
def test_commands_mentioned_exist_with_their_options(line: str) -> None:
    words = arguments(line)
    if words[0] in ("COMMAND", "--help", "--version"):
        return
    command = command_of(words)
    context = click.Context(command, info_name=words[0], resilient_parsing=True)
    _, left, _ = command.make_parser(context).parse_args(words[1:])
    assert not left


def test_commands_page_has_every_command_and_no_other() -> None:
    headings = [h for h in sections(REFERENCE / "commands.md", 2) if h.startswith("labloop ")]
    assert headings == [f"labloop {name}" for name in main.commands]


@pytest.mark.parametrize("name", list(main.commands))
def test_commands_page_has_every_option_and_no_other(name: str) -> None:
    options = {
        option
        for parameter in main.commands[name].params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
        if option not in ("-h", "--help")
    }
    section = sections(REFERENCE / "commands.md", 2)[f"labloop {name}"]
    told = [re.findall(r"`(--[a-z-]+)", row[0]) for row in rows(section)]
    assert sorted(option for row in told for option in row) == sorted(options)


def test_commands_page_has_every_option_for_reading() -> None:
    section = sections(REFERENCE / "commands.md", 3)["Options for reading files"]
    told = {option for row in rows(section) for option in re.findall(r"`(--[a-z-]+)", row[0])}
    for name in ("history", "record", "predict"):
        options = {each for p in main.commands[name].params for each in p.opts}
        assert told <= options


@pytest.mark.parametrize("name", list(main.commands))
def test_commands_page_tells_the_defaults(name: str) -> None:
    section = sections(REFERENCE / "commands.md", 2)[f"labloop {name}"]
    told = {
        match[1]: row[1].strip("`")
        for row in rows(section)
        if len(row) == 3 and (match := re.match(r"`(--[a-z-]+)", row[0]))
    }
    for parameter in main.commands[name].params:
        valued = isinstance(parameter, click.Option) and not parameter.is_flag
        if valued and isinstance(parameter.default, (int, str)):
            assert told[parameter.opts[0]] == str(parameter.default)


def test_commands_page_tells_the_exit_codes() -> None:
    codes = [row[0] for row in rows(text_of(REFERENCE / "commands.md")) if row[0].isdecimal()]
    exits = {error.exit_code for error in (RefusedError, RejectedError, BusyError)}
    assert codes == ["0", "1", "2", "3", "4", "130"]
    assert exits | {click.UsageError.exit_code} == {1, 2, 3, 4}


# -- Python -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(body, id=f"{page.name}-{number}")
        for page in PAGES
        for number, (_, body) in enumerate(blocks(page, "python"), start=1)
    ],
)
def test_python_shown_compiles(body: str) -> None:
    compile(body, "page", "exec")


def test_python_page_has_every_method_of_a_campaign() -> None:
    public = {name for name in vars(Campaign) if not name.startswith("_")}
    told = set(re.findall(r"`[Cc]ampaign\.(\w+)", text_of(REFERENCE / "python.md")))
    assert told == public | {"folder", "definition", "store"}


def test_python_page_has_the_columns_of_dispenses() -> None:
    row = next(r for r in rows(text_of(REFERENCE / "python.md")) if r[0] == "`round.dispenses`")
    told = re.findall(r"`(\w+)`", row[2])
    assert told == list(DISPENSE_COLUMNS)


# -- database -----------------------------------------------------------------------------------


def test_database_page_has_every_table_with_its_columns(tmp_path: Path) -> None:
    told = {
        row[0].strip("`"): set(re.findall(r"`(\w+)`", row[2]))
        for row in rows(sections(REFERENCE / "database.md", 2)["Tables"])
        if len(row) == 3
    }
    with create_store(tmp_path / "campaign.db") as store:
        tables = store.rows(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '%sqlite%'"
        )
        columns = {
            name: {row[1] for row in store.rows(f"PRAGMA table_info({name})")} for (name,) in tables
        }
    for name, known in columns.items():
        assert known <= told[name], name
        assert told[name] - known <= {"history", "results", "proposed", "exported"} | {
            "recorded", "abandoned", "formula", "control", "empty", "ticks", "increment_ul",
        }, name  # fmt: skip
    assert set(told) == set(columns)


def test_database_page_has_every_view(tmp_path: Path) -> None:
    told = {row[0].strip("`") for row in rows(sections(REFERENCE / "database.md", 2)["Views"])}
    with create_store(tmp_path / "campaign.db") as store:
        views = store.rows("SELECT name FROM sqlite_schema WHERE type = 'view'")
    assert told == {name for (name,) in views}


@pytest.mark.parametrize("body", [body for _, body in blocks(REFERENCE / "database.md", "sql")])
def test_queries_shown_run(body: str, tmp_path: Path) -> None:
    with Campaign.create(tmp_path / "campaign", parse(WHOLE)) as campaign:
        campaign.propose(formulas=2)
        assert isinstance(campaign.store.rows(body), list)


# -- figures ------------------------------------------------------------------------------------


def test_every_figure_is_drawn_by_code_and_shown_with_a_caption() -> None:
    method = text_of(DOCS / "explanation" / "method.md")
    shown = re.findall(r"^!\[[^]]+\]\(\.\./images/([\w-]+)\.svg\)\n\n\*[A-Z]", method, re.MULTILINE)
    assert sorted(shown) == sorted(NAMES)
    assert {path.stem for path in (DOCS / "images").glob("*.svg")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_figures_are_sound_svg_with_a_title(name: str) -> None:
    root = ElementTree.fromstring(text_of(DOCS / "images" / f"{name}.svg"))
    titles = root.findall("{http://www.w3.org/2000/svg}title")
    assert [bool(title.text) for title in titles] == [True]


def test_the_scheme_of_the_transfer_is_of_the_networks_as_they_are() -> None:
    assert staged_transfer() == text_of(DOCS / "images" / "staged-transfer.svg")


# -- pages that are followed to the letter ------------------------------------------------------


def given(page: Path) -> list[Path]:
    """Return the files that a page begins with."""
    return sorted((page.parent / "files" / page.stem).glob("*"))


LONG = {
    "README",
    "tutorial",
    "bring-your-history",
    "run-on-a-cluster",
    "several-objectives",
    "unrelated-history",
}
FOLLOWED = [page for page in PAGES if "```console" in text_of(page)]


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.stem, marks=[pytest.mark.slow] * (page.stem in LONG))
        for page in FOLLOWED
    ],
)
def test_pages_can_be_followed(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for typed in follow(page):
        assert typed.exit_code == typed.wanted, f"{typed.line}\n{typed.output}"
        assert typed.holds, f"{typed.line}\n{typed.output}"


@pytest.mark.parametrize("page", [page for page in FOLLOWED if given(page)], ids=lambda p: p.stem)
def test_what_is_shown_of_a_file_stands_in_it(page: Path) -> None:
    files = [each for each in given(page) if each.suffix == ".csv"]
    for _, body in blocks(page, "text"):
        lines = [line.removesuffix("…") for line in body.splitlines()]
        assert any(all(line in text_of(file) for line in lines) for file in files), body


def test_what_is_run_stands_behind_a_prompt() -> None:
    for page in FOLLOWED:
        for block in shown_blocks(text_of(page)):
            if block.language == "console":
                assert block.body.startswith("$ "), f"{page.name}: {block.body}"


@pytest.mark.parametrize(
    ("shown", "output", "alike"),
    [
        ("a\nb\n", "a\nb\n", True),
        ("a\nb\n", "a\nc\n", False),
        ("a\n", "a\nb\n", False),
        ("a\n…\nd\n", "a\nb\nc\nd\n", True),
        ("a\n…\nd\n", "a\nd\n", True),
        ("a\n…\nd\n", "a\nb\n", False),
        ("not now; …\n", "not now; later\n", True),
        ("not now; …\n", "later\nnot now; later\n", False),
        ("", "whatever\n", True),
    ],
)
def test_an_output_is_compared_with_what_a_page_shows(shown: str, output: str, alike: bool) -> None:
    assert alike_to_the_letter(shown, output) is alike


@pytest.mark.parametrize(
    ("output", "alike"),
    [
        ("name   r2\nOD    0.7\n\nNext: labloop best\n", True),
        ("name  r2  mse\nOD  0.7  1\n\nNext: labloop best\n", False),
        ("Next: labloop best\nname  r2\n", False),
        ("name  r2\nOD    0.5\n", False),
    ],
)
def test_numbers_of_networks_are_not_compared(output: str, alike: bool) -> None:
    assert roughly_alike("name   r2\nOD    0.5\n…\nNext: labloop best\n", output) is alike


def test_what_a_page_shows_is_written_before_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```python a.py\nprint(open('b/c.toml').read(), end='')\n```\n"
        "```toml b/c.toml\nx = 1\n\n[[component]]\nname = 'a'\nhigh = 2\n```\n"
        "```toml fragment b/c.toml\ny = 3\n\n[[component]]\nname = 'a'\nhigh = 4\n```\n"
        "```console\n$ python a.py > out.txt\n$ labloop status nowhere\n```\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    printed, refused = follow(page)
    assert (printed.exit_code, printed.output) == (0, "")
    assert (refused.exit_code, refused.wanted, refused.holds) == (1, 0, False)
    made = tomllib.loads((tmp_path / "out.txt").read_text(encoding="utf-8"))
    assert made == {"x": 1, "y": 3, "component": [{"name": "a", "high": 4}]}
