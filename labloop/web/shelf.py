"""The campaigns that the app shows: those it was given, or those that lie where it was started."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from labloop.campaign.folders import HOME


@dataclass(frozen=True)
class Shelf:
    """Where campaigns are found.

    Attributes:
        given: Folders of campaigns to show; none for all in the folder and below `campaigns`.
        home: The folder that the app was started in.
        made: Folders of campaigns that were made in the app.
    """

    given: tuple[Path, ...]
    home: Path
    made: list[Path] = field(default_factory=list)

    def folders(self) -> dict[str, Path]:
        """Return name in the app's addresses → folder, by name; two of one name get numbers."""
        found = list(self.given) if self.given else _in(self.home) + _in(self.home / HOME)
        found += [folder for folder in self.made if folder not in found]
        named: dict[str, Path] = {}
        for folder in found:
            name = base = folder.name or "campaign"
            number = 2
            while name in named:
                name, number = f"{base} ({number})", number + 1
            named[name] = folder
        return dict(sorted(named.items(), key=lambda item: item[0].casefold()))

    def name_of(self, folder: Path) -> str:
        """Return what a folder is called in the app's addresses."""
        return next(name for name, path in self.folders().items() if path == folder)


def _in(folder: Path) -> list[Path]:
    """Return the campaigns right in a folder."""
    if not folder.is_dir():
        return []
    return sorted(path.parent for path in folder.glob("*/campaign.toml") if path.is_file())
