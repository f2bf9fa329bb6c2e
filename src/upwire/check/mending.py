"""The edits of findings put into the files: byte for byte the same everywhere else."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import unified_diff

from upwire.check.reading import on_disk
from upwire.check.verdict import Verdict, offset_of
from upwire.conf.audit import Edit, Finding, Severity
from upwire.errors import LocalProtocolError, StreamError

_ROUNDS_MAX = 8  # a mend can bring to light what the next one is for
_WORD = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|(?:\\.|\$\{|[^ \t\r\n;{])+", re.DOTALL)
_NOTHING_BEHIND = re.compile(r"[ \t]*(?:#[^\r\n]*)?(?=\r?(?:\n|\Z))")
_INDENT = re.compile(r"[ \t]*")


@dataclass(frozen=True, slots=True)
class Mended:
    """Texts that changed, by the file's name, and what the checker says of the whole then.

    findings: what was mended, and what came to light behind it and was mended as well.
    """

    texts: Mapping[str, str]
    verdict: Verdict
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class _Change:
    """Pieces of text, a line each, in place of what is between two offsets."""

    start: int
    end: int
    pieces: tuple[str, ...]


Judge = Callable[[Mapping[str, str]], Verdict]
"""Reads and judges again, with texts in place of files' own."""


def mend(verdict: Verdict, judge_again: Judge) -> Mended:
    """Return what the files become when all that can be mended is.

    A round is kept only if what it mends is found less often then, and no error came up;
    otherwise each finding is tried alone, and those that stood the trial are mended. Raises
    LocalProtocolError where the files are elsewhere.
    """
    if verdict.reading.is_dump:
        raise LocalProtocolError("what `nginx -T` printed cannot be mended: name the files")
    texts: dict[str, str] = {}
    cured: list[Finding] = []
    for _ in range(_ROUNDS_MAX):
        curable = [finding for finding in verdict.findings if finding.edits]
        tried = _try(curable, verdict, texts, judge_again)
        if tried is None:
            curable = [one for one in curable if _try([one], verdict, texts, judge_again)]
            tried = _try(curable, verdict, texts, judge_again)
        if tried is None:
            break
        cured += curable
        texts, verdict = tried
    return Mended(texts, verdict, tuple(cured))


def apply_edits(sources: Mapping[str, str], findings: Iterable[Finding]) -> dict[str, str]:
    """Return the texts that the findings' edits change. What two findings ask for is done once.

    A finding whose edits overlap those of another before it is left for a later round.
    """
    taken: dict[str, list[_Change]] = {}
    for finding in findings:
        if any(edit.file not in sources for edit in finding.edits):
            continue
        changes = [(edit.file, _change(sources[edit.file], edit)) for edit in finding.edits]
        if any(_collides(change, taken.get(file, ())) for file, change in changes):
            continue
        for file, change in changes:
            _take(change, taken.setdefault(file, []))
    return {file: _rewrite(sources[file], found) for file, found in taken.items()}


def diff(sources: Mapping[str, str], texts: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines of a unified diff, without their line ends, in the octets' latin-1."""
    for file, text in texts.items():
        before, after = _diff_lines(sources[file]), _diff_lines(text)
        yield from unified_diff(before, after, file, file, lineterm="")


def write(file: str, text: str) -> None:
    """Put a text into a file's place at once, with its mode and owner; links stay links.

    Raises StreamError where the system does not let us.
    """
    path = os.path.realpath(on_disk(file))
    try:
        _replace(path, text.encode("latin-1"))
    except OSError as error:
        raise StreamError(f"{path}: {error.strerror}") from None


def _try(
    group: Sequence[Finding], before: Verdict, texts: Mapping[str, str], judge_again: Judge
) -> tuple[dict[str, str], Verdict] | None:
    """Return the texts and the verdict after mending a group, None where that is no gain."""
    changed = {**texts, **apply_edits(before.reading.sources, group)}
    if changed == texts:
        return None
    after = judge_again(changed)
    return (changed, after) if _is_better(after, before, group) else None


def _is_better(after: Verdict, before: Verdict, group: Iterable[Finding]) -> bool:
    """Whether what was mended is found less often, and no error is new."""
    faults = {finding.fault for finding in group}

    def count(verdict: Verdict) -> int:
        return sum(finding.fault in faults for finding in verdict.findings)

    has_new_errors = after.count(Severity.ERROR) > before.count(Severity.ERROR)
    return count(after) < count(before) and not has_new_errors


def _diff_lines(text: str) -> list[str]:
    lines = text.split("\n")
    if lines[-1]:
        lines[-1] += "\n\\ No newline at end of file"
        return lines
    return lines[:-1]


def _change(text: str, edit: Edit) -> _Change:
    """Return what an edit does to a text; new lines are indented as the one that it is on."""
    start = min(offset_of(text, edit.line, edit.column), len(text))
    if edit.replaces_word:
        found = _WORD.match(text, start)
        return _Change(start, found.end() if found else start, (edit.text,))
    behind = _NOTHING_BEHIND.match(text, start)
    at, separator = start, " "  # `location / { proxy_pass http://b; }` stays one line
    if behind is not None:
        at = behind.end()
        indent = _INDENT.match(text, text.rfind("\n", 0, start) + 1)
        assert indent is not None  # it matches nothing as well
        separator = ("\r\n" if text.startswith("\r", at) else "\n") + indent[0]
    first, *others = edit.text.split("\n")
    pieces = (first, *(separator + line for line in others))
    return _Change(at, at, tuple(filter(None, pieces)))


def _collides(change: _Change, taken: Iterable[_Change]) -> bool:
    return any(change != one and change.start < one.end and one.start < change.end for one in taken)


def _take(change: _Change, taken: list[_Change]) -> None:
    """Add a change, without the lines that another puts into the same place."""
    if change in taken:
        return
    if change.start == change.end:
        there = {piece for one in taken if one.start == change.start for piece in one.pieces}
        kept = tuple(piece for piece in change.pieces if piece not in there)
        change = _Change(change.start, change.end, kept)
    taken.append(change)


def _rewrite(text: str, changes: Iterable[_Change]) -> str:
    pieces: list[str] = []
    done = 0
    for change in sorted(changes, key=lambda change: (change.start, change.end)):
        pieces += (text[done : change.start], *change.pieces)
        done = change.end
    return "".join((*pieces, text[done:]))


def _replace(path: str, octets: bytes) -> None:
    """Write a new file beside the old one, and rename it."""
    there = os.stat(path)
    number, new = tempfile.mkstemp(prefix=".upwire-", dir=os.path.dirname(path))
    try:
        with os.fdopen(number, "wb") as file:
            file.write(octets)
            with suppress(PermissionError):
                os.fchown(file.fileno(), there.st_uid, there.st_gid)
            os.fchmod(file.fileno(), stat.S_IMODE(there.st_mode))
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    except OSError:
        with suppress(FileNotFoundError):
            os.unlink(new)
        raise
