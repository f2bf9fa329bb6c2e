"""Faults staged on the real nginx, each of which `upwire probe` must name."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import pytest

from kit.certificates import make_certificates
from kit.nginx import (
    KEY_FIELD,
    NGINX,
    Backend,
    answer_with,
    environment,
    frame_conf,
    free_port,
    is_nginx_there,
    running,
)
from upwire.conf.audit.finding import Severity
from upwire.probe.blame import place
from upwire.probe.command import main
from upwire.probe.echo_backend import echo_backend
from upwire.probe.evidence import Evidence, Finding
from upwire.probe.gathering import Step, gather
from upwire.probe.hops import Budget
from upwire.probe.options import ProbeOptions
from upwire.probe.verdicts import judge
from upwire.wire.handshake import compute_accept
from upwire.wire.websocket import Connection, Message, Role, State

pytestmark = pytest.mark.skipif(not is_nginx_there(), reason="the real nginx is not installed")

WAIT_S = 10.0
NEW_NGINX = Path(os.environ.get("UPWIRE_NEW_NGINX", "/opt/nginx-new/sbin/nginx"))
MAP = "map $http_upgrade $connection_upgrade { default upgrade; '' ''; }"
UPGRADE = "proxy_set_header Upgrade $http_upgrade;"
CONNECTION = "proxy_set_header Connection $connection_upgrade;"
HOST = "proxy_set_header Host $http_host;"
VERSION = "proxy_http_version 1.1;"
RIGHT = f"{VERSION} {UPGRADE} {CONNECTION} {HOST}"
KEY = re.compile(rb"sec-websocket-key: *([^\r]+)", re.I)


@dataclass(frozen=True)
class Staged:
    """A fault: what stands in the server and in http, where BACKEND is the backend's address.

    option: what the prober is told. is_compared: it knows the backend.
    """

    fault: str
    server: str
    http: str = MAP
    path: str = "/ws"
    is_compared: bool = False
    parallel: int = 1
    idle: float | None = None
    main: str = ""


def location(lines: str, *, where: str = "/ws", uri: str = "") -> str:
    return f"location {where} {{ proxy_pass http://BACKEND{uri}; {lines} }}"


STAGED = [
    Staged("F01", location("")),
    Staged("F01", location(""), is_compared=True),
    Staged("F02", location(f"{VERSION} {UPGRADE} {HOST}")),
    Staged("F02", location(f"{VERSION} {CONNECTION} {HOST}")),
    Staged("F03", location(f"proxy_http_version 1.0; {UPGRADE} {CONNECTION} {HOST}")),
    Staged(
        "F04",
        f"{RIGHT} {location('proxy_set_header X-Own 1;')} {location('', where='/')}",
    ),
    Staged("F05", location(f"{VERSION} {UPGRADE} proxy_set_header Connection upgrade; {HOST}")),
    Staged("F06", location(f"{VERSION} proxy_set_header Upgrade websocket; {CONNECTION} {HOST}")),
    Staged(
        "F07",
        location(RIGHT),
        "map $http_upgrade $connection_upgrade { default upgrade; '' close; }",
    ),
    Staged(
        "F09",
        location(f"{VERSION} {UPGRADE} proxy_set_header Connection $http_connection; {HOST}"),
    ),
    Staged("F10", location(f"{RIGHT} proxy_set_header Connection keep-alive;")),
    Staged("F10", location(f"{RIGHT} proxy_set_header Host other;")),
    Staged("F12", location(RIGHT)),
    Staged("F13", location(f'{RIGHT} proxy_set_header Sec-WebSocket-Protocol "";')),
    Staged("F13", location(f"{RIGHT} proxy_hide_header Sec-WebSocket-Extensions;")),
    Staged("F14", location(RIGHT)),
    Staged("F20 F21", location(f"{RIGHT} proxy_read_timeout 600ms;"), idle=1.2),
    Staged("F30", location(RIGHT, where="/s", uri="/"), path="/s/x"),
    Staged("F30", location(RIGHT, where="/s/", uri="/"), path="/s/x"),
    Staged("F31", location(RIGHT, where="/chat/"), path="/chat"),
    Staged("F31", location(RIGHT, where="/chat/"), path="/chat/"),
    Staged("F32", "return 301 https://$host$request_uri;"),
    Staged(
        "F33",
        f"{location(RIGHT, where='/rx/')} location ~* \\.(json|js)$ {{ root html; }}",
        path="/rx/feed.json",
    ),
    Staged("F35", 'location / { default_type text/html; return 200 "<html></html>"; }'),
    Staged(
        "F36",
        f"set $name localhost:1; location /ws {{ proxy_pass http://$name; {RIGHT} }}",
    ),
    Staged(
        "F36",
        f"set $addr BACKEND; location /ws {{ proxy_pass http://$addr$uri; {RIGHT} }}",
    ),
    Staged("F39", location(f'if ($http_upgrade != "websocket") {{ return 404; }} {RIGHT}')),
    Staged("F50", location(f"{VERSION} {UPGRADE} {CONNECTION}")),
    Staged("F51", location(f"{VERSION} {UPGRADE} {CONNECTION} proxy_set_header Host $host;")),
    Staged("F52", location(f'{RIGHT} proxy_set_header Origin "";')),
    Staged("F55", location(f"{RIGHT} auth_basic x; auth_basic_user_file /dev/null;")),
    Staged(
        "F56",
        f"{RIGHT} {location('auth_request /auth;')} "
        "location = /auth { internal; proxy_pass http://BACKEND; }",
    ),
    Staged("F60", location(f"{RIGHT} deny all;")),
    Staged("F61", location(RIGHT)),
    Staged("F62", location(f"{RIGHT} proxy_buffer_size 4k;")),
    Staged(
        "F63",
        f"error_page 400 426 =200 /f; {location('proxy_intercept_errors on;')}"
        ' location = /f { return 200 "fallback"; }',
    ),
    Staged(
        "F63",
        f"error_page 400 426 =200 /f; {location(f'{RIGHT} proxy_intercept_errors on;')}"
        ' location = /f { return 200 "fallback"; }',
    ),
    Staged(
        "F58",
        location(f"{RIGHT} limit_conn here 2;"),
        f"{MAP} limit_conn_zone $server_port zone=here:1m;",
        parallel=4,
    ),
    Staged(
        "F59",
        location(f"{RIGHT} limit_req zone=here;"),
        f"{MAP} limit_req_zone $server_port zone=here:1m rate=1r/s;",
        parallel=4,
    ),
    Staged("F70", location(RIGHT), parallel=12, main="worker_connections 12;"),
    Staged(
        "F79",
        location(f"{RIGHT} proxy_cache here; proxy_cache_lock on; proxy_cache_key $uri;"),
        f"{MAP} proxy_cache_path cache keys_zone=here:1m;",
        parallel=4,
    ),
    Staged("F84", location(f"{RIGHT} add_header X-Served-By edge;")),
]


@contextlib.contextmanager
def echo_port() -> Iterator[int]:
    """Run the prober's own backend in a thread: the strict one."""
    port: Future[int] = Future()
    end: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        event = asyncio.Event()
        end.set_result((asyncio.get_running_loop(), event))
        async with echo_backend("127.0.0.1", 0) as bound:
            port.set_result(bound)
            await event.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        yield port.result(WAIT_S)
    finally:
        loop, event = end.result(WAIT_S)
        loop.call_soon_threadsafe(event.set)
        thread.join(WAIT_S)


def probe(url: str, **given: object) -> tuple[Evidence, list[Finding]]:
    options = ProbeOptions(url=url, **{"timeout": 2.0, "parallel": 1} | given)  # type: ignore[arg-type]  # as the case says
    evidence = asyncio.run(gather(options, Budget(options.connections_max), lambda _: None))
    return evidence, judge(evidence)


def faults(findings: list[Finding]) -> set[str]:
    return {finding.fault for finding in findings}


def conf_of(staged: Staged, port: int, backend: int) -> str:
    server = staged.server.replace("BACKEND", f"127.0.0.1:{backend}")
    conf = frame_conf(f"{staged.http} server {{ listen 127.0.0.1:{port}; {server} }}")
    return conf.replace("worker_connections 256;", staged.main or "worker_connections 256;")


@pytest.mark.parametrize("staged", STAGED, ids=lambda staged: staged.fault)
def test_a_staged_fault_is_named(staged: Staged, tmp_path: Path) -> None:
    port = free_port()
    with echo_port() as backend:
        conf = conf_of(staged, port, backend)
        with running("nginx", conf, tmp_path, [port]):
            _, findings = probe(
                f"ws://127.0.0.1:{port}{staged.path}",
                backend=f"127.0.0.1:{backend}" if staged.is_compared else None,
                parallel=staged.parallel,
                idle=staged.idle,
            )
    assert set(staged.fault.split()) <= faults(findings), findings


def lenient(sock: socket.socket, octets: bytes) -> None:
    """Answer 101 to whatever comes, then echo; a long message when the client has ended."""
    found = KEY.search(octets)
    key = found[1].decode() if found else ""
    asked = re.search(rb"upgrade: *([^\r]+)", octets, re.I)
    protocol = asked[1].decode().lower() if asked else "websocket"
    sock.sendall(
        f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: {protocol}\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {compute_accept(key)}\r\n\r\n".encode()
    )
    connection = Connection(Role.SERVER, random_octets=lambda _: b"")
    late: list[str | bytes] = []
    while connection.state is State.OPEN and (received := sock.recv(65536)):
        connection.feed(received)
        while (event := connection.next_event()) is not None:
            if isinstance(event, Message) and len(event.data) > 1000:
                late.append(event.data)
            elif isinstance(event, Message):
                connection.send_message(event.data)
        sock.sendall(connection.take_output())
    if connection.state is State.OPEN:
        for message in late:
            connection.send_message(message)
        sock.sendall(connection.take_output())
    sock.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with contextlib.ExitStack() as stack:
        yield Site(tmp_path, stack)


@dataclass
class Site:
    """Runs the real nginx in front of a backend."""

    folder: Path
    stack: contextlib.ExitStack

    def run(self, server: str, backend: int, http: str = MAP) -> str:
        """Return the URL of the WebSocket."""
        port = free_port()
        staged = Staged("", server, http)
        conf = conf_of(staged, port, backend)
        self.stack.enter_context(running("nginx", conf, self.folder, [port]))
        return f"ws://127.0.0.1:{port}/ws"

    def strict(self) -> int:
        """Return the port of a backend that shows what arrives."""
        return self.stack.enter_context(echo_port())

    def scripted(self, script: Callable[[socket.socket, bytes], None]) -> int:
        """Return the port of a backend that does what a script says."""
        return self.stack.enter_context(Backend(script)).port


def test_a_right_configuration_gives_nothing_above_a_note(site: Site) -> None:
    backend = site.strict()
    url = site.run(location(RIGHT), backend)
    evidence, findings = probe(url, backend=f"127.0.0.1:{backend}", parallel=4, idle=0.2)
    assert {one.severity for one in findings} <= {Severity.NOTE}, findings
    assert evidence.base.is_open
    assert evidence.talk.echoes_text
    assert evidence.talk.echoes_binary
    assert evidence.talk.ping_s is not None
    assert evidence.idle is not None


def test_a_right_map_lets_no_other_protocol_through(site: Site) -> None:
    only = "map $http_upgrade $websocket { default ''; ~*^websocket$ websocket; }"
    lines = f"{VERSION} proxy_set_header Upgrade $websocket; {CONNECTION} {HOST}"
    _, findings = probe(site.run(location(lines), site.strict(), f"{MAP} {only}"))
    assert not {"F12", "F06"} & faults(findings)


def test_a_lenient_backend_hides_the_lost_version(site: Site) -> None:
    lines = f"proxy_http_version 1.0; {UPGRADE} {CONNECTION} {HOST}"
    _, findings = probe(site.run(location(lines), site.scripted(lenient)))
    assert "F03" not in faults(findings)


def test_a_lenient_backend_shows_what_nginx_lets_through(site: Site) -> None:
    evidence, findings = probe(site.run(location(RIGHT), site.scripted(lenient)))
    severities = {finding.fault: finding.severity for finding in findings}
    assert severities["F12"] is Severity.SECURITY
    assert severities["F11"] is Severity.NOTE
    assert evidence.talk.outlives_half_close is False
    assert "F27" in severities


def test_a_plain_get_hangs_behind_a_literal_upgrade(site: Site) -> None:
    lines = f"{VERSION} proxy_set_header Upgrade websocket; {CONNECTION} {HOST}"
    _, findings = probe(site.run(location(lines), site.scripted(lenient)), timeout=0.5)
    assert "F06" in faults(findings)


@pytest.mark.parametrize(
    ("refusal", "fault"),
    [
        ("HTTP/1.1 400 Bad Request\n\nmissing Connection header", "F02"),
        ("HTTP/1.1 400 Bad Request\n\nunsupported protocol; expected HTTP/1.1", "F03"),
        ("HTTP/1.1 426 Upgrade Required\nContent-Length: 0\n\n", "F01"),
        ("HTTP/1.1 403 Forbidden\nContent-Length: 0\n\n", "F50"),
        ("HTTP/1.1 404 Not Found\nContent-Length: 0\n\n", ""),
    ],
)
def test_a_backend_s_own_words_are_read(site: Site, refusal: str, fault: str) -> None:
    def script(sock: socket.socket, octets: bytes) -> None:
        answer_with(refusal)(sock, octets)
        sock.shutdown(socket.SHUT_RDWR)

    _, findings = probe(site.run(location(""), site.scripted(script)))
    assert findings[0].fault == fault
    assert findings[0].severity is Severity.ERROR


def test_the_address_that_refuses_the_origin_is_told_from_the_application(site: Site) -> None:
    def script(sock: socket.socket, octets: bytes) -> None:
        host = re.search(rb"\r\nhost: *([^\r]+)", octets, re.I)
        origin = re.search(rb"\r\norigin: *http://([^\r]+)", octets, re.I)
        if origin and host and origin[1] != host[1]:
            answer_with("HTTP/1.1 403 Forbidden\nContent-Length: 0\n\n")(sock, octets)
        else:
            lenient(sock, octets)

    lines = f"{VERSION} {UPGRADE} {CONNECTION} proxy_set_header Host $host;"
    _, findings = probe(site.run(location(lines), site.scripted(script)))
    assert findings[0].fault == "F51"


def test_a_large_answer_of_the_backend_is_told_from_a_dead_one(site: Site) -> None:
    def script(sock: socket.socket, octets: bytes) -> None:
        found = KEY.search(octets)
        accept = compute_accept(found[1].decode()) if found else ""
        fields = f"Upgrade: websocket\nConnection: Upgrade\nSet-Cookie: {'x' * 5000}"
        head = f"HTTP/1.1 101 Switching\n{fields}"
        answer_with(f"{head}\nSec-WebSocket-Accept: {accept}\n\n")(sock, octets)
        sock.shutdown(socket.SHUT_RDWR)

    backend = site.scripted(script)
    _, findings = probe(site.run(location(RIGHT), backend), backend=f"127.0.0.1:{backend}")
    assert findings[0].fault == "F62"
    assert findings[0].severity is Severity.ERROR


def test_a_proxy_protocol_in_front_is_found(site: Site) -> None:
    port, backend = free_port(), site.strict()
    server = location(RIGHT).replace("BACKEND", f"127.0.0.1:{backend}")
    conf = frame_conf(f"{MAP} server {{ listen 127.0.0.1:{port} proxy_protocol; {server} }}")
    site.stack.enter_context(running("nginx", conf, site.folder, [port]))
    _, findings = probe(f"ws://127.0.0.1:{port}/ws")
    assert findings[0].fault == "F54"


def test_plain_http_at_a_tls_port_is_found(site: Site) -> None:
    files = make_certificates(site.folder)
    port, backend = free_port(), site.strict()
    server = location(RIGHT).replace("BACKEND", f"127.0.0.1:{backend}")
    conf = frame_conf(
        f"{MAP} server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {files.certificate_file}; "
        f"ssl_certificate_key {files.key_file}; {server} }}"
    )
    site.stack.enter_context(running("nginx", conf, site.folder, [port]))
    _, findings = probe(f"ws://127.0.0.1:{port}/ws")
    assert findings[0].fault == "F80"
    evidence, findings = probe(f"wss://127.0.0.1:{port}/ws")
    assert evidence.base.is_open
    assert findings[0].message.startswith("the certificate is refused: unable to get")
    assert "F53" in faults(findings)
    assert evidence.tls is not None
    assert evidence.tls.version.startswith("TLSv1.")


def test_the_configuration_tells_where_and_why(site: Site) -> None:
    server = (
        f"location /ws {{ proxy_read_timeout 30s; {RIGHT} try_files /none @app; }} "
        f"location @app {{ proxy_pass http://BACKEND; {RIGHT} proxy_read_timeout 400ms; }}"
    )
    _, findings = probe(site.run(server, site.strict()), idle=0.8)
    (cut,) = (one for one in findings if one.fault == "F20")
    placed, *_ = place([cut], str(site.folder / "nginx.conf"), (1, 22, 1))
    assert any(one.fault == "F22" and one.line > 0 for one in placed.places), placed


@pytest.mark.parametrize("is_broken", [False, True])
def test_the_command_prints_what_it_found(site: Site, is_broken: bool) -> None:
    backend = site.strict()
    url = site.run(location("" if is_broken else RIGHT), backend)
    command = [sys.executable, "-W", "error", "-m", "upwire", "probe", url, "--parallel", "2"]
    command += ["--conf", str(site.folder / "nginx.conf"), "--backend", f"127.0.0.1:{backend}"]
    ran = subprocess.run(
        command, capture_output=True, text=True, env=environment(), timeout=30, check=False
    )
    assert ran.stderr == ""
    assert ran.returncode == (1 if is_broken else 0), ran.stdout
    assert ("error[F01]" in ran.stdout) is is_broken
    assert ("nginx.conf:16: F01" in ran.stdout) is is_broken
    assert ("nginx.conf:16). map" in ran.stdout) is not is_broken  # the note on F12
    told = subprocess.run(
        [*command, "--json"],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=30,
        check=False,
    )
    numbers = {finding["fault"] for finding in json.loads(told.stdout)["findings"]}
    assert ("F01" in numbers) is is_broken


@pytest.mark.skipif(not NEW_NGINX.exists(), reason="the newest nginx is not installed")
@pytest.mark.parametrize(("lines", "fault"), [("", "F01"), (f"{UPGRADE} {HOST}", "F02")])
def test_the_newest_nginx_is_named_too(
    site: Site, lines: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kit.nginx.NGINX", str(NEW_NGINX))
    evidence, findings = probe(site.run(location(lines), site.strict()))
    assert fault in faults(findings)
    seen = evidence.seen("handshake")
    assert seen is not None
    assert seen.version == (1, 1)


def test_another_timeout_that_was_raised_is_found_in_the_file(site: Site) -> None:
    # nginx's own minute is too long for a test: the probe's part is what it makes of the silence.
    raised = f"{RIGHT} proxy_send_timeout 1h; send_timeout 1h;"
    url = site.run(location(f"{raised} proxy_read_timeout 400ms;"), site.strict())
    _, findings = probe(url, idle=0.8)
    (cut,) = (one for one in findings if one.fault == "F20")
    conf = site.folder / "nginx.conf"
    conf.write_text(conf.read_text().replace("proxy_read_timeout 400ms;", ""))
    placed, *_ = place([cut], str(conf), (1, 22, 1))
    assert [one.fault for one in placed.places] == ["F23"]


def unseen(site: Site, url: str) -> set[str]:
    """Return what a probe of a right endpoint tells of its file."""
    _, findings = probe(url)
    placed = place(findings, str(site.folder / "nginx.conf"), (1, 22, 1))
    return {note.fault for note in placed if note.message.startswith("only the file")}


def open_tunnel(url: str) -> socket.socket:
    """Open a WebSocket by hand."""
    _, _, authority, path = url.split("/")
    host, _, port = authority.partition(":")
    sock = socket.create_connection((host, int(port)), WAIT_S)
    fields = f"Host: {authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{KEY_FIELD}\r\n"
    sock.sendall(f"GET /{path} HTTP/1.1\r\n{fields}Sec-WebSocket-Version: 13\r\n\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += sock.recv(1)
    assert head.startswith(b"HTTP/1.1 101 ")
    return sock


def is_echoed(sock: socket.socket, text: str) -> bool:
    """Whether a text message comes back, behind what the backend says of itself."""
    connection = Connection(Role.CLIENT, random_octets=os.urandom)
    connection.send_message(text)
    sock.sendall(connection.take_output())
    while octets := sock.recv(65536):
        connection.feed(octets)
        while (event := connection.next_event()) is not None:
            if isinstance(event, Message) and event.data == text:
                return True
    return False


def test_a_tunnel_that_outlives_a_reload_is_told_of_by_the_file(site: Site) -> None:
    port, backend = free_port(), site.strict()
    server = location(RIGHT).replace("BACKEND", f"127.0.0.1:{backend}")
    conf = frame_conf(
        f"{MAP} server {{ listen 127.0.0.1:{port}; {server} }}", main="master_process on;"
    )
    nginx = site.stack.enter_context(running("nginx", conf, site.folder, [port]))
    url = f"ws://127.0.0.1:{port}/ws"
    with open_tunnel(url) as tunnel:
        nginx.signal(signal.SIGHUP)
        nginx.wait_log("error.log", "gracefully shutting down")
        assert is_echoed(tunnel, "still here")
        assert "F25" in unseen(site, url)


def test_a_method_behind_keepalive_is_told_of_by_the_file(site: Site) -> None:
    backend = site.strict()
    peers = f"upstream app {{ server 127.0.0.1:{backend}; keepalive 4; least_conn; }}"
    url = site.run(f"location /ws {{ proxy_pass http://app; {RIGHT} }}", backend, f"{MAP} {peers}")
    assert "load balancing method redefined" in (site.folder / "output").read_text()
    assert "F77" in unseen(site, url)


def test_a_limit_that_does_nothing_in_a_tunnel_is_told_of_by_the_file(site: Site) -> None:
    url = site.run(location(f"{RIGHT} client_max_body_size 1k;"), site.strict())
    with open_tunnel(url) as tunnel:
        assert is_echoed(tunnel, "x" * 200_000)
    assert "F85" in unseen(site, url)


def test_tunnels_without_a_log_are_told_of_by_the_file(site: Site) -> None:
    server = f"{location(f'{RIGHT} access_log off;')} location / {{ return 204; }}"
    url = site.run(server, site.strict())
    open_tunnel(url).close()
    with socket.create_connection(("127.0.0.1", int(url.split(":")[2].split("/")[0]))) as sock:
        sock.sendall(b"GET /logged HTTP/1.0\r\n\r\n")
        assert sock.recv(12) == b"HTTP/1.1 204"
    assert "F86" in unseen(site, url)
    log = (site.folder / "access.log").read_text()
    assert "/logged" in log
    assert '" 101 ' not in log


def test_a_reload_that_cuts_all_tunnels_is_told_from_silence(site: Site) -> None:
    port, backend = free_port(), site.strict()
    server = location(RIGHT).replace("BACKEND", f"127.0.0.1:{backend}")
    http = f"{MAP} server {{ listen 127.0.0.1:{port}; {server} }}"
    conf = frame_conf(http, main="master_process on; worker_shutdown_timeout 200ms;")
    nginx = site.stack.enter_context(running("nginx", conf, site.folder, [port]))
    loop_options = ProbeOptions(url=f"ws://127.0.0.1:{port}/ws", parallel=1, idle=2.0)

    def tell(step: Step) -> None:
        if step.title == "idle" and step.is_right is None:
            timer.start()

    timer = threading.Timer(0.8, nginx.process.send_signal, (signal.SIGHUP,))
    evidence = asyncio.run(gather(loop_options, Budget(loop_options.connections_max), tell))
    timer.join(WAIT_S)
    assert "F26" in faults(judge(evidence)), evidence.idle


@pytest.mark.parametrize(
    ("fault", "server"),
    [
        ("F08", location(f"{VERSION} {UPGRADE} proxy_set_header Connection $connection_upgrad;")),
        ("F37", location(RIGHT, where="~ ^/ws", uri="/x")),
        ("F38", f"location /ws {{ proxy_pass ws://BACKEND; {RIGHT} }}"),
        ("F40", f"location /ws {{ proxy_pass http://name.invalid:8080; {RIGHT} }}"),
        ("F87", location(f"{RIGHT} proxy_response_buffering off;")),
    ],
)
def test_an_nginx_that_does_not_start_is_explained(
    fault: str, server: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    conf = tmp_path / "nginx.conf"
    conf.write_text(conf_of(Staged(fault, server), port, free_port()))
    checked = [NGINX, "-t", "-p", str(tmp_path), "-c", "nginx.conf", "-e", "error.log"]
    assert subprocess.run(checked, env=environment(), check=False).returncode == 1
    capfd.readouterr()
    assert main(ProbeOptions(url=f"ws://127.0.0.1:{port}/ws", conf=str(conf))) == 2
    assert f": {fault}: " in capfd.readouterr().err
