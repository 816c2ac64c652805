"""The campaign's SQLite file: everything that happened, append-only.

Reading functions take a `Store`, writing ones a `Writing`, so that a whole step (formulas, wells,
predictions, round) is composed in one transaction and leaves one event:

    with store.writing("propose") as writing:
        ids = add_formulas(writing, components, rows)
        number = add_round(writing, ...)

A reading function with `up_to` answers as it would have right after that event; passing one
`last_event` to several makes them agree while other programs write.
"""

from labloop.store.counts import Counts, read_counts
from labloop.store.database import (
    Store,
    Writing,
    backup,
    check_store,
    create_store,
    open_store,
    refuse_target,
)
from labloop.store.definitions import (
    definition_text,
    read_components,
    read_responses,
    use_definition,
)
from labloop.store.events import Event, last_event, read_events, verify_events
from labloop.store.formulas import (
    Formulas,
    add_formulas,
    campaign_formulas,
    history_formulas,
    last_history_event,
    named_formulas,
)
from labloop.store.measurements import (
    Correction,
    File,
    Measurement,
    Result,
    add_corrections,
    add_file,
    add_measurements,
    campaign_measurements,
    file_by_hash,
    file_measurements,
    history_measurements,
    measurements_without_well,
    read_files,
    round_measurements,
    superseded,
)
from labloop.store.models import Model, add_model, latest_model, model_by_id
from labloop.store.rounds import (
    Dispense,
    Prediction,
    Proposal,
    Round,
    Well,
    abandon_round,
    add_round,
    mark_exported,
    mark_recorded,
    pending_formulas,
    read_dispenses,
    read_layout,
    read_predictions,
    read_proposals,
    read_round,
    read_rounds,
)
from labloop.store.values import NOW
from labloop.store.waiting import Waiting, pending_wells

__all__ = [
    "NOW",
    "Correction",
    "Counts",
    "Dispense",
    "Event",
    "File",
    "Formulas",
    "Measurement",
    "Model",
    "Prediction",
    "Proposal",
    "Result",
    "Round",
    "Store",
    "Waiting",
    "Well",
    "Writing",
    "abandon_round",
    "add_corrections",
    "add_file",
    "add_formulas",
    "add_measurements",
    "add_model",
    "add_round",
    "backup",
    "campaign_formulas",
    "campaign_measurements",
    "check_store",
    "create_store",
    "definition_text",
    "file_by_hash",
    "file_measurements",
    "history_formulas",
    "history_measurements",
    "last_event",
    "last_history_event",
    "latest_model",
    "mark_exported",
    "mark_recorded",
    "measurements_without_well",
    "model_by_id",
    "named_formulas",
    "open_store",
    "pending_formulas",
    "pending_wells",
    "read_components",
    "read_counts",
    "read_dispenses",
    "read_events",
    "read_files",
    "read_layout",
    "read_predictions",
    "read_proposals",
    "read_responses",
    "read_round",
    "read_rounds",
    "refuse_target",
    "round_measurements",
    "superseded",
    "use_definition",
    "verify_events",
]
