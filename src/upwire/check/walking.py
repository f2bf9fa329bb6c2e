"""One request inside of a server, as far as a file tells: its path, its variables, its script.

What only a real request has, such as $remote_addr, and whether a file is there, is not known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from upwire.conf.model import (
    After,
    Condition,
    Config,
    If,
    Instruction,
    LocationSettings,
    Map,
    Predicate,
    ProxyPass,
    Return,
    Rewrite,
    Server,
    SetVariable,
)
from upwire.conf.regex import Regex
from upwire.conf.variables import Template
from upwire.proxy.route import NOTHING_CAPTURED, Captures
from upwire.proxy.target import Target
from upwire.wire.http1 import RequestHead


@dataclass(frozen=True, slots=True)
class Question:
    """The request that is asked about; host is in lower case, port where it arrives."""

    head: RequestHead
    target: Target
    host: str
    port: int
    scheme: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What nginx answers by itself; text is a body, or where to."""

    status: int
    text: str = ""

    def __str__(self) -> str:
        return f"{self.status} {self.text}".strip()


class Walk:
    """One request on its way; called with a variable's name, it returns its value.

    uri, args: what they are by now. is_uri_changed: not what the client wrote any more.
    is_location_valid: the location was found for this uri. answer, is_moved: what the last script
    came to; moved, a location is looked for anew, or the one that is named.
    """

    def __init__(self, config: Config, server: Server, question: Question) -> None:
        self.uri, self.args = question.target.uri, question.target.args
        self.captures = NOTHING_CAPTURED
        self.settings: LocationSettings | None = None
        self.answer: Answer | None = None
        self.named = ""
        self.is_moved = self.is_uri_changed = self.is_internal = False
        self.is_location_valid = True
        self.passed: ProxyPass | None = None
        self._maps = config.maps
        self._set_variables = config.set_variables
        self._head = question.head
        self._is_ended = False
        self._is_known = True
        self._values = _values(server, question)

    def capture(self, captures: Captures) -> None:
        """Make what an expression captured the values of $1 to $9 and of its names."""
        if captures is not NOTHING_CAPTURED:
            self.captures = captures
            for name, number in captures.names.items():
                self._values[name] = captures.values[number]

    def run(self, instructions: Sequence[Instruction]) -> Iterator[str]:
        """Yield what a script does, a line each."""
        self.answer, self.is_moved, self._is_ended = None, False, False
        yield from self._run(instructions)

    def go_to(self, place: str) -> None:
        """Go on with a path and its arguments, or with "@name"."""
        self.is_internal = True
        self.answer = None
        self.named = place if place.startswith("@") else ""
        if not self.named:
            self.uri, _, self.args = place.partition("?")
            self.is_uri_changed = self.is_moved = True

    def __call__(self, name: str) -> str | None:
        """Return a variable's value, "$name" where only a real request has one."""
        if name.isdecimal():
            return self.captures.get(name)
        if name in ("uri", "document_uri"):
            return self.uri
        if name in ("args", "query_string", "is_args"):
            return self.args if name != "is_args" else "?" * bool(self.args)
        if name in ("proxy_host", "proxy_port") and self.passed is not None:
            default_port = 443 if self.passed.scheme == "https" else 80
            port = self.passed.port or default_port
            return self.passed.authority if name == "proxy_host" else str(port)
        if name in self._values:
            return self._values[name]
        return self._look_further(name)

    def _look_further(self, name: str) -> str:
        if (table := self._maps.get(name)) is not None:
            return self._look_up(name, table)
        if name.startswith("http_"):
            return self._head.headers.get(name.removeprefix("http_").replace("_", "-")) or ""
        if name.startswith("arg_"):
            pairs = (pair.partition("=") for pair in self.args.split("&"))
            return next((value for key, _, value in pairs if f"arg_{key.lower()}" == name), "")
        if name in self._set_variables:
            return ""  # its `set` has not run
        self._is_known = False
        return f"${name}"

    def _look_up(self, name: str, table: Map) -> str:
        """Return a map's value, which stays what it first was unless the map is volatile."""
        was_known, self._is_known = self._is_known, True
        self._values[name] = ""  # a map that refers to itself finds nothing
        template, matched = table.find(table.source.render(self))
        if not self._is_known:
            del self._values[name]
            return f"${name}"
        if matched is not None:
            names = next(regex.names for regex, found in table.regexes if found is template)
            self.capture(Captures(matched, names))
        self._values[name] = value = template.render(self)
        if table.volatile or not self._is_known:
            del self._values[name]
        self._is_known &= was_known
        return value

    def _run(self, instructions: Sequence[Instruction]) -> Iterator[str]:
        for one in instructions:
            match one:
                case Return():
                    text = one.text.render(self) if one.text is not None else ""
                    self.answer, self._is_ended = Answer(one.status, text), True
                case Rewrite():
                    yield from self._rewrite(one)
                case If():
                    yield from self._run_if(one)
                case SetVariable():
                    value = one.value.render(self)
                    self._assign(one.name, value)
                    yield f"  set: ${one.name} is {value!r}"
                case _:  # a Break
                    self._stop()
            if self._is_ended:
                return

    def _assign(self, name: str, value: str) -> None:
        if name == "args":
            self.args, self.is_uri_changed = value, True
        else:
            self._values[name] = value

    def _stop(self) -> None:
        """End the script where the path stays what it is: `break`."""
        if self.is_moved:
            self.is_location_valid = self.is_moved = False
        self._is_ended = True

    def _run_if(self, one: If) -> Iterator[str]:
        self._is_known = True
        holds = self._holds(one.condition)
        if not self._is_known:
            yield f"  {_show(one.condition)}: not to be known here, and taken as not so"
            return
        yield f"  {_show(one.condition)}: {'so' if holds else 'not so'}"
        if holds:
            self.settings = one.settings or self.settings
            yield from self._run(one.body)

    def _holds(self, condition: Condition) -> bool:
        subject = condition.subject.render(self)
        match condition.test:
            case Predicate.IS_SET:
                return subject not in ("", "0")
            case Predicate.EQUALS:
                assert isinstance(condition.operand, Template)
                return (subject == condition.operand.render(self)) is not condition.is_negated
            case Predicate.MATCHES:
                assert isinstance(condition.operand, Regex)
                return self._matches(condition.operand, subject) is not condition.is_negated
        self._is_known = False
        return False

    def _matches(self, regex: Regex, subject: str) -> bool:
        values = regex.search(subject)
        self.captures = NOTHING_CAPTURED
        if values is not None:
            self.capture(Captures(values, regex.names))
        return values is not None

    def _rewrite(self, rewrite: Rewrite) -> Iterator[str]:
        if not self._matches(rewrite.regex, self.uri):
            yield f"  rewrite {rewrite.regex.pattern}: it does not match {self.uri}"
            return
        kept = self.args if rewrite.keeps_args else ""
        path = rewrite.path.render(self)
        if rewrite.after is After.REDIRECT:
            joint = "&" if rewrite.has_query else "?"
            self.answer = Answer(rewrite.status, f"{path}{joint}{kept}" if kept else path)
            self._is_ended = True
            return
        own = rewrite.args.render(self) if rewrite.args is not None else ""
        self.uri, self.args = path, "&".join(filter(None, (own, kept)))
        self.is_internal = self.is_uri_changed = self.is_moved = True
        yield f"  rewrite {rewrite.regex.pattern}: the path is {path} now"
        if rewrite.after is After.BREAK:
            self._stop()
        self._is_ended = rewrite.after is not After.NEXT


def _values(server: Server, question: Question) -> dict[str, str]:
    """Return the variables that stay what they are on a request's way."""
    head, target = question.head, question.target
    return {
        "host": question.host,
        "scheme": question.scheme,
        "https": "on" if question.scheme == "https" else "",
        "request_method": head.method,
        "request_uri": target.request_uri,
        "server_port": str(question.port),
        "server_name": server.names[0].pattern if server.names else "",
        "server_protocol": "HTTP/1.1",
        "request": f"{head.method} {head.target} HTTP/1.1",
        "proxy_add_x_forwarded_for": "$remote_addr",
        "proxy_internal_body_length": "",
        "proxy_internal_chunked": "",
    }


def _show(condition: Condition) -> str:
    """Return a condition as it is written."""
    operand = condition.operand
    text = operand.pattern if isinstance(operand, Regex) else operand.text if operand else ""
    if condition.test is Predicate.EQUALS:
        text = text or '""'
    sign = ("!" if condition.is_negated else "") + condition.test.value
    if isinstance(operand, Regex) and operand.is_caseless:
        sign += "*"
    subject = condition.subject.text
    words = (sign, subject) if sign.endswith(("-f", "-d", "-e", "-x")) else (subject, sign, text)
    return f"if ({' '.join(filter(None, words))})"
