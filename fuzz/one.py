"""One target under atheris, in a process of its own: `python -m fuzz.one TARGET CORPUS …`."""

from __future__ import annotations

import hashlib
import sys
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["labloop", "openpyxl", "defusedxml"]):
    from fuzz.targets import TARGETS


def main() -> None:
    """Write the target's seeds and words beside its corpus, and fuzz it."""
    name, corpus = sys.argv[1], Path(sys.argv[2])
    target = TARGETS[name]
    for seed in target.seeds():
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    words = "".join(f'"{word}"\n' for word in target.words)
    (corpus.parent / "words.txt").write_text(words, encoding="utf-8")
    warnings.simplefilter("ignore")
    atheris.Setup([sys.argv[0], *sys.argv[2:]], target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
