"""One request from its head to its line in the log: nginx's phases, in nginx's order."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from upwire.conf.model import LocationSettings
from upwire.conf.regex import RegexFailed
from upwire.errors import RemoteProtocolError, StreamError
from upwire.proxy.body import is_too_large
from upwire.proxy.modules import (
    access,
    auth_basic,
    auth_request,
    autoindex,
    empty_gif,
    gzip_static,
    index,
    limit_conn,
    limit_req,
    mirror,
    proxy,
    realip,
    rewrite,
    ssl,
    static,
    stub_status,
    try_files,
)
from upwire.proxy.output import Refused
from upwire.proxy.request import Handled, Outcome, Phase, Request
from upwire.proxy.special_response import answer
from upwire.proxy.target import escape_path, has_port, parse_host, parse_target
from upwire.wire.fields import Headers

_METHOD = re.compile(r"[A-Z_-]+")

Handler = Callable[[Request], Awaitable[Handled]]
Plan = tuple[tuple[Phase, tuple[Handler, ...]], ...]


@dataclass(frozen=True, slots=True)
class Course:
    """A plan laid out for running: each handler with its phase, in their order.

    starts: by phase, and for the end of all, where in steps it begins.
    """

    steps: tuple[tuple[Phase, Handler], ...]
    starts: tuple[int, ...]


async def find_config(request: Request) -> Handled:
    """Choose the location for the path, and hold the request to its limits."""
    route = request.cycle.router.locations_of(request.server).find(request.uri)
    request.settle(route.location)
    _limit_methods(request)
    request.capture(route.captures)
    if request.settings.internal and not request.is_internal:
        return 404
    if is_too_large(request):
        return 413
    if route.is_redirect and route.location is not None:
        request.redirect_to = escape_path(route.location.pattern)
        if request.args:
            request.redirect_to += f"?{request.args}"
        return 301
    return None


def _limit_methods(request: Request) -> None:
    """Let the settings of `limit_except` hold for the methods that it does not name."""
    limited = request.location.limit_except if request.location is not None else None
    if limited is not None and request.method not in limited.methods:
        request.settings = limited.settings


async def refuse_unknown_handler(request: Request) -> Handled:
    """Answer 501 where a directive answers that is accepted and not acted on.

    The files below root, which come last, would show a FastCGI program's source.
    """
    request.log("error", f'"{request.settings.handler}" is not acted on')
    return 501


def _has_unknown_handler(settings: LocationSettings) -> bool:
    return settings.handler not in (None, "proxy_pass", "stub_status", "empty_gif")


PHASES: Plan = (
    (Phase.POST_READ, (realip.change_address,)),
    (Phase.SERVER_REWRITE, (rewrite.run_for_server,)),
    (Phase.FIND_CONFIG, (find_config,)),
    (Phase.REWRITE, (rewrite.run_for_location,)),
    (Phase.PREACCESS, (realip.change_address, limit_req.check, limit_conn.check)),
    (Phase.ACCESS, (access.check, auth_basic.check, auth_request.check)),
    (Phase.PRECONTENT, (try_files.choose, mirror.copy)),
    (
        Phase.CONTENT,
        (
            refuse_unknown_handler,
            proxy.answer,
            stub_status.answer,
            empty_gif.answer,
            index.answer,
            autoindex.answer,
            gzip_static.answer,
            static.answer,
        ),
    ),
)
"""Every handler that a request meets, in the order of Phase, until one of them answers."""

_NEEDS: dict[Handler, Callable[[LocationSettings], object]] = {
    realip.change_address: lambda settings: settings.real_ip,
    limit_req.check: lambda settings: settings.limit_req.limits,
    limit_conn.check: lambda settings: settings.limit_conn.limits,
    access.check: lambda settings: settings.access,
    auth_basic.check: lambda settings: settings.auth_basic,
    auth_request.check: lambda settings: settings.auth_request.uri,
    try_files.choose: lambda settings: settings.try_files,
    mirror.copy: lambda settings: settings.mirror.uris,
    refuse_unknown_handler: _has_unknown_handler,
    proxy.answer: lambda settings: settings.proxy.pass_,
    stub_status.answer: lambda settings: settings.handler == "stub_status",
    empty_gif.answer: lambda settings: settings.handler == "empty_gif",
    autoindex.answer: lambda settings: settings.autoindex.is_on,
}
"""Where these settings are not, a handler has nothing to do, and no request meets it."""

_UNIQUE = frozenset(
    {
        *("authorization", "proxy-authorization", "expect", "content-range", "if-range"),
        *("if-match", "if-none-match", "if-modified-since", "if-unmodified-since"),
    }
)
_REFUSALS = frozenset({401, 403, 407})  # what `satisfy any` lets another handler overrule
_CHALLENGES = frozenset({"www-authenticate", "proxy-authenticate"})


class Exchange:
    """Runs the phases for one request; however they end, `finish()` is the way out."""

    __slots__ = ("_request",)

    def __init__(self, request: Request) -> None:
        self._request = request
        request.runner = run_subrequest

    async def run(self) -> None:
        """Answer the request. Raises StreamError where its connection is not to be used again."""
        request = self._request
        counters = request.cycle.counters
        counters.in_flight += 1
        try:
            handled = self._begin()
            if handled is None:
                handled = await run_phases(request)
            while handled is not Outcome.DONE:
                handled = await go_on(request, handled)
        except StreamError:
            request.reply.is_cut = True
            request.log("info", "client prematurely closed connection while sending to client")
            raise
        except asyncio.CancelledError:
            request.reply.is_cut = True
            raise
        finally:
            counters.in_flight -= 1
            try:
                if request.beside:
                    await self._end_beside()
            finally:
                self.finish()
        if request.reply.is_cut:
            await _cut(request)

    def finish(self) -> None:
        """Release the peer, count the request, and write its line."""
        request = self._request
        _release(request)
        for end in request.at_end:
            end()
        if request.body is not None:
            request.body.close(is_kept=request.settings.client_body.in_file_only == "on")
        if not request.is_switched:  # otherwise the tunnel has what its end takes
            request.cycle.counters.statuses[request.reply.status] += 1
            request.log("debug", f"http request ended: {request.reply.status}, {request.uri!r}")
            _log(request)
        request.dissolve()

    async def _end_beside(self) -> None:
        """Wait for the subrequests that ran beside; an answer that is cut ends them."""
        beside = self._request.beside
        if self._request.reply.is_cut:
            for task in beside:
                task.cancel()
        for ended in await asyncio.gather(*beside, return_exceptions=True):
            if isinstance(ended, Exception):
                self._request.log("error", f"subrequest failed: {ended}")

    def _begin(self) -> Handled:
        """Find the server; return what a request without a right target gets, which ends there."""
        try:
            handled = self._read_target()
        except RegexFailed as error:
            handled = fail_match(self._request, error)
        self._request.is_last = handled is not None
        return handled

    def _read_target(self) -> Handled:
        """Take the request's host and path apart, and choose its server."""
        request = self._request
        if request.method == "CONNECT":  # its target is neither a path nor a URL
            request.log("info", "client sent CONNECT method")
            return 405 if has_port(request.head.target) else 400
        if (repeated := _find_repeated(request.head.headers)) is not None:
            request.log("info", f'client sent duplicate header line: "{repeated}"')
            return 400
        host = request.head.headers.get("Host")
        try:
            target = parse_target(request.head.target, merge_slashes=request.server.merge_slashes)
            request.address(target)
            name = target.host or host
            if name is not None:
                request.host, request.host_port = parse_host(name)
        except RemoteProtocolError as error:
            request.log("info", f"client sent invalid request: {error.message}")
            return error.status
        found = request.client.servers.find_named(request.host)
        if found is not None:
            request.server, captures = found
            request.capture(captures)
        request.settle(None)
        misdirected = ssl.check_host(request, is_known=found is not None)
        if misdirected is not None:
            return misdirected
        if not _METHOD.fullmatch(request.method):
            request.log("info", f"client sent invalid method {request.method}")
            return 400
        if request.method == "TRACE":
            request.log("info", "client sent TRACE method")
            return 405
        return ssl.check_client(request)


def _find_repeated(headers: Headers) -> str | None:
    """Return a field that may have one line only and has several, as nginx refuses them."""
    names = [name.lower() for name in headers]
    if len(set(names)) == len(names):
        return None
    return next((name for name in names if name in _UNIQUE and names.count(name) > 1), None)


async def run_subrequest(request: Request) -> None:
    """Answer a subrequest; its content goes to its sink."""
    try:
        handled = await run_phases(request)
        while handled is not Outcome.DONE:
            handled = await go_on(request, handled)
    finally:
        _release(request)
    if request.settings.log_subrequest:
        _log(request)


async def go_on(request: Request, handled: Handled) -> Handled:
    """Act on what the phases gave: run them anew, or answer with a status."""
    try:
        if handled is Outcome.RESTART:
            return await run_phases(request)
        assert isinstance(handled, int)
        if not request.wants_pages:
            request.reply.status = handled
            return Outcome.DONE
        return await answer(request, handled)
    except Refused as refused:
        return refused.status


async def run_phases(request: Request) -> Handled:
    """Run the handlers from the request's `entry` on until one answers; 404 where none does."""
    try:
        settings = request.settings
        course = _find_course(request)
        at = course.starts[request.entry]
        while at < len(course.steps):
            phase, handler = course.steps[at]
            handled = await handler(request)
            if handled is not None:
                return handled
            at += 1
            if request.settings is not settings:
                settings = request.settings
                course = _find_course(request)
                at = course.starts[phase + 1]
    except RegexFailed as error:
        return fail_match(request, error)
    except Refused as refused:
        return refused.status
    return 404


def _find_course(request: Request) -> Course:
    settings = request.settings
    course = request.cycle.courses.get(id(settings))
    if course is None:
        course = request.cycle.courses[id(settings)] = _lay_out(needed_plan(settings))
    return course


def _lay_out(plan: Plan) -> Course:
    steps: list[tuple[Phase, Handler]] = []
    starts = []
    for phase, handlers in plan:
        starts.append(len(steps))
        if phase is Phase.ACCESS and handlers:
            handlers = (partial(_check_access, handlers),)
        steps += [(phase, handler) for handler in handlers]
    return Course(tuple(steps), (*starts, len(steps)))


def needed_plan(settings: LocationSettings) -> Plan:
    """Return PHASES with those handlers alone that have something to do for these settings."""
    return tuple(
        (phase, tuple(one for one in handlers if one not in _NEEDS or _NEEDS[one](settings)))
        for phase, handlers in PHASES
    )


async def _check_access(handlers: tuple[Handler, ...], request: Request) -> Handled:
    """Ask the handlers of the access phase, all or any of which `satisfy` wants to be content.

    A subrequest gets in where its main request has got in.
    """
    if request.main is not request:
        return None
    is_any_enough = request.settings.satisfy == "any"
    refusal: Handled = None
    for handler in handlers:
        handled = await handler(request)
        if handled is Outcome.ALLOWED and is_any_enough:
            request.added_fields[:] = [
                field for field in request.added_fields if field[0].lower() not in _CHALLENGES
            ]
            return None
        if handled is None or handled is Outcome.ALLOWED:
            continue
        if not is_any_enough or handled not in _REFUSALS:
            return await _refuse_access(request, handled)
        refusal = handled if refusal in (None, 403) else refusal
    if refusal == 403:
        request.log("error", "access forbidden by rule")
    return await _refuse_access(request, refusal)


async def _refuse_access(request: Request, handled: Handled) -> Handled:
    """Return what the access phase gave; `auth_delay` makes guessing slow."""
    delay_s = request.settings.auth_delay_s
    if delay_s and handled in (401, 407):
        request.log("info", "delaying unauthorized request")
        await asyncio.sleep(delay_s)
    return handled


def fail_match(request: Request, error: RegexFailed) -> int:
    """Log an expression that gave no answer, and return nginx's status for it."""
    request.log("alert", str(error))
    return 500


async def _cut(request: Request) -> None:
    """End the connection behind what was sent, so that a content that is cut is seen to be."""
    assert request.http is not None
    stream = request.http.stream
    stream.close()
    await stream.wait_closed()
    raise StreamError("the response was cut", doing="answering")


def _release(request: Request) -> None:
    """Give back the peer that a request still holds."""
    hold, request.hold = request.hold, None
    if hold is not None:
        hold.release(has_failed=False)
        request.tries[-1].end(request.cycle.clock())


def _log(request: Request) -> None:
    """Write the request's line of the access log."""
    failure = request.cycle.access_logger(request.settings).write(request.lookup)
    if failure is not None:
        request.log("crit", f'open() "{failure.filename}" failed ({failure.strerror})')
