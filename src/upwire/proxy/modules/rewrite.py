"""ngx_http_rewrite_module: `rewrite`, `return`, `break`, `set` and `if`, in the file's order."""

from __future__ import annotations

import os
import re
import stat

from upwire.conf.model import (
    After,
    Break,
    Condition,
    If,
    Instruction,
    Predicate,
    Return,
    Rewrite,
    SetVariable,
)
from upwire.conf.regex import Regex
from upwire.conf.variables import Lookup, Template
from upwire.proxy.body import discard_waiting
from upwire.proxy.modules.static import content_type
from upwire.proxy.request import Handled, Outcome, Phase, Request
from upwire.proxy.response import respond
from upwire.proxy.route import NOTHING_CAPTURED, Captures

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# NGX_ESCAPE_ARGS: what would end or split an argument.
_UNSAFE_IN_ARGS = re.compile(r"[\x00-\x20\"#%&+;<>?\\^`{|}\x7f-\xff]")
_QUESTION_MARK = re.compile(r"\?|%3[Ff]")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")


async def run_for_server(request: Request) -> Handled:
    """Run the server's instructions, before a location is looked for."""
    if not request.server.rewrite:
        return None
    return await _Script(request).run(request.server.rewrite)


async def run_for_location(request: Request) -> Handled:
    """Run the location's instructions; a changed path finds its location anew."""
    location = request.location
    if location is None or not location.rewrite:
        return None
    script = _Script(request)
    handled = await script.run(location.rewrite)
    if handled is not None or not script.is_uri_changed:
        return handled
    return request.enter(Phase.FIND_CONFIG)


class _Script:
    """One run of instructions.

    is_uri_changed: a location has to be found for the new path. escapes_captures: nginx escapes
    captures of a path that the client had escaped, until a `rewrite` has matched.
    """

    __slots__ = ("_escapes_captures", "_is_ended", "_request", "is_uri_changed")

    def __init__(self, request: Request) -> None:
        self._request = request
        self._escapes_captures = True
        self._is_ended = False
        self.is_uri_changed = False

    async def run(self, instructions: tuple[Instruction, ...]) -> Handled:
        """Run instructions until one ends the script; None where no response comes of them."""
        for instruction in instructions:
            match instruction:
                case Return():
                    self._is_ended = True
                    return await answer(self._request, instruction)
                case Rewrite():
                    handled = self._rewrite(instruction)
                case If():
                    handled = await self._run_if(instruction)
                case SetVariable():
                    value = self._render(instruction.value, escapes=self._escapes_captures)
                    self._request.assign(instruction.name, value)
                    handled = None
                case Break():
                    self._stop()
                    handled = None
            if handled is not None or self._is_ended:
                return handled
        return None

    def _stop(self) -> None:
        """End the script where the path stays what it is: `break`."""
        if self.is_uri_changed:
            self._request.is_location_valid = False
            self.is_uri_changed = False
        self._is_ended = True

    async def _run_if(self, instruction: If) -> Handled:
        if not self._holds(instruction.condition):
            return None
        if instruction.settings is not None:
            self._request.settings = instruction.settings
        return await self.run(instruction.body)

    def _holds(self, condition: Condition) -> bool:
        subject = self._render(condition.subject, escapes=self._escapes_captures)
        match condition.test:
            case Predicate.IS_SET:
                return subject not in ("", "0")
            case Predicate.EQUALS:
                assert isinstance(condition.operand, Template)
                other = self._render(condition.operand, escapes=self._escapes_captures)
                return (subject == other) is not condition.is_negated
            case Predicate.MATCHES:
                assert isinstance(condition.operand, Regex)
                return self._matches(condition.operand, subject) is not condition.is_negated
            case _:
                return _is_file(self._request, condition.test, subject) is not condition.is_negated

    def _matches(self, regex: Regex, subject: str) -> bool:
        request = self._request
        values = regex.search(subject)
        is_logged = request.settings.rewrite_log
        if values is None:
            if is_logged:
                request.log("notice", f'"{regex.pattern}" does not match "{subject}"')
            request.captures = NOTHING_CAPTURED
            return False
        if is_logged:
            request.log("notice", f'"{regex.pattern}" matches "{subject}"')
        request.capture(Captures(values, regex.names))
        return True

    def _rewrite(self, rewrite: Rewrite) -> Handled:
        """Change the path, or redirect the client, where the path matches."""
        request = self._request
        if not self._matches(rewrite.regex, request.uri):
            return None
        request.is_internal = True
        request.is_uri_changed = True
        if rewrite.after is After.REDIRECT:
            return self._redirect(rewrite)
        self._escapes_captures = False
        uri = self._render(rewrite.path, escapes=False)
        args = request.args if rewrite.keeps_args else ""
        if rewrite.args is not None:
            own = self._render(rewrite.args, escapes=True)
            args = f"{own}&{args}" if args else own
        if request.settings.rewrite_log:
            request.log("notice", f'rewritten data: "{uri}", args: "{args}"')
        if not uri:
            request.log("error", "the rewritten URI has a zero length")
            return 500
        request.uri, request.args = uri, args
        self.is_uri_changed = True
        if rewrite.after is After.BREAK:
            self._stop()
        self._is_ended = rewrite.after is not After.NEXT
        return None

    def _redirect(self, rewrite: Rewrite) -> int:
        request = self._request
        url = _unescape_redirect(self._render(rewrite.path, escapes=True))
        if rewrite.keeps_args and request.args:
            url += f"{'&' if rewrite.has_query else '?'}{request.args}"
        if request.settings.rewrite_log:
            request.log("notice", f'rewritten redirect: "{url}"')
        request.redirect_to = url
        return rewrite.status

    def _render(self, template: Template, *, escapes: bool) -> str:
        lookup: Lookup = self._request.lookup
        if escapes and _is_path_escaped(self._request):
            lookup = _with_escaped_captures(lookup)
        return template.render(lookup)


async def answer(request: Request, directive: Return) -> Handled:
    """Answer with what a `return` says."""
    refused = await discard_waiting(request)
    if refused is not None:
        return refused
    text = directive.text.render(request.lookup) if directive.text is not None else ""
    if directive.status in _REDIRECTS:
        request.redirect_to = text
        return directive.status
    if directive.status >= 400 and not text:
        return directive.status
    media_type = content_type(request)
    fields = [("Content-Type", media_type)] if media_type and directive.status != 204 else []
    await respond(request, directive.status, fields, text.encode("latin-1", "replace"))
    return Outcome.DONE


def _with_escaped_captures(lookup: Lookup) -> Lookup:
    def look_up(name: str) -> str | None:
        value = lookup(name)
        if value is None or not name.isdecimal():
            return value
        return _UNSAFE_IN_ARGS.sub(lambda octet: f"%{ord(octet[0]):02X}", value)

    return look_up


def _is_path_escaped(request: Request) -> bool:
    """Whether the client's own path held "%" or "+", so that captures have lost their escapes."""
    path = request.target.request_uri.partition("?")[0]
    return request.main is request and ("%" in path or "+" in path)


def _unescape_redirect(url: str) -> str:
    """Decode what needs no escape in a URL, up to its query; "%3F" begins one, as in nginx."""
    end = found.start() if (found := _QUESTION_MARK.search(url)) else len(url)
    query = _ESCAPE.sub("?", url[end:], count=1) if url.startswith("%", end) else url[end:]
    return _ESCAPE.sub(_decode_if_plain, url[:end]) + query


def _decode_if_plain(escape: re.Match[str]) -> str:
    octet = int(escape[1], 16)
    return chr(octet) if ord("%") < octet < 0x7F else escape[0]


def _is_file(request: Request, test: Predicate, path: str) -> bool:
    """Whether a file is there and what the test asks for; links are followed."""
    try:
        facts = os.stat(os.path.join(request.cycle.prefix, path).encode("latin-1"))
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL in the name
        return False
    except OSError as error:
        request.log("crit", f'stat() "{path}" failed ({error.errno}: {error.strerror})')
        return False
    is_regular, is_directory = stat.S_ISREG(facts.st_mode), stat.S_ISDIR(facts.st_mode)
    match test:
        case Predicate.IS_FILE:
            return is_regular
        case Predicate.IS_DIRECTORY:
            return is_directory
        case Predicate.EXISTS:
            return is_regular or is_directory
        case _:
            return bool(facts.st_mode & stat.S_IXUSR)
