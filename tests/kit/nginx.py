"""Runs `upwire proxy`, or the real nginx, on a configuration, and talks to it in raw octets."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

import upwire

T = TypeVar("T")

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
WAIT_S = 10.0

KEY_FIELD = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
"""RFC 6455 §1.3's key, and the field that answers it."""
ACCEPT_FIELD = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

_FRAME = """\
user root;
daemon off;
pid proxy.pid;
error_log error.log info;
{main}
events {{
    worker_connections 256;
}}
http {{
    access_log access.log;
    client_body_temp_path temp_body;
    proxy_temp_path temp_proxy;
    fastcgi_temp_path temp_fastcgi;
    uwsgi_temp_path temp_uwsgi;
    scgi_temp_path temp_scgi;
{http}
}}
"""


def is_nginx_there() -> bool:
    """Whether the real nginx can be asked."""
    return os.access(NGINX, os.X_OK)


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def frame_conf(http: str, main: str = "") -> str:
    """Put what a test is about into a whole configuration that needs nothing outside its folder."""
    return _FRAME.format(http=http, main=main)


def upwire_command(*arguments: str) -> list[str]:
    """Return the command that runs `upwire proxy` of the package under test."""
    return [sys.executable, "-W", "error", "-m", "upwire", "proxy", *arguments]


def environment() -> dict[str, str]:
    """Return an environment in which a child imports the very package that this process has."""
    assert upwire.__file__ is not None
    return os.environ | {"PYTHONPATH": str(Path(upwire.__file__).parent.parent)}


@dataclass
class Running:
    """A proxy that runs in a folder, of either kind."""

    kind: str
    folder: Path
    process: subprocess.Popen[bytes]

    def error_log(self) -> str:
        """Return what the error log says so far."""
        return (self.folder / "error.log").read_text("latin-1")

    def access_lines(self) -> list[str]:
        """Return the lines of the access log."""
        return (self.folder / "access.log").read_text("latin-1").splitlines()

    def wait_log(self, name: str, text: str) -> str:
        """Wait until a log has text in it, and return the log."""
        path = self.folder / name

        def find() -> str:
            log = path.read_text("latin-1") if path.exists() else ""
            return log if text in log else ""

        return wait_until(find)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the proxy's first process."""
        self.process.send_signal(number)


@contextmanager
def running(
    kind: str, conf: str, folder: Path, ports: Sequence[int], *arguments: str
) -> Iterator[Running]:
    """Run "upwire" or "nginx" on conf until the block ends; ports are waited for."""
    (folder / "nginx.conf").write_text(conf)
    if kind == "nginx":
        command = [NGINX, "-p", str(folder), "-c", "nginx.conf", "-e", "error.log"]
    else:
        command = upwire_command("-p", str(folder), "-q", *arguments)
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(command, stderr=output, stdout=output, env=environment())
    try:
        for port in ports:
            wait_until(partial(_is_up, process, port))
        assert process.poll() is None, (folder / "output").read_text()
        yield Running(kind, folder, process)
    finally:
        process.terminate()
        process.wait(WAIT_S)


def wait_until(ask: Callable[[], T]) -> T:
    """Return the first true answer; fails after WAIT_S."""
    deadline_s = time.monotonic() + WAIT_S
    while not (answer := ask()):
        assert time.monotonic() < deadline_s, "nothing came of it"
        time.sleep(0.01)
    return answer


def _is_up(process: subprocess.Popen[bytes], port: int) -> bool:
    """Whether there is nothing left to wait for: it listens, or has ended."""
    if process.poll() is not None:
        return True
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


@dataclass(frozen=True)
class Answer:
    """A response as it came; names of fields in lower case, the last of equal ones wins."""

    status: int
    fields: dict[str, str]
    content: bytes
    lines: tuple[str, ...] = ()


def parse_answer(octets: bytes) -> Answer:
    """Take apart what a connection gave until its end; a chunked content is put together."""
    head, _, content = octets.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    if fields.get("transfer-encoding") == "chunked":
        content = _join_chunks(content)
    return Answer(int(first.split()[1]) if first else 0, fields, content, tuple(lines))


def ask(port: int, request: bytes | str) -> Answer:
    """Send a request and read until the server ends the connection."""
    return parse_answer(talk(port, request.encode() if isinstance(request, str) else request))


def get(port: int, target: str, *fields: str, method: str = "GET") -> Answer:
    """Make a plain request, on a connection of its own."""
    lines = [f"{method} {target} HTTP/1.1", *fields]
    if not any(line.lower().startswith("host:") for line in fields):
        lines.append("Host: example.test")
    return ask(port, "\r\n".join([*lines, "Connection: close", "", ""]))


def talk(port: int, octets: bytes) -> bytes:
    """Send octets and return all that comes until the end."""
    with socket.create_connection(("127.0.0.1", port), WAIT_S) as sock:
        sock.sendall(octets)
        return read_all(sock)


def read_all(sock: socket.socket) -> bytes:
    """Read until the other side's end; a reset counts as one."""
    received = bytearray()
    with suppress(ConnectionResetError):
        while octets := sock.recv(65536):
            received += octets
    return bytes(received)


def read_until(sock: socket.socket, end: bytes) -> bytes:
    """Read until what came contains end."""
    received = bytearray()
    while end not in received:
        octets = sock.recv(65536)
        if not octets:
            break
        received += octets
    return bytes(received)


def _join_chunks(octets: bytes) -> bytes:
    content = bytearray()
    rest = octets
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        content += rest[:length]
        rest = rest[length + 2 :]
    return bytes(content)


@dataclass
class Backend:
    """A server of raw octets: script gets each connection's socket and the head that came first.

    heads: what was asked, as text, in the order of arrival. connections: how many were made.
    """

    script: Callable[[socket.socket, bytes], None]
    heads: list[str] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._listener.getsockname()[1]
        return port

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(WAIT_S)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with sock, suppress(OSError):
            sock.settimeout(WAIT_S)
            while octets := read_until(sock, b"\r\n\r\n"):
                self.heads.append(octets.partition(b"\r\n\r\n")[0].decode("latin-1"))
                self.script(sock, octets)


def answer_with(text: str) -> Callable[[socket.socket, bytes], None]:
    """Return a script that gives every request one answer; line ends are put right."""

    def script(sock: socket.socket, request: bytes) -> None:
        head, _, content = text.partition("\n\n")
        sock.sendall((head.replace("\n", "\r\n") + "\r\n\r\n" + content).encode("latin-1"))

    return script


def close_script(sock: socket.socket, _: bytes) -> None:
    """End without an answer."""
    sock.shutdown(socket.SHUT_RDWR)
