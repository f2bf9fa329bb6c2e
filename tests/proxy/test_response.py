"""Heads of responses, and what ends their contents."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kit.proxy_site import Visit, cycle_of, read_to_end

SITE = """
    default_type text/html;
    sub_filter a b;
    server {
        listen 127.0.0.1:80;
        location /chunked { return 200 aaa; }
        location /off { chunked_transfer_encoding off; return 200 aaa; }
        location /off/counted { chunked_transfer_encoding off; sub_filter_types x; default_type y;
            return 200 aaa; }
        location /trailed { add_trailer X y; return 200 aaa; }
        location /off/trailed { chunked_transfer_encoding off; add_trailer X y; return 200 aaa; }
    }
"""


def converse(folder: Path, octets: bytes) -> bytes:
    async def run() -> bytes:
        one = Visit(cycle)
        one.client.write(octets)
        one.client.write_eof()
        serving = asyncio.create_task(one.serve())
        received = await read_to_end(one.client)
        one.client.close()
        await serving
        return received

    with cycle_of(SITE, folder) as cycle:
        return asyncio.run(run())


@pytest.mark.parametrize(
    ("path", "framing", "content", "persists"),
    [
        ("/chunked", "Transfer-Encoding: chunked", b"3\r\nbaa\r\n0\r\n\r\n", True),
        ("/off", "", b"baa", False),
        ("/off/counted", "Content-Length: 3", b"aaa", True),
        ("/trailed", "Transfer-Encoding: chunked", b"3\r\nbaa\r\n0\r\nX: y\r\n\r\n", True),
        ("/off/trailed", "", b"baa", False),
    ],
)
def test_what_ends_a_content(
    path: str, framing: str, content: bytes, persists: bool, tmp_path: Path
) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode()
    received = converse(tmp_path, request * 2)
    head, _, rest = received.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert ("Connection: keep-alive" in lines) is persists
    assert ("Connection: close" in lines) is not persists
    assert [line for line in lines if line.startswith(("Transfer-", "Content-L"))] == (
        [framing] if framing else []
    )
    assert rest.startswith(content)
    assert received.count(b"HTTP/1.1 200") == (2 if persists else 1)
