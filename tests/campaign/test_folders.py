"""Where campaigns live, what they may be called, and what new ones start from."""

from __future__ import annotations

import os
import sys

import pytest

from labloop import Campaign
from labloop.campaign.folders import find, home_of, like, ready_made, start
from labloop.definition import load, parse
from labloop.errors import DefinitionError, RefusedError

NAMES = 'names may not contain < > : " | ? * \\ or characters that cannot be seen'
ENDS = "names may not begin or end with a space, or end with a dot"
DEVICE = "Windows keeps this name for a device"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("..", "it needs a name of its own"),
        ("CON", DEVICE),
        ("con.txt", DEVICE),
        ("Lpt1", DEVICE),
        ("a?b", NAMES),
        ("a:b", NAMES),
        ("a\tb", NAMES),
        ("a\u200bb", NAMES),
        ("x.", ENDS),
        (" x", ENDS),
        ("x ", ENDS),
    ],
)
def test_a_name_that_some_system_cannot_have(tmp_path, lab, name, why):
    home = tmp_path / "home"
    with pytest.raises(RefusedError) as error:
        Campaign.create(home / name, lab.definition())
    assert str(error.value) == f'A campaign cannot be called "{name}": {why}.'
    assert not home.exists()


@pytest.mark.parametrize("name", ["培地 1", "cho-k1", "Füllung", "con-1", "x.y"])
def test_a_name_in_any_language(tmp_path, lab, name):
    with Campaign.create(tmp_path / name, lab.definition(name=name)) as campaign:
        assert campaign.status().name == name
    with Campaign.open(tmp_path / name) as campaign:
        assert campaign.definition.name == name


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
@pytest.mark.parametrize("target_exists", [True, False])
def test_a_link(tmp_path, lab, target_exists):
    target, link = tmp_path / "target", tmp_path / "link"
    if target_exists:
        target.mkdir()
    link.symlink_to(target)
    with pytest.raises(RefusedError) as error:
        Campaign.create(link, lab.definition())
    assert str(error.value) == f'"{link}" is a link; give the folder that it points to.'
    assert not (target / "campaign.toml").exists()


@pytest.mark.parametrize("present", ["campaign.toml", "campaign.db"])
def test_a_folder_that_has_a_campaign(tmp_path, lab, present):
    (tmp_path / present).write_text("mine", encoding="utf-8")
    with pytest.raises(RefusedError) as error:
        Campaign.create(tmp_path, lab.definition())
    assert str(error.value) == (
        f'There is a campaign in "{tmp_path}" already; it was left as it is.'
    )
    assert [path.name for path in tmp_path.iterdir()] == [present]
    assert (tmp_path / present).read_text(encoding="utf-8") == "mine"


def test_a_folder_with_other_files_may_become_a_campaign(tmp_path, lab):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    Campaign.create(tmp_path, lab.definition()).close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "campaign.db",
        "campaign.toml",
        "notes.txt",
    ]


def test_a_place_that_cannot_be_written_to(tmp_path, lab):
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    with pytest.raises(RefusedError) as error:
        Campaign.create(tmp_path / "file", lab.definition())
    assert str(error.value) == f'"{tmp_path / "file"}" cannot be written to (File exists).'


def test_a_disk_that_fails_leaves_no_file(tmp_path, lab, monkeypatch):
    def fail(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(RefusedError) as error:
        Campaign.create(tmp_path / "new", lab.definition())
    assert str(error.value) == (
        f'"{tmp_path / "new"}" cannot be written to (No space left on device).'
    )
    assert list((tmp_path / "new").iterdir()) == []


def test_a_definition_that_cannot_work_makes_no_folder(tmp_path, lab):
    pair = {"glucose": 1.0, "zinc": 1.0}
    impossible = [
        {"total": pair, "at_least": 15.0},
        {"total": pair | {"iron": 1.0}, "at_most": 10.0},
    ]
    upside_down = lab.definition()["component"]
    upside_down[0]["low"] = 20.0
    for definition, text in (
        (
            lab.definition(constraint=impossible),
            "No formula can satisfy these constraints together:\n"
            "  - glucose + zinc ≥ 15\n"
            "  - glucose + zinc + iron ≤ 10",
        ),
        (
            lab.definition(constraint=[{"total": pair, "at_least": 30.0}]),
            "The definition has 1 problem:\n"
            "  - [[constraint]] number 1: glucose + zinc ≥ 30 can never hold, since the total lies "
            "between 0 and 20; change the bound or the components' low and high",
        ),
        (
            lab.definition(component=upside_down),
            "The definition has 1 problem:\n"
            '  - [[component]] "glucose", low: must be below high 10 (got 20); swap or correct '
            "them",
        ),
    ):
        with pytest.raises(DefinitionError) as error:
            Campaign.create(tmp_path / "new", definition)
        assert str(error.value) == text
        assert error.value.exit_code == 1
        assert not (tmp_path / "new").exists()


def test_a_folder_without_campaign(tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(RefusedError) as error:
            Campaign.open(folder)
        assert str(error.value) == (
            f'There is no campaign in "{folder}" (no campaign.toml); check the name, or make one '
            "with `labloop init`."
        )
    assert list(tmp_path.iterdir()) == []


def test_a_campaign_is_found_by_its_path_or_its_name(tmp_path, monkeypatch, lab):
    monkeypatch.chdir(tmp_path)
    assert str(home_of("mine")) == "mine"
    Campaign.create("campaigns/mine", lab.definition()).close()
    assert home_of("other").parts == ("campaigns", "other")
    assert home_of("./sub/other").parts == ("sub", "other")
    assert find("mine").parts == ("campaigns", "mine")
    assert find("campaigns/mine").parts == ("campaigns", "mine")
    assert str(find("none")) == "none"
    assert find("..").parts == ("..",)
    Campaign.create("mine", lab.definition()).close()
    assert str(find("mine")) == "mine"


def test_a_new_campaign_keeps_the_comments_and_takes_the_folders_name(tmp_path):
    start(tmp_path / "培地-1", "template")
    text = (tmp_path / "培地-1" / "campaign.toml").read_text(encoding="utf-8")
    template = like("template").read_text(encoding="utf-8")
    assert load(tmp_path / "培地-1" / "campaign.toml").name == "培地-1"
    assert text.replace('"培地-1"', '"my-campaign"') == template


def test_a_new_campaign_may_start_from_any_other(tmp_path, lab):
    text = parse(lab.definition()).to_toml()
    unusual = text.replace('name = "small"', '  "name" = "small"')
    assert unusual != text
    for k, form in enumerate((text, unusual)):
        folder = tmp_path / f"from-{k}"
        folder.mkdir()
        (folder / "campaign.toml").write_text(form, encoding="utf-8")
        start(tmp_path / f"to-{k}", str(folder))
        made = load(tmp_path / f"to-{k}" / "campaign.toml")
        wanted = load(folder / "campaign.toml").model_copy(update={"name": f"to-{k}"})
        assert made == wanted


def test_a_definition_that_is_not_there(tmp_path):
    known = ", ".join(ready_made())
    with pytest.raises(RefusedError) as error:
        start(tmp_path / "new", "templat")
    assert str(error.value) == (
        'There is no definition "templat"; did you mean "template"?; give the path of a '
        f"campaign.toml or one of: {known}."
    )
    assert not (tmp_path / "new").exists()


@pytest.mark.skipif(
    sys.platform == "win32" or not hasattr(os, "geteuid") or os.geteuid() == 0,
    reason="needs a user whom permissions bind",
)
def test_a_folder_that_may_not_be_written_to(tmp_path, lab):
    tmp_path.chmod(0o500)
    with pytest.raises(RefusedError) as error:
        Campaign.create(tmp_path / "new", lab.definition())
    tmp_path.chmod(0o700)
    assert str(error.value) == (f'"{tmp_path / "new"}" cannot be written to (Permission denied).')


@pytest.mark.parametrize("name", ["con .txt", "COM¹", "CONIN$"])
def test_a_device_under_any_spelling(tmp_path, name):
    with pytest.raises(RefusedError, match=DEVICE):
        start(tmp_path / name, "template")


def test_a_folder_below_a_device(tmp_path):
    with pytest.raises(RefusedError) as raised:
        start(tmp_path / "CON" / "x", "template")
    assert str(raised.value) == (
        f'A campaign cannot lie in "{tmp_path / "CON"}": Windows keeps this name for a device.'
    )
    assert list(tmp_path.iterdir()) == []


def test_a_dangling_link_in_the_place_of_the_database(tmp_path):
    folder = tmp_path / "linked"
    folder.mkdir()
    (folder / "campaign.db").symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(RefusedError, match="There is a campaign in"):
        start(folder, "template")
    assert [path.name for path in folder.iterdir()] == ["campaign.db"]


def test_a_rehearsed_campaign_is_checked_and_not_made(tmp_path):
    assert start(tmp_path / "new", "template", dry_run=True) == tmp_path / "new"
    assert list(tmp_path.iterdir()) == []
    start(tmp_path / "new", "template")
    with pytest.raises(RefusedError, match="There is a campaign"):
        start(tmp_path / "new", "template", dry_run=True)
