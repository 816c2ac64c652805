"""From TOML to a Definition, or to one error that lists every problem with its place."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from labloop.definition.checks import problems_of
from labloop.definition.models import Definition, _Section
from labloop.errors import DefinitionError, did_you_mean

_LISTS = ("component", "response", "constraint", "instrument")


def load(path: Path | str) -> Definition:
    """Read a campaign.toml.

    Raises:
        DefinitionError: The file cannot be read, is not TOML, or has problems.
    """
    return parse(read_text(Path(path)), where=str(path))


def read_text(path: Path) -> str:
    """Return the text of a campaign.toml; raises DefinitionError where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DefinitionError(
            f"{path} does not exist.", ["make it with `labloop init`, or check the path"]
        ) from None
    except UnicodeDecodeError as error:
        raise DefinitionError(
            f"{path} is not UTF-8 text.",
            [f"byte {error.start + 1} cannot be read; save the file as UTF-8"],
        ) from None
    except OSError as error:
        raise DefinitionError(f"{path} cannot be read.", [str(error.strerror)]) from None


def parse(source: str | Mapping[str, Any], where: str = "The definition") -> Definition:
    """Check a definition given as TOML text or as a dict of the same shape.

    Args:
        source: TOML text or nested dict.
        where: What the definition is called in the error, usually its path.

    Raises:
        DefinitionError: Lists every problem with its place in the TOML.
    """
    if isinstance(source, str):
        try:
            source = tomllib.loads(source)
        except tomllib.TOMLDecodeError as error:
            raise DefinitionError(f"{where} is not valid TOML.", [str(error)]) from None
        except RecursionError:
            problem = "lists or tables are nested too deeply"
            raise DefinitionError(f"{where} cannot be read.", [problem]) from None
        except ValueError:
            # Python's own limit against integers that take minutes to convert
            problem = "a whole number has more than 4300 digits"
            raise DefinitionError(f"{where} cannot be read.", [problem]) from None
    sections, problems = _validate_sections(source)
    problems += problems_of(sections, _invalid_components(source, sections))
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise DefinitionError(f"{where} has {count}:", problems)
    return Definition.model_validate(dict(source))


def parse_stored(text: str) -> Definition:
    """Return a definition from the TOML text that was stored with a round.

    It was checked then: rules that came later must not keep anyone from the round.
    """
    return Definition.model_validate(tomllib.loads(text))


def _validate_sections(source: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Validate each top-level key (and each element of a list) by itself, so that a problem in one
    hides none in another; returns what is valid and the problems of what is not."""
    valid: dict[str, Any] = {}
    problems: list[str] = []
    fields = {field.alias or name: field for name, field in Definition.model_fields.items()}
    for key, value in source.items():
        if key not in fields:
            plural = str(key).removesuffix("s")
            hint = f'; did you mean "{plural}"?' if plural in fields else ""
            hint = hint or did_you_mean(str(key), fields)
            problems.append(f'unknown key "{key}"{hint}')
            continue
        adapter = _adapter(key)
        try:
            valid[key] = adapter.validate_python(value)
        except ValidationError as error:
            problems += _sentences(key, value, error)
            if key in _LISTS and isinstance(value, list | tuple):
                valid[key] = _valid_elements(adapter, value)
    for key, field in fields.items():
        given = source.get(key, ())
        if field.is_required() and isinstance(given, list | tuple) and not given:
            listed = key in ("component", "response")
            missing = f"[[{key}]] is missing; a campaign needs at least one"
            problems.append(missing if listed else f"{key} = … is missing")
        elif key not in source:
            valid[key] = field.get_default(call_default_factory=True)
    return valid, problems


def _invalid_components(source: Mapping[str, Any], sections: Mapping[str, Any]) -> set[str]:
    """Return the names of components that have problems of their own."""
    elements = source.get("component", ())
    elements = elements if isinstance(elements, list | tuple) else ()
    names = {e["name"] for e in elements if isinstance(e, dict) and isinstance(e.get("name"), str)}
    return names - {component.name for component in sections.get("component", ())}


@functools.cache
def _adapter(key: str) -> TypeAdapter[Any]:
    """Return what validates the value of a top-level key."""
    return TypeAdapter(Definition.model_fields[_field_name(Definition, key)].rebuild_annotation())


def _valid_elements(adapter: TypeAdapter[Any], elements: Sequence[Any]) -> tuple[Any, ...]:
    """Return the elements that are valid alone."""
    valid: list[Any] = []
    for element in elements:
        try:
            valid += adapter.validate_python([element])
        except ValidationError:
            continue  # its problems are listed already, by the whole list's validation
    return tuple(valid)


def _sentences(section: str, value: Any, error: ValidationError) -> list[str]:
    """Return one sentence a place; where two types are allowed, about the first of them."""
    sentences: dict[tuple[Any, ...], str] = {}
    for detail in error.errors():
        location = _without_tag(section, list(detail["loc"]))
        sentences.setdefault(tuple(location), _sentence(section, value, location, detail))
    if section == "plate" and ("empty_wells",) in sentences:
        wells = value["empty_wells"]
        sentences = {k: s for k, s in sentences.items() if k[0] != "empty_wells"} | {
            ("empty_wells",): (
                f'[plate], empty_wells: must be a list of wells or "edge" (got {_shown(wells)})'
            )
        }
    return list(sentences.values())


def _sentence(section: str, value: Any, location: list[Any], detail: Any) -> str:
    """Return one pydantic error as a sentence that begins with its TOML place."""
    place, keys = _place(section, value, location)
    kind, given = detail["type"], detail["input"]
    if kind in ("extra_forbidden", "missing"):
        parents = ".".join(str(key) for key in keys[:-1])
        table = f"{place}, {parents}" if parents else place
        if kind == "missing":
            return f'{table}: key "{keys[-1]}" is missing'
        hint = did_you_mean(str(keys[-1]), _known_keys(section, location))
        return f'{table}: unknown key "{keys[-1]}"{hint}'
    name = ".".join(str(key) for key in keys)
    what = f"{place}, {name}" if name else place
    context = detail.get("ctx", {})
    if kind == "literal_error":
        hint = did_you_mean(given, _quoted(context["expected"])) if isinstance(given, str) else ""
        return f"{what}: must be one of {_listed(context['expected'])} (got {_shown(given)}){hint}"
    rule = _RULES.get(kind)
    if rule is None:
        return f"{what}: {detail['msg'][0].lower()}{detail['msg'][1:]} (got {_shown(given)})"
    return f"{what}: must be {rule.format(**context)} (got {_shown(given)})"


_LONGEST_VALUE = 60

_RULES = {
    "float_type": "a number",
    "int_type": "a whole number",
    "string_type": "text",
    "finite_number": "a finite number",
    "greater_than": "greater than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than_equal": "at most {le:g}",
    "tuple_type": "a list",
    "too_short": "a list of at least {min_length}",
    "dict_type": "a table",
    "model_type": "a table",
    "bool_type": "true or false",
}


def _shown(given: Any) -> str:
    """Return a value as a short text."""
    text = repr(given)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def _without_tag(section: str, location: list[Any]) -> list[Any]:
    """Drop the name of a union's branch, which pydantic puts behind the union's key."""
    depth = 2 if section == "formulas" else 1
    if section == "formulas" or (section == "plate" and location[:1] == ["empty_wells"]):
        return location[:depth] + location[depth + 1 :]
    return location


def _place(section: str, value: Any, location: list[Any]) -> tuple[str, list[Any]]:
    """Return the place in TOML's own notation and the keys below it."""
    if location and isinstance(location[0], int) and isinstance(value, list | tuple):
        element = value[location[0]]
        name = element.get("name") if isinstance(element, dict) else None
        label = f'"{name}"' if isinstance(name, str) else f"number {location[0] + 1}"
        place, rest = f"[[{section}]] {label}", location[1:]
        if len(rest) > 2 and isinstance(rest[1], int):
            return f"{place}, [[{section}.{rest[0]}]] number {rest[1] + 1}", rest[2:]
        return place, rest
    if section == "formulas" and location:
        return f"[formulas.{location[0]}]", location[1:]
    if section in _LISTS:
        return f"[[{section}]]", location
    if not isinstance(value, dict):
        return section, location
    if len(location) > 2 and isinstance(location[1], int):
        return f"[[{section}.{location[0]}]] number {location[1] + 1}", location[2:]
    return f"[{section}]", location


def _known_keys(section: str, location: list[Any]) -> list[str]:
    """Return the keys allowed where an unknown one stands."""
    model: Any = Definition.model_fields[_field_name(Definition, section)].annotation
    for key in location[:-1]:
        if isinstance(key, int):
            model = model.__args__[0]
        else:
            model = model.model_fields[_field_name(model, key)].annotation
    if not (isinstance(model, type) and issubclass(model, _Section)):
        return []
    return [field.alias or name for name, field in model.model_fields.items()]


def _field_name(model: type[_Section], key: str) -> str:
    return next(n for n, f in model.model_fields.items() if key in (f.alias, n))


def _quoted(expected: str) -> list[str]:
    return [word.strip(" '") for word in expected.replace(" or ", ", ").split(",")]


def _listed(expected: str) -> str:
    return ", ".join(_quoted(expected))
