"""Requests through an upstream, over memory to the proxy and TCP to the backends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from kit.backend import Script, backend, say, say_and_close
from kit.nginx import KEY_FIELD, Answer, parse_answer
from kit.proxy_site import Visit, cycle_of, get, read_to_end, visit
from upwire.proxy.cycle import Cycle, TunnelOptions
from upwire.wire._codec import mask
from upwire.wire.handshake import compute_accept

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SITE = """
    upstream pair {{ server 127.0.0.1:{port}; server 127.0.0.1:{port} backup; }}
    upstream kept {{ server 127.0.0.1:{port}; keepalive 1; }}
    upstream none {{ server 127.0.0.1:{port} down; }}
    server {{
        listen 127.0.0.1:80;
        client_max_body_size 100k;
        client_body_timeout 50ms;
        location / {{ proxy_pass http://127.0.0.1:{port}; {directives} }}
        location /pair {{ proxy_pass http://pair; {directives} }}
        location /kept {{ proxy_pass http://kept; }}
        location /none {{ proxy_pass http://none; }}
        location /dead {{ proxy_pass http://127.0.0.1:1; }}
        location /unix {{ proxy_pass http://unix:/no/such/socket:/; }}
        location /tls {{ proxy_pass https://127.0.0.1:{port}; proxy_connect_timeout 100ms; }}
        location /to {{ proxy_pass $arg_scheme://$arg_to; {directives} }}
        location /page {{
            proxy_pass http://127.0.0.1:{port}; proxy_intercept_errors on; error_page 503 =200 /x;
        }}
        location /x {{ return 200 page; }}
    }}
"""


async def stay_silent(_: bytes, reader: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    await reader.read()


def run(
    folder: Path,
    script: Script,
    act: Callable[[Cycle], Awaitable[Answer]],
    directives: str = "",
) -> tuple[Answer, list[bytes]]:
    heads: list[bytes] = []

    async def inner() -> Answer:
        async with backend(script, heads) as port:
            with cycle_of(SITE.format(port=port, directives=directives), folder) as cycle:
                return await act(cycle)

    return asyncio.run(inner()), heads


def ask(folder: Path, script: Script, target: str, directives: str = "") -> Answer:
    return run(folder, script, lambda cycle: get(cycle, target), directives)[0]


def log(folder: Path) -> str:
    return (folder / "error.log").read_text()


@pytest.mark.parametrize(
    ("target", "script", "status", "message"),
    [
        ("/", say(OK), 200, ""),
        ("/dead", say(OK), 502, "connect() failed (111: Connection refused) while connecting"),
        ("/unix", say(OK), 502, "connect() failed (2: No such file or directory) while"),
        ("/none", say(OK), 502, "no live upstreams while connecting to upstream"),
        ("/", say(b"garbage\r\n\r\n"), 502, "upstream sent invalid header"),
        ("/", say(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 9000), 502, "sent too big header"),
        ("/", say_and_close(b""), 502, "upstream prematurely closed connection while reading"),
        ("/", say_and_close(b"HTTP/1.1 200"), 502, "prematurely closed connection while reading"),
        ("/", say(b"HTTP/1.1 101 Switch\r\n\r\n"), 502, "switched protocols unasked"),
        ("/", stay_silent, 504, "upstream timed out (110: Connection timed out) while reading"),
        ("/tls", stay_silent, 504, "timed out (110: Connection timed out) while SSL handshaking"),
        ("/tls", say_and_close(b"no TLS"), 502, "while SSL handshaking to upstream"),
        ("/page", say(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"), 200, ""),
        ("/to?scheme=ftp&to=x", say(OK), 500, 'invalid URL prefix in "ftp://x"'),
        ("/to?scheme=http&to=127.0.0.1:65536", say(OK), 500, "invalid port in upstream"),
        ("/to?scheme=http&to=127.0.0.1:" + "9" * 5000, say(OK), 500, "invalid port in upstream"),
        ("/to?scheme=http&to=no.name", say(OK), 502, "no resolver defined to resolve no.name"),
        ("/to?scheme=http&to=unix:/no/such", say(OK), 502, "connect() failed (2: No such file"),
        ("/to?scheme=https&to=unix:/no/such:/x", say(OK), 502, "connect() failed (2: No such"),
        ("/to?scheme=http&to=none", say(OK), 502, "no live upstreams"),
    ],
)
def test_what_upstreams_do(
    tmp_path: Path, target: str, script: Script, status: int, message: str
) -> None:
    assert ask(tmp_path, script, target, "proxy_read_timeout 50ms;").status == status
    assert message in log(tmp_path)


def test_a_wrong_handshake_is_refused(tmp_path: Path) -> None:
    switch = b"HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    script = say(switch + b"Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n")
    act = lambda cycle: get(cycle, "/", "Upgrade: websocket", KEY_FIELD)  # noqa: E731
    assert run(tmp_path, script, act)[0].status == 502
    assert log(tmp_path).count("[error]") == 1
    assert "upstream answered 101 with a wrong Sec-WebSocket-Accept" in log(tmp_path)


def test_targets_from_variables(tmp_path: Path) -> None:
    async def act(cycle: Cycle) -> Answer:
        address = str(cycle.upstreams["kept"].peers[0].address)
        first = await get(cycle, f"/to?scheme=http&to={address}")
        second = await get(cycle, f"/to?scheme=http&to={address}?q")
        third = await get(cycle, f"/to?scheme=http&to={address}/path")
        assert {answer.status for answer in (first, second, third)} == {200}
        return third

    heads = run(tmp_path, say(OK), act)[1]
    lines = [head.split(b"\r\n")[0].split()[1] for head in heads]
    assert lines[0].startswith(b"/to?scheme=http")
    assert lines[1:] == [b"/?q", b"/path"]


def test_a_cut_answer_is_cut_for_the_client(tmp_path: Path) -> None:
    short = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"
    assert ask(tmp_path, say_and_close(short), "/").content == b"short"
    assert "prematurely closed connection while reading upstream" in log(tmp_path)
    bad = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"
    assert ask(tmp_path, say(bad), "/").content == b""
    assert "upstream sent invalid chunked response" in log(tmp_path)


@pytest.mark.parametrize(
    ("directives", "method", "status", "tries"),
    [
        ("", "GET", 502, 2),
        ("", "POST", 502, 1),
        ("proxy_next_upstream error non_idempotent;", "POST", 502, 2),
        ("proxy_next_upstream off;", "GET", 502, 1),
        ("proxy_next_upstream_tries 1;", "GET", 502, 1),
        ("proxy_next_upstream_timeout 1ms;", "GET", 502, 2),
    ],
)
def test_retries(tmp_path: Path, directives: str, method: str, status: int, tries: int) -> None:
    if "timeout" in directives:
        directives = directives.replace("1ms", "1h")

    async def act(cycle: Cycle) -> Answer:
        return await get(cycle, "/pair", "Content-Length: 0", method=method)

    answer, heads = run(tmp_path, say_and_close(b""), act, directives)
    assert (answer.status, len(heads)) == (status, tries)


def test_a_status_may_be_retried(tmp_path: Path) -> None:
    async def script(_: bytes, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK if len(seen) else b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
        seen.append(1)

    seen: list[int] = []
    answer = ask(tmp_path, script, "/pair", "proxy_next_upstream http_503;")
    assert (answer.status, answer.content) == (200, b"ok")


def test_kept_connections(tmp_path: Path) -> None:
    async def act(cycle: Cycle) -> Answer:
        await get(cycle, "/kept")
        idle = cycle.upstreams["kept"].idle
        assert idle is not None
        assert len(idle) == 1
        cycle.tick()
        return await get(cycle, "/kept")

    assert run(tmp_path, say(OK), act)[0].content == b"ok"


def test_a_kept_connection_that_fails_does_not_count(tmp_path: Path) -> None:
    async def script(_: bytes, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(1)
        if len(requests) == 2:
            writer.transport.abort()
        else:
            writer.write(OK)

    requests: list[int] = []

    async def act(cycle: Cycle) -> Answer:
        await get(cycle, "/kept")
        return await get(cycle, "/kept")

    assert run(tmp_path, script, act)[0].content == b"ok"
    assert len(requests) == 3


# Contents of requests


def post(content: bytes, *fields: str, target: str = "/") -> bytes:
    lines = [f"POST {target} HTTP/1.1", "Host: h", "Connection: close", *fields, "", ""]
    return "\r\n".join(lines).encode() + content


@pytest.mark.parametrize("buffering", ["on", "off"])
@pytest.mark.parametrize(
    ("octets", "content"),
    [
        (post(b"hello", "Content-Length: 5"), b"hello"),
        (post(b"5\r\nhello\r\n0\r\n\r\n", "Transfer-Encoding: chunked"), b"hello"),
        (post(b"x" * 90_000, "Content-Length: 90000"), b"x" * 90_000),
        (post(b"", "Content-Length: 0"), b""),
    ],
)
def test_contents(tmp_path: Path, buffering: str, octets: bytes, content: bytes) -> None:
    received = bytearray()

    async def script(
        octets: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        received.extend(octets.partition(b"\r\n\r\n")[2])
        is_chunked = b"chunked" in octets.partition(b"\r\n\r\n")[0]
        while len(received) < len(content) or (is_chunked and b"\r\n0\r\n" not in received):
            received.extend(await reader.read(200_000))
        writer.write(OK)

    directives = f"proxy_request_buffering {buffering}; proxy_http_version 1.1;"
    answer, heads = run(tmp_path, script, lambda cycle: visit(cycle, octets), directives)
    assert answer.status == 200
    assert content in bytes(received) or b"5\r\nhello\r\n0\r\n\r\n" in received
    is_chunked_on = b"Transfer-Encoding: chunked" in heads[0]
    assert is_chunked_on == (buffering == "off" and b"chunked" in octets)


@pytest.mark.parametrize("buffering", ["on", "off"])
@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (post(b"", "Content-Length: 200000"), 413),
        (post(b"zz\r\n", "Transfer-Encoding: chunked"), 400),
        (post(b"abc", "Content-Length: 5"), 408),
        (
            post(b"%x\r\n" % 120_000 + b"x" * 120_000, "Transfer-Encoding: chunked"),
            413,
        ),
    ],
)
def test_contents_that_are_refused(
    tmp_path: Path, buffering: str, octets: bytes, status: int
) -> None:
    directives = f"proxy_request_buffering {buffering};"
    act = lambda cycle: visit(cycle, octets)  # noqa: E731 - one word for both runs
    assert run(tmp_path, stay_silent, act, directives)[0].status == status


def test_a_content_that_is_not_passed_on(tmp_path: Path) -> None:
    octets = post(b"hello", "Content-Length: 5")
    answer, heads = run(
        tmp_path, say(OK), lambda cycle: visit(cycle, octets), "proxy_pass_request_body off;"
    )
    assert answer.status == 200
    assert b"hello" not in heads[0]


def test_a_content_that_is_here_goes_with_the_head(tmp_path: Path) -> None:
    octets = post(b"hello", "Content-Length: 5")
    act = lambda cycle: visit(cycle, octets)  # noqa: E731 - one word
    _, heads = run(tmp_path, say(OK), act, "proxy_request_buffering off;")
    assert heads[0].endswith(b"\r\n\r\nhello")


TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig"


@pytest.mark.parametrize(
    ("buffering", "octets"), [("on", 8_000_000), ("off", 8_000_000), ("off", 9_000_000)]
)
def test_an_answer_that_comes_before_the_content_is_sent(
    tmp_path: Path, buffering: str, octets: int
) -> None:
    """The upstream takes no more of the content, of which the client sends 8,000,000 octets."""

    async def script(_: bytes, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(TOO_LARGE)
        await writer.wait_closed()

    async def act(cycle: Cycle) -> Answer:
        one = Visit(cycle)
        one.client.write(post(b"x" * 8_000_000, f"Content-Length: {octets}"))
        serving = asyncio.create_task(one.serve())
        received = await read_to_end(one.client)
        one.client.close()
        await serving
        return parse_answer(received)

    directives = f"client_max_body_size 10m; proxy_request_buffering {buffering};"
    answer, _ = run(tmp_path, script, act, directives + " client_body_timeout 10s;")
    assert (answer.status, answer.content) == (413, b"big")


@pytest.mark.parametrize("octets", [b"", b"garbage\r\n\r\n"])
def test_an_upstream_that_fails_before_the_content_is_sent(tmp_path: Path, octets: bytes) -> None:
    content = post(b"x" * 90_000, "Content-Length: 90000")
    script = say_and_close(octets)
    answer, _ = run(tmp_path, script, lambda cycle: visit(cycle, content))
    assert answer.status == 502


# Clients that leave


async def leave(cycle: Cycle, octets: bytes, *, when: asyncio.Event) -> Answer:
    one = Visit(cycle)
    one.client.write(octets)
    serving = asyncio.create_task(one.serve())
    await when.wait()
    one.client.close()
    await serving
    return parse_answer(b"")


@pytest.mark.parametrize("ignores", ["off", "on"])
def test_a_client_that_leaves_while_the_upstream_thinks(tmp_path: Path, ignores: str) -> None:
    async def script(_: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        if ignores == "on":
            writer.write(OK)
        await reader.read()

    asked = asyncio.Event()
    octets = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
    run(
        tmp_path,
        script,
        lambda cycle: leave(cycle, octets, when=asked),
        f"proxy_ignore_client_abort {ignores};",
    )
    line = (tmp_path / "access.log").read_text()
    assert ('" 499 ' in line) == (ignores == "off")


def test_a_client_that_leaves_amid_its_content(tmp_path: Path) -> None:
    async def act(cycle: Cycle) -> Answer:
        one = Visit(cycle)
        one.client.write(post(b"abc", "Content-Length: 5"))
        one.client.close()
        await one.serve()
        return parse_answer(b"")

    run(tmp_path, say(OK), act)
    assert '" 400 ' in (tmp_path / "access.log").read_text()


def test_what_a_client_sends_early_is_its_next_request(tmp_path: Path) -> None:
    async def act(cycle: Cycle) -> Answer:
        one = Visit(cycle)
        serving = asyncio.create_task(one.serve())
        one.client.write(b"GET /one HTTP/1.1\r\nHost: h\r\n\r\n")
        await asked.wait()
        one.client.write(b"GET /two HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        go_on.set()
        received = await read_to_end(one.client)
        one.client.close()
        await serving
        return parse_answer(received)

    async def script(_: bytes, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await go_on.wait()
        writer.write(OK)

    asked, go_on = asyncio.Event(), asyncio.Event()
    answer, heads = run(tmp_path, script, act)
    assert answer.content.count(b"HTTP/1.1 200 OK") == 1
    assert [head.split()[1] for head in heads] == [b"/one", b"/two"]


# Tunnels


def test_a_tunnel_carries_what_is_behind_the_heads(tmp_path: Path) -> None:
    async def script(
        octets: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        rest = octets.partition(b"\r\n\r\n")[2]
        writer.write(b"HTTP/1.1 101 Go\r\nUpgrade: echo\r\n\r\nearly " + rest)
        writer.write(b" late " + await reader.read())
        writer.close()

    async def act(cycle: Cycle) -> Answer:
        one = Visit(cycle)
        one.client.write(b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: echo\r\n\r\nbehind")
        serving = asyncio.create_task(one.serve())
        one.client.write_eof()
        received = await read_to_end(one.client)
        await serving
        assert cycle.counters.tunnels_total == 1
        assert not cycle.counters.tunnels_open
        return parse_answer(received)

    directives = "proxy_set_header Upgrade $http_upgrade; proxy_ignore_client_abort on;"
    answer, _ = run(tmp_path, script, act, directives)
    assert answer.status == 101
    assert answer.fields["connection"] == "upgrade"
    assert answer.content == b"early  late behind"
    assert '" 101 18 ' in (tmp_path / "access.log").read_text()


@pytest.mark.parametrize("ping_interval_s", [None, 0.05])
def test_what_the_command_line_asks_of_tunnels(
    tmp_path: Path, ping_interval_s: float | None
) -> None:
    """A message past the limit gets 1009 to both sides; what is silent before is pinged."""

    async def script(
        octets: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        key = octets.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r")[0].decode()
        writer.write(
            b"HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
            b"Sec-WebSocket-Accept: " + compute_accept(key).encode() + b"\r\n\r\n"
        )
        if ping_interval_s is not None:
            ping = await reader.readexactly(6)
            assert ping[:2] == b"\x89\x80"
        writer.write(b"\x82\x7e\x01\x00" + bytes(256))
        assert unmask(await reader.read()) == b"\x03\xf1message is too big"
        writer.close()

    async def act(cycle: Cycle) -> Answer:
        cycle.tunnel_options = TunnelOptions(255, ping_interval_s)
        one = Visit(cycle)
        one.client.write(
            b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        serving = asyncio.create_task(one.serve())
        received = b""
        while b"too big" not in received:
            received += await one.client.read()
        one.client.write_eof()
        received += await read_to_end(one.client)
        await serving
        return parse_answer(received)

    directives = (
        "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;"
        "proxy_ignore_client_abort on;"
    )
    answer, _ = run(tmp_path, script, act, directives)
    pings = b"" if ping_interval_s is None else b"\x89\x00"
    assert answer.content == pings + b"\x88\x14\x03\xf1message is too big"
    assert "upstream sent a message that is too big" in log(tmp_path)


def unmask(frame: bytes) -> bytes:
    """Return the payload of a short masked frame."""
    return mask(frame[6:], frame[2:6])


@pytest.mark.parametrize(
    ("pattern", "named"),
    [("/", 'location "/" in nginx.conf:1'), ("= /", 'location = "/" in nginx.conf:1')],
)
def test_the_end_of_a_silent_tunnel_is_explained(tmp_path: Path, pattern: str, named: str) -> None:
    switch = b"HTTP/1.1 101 Go\r\nUpgrade: echo\r\n\r\n"

    async def inner() -> None:
        async with backend(say(switch), []) as port:
            directives = f"proxy_pass http://127.0.0.1:{port}; proxy_read_timeout 30ms;"
            http = f"server {{ listen 127.0.0.1:80; location {pattern} {{ {directives} }} }}"
            with cycle_of(http, tmp_path) as cycle:
                one = Visit(cycle)
                one.client.write(b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: echo\r\n\r\n")
                await one.serve()

    asyncio.run(inner())
    assert f"the proxy_read_timeout of {named}" in log(tmp_path)
