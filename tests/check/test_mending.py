"""What --fix makes of a file: the lines that it needs, and every other octet as it was."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from kit.check_site import PLACE, judge_text, told
from upwire.check.mending import apply_edits, diff, mend, write
from upwire.check.reading import read
from upwire.check.verdict import Verdict, judge
from upwire.conf.audit import Edit, Finding, Severity
from upwire.conf.syntax import Position
from upwire.errors import StreamError

CLASSIC = "location /ws {\n\tproxy_pass http://b;  # ours\n}\n"
LINES = (
    "proxy_read_timeout 1h;",
    "proxy_http_version 1.1;",
    "proxy_set_header Upgrade $http_upgrade;",
    'proxy_set_header Connection "upgrade";',
)


def mend_text(text: str) -> str:
    """Return a text as --fix leaves it."""

    def judge_again(texts: Mapping[str, str]) -> Verdict:
        return judge_text(texts.get(PLACE, text))

    return mend(judge_text(text), judge_again).texts.get(PLACE, text)


def apply(text: str, *edits: tuple[Edit, ...]) -> str:
    """Return a text with findings' edits made."""
    at = Position("f", 1, 1)
    findings = [Finding("F01", Severity.ERROR, at, 1, "m", edits=one) for one in edits]
    return apply_edits({"f": text}, findings).get("f", text)


def insert(line: int, column: int, text: str) -> tuple[Edit, ...]:
    return (Edit("f", line, column, text),)


def replace(line: int, column: int, text: str) -> tuple[Edit, ...]:
    return (Edit("f", line, column, text, replaces_word=True),)


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_new_lines_are_like_those_around_them(line_end: str) -> None:
    mended = mend_text(CLASSIC.replace("\n", line_end))
    lines = mended.split(line_end)
    assert lines[:2] == ["location /ws {", "\tproxy_pass http://b;  # ours"]
    assert lines[-2:] == ["}", ""]
    assert set(LINES) < {line.removeprefix("\t") for line in lines[2:-2]}
    assert all(line.startswith("\t") for line in lines[2:-2])


def test_mending_again_changes_nothing() -> None:
    mended = mend_text(CLASSIC)
    assert mended != CLASSIC
    assert mend_text(mended) == mended


def test_a_block_on_one_line_stays_there() -> None:
    mended = mend_text("location /ws { proxy_pass http://b; }\n")
    assert mended.count("\n") == 1
    assert mended.startswith("location /ws { proxy_pass http://b; proxy_")
    assert mended.endswith("; }\n")
    assert told(judge_text(mended)) == []


_ROOT = "location / {\n  # WebSockets too\n  proxy_pass http://127.0.0.1:1;\n}\n"
_MAP = "map $http_upgrade $%s { default upgrade; '' ''; }\n"


@pytest.mark.parametrize(
    ("before", "value"),
    [
        ("events { }\nhttp {\n sendfile on;\n", "$connection_upgrade"),
        ("events { } http { sendfile on; ", "$connection_upgrade"),
        (f"events {{ }}\nhttp {{\n{_MAP % 'mine'}", "$mine"),
        ("events { }\nhttp {\nmap $host $connection_upgrade { default x; }\n", '"upgrade"'),
        (f"{_MAP % 'mine'}", "$mine"),
        ("", '"upgrade"'),
    ],
)
def test_a_location_of_all_requests_gets_a_map_where_there_is_room(before: str, value: str) -> None:
    text = f"{before}server {{ listen 80;\n{_ROOT}}}\n" + "}\n" * ("http {" in before)
    mended = mend_text(text)
    assert f"proxy_set_header Connection {value};" in mended
    assert mended.count("map $http_upgrade") == (0 if value == '"upgrade"' else 1)
    assert not {"F01", "F87", "F08"} & {one.fault for one in judge_text(mended).findings}
    assert mend_text(mended) == mended


@pytest.mark.parametrize("line", ["", "proxy_set_header Connection $http_connection;"])
@pytest.mark.parametrize(("path", "value"), [("/", "$connection_upgrade"), ("/ws", '"upgrade"')])
def test_a_connection_of_all_requests_gets_a_map(line: str, path: str, value: str) -> None:
    location = f"location {path} {{ proxy_set_header Upgrade $http_upgrade; {line}"
    text = (
        f"events {{ }}\nhttp {{\nserver {{ {location}\nproxy_pass http://127.0.0.1:1; }} }}\n}}\n"
    )
    mended = mend_text(text)
    assert f"proxy_set_header Connection {value};" in mended
    assert not {"F02", "F05", "F08", "F09"} & {one.fault for one in judge_text(mended).findings}
    with_map = mend_text(text.replace("http {", f"http {{ {_MAP % 'mine'}"))
    assert "proxy_set_header Connection $mine;" in with_map


@pytest.mark.parametrize(
    ("listens", "value"),
    [
        ("listen 80;", "$host"),
        ("listen 8443 ssl; listen 443 ssl;", "$host"),
        ("listen [::]:8000;", "$http_host"),
        ("", "$http_host"),
    ],
)
def test_host_has_the_port_where_clients_write_it(listens: str, value: str) -> None:
    mended = mend_text(
        f"server {{ {listens} location /ws {{ proxy_pass http://127.0.0.1:1; }} }}\n"
    )
    assert f"proxy_set_header Host {value};" in mended


def test_http_in_which_all_is_included_gets_no_map() -> None:
    texts = {PLACE: "events { }\nhttp { include s; }\n", "s": f"server {{ listen 80;\n{_ROOT}}}\n"}

    def judge_again(changed: Mapping[str, str]) -> Verdict:
        return judge(read(PLACE, instead={**texts, **changed}), nginx="1.22")

    mended = mend(judge_again({}), judge_again).texts
    assert list(mended) == ["s"]
    assert 'proxy_set_header Connection "upgrade";' in mended["s"]


def test_what_is_right_is_left_alone() -> None:
    text = "location / { root /srv; }\n"
    assert mend_text(text) == text


@pytest.mark.parametrize(
    ("text", "column", "expected"),
    [
        ("a b;", 3, "a x;"),
        ('a "b c" d;', 3, "a x d;"),
        ("a 'b\\'c';", 3, "a x;"),
        ("a ${b}c;", 3, "a x;"),
        ("a b\\ c{", 3, "a x{"),
        ("a ;", 3, "a x;"),
    ],
)
def test_a_word_goes_with_its_quotes(text: str, column: int, expected: str) -> None:
    assert apply(text, replace(1, column, "x")) == expected


def test_lines_that_two_findings_want_are_put_once() -> None:
    text = "\ta;\n"
    mended = apply(text, insert(1, 4, "\nb;\nc;"), insert(1, 4, "\nc;\nd;"))
    assert mended == "\ta;\n\tb;\n\tc;\n\td;\n"
    assert apply("{ a; }", insert(1, 5, "\nb;"), insert(1, 5, "\nb;\nc;")) == "{ a; b; c; }"
    assert apply(text, insert(1, 4, "\nb;"), insert(1, 4, "\nb;")) == "\ta;\n\tb;\n"
    assert apply(text, insert(1, 4, "\nb;\nc;"), insert(1, 4, "\nc;")) == "\ta;\n\tb;\n\tc;\n"


def test_a_semicolon_in_quotes_ends_no_line() -> None:
    mended = apply("a;\n", insert(1, 3, '\nb "c;d";'), insert(1, 3, '\nb "c;d";\ne "f;g";'))
    assert mended == 'a;\nb "c;d";\ne "f;g";\n'


def test_edits_that_overlap_wait() -> None:
    assert apply("a bcd;", replace(1, 3, "x"), replace(1, 3, "y")) == "a x;"
    assert apply("a bcd;", replace(1, 3, "x"), replace(1, 3, "x")) == "a x;"
    assert apply("a bcd e;", replace(1, 3, "x"), replace(1, 7, "y")) == "a x y;"


def test_a_file_that_is_not_among_those_read_is_left() -> None:
    assert apply("a;", (Edit("g", 1, 1, "x"),)) == "a;"


def test_the_last_line_may_have_no_end() -> None:
    assert apply("  a;", insert(1, 5, "\nb;")) == "  a;\n  b;"
    assert list(diff({"f": "a\n\xe9"}, {"f": "a\nb"})) == [
        *("--- f", "+++ f", "@@ -1,2 +1,2 @@", " a"),
        *("-\xe9\n\\ No newline at end of file", "+b\n\\ No newline at end of file"),
    ]
    assert list(diff({"f": "a\n"}, {"f": "b\n"}))[2:] == ["@@ -1 +1 @@", "-a", "+b"]


def finding(fault: str, severity: Severity, edits: tuple[Edit, ...] = ()) -> Finding:
    return Finding(fault, severity, Position(PLACE, 1, 1), 1, fault, edits=edits)


def verdict_with(text: str, *findings: Finding) -> Verdict:
    judged = judge_text(text)
    return Verdict(judged.reading, findings, judged.version, judged.kind)


def edit(text: str) -> tuple[Edit, ...]:
    return (Edit(PLACE, 1, 1, text),)


def test_a_mend_that_does_not_load_is_not_kept() -> None:
    bad = finding("F20", Severity.WARNING, edit("bad"))

    def judge_again(texts: Mapping[str, str]) -> Verdict:
        return verdict_with(texts[PLACE], finding("F87", Severity.ERROR))

    assert mend(verdict_with("a;", bad), judge_again).texts == {}


def test_of_several_those_are_kept_that_help() -> None:
    good = finding("F20", Severity.WARNING, edit("good "))
    bad = finding("F30", Severity.WARNING, edit("bad "))

    def judge_again(texts: Mapping[str, str]) -> Verdict:
        text = texts[PLACE]
        left = [] if "good" in text else [good]
        error = [finding("F87", Severity.ERROR)] if "bad" in text else []
        return verdict_with(text, *left, bad, *error)

    mended = mend(verdict_with("a;", good, bad), judge_again)
    assert mended.texts == {PLACE: "good a;"}
    assert [one.fault for one in mended.verdict.findings] == ["F30"]


def test_mends_that_never_end_are_ended() -> None:
    def judge_again(texts: Mapping[str, str]) -> Verdict:
        left = 100 - texts[PLACE].count("x")
        return verdict_with(texts[PLACE], *[finding("F20", Severity.WARNING, edit("x"))] * left)

    start = verdict_with("a;", *[finding("F20", Severity.WARNING, edit("x"))] * 100)
    assert mend(start, judge_again).texts[PLACE].count("x") < 20


def test_a_file_is_replaced_with_its_mode_behind_its_link(tmp_path: Path) -> None:
    file, link = tmp_path / "f\xe9", tmp_path / "link"
    file.write_bytes(b"old")
    file.chmod(0o640)
    link.symlink_to(file)
    write(str(link), "new \xff")
    assert link.is_symlink()
    assert file.read_bytes() == b"new \xff"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert sorted(os.listdir(tmp_path)) == ["f\xe9", "link"]


def test_what_cannot_be_written_leaves_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "f"
    file.write_text("old")

    def refuse(old: str, new: str) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(StreamError, match="Read-only"):
        write(str(file), "new")
    assert file.read_text() == "old"
    assert os.listdir(tmp_path) == ["f"]


def test_a_file_that_is_gone_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StreamError, match="No such file"):
        write(str(tmp_path / "f"), "new")
