"""How much there is of everything, fast enough for `labloop status`."""

from __future__ import annotations

from dataclasses import dataclass

from labloop.store.database import Store


@dataclass(frozen=True)
class Counts:
    """Numbers of formulas and measurements (corrections not counted twice).

    `sources` is name → (formulas, measurements); `own_*` are the campaign's own; `rounds` is
    state → number of rounds; `models` is kind → `known_event` of the newest.
    """

    sources: dict[str, tuple[int, int]]
    own_formulas: int
    own_measurements: int
    rounds: dict[str, int]
    last_round: int | None
    models: dict[str, int]
    last_event: int


def read_counts(store: Store) -> Counts:
    """Return how much there is of everything."""
    formulas = dict(store.rows("SELECT source, count(*) FROM formula GROUP BY source"))
    # every chain of corrections has one row that supersedes nothing; the history's are few, so that
    # the campaign's own are all the others
    measured = dict(
        store.rows(
            "SELECT f.source, count(*) FROM formula AS f CROSS JOIN measurement AS m "
            "ON m.formula = f.id WHERE f.source IS NOT NULL AND +m.supersedes IS NULL "
            "GROUP BY f.source"
        )
    )
    everything, blanks = (
        store.rows(f"SELECT count(*) FROM measurement WHERE {where}")[0][0]
        for where in ("supersedes IS NULL", "formula IS NULL AND +supersedes IS NULL")
    )
    sources = store.rows("SELECT id, name FROM source ORDER BY id")
    return Counts(
        sources={name: (formulas.get(i, 0), measured.get(i, 0)) for i, name in sources},
        own_formulas=formulas.get(None, 0),
        own_measurements=everything - blanks - sum(measured.values()),
        rounds=dict(store.rows("SELECT state, count(*) FROM current_round GROUP BY state")),
        last_round=store.rows("SELECT max(number) FROM round")[0][0],
        models=dict(
            store.rows(
                "SELECT kind, known_event FROM model WHERE id IN (SELECT max(id) FROM model "
                "GROUP BY kind) ORDER BY kind"
            )
        ),
        last_event=store.rows("SELECT max(sequence) FROM event")[0][0],
    )
