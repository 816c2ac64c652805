"""The app's templates; those of the report's sections are among them."""

from __future__ import annotations

import functools

import jinja2

from labloop.report.templating import environment
from labloop.report.theme import THEMES


@functools.cache
def templates() -> jinja2.Environment:
    """Return the templates: names are escaped, a name that is missing is an error."""
    own = jinja2.PackageLoader("labloop.web", "templates")
    report = jinja2.PackageLoader("labloop.report", "templates")
    made = environment().overlay(loader=jinja2.ChoiceLoader([own, report]))
    made.globals["themes"] = THEMES
    return made
