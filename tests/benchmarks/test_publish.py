"""Text is put between a page's marks and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.publish import PAGE, put_between_marks


def test_only_what_stands_between_the_marks_changes(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# µ\n<!-- a -->\nold\n<!-- /a -->\nend\n", encoding="utf-8")
    for text in ("first", "second"):
        put_between_marks(page, "a", text)
        assert page.read_text(encoding="utf-8") == (
            f"# µ\n<!-- a -->\n\n{text}\n\n<!-- /a -->\nend\n"
        )


def test_a_page_without_marks_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing", encoding="utf-8")
    with pytest.raises(ValueError, match="has no <!-- a --> … <!-- /a --> to write between"):
        put_between_marks(page, "a", "text")


@pytest.mark.parametrize("name", ["surrogate", "patent", "campaigns", "layouts", "worklists"])
def test_the_page_has_the_marks(name: str) -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.index(f"<!-- {name} -->") < text.index(f"<!-- /{name} -->")
