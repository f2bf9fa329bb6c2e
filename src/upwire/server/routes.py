"""`Routes`: which handler a path has."""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar, Unpack
from urllib.parse import unquote_to_bytes

from upwire.errors import LocalProtocolError
from upwire.net.websocket import Callbacks, WebSocket
from upwire.server.handler import check_handler, check_websocket_handler
from upwire.server.mounting import Mount
from upwire.server.options import EndpointKeywords, EndpointOptions
from upwire.server.request import Request
from upwire.server.response import Response
from upwire.server.static import StaticFolder

WebSocketHandler = Callable[[WebSocket], Awaitable[None]] | Callbacks
HttpHandler = Callable[[Request], Awaitable[Response]]

_WS = TypeVar("_WS", bound=WebSocketHandler)
_HTTP = TypeVar("_HTTP", bound=HttpHandler)
_PARAMETER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class WebSocketEndpoint:
    """The handler of a path's WebSockets, and what the path sets apart from the server."""

    handler: WebSocketHandler
    overrides: EndpointKeywords = field(default_factory=EndpointKeywords)


@dataclass(slots=True)
class Resource:
    """What lives at a path: a WebSocket endpoint, handlers by method, or both; or a mount alone.

    prefix: the path below which the mount has everything.
    """

    websocket: WebSocketEndpoint | None = None
    methods: dict[str, HttpHandler] = field(default_factory=dict)
    mount: Mount | None = None
    prefix: str = ""

    def handler_for(self, method: str) -> HttpHandler | None:
        """Return the method's handler; GET's answers HEAD as well. RFC 9110 §9.3.2."""
        if method == "HEAD" and "HEAD" not in self.methods:
            method = "GET"
        return self.methods.get(method)

    @property
    def allowed(self) -> str:
        """The methods for an Allow field. RFC 9110 §10.2.1."""
        methods = set(self.methods)
        if self.websocket is not None:
            methods.add("GET")
        if "GET" in self.methods:
            methods.add("HEAD")
        return ", ".join(sorted(methods))


@dataclass(frozen=True, slots=True)
class Match:
    """A resource, and what the braces of its path stand for, percent-decoded."""

    resource: Resource
    path_params: Mapping[str, str]


class Routes:
    """Paths and their handlers.

    A path is matched segment by segment. `{name}` stands for one segment that is not empty;
    its text is in path_params. Where several paths match, one without braces wins, then the
    one that was added first, then the longest static folder or mount.
    """

    def __init__(self) -> None:
        self._literal: dict[tuple[str, ...], Resource] = {}
        self._patterns: dict[tuple[str, ...], Resource] = {}
        self._folders: dict[tuple[str, ...], Resource] = {}

    def websocket(self, path: str, **overrides: Unpack[EndpointKeywords]) -> Callable[[_WS], _WS]:
        """Return a decorator that makes the function the handler of the path's WebSockets.

        `routes.websocket("/path")(callbacks)` does so with an object of Callbacks.
        overrides replace the server's own origins, subprotocols, limits and so on there.
        """

        EndpointOptions(**overrides)  # raises for a wrong one here, not at the first handshake

        def add(handler: _WS) -> _WS:
            check_websocket_handler(handler)
            resource = self._resource_at(path)
            if resource.websocket is not None:
                raise LocalProtocolError(f"{path} has a WebSocket handler already")
            resource.websocket = WebSocketEndpoint(handler, overrides)
            return handler

        return add

    def route(self, method: str, path: str) -> Callable[[_HTTP], _HTTP]:
        """Return a decorator that makes the function the handler of a method of the path."""

        def add(handler: _HTTP) -> _HTTP:
            check_handler(handler, "request")
            resource = self._resource_at(path)
            if method in resource.methods:
                raise LocalProtocolError(f"{path} has a handler for {method} already")
            resource.methods[method] = handler
            return handler

        return add

    def get(self, path: str) -> Callable[[_HTTP], _HTTP]:
        """Return `route("GET", path)`; it answers HEAD as well."""
        return self.route("GET", path)

    def post(self, path: str) -> Callable[[_HTTP], _HTTP]:
        """Return `route("POST", path)`."""
        return self.route("POST", path)

    def put(self, path: str) -> Callable[[_HTTP], _HTTP]:
        """Return `route("PUT", path)`."""
        return self.route("PUT", path)

    def delete(self, path: str) -> Callable[[_HTTP], _HTTP]:
        """Return `route("DELETE", path)`."""
        return self.route("DELETE", path)

    def static(
        self,
        prefix: str,
        directory: str | os.PathLike[str],
        *,
        cache_control: str = "no-cache",
    ) -> None:
        """Answer every path below the prefix with a file below the directory.

        Raises LocalProtocolError if the directory is not there. By default a client keeps its copy
        and asks each time whether it is still right.
        """
        above = self._free_prefix(prefix)
        folder = StaticFolder(directory, cache_control=cache_control)

        async def answer(request: Request) -> Response:
            segments = split_path(request.path) or ()
            return await folder.answer(request, segments[len(above) :])

        self._folders[above] = Resource(methods={"GET": answer})

    def mount(self, prefix: str, application: Mount) -> None:
        """Let an application, such as an AsgiApplication, answer every path below the prefix."""
        if not isinstance(application, Mount):
            example = "routes.mount(prefix, upwire.AsgiApplication(app))"
            raise LocalProtocolError(f"{application!r:.80} is no mount; {example}")
        above = self._free_prefix(prefix)
        self._folders[above] = Resource(mount=application, prefix=prefix.rstrip("/"))

    @property
    def mounts(self) -> list[Mount]:
        """The applications that were mounted, each once."""
        mounted = (resource.mount for resource in self._folders.values())
        return list(dict.fromkeys(mount for mount in mounted if mount is not None))

    def match(self, path: str) -> Match | None:
        """Return what lives at a path as a request has it, percent-encoded; None if nothing."""
        segments = split_path(path)
        if segments is None:
            return None
        if segments in self._literal:
            return Match(self._literal[segments], {})
        for pattern, resource in self._patterns.items():
            values = _match_segments(pattern, segments)
            if values is not None:
                return Match(resource, values)
        return self._match_folder(segments)

    def _match_folder(self, segments: tuple[str, ...]) -> Match | None:
        for count in range(len(segments), -1, -1):
            if segments[:count] in self._folders:
                return Match(self._folders[segments[:count]], {})
        return None

    def _free_prefix(self, prefix: str) -> tuple[str, ...]:
        """Return the segments of a prefix that nothing has yet."""
        above = _split_route(prefix.rstrip("/")) if prefix != "/" else ()
        if above in self._folders:
            raise LocalProtocolError(f"{prefix} is a mount or a static folder already")
        return above

    def _resource_at(self, path: str) -> Resource:
        segments = _split_route(path)
        names = [found[1] for segment in segments if (found := _PARAMETER.fullmatch(segment))]
        if len(names) != len(set(names)):
            raise LocalProtocolError(f"{path} names a parameter twice")
        if names:
            return self._patterns.setdefault(segments, Resource())
        if "{" in path or "}" in path:
            raise LocalProtocolError(f"{path}: braces hold a name and fill a whole segment")
        return self._literal.setdefault(segments, Resource())


def split_path(path: str) -> tuple[str, ...] | None:
    """Return the segments of an absolute path, percent-decoded; None if they are not UTF-8.

    A path that ends in a slash has an empty last segment.
    """
    if "%" not in path and path.isascii():
        return tuple(path[1:].split("/"))
    try:
        return tuple(
            unquote_to_bytes(segment.encode("latin-1")).decode() for segment in path[1:].split("/")
        )
    except UnicodeError:
        return None


def _match_segments(pattern: Sequence[str], segments: Sequence[str]) -> dict[str, str] | None:
    """Return the parameters' values if the segments fit the pattern."""
    if len(pattern) != len(segments):
        return None
    values: dict[str, str] = {}
    for expected, segment in zip(pattern, segments, strict=True):
        parameter = _PARAMETER.fullmatch(expected)
        if parameter is None:
            if expected != segment:
                return None
        elif not segment:
            return None
        else:
            values[parameter[1]] = segment
    return values


def _split_route(path: str) -> tuple[str, ...]:
    """Return the segments of a route. Raises LocalProtocolError for what is no path."""
    if not path.startswith("/") or "?" in path or "#" in path:
        raise LocalProtocolError(f"{path!r} is not a path: it begins with / and has no ? and no #")
    return tuple(path[1:].split("/"))
