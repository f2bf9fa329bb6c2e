"""What `upwire config` writes, on the real nginx and on `upwire proxy`: it loads, and it carries.

UPWIRE_NGINX=/path/to/nginx:/path/to/another adds versions to the nginx that is installed.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kit import nginx
from kit.nginx import (
    ACCEPT_FIELD,
    KEY_FIELD,
    WAIT_S,
    Answer,
    Backend,
    ask,
    free_port,
    get,
    is_nginx_there,
    parse_answer,
    read_until,
    running,
    talk,
)
from kit.tls_files import make_self_signed
from upwire.conf.generate import nginx_conf, site_conf
from upwire.generate.options import ConfigOptions, describe

HOST = "chat.example.com"
_USER = "user root;\n"  # who may read the test's folder
_AROUND = """\
pid /run/nginx.pid;
events {}
http {
    access_log off;
    include *.site.conf;
}
"""
FRAME = bytes.fromhex("8185 37fa213d 7f9f4d5158")  # RFC 6455 §5.7: "Hello", masked
BINARIES = [
    *([nginx.NGINX] if is_nginx_there() else []),
    *filter(None, os.environ.get("UPWIRE_NGINX", "").split(":")),
]
needs_nginx = pytest.mark.skipif(not BINARIES, reason="needs nginx")


def version_of(binary: str) -> str:
    shown = subprocess.run([binary, "-v"], capture_output=True, text=True, check=True).stderr
    found = re.search(r"nginx/(\d+\.\d+)", shown)
    assert found, shown
    return found[1]


def relocate(text: str, folder: Path) -> str:
    """Return a configuration that needs nothing outside a folder."""
    paths = "".join(
        f"{name}_temp_path temp_{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    moved = text.replace("/run/nginx.pid", f"{folder}/nginx.pid")
    moved = moved.replace("/var/log/nginx/", f"{folder}/").replace("http {\n", f"http {{\n{paths}")
    return moved


def echo(sock: socket.socket, head: bytes) -> None:
    """Answer a handshake, and send its frames back as they come; pages get a page."""
    if b"\r\nUpgrade: websocket\r\n" not in head:
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npage")
        return
    sock.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        + ACCEPT_FIELD.encode()
        + b"\r\n\r\n"
    )
    while octets := sock.recv(65536):
        sock.sendall(octets)


@dataclass(frozen=True)
class Site:
    """Where a proxy runs what was written."""

    port: int

    def shake_hands(self, path: str, *fields: str, sock: socket.socket | None = None) -> Answer:
        """Return the answer to a handshake; after a 101, a frame has come back as it was sent."""
        lines = [
            *(f"GET {path} HTTP/1.1", f"Host: {HOST}", "Connection: keep-alive, Upgrade"),
            *("Upgrade: WebSocket", "Sec-WebSocket-Version: 13", KEY_FIELD, *fields, "", ""),
        ]
        with closing(sock or socket.create_connection(("127.0.0.1", self.port), WAIT_S)) as client:
            client.sendall("\r\n".join(lines).encode())
            answer = parse_answer(read_until(client, b"\r\n\r\n"))
            if answer.status == 101:
                client.sendall(FRAME)
                assert read_until(client, FRAME) == FRAME
        return answer

    def connect(self, context: ssl.SSLContext, name: str) -> ssl.SSLSocket:
        """Speak TLS with a name's server."""
        plain = socket.create_connection(("127.0.0.1", self.port), WAIT_S)
        try:
            return context.wrap_socket(plain, server_hostname=name)
        except ssl.SSLError:
            plain.close()
            raise


class Run:
    """Runs what is written for a program, in it."""

    def __init__(self, binary: str, folder: Path) -> None:
        self._binary = binary
        self._folder = folder

    @contextmanager
    def __call__(self, *backends: Backend, **given: Any) -> Iterator[Site]:
        """Run until the block ends. Any: the options' own types."""
        port = free_port()
        is_upwire = self._binary == "upwire"
        options = ConfigOptions(
            host=(HOST,),
            backend=tuple(f"127.0.0.1:{backend.port}" for backend in backends),
            listen=f"127.0.0.1:{port}",
            nginx=None if is_upwire else version_of(self._binary),
            proxy=is_upwire,
            **given,
        )
        text = relocate(nginx_conf(describe(options)), self._folder)
        kind = "upwire" if is_upwire else "nginx"
        with running(kind, f"daemon off;\n{_USER}{text}", self._folder, [port]):
            yield Site(port)

    def log(self) -> str:
        return (self._folder / "access.log").read_text()


@pytest.fixture(params=[*BINARIES, "upwire"])
def run(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(nginx, "NGINX", request.param)
    return Run(request.param, tmp_path)


@pytest.fixture
def backend() -> Iterator[Backend]:
    with Backend(echo) as found:
        yield found


def test_a_websocket_echoes_beside_pages(run: Run, backend: Backend) -> None:
    with run(backend) as site:
        assert site.shake_hands("/any?token=1").status == 101
        request, *head = backend.heads[-1].split("\r\n")
        assert request == "GET /any?token=1 HTTP/1.1"
        assert {"Upgrade: websocket", "Connection: upgrade", f"Host: {HOST}"} <= set(head)
        assert {"X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http"} <= set(head)
        assert get(site.port, "/", f"Host: {HOST}").content == b"page"
        assert "upgrade" not in backend.heads[-1].lower()
        assert talk(site.port, b"GET / HTTP/1.1\r\nHost: else.example\r\n\r\n") == b""
    assert '"GET /any" 101 ' in run.log()


@pytest.mark.parametrize(
    ("request_line", "fields"),
    [
        ("GET / HTTP/1.1", "Upgrade: h2c\r\nConnection: Upgrade, close"),
        ("POST / HTTP/1.1", "Upgrade: websocket\r\nConnection: Upgrade, close"),
        ("GET / HTTP/1.0", "Upgrade: websocket\r\nConnection: Upgrade"),
    ],
)
def test_nothing_else_is_switched_to(
    run: Run, backend: Backend, request_line: str, fields: str
) -> None:
    with run(backend) as site:
        answer = ask(site.port, f"{request_line}\r\nHost: {HOST}\r\n{fields}\r\n\r\n")
    assert answer.content == b"page"
    assert "upgrade" not in backend.heads[-1].lower()


def test_origins_rates_and_files(run: Run, backend: Backend, tmp_path: Path) -> None:
    files = tmp_path / "my site"
    files.mkdir()
    (files / "index.html").write_text("<p>hello")
    with run(
        backend, path="/ws/", static=str(files), rate="1r/m", origin=("https://Chat.example.com",)
    ) as site:
        assert site.shake_hands("/ws", "Origin: https://evil.example").status == 403
        assert site.shake_hands("/ws", "Origin: https://chat.example.com").status == 101
        index = get(site.port, "/", f"Host: {HOST}", "Origin: https://evil.example")
        assert (index.status, index.fields["content-type"]) == (200, "text/html")
        assert get(site.port, "/none", f"Host: {HOST}").status == 404
        statuses = [site.shake_hands("/ws/room").status for _ in range(21)]
        assert statuses == [101] * 20 + [429]
        assert get(site.port, "/ws", f"Host: {HOST}").content == b"page"


def test_tls_and_a_cookie_that_leads_back(run: Run, backend: Backend, tmp_path: Path) -> None:
    make_self_signed(HOST).write(tmp_path, "chat")
    tls = (f"{tmp_path}/chat.crt", f"{tmp_path}/chat.key")
    context = ssl.create_default_context(cafile=tls[0])
    context.check_hostname = False  # it has its name in the subject only
    with Backend(echo) as second, run(backend, second, tls=tls, hsts=True, sticky=True) as site:
        first = site.shake_hands("/", sock=site.connect(context, HOST))
        assert first.fields["strict-transport-security"] == "max-age=31536000"
        cookie = first.fields["set-cookie"].partition(";")[0]
        chosen = backend if backend.heads else second
        for _ in range(5):
            sock = site.connect(context, HOST)
            assert site.shake_hands("/", f"Cookie: {cookie}", sock=sock).status == 101
        assert len(chosen.heads) == 6
        with pytest.raises(ssl.SSLError):
            site.connect(context, "else.example")


NGINX_SITES: tuple[dict[str, Any], ...] = (
    {},
    {"path": "/ws", "static": "/srv/my site", "rate": "5", "ipv6": True},
    {"hsts": True, "sticky": True, "idle": "2h", "ipv6": True, "origin": ("https://a.example",)},
    {"backend": ("127.0.0.1:1", "[::1]:2", "unix:/run/my app.sock"), "sticky": True},
    {"backend": ("chat.invalid:1",), "resolver": "127.0.0.53"},
    {"host": ("*.example.com", "a" * 60 + ".example"), "origin": ("https://" + "b" * 60 + ".c",)},
)


@needs_nginx
@pytest.mark.parametrize("binary", BINARIES)
@pytest.mark.parametrize("given", NGINX_SITES)
@pytest.mark.parametrize("is_known", [True, False])
def test_nginx_loads_it_without_a_warning(
    binary: str, given: dict[str, Any], is_known: bool, tmp_path: Path
) -> None:
    version = version_of(binary)
    if "resolver" in given and (not is_known or float(version) < 1.27):
        pytest.skip("cannot resolve while it runs")
    make_self_signed(HOST).write(tmp_path, "chat")
    plain = {"host": (HOST,), "backend": ("127.0.0.1:8080",)}
    options = ConfigOptions(
        **(plain | given),
        tls=(f"{tmp_path}/chat.crt", f"{tmp_path}/chat.key"),
        nginx=version if is_known else None,
    )
    deployment = describe(options)
    (tmp_path / "the.site.conf").write_text(relocate(site_conf(deployment), tmp_path))
    for text in (nginx_conf(deployment), _AROUND):
        conf = tmp_path / "nginx.conf"
        conf.write_text(relocate(text, tmp_path))
        assert_loads(binary, conf)


def assert_loads(binary: str, conf: Path) -> None:
    """Ask nginx -t, which says two lines where all is well."""
    command = [binary, "-t", "-c", str(conf), "-e", f"{conf.parent}/error.log"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (told.returncode, len(told.stderr.splitlines())) == (0, 2), told.stderr


@needs_nginx
def test_two_sites_do_not_share_a_name(tmp_path: Path) -> None:
    for host in (HOST, "game.example.com"):
        options = ConfigOptions(host=(host,), backend=("127.0.0.1:8080",), rate="5", sticky=True)
        (tmp_path / f"{host}.site.conf").write_text(
            relocate(site_conf(describe(options)), tmp_path)
        )
    conf = tmp_path / "nginx.conf"
    conf.write_text(relocate(_AROUND, tmp_path))
    assert_loads(BINARIES[0], conf)
