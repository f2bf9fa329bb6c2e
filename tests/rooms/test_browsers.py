from __future__ import annotations

import asyncio
import http.client
from importlib.resources import files

from upwire.rooms.browsers import client_script
from upwire.server import Routes, serve

Answer = tuple[int, dict[str, str], bytes]


def ask(port: int, fields: dict[str, str]) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/upwire.js", headers=fields)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def get(*requests: dict[str, str]) -> list[Answer]:
    """Ask for the script with each of these fields."""

    async def main() -> list[Answer]:
        routes = Routes()
        routes.get("/upwire.js")(client_script)
        async with serve(routes, port=0) as server:
            return [await asyncio.to_thread(ask, server.port, fields) for fields in requests]

    return asyncio.run(main())


def test_the_client_is_served_minified() -> None:
    ((status, fields, script),) = get({})

    assert status == 200
    assert fields["Content-Type"] == "text/javascript; charset=utf-8"
    assert fields["Cache-Control"] == "no-cache"
    assert script == files("upwire.rooms").joinpath("browser/upwire.min.js").read_bytes()


def test_a_copy_that_is_right_is_kept() -> None:
    ((_, fields, _),) = get({})
    etag = fields["ETag"]

    same, weak, another, star = get(
        {"If-None-Match": etag},
        {"If-None-Match": f'"old", W/{etag}'},
        {"If-None-Match": '"old"'},
        {"If-None-Match": "*"},
    )

    assert [answer[0] for answer in (same, weak, another, star)] == [304, 304, 200, 304]
    assert (same[1]["ETag"], same[2]) == (etag, b"")
