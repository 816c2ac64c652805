"""Which test holds which row of the list of faults; and that each of them is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROWS = {
    "kill at every statement of propose": "kill_at_every_statement_of_propose",
    "kill at every statement of history": "kill_at_every_statement_of_history",
    "kill at every statement of record": "kill_at_every_statement_of_record",
    "kill at every statement of record --correct": (
        "kill_at_every_statement_of_record_in_correction"
    ),
    "kill at every statement of exclude": "kill_at_every_statement_of_exclude",
    "kill at every statement of abandon": "kill_at_every_statement_of_abandon",
    "kill at every statement of migrate": "kill_at_every_statement_of_migrate",
    "Ctrl-C during training": (
        "ctrl_c_during_training same_seed_gives_the_same_plate_after_ctrl_c"
    ),
    "kill during training": "kill_of_a_program_that_trains",
    "kill during export": "kill_during_export kill_of_a_program_that_exports",
    "two propose at once": (
        "two_proposes_at_once_make_one_round_and_the_loser_exits_4 "
        "two_programs_that_propose_at_once"
    ),
    "record while another program reads": "record_while_another_program_reads",
    "the same file recorded twice": (
        "the_same_file_recorded_twice_is_recognised the_same_file_of_history_twice_is_recognised"
    ),
    "disk full": "full_disk file_that_may_not_grow disk_that_is_full_during_export_and_report",
    "read-only": "read_only_database database_that_may_not_be_written",
    "missing": "missing_campaign_and_missing_file",
    "truncated": "truncated_database",
    "foreign": "foreign_database",
    "newer": "newer_database",
    "every older schema": "every_older_schema_is_upgraded_after_a_backup",
    "clock set back": "clock_set_back",
    "UTF-8 BOM, UTF-16 BOM": "byte_order_marks_are_read_as_utf_8",
    "GBK, Latin-1": "other_encodings_are_refused_and_read_when_told",
    "0,5 with ;": "decimal_commas_between_semicolons_need_no_option",
    "1.234,5 and 1,234": "decimals_that_could_be_two_numbers_need_decimal",
    "1_000, full-width digits, nan, inf": "odd_numbers_are_refused",
    "<LOD, >4.0, OVRFLW, blank, #N/A": "status_words_are_statuses_and_never_numbers",
    "other text": "other_texts_are_refused_with_their_cell",
    "merged or two-row headers": "merged_and_two_row_headers_are_refused_or_read_as_declared",
    "duplicate wells": "duplicate_wells_are_refused",
    "missing wells": "missing_wells_are_listed",
    "off-plate wells": "off_plate_and_empty_wells_are_refused",
    "A01 and A1": "names_of_wells_are_normalised",
    "another plate or round": "results_of_another_plate_or_round_are_refused",
    "g/L where the campaign says mM": (
        "mass_in_place_of_moles_is_converted_by_the_molar_mass_or_refused"
    ),
    "workbook bomb": "a_workbook_of_1_mb_that_unpacks_to_207_mb_is_refused",
    "XML entities": "xml_entities_are_refused",
    "= + - @ tab at the start of a name": (
        "names_that_begin_a_calculation_are_refused_at_the_door "
        "sources_that_begin_a_calculation_are_refused"
    ),
    "free text in CSV and HTML": "free_text_is_escaped_in_every_csv_and_page",
    "campaign named CON, nul.txt, x.": "names_of_campaigns_that_a_system_cannot_have_are_refused",
    "campaign named ../x": "names_that_lead_out_of_the_campaigns_are_refused",
    "campaign that is a symlink": "a_campaign_that_is_a_link_is_refused",
    "name of campaign.toml that is a path": (
        "no_name_in_campaign_toml_leads_files_out_of_their_folder"
    ),
    "malicious model blob": (
        "a_malicious_model_is_refused_and_nothing_is_executed a_model_of_who_knows_what_is_not_used"
    ),
    "control characters to the terminal": "no_file_commands_the_terminal",
    "web: foreign Host": "a_foreign_host_is_refused",
    "web: cross-site POST": (
        "a_post_that_no_page_of_the_app_sent_is_refused "
        "every_address_that_changes_something_refuses_other_sites"
    ),
    "web: oversize upload": (
        "an_upload_that_is_too_large_is_refused "
        "an_upload_that_does_not_tell_its_size_is_refused_once_it_is_too_large"
    ),
    "web: <script> in a note": (
        "a_script_in_a_note_is_shown_as_text a_script_in_a_note_does_not_run"
    ),
}


@pytest.fixture(scope="module")
def there():
    here = Path(__file__).parent
    paths = [*here.glob("test_*.py"), *(here.parent / "web").glob("test_*.py")]
    texts = (path.read_text(encoding="utf-8") for path in paths)
    return {name for text in texts for name in re.findall(r"^def test_(\w+)", text, re.MULTILINE)}


@pytest.mark.parametrize("row", ROWS)
def test_every_row_has_its_test(row, there):
    assert set(ROWS[row].split()) <= there
