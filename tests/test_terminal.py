"""`upwire connect`: what lines mean, what is shown, and a whole conversation."""

from __future__ import annotations

import asyncio
import contextlib
import io
import math
import os
import signal
import sys
import termios
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

import upwire
from upwire.terminal import (
    READ_OCTETS,
    ConnectOptions,
    Screen,
    SendClose,
    SendMessage,
    SendPing,
    main,
    piped_lines,
    read_command,
    talk,
    typed_lines,
    visible,
)
from upwire.wire.frames import Opcode
from upwire.wire.websocket import Direction, FrameInfo

RUN_TIMEOUT_S = 30


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("hello", SendMessage("hello")),
        ("", SendMessage("")),
        ("//ping", SendMessage("/ping")),
        ("/ping", SendPing(None)),
        ("/ping abc", SendPing("abc")),
        ("/binary 68 65 79", SendMessage(b"hey")),
        ("/binary", SendMessage(b"")),
        ("/close", SendClose(1000, "")),
        ("/close 4000 see you later", SendClose(4000, "see you later")),
    ],
)
def test_a_line_is_a_command(line: str, command: object) -> None:
    assert read_command(line) == command


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("/binary xyz", "hexadecimal"),
        ("/close soon", "takes a code"),
        ("/close ١٠٠٠", "takes a code"),
        ("/quit", "there is no command /quit; //quit sends it"),
    ],
)
def test_a_wrong_command_says_what_is_right(line: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        read_command(line)


def test_control_characters_become_visible() -> None:
    assert visible("a\tb\n\x1b[31mred\x7f\x9b") == "a\tb\n\\x1b[31mred\\x7f\\x9b"
    assert visible("\u202egnp.exe\u2069") == r"\u202egnp.exe\u2069"


def show(*, is_terminal: bool) -> tuple[Screen, io.StringIO, io.StringIO]:
    out, notes = io.StringIO(), io.StringIO()
    return Screen(out, notes, is_terminal=is_terminal), out, notes


def test_a_pipe_gets_messages_alone() -> None:
    screen, out, notes = show(is_terminal=False)
    screen.message("text\x1b")
    screen.message(b"\x00\xff")
    screen.note("connected")
    assert out.getvalue() == "text\x1b\n00ff\n"
    assert notes.getvalue() == "* connected\n"


def test_a_terminal_gets_marked_messages() -> None:
    screen, out, _ = show(is_terminal=True)
    screen.message("text\x1b")
    screen.message(b"\x00\xff")
    assert out.getvalue() == "< text\\x1b\n< (2 octets) 00 ff\n"


def test_a_peer_s_lines_do_not_look_like_ours() -> None:
    screen, out, notes = show(is_terminal=True)
    screen.message("one\n* closed by us: 1000")
    screen.note("closed by peer: 4000 no\n< hello")
    assert out.getvalue() == "< one\n  * closed by us: 1000\n"
    assert notes.getvalue() == "* closed by peer: 4000 no\n  < hello\n"


@pytest.mark.parametrize(
    ("frame", "line"),
    [
        (
            FrameInfo(Direction.SENT, Opcode.TEXT, 5, True, False, True),
            "* -> text, 5 octets, masked\n",
        ),
        (
            FrameInfo(Direction.RECEIVED, Opcode.BINARY, 70000, False, True, False),
            "* <- binary, 70000 octets, compressed, to be continued\n",
        ),
    ],
)
def test_a_frame_is_a_line(frame: FrameInfo, line: str) -> None:
    screen, _, notes = show(is_terminal=False)
    screen.frame(frame)
    assert notes.getvalue() == line


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"header": ("no colon",)}, "NAME: VALUE"),
        ({"ping": 0.0}, "--ping"),
        ({"ping": math.nan}, "--ping"),
        ({"wait": -1.0}, "--wait"),
        ({"wait": math.nan}, "--wait"),
    ],
)
def test_options_are_checked(values: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        ConnectOptions(url="ws://x", **values)  # type: ignore[arg-type]  # any field's value


async def read_all(descriptor: int) -> list[str]:
    return [line async for line in piped_lines(descriptor)]


def test_a_file_gives_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes("one\r\n\ntwö\nlast".encode())
    with path.open("rb") as file:
        assert asyncio.run(read_all(file.fileno())) == ["one", "", "twö", "last"]


def test_a_long_line_is_put_together(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"one\n" + b"x" * 3 * READ_OCTETS + b"\nlast")
    with path.open("rb") as file:
        assert asyncio.run(read_all(file.fileno())) == ["one", "x" * 3 * READ_OCTETS, "last"]


def test_a_line_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"one\n\xff\n")
    with path.open("rb") as file, pytest.raises(upwire.UpwireError, match="line 2"):
        asyncio.run(read_all(file.fileno()))


def test_an_input_that_cannot_be_read_is_at_its_end(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        assert asyncio.run(read_all(descriptor)) == []
    finally:
        os.close(descriptor)


def test_a_reader_may_leave_a_pipe_that_gives_nothing() -> None:
    async def leave() -> None:
        readable, writable = os.pipe()
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.01):
                    await read_all(readable)
        finally:
            os.close(writable)
            os.close(readable)

    asyncio.run(leave())


async def echo(ws: upwire.WebSocket) -> None:
    async for message in ws:
        await ws.send(message)


async def type_lines(lines: Sequence[str]) -> AsyncIterator[str]:
    for line in lines:
        yield line


def converse(
    *lines: str,
    handler: upwire.server.WebSocketHandler = echo,
    **values: object,
) -> tuple[int, str, str]:
    """Serve, connect, type the lines; return the status and what was shown."""
    screen, out, notes = show(is_terminal=False)

    async def run() -> int:
        async with upwire.serve(handler, "127.0.0.1", 0, subprotocols=["chat"]) as server:
            options = ConnectOptions(
                url=f"ws://127.0.0.1:{server.port}/",
                **values,  # type: ignore[arg-type]  # any field's value
            )
            return await talk(options, type_lines(lines), screen)

    return asyncio.run(run()), out.getvalue(), notes.getvalue()


async def echo_two_and_close(ws: upwire.WebSocket) -> None:
    for _ in range(2):
        await ws.send(await ws.recv())
    await ws.close(1000, "enough")


async def answer_headers(ws: upwire.WebSocket) -> None:
    await ws.send(ws.request.headers["X-Token"] + ws.request.headers["Origin"])
    await ws.close()


def test_lines_are_sent_and_answers_shown() -> None:
    status, out, notes = converse("one", "/binary 00ff", handler=echo_two_and_close, wait=30)
    assert (status, out) == (0, "one\n00ff\n")
    assert "* connected to ws://127.0.0.1:" in notes
    assert notes.endswith("closed by peer: 1000 enough\n")


def test_lines_end_and_we_close() -> None:
    status, out, notes = converse(wait=0)
    assert (status, out) == (0, "")
    assert notes.endswith("closed by us: 1000\n")


def test_an_abnormal_end_is_a_finding() -> None:
    async def fail(ws: upwire.WebSocket) -> None:
        await ws.close(4000, "no more")

    status, _, notes = converse(handler=fail, wait=30)
    assert status == 1
    assert notes.endswith("closed by peer: 4000 no more\n")


def test_close_ends_with_its_code() -> None:
    status, _, notes = converse("/close 4001 bye", wait=30)
    assert status == 1
    assert notes.endswith("closed by us: 4001 bye\n")


def test_ping_shows_its_round_trip() -> None:
    status, _, notes = converse("/ping", wait=0)
    assert status == 0
    assert "* round trip " in notes


def test_wrong_lines_are_noted_and_the_rest_goes_on() -> None:
    status, out, notes = converse(
        "/nothing", "/close 99", "yes", "no", handler=echo_two_and_close, wait=30
    )
    assert (status, out) == (0, "yes\nno\n")
    assert "there is no command /nothing" in notes
    assert "99" in notes


def test_literal_lines_are_messages() -> None:
    _, out, _ = converse("/ping", "//x", handler=echo_two_and_close, literal=True, wait=30)
    assert out == "/ping\n//x\n"


def test_frames_are_shown_both_ways() -> None:
    _, _, notes = converse("ab", "c", handler=echo_two_and_close, frames=True, wait=30)
    assert "* -> text, 2 octets, masked\n" in notes
    assert "* <- text, 2 octets\n" in notes
    assert "* <- close, 8 octets\n" in notes


def test_the_handshake_says_what_the_options_say() -> None:
    _, out, notes = converse(
        handler=answer_headers,
        header=("X-Token: a:b",),
        origin="https://example.org",
        subprotocol=("chat",),
        wait=30,
    )
    assert out == "a:bhttps://example.org\n"
    assert "subprotocol chat" in notes


def test_a_ping_of_the_peer_is_shown() -> None:
    async def ping(ws: upwire.WebSocket) -> None:
        await ws.ping(b"abc")
        await ws.close()

    _, _, notes = converse(handler=ping, wait=30)
    assert "* ping of 3 octets, answered\n" in notes


def test_round_trips_are_measured_again_and_again() -> None:
    async def wait_for_pings(ws: upwire.WebSocket) -> None:
        await ws.recv()

    status, _, notes = converse(ping=0.01, wait=0.2)
    assert status == 0
    assert notes.count("* round trip ") >= 2


def test_a_ping_without_an_answer_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(ws: upwire.WebSocket, payload: str | None) -> float:
        raise upwire.StreamError("no pong came")

    monkeypatch.setattr(upwire.WebSocket, "ping", fail)
    status, _, notes = converse("/ping", wait=0)
    assert status == 0
    assert "* no pong came\n" in notes


def test_an_input_that_fails_is_an_error() -> None:
    async def fail() -> AsyncIterator[str]:
        yield "one"
        raise upwire.UpwireError("line 2 of the input is not UTF-8")

    async def run() -> None:
        screen, _, _ = show(is_terminal=False)
        async with upwire.serve(echo, port=0) as server:
            await talk(ConnectOptions(url=f"ws://127.0.0.1:{server.port}/"), fail(), screen)

    with pytest.raises(upwire.UpwireError, match="line 2"):
        asyncio.run(run())


@pytest.mark.parametrize("end", ["\x03", "\x04"], ids=["interrupt", "end of file"])
def test_typed_lines(end: str) -> None:
    async def run() -> list[str]:
        return [line async for line in typed_lines()]

    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        keys.send_text("one\rtwo\r" + end)
        assert asyncio.run(run()) == ["one", "two"]


def test_main_reads_what_is_piped(monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        with pytest.raises(upwire.ConnectError):
            main(ConnectOptions(url="ws://127.0.0.1:1/"))


def test_where_no_server_is_the_error_says_so() -> None:
    screen, _, _ = show(is_terminal=False)
    options = ConnectOptions(url="ws://127.0.0.1:1/")
    with pytest.raises(upwire.ConnectError):
        asyncio.run(talk(options, type_lines([]), screen))


def spawn_arguments(port: int) -> list[str]:
    return [sys.executable, "-m", "upwire", "connect", f"ws://127.0.0.1:{port}/"]


def test_behind_a_pipe() -> None:
    async def run() -> tuple[int | None, bytes, bytes]:
        async with upwire.serve(echo_two_and_close, port=0) as server:
            process = await asyncio.create_subprocess_exec(
                *spawn_arguments(server.port),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            async with asyncio.timeout(RUN_TIMEOUT_S):
                out, notes = await process.communicate(b"one\ntwo\n")
            return process.returncode, out, notes

    status, out, notes = asyncio.run(run())
    assert (status, out) == (0, b"one\ntwo\n")
    assert notes.endswith(b"closed by peer: 1000 enough\n")


def test_a_terminal_is_not_obeyed_either_when_lines_are_piped() -> None:
    async def whistle(ws: upwire.WebSocket) -> None:
        await ws.send("\x1b[31mred\x07")
        await ws.close()

    async def run() -> bytes:
        terminal, programs = os.openpty()
        try:
            async with upwire.serve(whistle, port=0) as server, asyncio.timeout(RUN_TIMEOUT_S):
                process = await asyncio.create_subprocess_exec(
                    *spawn_arguments(server.port),
                    *["--wait", "30"],
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=programs,
                    stderr=asyncio.subprocess.DEVNULL,
                )
                assert await process.wait() == 0
            return os.read(terminal, 4096)
        finally:
            os.close(programs)
            os.close(terminal)

    assert asyncio.run(run()) == b"< \\x1b[31mred\\x07\r\n"


class Typist:
    """Types at a program's terminal, and reads its screen."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._screen = b""
        self._changed = asyncio.Event()
        asyncio.get_running_loop().add_reader(descriptor, self._read)

    def type(self, keys: bytes) -> None:
        os.write(self._descriptor, keys)

    async def see(self, text: bytes, *, and_prompt: bool = False) -> None:
        """Wait until the screen has shown a text, and until a line can be typed."""
        while text not in self._screen or (and_prompt and not self._can_type):
            self._changed.clear()
            await self._changed.wait()

    @property
    def _can_type(self) -> bool:
        """Whether the prompt reads keys itself: it has turned on bracketed paste, and not off."""
        on, off = (self._screen.rfind(b"\x1b[?2004" + end) for end in (b"h", b"l"))
        return on > off

    def is_cooked(self) -> bool:
        """Whether the terminal echoes and edits lines itself, as a shell expects."""
        flags = termios.tcgetattr(self._descriptor)[3]
        return bool(flags & termios.ECHO and flags & termios.ICANON)

    def leave(self) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)

    def _read(self) -> None:
        try:
            self._screen += os.read(self._descriptor, 4096)
        except OSError:  # EIO: the program has left its terminal
            self.leave()
        self._changed.set()


async def start_at(terminal: int, port: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *spawn_arguments(port),
        *["--wait", "0"],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env={**os.environ, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"},
    )


@pytest.mark.parametrize(
    ("keys", "end"),
    [
        (b"/close 1000 bye\r", b"closed by us: 1000 bye"),
        (b"\x04", b"closed by us: 1000"),
        (b"\x03", b"closed by us: 1000"),
    ],
    ids=["close", "end of file", "interrupt"],
)
def test_at_a_terminal(keys: bytes, end: bytes) -> None:
    async def run() -> int:
        terminal, programs = os.openpty()
        typist = Typist(terminal)
        try:
            async with upwire.serve(echo, port=0) as server, asyncio.timeout(RUN_TIMEOUT_S):
                process = await start_at(programs, server.port)
                await typist.see(b"connected to ws://", and_prompt=True)
                typist.type(b"hello\r")
                await typist.see(b"< hello", and_prompt=True)
                typist.type(keys)
                await typist.see(end)
                return await process.wait()
        finally:
            typist.leave()
            os.close(programs)
            os.close(terminal)

    assert asyncio.run(run()) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_the_terminal_as_it_was(number: signal.Signals) -> None:
    async def run() -> tuple[int, bool, bool]:
        terminal, programs = os.openpty()
        typist = Typist(terminal)
        try:
            async with upwire.serve(echo, port=0) as server, asyncio.timeout(RUN_TIMEOUT_S):
                process = await start_at(programs, server.port)
                await typist.see(b"connected to ws://", and_prompt=True)
                was_cooked = typist.is_cooked()
                process.send_signal(number)
                return await process.wait(), was_cooked, typist.is_cooked()
        finally:
            typist.leave()
            os.close(programs)
            os.close(terminal)

    assert asyncio.run(run()) == (128 + number, False, True)
