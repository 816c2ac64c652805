"""A round as its user sees it: frames read from the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labloop import store
from labloop.campaign.explaining import Explanation
from labloop.campaign.prospecting import of_stored
from labloop.definition import Component, Definition, parse_stored
from labloop.proposal.advice import Prospects
from labloop.space.prices import has_prices, prices
from labloop.store import Store

if TYPE_CHECKING:
    import pandas as pd


_LABELS: dict[str, type] = {"int": int, "float": float, "text": str}


@dataclass(frozen=True, eq=False)
class Round:
    """One plate's life.

    Attributes:
        number: From 1; never given twice.
        state: proposed, exported, recorded or abandoned.
        seed: What makes it repeatable.
        formulas: Frame by formula id: components at achieved concentrations, `origin`,
            `<response>_mean`, `<response>_sd` (of a new measurement), `acquisition`; `price` of
            the components in one well, where any has one; and `candidate`, where the user gave a
            list.
        controls: Frame by control's name: components at achieved concentrations.
        layout: Frame `plate`, `well`, `role`, `formula` (id, or a control's name), `replicate`.
        dispenses: Frame `plate`, `stock`, `stock_concentration`, `source_plate`, `source_well`,
            `well`, `ticks`, `volume_ul`, in the robot's order.
        notes: Sentences on how the plate was chosen.
        trust: Frame by response: how far the history was followed, and what this plate will teach;
            see `Surrogate.trust`. Empty where there was nothing to predict from.
        importance: Frame by response and component; see `Campaign.importance`.
        prospects: What this plate and the space may bring, and what that advises; None before
            anything was measured.
    """

    number: int
    state: str
    seed: int
    formulas: pd.DataFrame
    controls: pd.DataFrame
    layout: pd.DataFrame
    dispenses: pd.DataFrame
    notes: tuple[str, ...]
    trust: pd.DataFrame
    importance: pd.DataFrame
    prospects: Prospects | None


def read_round(opened: Store, number: int) -> Round:
    """Return a round of the store; raises RefusedError where there is none."""
    stored = store.read_round(opened, number)
    definition = definition_of(opened, stored)
    explanation = Explanation.of_stored(stored.settings)
    return Round(
        number=number,
        state=stored.state,
        seed=stored.seed,
        formulas=_formulas(opened, number, definition, stored.settings),
        controls=_controls(opened, number, definition),
        layout=read_layout(opened, number),
        dispenses=_dispenses(opened, number),
        notes=tuple(stored.settings.get("notes", ())),
        trust=explanation.trust,
        importance=explanation.importance,
        prospects=of_stored(stored.settings.get("prospects")),
    )


def definition_of(opened: Store, stored: store.Round) -> Definition:
    """Return the definition that a round was proposed with."""
    return parse_stored(store.definition_text(opened, stored.definition))


def read_layout(opened: Store, number: int) -> pd.DataFrame:
    """Return the layout of a round, with controls by their names."""
    import pandas as pd

    names = {formula: name for name, formula in control_names(opened, number).items()}
    wells = store.read_layout(opened, number)
    return pd.DataFrame(
        {
            "plate": [w.plate for w in wells],
            "well": [w.well for w in wells],
            "role": [w.role for w in wells],
            "formula": pd.Series(
                [names.get(w.formula, w.formula) if w.formula else None for w in wells],
                dtype=object,
            ),
            "replicate": pd.array([w.replicate for w in wells], dtype="Int64"),
        }
    )


def control_names(opened: Store, number: int) -> dict[str, int]:
    """Return name → formula id of the controls on a round's plates."""
    return dict(
        opened.rows(
            "SELECT DISTINCT f.name, f.id FROM well AS w JOIN formula AS f ON f.id = w.formula "
            "WHERE w.round = ? AND w.role = 'control' AND f.name IS NOT NULL ORDER BY f.id",
            (number,),
        )
    )


def _formulas(
    opened: Store, number: int, definition: Definition, settings: dict[str, Any]
) -> pd.DataFrame:
    import pandas as pd

    proposals = store.read_proposals(opened, number)
    ids = [p.formula for p in proposals]
    frame = amounts_frame(opened, ids, definition.components)
    frame["origin"] = [p.origin for p in proposals]
    predicted = {(p.formula, p.response): p for p in store.read_predictions(opened, number)}
    for response in definition.response_names:
        for kind in ("mean", "sd"):
            found = [predicted.get((formula, response)) for formula in ids]
            values = [getattr(p, kind) if p is not None else float("nan") for p in found]
            frame[f"{response}_{kind}"] = values
    frame["acquisition"] = pd.array([p.acquisition for p in proposals], dtype="Float64").to_numpy(
        dtype=float, na_value=float("nan")
    )
    if has_prices(definition.components):
        amounts = store.campaign_formulas(opened, definition.component_names)
        row_of = dict(zip(amounts.ids, amounts.rows, strict=True))
        from labloop.campaign.knowledge import as_concentrations

        numbers = as_concentrations([row_of[formula] for formula in ids], definition.components)
        frame["price"] = prices(definition.components, numbers)
    if any(p.candidate is not None for p in proposals):
        label = _LABELS[settings["labels"]]
        frame["candidate"] = [label(str(p.candidate)) for p in proposals]
    return frame


def _controls(opened: Store, number: int, definition: Definition) -> pd.DataFrame:
    ids = control_names(opened, number)
    frame = amounts_frame(opened, list(ids.values()), definition.components)
    return frame.set_axis(list(ids), axis=0).rename_axis(index="formula")


def amounts_frame(
    opened: Store, ids: Sequence[int], components: Sequence[Component]
) -> pd.DataFrame:
    """Return a frame by formula id of the components' achieved concentrations or choices.

    Of a component that came into the campaign after a formula it has zero, of choices None.
    """
    import pandas as pd

    names = [component.name for component in components]
    formulas = store.campaign_formulas(opened, names)
    row_of = dict(zip(formulas.ids, formulas.rows, strict=True))
    index = pd.Index(ids, name="formula")
    columns = {
        component.name: [row_of[formula][j] for formula in ids]
        if component.choices is not None
        else [float(row_of[formula][j] or 0.0) for formula in ids]
        for j, component in enumerate(components)
    }
    return pd.DataFrame(columns, index=index)


def _dispenses(opened: Store, number: int) -> pd.DataFrame:
    import pandas as pd

    from labloop.plate.dispensing import DISPENSE_COLUMNS, microlitres

    rows = store.read_dispenses(opened, number)
    frame = pd.DataFrame(
        {
            "plate": [d.plate for d in rows],
            "stock": [d.stock for d in rows],
            "stock_concentration": [
                float("nan") if d.stock_concentration is None else d.stock_concentration
                for d in rows
            ],
            "source_plate": [d.source_plate for d in rows],
            "source_well": [d.source_well for d in rows],
            "well": [d.well for d in rows],
            "ticks": [d.ticks for d in rows],
            "volume_ul": microlitres([d.ticks for d in rows], rows[0].increment_ul) if rows else [],
        }
    )
    return frame[list(DISPENSE_COLUMNS)]
