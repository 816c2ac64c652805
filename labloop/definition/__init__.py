"""campaign.toml as frozen, checked objects."""

from labloop.definition.models import (
    DILUENT,
    Component,
    Constraint,
    CsvSettings,
    Definition,
    Place,
    Plate,
    ProposalSettings,
    Response,
    Robot,
    Seats,
    SourcePlate,
    SurrogateSettings,
)
from labloop.definition.parsing import load, parse, parse_stored, read_text

__all__ = [
    "DILUENT",
    "Component",
    "Constraint",
    "CsvSettings",
    "Definition",
    "Place",
    "Plate",
    "ProposalSettings",
    "Response",
    "Robot",
    "Seats",
    "SourcePlate",
    "SurrogateSettings",
    "load",
    "parse",
    "parse_stored",
    "read_text",
]
