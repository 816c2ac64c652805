import errno
import sys
from pathlib import Path

import pytest

from labloop.errors import RefusedError
from labloop.worklists import check_writable, other_parts, write_files


def test_files_are_written_as_they_are_and_replace_older_ones(tmp_path):
    folder = tmp_path / "new" / "folder"
    paths = write_files(folder, {"a.csv": b"1\r\n2\n", "b.csv": "µ".encode()})
    assert paths == [folder / "a.csv", folder / "b.csv"]
    assert [path.read_bytes() for path in paths] == [b"1\r\n2\n", "µ".encode()]
    write_files(folder, {"a.csv": b"new"})
    assert (folder / "a.csv").read_bytes() == b"new"
    assert sorted(path.name for path in folder.iterdir()) == ["a.csv", "b.csv"]


def test_a_disk_that_fills_up_leaves_the_old_files_and_nothing_else(tmp_path, monkeypatch):
    write_files(tmp_path, {"a.csv": b"old"})
    opened, calls = Path.open, []

    def failing(path, *arguments, **options):
        calls.append(path)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", failing)
    with pytest.raises(RefusedError) as refusal:
        write_files(tmp_path, {"a.csv": b"new", "b.csv": b"new"})
    monkeypatch.undo()
    assert str(refusal.value) == (
        f'Cannot write to "{tmp_path}": No space left on device; choose another folder or make '
        "room there."
    )
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.csv", b"old")]


def test_an_interruption_leaves_no_parts_behind(tmp_path, monkeypatch):
    def interrupted(path, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_files(tmp_path, {"a.csv": b"new"})
    assert list(tmp_path.iterdir()) == []


def test_parts_of_an_earlier_writing_are_known(tmp_path):
    old = ["r1-ot2-1-of-3.py", "r1-ot2-2-of-3.py", "r1-ot2-3-of-3.py", "r10-ot2-1-of-2.py"]
    write_files(tmp_path, dict.fromkeys([*old, "r1-map.csv", "notes.txt"], b""))
    now = write_files(tmp_path, {"r1-map.csv": b"", "r1-ot2.py": b""})
    assert [path.name for path in other_parts(now)] == old[:3]
    now = write_files(tmp_path, dict.fromkeys(old[:3], b""))
    assert [path.name for path in other_parts(now)] == ["r1-ot2.py"]


def test_what_can_be_written_is_found_out_without_writing(tmp_path):
    file = tmp_path / "new" / "a.html"
    check_writable(file)
    assert list(file.parent.iterdir()) == []
    file.write_bytes(b"old")
    check_writable(file)
    assert file.read_bytes() == b"old"
    with pytest.raises(RefusedError, match=r"^Cannot write to "):
        check_writable(file / "b.html")
    with pytest.raises(RefusedError, match=r'^"" is not a plain file name'):
        check_writable(Path())


@pytest.mark.parametrize("name", ["../a.csv", "a/b.csv", "a\\b.csv", "C:a.csv", "", ".."])
def test_only_plain_names_are_written(tmp_path, name):
    with pytest.raises(RefusedError) as error:
        write_files(tmp_path / "out", {name: b""})
    assert str(error.value) == f'"{name}" is not a plain file name; give one without / \\ and :.'
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no permission mask")
def test_files_have_usual_permissions(tmp_path):
    plain = tmp_path / "plain"
    plain.touch()
    (written,) = write_files(tmp_path, {"a.csv": b""})
    assert written.stat().st_mode == plain.stat().st_mode
