"""Request and response heads: literal octets whole, octet by octet and with trailing data."""

from __future__ import annotations

import dataclasses

import h11
import httptools
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from upwire.errors import LocalProtocolError, RemoteProtocolError
from upwire.wire.fields import Headers
from upwire.wire.http1 import (
    DEFAULT_LIMITS,
    HeadLimits,
    RequestHead,
    RequestHeadParser,
    ResponseHead,
    ResponseHeadParser,
    parse_request_head,
    parse_response_head,
    reason_phrase,
    serialize_request,
    serialize_response,
)

LOOSE = HeadLimits(accepts_loose_lines=True)
NGINX = HeadLimits(
    field_status=400, accepts_loose_lines=True, drops_other_names=True, drops_underscores=True
)
HOST = ("Host", "a")


def read_request(octets: bytes, limits: HeadLimits = DEFAULT_LIMITS) -> RequestHead:
    """Read a complete head in three ways."""
    whole = parse_request_head(octets, limits)
    assert whole is not None
    parser = RequestHeadParser(limits)
    assert all(parser.parse(octets[:end]) is None for end in range(len(octets)))
    assert parser.parse(octets) == whole
    assert parse_request_head(bytearray(octets + b"\r\n\r\nX"), limits) == whole
    assert whole[1] == len(octets)
    return whole[0]


def read_response(octets: bytes, limits: HeadLimits = DEFAULT_LIMITS) -> ResponseHead:
    """Read a complete head in three ways."""
    whole = parse_response_head(octets, limits)
    assert whole is not None
    parser = ResponseHeadParser(limits)
    assert all(parser.parse(octets[:end]) is None for end in range(len(octets)))
    assert parser.parse(octets) == whole
    assert parse_response_head(bytearray(octets + b"\r\n\r\nX"), limits) == whole
    assert whole[1] == len(octets)
    return whole[0]


def refuse_request(octets: bytes, limits: HeadLimits = DEFAULT_LIMITS) -> RemoteProtocolError:
    """Read a head that is refused, in three ways with one verdict."""
    return refused(RequestHeadParser, octets, limits)


def refuse_response(octets: bytes, limits: HeadLimits = DEFAULT_LIMITS) -> RemoteProtocolError:
    """Read a head that is refused, in three ways with one verdict."""
    return refused(ResponseHeadParser, octets, limits)


def refused(
    parser_type: type[RequestHeadParser] | type[ResponseHeadParser],
    octets: bytes,
    limits: HeadLimits,
) -> RemoteProtocolError:
    with pytest.raises(RemoteProtocolError) as whole:
        parser_type(limits).parse(octets)
    with pytest.raises(RemoteProtocolError) as trailing:
        parser_type(limits).parse(octets + b"X\r\n\r\n")
    with pytest.raises(RemoteProtocolError) as in_steps:
        parse_in_steps(parser_type(limits), octets)
    assert str(whole.value) == str(trailing.value) == str(in_steps.value)
    assert whole.value.status == trailing.value.status == in_steps.value.status
    return whole.value


def parse_in_steps(parser: RequestHeadParser | ResponseHeadParser, octets: bytes) -> None:
    for end in range(len(octets) + 1):
        assert parser.parse(octets[:end]) is None


def request(*lines: bytes, start: bytes = b"GET / HTTP/1.1", host: bytes = b"Host: a") -> bytes:
    return b"\r\n".join([start, host, *lines, b"", b""])


class TestRequestLine:
    def test_a_request(self) -> None:
        head = read_request(b"GET /a?b=c?d HTTP/1.1\r\nHost: a\r\nX-Y:z\r\n\r\n")
        assert head == RequestHead("GET", "/a?b=c?d", (1, 1), Headers([HOST, ("X-Y", "z")]))
        assert (head.path, head.query, head.authority) == ("/a", "b=c?d", None)

    def test_empty_lines_before_it_are_skipped(self) -> None:
        head = read_request(b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert head.method == "GET"

    def test_octets_above_ascii_survive(self) -> None:
        head = read_request(request(b"X: \xe9\xff", start=b"GET /\xc3\xa9 HTTP/1.1"))
        assert head.target.encode("latin-1") == b"/\xc3\xa9"
        assert head.headers["X"] == "\xe9\xff"

    @pytest.mark.parametrize(
        ("target", "path", "query", "authority"),
        [
            ("/", "/", "", None),
            ("/a?", "/a", "", None),
            ("//a/b?c", "//a/b", "c", None),
            ("http://h:80/p?q", "/p", "q", "h:80"),
            ("http://h?q", "/", "q", "h"),
            ("http://h", "/", "", "h"),
            ("/x?u=http://h/", "/x", "u=http://h/", None),
        ],
    )
    def test_parts_of_targets(
        self, target: str, path: str, query: str, authority: str | None
    ) -> None:
        head = read_request(request(start=f"GET {target} HTTP/1.1".encode()))
        assert (head.path, head.query, head.authority) == (path, query, authority)

    def test_asterisk_and_authority_forms(self) -> None:
        assert read_request(request(start=b"OPTIONS * HTTP/1.1")).path == "*"
        assert read_request(request(start=b"CONNECT a:443 HTTP/1.1")).path == "a:443"

    @pytest.mark.parametrize("target", [b"*", b"a:443", b"a", b"?q", b"http:/h/", b"#x"])
    def test_targets_of_no_form(self, target: bytes) -> None:
        error = refuse_request(request(start=b"GET " + target + b" HTTP/1.1"))
        assert (error.rule, error.status) == ("RFC 9112 §3.2", 400)

    @pytest.mark.parametrize(
        "line",
        [
            b"GET",
            b"GET /",
            b"GET  / HTTP/1.1",
            b"GET /  HTTP/1.1",
            b"GET / HTTP/1.1 ",
            b"GET\t/\tHTTP/1.1",
            b"GET /a b HTTP/1.1",
            b"GET /\x00 HTTP/1.1",
            b"GET /\x7f HTTP/1.1",
            b"GET /\rX HTTP/1.1",
            b"G(T / HTTP/1.1",
            b"GET / HTTP/11",
            b"GET / HTTP/1.10",
            b"GET / http/1.1",
            b"GET / HTTP/1.1\r",
        ],
    )
    def test_malformed_lines(self, line: bytes) -> None:
        error = refuse_request(request(start=line))
        assert (error.rule, error.status) == ("RFC 9112 §3", 400)

    @pytest.mark.parametrize("version", [b"0.9", b"2.0", b"3.1"])
    def test_other_versions(self, version: bytes) -> None:
        error = refuse_request(request(start=b"GET / HTTP/" + version))
        assert (error.rule, error.status) == ("RFC 9110 §15.6.6", 505)

    def test_later_minor_versions_are_read(self) -> None:
        assert read_request(request(start=b"GET / HTTP/1.2")).version == (1, 2)

    @pytest.mark.parametrize("octets", [b"\x16\x03\x01", b"\r\n\x00", b" GET / HTTP/1.1"])
    def test_other_protocols_are_refused_at_their_first_octet(self, octets: bytes) -> None:
        assert "TLS" in refuse_request(octets).mend

    def test_spaces_repeat_where_lines_are_loose(self) -> None:
        head = read_request(request(start=b"GET   /  HTTP/1.1 "), LOOSE)
        assert (head.method, head.target) == ("GET", "/")

    @pytest.mark.parametrize("line", [b"GET /a b HTTP/1.1", b"GET\t/ HTTP/1.1"])
    def test_loose_lines_are_not_guessed_at(self, line: bytes) -> None:
        assert refuse_request(request(start=line), LOOSE).rule == "RFC 9112 §3"


class TestLines:
    def test_a_bare_lf_ends_a_loose_line(self) -> None:
        head = read_request(b"\nGET / HTTP/1.1\nHost: a\r\nX: y\n\n", LOOSE)
        assert head.headers == Headers([HOST, ("X", "y")])

    @pytest.mark.parametrize(
        "octets",
        [
            b"\nGET / HTTP/1.1\r\n",
            b"GET / HTTP/1.1\nHost: a\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\n\n",
        ],
    )
    def test_a_bare_lf_ends_no_strict_line(self, octets: bytes) -> None:
        assert refuse_request(octets).rule == "RFC 9112 §2.2"

    def test_an_incomplete_line_is_only_searched_once(self) -> None:
        class Counting(bytearray):
            searched = 0

            def find(self, sub: object, start: object = 0, *rest: object) -> int:
                Counting.searched += len(self) - int(str(start))
                return bytearray.find(self, sub, start)  # type: ignore[arg-type]  # as called

        parser = RequestHeadParser()
        buffer = Counting()
        octets = request(*[b"X: " + b"y" * 4000] * 5)
        for octet in octets:
            assert buffer == b"" or parser.parse(buffer) is None
            buffer.append(octet)
        assert parser.parse(buffer) is not None
        assert Counting.searched < 2 * len(octets)


class TestLimits:
    LIMITS = HeadLimits(line_octets=16, head_octets=60, field_count=3)

    def test_a_head_at_each_limit(self) -> None:
        head = read_request(
            b"GET / HTTP/1.1\r\nHost: a\r\nX: 45678901234\r\nX: 4567890123\r\n\r\n",
            dataclasses.replace(self.LIMITS, head_octets=58),
        )
        assert len(head.headers) == 3

    @pytest.mark.parametrize(
        ("octets", "status", "message"),
        [
            (b"GET /5 HTTP/1.1\r\n", 414, "longer than 16 octets"),
            (b"GET /567890123456", 414, "longer than 16 octets"),
            (b"GET / HTTP/1.1\r\nX: 4567890123456\r\n\r\n", 431, "longer than 16 octets"),
            (b"GET / HTTP/1.1\r\nX: 4567890123456", 431, "longer than 16 octets"),
            (b"GET / HTTP/1.1\r\n" + b"X: 45678901234\r\n" * 3, 431, "than 60 octets"),
            (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 4, 431, "more than 3 fields"),
            (b"\r\n" * 31, 414, "longer than 60 octets"),
        ],
    )
    def test_a_head_past_a_limit(self, octets: bytes, status: int, message: str) -> None:
        error = refuse_request(octets, self.LIMITS)
        assert message in error.message
        assert error.status == status

    def test_statuses_are_an_option(self) -> None:
        limits = dataclasses.replace(self.LIMITS, start_line_status=400, field_status=494)
        assert refuse_request(b"GET /567890123456", limits).status == 400
        assert refuse_request(b"GET / HTTP/1.1\r\nX: 4567890123456", limits).status == 494

    def test_what_follows_the_head_does_not_count(self) -> None:
        octets = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        assert parse_request_head(octets + b"x" * 100, self.LIMITS) is not None

    def test_responses_are_limited_too(self) -> None:
        assert "16 octets" in refuse_response(b"HTTP/1.1 200 Okay", self.LIMITS).message
        assert (
            "3 fields"
            in refuse_response(b"HTTP/1.1 200\r\n" + b"X: y\r\n" * 4, self.LIMITS).message
        )


class TestFieldLines:
    @pytest.mark.parametrize(
        ("line", "name", "value"),
        [
            (b"X:", "X", ""),
            (b"X: \t a b \t", "X", "a b"),
            (b"X:a:b", "X", "a:b"),
            (b"!#$%&'*+-.^_`|~09: a", "!#$%&'*+-.^_`|~09", "a"),
            (b"X: a\x01\x7f\xa0", "X", "a\x01\x7f\xa0"),
        ],
    )
    def test_fields(self, line: bytes, name: str, value: str) -> None:
        assert list(read_request(request(line)).headers.items()) == [HOST, (name, value)]

    @pytest.mark.parametrize("limits", [DEFAULT_LIMITS, NGINX])
    @pytest.mark.parametrize(
        ("line", "rule"),
        [
            (b" folded", "RFC 9112 §5.2"),
            (b"\tX: y", "RFC 9112 §5.2"),
            (b"X : y", "RFC 9112 §5.1"),
            (b"Content-Length\t: 5", "RFC 9112 §5.1"),
            (b"X", "RFC 9112 §5"),
            (b": y", "RFC 9110 §5.1"),
            (b"X Y: z", "RFC 9110 §5.1"),
            (b"X\x00: y", "RFC 9110 §5.1"),
            (b"X\x7f: y", "RFC 9110 §5.1"),
            (b"X(", "RFC 9112 §5"),
            (b"\xe9 : y", "RFC 9112 §5.1"),
            (b"X(: a\x00b", "RFC 9110 §5.1"),
            (b"X: a\x00b", "RFC 9110 §5.5"),
            (b"X: a\rY: b", "RFC 9110 §5.5"),
            (b"X: a\r", "RFC 9110 §5.5"),
        ],
    )
    def test_lines_that_two_readers_would_read_apart(
        self, line: bytes, rule: str, limits: HeadLimits
    ) -> None:
        error = refuse_request(request(line), limits)
        assert (error.rule, error.status) == (rule, 400)

    @pytest.mark.parametrize("name", [b"X(", b'"X"', b"X\xe9", b"X@Y"])
    def test_names_that_are_no_tokens(self, name: bytes) -> None:
        line = name + b": y"
        assert refuse_request(request(line)).rule == "RFC 9110 §5.1"
        assert read_request(request(line), NGINX).headers == Headers([HOST])

    @pytest.mark.parametrize("name", [b"X.Y", b"X~"])
    def test_nginx_drops_tokens_that_are_more_than_words(self, name: bytes) -> None:
        line = name + b": y"
        assert len(read_request(request(line)).headers) == 2
        assert read_request(request(line), NGINX).headers == Headers([HOST])

    def test_underscores_are_dropped_on_demand(self) -> None:
        octets = request(b"X_Y: z", b"A-1: b")
        assert read_request(octets, NGINX).headers == Headers([HOST, ("A-1", "b")])
        keeping = dataclasses.replace(NGINX, drops_underscores=False)
        assert len(read_request(octets, keeping).headers) == 3


class TestHost:
    @pytest.mark.parametrize(
        "host",
        [b"a", b"a.b-c_d:80", b"127.0.0.1:8000", b"[::1]", b"[::1]:8000", b"a:", b"[v1f.a!:b]:80"],
    )
    def test_hosts(self, host: bytes) -> None:
        assert read_request(request(host=b"Host: " + host)).headers["Host"] == host.decode()

    @pytest.mark.parametrize("version", [b"1.0", b"1.1"])
    @pytest.mark.parametrize("authority", [b"", b":80", b"user@a", b"u:p@a", b"a:b", b"[::1", b"<"])
    def test_a_target_in_absolute_form_names_a_host(self, authority: bytes, version: bytes) -> None:
        error = refuse_request(request(start=b"GET http://" + authority + b"/ HTTP/" + version))
        assert (error.rule, error.status) == ("RFC 9110 §4.2.1", 400)

    @pytest.mark.parametrize(
        "host", [b"", b"a b", b"a/b", b"a:b", b"[::1", b"a@b", b"\xe9", b":80"]
    )
    def test_no_hosts(self, host: bytes) -> None:
        error = refuse_request(request(host=b"Host: " + host))
        assert (error.rule, error.status) == ("RFC 9112 §3.2", 400)

    def test_exactly_one_is_sent(self) -> None:
        assert "no Host" in refuse_request(request(host=b"X: y")).message
        assert "more than one" in refuse_request(request(b"Host: a")).message
        assert (
            "more than one" in refuse_request(request(b"Host: a", start=b"GET / HTTP/1.0")).message
        )

    def test_http_1_0_may_go_without(self) -> None:
        assert read_request(b"GET / HTTP/1.0\r\n\r\n").version == (1, 0)


class TestStatusLine:
    @pytest.mark.parametrize(
        ("line", "status", "reason"),
        [
            (b"HTTP/1.1 200 OK", 200, "OK"),
            (b"HTTP/1.1 404 Not Found", 404, "Not Found"),
            (b"HTTP/1.1 200 ", 200, ""),
            (b"HTTP/1.1 200", 200, ""),
            (b"HTTP/1.1 999 \xe9 ", 999, "\xe9 "),
        ],
    )
    def test_lines(self, line: bytes, status: int, reason: str) -> None:
        head = read_response(line + b"\r\nA: b\r\n\r\n")
        assert head == ResponseHead(status, reason, (1, 1), Headers([("A", "b")]))

    @pytest.mark.parametrize(
        "line",
        [
            b"",
            b"HTTP/1.1",
            b"HTTP/1.1 20",
            b"HTTP/1.1 2000",
            b"HTTP/1.1 099 X",
            b"HTTP/1.1  200 OK",
            b"HTTP/1.1 200OK",
            b"HTTP/1.1 200 O\rK",
            b"HTTP/1.1 200 O\x00K",
            b"ICY 200 OK",
            b"GET / HTTP/1.1",
        ],
    )
    def test_malformed_lines(self, line: bytes) -> None:
        assert refuse_response(line + b"\r\n\r\n").rule == "RFC 9112 §4"

    @pytest.mark.parametrize("version", [b"0.9", b"2.0"])
    def test_other_versions(self, version: bytes) -> None:
        assert refuse_response(b"HTTP/" + version + b" 200 OK\r\n").rule == "RFC 9112 §2.3"


class TestSerialize:
    def test_a_request(self) -> None:
        head = RequestHead("GET", "/a?b", headers=Headers([HOST, ("X", "\xe9")]))
        assert serialize_request(head) == b"GET /a?b HTTP/1.1\r\nHost: a\r\nX: \xe9\r\n\r\n"
        assert read_request(serialize_request(head)) == head

    def test_a_response(self) -> None:
        head = ResponseHead(404, "Not Found", (1, 0), Headers([("A", "b"), ("A", "")]))
        assert serialize_response(head) == b"HTTP/1.0 404 Not Found\r\nA: b\r\nA: \r\n\r\n"
        assert read_response(serialize_response(head)) == head

    @pytest.mark.parametrize(
        "head",
        [
            RequestHead("GET /x", "/"),
            RequestHead("GET", "/ HTTP/1.1\r\nX: y\r\n"),
            RequestHead("GET", "/a b"),
            RequestHead("", "/"),
            RequestHead("GET", ""),
            RequestHead("GET", "/€"),
            RequestHead("GET", "/", (1, 10)),
        ],
    )
    def test_a_request_line_forges_no_other(self, head: RequestHead) -> None:
        with pytest.raises(LocalProtocolError, match="no request line"):
            serialize_request(head)

    @pytest.mark.parametrize(
        "head",
        [
            ResponseHead(200, "OK\r\nX: y"),
            ResponseHead(20, "OK"),
            ResponseHead(200, "OK\0"),
            ResponseHead(200, "€"),
        ],
    )
    def test_a_status_line_forges_no_other(self, head: ResponseHead) -> None:
        with pytest.raises(LocalProtocolError, match="no status line"):
            serialize_response(head)

    @pytest.mark.parametrize(
        ("status", "phrase"),
        [
            (101, "Switching Protocols"),
            (200, "OK"),
            (413, "Content Too Large"),
            (414, "URI Too Long"),
            (416, "Range Not Satisfiable"),
            (422, "Unprocessable Content"),
            (426, "Upgrade Required"),
            (599, ""),
        ],
    )
    def test_reason_phrases(self, status: int, phrase: str) -> None:
        assert reason_phrase(status) == phrase


METHODS = st.sampled_from(["GET", "POST", "OPTIONS"])
LINE_PIECES = st.sampled_from(
    [b"X", b"x-y", b"Host", b":", b": ", b" ", b"\t", b"a", b"\x01", b"\xe9", b"\r\n", b"\n", b"\r"]
)
NOISE = st.lists(LINE_PIECES, max_size=8).map(b"".join)


def ask_h11(octets: bytes) -> h11.Request | None:
    """What h11 reads; None where it refuses or waits for more."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(octets)
    try:
        event = connection.next_event()
    except h11.RemoteProtocolError:
        return None
    return event if isinstance(event, h11.Request) else None


class ToHttptools:
    """Collects what httptools reads of a head."""

    def __init__(self) -> None:
        self.fields: list[tuple[bytes, bytes]] = []
        self.is_complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        self.is_complete = True


def ask_httptools(octets: bytes) -> list[tuple[bytes, bytes]] | None:
    """The fields that httptools reads; None where it refuses or waits for more.

    It leaves the whitespace behind a value to its user.
    """
    seen = ToHttptools()
    try:
        httptools.HttpRequestParser(seen).feed_data(octets)
    except httptools.HttpParserError:
        return None
    return seen.fields if seen.is_complete else None


def accepted(octets: bytes) -> tuple[RequestHead, int] | None:
    try:
        return parse_request_head(octets)
    except RemoteProtocolError:
        return None


@settings(max_examples=100)
@given(METHODS, NOISE)
@example("GET", b"X: a\r\n b\r\n")
@example("GET", b"X : a\r\n")
def test_what_we_accept_others_read_alike(method: str, noise: bytes) -> None:
    octets = method.encode() + b" /p HTTP/1.1\r\nHost: a\r\n" + noise + b"\r\n\r\n"
    parsed = accepted(octets)
    if parsed is None:
        return
    head, consumed = parsed
    if "\x01" in "".join(value for _, value in head.headers.items()):
        return  # h11 and httptools refuse control characters, which RFC 9110 §5.5 leaves open
    ours = [(name.encode(), value.encode("latin-1")) for name, value in head.headers.items()]
    theirs = ask_h11(octets[:consumed])
    assert theirs is not None
    assert ours == list(theirs.headers.raw_items())
    assert ours == ask_httptools(octets[:consumed])


@settings(max_examples=50)
@given(
    METHODS,
    st.from_regex(r"/[!-~]{0,8}", fullmatch=True),
    st.lists(
        st.tuples(
            st.from_regex(r"X-[!#$%&'*+.^_`|~0-9A-Za-z-]{1,8}", fullmatch=True),
            st.from_regex(r"([!-~\xa0-\xff]([ \t!-~]{0,6}[!-~])?)?", fullmatch=True),
        ),
        max_size=4,
    ),
)
def test_what_we_write_others_read_alike(
    method: str, target: str, fields: list[tuple[str, str]]
) -> None:
    head = RequestHead(method, target, headers=Headers([HOST, *fields]))
    octets = serialize_request(head)
    assert accepted(octets) == (head, len(octets))
    theirs = ask_h11(octets)
    assert theirs is not None
    assert (theirs.method.decode(), theirs.target.decode()) == (method, target)
    assert ask_httptools(octets) == [
        (name.encode(), value.encode("latin-1")) for name, value in head.headers.items()
    ]
