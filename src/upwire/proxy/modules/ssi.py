"""ngx_http_ssi_filter_module: server side includes."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Awaitable, Callable, Mapping

from upwire.conf.regex import Regex, RegexFailed
from upwire.errors import ConfigError, RemoteProtocolError
from upwire.proxy.modules.ssi_scanner import Command, Scanner
from upwire.proxy.output import Filter, Memory, OutputHead, Sink
from upwire.proxy.request import Request
from upwire.proxy.subrequest import SubrequestCycle, fetch, include
from upwire.proxy.target import parse_unsafe_uri

_ERROR = "[an error occurred while processing the directive]"
_NONE = "(none)"
_UNSAFE_IN_HTML = re.compile(r"[\x00-\x20\"%'<>\\^`{|}\x7f-\xff]")
_PARAMETERS = {  # of each command: those that it may have, and those that it must have
    "include": ({"virtual", "file", "wait", "set", "stub"}, set()),
    "echo": ({"var", "default", "encoding"}, {"var"}),
    "config": ({"errmsg", "timefmt"}, set()),
    "set": ({"var", "value"}, {"var", "value"}),
    "if": ({"expr"}, {"expr"}),
    "elif": ({"expr"}, {"expr"}),
    "else": (set(), set()),
    "endif": (set(), set()),
    "block": ({"name"}, {"name"}),
    "endblock": (set(), set()),
}
_EXPRESSION = re.compile(
    r"(?P<left>[A-Za-z0-9${}_\"']*) *(?:(?P<operator>!?=) *"
    r"(?:/(?P<pattern>.*)/|\\?(?P<right>(?!/).*|/)))?",
    re.DOTALL,
)
_TEXT_OR_VARIABLE = re.compile(r"\$(?:\{(?P<braced>\w*)\}|(?P<name>\w*))|\\?.", re.DOTALL)
Parameters = Mapping[str, str]

BLOCK_OCTETS_MAX = 1024 * 1024
"""How much of a block is kept; nginx keeps all of it."""


class _Fault(Exception):
    """A command cannot be run; the page gets `errmsg` in its place."""


def join(request: Request, head: OutputHead) -> Filter | None:
    """Run the commands in a response of a type that `ssi_types` has."""
    settings = request.settings.ssi
    if not settings.is_on or head.length == 0:
        return None
    if head.media_type not in settings.types and "*" not in settings.types:
        return None
    if request.main is request:
        head.forget_length()
        if settings.last_modified:
            head.weaken_etag()
        else:
            head.forget_validators()
    return _Ssi(request)


class _Ssi(Filter):
    """Passes on a content with what its commands give in their places.

    is_chosen: a branch of the current `if` was taken. condition: the command that the current
    conditional is in, "" outside. block: the name of the block that is being read.
    """

    __slots__ = (
        "_block",
        "_commands",
        "_condition",
        "_encoding",
        "_error",
        "_is_chosen",
        "_is_shown",
        "_request",
        "_scanner",
    )

    def __init__(self, request: Request) -> None:
        super().__init__()
        self._request = request
        self._scanner = Scanner()
        self._error = _ERROR
        self._encoding = "entity"
        self._is_shown = True
        self._is_chosen = False
        self._condition = ""
        self._block = ""
        self._commands: dict[str, Callable[[Parameters], Awaitable[None]]] = {
            "include": self._include,
            "echo": self._echo,
            "config": self._config,
            "set": self._set,
            "block": self._begin_block,
        }

    async def send(self, octets: bytes) -> None:
        """Pass on text, and run commands."""
        for element in self._scanner.feed(octets):
            if isinstance(element, Command):
                await self._run(element)
            else:
                await self._show(element)

    async def finish(self) -> None:
        """Pass on what looked like the begin of a command, and the end."""
        await self._show(self._scanner.finish())
        await self.next.finish()

    async def _show(self, text: bytes) -> None:
        if self._block:
            self._keep(text)
        elif self._is_shown and text:
            await self.next.send(text)

    def _keep(self, text: bytes) -> None:
        """Add text to the block that is being read."""
        block = self._request.main.ssi.blocks[self._block]
        room = BLOCK_OCTETS_MAX - len(block)
        if len(text) > room > 0:
            self._request.log("error", f'too big block "{self._block}"')
        block += text[: max(room, 0)]

    async def _run(self, command: Command) -> None:
        """Run one command; what is wrong with it is logged, and shown in the page."""
        if self._block:
            if command.name == "endblock":
                self._block = ""
            else:
                await self._show(command.octets)
            return
        try:
            self._check(command)
            if command.name in ("if", "elif", "else", "endif"):
                self._branch(command)
            elif self._is_shown and command.name in self._commands:
                await self._commands[command.name](command.parameters)
        except _Fault as fault:
            self._request.log("error", str(fault))
            if self._is_shown and not self._request.settings.ssi.silent_errors:
                await self.next.send(self._error.encode("latin-1"))

    def _check(self, command: Command) -> None:
        if not command.name:
            raise _Fault("invalid SSI command")
        if command.name not in _PARAMETERS:
            raise _Fault(f'invalid SSI command: "{command.name}"')
        allowed, mandatory = _PARAMETERS[command.name]
        for name, value in command.parameters.items():
            if name not in allowed:
                raise _Fault(f'invalid parameter name: "{name}" in "{command.name}" SSI command')
            if len(value) > self._request.settings.ssi.value_length:
                raise _Fault(
                    f'too long "{value}" value of "{name}" parameter '
                    f'in "{command.name}" SSI command'
                )
        for name in mandatory - command.parameters.keys():
            raise _Fault(f'mandatory "{name}" parameter is absent in "{command.name}" SSI command')

    # Conditions

    def _branch(self, command: Command) -> None:
        """Choose what is shown from here on; nginx has no `if` inside an `if`."""
        name = command.name
        if (name == "if") is bool(self._condition) or (
            self._condition == "else" and name != "endif"
        ):
            raise _Fault(f'unexpected "{name}" SSI command')
        if name == "endif":
            self._condition, self._is_chosen, self._is_shown = "", False, True
            return
        self._condition = name
        if self._is_chosen:
            self._is_shown = False
            return
        self._is_shown = name == "else" or self._holds(command.parameters["expr"])
        self._is_chosen = self._is_shown

    def _holds(self, expression: str) -> bool:
        match = _EXPRESSION.fullmatch(expression)
        if match is None:
            raise _Fault(f'invalid expression in "{expression}"')
        left = self._evaluate(match["left"].lower())
        if match["operator"] is None:
            return bool(left)
        if match["pattern"] is not None:
            is_equal = self._matches(self._evaluate(match["pattern"]), left)
        else:
            is_equal = self._evaluate(match["right"]) == left
        return is_equal is (match["operator"] == "=")

    def _matches(self, pattern: str, text: str) -> bool:
        try:
            regex = Regex(pattern)
            values = regex.search(text)
        except ConfigError as error:
            raise _Fault(error.problems[0].message) from None
        except RegexFailed as error:
            raise _Fault(str(error)) from None
        if values is None:
            return False
        state = self._request.main.ssi
        state.captures = values
        state.variables.update((name, values[number]) for name, number in regex.names.items())
        return True

    # Variables

    def _look_up(self, name: str) -> str | None:
        """Return the value of a variable: one that `set` made, or one of the request."""
        state = self._request.main.ssi
        name = name.lower()
        if len(name) == 1 and name.isdecimal():
            number = int(name)
            return state.captures[number] if number < len(state.captures) else None
        return state.variables[name] if name in state.variables else self._request.lookup(name)

    def _evaluate(self, text: str) -> str:
        """Return a parameter's text with its variables filled in and its escapes resolved."""
        parts = []
        for match in _TEXT_OR_VARIABLE.finditer(text):
            part = match[0]
            if part.startswith("$"):
                name = match["braced"] or match["name"]
                if not name:
                    raise _Fault(f'invalid variable name in "{text}"')
                parts.append(self._look_up(name) or "")
            else:
                parts.append(part[1:] if len(part) == 2 and part[1] in "\\'\"$" else part)
        return "".join(parts)

    async def _set(self, parameters: Parameters) -> None:
        value = self._evaluate(parameters["value"])
        self._request.main.ssi.variables[parameters["var"].lower()] = value

    async def _echo(self, parameters: Parameters) -> None:
        value = self._look_up(parameters["var"])
        if value is None:
            value = parameters.get("default", _NONE)
        encoding = parameters.get("encoding", self._encoding)
        if encoding not in ("none", "url", "entity"):
            self._request.log("error", f'unknown encoding "{encoding}" in the "echo" command')
            encoding = self._encoding
        self._encoding = encoding
        if encoding == "entity":
            value = html.escape(value)
        elif encoding == "url":
            value = _UNSAFE_IN_HTML.sub(lambda octet: f"%{ord(octet[0]):02X}", value)
        await self._show(value.encode("latin-1", "replace"))

    async def _config(self, parameters: Parameters) -> None:
        self._error = parameters.get("errmsg", self._error)
        if "timefmt" in parameters:
            self._request.ssi.time_format = self._evaluate(parameters["timefmt"])

    # Inclusions

    async def _begin_block(self, parameters: Parameters) -> None:
        self._block = parameters["name"]
        self._request.main.ssi.blocks[self._block] = bytearray()

    async def _include(self, parameters: Parameters) -> None:
        text = self._read_inclusion(parameters)
        if not text.startswith("/"):
            text = self._request.uri[: self._request.uri.rfind("/") + 1] + text
        try:
            uri, args = parse_unsafe_uri(text)
        except RemoteProtocolError:
            raise _Fault(f'unsafe URI "{text}" was detected') from None
        try:
            if "set" in parameters:
                await self._include_into_variable(parameters["set"], uri, args)
            elif "stub" in parameters:
                await self._include_or_stub(parameters["stub"], uri, args)
            else:
                await self._request_inclusion(uri, args)
        except SubrequestCycle:
            raise _Fault(f'subrequests cycle while processing "{uri}"') from None

    async def _request_inclusion(self, uri: str, args: str) -> None:
        await self.next.flush()
        await include(self._request, uri, args)

    def _read_inclusion(self, parameters: Parameters) -> str:
        """Return the path to include."""
        virtual, file = parameters.get("virtual"), parameters.get("file")
        if virtual is not None and file is not None:
            raise _Fault(f'inclusion may be either virtual="{virtual}" or file="{file}"')
        text = virtual if virtual is not None else file
        if text is None:
            raise _Fault('no parameter in "include" SSI command')
        if "set" in parameters and "stub" in parameters:
            raise _Fault('"set" and "stub" cannot be used together in "include" SSI command')
        wait = parameters.get("wait", "no")
        if wait.lower() not in ("yes", "no"):
            raise _Fault(f'invalid value "{wait}" in the "wait" parameter')
        return self._evaluate(text)

    async def _include_into_variable(self, name: str, uri: str, args: str) -> None:
        memory = Memory(self._request.settings.subrequest_output_octets)
        await fetch(self._request, uri, args, sink=memory)
        if memory.is_full:
            self._request.log("error", "too big subrequest response")
            memory.content.clear()
        self._request.main.ssi.variables[name.lower()] = memory.content.decode("latin-1")

    async def _include_or_stub(self, name: str, uri: str, args: str) -> None:
        """Include a path, or the block of that name where nothing comes of it."""
        stub = self._request.main.ssi.blocks.get(name)
        if stub is None:
            raise _Fault(f'"stub"="{name}" for "include" not found')
        counter = _Counter(self.next)
        await fetch(self._request, uri, args, sink=counter, wants_pages=False)
        if not counter.octets:
            shown = _Ssi(self._request)
            shown.next = self.next
            await shown.send(bytes(stub))


class _Counter(Sink):
    """Counts what it passes on."""

    __slots__ = ("_into", "octets")

    def __init__(self, into: Sink) -> None:
        self._into = into
        self.octets = 0

    async def send(self, octets: bytes) -> None:
        """Pass on octets."""
        self.octets += len(octets)
        await self._into.send(octets)


def show_time(request: Request, *, is_gmt: bool) -> str:
    """Return the time as `timefmt` has it up to a NUL, for $date_gmt and $date_local."""
    now = request.cycle.wall_clock()
    time_format = request.ssi.time_format.partition("\0")[0]
    if time_format == "%s":
        return str(int(now))
    return time.strftime(time_format, time.gmtime(now) if is_gmt else time.localtime(now))
