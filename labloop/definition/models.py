"""The sections of campaign.toml as frozen pydantic models; attribute names are the TOML's keys.

What one value alone can say (its type, its range) is checked here; what takes two values or two
sections is checked in `checks`.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from labloop.robots import PIPETTES, ROBOTS, SOURCE_TYPES, TOOLS


def _plain(value: Any) -> Any:
    """Turn a numpy scalar, as a Python caller may hand in, into a plain number."""
    return value.item() if getattr(value, "ndim", None) == 0 else value


def _plain_list(value: Any) -> Any:
    """Turn a numpy array, as a Python caller may hand in, into a plain list."""
    return value.tolist() if hasattr(value, "tolist") else value


Number = Annotated[float, BeforeValidator(_plain), Field(strict=True, allow_inf_nan=False)]
NotNegative = Annotated[Number, Field(ge=0)]
Positive = Annotated[Number, Field(gt=0)]
Share = Annotated[Number, Field(ge=0, le=1)]
RangeEnd = Annotated[float, BeforeValidator(_plain), Field(strict=True)]  # inf: no end
Whole = Annotated[int, BeforeValidator(_plain), Field(strict=True)]
Text = Annotated[str, Field(strict=True)]
Stocks = Annotated[tuple[Positive, ...], BeforeValidator(_plain_list)]
Levels = Annotated[tuple[NotNegative, ...], BeforeValidator(_plain_list)]

DILUENT = "diluent"
"""What `holds` calls the diluent, whatever its name is."""

Goal = Literal["maximize", "minimize", "at_least", "at_most", "near", "observe"]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Plate(_Section):
    """The plates of the campaign; volumes in µL."""

    wells: Literal[24, 48, 96, 384, 1536] = 96
    plates: Annotated[Whole, Field(ge=1)] = 1
    well_volume_ul: Positive = 200.0
    well_capacity_ul: Positive | None = None
    inoculum_ul: NotNegative = 0.0
    diluent: Text = "water"
    replicates: Annotated[Whole, Field(ge=1)] = 1
    controls: dict[str, Annotated[Whole, Field(ge=1)]] = {}
    empty_wells: tuple[Text, ...] | Literal["edge"] = ()


class SourcePlate(_Section):
    """A plate, rack or reservoir that stocks stand in; volumes in µL.

    `holds` names the only components (or the diluent) whose stocks stand in it; empty for any.
    """

    wells: Literal[1, 6, 12, 15, 24, 48, 96, 384, 1536]
    well_volume_ul: Positive
    dead_volume_ul: NotNegative
    most_from_well_ul: Positive | None = None
    labware: Text = ""
    holds: tuple[Text, ...] = ()

    @property
    def gives_ul(self) -> float:
        """The most that is taken from one of its wells, in µL."""
        filled = self.well_volume_ul - self.dead_volume_ul
        return filled if self.most_from_well_ul is None else min(filled, self.most_from_well_ul)


class Place(_Section):
    """The source wells that the user gives a stock; `concentration` is None for the diluent."""

    stock: Text
    concentration: Positive | None = None
    source_plate: Annotated[Whole, Field(ge=1)] = 1
    wells: Annotated[tuple[Text, ...], Field(min_length=1)]


class CsvSettings(_Section):
    """How the worklist of a robot that reads CSV is written.

    `columns` gives a column's heading the field that stands in it, or a text behind =; see
    `labloop.csv_profiles`.
    """

    profile: Text | None = None
    columns: dict[str, Text] = {}


class Robot(_Section):
    """The liquid handler and its limits, volumes in µL; what is left out is the kind's default."""

    kind: Literal[tuple(ROBOTS)] = "manual"  # type: ignore[valid-type]
    min_dispense_ul: Positive = 0.0
    increment_ul: Positive = 0.0
    max_dispense_ul: Positive = 0.0
    dead_volume_ul: NotNegative = 0.0
    source_wells: Literal[1, 6, 12, 15, 24, 48, 96, 384, 1536] = 96
    source_well_volume_ul: Positive = 0.0
    source_labware: Text = ""
    most_from_well_ul: Positive | None = None
    positions: Annotated[Whole, Field(ge=1)] | None = None
    source_plates: tuple[SourcePlate, ...] = Field(alias="source_plate", default=())
    places: tuple[Place, ...] = Field(alias="place", default=())
    plate_labware: Text = ""
    pipettes: tuple[Text, ...] = ()
    tips: Literal["stock", "dispense"] = "stock"
    liquid_classes: dict[str, Text] = {}
    csv: CsvSettings = CsvSettings()

    @model_validator(mode="before")
    @classmethod
    def _fill_from_kind(cls, values: Any) -> Any:
        kind = values.get("kind", "manual") if isinstance(values, dict) else None
        if not isinstance(kind, str) or kind not in ROBOTS:
            return values
        usual = asdict(ROBOTS[kind])
        bulk = usual.pop("bulk")
        ranges = {**PIPETTES, **TOOLS}
        pipettes = [ranges[name] for name in _names(values.get("pipettes")) if name in ranges]
        if pipettes:
            usual["min_dispense_ul"] = min(least for least, _ in pipettes)
            usual["max_dispense_ul"] = max(most for _, most in pipettes)
        filled = usual | _as_source_plates(_of_type(values.get("source_labware"))) | values
        key = "source_plates" if "source_plates" in values else "source_plate"
        if key not in values:
            return filled | {key: [] if bulk is None else [bulk | {"holds": (DILUENT,)}]}
        if isinstance(values[key], list | tuple):
            filled[key] = [_like_usual(plate, filled) for plate in values[key]]
        return filled

    @property
    def usual_source_plate(self) -> SourcePlate:
        """The source plate of which as many follow the listed ones as it takes."""
        return SourcePlate(
            wells=self.source_wells,
            well_volume_ul=self.source_well_volume_ul,
            dead_volume_ul=self.dead_volume_ul,
            most_from_well_ul=self.most_from_well_ul,
            labware=self.source_labware,
        )

    def source_plate(self, number: int) -> SourcePlate:
        """Return the source plate of a number, counted from 1."""
        listed = self.source_plates
        return listed[number - 1] if number <= len(listed) else self.usual_source_plate


def _of_type(labware: Any) -> dict[str, Any]:
    """Return the keys of a source plate whose labware alone says what it is; none of any other."""
    if not isinstance(labware, str) or labware not in SOURCE_TYPES:
        return {}
    keys = asdict(SOURCE_TYPES[labware])
    del keys["drop_ul"]
    return keys


def _as_source_plates(plate: dict[str, Any]) -> dict[str, Any]:
    """Return the keys of a source plate as those of the robot's usual source plates."""
    usual = {"wells": "source_wells", "well_volume_ul": "source_well_volume_ul"}
    return {usual.get(key, key): value for key, value in plate.items()}


def _like_usual(plate: Any, robot: dict[str, Any]) -> Any:
    """Give a source plate what its labware says, or else, where it does not say how many wells it
    has, the robot's usual ones."""
    if not isinstance(plate, dict):
        return plate
    own = _of_type(plate.get("labware"))
    another = bool(own) and plate["labware"] != robot["source_labware"]
    if another or "wells" in plate:
        return own | plate
    usual = {
        "wells": robot["source_wells"],
        "well_volume_ul": robot["source_well_volume_ul"],
        "dead_volume_ul": robot["dead_volume_ul"],
        "most_from_well_ul": robot["most_from_well_ul"],
        "labware": robot["source_labware"],
    }
    return usual | plate


def _names(value: Any) -> list[str]:
    """Return the names in a list that was not checked yet."""
    value = _plain_list(value)
    return (
        [each for each in value if isinstance(each, str)] if isinstance(value, list | tuple) else []
    )


class Component(_Section):
    """An ingredient; concentrations in `unit`.

    A component is one of: a range `low` to `high`; `levels`; `fixed`; or `choices`, which are
    names without an order.
    """

    name: Text
    unit: Text = "X"
    low: NotNegative = 0.0
    high: Positive = 1.0
    stocks: Stocks = ()
    molar_mass: Positive | None = None
    price: NotNegative | None = None
    solubility: Positive | None = None
    scale: Literal["linear", "log"] = "linear"
    step: Positive | None = None
    levels: Levels | None = None
    fixed: NotNegative | None = None
    choices: tuple[Text, ...] | None = None

    @model_validator(mode="before")
    @classmethod
    def _fill_range(cls, values: Any) -> Any:
        if not isinstance(values, dict) or ("fixed" in values and "high" in values):
            return values
        numbers = [values["fixed"]] if "fixed" in values else _plain_list(values.get("levels"))
        if not isinstance(numbers, list | tuple) or not numbers:
            return values
        numbers = [_plain(number) for number in numbers]
        if not all(_is_concentration(number) for number in numbers):
            return values
        return {"low": float(min(numbers)), "high": float(max(numbers)) or 1.0} | values

    @property
    def ends(self) -> tuple[float, float]:
        """Least and greatest concentration that a formula may have."""
        if self.fixed is not None:
            return self.fixed, self.fixed
        if self.levels is not None:
            return min(self.levels), max(self.levels)
        return self.low, self.high

    @property
    def varies(self) -> bool:
        """Whether two formulas can differ in this component."""
        return self.fixed is None


def _is_concentration(value: Any) -> bool:
    """Whether a value will pass as a concentration."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number too large for a float
        return False


class Response(_Section):
    """What the lab measures of a formula, and what is wanted of it.

    `range` is what the instrument can read, least and most, in the response's unit.
    """

    name: Text
    unit: Text = ""
    goal: Goal = "maximize"
    bound: Number | None = None
    weight: Positive = 1.0
    transform: Literal["none", "log"] = "none"
    reference: Number | None = None
    range: tuple[RangeEnd, RangeEnd] | None = None

    @property
    def is_objective(self) -> bool:
        """Whether the response is to be made better, not merely kept within a bound or watched."""
        return self.goal in ("maximize", "minimize", "near")


class Constraint(_Section):
    """A bound on a weighted sum of concentrations (`total`) or on how many components are above
    zero (`present`)."""

    total: dict[str, Number] | None = None
    present: tuple[Text, ...] | None = None
    at_least: Number | None = None
    at_most: Number | None = None
    equals: Number | None = None

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest value that the sum or the count may take."""
        if self.equals is not None:
            return self.equals, self.equals
        lower = -float("inf") if self.at_least is None else self.at_least
        upper = float("inf") if self.at_most is None else self.at_most
        return lower, upper

    def __str__(self) -> str:
        if self.total is not None:
            terms = [n if abs(w) == 1 else f"{abs(w):g} {n}" for n, w in self.total.items()]
            signs = ["-" if w < 0 else "+" for w in self.total.values()]
            what = " ".join(f"{s} {t}" for s, t in zip(signs, terms, strict=True))
            what = what.removeprefix("+ ")
        else:
            what = f"number present of {', '.join(self.present or ())}"
        sides = {"≥": self.at_least, "≤": self.at_most, "=": self.equals}
        return " and ".join(f"{what} {sign} {v:g}" for sign, v in sides.items() if v is not None)


class SurrogateSettings(_Section):
    """How the network is built and transferred."""

    layers: Annotated[Whole, Field(ge=5, le=20)] = 8
    members: Annotated[Whole, Field(ge=2, le=64)] = 8
    feature_share: Annotated[Number, Field(gt=0, le=1)] = 0.7
    transfer: Literal["staged", "patent"] = "staged"


class Seats(_Section):
    """Shares of the plate's formulas reserved for some of the strategies; the acquisition fills
    the rest."""

    latin_hypercube: Share = 0.25
    mixing: Share = 0.05
    exploration: Share = 0.0


class ProposalSettings(_Section):
    """How many formulas a round has and from how many candidates they are chosen."""

    formulas: Annotated[Whole, Field(ge=1, le=4096)] = 24
    candidates: Annotated[Whole, Field(ge=1)] = 1_000_000
    grid_levels: Annotated[Whole, Field(ge=2, le=100)] = 5
    seats: Seats = Seats()
    repeats: Share = 0.0
    well_price: Positive | None = None
    shared: tuple[Text, ...] = ()
    most_stocks: Annotated[Whole, Field(ge=1)] | None = None


class NoiseSettings(_Section):
    """What is corrected on the way from wells to one observation a formula."""

    plates: Annotated[bool, Field(strict=True)] = True
    positions: Annotated[bool, Field(strict=True)] = True
    outliers: Annotated[bool, Field(strict=True)] = True


class Block(_Section):
    """A part of an instrument's file: what it holds, and where it stands.

    `holds` is a response or "formula"; a table has a header instead. `cells` is the range or its
    upper left corner, as A1 or A1:M9; None where the sheet has nothing else.
    """

    form: Literal["grid", "list", "table"] = "grid"
    holds: Text = ""
    sheet: Text | None = None
    cells: Text | None = None
    plate: Text | None = None
    unit: Text | None = None
    header_rows: Annotated[Whole, Field(ge=1, le=9)] = 1


class Instrument(_Section):
    """How the files of an instrument are read.

    `words` are texts that it writes instead of numbers, and the status that each means.
    """

    name: Text
    decimal: Text | None = None
    encoding: Text | None = None
    words: dict[str, Literal["missing", "below_range", "above_range"]] = {}
    blocks: tuple[Block, ...] = Field(alias="block", default=())


class Definition(_Section):
    """A whole campaign.toml."""

    name: Text
    description: Text = ""
    plate: Plate = Plate()
    robot: Robot = Field(default_factory=lambda: Robot(kind="manual"))
    components: tuple[Component, ...] = Field(alias="component")
    responses: tuple[Response, ...] = Field(alias="response")
    constraints: tuple[Constraint, ...] = Field(alias="constraint", default=())
    formulas: dict[str, dict[str, NotNegative | Text]] = {}
    surrogate: SurrogateSettings = SurrogateSettings()
    proposal: ProposalSettings = ProposalSettings()
    aliases: dict[str, Text] = {}
    noise: NoiseSettings = NoiseSettings()
    instruments: tuple[Instrument, ...] = Field(alias="instrument", default=())

    @property
    def component_names(self) -> list[str]:
        """Names of the components, in the order of campaign.toml."""
        return [component.name for component in self.components]

    @property
    def units(self) -> dict[str, str]:
        """Unit of each component by its name, in the order of campaign.toml; none of choices."""
        return {c.name: c.unit if c.choices is None else "" for c in self.components}

    @property
    def response_names(self) -> list[str]:
        """Names of the responses, in the order of campaign.toml."""
        return [response.name for response in self.responses]

    def to_toml(self) -> str:
        """Return the definition as the text of a campaign.toml."""
        import tomli_w

        return tomli_w.dumps(self.model_dump(by_alias=True, exclude_unset=True, exclude_none=True))
