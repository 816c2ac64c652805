"""Units of concentration, and what one is worth in another.

Molar units (M, mM, uM, nM) and mass units (g/L, mg/L, ug/L, ng/mL, %) convert within their kind,
and into each other through the molar mass. Percent means weight in volume: 1 % = 1 g in 100 mL =
10 g/L. X (fold of a concentrate) and U/mL (enzyme activity) convert only to themselves.
"""

from __future__ import annotations

import math
import re
from typing import Final

from labloop.errors import LabloopError, did_you_mean


class UnitError(LabloopError):
    """A unit is unknown, or one unit cannot be expressed in the other."""


# unit -> (kind, power of ten that takes it to the base unit of its kind)
_SCALES: Final = {
    "M": ("molar", 0),
    "mM": ("molar", -3),
    "uM": ("molar", -6),
    "nM": ("molar", -9),
    "g/L": ("mass", 0),
    "mg/L": ("mass", -3),
    "ug/L": ("mass", -6),
    "ng/mL": ("mass", -6),
    "%": ("mass", 1),
    "X": ("fold", 0),
    "U/mL": ("activity", 0),
}

UNITS: Final[tuple[str, ...]] = tuple(_SCALES)

# Other spellings of exactly the same unit; only ones that cannot mean anything else.
_SPELLINGS: Final = {
    **{unit: unit for unit in UNITS},
    **{unit.replace("L", "l"): unit for unit in UNITS},
    "mol/L": "M",
    "mol/l": "M",
    "mmol/L": "mM",
    "mmol/l": "mM",
    "umol/L": "uM",
    "umol/l": "uM",
    "nmol/L": "nM",
    "nmol/l": "nM",
    "mg/mL": "g/L",
    "mg/ml": "g/L",
    "ug/mL": "mg/L",
    "ug/ml": "mg/L",
    "ug/uL": "g/L",
    "ug/ul": "g/L",
    "ng/uL": "mg/L",
    "ng/ul": "mg/L",
    "% w/v": "%",
    "% (w/v)": "%",
    "w/v %": "%",
    "x": "X",
}
# g L-1, g·L⁻¹, mmol l^-1
_PER_LITRE: Final = re.compile(r"(\S+?)[ ·⋅*]*([lL])\s*(?:\^?[-−]1|⁻¹)")

# The micro sign and the Greek letter look the same; instruments and spreadsheets write either.
_MICRO: Final = str.maketrans({"\u00b5": "u", "\u03bc": "u"})


def is_unit(text: str) -> bool:
    """Return whether `text` spells a unit of concentration."""
    return _plain(text) in _SPELLINGS


def _plain(unit: str) -> str:
    """Return a unit with the letter u for micro and a stroke for per litre."""
    return _PER_LITRE.sub(r"\1/\2", unit.strip().translate(_MICRO))


def canonical(unit: str) -> str:
    """Return the one spelling of `unit` that labloop uses (one of `UNITS`): µM gives uM.

    Raises UnitError when the unit is unknown.
    """
    spelled = _plain(unit)
    if spelled not in _SPELLINGS:
        hint = did_you_mean(spelled, UNITS)
        raise UnitError(f'unknown unit "{unit}"{hint or ";"} units are {", ".join(UNITS)}')
    return _SPELLINGS[spelled]


def conversion_factor(from_unit: str, to_unit: str, molar_mass: float | None = None) -> float:
    """Return the number that turns a concentration in `from_unit` into one in `to_unit`.

    `molar_mass` is in g/mol and is needed only between molar and mass units. Raises UnitError,
    without the component's name, which the caller puts in front: "glucose: cannot convert …".
    """
    source, target = canonical(from_unit), canonical(to_unit)
    source_kind, source_power = _SCALES[source]
    target_kind, target_power = _SCALES[target]
    power = source_power - target_power
    # Dividing by a whole power of ten rounds once; multiplying by 1e-3 would round twice.
    factor = 10.0**power if power >= 0 else 1.0 / 10.0**-power
    if source_kind == target_kind:
        return factor
    if {source_kind, target_kind} != {"molar", "mass"}:
        raise UnitError(
            f"cannot convert {source} to {target}: "
            f"{_only_itself(source_kind, source, target)} converts only to itself"
        )
    if molar_mass is None:
        raise UnitError(
            f"cannot convert {source} to {target} without molar_mass; "
            "add molar_mass = … (in g/mol) to the component"
        )
    if not (math.isfinite(molar_mass) and molar_mass > 0.0):
        raise UnitError(f"molar_mass must be a positive number of g/mol (got {molar_mass!r})")
    return factor * molar_mass if source_kind == "molar" else factor / molar_mass


def _only_itself(source_kind: str, source: str, target: str) -> str:
    """Name the one of two units that has no other unit to convert to."""
    return source if source_kind in {"fold", "activity"} else target
