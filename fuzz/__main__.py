"""Run the targets for a stated time, one after the other, and say what was found.

    python -m fuzz --minutes 10 [--only csv workbook] [--out build/fuzz]

What makes a target fail is kept in `build/fuzz/TARGET/found`; the corpus beside it grows from run
to run. Exit code 1 where anything was found.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

# by name, so that labloop itself is imported under atheris' eyes and nowhere else
NAMES = ("csv", "workbook", "grid", "instrument", "layout", "definition", "model")
_SECONDS_PER_INPUT = 20
_MEGABYTES = 4096
_LONGEST = 32_000


def main() -> int:
    """Fuzz the targets asked for; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="of all targets together")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--out", type=Path, default=Path("build/fuzz"))
    asked = parser.parse_args()
    seconds = max(5, round(60 * asked.minutes / len(asked.only)))
    total, failed = 0, []
    for name in asked.only:
        runs, found = fuzz(name, asked.out / name, seconds)
        total += runs
        print(f"{name:<12} {runs:>10,} inputs in {seconds} s, {len(found)} findings", flush=True)
        failed += found
    print(f"{'all':<12} {total:>10,} inputs, {len(failed)} findings")
    for path in failed:
        print(f"  {path}")
    return 1 if failed else 0


def fuzz(name: str, folder: Path, seconds: int) -> tuple[int, list[Path]]:
    """Fuzz one target in a process of its own; return how many inputs it ran and what it found.

    A target that fails is not run on: the first finding is to be mended before there is a second.
    """
    corpus, found, words = folder / "corpus", folder / "found", folder / "words.txt"
    for each in (corpus, found):
        each.mkdir(parents=True, exist_ok=True)
    before = set(found.iterdir())
    log = folder / "log.txt"
    with log.open("w", encoding="utf-8") as file:
        code = subprocess.run(
            [
                *(sys.executable, "-m", "fuzz.one", name, str(corpus)),
                *(f"-max_total_time={seconds}", f"-timeout={_SECONDS_PER_INPUT}"),
                *(f"-rss_limit_mb={_MEGABYTES}", f"-max_len={_LONGEST}"),
                *(f"-artifact_prefix={found}/", f"-dict={words}"),
                "-print_final_stats=1",
            ],
            stdout=file,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    text = log.read_text(encoding="utf-8", errors="replace")
    counted = re.search(r"stat::number_of_executed_units:\s*(\d+)", text)
    new = sorted(set(found.iterdir()) - before)
    if code and not new:
        new = [log]
    return int(counted[1]) if counted else 0, new


if __name__ == "__main__":
    sys.exit(main())
