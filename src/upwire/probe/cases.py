"""The table of requests: each differs in one thing from the handshake that should open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from upwire.client.url import WebSocketUrl
from upwire.probe.echo_backend import ANSWER_FIELD
from upwire.wire.deflate import DeflateOptions, build_offer
from upwire.wire.fields import Headers
from upwire.wire.handshake import build_request
from upwire.wire.http1 import RequestHead

EVIL_ORIGIN = "https://evil.example"
OFFERED_SUBPROTOCOL = "upwire-probe"
COOKIE_OCTETS = 16384
ANSWER_OCTETS = 6000
LISTED_FIELD = "X-Upwire-Listed"
UNDERSCORE_FIELD = "X_Upwire_Probe"
PROBE_QUERY = "upwire-probe=1"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user wants opened. headers: more fields. origin: "" sends none."""

    url: WebSocketUrl
    key: str
    headers: tuple[tuple[str, str], ...] = ()
    subprotocols: tuple[str, ...] = ()
    origin: str = ""

    @property
    def own_origin(self) -> str:
        """The Origin of a page of the same host, or the one that was asked for."""
        scheme = "https" if self.url.is_secure else "http"
        return self.origin or f"{scheme}://{self.url.authority}"


@dataclass(frozen=True, slots=True)
class Case:
    """One request. make: how it comes from what is asked."""

    name: str
    title: str
    make: Callable[[Asked], RequestHead]


def handshake(asked: Asked) -> RequestHead:
    """The handshake of a page on the same host."""
    fields = list(asked.headers)
    if asked.url.authorization is not None:
        fields.append(("Authorization", asked.url.authorization))
    return build_request(
        asked.url.authority,
        asked.url.resource,
        asked.key,
        headers=fields,
        subprotocols=asked.subprotocols,
        origin=asked.own_origin,
    )


def at_resource(asked: Asked, resource: str) -> RequestHead:
    """The handshake for another path of the same server."""
    return replace(handshake(asked), target=resource)


def plain(asked: Asked) -> RequestHead:
    """A GET that asks for no upgrade."""
    return _without(
        handshake(asked),
        *("Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version"),
        *("Sec-WebSocket-Protocol", "Origin"),
    )


def other_slash(resource: str) -> str:
    """The path with a slash at its end where it had none, and without where it had one."""
    path, mark, query = resource.partition("?")
    turned = path.rstrip("/") if path.endswith("/") else f"{path}/"
    return (turned or "/") + mark + query


def without_extension(resource: str) -> str:
    """The path without what follows the last dot of its last part."""
    path = resource.partition("?")[0]
    folder, slash, last = path.rpartition("/")
    return folder + slash + last.rpartition(".")[0]


def _with(head: RequestHead, *fields: tuple[str, str]) -> RequestHead:
    headers = head.headers.copy()
    for name, value in fields:
        headers.set(name, value)
    return replace(head, headers=headers)


def _without(head: RequestHead, *names: str) -> RequestHead:
    headers = head.headers.copy()
    for name in names:
        headers.remove(name)
    return replace(head, headers=headers)


def _lower_names(asked: Asked) -> RequestHead:
    head = handshake(asked)
    lowered = [(name.lower(), value) for name, value in head.headers.items()]
    return replace(head, headers=Headers(lowered))


def _offers(asked: Asked) -> RequestHead:
    offered = ", ".join(asked.subprotocols) or OFFERED_SUBPROTOCOL
    return _with(
        handshake(asked),
        ("Sec-WebSocket-Protocol", offered),
        ("Sec-WebSocket-Extensions", build_offer(DeflateOptions())),
    )


def _queried(asked: Asked) -> RequestHead:
    resource = asked.url.resource
    target = f"{resource}{'&' if '?' in resource else '?'}{PROBE_QUERY}"
    return replace(_with(handshake(asked), (UNDERSCORE_FIELD, "1")), target=target)


def _post(asked: Asked) -> RequestHead:
    return replace(_with(handshake(asked), ("Content-Length", "0")), method="POST")


def _h2c(asked: Asked) -> RequestHead:
    return _with(
        plain(asked),
        ("Upgrade", "h2c"),
        ("Connection", "Upgrade, HTTP2-Settings"),
        ("HTTP2-Settings", "AAMAAABkAAQAAP__"),
    )


def _cookie(asked: Asked) -> RequestHead:
    return _with(handshake(asked), ("Cookie", f"upwire-probe={'x' * COOKIE_OCTETS}"))


def _listed(asked: Asked) -> RequestHead:
    return _with(handshake(asked), ("Connection", f"Upgrade, {LISTED_FIELD}"), (LISTED_FIELD, "1"))


HANDSHAKE = Case("handshake", "handshake", handshake)

VARIANTS = (
    Case("plain", "plain GET", plain),
    Case("no-origin", "no Origin", lambda asked: _without(handshake(asked), "Origin")),
    Case(
        "evil-origin",
        f"Origin {EVIL_ORIGIN}",
        lambda asked: _with(handshake(asked), ("Origin", EVIL_ORIGIN)),
    ),
    Case(
        "capitals",
        "Upgrade: WebSocket",
        lambda asked: _with(handshake(asked), ("Upgrade", "WebSocket"), ("Connection", "UPGRADE")),
    ),
    Case("lower", "names of fields in lower case", _lower_names),
    Case(
        "keep-alive",
        "Connection: keep-alive, Upgrade",
        lambda asked: _with(handshake(asked), ("Connection", "keep-alive, Upgrade")),
    ),
    Case("listed", f"Connection: Upgrade, {LISTED_FIELD}", _listed),
    Case("offers", "a subprotocol and deflate offered", _offers),
    Case("query", "a query, and a field with underscores", _queried),
    Case(
        "version-12",
        "version 12",
        lambda asked: _with(handshake(asked), ("Sec-WebSocket-Version", "12")),
    ),
    Case("http-1.0", "HTTP/1.0", lambda asked: replace(handshake(asked), version=(1, 0))),
    Case("post", "POST", _post),
    Case("h2c", "Upgrade: h2c", _h2c),
    Case("slash", "the path's slash", lambda a: at_resource(a, other_slash(a.url.resource))),
    Case("cookie", f"a cookie of {COOKIE_OCTETS // 1024} KiB", _cookie),
)
"""What is asked besides the handshake, each once a path."""

BIG_ANSWER = Case(
    "big-answer",
    f"an answer's head of {ANSWER_OCTETS} octets",
    lambda asked: _with(handshake(asked), (ANSWER_FIELD, str(ANSWER_OCTETS))),
)
"""Asked where a backend of ours is at the other end."""
