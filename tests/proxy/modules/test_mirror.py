"""Requests that are copied."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kit.conf_text import faults, location
from kit.nginx import Answer
from kit.proxy_site import LISTENING, Visit, cycle_of, visit

SITE = """
    log_subrequest on;
    location / { mirror /m1; mirror /m2; return 200 unseen; }
    location /main { mirror /m1; mirror /m2; root none; error_page 404 =200 /done; }
    location = /done { mirror off; return 200 done; }
    location /m { internal; return 200 $uri$args; }
    location /without { mirror /m1; mirror_request_body off; root none; }
    client_max_body_size 5;
"""


def post(folder: Path, target: str, content: bytes = b"hello") -> Answer:
    head = (
        f"POST {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
    )
    chunk = b"%x\r\n%b\r\n0\r\n\r\n" % (len(content), content)

    async def run() -> Answer:
        with cycle_of(LISTENING.format(directives=SITE), folder) as cycle:
            return await visit(cycle, head.encode() + b"\r\n" + chunk)

    return asyncio.run(run())


def logged(folder: Path) -> list[str]:
    return (folder / "access.log").read_text().splitlines()


def test_copies(tmp_path: Path) -> None:
    assert post(tmp_path, "/main?a").status in (200, 405)
    assert len(logged(tmp_path)) == 3


def test_copies_without_the_content(tmp_path: Path) -> None:
    assert post(tmp_path, "/without", b"too long").status in (404, 405)
    assert len(logged(tmp_path)) == 2


def test_a_content_that_is_refused(tmp_path: Path) -> None:
    assert post(tmp_path, "/main", b"too long").status == 413
    assert len(logged(tmp_path)) == 1


def test_a_client_that_leaves(tmp_path: Path) -> None:
    async def run() -> None:
        with cycle_of(LISTENING.format(directives=SITE), tmp_path) as cycle:
            one = Visit(cycle)
            one.client.write(b"POST /main HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe")
            one.client.write_eof()
            await one.serve()

    asyncio.run(run())
    assert '" 400 0 ' in logged(tmp_path)[0]


@pytest.mark.parametrize("lines", ["mirror off; mirror /a;", "mirror /a; mirror off;"])
def test_off_stands_alone(lines: str) -> None:
    assert faults(f"server {{ {lines} }}") == ['"mirror" directive is duplicate']


def test_settings() -> None:
    settings = location("mirror /a; mirror /b; mirror_request_body off;").settings.mirror
    assert (settings.uris, settings.passes_body) == (("/a", "/b"), False)
    assert location("mirror off;").settings.mirror.uris == ()
