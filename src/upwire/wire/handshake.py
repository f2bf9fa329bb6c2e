"""The opening handshake, both sides, as functions on heads. RFC 6455 §4.

What is refused says how to mend it. Behind nginx that is usually a directive, since nginx forwards
neither Upgrade nor Connection unless it is told to.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from upwire.errors import HandshakeRefused, LocalProtocolError, RemoteProtocolError, printable
from upwire.wire.deflate import (
    DeflateOptions,
    DeflateParameters,
    accept_offer,
    build_offer,
    check_answer,
)
from upwire.wire.fields import Headers, has_token, is_token, parse_list, tokens
from upwire.wire.http1 import (
    BodyKind,
    RequestHead,
    ResponseHead,
    check_host,
    reason_phrase,
    request_framing,
)

VERSION = "13"

SENTENCE_LENGTH = 200
"""How many characters of a refusal's content are shown with it."""

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # §1.3
_KEY = re.compile(r"[A-Za-z0-9+/]{22}==")  # 16 octets in base64
_KEY_OCTETS = 16
_UPGRADE_FIELDS = (("Upgrade", "websocket"), ("Connection", "Upgrade"))
_VERSION_FIELDS = (*_UPGRADE_FIELDS, ("Sec-WebSocket-Version", VERSION))

_SET_VERSION = "proxy_http_version 1.1;"
_SET_UPGRADE = "proxy_set_header Upgrade $http_upgrade;"
_SET_CONNECTION = 'proxy_set_header Connection "upgrade";'
_NGINX_NEEDS = "in nginx the location needs"
_ALL_THREE = f"behind a proxy, {_NGINX_NEEDS} {_SET_VERSION} {_SET_UPGRADE} {_SET_CONNECTION}"
_TO_MEND = "To mend it: "
_MENDS = {  # what a status other than 101 usually means to a client
    200: "the path answers plain HTTP: use the path of the WebSocket endpoint",
    400: _ALL_THREE,
    401: "send credentials",
    403: "send an Origin that the server allows, or credentials",
    404: "use the path of the WebSocket endpoint",
    426: _ALL_THREE,
    502: "start the server behind the proxy, or mend the address in proxy_pass",
    503: "try again later",
    504: "see why the server behind the proxy does not answer",
}


@dataclass(frozen=True, slots=True)
class ServerPolicy:
    """What a server asks of handshakes.

    origins: those allowed, and None where a request may have no Origin; no tuple: any request.
    subprotocols: what the server speaks, the one that it likes best first.
    select_subprotocol: chooses from the client's offers in its place; None is none of them.
    deflate: None never compresses.
    """

    origins: tuple[str | None, ...] | None = None
    subprotocols: tuple[str, ...] = ()
    select_subprotocol: Callable[[Sequence[str]], str | None] | None = None
    deflate: DeflateOptions | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """What both sides agreed on: Sec-WebSocket-Accept, the subprotocol, compression.

    extensions: the value of Sec-WebSocket-Extensions in the answer, "" for no such field.
    """

    accept: str
    subprotocol: str | None = None
    deflate: DeflateParameters | None = None
    extensions: str = ""

    def response(self, headers: Iterable[tuple[str, str]] = ()) -> ResponseHead:
        """The server's answer, with more fields at its end. §4.2.2."""
        answer = Headers((*_UPGRADE_FIELDS, ("Sec-WebSocket-Accept", self.accept)))
        if self.subprotocol is not None:
            answer.add("Sec-WebSocket-Protocol", self.subprotocol)
        if self.extensions:
            answer.add("Sec-WebSocket-Extensions", self.extensions)
        for name, value in headers:
            answer.add(name, value)
        return ResponseHead(101, reason_phrase(101), (1, 1), answer)


def make_key(octets: bytes) -> str:
    """Sec-WebSocket-Key from 16 octets, which must be random and new for each handshake. §4.1."""
    if len(octets) != _KEY_OCTETS:
        raise LocalProtocolError(f"a key has {_KEY_OCTETS} octets, not {len(octets)}")
    return base64.b64encode(octets).decode("ascii")


def compute_accept(key: str) -> str:
    """Sec-WebSocket-Accept for a Sec-WebSocket-Key. §4.2.2, item 5.4."""
    digest = hashlib.sha1(key.encode("latin-1") + _GUID, usedforsecurity=False).digest()
    return base64.b64encode(digest).decode("ascii")


def is_upgrade_request(head: RequestHead) -> bool:
    """Whether the request asks for a WebSocket at all, rightly or not."""
    return has_token(head.headers, "Upgrade", "websocket")


def check_request(head: RequestHead, policy: ServerPolicy) -> Accepted:
    """Return what to agree on with a client. §4.2.

    Raises RemoteProtocolError with the status to answer: 405 for another method, 426 where no
    WebSocket or another version of it is asked for, 403 for the Origin, 400 for the rest.
    """
    _check_upgrade(head)
    _check_version(head.headers)
    key = _read_key(head.headers)
    _check_origin(head.headers, policy.origins)
    subprotocol = _choose_subprotocol(head.headers, policy)
    accept = compute_accept(key)
    if policy.deflate is not None:
        offers = head.headers.get_all("Sec-WebSocket-Extensions")
        agreed = accept_offer(offers, policy.deflate)
        if agreed is not None:
            return Accepted(accept, subprotocol, agreed[1], agreed[0])
    return Accepted(accept, subprotocol)


def explain_refusal(error: RemoteProtocolError) -> str:
    """The line that tells a client, and the server's log, why it is refused."""
    line = f"{error.status} {reason_phrase(error.status)}: {error}."
    return f"{line} {_TO_MEND}{error.mend}" if error.mend else line


def refusal(error: RemoteProtocolError) -> tuple[ResponseHead, bytes]:
    """The answer to a request that is refused: a head, and one line that says why."""
    reason = reason_phrase(error.status)
    body = f"{explain_refusal(error)}\n".encode()
    headers = Headers(error.headers)
    headers.set("Content-Type", "text/plain; charset=utf-8")
    headers.set("Content-Length", str(len(body)))
    return ResponseHead(error.status, reason, (1, 1), headers), body


def build_request(
    authority: str,
    target: str,
    key: str,
    *,
    headers: Iterable[tuple[str, str]] = (),
    subprotocols: Sequence[str] = (),
    deflate: DeflateOptions | None = None,
    origin: str | None = None,
) -> RequestHead:
    """The client's request for a WebSocket. §4.1.

    authority: host and, unless it is the scheme's own, port. target: path and query of the URL.
    headers may replace Host; fields that are the handshake's own raise LocalProtocolError.
    """
    fields = Headers((("Host", authority), *_VERSION_FIELDS, ("Sec-WebSocket-Key", key)))
    if origin is not None:
        fields.add("Origin", origin)
    if subprotocols:
        if len(set(subprotocols)) < len(subprotocols) or not all(map(is_token, subprotocols)):
            raise LocalProtocolError(f"subprotocols {subprotocols} are not tokens, each once")
        fields.add("Sec-WebSocket-Protocol", ", ".join(subprotocols))
    if deflate is not None:
        fields.add("Sec-WebSocket-Extensions", build_offer(deflate))
    for name, value in headers:
        if name.lower() == "host":
            fields.set(name, value)
        elif name.lower() in ("upgrade", "connection") or name.lower().startswith("sec-websocket-"):
            raise LocalProtocolError(f"{name} is the handshake's own field")
        else:
            fields.add(name, value)
    return RequestHead("GET", target, (1, 1), fields)


def check_response(
    head: ResponseHead,
    key: str,
    subprotocols: Sequence[str] = (),
    deflate: DeflateOptions | None = None,
    *,
    body: bytes = b"",
) -> Accepted:
    """Return what a server agreed to, of what build_request() offered with these arguments. §4.1.

    Raises HandshakeRefused, with body, for another status than 101, and RemoteProtocolError for
    an answer that does not fit the request.
    """
    if head.status != 101:
        raise _refused(head, body)
    if head.version < (1, 1) or tokens(head.headers, "Upgrade") != ["websocket"]:
        raise _bad_answer("the server does not switch to websocket over HTTP/1.1")
    if not has_token(head.headers, "Connection", "upgrade"):
        raise _bad_answer("Connection of the answer lacks the token upgrade")
    if not _fits_key(head.headers, key):
        raise _bad_answer("Sec-WebSocket-Accept does not fit the key")
    extensions = head.headers.get_all("Sec-WebSocket-Extensions")
    if extensions and deflate is None:
        raise _bad_answer("the server chose an extension that was not offered")
    return Accepted(
        compute_accept(key),
        _read_subprotocol(head.headers, subprotocols),
        None if deflate is None else check_answer(extensions, deflate),
        ", ".join(extensions),
    )


def is_switch_right(request: RequestHead, response: ResponseHead) -> bool:
    """Whether a 101 answers the request: a protocol that was asked for, the Accept of the key.

    For an intermediary, so other protocols than websocket may be right too. RFC 9110 §7.8.
    """
    chosen = tokens(response.headers, "Upgrade")
    is_asked_for = bool(chosen) and set(chosen) <= set(tokens(request.headers, "Upgrade"))
    if response.status != 101 or not is_asked_for:
        return False
    if not has_token(response.headers, "Connection", "upgrade"):
        return False
    key = request.headers.get("Sec-WebSocket-Key") or ""
    return "websocket" not in chosen or _fits_key(response.headers, key)


def _check_upgrade(head: RequestHead) -> None:
    """Raise unless the request may switch protocols, and asks for websocket. §4.2.1."""
    headers = head.headers
    if head.method != "GET":
        raise RemoteProtocolError(
            f"method {head.method[:32]} opens no WebSocket",
            "RFC 6455 §4.2.1",
            status=405,
            headers=(("Allow", "GET"),),
            mend="send GET",
        )
    if not is_upgrade_request(head):
        raise _no_upgrade(headers)
    has_connection_token = has_token(headers, "Connection", "upgrade")
    if head.version < (1, 1):
        # nginx without any of the three lines sends HTTP/1.0 and Connection: close.
        mend = (
            f"use HTTP/1.1; {_NGINX_NEEDS} {_SET_VERSION}" if has_connection_token else _ALL_THREE
        )
        raise _bad_request("a handshake needs HTTP/1.1, this is HTTP/1.0", mend)
    check_host(head)
    if not has_connection_token:
        raise _bad_request(
            "Connection lacks the token upgrade",
            f"send Connection: Upgrade; {_NGINX_NEEDS} {_SET_CONNECTION}",
        )
    framing = request_framing(head)
    if framing.kind is BodyKind.CHUNKED or framing.length:
        raise _bad_request("a handshake has no content", "send the request without content")


def _no_upgrade(headers: Headers) -> RemoteProtocolError:
    """The refusal of a request that asks for no WebSocket. RFC 9110 §15.5.22."""
    if "Sec-WebSocket-Key" in headers:
        # Who sends a key sends Upgrade too: an intermediary took it, as nginx does by default.
        message = "Upgrade: websocket is missing, though there is a Sec-WebSocket-Key"
        mend = _ALL_THREE
    else:
        message = "this is a WebSocket endpoint, and the request lacks Upgrade: websocket"
        mend = "connect with a WebSocket client"
    return RemoteProtocolError(
        message, "RFC 6455 §4.2.1", status=426, headers=_UPGRADE_FIELDS, mend=mend
    )


def _check_version(headers: Headers) -> None:
    """Raise unless the version is 13. §4.2.2, item 4; §4.4."""
    versions = headers.combined("Sec-WebSocket-Version")
    if versions != VERSION:
        shown = "missing" if versions is None else f"{versions[:32]!r}"
        raise RemoteProtocolError(
            f"Sec-WebSocket-Version is {shown}, not {VERSION}",
            "RFC 6455 §4.2.2",
            status=426,
            headers=_VERSION_FIELDS,
            mend=f"send Sec-WebSocket-Version: {VERSION}",
        )


def _read_key(headers: Headers) -> str:
    """The one Sec-WebSocket-Key. §4.2.1, item 5."""
    keys = headers.get_all("Sec-WebSocket-Key")
    if len(keys) == 1 and _KEY.fullmatch(keys[0]):
        return keys[0]
    if not keys:
        what = "is missing"
    elif len(keys) > 1:
        what = "is there more than once"
    else:
        what = f"{keys[0][:32]!r} is not {_KEY_OCTETS} octets in base64"
    raise _bad_request(
        f"Sec-WebSocket-Key {what}",
        f"send one Sec-WebSocket-Key, {_KEY_OCTETS} random octets in base64; "
        "a proxy in between must not set that field",
    )


def _check_origin(headers: Headers, allowed: tuple[str | None, ...] | None) -> None:
    """Raise unless the Origin, or its absence, is allowed. §4.2.2, item 4; §10.2."""
    if allowed is None:
        return
    origins = headers.get_all("Origin")
    known = {None if origin is None else origin.lower() for origin in allowed}
    if (len(origins) == 1 and origins[0].lower() in known) or (not origins and None in known):
        return
    shown = f"Origin {', '.join(origins)[:128]!r}" if origins else "a request without Origin"
    raise RemoteProtocolError(
        f"{shown} is not allowed",
        "RFC 6455 §10.2",
        status=403,
        mend="add it to the origins that the server allows; "
        "a proxy in between must not set that field",
    )


def _choose_subprotocol(headers: Headers, policy: ServerPolicy) -> str | None:
    """The subprotocol to answer with, if any. §4.2.2, item 5.5."""
    value = headers.combined("Sec-WebSocket-Protocol")
    offered = [] if value is None else parse_list(value)
    if not all(map(is_token, offered)):
        raise _bad_request(
            f"Sec-WebSocket-Protocol {', '.join(offered)[:64]!r} is no list of tokens",
            "name subprotocols with letters, digits, hyphens and dots",
        )
    if not offered:
        return None
    if policy.select_subprotocol is not None:
        chosen = policy.select_subprotocol(offered)
        if chosen is not None and chosen not in offered:
            raise LocalProtocolError(f"subprotocol {chosen!r} was not offered")
        return chosen
    return next((ours for ours in policy.subprotocols if ours in offered), None)


def _read_subprotocol(headers: Headers, offered: Sequence[str]) -> str | None:
    """The subprotocol that the server chose. §4.1, item 6 of the checks of the answer."""
    chosen = headers.combined("Sec-WebSocket-Protocol")
    if chosen is not None and chosen not in offered:
        raise _bad_answer(f"the server chose subprotocol {chosen[:64]!r}, which was not offered")
    return chosen


def _fits_key(headers: Headers, key: str) -> bool:
    return headers.get_all("Sec-WebSocket-Accept") == [compute_accept(key)]


def _refused(head: ResponseHead, body: bytes) -> HandshakeRefused:
    """What a client learns from an answer that is no 101."""
    sentence, mend = _read_explanation(head, body)
    answered = f"the server answered {head.status} {printable(head.reason)}".rstrip()
    return HandshakeRefused(
        f"{answered}: {sentence}" if sentence else answered,
        status=head.status,
        reason=head.reason,
        headers=head.headers.items(),
        body=body,
        mend=mend or _usual_mend(head, body, is_explained=bool(sentence)),
    )


def _read_explanation(head: ResponseHead, body: bytes) -> tuple[str, str]:
    """What the first line of a plain text says: what is wrong, and how to mend it; or nothing."""
    media_type = (head.headers.get("Content-Type") or "").partition(";")[0]
    if media_type.strip().lower() != "text/plain":
        return "", ""
    status_line = f"{head.status} {head.reason}"
    line = body.decode("utf-8", "replace").strip().partition("\n")[0].rstrip()
    line = line.removeprefix(status_line).removeprefix(": ")
    sentence, _, mend = line.partition(_TO_MEND)
    sentence = sentence.rstrip(" .")
    if sentence.lower() == head.reason.lower():
        sentence = ""
    return _shorten(sentence), _shorten(mend)


def _shorten(text: str) -> str:
    shown = printable(text)
    return shown if len(shown) <= SENTENCE_LENGTH else f"{shown[: SENTENCE_LENGTH - 1]}…"


def _usual_mend(head: ResponseHead, body: bytes, *, is_explained: bool) -> str:
    """What helps with most answers of this status, as far as the server has not said more."""
    location = head.headers.get("Location")
    if 300 <= head.status < 400 and location is not None:
        return f"connect to {location!r}"
    if head.status == 400 and b" HTTPS " in body:  # so nginx and Go refuse plain HTTP
        return "use wss://"
    mend = _MENDS.get(head.status, "")
    if is_explained and mend == _ALL_THREE:
        return ""
    if head.status == 403 and b"origin" in body.lower():
        return "send an Origin that the server allows"
    return mend


def _bad_request(message: str, mend: str) -> RemoteProtocolError:
    return RemoteProtocolError(message, "RFC 6455 §4.2.1", mend=mend)


def _bad_answer(message: str) -> RemoteProtocolError:
    return RemoteProtocolError(message, "RFC 6455 §4.1")
