"""What is wrong with the columns of a worklist in CSV."""

from __future__ import annotations

from collections.abc import Iterator

from labloop.csv_profiles import FIELDS, KINDS, PROFILES, USUAL_TOOLS
from labloop.definition.checks.naming import CALCULATIONS
from labloop.definition.models import Robot
from labloop.errors import did_you_mean
from labloop.robots import TOOLS


def csv_problems(robot: Robot) -> Iterator[str]:
    """Yield profiles, columns and tools that no worklist in CSV can have."""
    profile, columns = robot.csv.profile, robot.csv.columns
    if (profile is not None or columns) and robot.kind not in KINDS:
        yield (
            f"[robot.csv]: only the kinds {', '.join(KINDS)} have worklists with columns (kind is "
            f'"{robot.kind}"); remove it'
        )
        return
    if profile is not None and profile not in PROFILES:
        yield (
            f"[robot.csv], profile: must be one of {', '.join(PROFILES)} (got '{profile}')"
            f"{did_you_mean(profile, PROFILES)}"
        )
    seen: dict[str, str] = {}
    for heading, field in columns.items():
        place = f'[robot.csv.columns], "{heading}"'
        if not heading.strip() or not _carried(heading):
            yield f"{place}: a heading is one line of western letters; choose another"
        elif heading.casefold() in seen:
            yield (
                f'{place}: "{seen[heading.casefold()]}" is the same heading up to capitals, which '
                "robots do not tell apart; choose another"
            )
        seen.setdefault(heading.casefold(), heading)
        yield from _field(place, field, robot)
    default = PROFILES.get(profile or robot.kind)
    if "tool" in (
        columns.values() if columns or default is None else dict(default.columns).values()
    ):
        yield from _tools(robot)


def _field(place: str, field: str, robot: Robot) -> Iterator[str]:
    text = field.removeprefix("=")
    if field.startswith("="):
        if not _carried(text) and not _is_number(text):
            yield (
                f"{place}: the text behind = must be one line of western letters that does not "
                f"begin as a calculation does (got {text!r})"
            )
    elif field not in FIELDS:
        yield (
            f'{place}: there is no field "{field}" (for that text in every line write '
            f'"={field}"){did_you_mean(field, FIELDS)}'
        )
    elif field == "liquid_class" and not robot.liquid_classes:
        yield f"{place}: there are no liquid classes; give them under [robot.liquid_classes]"
    elif field == "plate_labware" and not robot.plate_labware:
        yield f"{place}: there is no name to write; give plate_labware under [robot]"


def _tools(robot: Robot) -> Iterator[str]:
    """Yield tools that an epMotion does not have, and volumes that none of them makes."""
    names = robot.pipettes or USUAL_TOOLS
    unknown = [name for name in names if name not in TOOLS]
    for name in unknown:
        hint = did_you_mean(name, TOOLS)
        yield f"[robot], pipettes: must be some of {', '.join(TOOLS)} (got '{name}'){hint}"
    if unknown:
        return
    makes = robot.min_dispense_ul
    for least, most in sorted(TOOLS[name] for name in names):
        makes = max(makes, most) if least <= makes else makes
    if makes == robot.min_dispense_ul or makes < robot.max_dispense_ul:
        more = "" if makes == robot.min_dispense_ul else "a little more than "
        yield (
            f"[robot], pipettes: none of {', '.join(names)} makes {more}{makes:g} µL; list "
            "another, or change min_dispense_ul and max_dispense_ul"
        )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _carried(text: str) -> bool:
    return (
        text.isprintable()
        and all(ord(character) < 256 for character in text)
        and not text.startswith(CALCULATIONS)
    )
