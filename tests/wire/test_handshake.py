"""The opening handshake: what each side sends, accepts and refuses."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.http11 import Response
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from upwire.errors import HandshakeRefused, LocalProtocolError, RemoteProtocolError
from upwire.wire.deflate import DeflateOptions
from upwire.wire.fields import Headers
from upwire.wire.handshake import (
    Accepted,
    ServerPolicy,
    build_request,
    check_request,
    check_response,
    compute_accept,
    is_switch_right,
    is_upgrade_request,
    make_key,
    refusal,
)
from upwire.wire.http1 import (
    RequestHead,
    ResponseHead,
    parse_request_head,
    parse_response_head,
    serialize_request,
    serialize_response,
)

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
ANY = ServerPolicy()
NGINX_LINES = (
    "proxy_http_version 1.1;",
    "proxy_set_header Upgrade $http_upgrade;",
    'proxy_set_header Connection "upgrade";',
)


def request(
    *changes: tuple[str, str | None], method: str = "GET", version: tuple[int, int] = (1, 1)
) -> RequestHead:
    """The request of RFC 6455 §1.3 with fields set, or removed where the value is None."""
    headers = build_request("server.example.com", "/chat", KEY).headers
    for name, value in changes:
        if value is None:
            headers.remove(name)
        else:
            headers.set(name, value)
    return RequestHead(method, "/chat", version, headers)


def doubled(name: str, value: str) -> RequestHead:
    """The same request with one more line."""
    head = request()
    head.headers.add(name, value)
    return head


def refused(head: RequestHead, policy: ServerPolicy = ANY) -> RemoteProtocolError:
    with pytest.raises(RemoteProtocolError) as caught:
        check_request(head, policy)
    return caught.value


class TestServer:
    def test_the_answer_of_the_rfc(self) -> None:
        accepted = check_request(request(), ANY)
        assert accepted == Accepted(ACCEPT)
        assert serialize_response(accepted.response([("X", "y")])) == (
            b"HTTP/1.1 101 Switching Protocols\r\n"
            b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nX: y\r\n\r\n"
        )

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("Connection", "keep-alive, Upgrade"),
            ("Connection", "UPGRADE"),
            ("Upgrade", "WebSocket"),
            ("Upgrade", "h2c, websocket"),
            ("Sec-WebSocket-Key", "AQIDBAUGBwgJCgsMDQ4PEC=="),
            ("Content-Length", "0"),
            ("Sec-WebSocket-Extensions", "x-unknown; a=1"),
        ],
    )
    def test_variants_that_are_right(self, name: str, value: str) -> None:
        assert check_request(request((name, value)), ANY).deflate is None

    @pytest.mark.parametrize("method", ["POST", "HEAD", "CONNECT"])
    def test_another_method(self, method: str) -> None:
        error = refused(request(method=method))
        assert error.status == 405
        assert error.headers == (("Allow", "GET"),)

    def test_no_upgrade(self) -> None:
        error = refused(RequestHead("GET", "/", headers=Headers([("Host", "a")])))
        assert error.status == 426
        assert error.headers == (("Upgrade", "websocket"), ("Connection", "Upgrade"))
        assert "nginx" not in error.mend

    @pytest.mark.parametrize("version", [(1, 0), (1, 1)])
    def test_an_upgrade_that_a_proxy_dropped(self, version: tuple[int, int]) -> None:
        head = request(("Upgrade", None), ("Connection", "close"), version=version)
        error = refused(head)
        assert error.status == 426
        assert all(line in error.mend for line in NGINX_LINES)

    def test_another_upgrade(self) -> None:
        assert refused(request(("Upgrade", "h2c"))).status == 426

    @pytest.mark.parametrize("version", ["8", "13, 8", "014", ""])
    def test_another_version(self, version: str) -> None:
        error = refused(request(("Sec-WebSocket-Version", version)))
        assert error.status == 426
        assert ("Sec-WebSocket-Version", "13") in error.headers
        assert ("Upgrade", "websocket") in error.headers
        assert ("Connection", "Upgrade") in error.headers

    def test_no_version(self) -> None:
        error = refused(request(("Sec-WebSocket-Version", None)))
        assert (error.status, "missing" in error.message) == (426, True)

    def test_http_1_0(self) -> None:
        error = refused(request(version=(1, 0)))
        assert error.status == 400
        assert NGINX_LINES[0] in error.mend
        assert NGINX_LINES[1] not in error.mend

    def test_http_1_0_as_nginx_sends_it_by_default(self) -> None:
        error = refused(request(("Connection", "close"), version=(1, 0)))
        assert error.status == 400
        assert all(line in error.mend for line in NGINX_LINES)

    @pytest.mark.parametrize("value", [None, "close", "keep-alive, upgrades", '"Upgrade"'])
    def test_no_connection_token(self, value: str | None) -> None:
        error = refused(request(("Connection", value)))
        assert error.status == 400
        assert NGINX_LINES[2] in error.mend

    def test_host(self) -> None:
        assert refused(request(("Host", None))).status == 400
        assert refused(doubled("Host", "b")).status == 400

    @pytest.mark.parametrize(
        ("key", "message"),
        [
            (None, "is missing"),
            ("", "16 octets"),
            ("dGhlIHNhbXBsZSBub25jZQ", "16 octets"),
            ("dGhlIHNhbXBsZSBub25jZTE=", "16 octets"),
            ("SGVsbG8sIHdvcmxkIQ==", "16 octets"),
            ("dGhlIHNhbXBsZSBub25jZQ= =", "16 octets"),
            ("dGhlIHNhbXBsZSBub25j_Q==", "16 octets"),
        ],
    )
    def test_keys(self, key: str | None, message: str) -> None:
        error = refused(request(("Sec-WebSocket-Key", key)))
        assert error.status == 400
        assert message in error.message

    def test_a_key_is_sent_once(self) -> None:
        error = refused(doubled("Sec-WebSocket-Key", KEY))
        assert (error.status, "more than once" in error.message) == (400, True)

    @pytest.mark.parametrize(
        ("name", "value"), [("Content-Length", "1"), ("Transfer-Encoding", "chunked")]
    )
    def test_content(self, name: str, value: str) -> None:
        assert "no content" in refused(request((name, value))).message

    def test_malformed_extensions(self) -> None:
        policy = ServerPolicy(deflate=DeflateOptions())
        assert refused(request(("Sec-WebSocket-Extensions", "a;;")), policy).status == 400

    def test_an_offer_of_deflate(self) -> None:
        policy = ServerPolicy(deflate=DeflateOptions())
        offer = ("Sec-WebSocket-Extensions", "permessage-deflate; server_no_context_takeover")
        accepted = check_request(request(offer), policy)
        assert accepted.deflate is not None
        assert accepted.deflate.server_no_context_takeover
        assert accepted.response().headers["Sec-WebSocket-Extensions"] == accepted.extensions
        assert check_request(request(), policy).deflate is None
        assert check_request(request(offer), ANY).deflate is None


class TestOrigin:
    POLICY = ServerPolicy(origins=("https://a.example", "https://b.example:8443"))

    @pytest.mark.parametrize("origin", ["https://a.example", "HTTPS://B.example:8443"])
    def test_allowed(self, origin: str) -> None:
        check_request(request(("Origin", origin)), self.POLICY)

    @pytest.mark.parametrize(
        "origin",
        ["https://evil.example", "http://a.example", "https://a.example.evil", "null", "", None],
    )
    def test_refused(self, origin: str | None) -> None:
        error = refused(request(("Origin", origin)), self.POLICY)
        assert error.status == 403
        assert (origin or "Origin") in error.message

    def test_two_origins_are_refused(self) -> None:
        head = doubled("Origin", "https://a.example")
        head.headers.add("Origin", "https://a.example")
        assert refused(head, self.POLICY).status == 403

    def test_a_request_without_origin_is_allowed_on_demand(self) -> None:
        policy = ServerPolicy(origins=(None, "https://a.example"))
        check_request(request(), policy)
        check_request(request(("Origin", "https://a.example")), policy)
        assert refused(request(("Origin", "x")), policy).status == 403


class TestSubprotocols:
    @pytest.mark.parametrize(
        ("offered", "chosen"),
        [("chat", "chat"), ("superchat, chat", "chat"), ("superchat", "superchat"), ("x", None)],
    )
    def test_the_servers_order_decides(self, offered: str, chosen: str | None) -> None:
        policy = ServerPolicy(subprotocols=("chat", "superchat"))
        accepted = check_request(request(("Sec-WebSocket-Protocol", offered)), policy)
        assert accepted.subprotocol == chosen
        assert accepted.response().headers.get("Sec-WebSocket-Protocol") == chosen

    def test_none_is_chosen_where_none_is_offered(self) -> None:
        policy = ServerPolicy(subprotocols=("chat",), select_subprotocol=lambda _: "chat")
        assert check_request(request(), policy).subprotocol is None

    def test_offers_over_several_lines(self) -> None:
        head = doubled("Sec-WebSocket-Protocol", "a, b")
        head.headers.add("Sec-WebSocket-Protocol", "c")
        assert check_request(head, ServerPolicy(subprotocols=("c",))).subprotocol == "c"

    def test_a_function_may_decide(self) -> None:
        def last(offered: Sequence[str]) -> str | None:
            return offered[-1] if offered[-1] != "none" else None

        policy = ServerPolicy(select_subprotocol=last)
        head = request(("Sec-WebSocket-Protocol", "a, b"))
        assert check_request(head, policy).subprotocol == "b"
        head = request(("Sec-WebSocket-Protocol", "a, none"))
        assert check_request(head, policy).subprotocol is None

    def test_a_function_chooses_among_the_offers(self) -> None:
        policy = ServerPolicy(select_subprotocol=lambda _: "x")
        with pytest.raises(LocalProtocolError, match="not offered"):
            check_request(request(("Sec-WebSocket-Protocol", "a")), policy)

    def test_offers_are_tokens(self) -> None:
        assert refused(request(("Sec-WebSocket-Protocol", "a b"))).status == 400


class TestRefusal:
    def test_one_line_says_what_and_how_to_mend_it(self) -> None:
        head, body = refusal(refused(request(version=(1, 0))))
        assert serialize_response(head).startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert body.decode() == (
            "400 Bad Request: a handshake needs HTTP/1.1, this is HTTP/1.0 (RFC 6455 §4.2.1). "
            "To mend it: use HTTP/1.1; in nginx the location needs proxy_http_version 1.1;\n"
        )
        assert head.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert head.headers["Content-Length"] == str(len(body))

    def test_it_brings_the_fields_of_its_status(self) -> None:
        head, body = refusal(RemoteProtocolError("no", status=405, headers=[("Allow", "GET")]))
        assert head.headers["Allow"] == "GET"
        assert body == b"405 Method Not Allowed: no.\n"


class TestClient:
    OFFERS = ("chat", "superchat")

    def answer(self, *changes: tuple[str, str | None]) -> ResponseHead:
        """A right answer with fields set, or removed where the value is None."""
        head = Accepted(ACCEPT).response()
        for name, value in changes:
            if value is None:
                head.headers.remove(name)
            else:
                head.headers.set(name, value)
        return head

    def test_the_request(self) -> None:
        head = build_request(
            "a.example:8080",
            "/chat?x=y",
            KEY,
            headers=[("Cookie", "a=b"), ("Cookie", "c=d")],
            subprotocols=self.OFFERS,
            deflate=DeflateOptions(),
            origin="https://a.example",
        )
        assert serialize_request(head) == (
            b"GET /chat?x=y HTTP/1.1\r\nHost: a.example:8080\r\n"
            b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: https://a.example\r\n"
            b"Sec-WebSocket-Protocol: chat, superchat\r\n"
            b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
            b"Cookie: a=b\r\nCookie: c=d\r\n\r\n"
        )
        assert is_upgrade_request(head)

    def test_host_may_be_replaced(self) -> None:
        head = build_request("a", "/", KEY, headers=[("host", "b")])
        assert head.headers.get_all("Host") == ["b"]

    @pytest.mark.parametrize("name", ["Upgrade", "connection", "Sec-WebSocket-Protocol"])
    def test_the_handshakes_own_fields_are_not_replaced(self, name: str) -> None:
        with pytest.raises(LocalProtocolError, match="handshake's own"):
            build_request("a", "/", KEY, headers=[(name, "x")])

    @pytest.mark.parametrize("subprotocols", [("a", "a"), ("a b",), ("",)])
    def test_subprotocols_are_tokens_each_once(self, subprotocols: tuple[str, ...]) -> None:
        with pytest.raises(LocalProtocolError, match="each once"):
            build_request("a", "/", KEY, subprotocols=subprotocols)

    def test_keys(self) -> None:
        assert make_key(b"the sample nonce") == KEY
        assert compute_accept(KEY) == ACCEPT
        with pytest.raises(LocalProtocolError, match="16 octets"):
            make_key(b"short")

    @pytest.mark.parametrize(
        ("name", "value"), [("Upgrade", "WebSocket"), ("Connection", "keep-alive, upgrade")]
    )
    def test_answers_that_are_right(self, name: str, value: str) -> None:
        assert check_response(self.answer((name, value)), KEY) == Accepted(ACCEPT)

    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            ("Upgrade", None, "does not switch"),
            ("Upgrade", "h2c", "does not switch"),
            ("Upgrade", "websocket, h2c", "does not switch"),
            ("Connection", None, "lacks the token upgrade"),
            ("Connection", "close", "lacks the token upgrade"),
            ("Sec-WebSocket-Accept", None, "does not fit"),
            ("Sec-WebSocket-Accept", ACCEPT.lower(), "does not fit"),
            ("Sec-WebSocket-Protocol", "x", "not offered"),
            ("Sec-WebSocket-Protocol", "chat, superchat", "not offered"),
            ("Sec-WebSocket-Extensions", "permessage-deflate", "not offered"),
        ],
    )
    def test_answers_that_are_wrong(self, name: str, value: str | None, message: str) -> None:
        with pytest.raises(RemoteProtocolError, match=message):
            check_response(self.answer((name, value)), KEY, self.OFFERS)

    def test_accept_is_sent_once(self) -> None:
        head = self.answer()
        head.headers.add("Sec-WebSocket-Accept", ACCEPT)
        with pytest.raises(RemoteProtocolError, match="does not fit"):
            check_response(head, KEY)

    def test_an_answer_over_http_1_0(self) -> None:
        head = ResponseHead(101, "", (1, 0), self.answer().headers)
        with pytest.raises(RemoteProtocolError, match="does not switch"):
            check_response(head, KEY)

    def test_the_subprotocol_is_one_of_the_offers(self) -> None:
        head = self.answer(("Sec-WebSocket-Protocol", "superchat"))
        assert check_response(head, KEY, self.OFFERS).subprotocol == "superchat"

    def test_an_answer_to_deflate(self) -> None:
        head = self.answer(("Sec-WebSocket-Extensions", "permessage-deflate"))
        accepted = check_response(head, KEY, deflate=DeflateOptions())
        assert accepted.deflate is not None
        assert accepted.extensions == "permessage-deflate"
        assert check_response(self.answer(), KEY, deflate=DeflateOptions()).deflate is None

    @pytest.mark.parametrize(
        ("status", "mend"),
        [
            (200, "plain HTTP"),
            (400, NGINX_LINES[1]),
            (426, NGINX_LINES[2]),
            (502, "proxy_pass"),
            (418, ""),
        ],
    )
    def test_another_status(self, status: int, mend: str) -> None:
        head = ResponseHead(status, "Some Reason", headers=Headers([("A", "b")]))
        with pytest.raises(HandshakeRefused, match=f"{status} Some Reason") as caught:
            check_response(head, KEY, body=b"why")
        error = caught.value
        assert (error.status, error.reason, error.body) == (status, "Some Reason", b"why")
        assert error.headers == (("A", "b"),)
        assert mend in error.mend

    def refused(
        self, status: int, reason: str, body: str, media_type: str = "text/plain"
    ) -> HandshakeRefused:
        headers = Headers([("Content-Type", media_type)])
        with pytest.raises(HandshakeRefused) as caught:
            check_response(ResponseHead(status, reason, headers=headers), KEY, body=body.encode())
        return caught.value

    def test_what_our_server_says_is_told_once(self) -> None:
        error = RemoteProtocolError("Connection lacks it", "RFC 6455 §4.2.1", mend="send it;")
        head, body = refusal(error)
        told = self.refused(head.status, head.reason, body.decode(), head.headers["Content-Type"])
        assert str(told) == (
            "the server answered 400 Bad Request: Connection lacks it (RFC 6455 §4.2.1)"
        )
        assert told.mend == "send it;"

    @pytest.mark.parametrize(
        ("status", "reason", "body", "message", "mend"),
        [
            (400, "Bad Request", "No key.\nMore of it", "400 Bad Request: No key", ""),
            (400, "Bad Request", "bad request\r\n", "400 Bad Request", NGINX_LINES[0]),
            (400, "", "a\x1b[1m\u202eb", "400: a\\x1b[1m\\u202eb", ""),
            (404, "Not Found", "nothing is at /x", "404 Not Found: nothing is at /x", "the path"),
            (403, "Forbidden", "Origin 'x' is wrong", "403 Forbidden: Origin 'x' is wrong", ""),
            (500, "", "x" * 201, f"500: {'x' * 199}…", ""),
            (502, "\x1b[1m", "", "502 \\x1b[1m", "proxy_pass"),
        ],
    )
    def test_the_first_line_of_a_plain_text_is_told(
        self, status: int, reason: str, body: str, message: str, mend: str
    ) -> None:
        told = self.refused(status, reason, body)
        assert str(told) == f"the server answered {message}"
        assert (mend in told.mend) if mend else "nginx" not in told.mend

    @pytest.mark.parametrize(
        ("media_type", "body"),
        [
            ("text/html", "<center>The plain HTTP request was sent to HTTPS port</center>"),
            ("text/plain", "Client sent an HTTP request to an HTTPS server."),
        ],
    )
    def test_plain_http_to_a_port_of_tls(self, media_type: str, body: str) -> None:
        assert self.refused(400, "Bad Request", body, media_type).mend == "use wss://"

    def test_credentials_are_not_guessed_where_the_origin_is_named(self) -> None:
        assert "credentials" in self.refused(403, "", "no").mend
        page = self.refused(403, "", "<p>This Origin is wrong", "text/html")
        assert str(page) == "the server answered 403"
        assert page.mend == "send an Origin that the server allows"

    @pytest.mark.parametrize(
        ("location", "mend"), [("wss://a.example/", "connect to 'wss://a.example/'"), (None, "")]
    )
    def test_a_redirection(self, location: str | None, mend: str) -> None:
        headers = Headers([] if location is None else [("Location", location)])
        with pytest.raises(HandshakeRefused) as caught:
            check_response(ResponseHead(301, "", headers=headers), KEY)
        assert caught.value.message == "the server answered 301"
        assert caught.value.mend == mend


class TestSwitch:
    def switch(self, protocol: str, *fields: tuple[str, str], status: int = 101) -> ResponseHead:
        headers = [("Upgrade", protocol), ("Connection", "Upgrade"), *fields]
        return ResponseHead(status, "", headers=Headers(headers))

    def test_a_websocket_with_its_accept(self) -> None:
        assert is_switch_right(
            request(), self.switch("WebSocket", ("Sec-WebSocket-Accept", ACCEPT))
        )

    def test_another_protocol_that_was_asked_for(self) -> None:
        assert is_switch_right(request(("Upgrade", "h2c, websocket")), self.switch("h2c"))

    @pytest.mark.parametrize(
        "response",
        [
            ResponseHead(101, ""),
            ResponseHead(101, "", headers=Headers([("Upgrade", "websocket")])),
            Accepted("wrong").response(),
            ResponseHead(200, "", headers=Accepted(ACCEPT).response().headers),
        ],
    )
    def test_switches_that_are_wrong(self, response: ResponseHead) -> None:
        assert not is_switch_right(request(), response)

    def test_a_switch_that_nobody_asked_for(self) -> None:
        right = Accepted(ACCEPT).response()
        assert not is_switch_right(request(("Upgrade", None)), right)
        assert not is_switch_right(request(("Sec-WebSocket-Key", None)), right)
        assert not is_switch_right(request(), self.switch("h2c"))


@settings(max_examples=50)
@given(st.binary(min_size=16, max_size=16))
def test_every_key_of_ours_is_taken(octets: bytes) -> None:
    key = make_key(octets)
    assert base64.b64decode(key) == octets
    accepted = check_request(build_request("a", "/", key), ANY)
    assert check_response(accepted.response(), key) == accepted


def test_websockets_takes_our_request() -> None:
    head = build_request("a.example", "/", KEY, subprotocols=["chat"], origin="https://a.example")
    server = ServerProtocol()
    server.receive_data(serialize_request(head))
    (event,) = server.events_received()
    response = server.accept(event)  # type: ignore[arg-type]  # a Request, nothing else came
    server.send_response(response)
    parsed = parse_response_head(b"".join(server.data_to_send()))
    assert parsed is not None
    assert check_response(parsed[0], KEY, ["chat"]).accept == ACCEPT
    assert is_switch_right(head, parsed[0])


def test_websockets_takes_our_answer() -> None:
    client = ClientProtocol(parse_uri("ws://a.example/"))
    client.send_request(client.connect())
    parsed = parse_request_head(b"".join(client.data_to_send()))
    assert parsed is not None
    client.receive_data(serialize_response(check_request(parsed[0], ANY).response()))
    (event,) = client.events_received()
    assert isinstance(event, Response)
    assert client.handshake_exc is None
