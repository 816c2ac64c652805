"""Follow a page of the documentation: write the files and type the commands that it shows.

A fenced block with a word with a dot behind its language is a file of that name; with
`toml fragment FILE` its tables take the place of those in that file. In blocks of `console` each
line behind `$ ` is typed, and what stands below it, if anything, has to come out:

- `…` alone on a line stands for any lines, at a line's end for the rest of the line;
- lines that tell the progress of long work are left out;
- `console roughly`: what trained networks say differs from machine to machine in its digits, so
  only lines without a number of their own have to come out, in their order;
- `console exit-3`: the last command of the block leaves with that exit code, all others with 0.

A page begins with the files of `files/<its name>/` beside it, where there are any. To put what
comes out today into pages: `python -m tests.transcripts PAGE …`; what still holds stays as it is.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import tomli_w
from click.testing import CliRunner

from labloop.cli import main

FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_PROMPT = re.compile(r"^\$ +(?P<line>.*)\n", re.MULTILINE)
_PROGRESS = re.compile(r"^[\w -]+: \d+\.\d s\n", re.MULTILINE)
_NUMBER = re.compile(r"(?<![\w.\-/])\d")
_ANY = "…"


@dataclass(frozen=True)
class Shown:
    """A block of a page: what it is, and where its body begins and ends."""

    language: str
    words: tuple[str, ...]
    body: str
    start: int
    end: int

    @property
    def file(self) -> str | None:
        """The name of the file that the block is, if it is one."""
        named = [word for word in self.words if "." in word]
        return named[0] if named and self.language != "console" else None

    @property
    def commands(self) -> list[tuple[str, str]]:
        """The command lines of the block, each with the output shown below it."""
        parts = _PROMPT.split(self.body)
        return list(zip(parts[1::2], parts[2::2], strict=True))

    @property
    def exit_codes(self) -> list[int]:
        """The exit code that each command is to leave with."""
        last = [int(word.removeprefix("exit-")) for word in self.words if word.startswith("exit-")]
        return [0] * (len(self.commands) - 1) + (last or [0])


@dataclass(frozen=True)
class Typed:
    """A command of a page as it went: its block, what was to come out and what came out."""

    block: Shown
    line: str
    shown: str
    wanted: int
    exit_code: int
    output: str

    @property
    def holds(self) -> bool:
        """Whether exit code and output are as the page says."""
        alike = roughly_alike if "roughly" in self.block.words else alike_to_the_letter
        return self.exit_code == self.wanted and alike(self.shown, self.output)


def shown_blocks(text: str) -> list[Shown]:
    """Return the fenced blocks of a page that name a language, in their order."""
    return [
        Shown(words[0], tuple(words[1:]), match["body"], match.start("body"), match.end("body"))
        for match in FENCE.finditer(text)
        if (words := match["info"].split())
    ]


def follow(page: Path) -> Iterator[Typed]:
    """Write and type what a page shows, in the current folder; yield each command as it went."""
    given = page.parent / "files" / page.stem
    if given.is_dir():
        shutil.copytree(given, Path.cwd(), dirs_exist_ok=True)
    for block in shown_blocks(page.read_text(encoding="utf-8")):
        if block.file is not None:
            path = Path(block.file)
            path.parent.mkdir(parents=True, exist_ok=True)
            body = merged(path, block.body) if "fragment" in block.words else block.body
            path.write_text(body, encoding="utf-8", newline="\n")
        elif block.language == "console":
            pairs = zip(block.commands, block.exit_codes, strict=True)
            for (line, shown), wanted in pairs:
                exit_code, output = run(line)
                yield Typed(block, line, shown, wanted, exit_code, output)


def merged(path: Path, fragment: str) -> str:
    """Return a TOML file's text with the tables of a fragment in the place of its own.

    Of a list of tables, such as the components, those of the same name are replaced.
    """
    whole = tomllib.loads(path.read_text(encoding="utf-8"))
    for key, value in tomllib.loads(fragment).items():
        if isinstance(value, list):
            tables = {each.get("name", at): each for at, each in enumerate(whole.get(key, []))}
            tables |= {each.get("name", (at,)): each for at, each in enumerate(value)}
            whole[key] = list(tables.values())
        else:
            whole[key] = value
    return tomli_w.dumps(whole)


def run(line: str) -> tuple[int, str]:
    """Run a command line of labloop or python; return its exit code and what it printed.

    What a line redirects with > goes into that file and counts as printed no more.
    """
    words = shlex.split(line)
    words, target = (words[:-2], words[-1]) if words[-2:-1] == [">"] else (words, None)
    if words[0] == "labloop":
        result = CliRunner().invoke(main, words[1:])
        unknown = result.exception is not None and not isinstance(result.exception, SystemExit)
        if unknown:
            raise AssertionError(f"{line} came to grief") from result.exception
        code, kept, all_of_it = result.exit_code, result.stdout, result.output
        rest = result.stderr
    elif words[0] == "python":
        root = Path(__file__).resolve().parents[1]
        done = subprocess.run(
            [sys.executable, *words[1:]],
            env=os.environ | {"PYTHONPATH": str(root), "PYTHONIOENCODING": "utf-8"},
            capture_output=True, encoding="utf-8", check=False,
        )  # fmt: skip
        code, kept, rest = done.returncode, done.stdout, done.stderr
        all_of_it = kept + rest
    else:
        raise AssertionError(f"a page may type labloop and python, not {words[0]}: {line}")
    if target is None:
        return code, told(all_of_it)
    Path(target).write_text(kept, encoding="utf-8", newline="\n")
    return code, told(rest)


def told(output: str) -> str:
    """Return an output as pages show it: without progress, with the slashes of paths forward."""
    text = _PROGRESS.sub("", output).strip("\n")
    text = text.replace("\\", "/") if os.name == "nt" else text
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines()) if text else ""


def alike_to_the_letter(shown: str, output: str) -> bool:
    """Say whether an output is what a page shows, … apart."""
    lines = shown.strip("\n").splitlines()
    if not lines:
        return True
    pattern = "".join(
        "(?:.*\n)*" if line.strip() == _ANY else _as_pattern(line.rstrip()) + "\n" for line in lines
    )
    return re.fullmatch(pattern, output) is not None


def _as_pattern(line: str) -> str:
    return re.escape(line[:-1]) + ".*" if line.endswith(_ANY) else re.escape(line)


def roughly_alike(shown: str, output: str) -> bool:
    """Say whether the lines without numbers of their own come out in the order shown."""
    left = iter(" ".join(line.split()) for line in output.splitlines())
    wanted = [" ".join(line.split()) for line in shown.splitlines()]
    lasting = [line for line in wanted if line and line != _ANY and not _NUMBER.search(line)]
    return all(any(re.fullmatch(_as_pattern(line), found) for found in left) for line in lasting)


def pasted(page: Path) -> str:
    """Return a page's text with what comes out today in the blocks that no longer hold."""
    text = page.read_text(encoding="utf-8")
    went: dict[int, list[Typed]] = {}
    for each in follow(page):
        went.setdefault(each.block.start, []).append(each)
    for start, typed in sorted(went.items(), reverse=True):
        for each in typed:
            if each.exit_code != each.wanted:
                print(f"{page.name}: {each.line} left with {each.exit_code}\n{each.output[:300]}")
        body = "".join(
            f"$ {each.line}\n"
            + (each.shown if each.shown.strip() and _as_before(each) else each.output)
            for each in typed
        )
        text = text[:start] + body + text[typed[0].block.end :]
    return text


def _as_before(typed: Typed) -> bool:
    return alike_to_the_letter(typed.shown, typed.output)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        path = Path(name).resolve()
        with tempfile.TemporaryDirectory() as folder:
            before = Path.cwd()
            os.chdir(folder)
            new = pasted(path)
            os.chdir(before)
        path.write_text(new, encoding="utf-8", newline="\n")
