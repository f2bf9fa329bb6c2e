"""What no client and no upstream should send: no worker ends of it, and no two exchanges mix.

Every test uses the one proxy of this file, and is followed by a look at it: the worker is the one
that began, and a kept connection gives each request its own answer.
"""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass

import psutil
import pytest

from kit.nginx import (
    WAIT_S,
    Backend,
    Running,
    ask,
    frame_conf,
    free_port,
    get,
    parse_answer,
    read_all,
    read_until,
    running,
    talk,
)

SITE = """
    upstream kept {{ server 127.0.0.1:{upstream} max_fails=0; keepalive 4; }}
    server {{
        listen 127.0.0.1:{port};
        client_header_timeout 500ms;
        client_body_timeout 500ms;
        proxy_set_header Connection "";
        location / {{ proxy_pass http://kept; }}
        location /streamed {{ proxy_pass http://kept; proxy_request_buffering off; }}
        location = /worker {{ return 200 $pid; }}
    }}
"""
OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b"
MEBIBYTE = 1 << 20
HUGE = 100 * MEBIBYTE
GROWTH_OCTETS = 16 * MEBIBYTE

# What an upstream sends for a path in place of the answer, and whether it then ends.
BAD_ANSWERS = {
    "/too-much": (OK % (5, b"right, and more"), False),
    "/two": (OK % (5, b"right") + OK % (5, b"wrong"), False),
    "/too-much-chunked": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nright\r\n0\r\n\r\nwrong",
        False,
    ),
    "/content-of-204": (b"HTTP/1.1 204 No Content\r\n\r\n" + OK % (5, b"wrong"), False),
    "/too-little": (OK % (50, b"little"), True),
    "/too-little-chunked": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\nlittle",
        True,
    ),
    "/no-chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nlittle\r\n", False),
    "/half-a-head": (b"HTTP/1.1 200 OK\r\nContent-", True),
    "/nothing": (b"", True),
    "/garbage": (bytes(range(256)) * 8, True),
    "/garbage-lines": (b"garbage\r\n" * 100 + b"\r\n", True),
    "/nul": (b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 5\r\n\r\nwrong", True),
    "/no-name": (b"HTTP/1.1 200 OK\r\n: x\r\nContent-Length: 5\r\n\r\nwrong", True),
    "/two-lengths": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nwrong!",
        True,
    ),
    "/no-length": (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nwrong", True),
    "/both": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nwrong\r\n0\r\n\r\n",
        True,
    ),
    "/status": (b"HTTP/1.1 2000 OK\r\nContent-Length: 5\r\n\r\nwrong", True),
    "/huge-head": (b"HTTP/1.1 200 OK\r\nX: " + b"x" * MEBIBYTE, True),
}


# How an upstream begins that goes on when GO_ON is set; ENDED: the proxy has had enough of it.
BEGINNINGS = {"/late": OK % (5, b"begun"), "/half": OK % (500, b"begun")}
GO_ON, ENDED = threading.Event(), threading.Event()


def answer_badly(sock: socket.socket, request: bytes) -> None:
    """Answer with the path itself, or as BAD_ANSWERS and BEGINNINGS have it."""
    path = request.split(b" ", 2)[1].decode()
    if path in BEGINNINGS:
        go_on(sock, BEGINNINGS[path])
        return
    octets, is_last = BAD_ANSWERS.get(path, (OK % (len(path), path.encode()), False))
    sock.sendall(octets)
    if is_last:
        sock.shutdown(socket.SHUT_WR)


def go_on(sock: socket.socket, beginning: bytes) -> None:
    """Begin an answer, and send another one when that is asked for."""
    ENDED.clear()
    GO_ON.clear()
    sock.sendall(beginning)
    GO_ON.wait(WAIT_S)
    with suppress(ConnectionError):
        sock.sendall(OK % (5, b"wrong"))
        read_all(sock)
    ENDED.set()


@dataclass(frozen=True)
class Site:
    """The proxy under test. worker: the process that serves."""

    port: int
    proxy: Running
    backend: Backend
    worker: psutil.Process

    def look(self) -> None:
        """Fail where the worker was lost, or exchanges are mixed."""
        assert get(self.port, "/worker").content.decode() == str(self.worker.pid)
        for path in ("/a", "/bb", "/ccc"):
            assert get(self.port, path).content.decode() == path
        assert "Traceback" not in self.proxy.error_log()
        assert "[alert]" not in self.proxy.error_log()


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    port = free_port()
    folder = tmp_path_factory.mktemp("proxy")
    with Backend(answer_badly) as backend:
        conf = frame_conf(SITE.format(port=port, upstream=backend.port), "worker_processes 1;")
        conf = conf.replace("worker_connections 256", "worker_connections 1024")
        with running("upwire", conf, folder, [port]) as started:
            worker = psutil.Process(int(get(port, "/worker").content))
            yield Site(port, started, backend, worker)


@pytest.fixture
def site(proxy: Site) -> Iterator[Site]:
    yield proxy
    proxy.look()


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), WAIT_S)


def test_heads_that_end_early(site: Site) -> None:
    head = b"GET /never HTTP/1.1\r\nHost: a.test\r\nX: y\r\n\r\n"
    for length in range(len(head)):
        with connect(site.port) as sock:
            sock.sendall(head[:length])
            sock.shutdown(socket.SHUT_WR)
            assert read_all(sock) == b""
    assert not any("/never" in asked for asked in site.backend.heads)


def test_heads_that_stall(site: Site) -> None:
    head = b"GET /never HTTP/1.1\r\nHost: a.test\r\n"
    with ExitStack() as stack:
        stalled = [stack.enter_context(connect(site.port)) for _ in range(50)]
        for sock in stalled:
            sock.sendall(head)
        assert get(site.port, "/meanwhile").content == b"/meanwhile"
        assert {read_all(sock) for sock in stalled} == {b""}


def test_slow_clients_have_no_more_time_than_others(site: Site) -> None:
    """Slowloris: octets keep coming, and the head never ends."""
    with ExitStack() as stack:
        slow = [stack.enter_context(connect(site.port)) for _ in range(100)]
        started_s = time.monotonic()
        for at in itertools.count():
            assert time.monotonic() < started_s + WAIT_S, "a slow head has no deadline"
            assert get(site.port, "/meanwhile").content == b"/meanwhile"
            slow = [
                sock for sock in slow if drips(sock, b"GET /never HTTP/1.1\r\nX: "[at : at + 1])
            ]
            if not slow:
                break
    assert not any("/never" in asked for asked in site.backend.heads)


def drips(sock: socket.socket, octet: bytes) -> bool:
    """Send one octet; return whether the other side still listens."""
    sock.setblocking(False)
    try:
        sock.sendall(octet or b"x")
        return sock.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


@pytest.mark.parametrize(
    ("start", "piece", "status"),
    [
        (b"GET /", b"x" * MEBIBYTE, 414),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b"x" * MEBIBYTE, 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n", b"X: y\r\n" * (MEBIBYTE // 6), 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n", b"Xy\r\n " * (MEBIBYTE // 5), 400),
    ],
    ids=["line", "field", "fields", "folds"],
)
def test_huge_heads(site: Site, start: bytes, piece: bytes, status: int) -> None:
    before = site.worker.memory_info().rss
    with connect(site.port) as sock:
        send_until_refused(sock, start, piece)
        received = read_all(sock)
    assert received == b"" or parse_answer(received).status == status
    assert site.worker.memory_info().rss - before < GROWTH_OCTETS


def send_until_refused(sock: socket.socket, start: bytes, piece: bytes) -> None:
    """Send HUGE octets, or what the other side takes of them."""
    with suppress(ConnectionError):
        sock.sendall(start)
        for _ in range(HUGE // len(piece)):
            sock.sendall(piece)


REFUSED = {
    "NUL in a value": b"X: a\0b\r\n",
    "NUL in a name": b"X\0: a\r\n",
    "CR in a value": b"X: a\rb\r\n",
    "CR before CRLF": b"X: a\r\r\n",
    "space before the colon": b"Host : a\r\n",
    "no colon, folded": b" folded\r\n",
    "both lengths": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    "both lengths, swapped": b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    "two lengths": b"Content-Length: 5\r\nContent-Length: 6\r\n",
    "two lengths alike": b"Content-Length: 5\r\nContent-Length: 5\r\n",
    "list of lengths": b"Content-Length: 5, 5\r\n",
    "signed length": b"Content-Length: +5\r\n",
    "no number": b"Content-Length: 0x5\r\n",
    "endless number": b"Content-Length: " + b"9" * 100 + b"\r\n",
    "two codings": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "chunked twice": b"Transfer-Encoding: chunked, chunked\r\n",
    "chunked not last": b"Transfer-Encoding: chunked, identity\r\n",
    "vertical tab": b"Transfer-Encoding: \x0bchunked\r\n",
    "two hosts": b"Host: a\r\nHost: b\r\n",
}


@pytest.mark.parametrize("fields", REFUSED.values(), ids=REFUSED.keys())
def test_fields_that_smuggle(site: Site, fields: bytes) -> None:
    head = b"POST /smuggled HTTP/1.1\r\nHost: a.test\r\n" + fields + b"\r\n"
    received = talk(site.port, head + b"0\r\n\r\nGET /second HTTP/1.1\r\nHost: a\r\n\r\n")
    assert parse_answer(received).status in (400, 501)
    assert received.count(b"HTTP/1.1 ") == 1
    assert not any(path in asked for asked in site.backend.heads for path in ("/smug", "/second"))


@pytest.mark.parametrize("path", ["/buffered", "/streamed"])
@pytest.mark.parametrize(
    "chunks",
    [
        b"x\r\n",
        b"-1\r\nx\r\n",
        b"+1\r\nx\r\n",
        b"0x1\r\nx\r\n",
        b"1\r\nxx\r\n0\r\n\r\n",
        b"1\r\nx0\r\n\r\n",
        b"ffffffffffffffffff\r\nx",
        b"1;" + b"x" * 100_000,
        b"\r\n",
        b"1\rx\r\n",
        b"1\0\r\nx\r\n0\r\n\r\n",
    ],
)
def test_chunks_that_are_none(site: Site, path: str, chunks: bytes) -> None:
    lines = f"POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    received = talk(site.port, lines.encode() + chunks + b"GET /second HTTP/1.1\r\nHost: a\r\n\r\n")
    assert parse_answer(received).status == 400
    assert received.count(b"HTTP/1.1 ") == 1
    assert not any("/second" in asked for asked in site.backend.heads)


def test_contents_that_stall(site: Site) -> None:
    head = b"POST /never HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nshort"
    assert parse_answer(talk(site.port, head)).status in (0, 408)
    assert not any("/never" in asked for asked in site.backend.heads)


@pytest.mark.parametrize("path", BAD_ANSWERS)
def test_upstreams_that_answer_badly(site: Site, path: str) -> None:
    for _ in range(3):
        answer = get(site.port, path)
        if path.startswith(("/too-much", "/two", "/content")) and path != "/two-lengths":
            assert answer.content == (b"" if answer.status == 204 else b"right")
        else:
            assert answer.status == 502 or answer.content in (b"", b"little")
        assert get(site.port, "/next").content == b"/next"


@pytest.mark.parametrize("path", ["/late", "/half"])
def test_upstreams_that_go_on(site: Site, path: str) -> None:
    """What comes after the answer, or after its client left, is nobody's answer."""
    with connect(site.port) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        assert read_until(sock, b"begun").endswith(b"begun")
    GO_ON.set()
    assert ENDED.wait(WAIT_S), "a connection with more than its answer is kept"
    assert get(site.port, "/next").content == b"/next"


def test_clients_that_ask_more_than_they_read(site: Site) -> None:
    asked = [f"/pipelined/{number}" for number in range(50)]
    head = "GET {} HTTP/1.1\r\nHost: a\r\n\r\n"
    with connect(site.port) as sock:
        sock.sendall("".join(map(head.format, asked)).encode())
        received = read_until(sock, b"/pipelined/49")
    contents = [part.rpartition(b"\r\n\r\n")[2].decode() for part in received.split(b"HTTP/1.1 ")]
    assert contents[1:] == asked


def test_garbage(site: Site) -> None:
    for octets in (bytes(range(256)), b"\0" * 5000, b"\x16\x03\x01\x02\0\x01", b"\r\n" * 5000):
        with connect(site.port) as sock:
            sock.sendall(octets)
            with suppress(OSError):
                sock.shutdown(socket.SHUT_WR)
            received = read_all(sock)
        assert received == b"" or parse_answer(received).status == 400
    assert ask(site.port, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").status in (400, 405, 505)
