"""docs/performance.md: what is between marks is written anew, everything else stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.contender import ROOT

DOCUMENT = ROOT / "docs" / "performance.md"
PICTURES = "performance"
EXPLANATIONS = "## What is not met, and why"
UNEXPLAINED = "Not profiled yet."


def put_picture(name: str, picture: str) -> str:
    """Write a benchmark's picture; return its place as the document has it."""
    place = f"{PICTURES}/{name}.svg"
    path = DOCUMENT.parent / place
    path.parent.mkdir(exist_ok=True)
    path.write_text(picture, "utf-8")
    return place


def put_section(name: str, lines: Sequence[str], path: Path = DOCUMENT) -> None:
    """Write lines between the two marks of a section. Raises ValueError without marks."""
    path.write_text(with_section(path.read_text("utf-8"), name, lines), "utf-8")


def make_room(unmet: Sequence[tuple[str, str]], path: Path = DOCUMENT) -> None:
    """Make a heading for the explanation of each name and text that has none yet."""
    path.write_text(with_room(path.read_text("utf-8"), unmet), "utf-8")


def with_section(document: str, name: str, lines: Sequence[str]) -> str:
    """Return the document with what stands between a section's two marks replaced."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    before, found, rest = document.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found and found_end):
        raise ValueError(f"the document has no marks for {name}")
    body = "\n".join(lines)
    return f"{before}{begin}\n{body}\n{end}{after}"


def with_room(document: str, unmet: Sequence[tuple[str, str]]) -> str:
    """Return the document with headings for what is not met; explanations that exist stay."""
    before, found, after = document.partition(f"{EXPLANATIONS}\n")
    if not found:
        raise ValueError(f"the document has no heading {EXPLANATIONS!r}")
    added = "".join(
        f'\n<a id="{name}"></a>\n\n### {text}\n\n{UNEXPLAINED}\n'
        for name, text in unmet
        if f'<a id="{name}"></a>' not in after
    )
    return f"{before}{found}{after.rstrip()}\n{added}"
