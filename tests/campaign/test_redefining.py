"""A definition replaced from within: whole, checked, and never over somebody else's."""

from __future__ import annotations

import os
import stat

import pytest

from labloop import Campaign
from labloop.campaign import redefining
from labloop.definition import parse
from labloop.errors import BusyError, DefinitionError, RefusedError

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")


def toml(campaign):
    return campaign.folder / "campaign.toml"


def untouched(campaign):
    """The bytes of campaign.toml, and what lies in the folder."""
    return toml(campaign).read_bytes(), sorted(path.name for path in campaign.folder.iterdir())


def with_comment(campaign):
    return campaign.text.replace("plates = 1", "plates = 2") + "# eine Säule mehr\n"


def test_a_text_takes_the_place_of_the_file(fresh, lab):
    before = lab.log(fresh)
    text = with_comment(fresh)
    definition = fresh.redefine(text.replace("\n", "\r\n"), was=fresh.text.replace("\n", "\r\n"))
    assert definition == parse(text)
    assert toml(fresh).read_bytes() == text.encode("utf-8")
    assert untouched(fresh)[1] == ["campaign.db", "campaign.toml"]
    assert lab.log(fresh) == before
    assert fresh.text != text
    with Campaign.open(fresh.folder) as again:
        assert (again.text, again.definition) == (text, definition)


def test_a_rehearsal_writes_nothing(fresh):
    before = untouched(fresh)
    assert fresh.redefine(with_comment(fresh), dry_run=True) == parse(with_comment(fresh))
    assert untouched(fresh) == before


def test_a_text_with_problems_is_refused_whole(fresh, lab):
    before = untouched(fresh)
    spoilt = fresh.text.replace('kind = "biomek"', 'kind = "biomec"')
    with pytest.raises(DefinitionError) as error:
        fresh.redefine(spoilt)
    assert error.value.problems[0].startswith("[robot], kind: must be one of ")
    weak = lab.definition()
    weak["component"][0] |= {"low": 9.0, "stocks": [1.0]}
    with pytest.raises(DefinitionError) as error:
        fresh.redefine(parse(weak).to_toml())
    assert error.value.headline == "The robot cannot make these components:"
    with pytest.raises(DefinitionError) as error:
        fresh.redefine(fresh.text + "\n# \udcff")
    assert "remove it (at line " in error.value.problems[0]
    assert untouched(fresh) == before


def test_a_file_that_is_another_by_now_is_left(fresh):
    was = fresh.text
    fresh.redefine(with_comment(fresh), was=was)
    before = untouched(fresh)
    with pytest.raises(RefusedError) as error:
        fresh.redefine(was, was=was)
    assert str(error.value) == (
        f'"{toml(fresh)}" was changed by somebody else meanwhile, so it was left as it is; look at '
        "it as it is now, and make your changes again."
    )
    assert untouched(fresh) == before


def test_stored_results_keep_their_meaning(recorded, lab):
    before = untouched(recorded)
    other = lab.definition()
    other["response"][0]["unit"] = "mg/L"
    with pytest.raises(RefusedError) as error:
        recorded.redefine(parse(other).to_toml())
    assert str(error.value) == (
        'The response "titre" was in g/L until now and cannot be in mg/L; put the old unit back, '
        "or give the response another name."
    )
    assert untouched(recorded) == before


def test_a_broken_file_can_be_mended(recorded):
    text = with_comment(recorded)
    for broken in (b'name = "small\n', b"\xff\xfe", b""):
        toml(recorded).write_bytes(broken)
        with pytest.raises(RefusedError, match="was changed by somebody else"):
            redefining.redefine(recorded.folder, text, was=recorded.text)
        redefining.redefine(recorded.folder, text)
        with Campaign.open(recorded.folder) as mended:
            assert mended.text == text


def test_a_folder_without_a_campaign_and_one_without_a_database(fresh, tmp_path):
    with pytest.raises(RefusedError) as error:
        redefining.redefine(tmp_path / "none", fresh.text)
    assert str(error.value) == (
        f'There is no campaign in "{tmp_path / "none"}" (no campaign.toml); check the name, or '
        "make one with `labloop init`."
    )
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "campaign.toml").write_text("?", encoding="utf-8")
    redefining.redefine(tmp_path / "new", fresh.text, was="?")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["campaign.toml"]


def test_another_writer_is_waited_for(fresh, monkeypatch):
    opening = redefining.store.open_store
    monkeypatch.setattr(redefining.store, "open_store", lambda path: opening(path, timeout=0.01))
    before = untouched(fresh)[0]
    with fresh.store.writing("record", keep=False), pytest.raises(BusyError):
        redefining.redefine(fresh.folder, with_comment(fresh))
    assert untouched(fresh)[0] == before


def test_the_old_file_stays_where_the_disk_refuses(fresh, monkeypatch):
    before = untouched(fresh)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("labloop.campaign.folders.os.fsync", full)
    with pytest.raises(RefusedError) as error:
        fresh.redefine(with_comment(fresh))
    assert str(error.value) == (
        f'"{toml(fresh).resolve().parent}" cannot be written to (No space left on device).'
    )
    assert untouched(fresh) == before


@pytest.mark.skipif(os.name == "nt", reason="Windows has neither such links nor such modes")
def test_links_and_permissions_stay(fresh, tmp_path):
    elsewhere = tmp_path / "versioned.toml"
    toml(fresh).replace(elsewhere)
    toml(fresh).symlink_to(elsewhere)
    elsewhere.chmod(0o640)
    fresh.redefine(with_comment(fresh), was=fresh.text)
    assert toml(fresh).is_symlink()
    assert elsewhere.read_text(encoding="utf-8") == with_comment(fresh)
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o640
