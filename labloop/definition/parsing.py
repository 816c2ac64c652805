"""From TOML to a Definition, or to one error that lists every problem with its place."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from labloop.definition.checks import problems_of
from labloop.definition.models import Definition, _Section
from labloop.errors import DefinitionError, did_you_mean


def load(path: Path | str) -> Definition:
    """Read a campaign.toml.

    Raises:
        DefinitionError: The file cannot be read, is not TOML, or has problems.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
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
    return parse(text, where=str(path))


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
    sections, problems = _validate_sections(source)
    problems += problems_of(sections)
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise DefinitionError(f"{where} has {count}:", problems)
    return Definition.model_validate(dict(source))


def _validate_sections(source: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Validate each top-level key (and each element of a list) by itself, so that a problem in one
    hides none in another; returns what is valid and the problems of what is not."""
    valid: dict[str, Any] = {}
    problems: list[str] = []
    fields = {field.alias or name: field for name, field in Definition.model_fields.items()}
    for key, value in source.items():
        if key not in fields:
            plural = key.removesuffix("s")
            hint = f'; did you mean "{plural}"?' if plural in fields else did_you_mean(key, fields)
            problems.append(f'unknown key "{key}"{hint}')
            continue
        adapter: TypeAdapter[Any] = TypeAdapter(fields[key].rebuild_annotation())
        try:
            valid[key] = adapter.validate_python(value)
        except ValidationError as error:
            problems += [_sentence(key, value, detail) for detail in error.errors()]
            if isinstance(value, list):
                valid[key] = _valid_elements(adapter, value)
    for key, field in fields.items():
        if key not in source:
            if field.is_required():
                shape = f"[[{key}]]" if key in ("component", "response") else f"{key} = …"
                problems.append(f"{shape} is missing; a campaign needs at least one")
            else:
                valid[key] = field.get_default(call_default_factory=True)
    return valid, problems


def _valid_elements(adapter: TypeAdapter[Any], elements: list[Any]) -> tuple[Any, ...]:
    """Return the elements that are valid alone."""
    valid: list[Any] = []
    for element in elements:
        try:
            valid += adapter.validate_python([element])
        except ValidationError:
            continue  # its problems are listed already, by the whole list's validation
    return tuple(valid)


def _sentence(section: str, value: Any, detail: Any) -> str:
    """Return one pydantic error as a sentence that begins with its TOML place."""
    location = [part for part in detail["loc"] if not _is_tag(part)]
    place, keys = _place(section, value, location)
    kind, given = detail["type"], detail["input"]
    if kind == "extra_forbidden":
        known = _known_keys(section, location)
        return f'{place}: unknown key "{keys[-1]}"{did_you_mean(str(keys[-1]), known)}'
    if kind == "missing":
        return f'{place}: key "{keys[-1]}" is missing'
    name = ".".join(str(key) for key in keys)
    what = f"{place}, {name}" if name else place
    context = detail.get("ctx", {})
    if kind == "literal_error":
        hint = did_you_mean(given, _quoted(context["expected"])) if isinstance(given, str) else ""
        return f"{what}: must be one of {_listed(context['expected'])} (got {given!r}){hint}"
    rule = _RULES.get(kind)
    if rule is None:
        return f"{what}: {detail['msg'][0].lower()}{detail['msg'][1:]} (got {given!r})"
    return f"{what}: must be {rule.format(**context)} (got {given!r})"


_RULES = {
    "float_type": "a number",
    "int_type": "a whole number",
    "string_type": "text",
    "finite_number": "a finite number",
    "greater_than": "greater than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than_equal": "at most {le:g}",
    "tuple_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
}


def _is_tag(part: Any) -> bool:
    """Whether pydantic put the name of a union's branch, not a key, into the location."""
    return isinstance(part, str) and ("[" in part or part in ("float", "str"))


def _place(section: str, value: Any, location: list[Any]) -> tuple[str, list[Any]]:
    """Return the place in TOML's own notation and the keys below it."""
    if location and isinstance(location[0], int) and isinstance(value, list):
        element = value[location[0]]
        name = element.get("name") if isinstance(element, dict) else None
        label = f'"{name}"' if isinstance(name, str) else f"number {location[0] + 1}"
        return f"[[{section}]] {label}", location[1:]
    if section == "formulas" and location:
        return f"[formulas.{location[0]}]", location[1:]
    return (f"[{section}]" if isinstance(value, dict) else section), location


def _known_keys(section: str, location: list[Any]) -> list[str]:
    """Return the keys allowed where an unknown one stands."""
    model: Any = Definition.model_fields[_field_name(section)].annotation
    if location and isinstance(location[0], int):
        model, location = model.__args__[0], location[1:]
    for key in location[:-1]:
        model = model.model_fields[key].annotation
    if not (isinstance(model, type) and issubclass(model, _Section)):
        return []
    return list(model.model_fields)


def _field_name(key: str) -> str:
    return next(n for n, f in Definition.model_fields.items() if (f.alias or n) == key)


def _quoted(expected: str) -> list[str]:
    return [word.strip(" '") for word in expected.replace(" or ", ", ").split(",")]


def _listed(expected: str) -> str:
    return ", ".join(_quoted(expected))
