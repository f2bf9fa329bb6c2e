"""The document keeps what people wrote and gets what was measured."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench.benchmarks import BENCHMARKS
from bench.document import DOCUMENT, EXPLANATIONS, with_room, with_section

from bench import document


def test_a_section_replaces_what_stands_between_its_marks() -> None:
    text = "a\n<!-- begin echo -->\nold\n<!-- end echo -->\nb\n"
    written = with_section(text, "echo", ["new", "lines"])
    assert written == "a\n<!-- begin echo -->\nnew\nlines\n<!-- end echo -->\nb\n"
    assert with_section(written, "echo", ["old"]) == text


@pytest.mark.parametrize("text", ["", "<!-- begin echo -->", "<!-- end echo -->"])
def test_a_document_without_marks_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no marks for echo"):
        with_section(text, "echo", [])


def test_room_is_made_once_and_explanations_stay() -> None:
    text = f'intro\n\n{EXPLANATIONS}\n\n<a id="one"></a>\n\n### First\n\nbecause\n'
    written = with_room(text, [("one", "First"), ("two", "Second")])
    assert written == text + '\n<a id="two"></a>\n\n### Second\n\nNot profiled yet.\n'
    assert with_room(written, [("two", "Second")]) == written


def test_without_its_heading_there_is_no_room() -> None:
    with pytest.raises(ValueError, match="What is not met"):
        with_room("intro\n", [("one", "First")])


def test_files_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "page.md"
    path.write_text(f"<!-- begin echo -->\n<!-- end echo -->\n\n{EXPLANATIONS}\n", "utf-8")
    monkeypatch.setattr(document, "DOCUMENT", path)
    place = document.put_picture("echo", "<svg/>")
    document.put_section("echo", [place], path)
    document.make_room([("one", "First")], path)
    assert (tmp_path / place).read_text("utf-8") == "<svg/>"
    lines = path.read_text("utf-8").splitlines()
    assert lines[1] == "performance/echo.svg"
    assert lines[-3] == "### First"


@pytest.mark.parametrize("name", [*(benchmark.name for benchmark in BENCHMARKS), "targets"])
def test_the_real_document_has_a_place_for_each_benchmark(name: str) -> None:
    text = DOCUMENT.read_text("utf-8")
    assert with_section(text, name, []) != text.replace("<!-- begin", "")
    assert EXPLANATIONS in text
