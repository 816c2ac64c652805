"""What a plate shows: every filled well, with the word or the value that was asked for."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from labloop.campaign.plate_reading import read_plate
from labloop.cli import main
from labloop.errors import RefusedError


def reading(campaign, shown):
    return read_plate(campaign.round(1), campaign.wells(1), campaign.definition, shown)


def test_before_results_the_origin_is_shown_and_after_them_the_response(proposed, recorded):
    assert reading(proposed, None).kind == "origin"
    found = reading(recorded, None)
    assert (found.shown, found.kind, found.unit) == ("titre", "measured", "g/L")


def test_a_response_is_what_was_measured_else_what_was_predicted(proposed, recorded):
    found = reading(recorded, "viability").wells
    measured = recorded.wells(1)
    of_response = measured[measured["response"] == "viability"].set_index("well")["value"]
    filled = found[found["role"] != "empty"].set_index("well")["value"]
    assert filled.to_dict() == of_response.to_dict()
    before = reading(proposed, "titre")
    assert before.kind == "predicted"
    formulas = proposed.round(1).formulas["titre_mean"]
    shown = before.wells[before.wells["role"] == "formula"]
    assert shown["value"].tolist() == formulas.loc[shown["formula"]].tolist()


def test_every_filled_well_has_a_word_and_no_empty_one(recorded):
    for shown in ("origin", "formula", "status"):
        wells = reading(recorded, shown).wells
        assert (wells["word"].notna() == (wells["role"] != "empty")).all(), shown


def test_status_shows_what_most_needs_to_be_looked_at(proposed, recorded):
    assert set(reading(proposed, "status").wells["word"].dropna()) == {"waiting"}
    well = recorded.wells(1)["well"].iloc[0]
    recorded.exclude([well], "a bubble", round=1, response="viability")
    wells = reading(recorded, "status").wells.set_index("well")["word"]
    assert wells[well] == "excluded"
    assert (wells.drop(well).dropna() == "ok").all()


def test_a_reading_that_is_not_there_is_said(recorded):
    with pytest.raises(RefusedError) as said:
        reading(recorded, "titer")
    assert str(said.value) == (
        'A plate cannot show "titer"; did you mean "titre"?; choose one of formula, origin, '
        "status, titre, viability."
    )


def test_the_command_draws_the_plate_and_says_what_is_written(recorded):
    recorded.close()
    run = CliRunner().invoke(main, ["plate", str(recorded.folder), "--show", "origin"])
    assert run.exit_code == 0
    lines = run.stdout.splitlines()
    assert lines[0] == "round 1: origin"
    assert lines[1].split() == [str(column) for column in range(1, 13)]
    assert [line[0] for line in lines[2:10]] == list("ABCDEFGH")
    assert lines[10].startswith(("LH latin hypercube", "C control", "LM", "PG", "MX"))
    assert "C control" in lines[10]


def test_the_command_gives_the_wells_to_programs(recorded):
    recorded.close()
    run = CliRunner().invoke(main, ["plate", str(recorded.folder), "--json"])
    found = json.loads(run.stdout)
    assert (found["round"], found["shown"], found["kind"]) == (1, "titre", "measured")
    assert len(found["wells"]) == 96


def test_a_plate_that_the_round_has_not_is_said(recorded):
    recorded.close()
    run = CliRunner().invoke(main, ["plate", str(recorded.folder), "--plate", "2"])
    assert run.exit_code == 1
    assert run.stderr == "labloop: Round 1 has no plate 2; it has 1.\n"
