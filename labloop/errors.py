"""What labloop says when it cannot go on.

LabloopError
├── DefinitionError   campaign.toml has problems; lists all of them
├── RefusedError      the campaign cannot do that in its present state
├── RejectedError     a file or frame handed in was rejected; lists the cells
└── BusyError         another program is writing to the campaign

Every message is a sentence (or a list of them) with what is wrong, where, and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class LabloopError(Exception):
    """Base of everything that labloop raises for a user's mistake or a lab's bad luck."""

    exit_code = 1


class RefusedError(LabloopError):
    """The campaign cannot do what was asked in its present state."""


class BusyError(LabloopError):
    """Another program holds the campaign's database; trying again may succeed."""

    exit_code = 4


class _ProblemsError(LabloopError):
    """A headline followed by one line a problem."""

    def __init__(self, headline: str, problems: Sequence[str]) -> None:
        self.headline = headline
        self.problems = tuple(problems)
        super().__init__("\n".join([headline, *(f"  - {problem}" for problem in self.problems)]))


class DefinitionError(_ProblemsError):
    """The definition of a campaign has problems, all of which are in `problems`."""


class RejectedError(_ProblemsError):
    """Rows handed in were rejected; `problems` names every cell; nothing was changed."""

    exit_code = 3


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean "x"?` for the known name nearest to `name`, else an empty string."""
    folded = {candidate.casefold(): candidate for candidate in known}
    nearest = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    return f'; did you mean "{folded[nearest[0]]}"?' if nearest else ""
