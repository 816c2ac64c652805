"""Where campaigns live: folders, and the ready-made definitions that new ones start from."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
from pathlib import Path

from labloop.definition import Definition, parse, read_text
from labloop.definition.checks.naming import bad_name
from labloop.errors import DefinitionError, RefusedError, did_you_mean

HOME = "campaigns"
_LONGEST = 200  # bytes of a folder's name: 255 on most systems, and files have longer names
_FORBIDDEN = frozenset('<>:"|?*\\')
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"}
    # Windows takes the superscripts for the digits (Microsoft, Naming Files, Paths, and Namespaces)
    | {f"{port}{number}" for port in ("com", "lpt") for number in "123456789¹²³"}
)


def find(name: str) -> Path:
    """Return the folder of a campaign given by its path or, below `campaigns`, by its name."""
    path = Path(name)
    if not (path / "campaign.toml").is_file() and _is_bare(path):
        below = Path(HOME) / path
        if (below / "campaign.toml").is_file():
            return below
    return path


def home_of(name: str, here: Path = Path()) -> Path:
    """Return where a new campaign goes: below `campaigns` if there is such a folder and no path.

    Names and relative paths begin in the folder `here`. Raises RefusedError for a path with `..`,
    which may lead anywhere.
    """
    path = Path(name)
    if ".." in path.parts:
        raise RefusedError(
            f'"{name}" leads out of the folder that it begins in (..); give the whole path, or go '
            "to the folder that is to hold the campaign."
        )
    below = here / HOME
    return below / path if _is_bare(path) and below.is_dir() else here / path


def _is_bare(path: Path) -> bool:
    return len(path.parts) == 1 and not path.is_absolute() and path.name not in ("", ".", "..")


def create_folder(folder: str | Path, text: str) -> Path:
    """Make the folder of a new campaign and write its campaign.toml.

    Raises RefusedError as `check_folder` does, and for a place that cannot be written to.
    """
    folder = Path(folder)
    check_folder(folder)
    replace_text(folder / "campaign.toml", text)
    return folder


def check_folder(folder: Path) -> None:
    """See whether a new campaign can go into a folder, which may exist without one.

    Raises RefusedError for a name that some system cannot have, a link or an existing campaign.
    """
    problem = _bad_name(folder.name) or bad_name(folder.name)
    if problem:
        raise RefusedError(f'A campaign cannot be called "{folder.name}": {problem}.')
    for parent in folder.parents:
        if _is_device(parent.name) and not parent.exists():
            raise RefusedError(
                f'A campaign cannot lie in "{parent}": Windows keeps this name for a device.'
            )
    if folder.is_symlink():
        raise RefusedError(f'"{folder}" is a link; give the folder that it points to.')
    for existing in (folder / "campaign.toml", folder / "campaign.db"):
        if existing.exists() or existing.is_symlink():
            raise RefusedError(f'There is a campaign in "{folder}" already; it was left as it is.')


def replace_text(path: Path, text: str) -> None:
    """Write a text file, or put it in the place of one; its folder is made if need be.

    It is written beside its place, flushed to the disk and renamed: whatever interrupts this leaves
    the old file or the whole new one. Raises RefusedError where the disk refuses.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, beside)
        beside.replace(path)
    except OSError as error:
        raise RefusedError(f'"{path.parent}" cannot be written to ({error.strerror}).') from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


def _bad_name(name: str) -> str:
    if name in ("", ".", ".."):
        return "it needs a name of its own"
    if any(character in _FORBIDDEN or not character.isprintable() for character in name):
        return 'names may not contain < > : " | ? * \\ or characters that cannot be seen'
    if name != name.strip() or name.endswith("."):
        return "names may not begin or end with a space, or end with a dot"
    if _is_device(name):
        return "Windows keeps this name for a device"
    if len(name.encode("utf-8", "surrogateescape")) > _LONGEST:
        return f"names have at most {_LONGEST} bytes, for some systems allow no more"
    return ""


def _is_device(name: str) -> bool:
    """Return whether Windows takes the name for a device, with any ending or blanks before it."""
    return name.split(".")[0].rstrip().casefold() in _DEVICES


def start(folder: Path, like_name: str, *, dry_run: bool = False) -> Path:
    """Make a new campaign from a definition, under the folder's name, and return its folder.

    With `dry_run` only see whether it could be made. Raises RefusedError or DefinitionError as
    `create_folder`, `like` and `parse` do.
    """
    from labloop.store import create_store

    text = read_text(like(like_name))
    definition = parse(text, where=f'The definition "{like_name}"')
    if dry_run:
        check_folder(folder)
        return folder
    create_folder(folder, _renamed(text, definition, folder.name))
    create_store(folder / "campaign.db").close()
    return folder


def _renamed(text: str, definition: Definition, name: str) -> str:
    """Return the text of a definition with another name and all its comments.

    A text that is not written as usual loses its comments rather than keep the old name.
    """
    quoted = json.dumps(name, ensure_ascii=False)
    wanted = definition.model_copy(update={"name": name})
    text = re.sub(r"(?m)^name *=.*$", lambda _: f"name = {quoted}", text, count=1)
    with contextlib.suppress(DefinitionError):
        if parse(text) == wanted:
            return text
    return wanted.to_toml()


def ready_made() -> dict[str, Path]:
    """Return name → path of the definitions that come with labloop."""
    here = Path(__file__).resolve()
    for home in (here.parents[1] / "campaigns", here.parents[2] / "campaigns"):
        if home.is_dir():
            return {path.stem: path for path in sorted(home.glob("*.toml"))}
    return {}


def like(name: str) -> Path:
    """Return the definition that a new campaign starts from: a ready-made one's name, or a path.

    Raises RefusedError where there is neither.
    """
    known = ready_made()
    if name in known:
        return known[name]
    path = Path(name)
    if path.is_dir():
        path = path / "campaign.toml"
    if path.is_file():
        return path
    raise RefusedError(
        f'There is no definition "{name}"{did_you_mean(name, known)}; give the path of a '
        f"campaign.toml or one of: {', '.join(known)}."
    )
