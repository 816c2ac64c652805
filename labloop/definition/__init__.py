"""campaign.toml as frozen, checked objects."""

from labloop.definition.models import (
    Component,
    Constraint,
    Definition,
    Plate,
    ProposalSettings,
    Response,
    Robot,
    Seats,
    SurrogateSettings,
)
from labloop.definition.parsing import load, parse, read_text

__all__ = [
    "Component",
    "Constraint",
    "Definition",
    "Plate",
    "ProposalSettings",
    "Response",
    "Robot",
    "Seats",
    "SurrogateSettings",
    "load",
    "parse",
    "read_text",
]
