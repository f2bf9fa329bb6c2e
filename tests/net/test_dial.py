from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kit.certificates import Certificates, make_certificates
from upwire.errors import ConnectError
from upwire.net import dial as module
from upwire.net.dial import dial
from upwire.net.listener import Listener
from upwire.net.stream import Stream
from upwire.net.tls import client_context, server_context

DEADLINE_S = 5


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


async def greet(stream: Stream) -> None:
    stream.write(b"hello")
    await stream.drain()


@asynccontextmanager
async def greeting(
    *, unix: str | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """A server that greets; gives its port."""
    async with Listener(greet, tls=tls) as listener:
        if unix is not None:
            listener.bind_unix(unix)
            yield 0
        else:
            listener.bind("127.0.0.1", 0)
            yield listener.addresses[0][1]  # type: ignore[misc]  # of TCP: never a path


async def greeted(dialling: Coroutine[Any, Any, Stream]) -> Stream:
    """Take the greeting, close, and return what was dialled."""
    stream = await dialling
    assert await stream.read(timeout_s=DEADLINE_S) == b"hello"
    stream.close()
    await stream.wait_closed()
    return stream


@pytest.mark.parametrize(
    ("host", "table"),
    [
        ("127.0.0.1", None),
        ("localhost", {}),
        ("Backend", {"backend": "127.0.0.1"}),
        ("backend", {"backend": "[127.0.0.1]"}),
    ],
)
def test_hosts(host: str, table: dict[str, str] | None) -> None:
    async def main() -> None:
        async with greeting() as port:
            stream = await greeted(dial(host, port, timeout_s=DEADLINE_S, resolve=table))
            assert stream.peer_address == ("127.0.0.1", port)

    asyncio.run(main())


def test_the_address_to_connect_from() -> None:
    async def main() -> None:
        async with greeting() as port:
            dialling = dial("127.0.0.1", port, timeout_s=DEADLINE_S, local_address="127.0.0.2")
            assert (await greeted(dialling)).local_address[0] == "127.0.0.2"

    asyncio.run(main())


def test_unix_sockets(tmp_path: Path) -> None:
    async def main() -> None:
        path = str(tmp_path / "app.sock")
        async with greeting(unix=path):
            stream = await greeted(
                dial("", 0, unix=path, timeout_s=DEADLINE_S, local_address="127.0.0.2")
            )
            assert stream.peer_address == path
        with pytest.raises(ConnectError, match="No such file or directory") as caught:
            await dial("", 0, unix=path, timeout_s=DEADLINE_S)
        assert caught.value.address == f"unix:{path}"

    asyncio.run(main())


def test_tls(certificates: Certificates) -> None:
    async def main() -> None:
        server = server_context(certificates.certificate_file, certificates.key_file)
        client = client_context(ca_file=certificates.authority_file)
        async with greeting(tls=server) as port:
            stream = await greeted(dial("localhost", port, tls=client, timeout_s=DEADLINE_S))
            assert stream.tls is not None
            await greeted(
                dial(
                    "backend",
                    port,
                    tls=client,
                    server_hostname="localhost",
                    timeout_s=DEADLINE_S,
                    resolve={"backend": "127.0.0.1"},
                )
            )
            with pytest.raises(ConnectError) as caught:
                await dial("127.0.0.1", port, tls=client_context(), timeout_s=DEADLINE_S)
        assert caught.value.phase == "TLS handshake"
        assert caught.value.address == f"127.0.0.1:{port}"
        assert not caught.value.is_timeout
        assert str(caught.value) == (
            f"TLS handshake with 127.0.0.1:{port}: certificate verify failed: "
            "unable to get local issuer certificate"
        )
        assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)

    asyncio.run(main())


@pytest.mark.parametrize("turns", range(12))
def test_cancelling_tls_closes_no_descriptor_of_another(
    certificates: Certificates, turns: int
) -> None:
    async def main() -> None:
        server = server_context(certificates.certificate_file, certificates.key_file)
        client = client_context(ca_file=certificates.authority_file)
        async with greeting(tls=server) as port:
            dialling = asyncio.create_task(
                dial("127.0.0.1", port, tls=client, timeout_s=DEADLINE_S)
            )
            for _ in range(turns):
                await asyncio.sleep(0)
            dialling.cancel()
            await asyncio.wait([dialling])
            await greeted(dial("127.0.0.1", port, tls=client, timeout_s=DEADLINE_S))

    asyncio.run(main())


def test_tls_to_a_server_without() -> None:
    async def main() -> None:
        async with greeting() as port:
            with pytest.raises(ConnectError, match="TLS handshake"):
                await dial("127.0.0.1", port, tls=client_context(), timeout_s=DEADLINE_S)
            with pytest.raises(ConnectError, match="not a host name"):
                await dial(
                    "127.0.0.1",
                    port,
                    tls=client_context(),
                    server_hostname="a" * 64,
                    timeout_s=DEADLINE_S,
                )

    asyncio.run(main())


@asynccontextmanager
async def silence() -> AsyncIterator[int]:
    """A port whose connections are never accepted."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_the_deadline_holds_for_tls() -> None:
    async def main() -> None:
        async with silence() as port:
            with pytest.raises(ConnectError, match=r"timed out after 0.05 s") as caught:
                await dial("127.0.0.1", port, tls=client_context(), timeout_s=0.05)
        assert (caught.value.phase, caught.value.is_timeout) == ("TLS handshake", True)

    asyncio.run(main())


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_refused_connection(host: str) -> None:
    async def main() -> None:
        port = closed_port()
        with pytest.raises(ConnectError, match=f"connecting to {host}:{port}: Connection refused"):
            await dial(host, port, timeout_s=DEADLINE_S)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("host", "reason"),
    [("name.invalid", "resolving name.invalid:80: "), ("a" * 64, "not a host name: ")],
)
def test_names_that_do_not_resolve(host: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(host: str, *_: object, **__: object) -> None:
        host.encode("idna")
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(ConnectError, match=reason) as caught:
        asyncio.run(dial(host, 80, timeout_s=DEADLINE_S))
    assert caught.value.phase == "resolving"


def test_ipv6_addresses_are_shown_in_brackets() -> None:
    with pytest.raises(ConnectError) as caught:
        asyncio.run(dial("::1", closed_port(), timeout_s=DEADLINE_S))
    assert caught.value.address.startswith("[::1]:")


class Network:
    """Addresses that connect, refuse or hang, in place of the system's sockets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **answers: float | OSError) -> None:
        self.answers = answers  # by address: how long it takes, or how it fails
        self.tried: list[str] = []
        self.sockets: list[socket.socket] = []
        self.all_tried: asyncio.Event | None = None  # if given, all wait until all are tried
        monkeypatch.setattr(module, "_connect", self.connect)
        monkeypatch.setattr(module, "ATTEMPT_DELAY_S", 0.01)
        monkeypatch.setattr(module, "_open_stream", self.open_stream)
        monkeypatch.setattr(socket, "getaddrinfo", self.getaddrinfo)

    def getaddrinfo(self, *_: object, **__: object) -> list[tuple[object, ...]]:
        families = {"v4": socket.AF_INET, "v6": socket.AF_INET6}
        return [(families[name[:2]], 1, 6, "", (name, 80)) for name in self.answers]

    async def connect(self, address: tuple[object, Any], _: str | None) -> socket.socket:
        name = address[1][0]
        self.tried.append(name)
        answer = self.answers[name]
        if isinstance(answer, OSError):
            raise answer
        if self.all_tried is not None:
            if len(self.tried) == len(self.answers):
                self.all_tried.set()
            await self.all_tried.wait()
        await asyncio.sleep(answer)
        self.sockets.append(socket.socket())
        return self.sockets[-1]

    async def open_stream(self, sock: socket.socket, *_: object) -> str:
        """Stands for the Stream: which of the sockets has won."""
        won = self.sockets.index(sock)
        sock.close()
        return f"socket {won}"

    def dial(self) -> object:
        result: object = asyncio.run(dial("name", 80, timeout_s=DEADLINE_S))
        assert all(sock.fileno() == -1 for sock in self.sockets)
        return result


def refused(port: int) -> OSError:
    return ConnectionRefusedError(111, f"refused {port}")


def test_families_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(
        monkeypatch, v6a=refused(1), v6b=refused(2), v4a=refused(3), v6c=refused(4), v4b=0
    )
    network.dial()
    assert network.tried == ["v6a", "v4a", "v6b", "v4b"]


def test_the_next_address_does_not_wait_for_a_slow_one(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(monkeypatch, v6a=60, v4a=0.02)
    assert network.dial() == "socket 0"
    assert network.tried == ["v6a", "v4a"]


def test_a_slow_one_may_win_when_all_others_have_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(monkeypatch, v6a=0.03, v4a=refused(1))
    assert network.dial() == "socket 0"
    assert network.tried == ["v6a", "v4a"]


def test_of_two_that_connect_at_once_one_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(monkeypatch, v6a=0, v4a=0)
    network.all_tried = asyncio.Event()
    assert network.dial() in ("socket 0", "socket 1")
    assert len(network.sockets) == 2


@pytest.mark.parametrize("turns", range(6))
def test_cancelling_leaves_no_socket_open(monkeypatch: pytest.MonkeyPatch, turns: int) -> None:
    async def main() -> None:
        network = Network(monkeypatch, v6a=60, v4a=0)
        dialling = asyncio.create_task(dial("name", 80, timeout_s=DEADLINE_S))
        while not network.sockets:  # noqa: ASYNC110  # the turn matters in which one connects
            await asyncio.sleep(0)
        for _ in range(turns):
            await asyncio.sleep(0)
        dialling.cancel()
        await asyncio.wait([dialling])
        await asyncio.sleep(0)
        assert [sock.fileno() for sock in network.sockets] == [-1]

    asyncio.run(main())


def test_when_all_fail_the_first_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(monkeypatch, v6a=refused(1), v4a=OSError(113, "No route to host"))
    with pytest.raises(ConnectError, match="connecting to name:80: Connection refused"):
        network.dial()


def test_the_system_may_give_up_first(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(monkeypatch, v4a=TimeoutError(110, "Connection timed out"))
    with pytest.raises(ConnectError, match=r"name:80: Connection timed out") as caught:
        network.dial()
    assert caught.value.is_timeout


def test_the_deadline_holds_for_connecting(monkeypatch: pytest.MonkeyPatch) -> None:
    Network(monkeypatch, v6a=60, v4a=60)
    with pytest.raises(ConnectError, match=r"connecting to name:80: timed out after 0.05 s"):
        asyncio.run(dial("name", 80, timeout_s=0.05))
