"""What plates and places did to wells, in sentences.

An effect is told where it is more than twice its standard error; smaller ones are corrected too, by
as little as is known of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from labloop.report.numbers import counted, enumerated, plus_minus, with_unit
from labloop.report.place_sentences import what_places_did
from labloop.report.plate_readings import BEYOND, PlateReadings, named, sentence

_TOLD: Final = 12  # plates that get a sentence of their own
_SWITCHES: Final = {
    "plates": "plates are not compared",
    "positions": "places are not corrected",
    "outliers": "no well is left out",
}


def what_plates_did(readings: PlateReadings) -> tuple[str, ...]:
    """Return what plates, places and mishaps did to the values of the plates that are shown."""
    said = _switched_off(readings)
    if readings.switches["plates"]:
        said += [*_levels(readings), *_alone(readings)]
    if readings.switches["positions"]:
        said += what_places_did(readings)
    return (*said, *_left_out(readings))


def _switched_off(readings: PlateReadings) -> list[str]:
    off = [words for name, words in _SWITCHES.items() if not readings.switches[name]]
    return [f"As [noise] in campaign.toml says, {enumerated(off)}."] if off else []


def _levels(readings: PlateReadings) -> list[str]:
    """Return which plates read higher or lower than those that they share formulas with."""
    effects: dict[tuple[int, str], list[str]] = {}
    for j, response in enumerate(readings.responses):
        for plate, other, effect in _effects(readings, j):
            if readings.shown[plate]:
                effects.setdefault((plate, other), []).append(f"{response.name} {effect}")
    said = []
    for (plate, other), parts in list(effects.items())[:_TOLD]:
        name, told = readings.names[plate], _told_by(readings, plate)
        said.append(
            sentence(f"{name} reads {enumerated(parts)} than {other} (from {told}); corrected")
        )
    further = len(effects) - _TOLD
    if further > 0:
        verb = "differs" if further == 1 else "differ"
        said.append(f"{counted(further, 'further plate')} {verb}, too; corrected.")
    return said


def _effects(readings: PlateReadings, j: int) -> Iterator[tuple[int, str, str]]:
    """Yield plate, what it is compared with, and by how much it reads a response differently."""
    connected = np.flatnonzero(readings.seen.connected[:, j]).tolist()
    levels = {plate: _level(readings, plate, j) for plate in connected}
    apart = {plate: _apart(readings, plate, j, level) for plate, level in levels.items()}
    other = "the median plate"
    if len(connected) == 2:
        # Both stand at the same distance from their middle, with opposite errors.
        first, second = connected
        (effect, error), (effect_2, error_2) = apart[first], apart[second]
        apart, other = {second: (effect_2 - effect, error_2 + error)}, readings.names[first]
    positive = bool((readings.seen.corrected[readings.counts[:, j], j] > 0).all())
    for plate, (effect, error) in apart.items():
        level = levels[plate]
        if abs(effect) > BEYOND * error and abs(effect) > 1e-9 * abs(level):
            if positive:
                size = f"{plus_minus(100 * abs(effect) / level, 100 * error / level)} %"
            else:
                size = with_unit(plus_minus(abs(effect), error), readings.responses[j].unit)
            yield plate, other, f"{size} {'higher' if effect > 0 else 'lower'}"


def _level(readings: PlateReadings, plate: int, j: int) -> float:
    """Return the usual value on a plate, 0 where it has none."""
    values = readings.seen.corrected[readings.on(plate, j), j]
    return float(np.median(values)) if len(values) else 0.0


def _apart(readings: PlateReadings, plate: int, j: int, level: float) -> tuple[float, float]:
    """Return how much more than a true value a plate reads, and the standard error of that."""
    seen = readings.seen
    effect = seen.offset[plate, j] + (seen.gain[plate, j] - 1.0) * level
    variance = (
        seen.offset_error[plate, j] ** 2
        + 2 * level * seen.error_product[plate, j]
        + (level * seen.gain_error[plate, j]) ** 2
    )
    return float(effect), float(np.sqrt(max(variance, 0.0)))


def _told_by(readings: PlateReadings, plate: int) -> str:
    """Return how many formulas of a plate stand on others too."""
    wells = readings.wells
    some = readings.counts.any(axis=1) & (wells.plates >= 0)
    here = set(wells.formulas[some & (wells.plates == plate)].tolist())
    there = set(wells.formulas[some & (wells.plates != plate)].tolist())
    shared = here & there
    common = len(shared & set(readings.controls))
    parts = [(common, "control"), (len(shared) - common, "formula")]
    listed = enumerated([counted(count, word) for count, word in parts if count])
    return f"{listed} on several plates"


def _alone(readings: PlateReadings) -> list[str]:
    """Return which plates could not be compared."""
    seen, plates = readings.seen, readings.wells.plates
    measured = np.zeros(seen.connected.shape, dtype=bool)
    known = plates >= 0
    np.logical_or.at(measured, plates[known], readings.counts[known])
    if not readings.shown.any() or measured.any(axis=1).sum() < 2:
        return []
    if not seen.connected.any():
        return [
            "No formula stands on two plates, so plates could not be compared; a control on every "
            "plate would tell them apart."
        ]
    several = measured.sum(axis=0) > 1
    apart = measured & ~seen.connected & several & readings.shown[:, None]
    alike: dict[str, list[str]] = {}
    for plate in np.flatnonzero(apart.any(axis=1)).tolist():
        whole = (apart[plate] == (measured[plate] & several)).all()
        which = [readings.responses[j].name for j in np.flatnonzero(apart[plate]).tolist()]
        of = "nothing" if whole else f"no {enumerated(which)}"
        alike.setdefault(of, []).append(readings.names[plate])
    said = []
    for of, names in alike.items():
        verb, pronoun = ("shares", "it") if len(names) == 1 else ("share", "they")
        words = f"{named(names)} {verb} {of} with the others, so {pronoun} could not be compared"
        said.append(sentence(words))
    return said


def _left_out(readings: PlateReadings) -> list[str]:
    """Return how many values count for nothing."""
    wells, shown = readings.wells, readings.shown
    # Wells of no plate are shown where every plate is.
    spoken = np.append(shown, bool(shown.all()))[wells.plates]
    far = int(readings.seen.flagged[spoken].sum())
    by_hand = int((wells.statuses[spoken] == "excluded").sum())
    said = []
    if far:
        of = counted(int(readings.counts[spoken].sum()), "value")
        why = "was left out, for it lies" if far == 1 else "were left out, for they lie"
        said.append(f"{far} of {of} {why} far from the replicates.")
    if by_hand:
        said.append(f"{counted(by_hand, 'value')} {'was' if by_hand == 1 else 'were'} excluded.")
    return said
