"""Files on their way keep their names, and lead nowhere else."""

from __future__ import annotations

import io
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labloop.errors import RefusedError
from labloop.web.uploads import Uploads, safe_name


@given(st.text(max_size=300))
def test_a_name_is_one_part_of_a_path_on_every_system(name):
    safe = safe_name(name)
    assert 0 < len(safe) <= 120
    assert safe.isprintable()
    for kind in (PurePosixPath, PureWindowsPath):
        assert kind(safe).name == safe
    assert safe not in (".", "..")
    assert not safe.startswith(".")
    assert safe_name(safe) == safe


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("results.csv", "results.csv"),
        ("Ergebnisse März.xlsx", "Ergebnisse März.xlsx"),
        ("C:\\lab\\plate 1.csv", "plate 1.csv"),
        ("../../etc/passwd", "passwd"),
        ("a\nb.csv", "a_b.csv"),
        (".", "file"),
        ("x" * 200 + ".csv", "x" * 116 + ".csv"),
    ],
)
def test_names_that_can_be_are_kept(name, kept):
    assert safe_name(name) == kept


def test_the_oldest_files_go_where_there_are_many(tmp_path):
    uploads = Uploads(tmp_path)
    keys = [uploads.keep("a.csv", io.BytesIO(b"%d" % k)) for k in range(45)]
    assert len(list(tmp_path.iterdir())) == 40
    assert uploads.file(keys[-1]).read_bytes() == b"44"
    with pytest.raises(RefusedError):
        uploads.file(keys[0])
