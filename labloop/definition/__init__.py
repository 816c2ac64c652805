"""campaign.toml as frozen, checked objects."""

from labloop.definition.models import (
    DILUENT,
    Block,
    Component,
    Constraint,
    CsvSettings,
    Definition,
    Instrument,
    NoiseSettings,
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
    "Block",
    "Component",
    "Constraint",
    "CsvSettings",
    "Definition",
    "Instrument",
    "NoiseSettings",
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
