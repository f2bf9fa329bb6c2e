"""Listings of directories, as nginx writes them for the same entries."""

from __future__ import annotations

import time

import pytest

from upwire.conf.model.types.autoindex import AutoindexSettings
from upwire.proxy.modules.directory_listing import (
    Entry,
    sort_entries,
    write_html,
    write_json,
    write_xml,
)

AT = 1_000_000_000.0  # 2001-09-09 01:46:40 UTC
LETTER = "\xd1\x84"  # one of two octets in UTF-8


def lines_of(*entries: Entry, is_utf8: bool = False, is_exact: bool = True) -> list[str]:
    """Return the lines that entries have, without their dates."""
    settings = AutoindexSettings(has_exact_sizes=is_exact)
    page = write_html("/", entries, settings, is_utf8=is_utf8)
    return [line.replace(" 09-Sep-2001 01:46", "@") for line in page.split("\r\n")[4:-3]]


def file(name: str, octets: int = 7) -> Entry:
    return Entry(name, "file", AT, octets)


def directory(name: str) -> Entry:
    return Entry(name, "directory", AT, 4096)


def test_a_page() -> None:
    page = write_html('/<"a">/', [directory("d"), file("f")], AutoindexSettings(), is_utf8=False)
    title = "Index of /&lt;&quot;a&quot;&gt;/"
    assert page == (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<h1>{title}</h1><hr><pre>"
        '<a href="../">../</a>\r\n'
        f'<a href="d/">d/</a>{" " * 49}09-Sep-2001 01:46{" " * 19}-\r\n'
        f'<a href="f">f</a>{" " * 50}09-Sep-2001 01:46{" " * 19}7\r\n'
        "</pre><hr></body>\r\n</html>\r\n"
    )


def test_directories_come_first() -> None:
    entries = [file("b"), Entry("c", "other", AT, 0), directory("z"), file("a")]
    assert [entry.name for entry in sort_entries(entries)] == ["z", "a", "b", "c"]


@pytest.mark.parametrize(
    ("entry", "shown"),
    [
        (file("x" * 49), "x" * 49 + "</a> "),
        (file("x" * 50), "x" * 50 + "</a>"),
        (file("x" * 51), "x" * 47 + "..&gt;</a>"),
        (file("<" * 51), "&lt;" * 47 + "..&gt;</a>"),
        (directory("x" * 49), "x" * 49 + "/</a>"),
        (directory("x" * 50), "x" * 50 + "</a>"),
        (directory("x" * 51), "x" * 47 + "..&gt;</a>"),
    ],
)
def test_long_names_are_cut(entry: Entry, shown: str) -> None:
    (line,) = lines_of(entry)
    assert line.partition('">')[2].partition("@")[0] == shown


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (LETTER * 50, LETTER * 50 + "</a>"),
        (LETTER * 51, LETTER * 47 + "..&gt;</a>"),
        ("\xff" * 51, "\xff" * 47 + "..&gt;</a>"),
    ],
)
def test_characters_are_not_cut(name: str, shown: str) -> None:
    (line,) = lines_of(file(name), is_utf8=True)
    assert line.partition('">')[2].partition("@")[0] == shown


def test_targets_are_escaped() -> None:
    (line,) = lines_of(file('a%?#:/"' + LETTER))
    assert line.startswith('<a href="a%25%3F%23%3A%2F%22%D1%84">a%?#:/&quot;' + LETTER)


@pytest.mark.parametrize(
    ("octets", "shown"),
    [
        (9999, "   9999"),
        (10_000, "    10K"),
        ((1 << 20) - 1, "  1024K"),
        (3 << 19, "     2M"),
        ((1 << 30) - 1, "  1024M"),
        ((1 << 30) + 5, "     1G"),
    ],
)
def test_short_sizes(octets: int, shown: str) -> None:
    (line,) = lines_of(file("f", octets), is_exact=False)
    assert line.partition("@ ")[2] == shown
    (line,) = lines_of(directory("d"), is_exact=False)
    assert line.partition("@ ")[2] == "      -"


def test_local_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "XXX-5")
    time.tzset()
    try:
        page = write_html("/", [file("f")], AutoindexSettings(in_local_time=True), is_utf8=False)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert " 09-Sep-2001 06:46 " in page


def test_json() -> None:
    assert write_json([]) == "[\r\n]"
    entries = [directory("d"), file('f"\\\n'), Entry("p", "other", AT, 0)]
    date = '"mtime":"Sun, 09 Sep 2001 01:46:40 GMT"'
    listing = (
        f'[\r\n{{ "name":"d", "type":"directory", {date} }},\r\n'
        f'{{ "name":"f\\"\\\\\\n", "type":"file", {date}, "size":7 }},\r\n'
        f'{{ "name":"p", "type":"other", {date} }}\r\n]'
    )
    assert write_json(entries) == listing
    assert write_json(entries, "a.b") == f"/* callback */\r\na.b({listing});"


def test_xml() -> None:
    date = 'mtime="2001-09-09T01:46:40Z"'
    assert write_xml([directory("d"), file("<f>")]) == (
        '<?xml version="1.0"?>\r\n<list>\r\n'
        f"<directory {date}>d</directory>\r\n"
        f'<file {date} size="7">&lt;f&gt;</file>\r\n</list>\r\n'
    )
