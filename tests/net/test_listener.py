from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from kit.certificates import Certificates, make_certificates
from upwire.errors import ConfigError, StreamError
from upwire.net import listener as module
from upwire.net.dial import dial
from upwire.net.listener import ACCEPTS_A_TURN, Listener
from upwire.net.stream import Stream
from upwire.net.tls import client_context, server_context

DEADLINE_S = 5


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


async def echo(stream: Stream) -> None:
    while octets := await stream.read():
        stream.write(octets)
        await stream.drain()


async def connect(listener: Listener) -> Stream:
    address = listener.addresses[0]
    if isinstance(address, str):
        return await dial("", 0, unix=address, timeout_s=DEADLINE_S)
    return await dial(*address, timeout_s=DEADLINE_S)


async def ask(stream: Stream) -> bytes:
    stream.write(b"?")
    return await stream.read(timeout_s=DEADLINE_S)


async def close(*streams: Stream) -> None:
    for stream in streams:
        stream.close()
        await stream.wait_closed()


def bind_tcp(listener: Listener, folder: Path) -> None:
    listener.bind("127.0.0.1", 0)


def bind_tcp6(listener: Listener, folder: Path) -> None:
    listener.bind("::1", 0)


def bind_unix(listener: Listener, folder: Path) -> None:
    listener.bind_unix(str(folder / "app.sock"))


def inherit_socket(listener: Listener, folder: Path) -> None:
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    listener.inherit(sock)


def inherit_descriptor(listener: Listener, folder: Path) -> None:
    listener.inherit(socket.create_server(("127.0.0.1", 0)).detach())


@pytest.mark.parametrize(
    "bind", [bind_tcp, bind_tcp6, bind_unix, inherit_socket, inherit_descriptor]
)
@pytest.mark.parametrize("is_started", [True, False])
def test_accepting(
    bind: Callable[[Listener, Path], None], is_started: bool, tmp_path: Path
) -> None:
    async def main() -> None:
        listener = Listener(echo)
        if is_started:
            listener.start()
        bind(listener, tmp_path)
        async with listener:
            streams = [await connect(listener) for _ in range(3)]
            for stream in streams:
                assert await ask(stream) == b"?"
            assert listener.connections == 3
            await close(*streams)
        assert listener.addresses == ()
        assert listener.connections == 0

    asyncio.run(main())


def test_more_connections_than_one_turn_takes() -> None:
    async def main() -> None:
        listener = Listener(echo)
        listener.bind("127.0.0.1", 0)
        streams = [await connect(listener) for _ in range(ACCEPTS_A_TURN + 1)]
        async with listener:
            for stream in streams:
                assert await ask(stream) == b"?"
            await close(*streams)

    asyncio.run(main())


def test_every_address_of_a_host_has_the_same_port() -> None:
    async def main() -> None:
        async with Listener(echo) as listener:
            listener.bind(None, 0)
            hosts = {address[0] for address in listener.addresses}
            ports = {address[1] for address in listener.addresses}
        assert "0.0.0.0" in hosts
        assert len(ports) == 1

    asyncio.run(main())


def test_tls(certificates: Certificates, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def main() -> None:
        tls = server_context(certificates.certificate_file, certificates.key_file)
        async with Listener(echo, tls=tls) as listener:
            listener.bind("127.0.0.1", 0)
            plain = await connect(listener)
            plain.write(b"GET / HTTP/1.1\r\n\r\n")
            assert await plain.read(timeout_s=DEADLINE_S) == b""
            await close(plain)
            client = client_context(ca_file=certificates.authority_file)
            address = listener.addresses[0]
            assert isinstance(address, tuple)
            stream = await dial(*address, tls=client, timeout_s=DEADLINE_S)
            assert await ask(stream) == b"?"
            await close(stream)

    asyncio.run(main())
    assert caplog.messages == ["TLS handshake failed: http request"]


def test_an_address_in_use() -> None:
    async def main() -> None:
        async with Listener(echo) as listener:
            listener.bind("127.0.0.1", 0)
            address = listener.addresses[0]
            assert isinstance(address, tuple)
            text = f"cannot listen on 127.0.0.1:{address[1]}: Address already in use"
            with pytest.raises(ConfigError, match=text) as caught:
                Listener(echo).bind(*address)
            assert isinstance(caught.value.__cause__, OSError)
            assert caught.value.__cause__.errno == errno.EADDRINUSE

    asyncio.run(main())


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[int, str]) -> None:
    """Let every name have these addresses, each with its family."""

    def getaddrinfo(_: str, port: int, **__: object) -> list[tuple[object, ...]]:
        return [(family, 1, 6, "", (address, port)) for family, address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


NO_FAMILY = (1000, "of no family")
ELSEWHERE = (socket.AF_INET, "192.0.2.1")


@pytest.mark.parametrize("absent", [NO_FAMILY, ELSEWHERE])
def test_an_address_that_the_machine_lacks_is_passed_over(
    absent: tuple[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        resolve_to(monkeypatch, absent, (socket.AF_INET, "127.0.0.1"))
        async with Listener(echo) as listener:
            listener.bind("name", 0)
            assert [address[0] for address in listener.addresses] == ["127.0.0.1"]

    asyncio.run(main())


@pytest.mark.parametrize("absent", [NO_FAMILY, ELSEWHERE])
def test_a_machine_that_lacks_all_addresses(
    absent: tuple[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_to(monkeypatch, absent)
    with pytest.raises(ConfigError, match=f"cannot listen on {absent[1]}:0: "):
        Listener(echo).bind("name", 0)


def test_where_one_address_is_in_use_none_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.2", 0)) as taken:
        port = taken.getsockname()[1]
        resolve_to(monkeypatch, (socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "127.0.0.2"))
        listener = Listener(echo)
        with pytest.raises(ConfigError, match=r"on 127\.0\.0\.2:\d+: Address already in use"):
            listener.bind("name", port)
        assert listener.addresses == ()
        with socket.create_server(("127.0.0.1", port)):
            pass  # nobody listens there


@pytest.mark.parametrize("port", [-1, 65536])
def test_what_is_no_port(port: int) -> None:
    with pytest.raises(ConfigError, match=f"127.0.0.1:{port}: a port is 0 to 65535"):
        Listener(echo).bind("127.0.0.1", port)


def test_addresses_that_nobody_can_bind() -> None:
    with pytest.raises(ConfigError, match=r"cannot listen on \[2001:db8::1\]:0: "):
        Listener(echo).bind("2001:db8::1", 0)
    with pytest.raises(ConfigError, match=r"cannot listen on a{64}:80: not a host name"):
        Listener(echo).bind("a" * 64, 80)


def test_a_name_that_does_not_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(ConfigError, match="on name:80: Name or service not known"):
        Listener(echo).bind("name", 80)


def test_descriptors_that_are_no_sockets(tmp_path: Path) -> None:
    file = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(ConfigError, match=r"inherited socket \d+: .*on non-socket"):
        Listener(echo).inherit(file)
    os.close(file)


def test_a_stale_unix_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(path))
    listener = Listener(echo)
    listener.bind_unix(str(path))
    assert listener.addresses == (str(path),)
    listener.close()
    assert not path.exists()


def test_a_unix_socket_in_use_is_not(tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    listener = Listener(echo)
    listener.bind_unix(str(path))
    with pytest.raises(ConfigError, match=f"cannot listen on unix:{path}: Address already in use"):
        Listener(echo).bind_unix(str(path))
    listener.close()


def test_a_file_that_is_no_socket_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    path.write_text("precious")
    with pytest.raises(ConfigError, match="Address already in use"):
        Listener(echo).bind_unix(str(path))
    with pytest.raises(ConfigError, match="No such file"):
        Listener(echo).bind_unix(str(tmp_path / "missing" / "app.sock"))
    assert path.read_text() == "precious"


@pytest.mark.parametrize("is_replaced", [True, False])
def test_only_our_own_unix_socket_is_removed(tmp_path: Path, is_replaced: bool) -> None:
    path = tmp_path / "app.sock"
    listener = Listener(echo)
    listener.bind_unix(str(path))
    path.rename(tmp_path / "moved.sock")
    if is_replaced:
        path.write_text("another's")
    listener.close()
    assert path.exists() is is_replaced


def test_a_full_listener_lets_newcomers_wait() -> None:
    async def main() -> None:
        async with Listener(echo, max_connections=2) as listener:
            listener.bind("127.0.0.1", 0)
            streams = [await connect(listener) for _ in range(3)]
            assert await ask(streams[0]) == b"?"
            assert await ask(streams[1]) == b"?"
            streams[2].write(b"!")
            with pytest.raises(StreamError, match="timed out"):
                await streams[2].read(timeout_s=0.02)
            assert listener.connections == 2
            await close(streams[0])
            assert await streams[2].read(timeout_s=DEADLINE_S) == b"!"
            await close(*streams)

    asyncio.run(main())


class FailingSocket(socket.socket):
    """A listening socket whose first calls of accept() fail."""

    def __init__(self, *errors: int) -> None:
        super().__init__()
        self.bind(("127.0.0.1", 0))
        self.errors = list(errors)

    def accept(self) -> tuple[socket.socket, object]:
        if self.errors:
            number = self.errors.pop(0)
            raise OSError(number, os.strerror(number))
        return super().accept()


def test_running_out_of_descriptors_is_survived(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REST_S", 0.01)

    async def main() -> None:
        sock = FailingSocket(errno.EMFILE, errno.ECONNABORTED, errno.EMFILE, errno.ENFILE)
        async with Listener(echo) as listener:
            listener.inherit(sock)
            first = await connect(listener)
            assert await ask(first) == b"?"
            sock.errors.append(errno.ENOBUFS)
            second = await connect(listener)
            assert await ask(second) == b"?"
            await close(first, second)

    asyncio.run(main())
    assert caplog.messages == [
        "accept() failed: Too many open files; trying again every 0.01 s",
        "accept() failed: No buffer space available; trying again every 0.01 s",
    ]


def test_closing_while_it_rests(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with Listener(echo) as listener:
            listener.inherit(FailingSocket(errno.EMFILE))
            stream = await connect(listener)
            await asyncio.wait_for(until(lambda: bool(caplog.messages)), DEADLINE_S)
        await close(stream)

    asyncio.run(main())


async def until(is_reached: Callable[[], bool]) -> None:
    while not is_reached():  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0)


def test_drain_lets_connections_end_and_cuts_the_rest() -> None:
    async def main() -> None:
        listener = Listener(echo)
        listener.bind("127.0.0.1", 0)
        listener.start()
        polite, rude = await connect(listener), await connect(listener)
        assert await ask(polite) == b"?"
        assert await ask(rude) == b"?"
        draining = asyncio.create_task(listener.drain(0.05))
        await close(polite)
        assert await draining == 1
        assert await rude.read(timeout_s=DEADLINE_S) == b""
        assert await listener.drain(0) == 0
        await close(rude)

    asyncio.run(main())


def test_a_connection_that_is_cut_before_its_task_has_begun() -> None:
    async def main() -> None:
        listener = Listener(echo)
        listener.bind("127.0.0.1", 0)
        stream = await connect(listener)
        listener.start()
        listener._accept(listener._sockets[0])
        assert await listener.drain(0) == 1
        assert await stream.read(timeout_s=DEADLINE_S) == b""
        await close(stream)

    asyncio.run(main())


def serve_by(reply: bytes) -> Callable[[Stream, bytes], Coroutine[Any, Any, None] | None]:
    """Take over who begins with T, and leave everybody else to on_stream."""

    def meet(stream: Stream, octets: bytes) -> Coroutine[Any, Any, None] | None:
        if not octets.startswith(b"T"):
            return None
        stream.unread(octets[1:])
        stream.write(reply)
        return echo_to_the_end(stream)

    return meet


async def echo_to_the_end(stream: Stream) -> None:
    await echo(stream)
    await close(stream)


def test_the_first_octets_decide_who_serves() -> None:
    async def main() -> None:
        async with Listener(echo, on_octets=serve_by(b"taken ")) as listener:
            listener.bind("127.0.0.1", 0)
            taken, left, silent = [await connect(listener) for _ in range(3)]
            taken.write(b"T")
            assert await taken.read(timeout_s=DEADLINE_S) == b"taken "
            assert await ask(taken) == b"?"
            assert await ask(left) == b"?"
            await asyncio.wait_for(until(lambda: listener.connections == 3), DEADLINE_S)
            await close(silent)
            await asyncio.wait_for(until(lambda: listener.connections == 2), DEADLINE_S)
            await close(taken, left)

    asyncio.run(main())


def test_a_connection_that_sends_nothing_is_closed_in_time() -> None:
    async def main() -> None:
        async with Listener(echo, on_octets=serve_by(b""), silence_s=0.01) as listener:
            listener.bind("127.0.0.1", 0)
            stream = await connect(listener)
            assert await stream.read(timeout_s=DEADLINE_S) == b""
            await close(stream)

    asyncio.run(main())


def test_a_drain_serves_what_had_come_and_closes_who_is_silent() -> None:
    async def answer(stream: Stream) -> None:
        stream.write(await stream.read())

    async def main() -> None:
        listener = Listener(answer, on_octets=serve_by(b""))
        listener.bind("127.0.0.1", 0)
        listener.start()
        silent, asking = await connect(listener), await connect(listener)
        await asyncio.wait_for(until(lambda: listener.connections == 2), DEADLINE_S)
        asking.write(b"?")
        assert await listener.drain(DEADLINE_S) == 0
        assert await asking.read(timeout_s=DEADLINE_S) == b"?"
        assert await silent.read(timeout_s=DEADLINE_S) == b""
        await close(silent, asking)

    asyncio.run(main())


def test_a_handshake_that_outlasts_a_drain_leaves_no_connection(certificates: Certificates) -> None:
    async def main() -> None:
        tls = server_context(certificates.certificate_file, certificates.key_file)
        listener = Listener(echo, on_octets=serve_by(b""), tls=tls)
        listener.bind("127.0.0.1", 0)
        listener.start()
        stream = await connect(listener)
        await asyncio.wait_for(until(lambda: listener.connections == 1), DEADLINE_S)
        draining = asyncio.create_task(listener.drain(DEADLINE_S))
        await asyncio.wait_for(until(lambda: not listener.addresses), DEADLINE_S)
        theirs, ours = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = client_context(is_verified=False).wrap_bio(theirs, ours)
        content = None
        while content != b"":  # the server's closure alert
            with contextlib.suppress(ssl.SSLWantReadError):
                session.do_handshake()
                content = session.read()
            stream.write(ours.read())
            if content is None:
                theirs.write(await stream.read(timeout_s=DEADLINE_S))
        await close(stream)
        assert await draining == 0
        assert listener.connections == 0

    asyncio.run(main())


def test_small_writes_are_sent_at_once_on_both_sides() -> None:
    accepted: list[Stream] = []

    async def note(stream: Stream) -> None:
        accepted.append(stream)
        await stream.read()

    async def main() -> None:
        async with Listener(note) as listener:
            listener.bind("127.0.0.1", 0)
            stream = await connect(listener)
            await asyncio.wait_for(until(lambda: bool(accepted)), DEADLINE_S)
            for end in (stream, accepted[0]):
                sock = end.transport.get_extra_info("socket")
                assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            await close(stream)

    asyncio.run(main())


def test_a_connection_that_is_reset_before_it_is_accepted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(sock: socket.socket) -> Stream:
        raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))

    async def main() -> None:
        async with Listener(echo) as listener:
            listener.bind("127.0.0.1", 0)
            with monkeypatch.context() as patch:
                patch.setattr(module, "is_available", lambda: True)
                patch.setattr(module, "open_stream", refuse)
                stream = await dial(*listener.addresses[0], timeout_s=DEADLINE_S)
                assert await stream.read(timeout_s=DEADLINE_S) == b""
            await close(stream)

    asyncio.run(main())


def test_a_connection_that_is_cut_while_it_sends_what_is_left() -> None:
    async def send_much(stream: Stream) -> None:
        while stream.is_writable_now:
            stream.write(bytes(1_000_000))

    async def main() -> None:
        listener = Listener(send_much)
        listener.bind("127.0.0.1", 0)
        listener.start()
        stream = await connect(listener)
        assert await listener.drain(0.02) == 1
        await close(stream)

    asyncio.run(main())


async def fail(stream: Stream) -> None:
    raise ZeroDivisionError


async def lose(stream: Stream) -> None:
    raise StreamError("timed out", doing="reading")


@pytest.mark.parametrize(
    ("on_stream", "message", "level"),
    [
        (fail, "connection of {} failed", logging.ERROR),
        (lose, "connection of {}: timed out while reading", logging.INFO),
    ],
)
def test_a_connection_that_fails_leaves_the_others_alone(
    on_stream: Callable[[Stream], Awaitable[None]],
    message: str,
    level: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    addresses = []

    async def main() -> None:
        async with Listener(on_stream) as listener:
            listener.bind("127.0.0.1", 0)
            for _ in range(2):
                stream = await connect(listener)
                addresses.append(stream.local_address)
                assert await stream.read(timeout_s=DEADLINE_S) == b""
                await close(stream)

    asyncio.run(main())
    assert caplog.messages == [message.format(address) for address in addresses]
    assert {record.levelno for record in caplog.records} == {level}
