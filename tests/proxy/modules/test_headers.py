"""Fields that a location adds to its responses."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from kit.nginx import Answer
from kit.proxy_site import LISTENING, Visit, cycle_of, get, read_to_end

THEN = 784111777
THEN_DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


def ask(folder: Path, directives: str, target: str = "/page", *fields: str) -> Answer:
    (folder / "html").mkdir()
    (folder / "html" / "page").write_text("page")
    os.utime(folder / "html" / "page", (THEN, THEN))

    async def run() -> Answer:
        with cycle_of(LISTENING.format(directives=directives), folder) as cycle:
            return await get(cycle, target, *fields)

    return asyncio.run(run())


def test_added(tmp_path: Path) -> None:
    got = ask(tmp_path, "add_header X $uri; add_header Y $http_none; add_header Z z always;")
    assert (got.fields["x"], got.fields["z"]) == ("/page", "z")
    assert "y" not in got.fields


def test_added_to_errors(tmp_path: Path) -> None:
    got = ask(tmp_path, "add_header X x; expires 1h; add_header Z z always;", "/none")
    assert got.fields["z"] == "z"
    assert {"x", "expires"}.isdisjoint(got.fields)


def test_validators_are_replaced(tmp_path: Path) -> None:
    directives = "add_header Last-Modified 'Mon, 28 Sep 1970 06:00:00 GMT'; add_header ETag '';"
    got = ask(tmp_path, directives, "/page", "Range: bytes=0-0", "If-Range: " + THEN_DATE)
    assert (got.status, got.fields["last-modified"][:3]) == (200, "Mon")
    assert "etag" not in got.fields


@pytest.mark.parametrize(
    ("text", "expires", "control"),
    [
        ("epoch", "Thu, 01 Jan 1970 00:00:01 GMT", "no-cache"),
        ("max", "Thu, 31 Dec 2037 23:55:55 GMT", "max-age=315360000"),
        ("modified 1s", "Sun, 06 Nov 1994 08:49:38 GMT", "no-cache"),
        ("1h", None, "max-age=3600"),
        ("0", None, "max-age=0"),
        ("-1", None, "no-cache"),
        ("$arg_e", None, "max-age=7"),
        ("modified $arg_e", "Sun, 06 Nov 1994 08:49:44 GMT", "no-cache"),
    ],
)
def test_expires(tmp_path: Path, text: str, expires: str | None, control: str) -> None:
    fields = ask(tmp_path, f"expires {text};", "/page?e=7").fields
    assert fields["cache-control"] == control
    assert expires is None or fields["expires"] == expires


@pytest.mark.parametrize("text", ["off", "x"])
def test_expires_by_a_variable_that_is_no_time(tmp_path: Path, text: str) -> None:
    assert "expires" not in ask(tmp_path, "expires $arg_e;", f"/page?e={text}").fields


def test_a_response_without_a_date(tmp_path: Path) -> None:
    got = ask(tmp_path, "expires modified 1h; location / { return 200; }")
    assert got.fields["cache-control"] == "max-age=3600"


@pytest.mark.parametrize("is_past", [False, True])
def test_every_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_past: bool) -> None:
    now = THEN
    hour = time.localtime(now).tm_hour
    monkeypatch.setattr("upwire.proxy.cycle.Cycle.wall_clock", staticmethod(lambda: now))
    fields = ask(tmp_path, f"expires @{hour if is_past else (hour + 1)}h;").fields
    left_s = 3600 - now % 3600 if not is_past else 86400 - now % 3600
    assert fields["cache-control"] == f"max-age={left_s}"


def test_added_fields_refer_to_each_other(tmp_path: Path) -> None:
    got = ask(tmp_path, "add_header X a; add_header X b; add_header Y $sent_http_x;")
    assert got.fields["y"] == "a, b"


@pytest.mark.parametrize(
    ("version", "target", "lines"),
    [
        ("1.1", "/page", b"X: /page\r\nY: /page\r\nW: w\r\n"),
        ("1.1", "/none", b"W: w\r\n"),
        ("1.0", "/page", None),
    ],
)
def test_trailers(tmp_path: Path, version: str, target: str, lines: bytes | None) -> None:
    (tmp_path / "html").mkdir()
    (tmp_path / "html" / "page").write_text("page")
    directives = "add_trailer X $uri; add_trailer Y $sent_trailer_x; add_trailer Z '';"
    directives += "add_trailer W w always;"
    request = f"GET {target} HTTP/{version}\r\nHost: h\r\nConnection: close\r\n\r\n"

    async def run() -> bytes:
        with cycle_of(LISTENING.format(directives=directives), tmp_path) as cycle:
            one = Visit(cycle)
            one.client.write(request.encode())
            serving = asyncio.create_task(one.serve())
            received = await read_to_end(one.client)
            one.client.close()
            await serving
            return received

    received = asyncio.run(run())
    if lines is None:
        assert received.endswith(b"\r\n\r\npage")
    else:
        assert received.endswith(b"\r\n0\r\n" + lines + b"\r\n")
        assert b"Content-Length" not in received
