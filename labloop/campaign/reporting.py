"""What the page of a round needs, gathered from the store as frames and sentences."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from labloop import store
from labloop.campaign.controls import control_means
from labloop.campaign.explaining import importance_sentences
from labloop.campaign.journey import journey_of
from labloop.campaign.knowledge import Observed, own_of
from labloop.campaign.measured import SeenWells, seen_wells
from labloop.campaign.notes import Note, read_notes
from labloop.campaign.pretraining import plain_is_ahead
from labloop.campaign.prospecting import likelihood, sentences
from labloop.campaign.rounds import Round, amounts_frame, definition_of, read_round
from labloop.campaign.standing import Standing, standing
from labloop.campaign.well_values import frame_of, plates_did
from labloop.definition import Definition
from labloop.errors import RefusedError
from labloop.report.numbers import counted, plus_minus, with_unit
from labloop.report.page import Fact, RoundPage, to_html
from labloop.report.sentences import outcome
from labloop.report.subjects import Component, Response
from labloop.space import FormulaSpace
from labloop.store import Store
from labloop.worklists import check_writable, write_files

_TO_END = 1.6448536269514722  # standard deviations from the middle of a 90 % interval to its ends

_NEXT = {
    "history": "Import earlier results if there are any, or propose the first round.",
    "pretrain": "The history has not been learned as it is now; learn it.",
    "export": "Write the plate map, the deck list and the worklist of the proposed round.",
    "record": "Make and measure the plate, then record the results.",
    "propose": "Nothing waits for results; propose the next round.",
}


def report(opened: Store, definition: Definition, folder: Path, number: int, out: Path) -> Path:
    """Write the page of a round and return its path; see `Campaign.report`."""
    rehearse(opened, number, out)  # rather than after the work
    page = round_page(opened, number, standing(opened, definition, folder), definition)
    if page.outcome:
        page = replace(page, **_learned(opened, definition, number))
    return write_files(out.parent, {out.name: to_html(page).encode("utf-8")})[0]


def rehearse(opened: Store, number: int, out: Path) -> Path:
    """See whether a round's page could be written, and return its path."""
    store.read_round(opened, number)
    check_writable(out)
    return out


def _learned(opened: Store, definition: Definition, number: int) -> dict[str, Any]:
    """Return the parts of the page that take learning, by what was known after the round.

    Where the campaign refuses to learn, the sentence that says why.
    """
    from labloop.campaign.effects import effects  # torch is slow to import

    try:
        found = effects(opened, definition, FormulaSpace.of(definition), number)
    except RefusedError as error:
        return {"learned": (f"Nothing was learned for this page. {error}",)}
    outlook = sentences(found.outlook, definition, "the next plate")
    return {
        "effects": found,
        "learned": importance_sentences(found.importance),
        "prospects": found.outlook,
        "outlook": outlook,
    }


def round_page(
    opened: Store, number: int, now: Standing, current: Definition | None = None
) -> RoundPage:
    """Return what the page of a round shows, by the definition that the round was proposed with.

    How wells are corrected is the `current` definition's to say, as it is of `Campaign.best`.
    """
    stored = store.read_round(opened, number)
    definition = _corrected_as(definition_of(opened, stored), current)
    shown = read_round(opened, number)
    seen = seen_wells(opened, definition)
    wells = frame_of(opened, seen, number)
    known = own_of(opened, definition, seen)
    responses = responses_of(definition)
    values = _values(opened, definition, responses, known, seen)
    scores = _scores(opened, stored, responses)
    return RoundPage(
        campaign=definition.name,
        description=definition.description,
        round=number,
        state=stored.state,
        as_of=_as_of(opened),
        facts=(*_facts(values, responses, known, now), *_outlook(shown)),
        proposed=_proposed(shown, definition.plate.wells),
        outcome=_outcome(opened, values, responses, known, number),
        next_step=_NEXT[now.next[0].split()[1]],
        command=now.next[0],
        components=_components(definition),
        responses=responses,
        all_values=values,
        amounts=shown.formulas[definition.component_names],
        labels=shown.formulas.get("candidate"),
        wells=shown.layout,
        readings=_readings(shown, wells),
        plate_wells=definition.plate.wells,
        scores=scores,
        warnings=plain_is_ahead(scores, definition.surrogate.transfer),
        plates=plates_did(opened, definition, seen, number) if len(wells) else (),
        all_amounts=_all_amounts(opened, definition),
        journey=journey_of(opened, definition, number),
        notes=tuple(_told(note) for note in read_notes(opened, number)),
        left_out=wells[wells["status"].isin(["outlier", "excluded"])],
    )


def _corrected_as(definition: Definition, current: Definition | None) -> Definition:
    """Return a definition with [noise] and the ranges of responses as they are now."""
    if current is None:
        return definition
    ranges = {r.name: r.range for r in current.responses}
    responses = tuple(
        r.model_copy(update={"range": ranges.get(r.name, r.range)}) for r in definition.responses
    )
    return definition.model_copy(update={"noise": current.noise, "responses": responses})


def _all_amounts(opened: Store, definition: Definition) -> pd.DataFrame:
    ids = store.campaign_formulas(opened, []).ids
    return amounts_frame(opened, ids, definition.components)


def _components(definition: Definition) -> tuple[Component, ...]:
    units = definition.units
    return tuple(Component(c.name, units[c.name], *c.ends) for c in definition.components)


def responses_of(definition: Definition) -> tuple[Response, ...]:
    """Return a definition's responses as pages speak of them."""
    nan = float("nan")
    return tuple(
        Response(
            r.name,
            r.unit,
            r.goal,
            nan if r.bound is None else r.bound,
            nan if r.reference is None else r.reference,
            r.transform == "log",
        )
        for r in definition.responses
    )


def _logarithmic(definition: Definition) -> set[str]:
    return {r.name for r in definition.responses if r.transform == "log"}


# -- values --------------------------------------------------------------------------------------


def _values(
    opened: Store,
    definition: Definition,
    responses: tuple[Response, ...],
    known: Observed,
    seen: SeenWells,
) -> pd.DataFrame:
    """Return every round's values; see `labloop.report.subjects`."""
    logarithmic = _logarithmic(definition)
    rounds = store.read_rounds(opened)
    names = [response.name for response in responses]
    parts = [*(_of_round(opened, r.number, names) for r in rounds), _adopted(opened, names)]
    values = pd.concat([part for part in parts if len(part)], ignore_index=True)
    values = values.join(_intervals(values, values["response"].isin(logarithmic).to_numpy()))
    values = values.join(_measured(names, known), on=["formula", "response"])
    values["wells"] = values["wells"].fillna(0).astype(int)
    values["meets"] = values["formula"].isin(_meeting(responses, known))
    waiting = [r.number for r in rounds if r.state in ("proposed", "exported")]
    values["waits"] = values["round"].isin(waiting)
    coming = values["waits"] & (values["origin"] == "replicate")
    values.loc[coming, ["measured", "sem", "wells"]] = (np.nan, np.nan, 0)  # known, but earlier
    controls = control_means(opened, definition, seen)
    if not len(controls):
        return values
    controls = controls.assign(
        origin="control", meets=True, waits=False,
        predicted=np.nan, sd=np.nan, low=np.nan, high=np.nan,
    )  # fmt: skip
    return pd.concat([values, controls], ignore_index=True)


def _of_round(opened: Store, number: int, responses: list[str]) -> pd.DataFrame:
    """Return a round's formulas in order of choice with what was predicted of them."""
    predicted = {
        (p.formula, p.response): (p.mean, p.sd) for p in store.read_predictions(opened, number)
    }
    nothing = (float("nan"), float("nan"))
    rows = [
        (number, p.formula, p.origin, name, *predicted.get((p.formula, name), nothing))
        for name in responses
        for p in store.read_proposals(opened, number)
    ]
    columns = ["round", "formula", "origin", "response", "predicted", "sd"]
    return pd.DataFrame(rows, columns=columns)


def _intervals(values: pd.DataFrame, log: npt.NDArray[np.bool_]) -> pd.DataFrame:
    """Return the ends of the 90 % intervals; those of logarithms are log-normal.

    Of a logarithm the prediction is the median m with s = m·sinh(σ); see `Scale.to_natural`.
    """
    mean, sd = values["predicted"].to_numpy(dtype=float), values["sd"].to_numpy(dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_sd, log_mean = np.arcsinh(sd / mean), np.log(mean)
    ends = {
        name: np.where(log, np.exp(log_mean + steps * log_sd), mean + steps * sd)
        for name, steps in (("low", -_TO_END), ("high", _TO_END))
    }
    return pd.DataFrame(ends, index=values.index)


def _measured(responses: list[str], known: Observed) -> pd.DataFrame:
    """Return by (formula, response) the mean of the wells, its standard error and their number."""
    index = pd.MultiIndex.from_product([known.ids.tolist(), responses])
    columns = {
        "measured": known.measured.reshape(-1),
        "sem": np.where(known.censored == 0, known.standard_errors, np.nan).reshape(-1),
        "wells": np.where(known.censored == 0, known.wells, 0).reshape(-1),
    }
    return pd.DataFrame(columns, index=index.set_names(["formula", "response"]))


def _meeting(responses: tuple[Response, ...], known: Observed) -> list[int]:
    """Return the formulas whose measured means meet all bounds."""
    meets = np.ones(len(known), dtype=bool)
    for j, response in enumerate(responses):
        if response.goal == "at_least":
            sure = known.censored[:, j] >= 0
            meets &= sure & (known.means[:, j] >= response.bound)
        if response.goal == "at_most":
            sure = known.censored[:, j] <= 0
            meets &= sure & (known.means[:, j] <= response.bound)
    found: list[int] = known.ids[meets].tolist()
    return found


def _adopted(opened: Store, responses: list[str]) -> pd.DataFrame:
    """Return the measured formulas that no round proposed, at the last round before them."""
    rounds = store.read_rounds(opened)
    on_plates = {w.formula for r in rounds for w in store.read_layout(opened, r.number)}
    first: dict[int, int] = {}
    for m in store.campaign_measurements(opened):
        if m.formula is not None and m.formula not in on_plates:
            first.setdefault(m.formula, m.event)
    rows = [
        (max((r.number for r in rounds if r.event < event), default=0), formula, "adopted", name)
        for name in responses
        for formula, event in first.items()
    ]
    frame = pd.DataFrame(rows, columns=["round", "formula", "origin", "response"])
    return frame.assign(predicted=np.nan, sd=np.nan)


def _readings(shown: Round, wells: pd.DataFrame) -> pd.DataFrame:
    """Return what was measured in the wells of a round's layout, raw and corrected."""
    plates = {str(plate): plate for plate in shown.layout["plate"]}
    placed = wells[wells["plate"].isin(list(plates)) & wells["well"].notna()]
    columns = ["well", "response", "value", "status", "corrected"]
    return placed[columns].assign(plate=placed["plate"].map(plates))


def _scores(opened: Store, stored: store.Round, responses: tuple[Response, ...]) -> pd.DataFrame:
    """Return the scores of the network that the round was proposed with."""
    model = None if stored.model is None else store.model_by_id(opened, stored.model)
    if model is None or not model.metadata.get("scores"):
        return pd.DataFrame()
    scores = pd.DataFrame(model.metadata["scores"]).set_index("response")
    return scores.loc[[r.name for r in responses if r.name in scores.index]]


# -- sentences -----------------------------------------------------------------------------------


def _facts(
    values: pd.DataFrame, responses: tuple[Response, ...], known: Observed, now: Standing
) -> tuple[Fact, ...]:
    states = Counter(state for _, state in now.rounds)
    made = ", ".join(f"{count} {state}" for state, count in states.items())
    facts = [
        Fact("rounds", str(len(now.rounds)), made),
        Fact(
            "formulas measured",
            str(int(np.isfinite(known.measured).any(axis=1).sum())),
            f"{now.pending} wait for results",
        ),
    ]
    for response in responses:
        best = response.leader(values) if response.is_objective else None
        if best is not None:
            value = with_unit(plus_minus(best["measured"], best["sem"]), response.unit)
            when = "adopted" if best["origin"] == "adopted" else f"round {best['round']}"
            facts.append(
                Fact(f"best {response.name} so far", value, f"formula {best['formula']}, {when}")
            )
    if now.counts.sources:
        rows = counted(sum(n for n, _ in now.counts.sources.values()), "formula")
        facts.append(Fact("history", rows, f"of {counted(len(now.counts.sources), 'source')}"))
    return tuple(facts)


def _outlook(shown: Round) -> tuple[Fact, ...]:
    """Return what was left to gain as the round was proposed."""
    if shown.prospects is None:
        return ()
    likely = f"{likelihood(shown.prospects.better)} likely"
    return (
        Fact("better by 5 % or more", likely, f"to exist, as far as round {shown.number} knew"),
    )


def _proposed(shown: Round, plate_wells: int) -> tuple[str, ...]:
    layout = shown.layout
    wells = counted(int((layout["role"] == "formula").sum()), "well")
    plates = counted(layout["plate"].nunique(), "plate")
    said = f"{counted(len(shown.formulas), 'formula')} in {wells} on {plates} of {plate_wells}"
    controls = Counter(layout.loc[layout["role"] == "control", "formula"].tolist())
    if controls:
        listed = ", ".join(f"{name} in {counted(n, 'well')}" for name, n in controls.items())
        said += f"; controls: {listed}"
    return (f"{said}.", *shown.notes)


def _outcome(
    opened: Store,
    values: pd.DataFrame,
    responses: tuple[Response, ...],
    known: Observed,
    number: int,
) -> tuple[str, ...]:
    """Return what came out; nothing before anything of the round's is measured."""
    names = {response.name for response in responses}
    without = Counter(
        m.status.replace("_", " ")
        for m in store.round_measurements(opened, number)
        if m.status != "ok" and m.response in names
    )
    of_round = (values["round"] == number) & (values["origin"] != "adopted")
    if not (without or values.loc[of_round, "measured"].notna().any()):
        return ()
    said = outcome(values, responses, number)
    said += _beyond(values[of_round], responses, known)
    if without:
        listed = ", ".join(f"{count} {status}" for status, count in sorted(without.items()))
        said.append(f"Measurements without a value: {listed}.")
    return tuple(said)


def _beyond(of_round: pd.DataFrame, responses: tuple[Response, ...], known: Observed) -> list[str]:
    """Say how many formulas are better than can be measured: the best may be among them."""
    own = np.isin(known.ids, of_round.loc[of_round["origin"] != "control", "formula"].tolist())
    said = []
    for j, response in enumerate(responses):
        side = {"maximize": 1, "minimize": -1}.get(response.goal)
        count = 0 if side is None else int((known.censored[own, j] == side).sum())
        if count:
            where = "above" if side == 1 else "below"
            better = f"{counted(count, 'formula')} read {where} the range of {response.name}"
            said.append(f"{better}, as good as the best or better.")
    return said


def _told(note: Note) -> tuple[str, str, str]:
    return (note.at[:16].replace("T", " "), note.who, note.text)  # noqa: PD008 - no frame


def _as_of(opened: Store) -> str:
    sequence, at, _, action, _, digest = store.read_events(opened)[-1]
    return (
        f"Rests on all that the campaign had on record at event {sequence} ({action}, {at[:10]}, "
        f"{digest[:12]})."
    )
