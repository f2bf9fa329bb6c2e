"""The same configuration, the same clients and the same expectations, on Upwire and on nginx."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kit.nginx import (
    ACCEPT_FIELD,
    KEY_FIELD,
    WAIT_S,
    Answer,
    Backend,
    Running,
    answer_with,
    ask,
    close_script,
    frame_conf,
    free_port,
    get,
    is_nginx_there,
    read_all,
    read_until,
    running,
    talk,
    wait_until,
)

OK = answer_with("HTTP/1.1 200 OK\nContent-Length: 2\nX-From: backend\n\nok")

HTTP = (Path(__file__).parent / "proxy.conf").read_text()


def ws_script(sock: socket.socket, octets: bytes) -> None:
    """Switch, send what is behind the head in the same write, then echo until the end."""
    if b"\r\nUpgrade: websocket\r\n" not in octets:
        sock.sendall(b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n")
        return
    rest = octets.partition(b"\r\n\r\n")[2]
    sock.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"X-Tunnel: yes\r\n" + ACCEPT_FIELD.encode() + b"\r\n\r\nearly " + rest
    )
    while more := sock.recv(65536):
        sock.sendall(more)
        if b"bye" in more:
            sock.shutdown(socket.SHUT_RDWR)
            return


def mute_script(sock: socket.socket, _: bytes) -> None:
    """Answer nothing, until the proxy gives up."""
    sock.recv(1)


def cut_script(sock: socket.socket, _: bytes) -> None:
    """Send less than was promised."""
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
    sock.shutdown(socket.SHUT_RDWR)


ODD = (
    "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nConnection: keep-alive\nKeep-Alive: timeout=5\n"
    "X-Two: a\nX-Two: b\nServer: other\nX-Accel-Buffering: yes\nLocation: http://127.0.0.1:{port}/x\n\n"
    "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
)
BIG = "HTTP/1.1 200 OK\nX-Big: " + "x" * 2000 + "\nContent-Length: 0\n\n"


@dataclass
class Site:
    """A proxy of one kind with its backends."""

    proxy: Running
    port: int
    other: int
    ok: Backend
    ws: Backend
    ok_port: int

    def get(self, target: str, *fields: str, method: str = "GET") -> Answer:
        return get(self.port, target, *fields, method=method)

    def facts(self, target: str) -> str:
        """Return the line of the access log about a target, once it is there."""
        path = self.proxy.folder / "facts.log"

        def find() -> str | None:
            lines = path.read_text().splitlines() if path.exists() else []
            return next((line for line in reversed(lines) if target in line), None)

        line = wait_until(find)
        assert line is not None
        return line


@pytest.fixture(
    scope="module",
    params=[
        "upwire",
        pytest.param(
            "nginx", marks=pytest.mark.skipif(not is_nginx_there(), reason="no nginx here")
        ),
    ],
)
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    kind: str = request.param
    folder = tmp_path_factory.mktemp(kind)
    make_files(folder)
    odd = Backend(lambda sock, head: answer_with(ODD.format(port=odd.port))(sock, head))
    with (
        Backend(OK) as ok,
        Backend(ws_script) as ws,
        Backend(mute_script) as mute,
        Backend(cut_script) as cut,
        Backend(close_script) as close,
        odd,
        Backend(answer_with(BIG)) as big,
    ):
        ports = {"port": free_port(), "other": free_port(), "dead": free_port()}
        backends = {"ok": ok, "ws": ws, "mute": mute, "cut": cut, "close": close}
        backends |= {"odd": odd, "big": big}
        values = ports | {name: backend.port for name, backend in backends.items()}
        conf = frame_conf(HTTP % (values | {"folder": folder}))
        waited = (ports["port"], ports["other"])
        with running(kind, conf, folder, waited, "--nginx", "1.22") as proxy:
            yield Site(proxy, ports["port"], ports["other"], ok, ws, ok.port)


def make_files(folder: Path) -> None:
    """Lay out the files that the static locations serve."""
    (folder / "files" / "deep").mkdir(parents=True)
    (folder / "rooted").mkdir()
    (folder / "rooted" / "index.html").write_text("index of rooted")
    for name in ("page.html", "thing.special", "nothing", "a b.html"):
        (folder / "files" / name).write_text(f"content of {name}")


@pytest.mark.parametrize(
    ("target", "content"),
    [
        ("/", "root /"),
        ("/else/where", "root /else/where"),
        ("/exact", "exact"),
        ("/exact/", "root /exact/"),
        ("/pre", "pre"),
        ("/prefix", "pre"),
        ("/pre/inner", "pre in"),
        ("/pre/firm.php", "firm"),
        ("/pre/a.php", "regex php /pre/a.php"),
        ("/a.txt?b.php", "regex txt /a.txt"),
        ("/any/CASE", "nocase CASE"),
        ("/%65xact", "exact"),
        ("//exact", "exact"),
        ("/x/../exact", "exact"),
        ("/exact#part", "exact"),
        ("/map?m=exact", "e"),
        ("/map?m=EXACT", "e"),
        ("/map?m=a.b.wild.org", "w"),
        ("/map?m=rest", "re est"),
        ("/map?m=other", "none"),
        ("/map", "none"),
    ],
)
def test_the_location_that_answers(site: Site, target: str, content: str) -> None:
    answer = site.get(target)
    assert (answer.status, answer.content.decode()) == (200, content)


@pytest.mark.parametrize(
    ("host", "content"),
    [
        ("first.test", "root /"),
        ("unknown.test", "root /"),
        ("second.test", "second second.test"),
        ("SECOND.test:99", "second second.test"),
        ("second.test.", "second second.test"),
        ("a.b.wild.test", "second a.b.wild.test"),
        ("wild.test", "root /"),
        ("tail.any.thing", "second tail.any.thing"),
        ("one.re.test", "regex one one"),
    ],
)
def test_the_server_that_answers(site: Site, host: str, content: str) -> None:
    assert site.get("/", f"Host: {host}").content.decode() == content


def test_another_port_has_its_own_servers(site: Site) -> None:
    assert get(site.other, "/", "Host: second.test").content == b"other"


def test_absolute_form_overrules_host(site: Site) -> None:
    assert site.get("http://second.test/x").content == b"second second.test"


def test_variables(site: Site) -> None:
    answer = site.get("/facts/%61?a=1&b=%20", "Host: First.test:8", "X-One: 1", "Cookie: b=2; c=3")
    assert answer.content.decode() == (
        f"first.test|/facts/a|a=1&b=%20|1|?|/facts/%61?a=1&b=%20|http|{site.port}|first.test"
        "|127.0.0.1|GET|HTTP/1.1|1|3|"
    )


@pytest.mark.parametrize(
    ("target", "status", "where"),
    [
        ("/moved", 301, "http://example.test:{port}/there?x=1"),
        ("/away", 302, "https://example.test/x"),
        ("/files", 200, None),
        ("/kept", 301, "http://example.test:{port}/kept/"),
        ("/kept?a=b", 301, "http://example.test:{port}/kept/?a=b"),
        ("/files/deep", 301, "http://example.test:{port}/files/deep/"),
        ("/files/deep?q", 301, "http://example.test:{port}/files/deep/?q"),
        ("/paged/500", 302, "https://example.test/500"),
    ],
)
def test_redirects(site: Site, target: str, status: int, where: str | None) -> None:
    answer = site.get(target)
    expected = where.format(port=site.port) if where is not None else None
    assert (answer.status, answer.fields.get("location")) == (status, expected)


@pytest.mark.parametrize(
    ("target", "status", "content"),
    [
        ("/gone", 410, None),
        ("/created", 201, b"made"),
        ("/empty", 204, b""),
        ("/in", 404, None),
        ("/paged/404", 203, b"exact"),
        ("/paged/403", 403, b"named /paged/403"),
        ("/files/absent", 404, None),
        ("/files/", 403, None),
        ("/files/deep/", 403, None),
        ("/files/absent/", 404, None),
        ("/rooted/", 200, b"index of rooted"),
        ("/dead", 502, None),
        ("/mute", 504, None),
        ("/close", 502, None),
        ("/big", 502, None),
        ("/..", 400, None),
        ("/%00", 400, None),
        ("/%zz", 400, None),
        ("*", 400, None),
    ],
)
def test_statuses(site: Site, target: str, status: int, content: bytes | None) -> None:
    answer = site.get(target)
    assert answer.status == status
    if content is None:
        assert answer.fields["content-type"] == "text/html"
        assert str(status).encode() in answer.content
    else:
        assert answer.content == content


@pytest.mark.parametrize(
    ("request_octets", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a..b\r\n\r\n", 400),
        (b"get / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400),
        (
            b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            400,
        ),
        (b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"GET /" + b"x" * 2000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX-Long: " + b"x" * 2000 + b"\r\n\r\n", 400),
        (b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS\r\n\r\n", 400),
        (b"POST /plain HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n", 413),
        (b"DELETE /files/page.html HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 405),
        (b"POST /files/page.html HTTP/1.0\r\n\r\n", 405),
        (b"GET / HTTP/1.0\r\n\r\n", 200),
        (b"\r\nGET / HTTP/1.0\n\n", 200),
    ],
)
def test_what_clients_send(site: Site, request_octets: bytes, status: int) -> None:
    assert ask(site.port, request_octets).status == status


def test_a_chunked_content_past_the_limit(site: Site) -> None:
    content = b"65\r\n" + b"x" * 101 + b"\r\n0\r\n\r\n"
    head = b"POST /plain HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert ask(site.port, head + content).status == 413


def test_a_file_with_its_validators(site: Site) -> None:
    answer = site.get("/files/page.html")
    assert (answer.status, answer.content) == (200, b"content of page.html")
    assert answer.fields["content-type"] == "text/html"
    assert answer.fields["accept-ranges"] == "bytes"
    etag, modified = answer.fields["etag"], answer.fields["last-modified"]
    for condition, status in [
        (f"If-None-Match: {etag}", 304),
        (f"If-None-Match: W/{etag}", 304),
        ('If-None-Match: "x"', 200),
        (f"If-Modified-Since: {modified}", 304),
        ("If-Modified-Since: Mon, 28 Sep 1970 06:00:00 GMT", 200),
        ("If-Unmodified-Since: Mon, 28 Sep 1970 06:00:00 GMT", 412),
        (f"If-Unmodified-Since: {modified}", 200),
        ('If-Match: "x"', 412),
        (f"If-Match: {etag}", 200),
    ]:
        assert site.get("/files/page.html", condition).status == status, condition
    fresh = site.get("/files/page.html", f"If-None-Match: {etag}")
    assert fresh.content == b""
    assert fresh.fields["etag"] == etag


@pytest.mark.parametrize(
    ("value", "status", "content", "described"),
    [
        ("bytes=0-6", 206, b"content", "bytes 0-6/20"),
        ("bytes=8-", 206, b"of page.html", "bytes 8-19/20"),
        ("bytes=-4", 206, b"html", "bytes 16-19/20"),
        ("bytes=15-99", 206, b".html", "bytes 15-19/20"),
        ("bytes=-99", 206, b"content of page.html", "bytes 0-19/20"),
        ("bytes=20-", 416, None, "bytes */20"),
        ("bytes=x", 416, None, "bytes */20"),
        ("lines=1-2", 200, b"content of page.html", None),
    ],
)
def test_ranges(
    site: Site, value: str, status: int, content: bytes | None, described: str | None
) -> None:
    answer = site.get("/files/page.html", f"Range: {value}")
    assert (answer.status, answer.fields.get("content-range")) == (status, described)
    if content is not None:
        assert answer.content == content


def test_a_range_of_another_state(site: Site) -> None:
    assert site.get("/files/page.html", "Range: bytes=0-0", 'If-Range: "x"').status == 200


@pytest.mark.parametrize(
    ("target", "media_type"),
    [
        ("/files/page.html", "text/html"),
        ("/files/a%20b.html", "text/html"),
        ("/files/thing.special", "text/x-special"),
        ("/files/nothing", "application/x-default"),
        ("/created", "text/plain"),
    ],
)
def test_media_types(site: Site, target: str, media_type: str) -> None:
    assert site.get(target).fields["content-type"] == media_type


def test_head_has_no_content(site: Site) -> None:
    answer = site.get("/files/page.html", method="HEAD")
    assert (answer.status, answer.fields["content-length"], answer.content) == (200, "20", b"")
    assert site.get("/gone", method="HEAD").content == b""
    assert site.get("/plain", method="HEAD").content == b""


def test_added_fields(site: Site) -> None:
    assert site.get("/created").fields["x-added"] == "for /created"


@pytest.mark.parametrize(
    ("target", "asked"),
    [
        ("/kept/a%20b?c=%20d", "/kept/a%20b?c=%20d"),
        ("/kept//a/../b", "/kept//a/../b"),
        ("/slash/x?y", "/x?y"),
        ("/slash/a%20b%3F", "/a%20b%3F"),
        ("/slash/./z//w", "/z/w"),
        ("/slash/a+b;c", "/a+b;c"),
        ("/noslash/x", "//x"),
        ("/noslash", "/"),
        ("/noslashes", "/es"),
        ("/sub/x", "/app/x"),
        ("/variable/%20?z", "/variable/%20?z"),
        ("/kept/\xc3\xa9", "/kept/\xc3\xa9"),
    ],
)
def test_the_path_that_goes_upstream(site: Site, target: str, asked: str) -> None:
    site.ok.heads.clear()
    octets = f"GET {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode("latin-1")
    assert ask(site.port, octets).content == b"ok"
    assert site.ok.heads[0].split("\r\n")[0] == f"GET {asked} HTTP/1.0"


def test_the_fields_that_go_upstream_by_default(site: Site) -> None:
    site.ok.heads.clear()
    site.get(
        "/plain",
        "Upgrade: websocket",
        "X-Kept: a",
        "X-Kept: b",
        "Keep-Alive: 1",
        "TE: trailers",
        "X_Dropped: 1",
        "Sec-WebSocket-Key: k",
        "Expect: nothing",
    )
    assert site.ok.heads == [
        f"GET /plain HTTP/1.0\r\nHost: 127.0.0.1:{site.ok_port}\r\nConnection: close\r\n"
        "X-Kept: a\r\nX-Kept: b\r\nSec-WebSocket-Key: k"
    ]


def test_the_fields_that_are_set(site: Site) -> None:
    site.ok.heads.clear()
    site.get("/set", "X-Forwarded-For: 1.2.3.4", "X-Empty: x", "Host: First.test:1")
    assert site.ok.heads == [
        "GET /set HTTP/1.1\r\nHost: first.test\r\nX-Forwarded-For: 1.2.3.4, 127.0.0.1"
    ]


@pytest.mark.parametrize(
    ("framing", "content"),
    [
        ("Content-Length: 5", b"hello"),
        ("Transfer-Encoding: chunked", b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
    ],
)
def test_a_content_goes_upstream(site: Site, framing: str, content: bytes) -> None:
    site.ok.heads.clear()
    head = f"POST /plain HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{framing}\r\n\r\n".encode()
    assert ask(site.port, head + content).content == b"ok"
    assert "Content-Length: 5" in site.ok.heads[0].split("\r\n")
    assert "chunked" not in site.ok.heads[0]


def test_what_comes_back(site: Site) -> None:
    answer = site.get("/odd")
    assert (answer.status, answer.content) == (200, b"abcde")
    assert answer.lines.count("X-Two: a") == 1
    assert answer.lines.count("X-Two: b") == 1
    assert answer.fields["location"] == f"http://example.test:{site.port}/x"
    assert "keep-alive" not in answer.fields
    assert "x-accel-buffering" not in answer.fields
    assert answer.fields["server"] != "other"
    assert "backend" in site.get("/plain").fields["x-from"]


def test_an_answer_that_ends_early_is_cut(site: Site) -> None:
    octets = talk(site.port, b"GET /cut HTTP/1.1\r\nHost: h\r\n\r\n")
    assert octets.endswith(b"\r\n\r\nonly this")
    assert site.facts("/cut").startswith("GET /cut HTTP/1.1|200|9|200|")


def test_persistent_and_pipelined_requests(site: Site) -> None:
    one = b"GET /exact HTTP/1.1\r\nHost: h\r\n\r\n"
    last = b"GET /plain HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    octets = talk(site.port, one + one + last)
    assert octets.count(b"HTTP/1.1 200 OK\r\n") == 3
    assert octets.endswith(b"ok")


def test_an_http_1_0_client_is_closed_after_its_answer(site: Site) -> None:
    assert talk(site.port, b"GET /odd HTTP/1.0\r\n\r\n").endswith(b"\r\n\r\nabcde")


def handshake(path: str, *fields: str) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: h", "Upgrade: websocket", "Connection: Upgrade"]
    return "\r\n".join([*lines, "Sec-WebSocket-Version: 13", KEY_FIELD, *fields, "", ""]).encode()


def test_a_tunnel(site: Site) -> None:
    with socket.create_connection(("127.0.0.1", site.port), WAIT_S) as sock:
        sock.sendall(handshake("/ws/tunnel") + b"behind")
        received = read_until(sock, b"early behind")
        assert received.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
        assert b"\r\nConnection: upgrade\r\n" in received
        assert b"\r\nUpgrade: websocket\r\n" in received
        assert b"\r\nX-Tunnel: yes\r\n" in received
        sock.sendall(b"echo me")
        assert read_until(sock, b"echo me") == b"echo me"
        sock.sendall(b"bye")
        assert read_all(sock) == b"bye"
    line = site.facts("/ws/tunnel")
    assert line == f"GET /ws/tunnel HTTP/1.1|101|22|101|127.0.0.1:{site.ws.port}"


def test_without_the_three_lines_no_upgrade_reaches_the_backend(site: Site) -> None:
    site.ws.heads.clear()
    octets = handshake("/lost").replace(b"Connection: Upgrade", b"Connection: Upgrade, close")
    assert ask(site.port, octets).status == 426
    assert "Upgrade" not in site.ws.heads[0]


def test_the_log_of_failures(site: Site) -> None:
    site.get("/dead/log")
    log = site.proxy.wait_log("error.log", "GET /dead/log")
    line = next(line for line in log.splitlines() if "GET /dead/log" in line)
    assert "connect() failed (111: Connection refused) while connecting to upstream" in line
    assert ', client: 127.0.0.1, server: first.test, request: "GET /dead/log HTTP/1.1"' in line
    assert line.endswith('/dead/log", host: "example.test"')
    site.get("/mute/log")
    log = site.proxy.wait_log("error.log", "GET /mute/log")
    assert (
        "upstream timed out (110: Connection timed out) while reading response header from upstream"
    ) in log
    site.get("/close/log")
    log = site.proxy.wait_log("error.log", "GET /close/log")
    assert "upstream prematurely closed connection while reading response header" in log


def test_the_log_of_a_refusal(site: Site) -> None:
    assert site.facts("/dead").split("|")[1] == "502"


def test_a_client_that_leaves_gets_499(site: Site) -> None:
    with socket.create_connection(("127.0.0.1", site.port), WAIT_S) as sock:
        sock.sendall(b"GET /mute/leave HTTP/1.1\r\nHost: h\r\n\r\n")
    assert site.facts("/mute/leave").split("|")[1] == "499"


def test_many_at_once(site: Site) -> None:
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda: answers.append(site.get("/plain").status))
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert answers == [200] * 20
