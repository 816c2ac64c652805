"""How the templates of this room are filled in."""

from __future__ import annotations

import jinja2


def environment() -> jinja2.Environment:
    """Return the templates' environment: names are escaped, a name that is missing is an error."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("labloop.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
