"""What `status` says of rounds that are recorded in part."""

from __future__ import annotations


def test_a_round_that_waits_for_nothing_is_not_said_to_wait(recorded):
    assert recorded.status().waiting == {}


def test_a_response_that_comes_later_is_waited_for(proposed, lab):
    results = lab.results(proposed, 1)
    proposed.record(results.drop(columns="titre"))
    standing = proposed.status()
    assert standing.waiting[1] == (len(results), {"titre": len(results)})
    command, reason = standing.next
    assert command.endswith("results.csv --round 1")
    assert reason == "round 1 waits for its titre"
    proposed.record(results.drop(columns="viability"), round=1)
    assert proposed.status().waiting == {}
    assert proposed.status().next[0].startswith("labloop propose")


def test_wells_that_a_file_leaves_out_or_blank_wait(proposed, lab):
    results = lab.results(proposed, 1)
    part = results.iloc[:-3].astype({"titre": object})
    part.loc[part.index[0], "titre"] = None
    proposed.record(part)
    standing = proposed.status()
    assert standing.waiting[1].waiting == {"titre": 4, "viability": 3}
    assert standing.next[0].startswith("labloop propose")
    proposed.record(results.iloc[[0, -1]].drop(columns="viability"), round=1)
    assert proposed.status().waiting[1].waiting == {"titre": 2, "viability": 3}


def test_formulas_recorded_without_their_wells_do_not_wait(proposed, lab):
    made = proposed.round(1)
    table = made.formulas.reset_index()[["formula"]]
    table[lab.responses] = lab.measure(made.formulas[lab.names])
    proposed.record(table)
    controls = (made.layout["role"] == "control").sum()
    assert proposed.status().waiting[1].waiting == dict.fromkeys(lab.responses, controls)


def test_the_next_plate_counts_what_waits_and_uses_what_is_known(proposed, lab):
    results = lab.results(proposed, 1)
    proposed.record(results.drop(columns="titre"))
    first = proposed.round(1).formulas
    second = proposed.propose(dry_run=True).formulas
    assert not set(map(tuple, second[lab.names].to_numpy())) & set(
        map(tuple, first[lab.names].to_numpy())
    )
