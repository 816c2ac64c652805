"""The pages do what the commands do, through the same Campaign, and say the same."""

from __future__ import annotations

import errno
import io
import zipfile

import pytest

from labloop import Campaign

SMALL = "/campaigns/small"


def text_of(folder):
    return (folder / "campaign.toml").read_text(encoding="utf-8")


def opened(folder):
    return Campaign.open(folder)


# -- campaigns -----------------------------------------------------------------------------------


def test_the_first_page_lists_the_campaigns_here_and_below_campaigns(app, home, done):
    inner = home / "campaigns" / "other"
    inner.mkdir(parents=True)
    (inner / "campaign.toml").write_text("name = ", encoding="utf-8")
    words = app.get("/").words
    assert "small" in words
    assert "1 round, the last recorded" in words
    assert "Propose the next round" in words
    assert "other" in words
    assert "is not valid TOML" in words


def test_the_first_page_of_an_empty_folder_leads_to_the_first_campaign(app, home):
    answer = app.get("/")
    assert f"There is no campaign in {home} yet. Make the first one." in answer.words
    assert 'href="/new"' in answer.text


def test_a_campaign_is_made_from_a_ready_made_definition(app, home):
    page = app.follow(app.post("/new", campaign="my line", like="cho-basal"))
    assert (home / "my line" / "campaign.toml").is_file()
    assert "The campaign is made." in page.words
    assert 'name = "my line"' in page.words


def test_a_campaign_is_made_from_another_ones_definition(app, home, new):
    app.follow(app.post("/new", campaign="second", like="small"))
    with opened(home / "second") as campaign:
        assert campaign.definition.component_names == ["glucose", "glutamine", "iron", "zinc"]


def test_new_campaigns_go_below_campaigns_where_there_is_such_a_folder(app, home):
    (home / "campaigns").mkdir()
    app.follow(app.post("/new", campaign="tidy", like="template"))
    assert (home / "campaigns" / "tidy" / "campaign.db").is_file()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "A new campaign needs a name."),
        ("../up", 'A campaign\'s name is not a path (got "../up").'),
        ("a/b", 'A campaign\'s name is not a path (got "a/b").'),
        ("..", '".." leads out of the folder that it begins in (..)'),
        ("con", 'A campaign cannot be called "con": Windows keeps this name for a device.'),
        ("small", "There is a campaign in"),
        ("é" * 150, "names have at most 200 bytes, for some systems allow no more."),
    ],
)
def test_a_name_that_cannot_be_is_refused_on_the_form(app, home, new, name, said):
    before = sorted(home.rglob("*"))
    answer = app.post("/new", campaign=name, like="template")
    assert answer.status == 409
    assert said in answer.words
    assert "Make the campaign" in answer.words
    assert sorted(home.rglob("*")) == before


def test_a_campaign_that_is_not_there_is_said_with_the_nearest_name(app, new):
    answer = app.get("/campaigns/smal")
    assert answer.status == 404
    assert 'There is no campaign "smal"; did you mean "small"?' in answer.words
    assert "/campaigns/smal/" not in answer.text


# -- the definition ------------------------------------------------------------------------------


def test_a_definition_is_edited_and_saved(app, new):
    text = text_of(new)
    changed = text.replace("formulas = 6", "formulas = 5")
    page = app.follow(app.post(f"{SMALL}/definition", text=changed.replace("\n", "\r\n"), was=text))
    assert "Saved." in page.words
    assert text_of(new) == changed


def test_problems_of_a_definition_are_shown_at_their_lines_and_nothing_is_saved(app, new):
    text = text_of(new)
    spoilt = text.replace("replicates = 2", 'replicates = "two"')
    answer = app.post(f"{SMALL}/definition", text=spoilt, was=text)
    line = spoilt.split("\n").index('replicates = "two"') + 1
    assert answer.status == 422
    assert "Nothing was saved." in answer.words
    assert f"line {line} : [plate], replicates" in answer.words
    assert f'id="line-{line}" class="marked"' in answer.text
    assert 'replicates = "two"' in answer.words
    assert text_of(new) == text


def test_a_definition_that_changed_on_disk_meanwhile_is_not_overwritten(app, new):
    text = text_of(new)
    (new / "campaign.toml").write_text(text + "# theirs\n", encoding="utf-8")
    answer = app.post(f"{SMALL}/definition", text=text + "# mine\n", was=text)
    assert answer.status == 409
    assert text_of(new).endswith("# theirs\n")


def test_a_broken_definition_can_be_mended_in_the_app(app, new):
    good = text_of(new)
    broken = good.replace("[plate]", "[plate")
    (new / "campaign.toml").write_text(broken, encoding="utf-8")
    overview = app.get(SMALL)
    assert overview.status == 422
    assert "Look at the definition" in overview.words
    assert "is not valid TOML" in app.get(f"{SMALL}/definition").words
    app.follow(app.post(f"{SMALL}/definition", text=good, was=broken))
    assert app.get(SMALL).status == 200


def test_the_check_shows_reach_and_deck(app, new):
    words = app.get(f"{SMALL}/check").words
    assert "The definition is sound" in words
    assert "On the deck" in words
    assert "The database is sound" in words


# -- history -------------------------------------------------------------------------------------


def test_history_is_looked_at_then_imported_and_learned(app, new, lab):
    table = lab.history(30).to_csv(index=False).encode()
    seen = app.upload(f"{SMALL}/history", {"file": ("earlier.csv", table)}, source="CHO-S")
    assert "Would record 60 measurements of the history of CHO-S from earlier.csv" in seen.words
    with opened(new) as campaign:
        assert not campaign.status().counts.sources
    page = app.follow(
        app.post(f"{SMALL}/history/keep", file_key=seen.field("file_key"), source="CHO-S")
    )
    assert "CHO-S 30 60" in page.words
    assert "Not learned as it is now: the history was not learned yet." in page.words
    page = app.wait(app.post(f"{SMALL}/pretrain", folds="2"))
    assert "The network was tested on history that it had not seen" in page.words


def test_history_without_a_source_is_refused_and_the_file_stays_at_hand(app, new, lab):
    table = lab.history(5).to_csv(index=False).encode()
    answer = app.upload(f"{SMALL}/history", {"file": ("earlier.csv", table)}, source=" ")
    assert answer.status == 422
    assert "a source has a name" in answer.words
    assert "earlier.csv was handed in" in answer.words
    again = app.upload(f"{SMALL}/history", {}, source="CHO-S", file_key=answer.field("file_key"))
    assert "Would record 10 measurements" in again.words


# -- a round -------------------------------------------------------------------------------------


def test_a_round_is_proposed_and_shown(app, new):
    asked = app.get(f"{SMALL}/propose")
    assert "Propose round 1" in asked.words
    page = app.wait(app.post(f"{SMALL}/propose", formulas="4"))
    assert "Round 1 proposed" in page.words
    assert "Plate map" in page.words
    with opened(new) as campaign:
        assert len(campaign.round(1).formulas) == 4


def test_a_round_that_cannot_be_proposed_says_why(app, new):
    page = app.wait(app.post(f"{SMALL}/propose", formulas="5000"))
    assert page.status == 409
    assert "A round has 1 to 4096 formulas (got 5000)." in page.words
    answer = app.post(f"{SMALL}/propose", formulas="many")
    assert answer.status == 409
    assert 'Formulas must be a whole number (got "many").' in answer.words
    with opened(new) as campaign:
        assert campaign.rounds() == []


def test_work_that_is_cancelled_leaves_the_campaign_as_it_was(app, learned):
    begun = app.post(f"{SMALL}/propose", formulas="6")
    place = begun.headers["location"]
    assert "Choosing the next round" in app.get(place).words
    assert "is under way" in app.get(SMALL).words
    twice = app.post(f"{SMALL}/propose", formulas="6")
    assert twice.status == 409
    assert (
        "Choosing the next round is under way for this campaign; wait for it, or cancel it."
    ) in twice.words
    app.post(f"{place}/cancel")
    page = app.wait(begun)
    assert "Propose round 1" in page.words
    with opened(learned) as campaign:
        assert campaign.rounds() == []


def test_work_that_nobody_knows_is_said(app):
    assert app.get("/jobs/unknown").status == 404
    assert app.get("/jobs/unknown/state").status == 404


def test_the_files_of_a_round_are_saved_one_by_one_and_all_in_one(app, waiting):
    page = app.follow(app.post(f"{SMALL}/rounds/1/export", kind="biomek"))
    assert "small-round-1-plate-map.csv" in page.words
    links = [part.split('"')[0] for part in page.text.split('href="')[1:]]
    every = next(link for link in links if "all.zip" in link).replace("&amp;", "&")
    single = next(link for link in links if link.endswith("plate-map.csv"))
    archive = app.get(every)
    assert archive.headers["content-disposition"] == (
        "attachment; filename*=UTF-8''small-round-1.zip"
    )
    with zipfile.ZipFile(io.BytesIO(archive.body)) as held:
        assert held.read("small-round-1-plate-map.csv") == app.get(single).body
    with opened(waiting) as campaign:
        assert campaign.round(1).state == "exported"


def test_an_export_that_the_robot_would_refuse_is_said_on_the_rounds_page(app, waiting):
    answer = app.post(f"{SMALL}/rounds/1/export", kind="toaster")
    assert answer.status == 409
    assert "toaster" in answer.words
    assert "Plate map" in answer.words


def test_files_are_not_found_outside_of_what_was_offered(app, waiting):
    for path in ("/files/../home/campaign.toml", "/files/..%2Fhome/small", "/files/%2e%2e/home",
                 "/files/nothing/a.csv", "/files/./a", f"/files/{'a' * 300}/a",
                 "/files/%00/a"):  # fmt: skip
        assert app.get(path).status in (404, 409)


# -- results -------------------------------------------------------------------------------------


def test_results_are_looked_at_before_they_are_recorded(app, waiting, results):
    page = f"{SMALL}/rounds/1/results"
    before = (waiting / "campaign.db").read_bytes()
    seen = app.upload(page, {"file": ("results.csv", results)})
    assert "Would record 28 measurements of round 1 from results.csv" in seen.words
    assert "Record these results" in seen.words
    assert (waiting / "campaign.db").read_bytes() == before
    done = app.follow(app.post(f"{page}/keep", file_key=seen.field("file_key")))
    assert "Round 1 recorded" in done.words
    assert "What came out" in done.words
    with opened(waiting) as campaign:
        assert campaign.round(1).state == "recorded"


def test_a_bad_file_is_refused_with_its_cells_and_changes_nothing(app, waiting, results):
    bad = results.replace(b"\n", b"\n1,Z9,five,6\n", 1)
    answer = app.upload(f"{SMALL}/rounds/1/results", {"file": ("bad.csv", bad)})
    assert answer.status == 422
    assert "bad.csv was rejected" in answer.words.replace('"', "")
    assert "Z9" in answer.words
    assert "five" in answer.words
    with opened(waiting) as campaign:
        assert campaign.status().counts.own_measurements == 0


def test_no_file_is_asked_for(app, waiting):
    answer = app.upload(f"{SMALL}/rounds/1/results", {})
    assert answer.status == 422
    assert "Choose a file first, or drop it onto the field." in answer.words


def test_a_file_that_is_no_longer_there_is_asked_for_once_more(app, waiting):
    for key in ("gone", "..", ".", "/etc", "a/b"):
        answer = app.post(f"{SMALL}/rounds/1/results/keep", file_key=key)
        assert answer.status == 422
        assert "This file is no longer at hand; hand it in once more." in answer.words


def test_how_a_file_is_read_is_kept_from_the_look_to_the_record(app, waiting, results):
    named = results.replace(b"titre", b"product").replace(b",", b";").replace(b".", b",")
    fields = {"columns": "product = titre", "decimal": ","}
    seen = app.upload(f"{SMALL}/rounds/1/results", {"file": ("r.csv", named)}, **fields)
    assert "Would record 28 measurements" in seen.words
    kept = {name: seen.field(name) for name in ("file_key", *fields)}
    assert (
        "Round 1 recorded" in app.follow(app.post(f"{SMALL}/rounds/1/results/keep", **kept)).words
    )


# -- wells, notes, comparison --------------------------------------------------------------------


def test_a_well_is_left_out_with_a_reason_and_taken_back(app, done):
    with opened(done) as campaign:
        layout = campaign.round(1).layout
        well = layout.loc[layout["role"] == "formula", "well"].iloc[0]
    page = f"{SMALL}/rounds/1/wells"
    answer = app.post(page, wells=well, reason="a bubble")
    assert answer.status == 303
    words = app.get(answer.headers["location"]).words
    assert "Excluded 2 measurements of round 1; the values are kept." in words
    assert "a bubble" in words
    back = app.post(page, wells=well, undo="1")
    assert "Took back the exclusion of 2 measurements of round 1." in (
        app.get(back.headers["location"]).words
    )


def test_leaving_a_well_out_needs_a_well_and_a_reason(app, done):
    page = f"{SMALL}/rounds/1/wells"
    assert "Name the wells, such as B7 C7." in app.post(page, wells=" ", reason="x").words
    refused = app.post(page, wells="B7", reason="")
    assert refused.status == 409
    assert "Say why; the reason is kept with what is left out." in refused.words


def test_notes_are_kept_with_their_round(app, done):
    page = app.follow(app.post(f"{SMALL}/notes", text="Shaker stopped.\nAt noon.", round="1"))
    assert "Shaker stopped." in page.words
    with opened(done) as campaign:
        assert [(note.round, note.text) for note in campaign.notes()] == [
            (1, "Shaker stopped.\nAt noon.")
        ]
    assert "wrote" in app.get(f"{SMALL}/log").words or "Shaker" in app.get(f"{SMALL}/log").words


def test_formulas_are_compared(app, done):
    with opened(done) as campaign:
        first, second = campaign.best(2).index
        said = campaign.compare([int(first), int(second)]).sentences[0]
    words = app.get(f"{SMALL}/compare?formula={first}&formula={second}").words
    assert said.split(":")[0] in words
    unknown = app.get(f"{SMALL}/compare?formula={first}&formula=comercial")
    assert unknown.status == 409
    assert "commercial" in unknown.words
    for digits in (30, 5000):
        huge = app.get(f"{SMALL}/compare?formula={'9' * digits}")
        assert huge.status == 409
        assert "There is no formula" in huge.words


def test_a_round_is_given_up(app, waiting):
    page = app.follow(app.post(f"{SMALL}/rounds/1/abandon"))
    assert "Round 1 abandoned" in page.words


def test_a_round_that_is_not_there_is_said(app, new):
    for path in (f"{SMALL}/rounds/7", f"{SMALL}/rounds/7/results", f"{SMALL}/rounds/7/wells"):
        answer = app.get(path)
        assert answer.status in (404, 409)
        assert "here is no round 7" in answer.words
    for number in ("-1", "x", "9" * 5000):
        answer = app.get(f"{SMALL}/rounds/{number}")
        assert answer.status == 404
        assert "There is no such page." in answer.words


def test_a_disk_that_is_full_is_said_and_changes_nothing(app, waiting, results, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("labloop.web.uploads.shutil.copyfileobj", full)
    before = (waiting / "campaign.db").read_bytes()
    answer = app.upload(f"{SMALL}/rounds/1/results", {"file": ("r.csv", results)})
    assert answer.status == 507
    assert "The computer could not read or write a file (No space left on device)." in answer.words
    assert (waiting / "campaign.db").read_bytes() == before


# -- what was learned, the report ----------------------------------------------------------------


@pytest.mark.slow
def test_what_was_learned_and_the_report_are_made_on_demand(app, done):
    assert "Learn it now" in app.get(f"{SMALL}/learned").words
    page = app.wait(app.post(f"{SMALL}/learned"))
    assert "titre depends most on" in page.words
    assert "data-figure" in page.text
    page = app.wait(app.post(f"{SMALL}/rounds/1/report"))
    link = page.text.split('href="/files/')[1].split('"')[0]
    report = app.get(f"/files/{link}")
    assert report.body.startswith(b"<!doctype html>")
    assert report.headers["content-disposition"].endswith("small-round-1.html")


# -- ways back and on ----------------------------------------------------------------------------


def test_a_file_that_is_refused_at_the_last_step_stays_at_hand(app, waiting, results):
    seen = app.upload(f"{SMALL}/rounds/1/results", {"file": ("results.csv", results)})
    key = seen.field("file_key")
    app.post(f"{SMALL}/rounds/1/results/keep", file_key=key)
    again = app.post(f"{SMALL}/rounds/1/results/keep", file_key=key)
    assert again.status == 422
    assert "was recorded before" in again.words
    assert again.field("file_key") == key
    assert "results.csv was handed in" in again.words


def test_a_refusal_leads_back_to_the_campaign_and_a_broken_definition_to_itself(app, new):
    refused = app.post(f"{SMALL}/notes", text="")
    assert refused.status == 409
    assert "Back to the campaign" in refused.words
    assert "Look at the definition" not in refused.words
    (new / "campaign.toml").write_text("[", encoding="utf-8")
    assert "Look at the definition" in app.get(f"{SMALL}/log").words


def test_comparing_nothing_says_what_to_tick(app, done):
    assert "Tick two formulas or more" in app.get(f"{SMALL}/compare?ticked=1").words
    assert "Tick two formulas or more" not in app.get(f"{SMALL}/compare").words
