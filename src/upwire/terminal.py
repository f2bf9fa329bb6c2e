"""`upwire connect`: a WebSocket client in a terminal, or behind a pipe.

Messages go to the standard output; what happens around them goes to the standard error, so that
`upwire connect URL < lines | program` gives the program messages and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from queue import SimpleQueue
from types import FrameType
from typing import TextIO

from prompt_toolkit import PromptSession
from prompt_toolkit.patch_stdout import patch_stdout

from upwire.client import connect
from upwire.errors import ConnectionClosed, LocalProtocolError, StreamError, UpwireError
from upwire.net.tls import client_context
from upwire.net.websocket import WebSocket
from upwire.wire.frames import Opcode
from upwire.wire.websocket import Direction, FrameInfo

COMMANDS = """\
/ping              measure the round trip
/close CODE TEXT   close; CODE is 1000 by default
/binary HEX        send these octets as a binary message
//text             send "/text"\
"""
READ_OCTETS = 65536
# Those of terminals, and those of Unicode that turn the direction of the text around them.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectOptions:
    """What `upwire connect` can be told."""

    url: str = field(metadata={"help": "ws://, wss:// or ws+unix://"})
    header: tuple[str, ...] = field(
        default=(),
        metadata={"flags": ("-H",), "metavar": "'NAME: VALUE'", "help": "add a request field"},
    )
    subprotocol: tuple[str, ...] = field(default=(), metadata={"help": "offer a subprotocol"})
    origin: str | None = field(default=None, metadata={"help": "send this Origin, as a browser"})
    insecure: bool = field(
        default=False, metadata={"flags": ("-k",), "help": "accept any certificate"}
    )
    frames: bool = field(default=False, metadata={"help": "show each frame, both ways"})
    ping: float | None = field(
        default=None, metadata={"metavar": "SECONDS", "help": "measure the round trip so often"}
    )
    wait: float = field(
        default=1.0,
        metadata={"metavar": "SECONDS", "help": "how long to wait for answers after the last line"},
    )
    literal: bool = field(
        default=False, metadata={"help": "lines that begin with / are messages, not commands"}
    )

    def __post_init__(self) -> None:
        for line in self.header:
            if not line.partition(":")[1]:
                raise ValueError(f"a header is 'NAME: VALUE', not {line!r}")
        if self.ping is not None and not self.ping > 0:  # nan is not, either
            raise ValueError("--ping takes more than 0 seconds")
        if not self.wait >= 0:
            raise ValueError("--wait takes 0 seconds or more")


@dataclass(frozen=True, slots=True)
class SendMessage:
    data: str | bytes


@dataclass(frozen=True, slots=True)
class SendPing:
    payload: str | None


@dataclass(frozen=True, slots=True)
class SendClose:
    code: int
    reason: str


Command = SendMessage | SendPing | SendClose


def main(options: ConnectOptions) -> int:
    """Connect and talk until either side ends it. 0: closed normally, 1: otherwise."""
    is_shown = sys.stdout.isatty()
    is_typed = is_shown and sys.stdin.isatty()
    lines = typed_lines() if is_typed else piped_lines(sys.stdin.fileno())
    with _leaving_in_order(), patch_stdout() if is_typed else contextlib.nullcontext():
        screen = Screen(sys.stdout, sys.stderr, is_terminal=is_shown)
        return asyncio.run(talk(options, lines, screen))


class Screen:
    """Shows messages on `out` and everything else on `notes`.

    For a terminal, messages are marked, and control characters that a peer sends are made visible
    instead of obeyed. Further lines of a message or a reason are indented, so that a peer's text
    never looks like a line of ours.
    """

    def __init__(self, out: TextIO, notes: TextIO, *, is_terminal: bool) -> None:
        self._out = out
        self._notes = notes
        self._is_terminal = is_terminal

    def message(self, data: str | bytes) -> None:
        if not self._is_terminal:
            line = data if isinstance(data, str) else data.hex()
        elif isinstance(data, str):
            line = "< " + _indented(data)
        else:
            line = f"< ({len(data)} octets) {data.hex(' ')}"
        print(line, file=self._out, flush=True)

    def note(self, text: str) -> None:
        print("*", _indented(text), file=self._notes, flush=True)

    def frame(self, frame: FrameInfo) -> None:
        arrow = "->" if frame.direction is Direction.SENT else "<-"
        marks = [
            *(["compressed"] if frame.rsv1 else []),
            *(["masked"] if frame.is_masked else []),
            *([] if frame.is_final else ["to be continued"]),
        ]
        name = Opcode(frame.opcode).name.lower()
        self.note(", ".join([f"{arrow} {name}", f"{frame.length} octets", *marks]))


def visible(text: str) -> str:
    """Return the text with its control characters, but tab and line feed, as \\x1b is written."""
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def read_command(line: str) -> Command:
    """Read a typed line. Raises ValueError that says what is wrong."""
    if not line.startswith("/") or line.startswith("//"):
        return SendMessage(line.removeprefix("/"))
    name, _, rest = line.partition(" ")
    match name:
        case "/ping":
            return SendPing(rest or None)
        case "/binary":
            try:
                return SendMessage(bytes.fromhex(rest))
            except ValueError:
                raise ValueError("/binary takes octets in hexadecimal, such as 68 65 79") from None
        case "/close":
            code, _, reason = rest.strip().partition(" ")
            if code and not (code.isascii() and code.isdecimal()):
                raise ValueError("/close takes a code and a reason, such as /close 1000 done")
            return SendClose(int(code or 1000), reason)
        case _:
            raise ValueError(f"there is no command {name}; /{line} sends it as text\n{COMMANDS}")


async def talk(options: ConnectOptions, lines: AsyncIterator[str], screen: Screen) -> int:
    """Connect, send the lines, show what comes. Raises UpwireError where no connection comes up."""
    observe = screen.frame if options.frames else lambda frame: _show_ping(frame, screen)
    async with connect(
        options.url,
        headers=_fields(options.header),
        subprotocols=options.subprotocol,
        origin=options.origin,
        ssl=client_context(is_verified=False) if options.insecure else None,
        observe=observe,
    ) as ws:
        screen.note(_describe(options.url, ws))
        await _converse(ws, options, lines, screen)
        await ws.close()
    return await _show_end(ws, screen)


async def typed_lines() -> AsyncIterator[str]:
    """Yield the lines typed at the terminal, until end of file or an interrupt."""
    session: PromptSession[str] = PromptSession()
    with contextlib.suppress(EOFError, KeyboardInterrupt):
        while True:
            yield await session.prompt_async("> ")


async def piped_lines(descriptor: int) -> AsyncIterator[str]:
    """Yield the lines of a file, pipe or device, as the reader asks for them.

    Raises UpwireError for a line that is not UTF-8.
    """
    count = 0
    begun: list[bytes] = []  # the pieces of a line that has not ended; joined once
    async for octets in _read_in_thread(descriptor):
        *ends, rest = octets.split(b"\n")
        for end in ends:
            count += 1
            yield _decode(b"".join([*begun, end]), count)
            begun.clear()
        begun.append(rest)
    if last := b"".join(begun):
        yield _decode(last, count + 1)


@contextlib.contextmanager
def _leaving_in_order() -> Iterator[None]:
    """Let a signal that would kill us raise SystemExit: the prompt must give the terminal back."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)  # the status that a shell shows for this signal

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, leave) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def _converse(
    ws: WebSocket, options: ConnectOptions, lines: AsyncIterator[str], screen: Screen
) -> None:
    """Send and receive until the peer closes, or the lines end and the wait for answers."""
    receiving = asyncio.create_task(_receive(ws, screen))
    sending = asyncio.create_task(_send(ws, lines, screen, is_literal=options.literal))
    pinging = asyncio.create_task(_ping_again(ws, options.ping, screen))
    try:
        await asyncio.wait({receiving, sending}, return_when=asyncio.FIRST_COMPLETED)
        if not receiving.done() and sending.exception() is None:
            await asyncio.wait({receiving}, timeout=options.wait)
    finally:
        for task in (receiving, sending, pinging):
            task.cancel()
        results = await asyncio.gather(receiving, sending, pinging, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception) and not isinstance(result, ConnectionClosed):
            raise result


async def _receive(ws: WebSocket, screen: Screen) -> None:
    async for message in ws:
        screen.message(message)


async def _send(
    ws: WebSocket, lines: AsyncIterator[str], screen: Screen, *, is_literal: bool
) -> None:
    async for line in lines:
        try:
            command = SendMessage(line) if is_literal else read_command(line)
            await _obey(ws, command, screen)
        except (ValueError, LocalProtocolError) as error:
            screen.note(str(error))


async def _obey(ws: WebSocket, command: Command, screen: Screen) -> None:
    match command:
        case SendMessage(data):
            await ws.send(data)
        case SendPing(payload):
            await _show_round_trip(ws, payload, screen)
        case SendClose(code, reason):
            await ws.close(code, reason)


async def _ping_again(ws: WebSocket, interval_s: float | None, screen: Screen) -> None:
    while interval_s is not None:
        await asyncio.sleep(interval_s)
        await _show_round_trip(ws, None, screen)


async def _show_round_trip(ws: WebSocket, payload: str | None, screen: Screen) -> None:
    try:
        round_trip_s = await ws.ping(payload)
    except StreamError as error:
        screen.note(str(error))
    else:
        screen.note(f"round trip {round_trip_s * 1000:.2f} ms")


def _show_ping(frame: FrameInfo, screen: Screen) -> None:
    if frame.opcode == Opcode.PING and frame.direction is Direction.RECEIVED:
        screen.note(f"ping of {frame.length} octets, answered")


async def _show_end(ws: WebSocket, screen: Screen) -> int:
    """Show what still came before the end, who closed and why. 0 for a normal closure."""
    try:
        while True:
            screen.message(await ws.recv())
    except ConnectionClosed as closed:
        screen.note(str(closed))
        return 0 if closed.is_normal else 1


def _indented(text: str) -> str:
    return visible(text).replace("\n", "\n  ")


def _describe(url: str, ws: WebSocket) -> str:
    extensions = ws.response.headers.combined("Sec-WebSocket-Extensions")
    notes = [f"connected to {url}"]
    if ws.subprotocol is not None:
        notes.append(f"subprotocol {ws.subprotocol}")
    return ", ".join([*notes, *([extensions] if extensions else [])])


def _fields(lines: tuple[str, ...]) -> list[tuple[str, str]]:
    parts = (line.partition(":") for line in lines)
    return [(name.strip(), value.strip()) for name, _, value in parts]


def _decode(line: bytes, number: int) -> str:
    try:
        return line.removesuffix(b"\r").decode()
    except UnicodeDecodeError:
        raise UpwireError(
            f"line {number} of the input is not UTF-8; /binary HEX sends other octets"
        ) from None


async def _read_in_thread(descriptor: int) -> AsyncIterator[bytes]:
    """Yield what can be read, until the end of the file.

    A thread, since no loop can watch a plain file; a daemon that calls os.read, since one that is
    left waiting in a buffered file's lock would stop the interpreter's end.
    """
    loop = asyncio.get_running_loop()
    requests: SimpleQueue[asyncio.Future[bytes] | None] = SimpleQueue()

    def answer(request: asyncio.Future[bytes], octets: bytes) -> None:
        if not request.done():
            request.set_result(octets)

    def read() -> None:
        while (request := requests.get()) is not None:
            octets = _read(descriptor)
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                loop.call_soon_threadsafe(answer, request, octets)

    threading.Thread(target=read, name="upwire-input", daemon=True).start()
    try:
        while octets := await _request(loop, requests):
            yield octets
    finally:
        requests.put(None)


async def _request(
    loop: asyncio.AbstractEventLoop, requests: SimpleQueue[asyncio.Future[bytes] | None]
) -> bytes:
    request: asyncio.Future[bytes] = loop.create_future()
    requests.put(request)
    return await request


def _read(descriptor: int) -> bytes:
    """Read what is there; an input that cannot be read is at its end."""
    try:
        return os.read(descriptor, READ_OCTETS)
    except OSError:
        return b""
