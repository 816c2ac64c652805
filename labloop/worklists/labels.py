"""Short labels for names that a robot's file cannot carry, and the legend that explains them."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence

from anyascii import anyascii

from labloop.definition.checks.naming import CALCULATIONS
from labloop.worklists.text import number, sheet

_SEPARATORS = frozenset(",;\"'\\/|")
_UNKNOWN = "N"
_CHEMISTS = {"·": ".", "×": "x"}  # as in FeSO4.7H2O, 10x
_DIGITS = "0123456789."


def latin(character: str) -> bool:
    """Whether a character is printable latin-1 and separates nothing in a robot's file."""
    return character.isprintable() and ord(character) < 256 and character not in _SEPARATORS


def plain(character: str) -> bool:
    """Whether a character is printable ASCII and separates nothing in a robot's file."""
    return latin(character) and character.isascii()


def labels(
    names: Sequence[str], longest: int, *, allowed: Callable[[str], bool] | None = None
) -> dict[str, str]:
    """Return a label for each name, unique even where capitals do not count.

    A name that the file can carry is its own label. The label of any other is its start and its
    end in allowed characters, other scripts spelt in ASCII, with a number where that is taken. No
    label is another's name. A name further down the list changes no label above it, unless it is
    that label.

    Args:
        names: What is labelled; a name that is listed twice is one.
        longest: How many characters a label may have.
        allowed: Says of one character whether the file carries it (`plain`, `latin`); every one
            without it. Letters and digits of ASCII must be. No label begins as a spreadsheet's
            calculation does.

    Raises:
        ValueError: There are not so many labels of that length.
    """
    may = allowed or (lambda _: True)
    distinct = list(dict.fromkeys(names))
    owner: dict[str, str] = {}
    for name in distinct:
        if 0 < len(name) <= longest and all(map(may, name)) and not name.startswith(CALCULATIONS):
            owner.setdefault(_folded(name), name)
    made = {name: name for name in distinct if owner.get(_folded(name)) == name}
    for name in distinct:
        owner.setdefault(_folded(name), name)
    for name in distinct:
        if name not in made:
            made[name] = _free(name, longest, may, owner)
            owner[_folded(made[name])] = name
    return {name: made[name] for name in distinct}


def legend(labels: Mapping[str, str]) -> dict[str, bytes]:
    """Return `legend.csv`: which label stands for which name; no file where every name stayed."""
    changed = [(label, name) for name, label in labels.items() if label != name]
    return {"legend.csv": sheet(("label", "name"), changed)} if changed else {}


def stock_title(name: str, concentration: float | None, unit: str) -> str:
    """Return what people call a stock: `glucose 1000 mM`; the name alone of the diluent.

    `concentration` is in `unit`; None and NaN are the diluent's.
    """
    if concentration is None or math.isnan(concentration):
        return name
    amount = number(float(f"{concentration:.6g}"))
    return " ".join(part for part in (name, amount, unit) if part)


def _free(name: str, longest: int, may: Callable[[str], bool], owner: Mapping[str, str]) -> str:
    """Return the first label that no other name has: the bare one, else numbered from 2."""
    joint = next((mark for mark in "-_. " if may(mark)), "")
    base = _readable(name, may, joint) or _UNKNOWN
    label, count = _cut(base, longest, joint) or _UNKNOWN, 1
    while owner.get(_folded(label), name) != name:
        count += 1
        if len(str(count)) > longest:
            raise ValueError(f"there are not enough labels of {longest} characters")
        suffix = f"{joint}{count}"
        room = longest - len(suffix)
        label = (_cut(base, room, joint) or _UNKNOWN) + suffix if room > 0 else str(count)
    return label


def _readable(name: str, may: Callable[[str], bool], joint: str) -> str:
    """Return a name in allowed characters; a run of letters without spelling is one N."""
    spelt = "".join(_spelt(character, may) for character in unicodedata.normalize("NFC", name))
    gap = " " if may(" ") else joint
    spelt = re.sub(r"\s*\0[\0\s]*", lambda run: gap if run[0].strip("\0") else joint, spelt)
    return _bare(re.sub("\1+", _UNKNOWN, spelt), joint)


def _spelt(character: str, may: Callable[[str], bool]) -> str:
    """Return a character as the file can have it, else a 0 byte, of an unknown letter a 1 byte."""
    if may(character):
        return character
    letters = _letters(character)
    written = "".join(letter for letter in letters if may(letter))
    if written or not letters:
        return written
    if character.isalnum():
        return "\1" if letters.isalnum() else ""  # a sign that only softens has no letter
    return "\0"


def _letters(character: str) -> str:
    """Return a character spelt in ASCII; a Greek letter by its name, as chemists write it."""
    words = unicodedata.name(character, "").split()
    if words[:1] == ["GREEK"] and "LETTER" in words[:-1]:
        spelling = words[words.index("LETTER") + 1].lower()
        spelling = {"final": "sigma", "lamda": "lambda"}.get(spelling, spelling)
        return spelling if character.islower() else spelling.capitalize()
    if character in _CHEMISTS:
        return _CHEMISTS[character]
    is_picture = unicodedata.category(character) == "So" and character != "°"
    return "" if is_picture else anyascii(character)


def _cut(text: str, longest: int, joint: str) -> str:
    """Return a text cut in its middle, never in a number: long names often differ at the end."""
    if len(text) <= longest:
        return text
    room = longest - len(joint)
    kept = room // 3
    if kept < 1:
        return _bare(text[:longest], joint)
    tail = text[-kept:]
    if _in_number(text, len(text) - kept):
        tail = tail.lstrip(_DIGITS)
    head = text[: room - len(tail)]
    if _in_number(text, len(head)):
        head = head.rstrip(_DIGITS)
    return joint.join(part for part in (_bare(head, joint), _bare(tail, joint)) if part)


def _in_number(text: str, place: int) -> bool:
    """Whether a cut before a place of a text would go through a number."""
    return text[place - 1] in _DIGITS and text[place] in _DIGITS


def _bare(text: str, joint: str) -> str:
    """Return a text without joints and spaces at its ends, and no beginning of a calculation."""
    joint = re.escape(joint)
    return re.sub(rf"^[\s{joint}{re.escape(''.join(CALCULATIONS))}]+|[\s{joint}]+$", "", text)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
