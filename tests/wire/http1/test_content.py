"""How contents are framed and decoded: whole, octet by octet and with trailing data."""

from __future__ import annotations

import dataclasses
import itertools

import h11
import httptools
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from upwire.errors import RemoteProtocolError
from upwire.wire.fields import Headers
from upwire.wire.http1 import (
    DEFAULT_LIMITS,
    LAST_CHUNK,
    BodyDecoder,
    BodyKind,
    Framing,
    HeadLimits,
    RequestHead,
    ResponseHead,
    encode_chunk,
    encode_last_chunk,
    request_framing,
    response_framing,
    wants_keep_alive,
)

CHUNKED = Framing(BodyKind.CHUNKED)
UNTIL_CLOSE = Framing(BodyKind.UNTIL_CLOSE)
NO_CONTENT = Framing(BodyKind.NONE)
CL = "Content-Length"
TE = "Transfer-Encoding"


def length(octets: int) -> Framing:
    return Framing(BodyKind.LENGTH, octets)


def request(*fields: tuple[str, str], version: tuple[int, int] = (1, 1)) -> RequestHead:
    return RequestHead("POST", "/", version, Headers(fields))


def response(status: int, *fields: tuple[str, str]) -> ResponseHead:
    return ResponseHead(status, "", (1, 1), Headers(fields))


def read(framing: Framing, octets: bytes, limits: HeadLimits = DEFAULT_LIMITS) -> tuple[bytes, str]:
    """Read a complete content in three ways; return it and its trailers' repr."""
    whole = BodyDecoder(framing, limits)
    content = b"".join(whole.feed(octets + b"\r\nrest"))
    assert whole.take_rest() == b"\r\nrest"
    assert whole.take_rest() == b""
    in_steps = BodyDecoder(framing, limits)
    pieces = []
    for at in range(len(octets)):
        assert not in_steps.is_complete
        pieces += in_steps.feed(octets[at : at + 1])
    assert b"".join(pieces) == content
    assert in_steps.is_complete
    assert whole.is_complete
    assert in_steps.take_rest() == b""
    assert in_steps.trailers == whole.trailers
    whole.feed_eof()
    return content, repr(whole.trailers)


def refuse(octets: bytes, limits: HeadLimits = DEFAULT_LIMITS) -> RemoteProtocolError:
    """Read a chunked content that is refused, in three ways with one verdict."""
    with pytest.raises(RemoteProtocolError) as whole:
        BodyDecoder(CHUNKED, limits).feed(octets)
    with pytest.raises(RemoteProtocolError) as trailing:
        BodyDecoder(CHUNKED, limits).feed(octets + b"X")
    with pytest.raises(RemoteProtocolError) as in_steps:
        feed_in_steps(BodyDecoder(CHUNKED, limits), octets)
    assert str(whole.value) == str(trailing.value) == str(in_steps.value)
    return whole.value


def feed_in_steps(decoder: BodyDecoder, octets: bytes) -> None:
    for at in range(len(octets)):
        decoder.feed(octets[at : at + 1])


class TestRequestFraming:
    @pytest.mark.parametrize(
        ("fields", "framing"),
        [
            ([], NO_CONTENT),
            ([(CL, "0")], length(0)),
            ([(CL, "042")], length(42)),
            ([(CL, "9" * 18)], length(10**18 - 1)),
            ([(TE, "chunked")], CHUNKED),
            ([(TE, " , Chunked,")], CHUNKED),
        ],
    )
    def test_framings(self, fields: list[tuple[str, str]], framing: Framing) -> None:
        assert request_framing(request(*fields)) == framing

    @pytest.mark.parametrize(
        "values",
        [["5, 5"], ["5", "5"], ["5", "6"], [""], ["+5"], ["-5"], ["5.0"], ["0x5"], ["²"], ["5 5"]],
    )
    def test_lengths_that_are_not_one_number(self, values: list[str]) -> None:
        with pytest.raises(RemoteProtocolError, match="not one number") as caught:
            request_framing(request(*((CL, value) for value in values)))
        assert caught.value.status == 400

    def test_a_length_has_a_bound(self) -> None:
        with pytest.raises(RemoteProtocolError, match="not one number"):
            request_framing(request((CL, "1" * 19)))

    def test_length_and_coding_contradict_each_other(self) -> None:
        with pytest.raises(RemoteProtocolError, match="both") as caught:
            request_framing(request((CL, "5"), (TE, "chunked")))
        assert caught.value.status == 400

    def test_http_1_0_has_no_codings(self) -> None:
        with pytest.raises(RemoteProtocolError, match=r"HTTP/1\.0") as caught:
            request_framing(request((TE, "chunked"), version=(1, 0)))
        assert caught.value.status == 400

    @pytest.mark.parametrize(
        "values",
        [["gzip, chunked"], ["identity"], ["chunked;q=1"], ["xchunked"]],
    )
    def test_unknown_codings(self, values: list[str]) -> None:
        with pytest.raises(RemoteProtocolError, match="unknown") as caught:
            request_framing(request(*((TE, value) for value in values)))
        assert caught.value.status == 501

    @pytest.mark.parametrize("values", [["chunked", "chunked"], ["gzip", "chunked"], ["", ""]])
    def test_one_line_names_the_codings(self, values: list[str]) -> None:
        with pytest.raises(RemoteProtocolError, match="comes twice") as caught:
            request_framing(request(*((TE, value) for value in values)))
        assert caught.value.status == 400

    @pytest.mark.parametrize("values", [["chunked, chunked"], [""]])
    def test_chunked_is_applied_once(self, values: list[str]) -> None:
        with pytest.raises(RemoteProtocolError, match="exactly once") as caught:
            request_framing(request(*((TE, value) for value in values)))
        assert caught.value.status == 400


class TestResponseFraming:
    @pytest.mark.parametrize("status", [100, 101, 103, 204, 304])
    def test_statuses_without_content(self, status: int) -> None:
        assert response_framing(response(status, (CL, "5")), "GET") == NO_CONTENT

    def test_methods_without_content(self) -> None:
        assert response_framing(response(200, (CL, "5")), "HEAD") == NO_CONTENT
        assert response_framing(response(200, (TE, "chunked")), "CONNECT") == NO_CONTENT

    @pytest.mark.parametrize("method", ["GET", "CONNECT"])
    def test_declared_framings(self, method: str) -> None:
        assert response_framing(response(404, (CL, "5")), method) == length(5)
        assert response_framing(response(404, (TE, "chunked")), method) == CHUNKED

    def test_without_a_declaration_the_end_is_the_connections(self) -> None:
        assert response_framing(response(200), "GET") == UNTIL_CLOSE

    def test_contradictions_are_refused_not_mended(self) -> None:
        with pytest.raises(RemoteProtocolError, match="both"):
            response_framing(response(200, (CL, "5"), (TE, "chunked")), "GET")


class TestDecoder:
    @pytest.mark.parametrize("framing", [NO_CONTENT, length(0)])
    def test_no_content(self, framing: Framing) -> None:
        assert read(framing, b"") == (b"", "Headers([])")

    def test_a_length(self) -> None:
        assert read(length(5), b"hello") == (b"hello", "Headers([])")

    def test_a_content_until_the_end_of_the_connection(self) -> None:
        decoder = BodyDecoder(UNTIL_CLOSE)
        assert decoder.feed(b"a") + decoder.feed(b"\r\nb") == [b"a", b"\r\nb"]
        assert not decoder.is_complete
        decoder.feed_eof()
        assert decoder.is_complete

    def test_content_that_comes_whole_is_not_copied(self) -> None:
        octets = bytes(1000)
        assert BodyDecoder(UNTIL_CLOSE).feed(octets)[0] is octets
        assert BodyDecoder(length(1000)).feed(octets)[0] is octets

    @pytest.mark.parametrize(
        ("framing", "octets"),
        [(length(5), b"hell"), (CHUNKED, b"5\r\nhello\r\n"), (CHUNKED, b"0\r\n"), (CHUNKED, b"")],
    )
    def test_a_content_that_is_cut(self, framing: Framing, octets: bytes) -> None:
        decoder = BodyDecoder(framing)
        decoder.feed(octets)
        with pytest.raises(RemoteProtocolError, match="ended inside"):
            decoder.feed_eof()


class TestChunks:
    @pytest.mark.parametrize(
        ("octets", "content"),
        [
            (b"0\r\n\r\n", b""),
            (b"000\r\n\r\n", b""),
            (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
            (b"a\r\n\r\n\r\n567890\r\nB\r\n01234567890\r\n0\r\n\r\n", b"\r\n\r\n56789001234567890"),
            (b'1;a=b\r\nx\r\n1 ; c="d;"\r\ny\r\n1 \r\nz\r\n0;e\r\n\r\n', b"xyz"),
        ],
    )
    def test_contents(self, octets: bytes, content: bytes) -> None:
        assert read(CHUNKED, octets) == (content, "Headers([])")

    def test_trailers(self) -> None:
        octets = b"1\r\nx\r\n0\r\nA: b\r\nA:  c \r\n\r\n"
        assert read(CHUNKED, octets) == (b"x", "Headers([('A', 'b'), ('A', 'c')])")

    @pytest.mark.parametrize(
        "octets",
        [
            b"\r\n",
            b"g\r\n",
            b"-1\r\n",
            b"+1\r\n",
            b" 1\r\n",
            b"0x1\r\n",
            b"1 1\r\n",
            b"1,\r\n",
            b"1\x0b;\r\n",
            b"1_0\r\n",
            b"1;\x00\r\n",
            b"1;\rx\r\n",
            b"1234567890abcdef\r\n",
        ],
    )
    def test_malformed_chunk_lines(self, octets: bytes) -> None:
        error = refuse(octets)
        assert "no chunk size" in error.message
        assert (error.rule, error.status) == ("RFC 9112 §7.1", 400)

    @pytest.mark.parametrize(
        "octets", [b"1\n", b"1;x\n", b"1\r\nx\n", b"1\r\nxy\n", b"0\r\n\n", b"0\r\nA: b\n"]
    )
    def test_a_bare_lf_ends_no_line(self, octets: bytes) -> None:
        loose = HeadLimits(accepts_loose_lines=True)
        assert "LF without CR" in refuse(octets).message
        assert "LF without CR" in refuse(octets, loose).message

    @pytest.mark.parametrize("octets", [b"1\r\nxy\r", b"1\r\nx\r\r", b"1\r\nx0\r\n"])
    def test_only_cr_lf_follows_a_chunk(self, octets: bytes) -> None:
        assert "more than 2 octets" in refuse(octets).message

    @pytest.mark.parametrize("octets", [b"1;" + b"x" * 1022, b"1;" + b"x" * 1021 + b"\r\n"])
    def test_extensions_have_a_bound(self, octets: bytes) -> None:
        assert "more than 1024 octets" in refuse(octets).message

    def test_extensions_up_to_the_bound(self) -> None:
        read(CHUNKED, b"0;" + b"x" * 1020 + b"\r\n\r\n")

    @pytest.mark.parametrize("line", [b" folded", b"A : b", b"A", b": b", b"A: b\x00"])
    def test_malformed_trailers(self, line: bytes) -> None:
        assert refuse(b"0\r\n" + line + b"\r\n").status == 400

    def test_trailers_have_the_bounds_of_heads(self) -> None:
        limits = HeadLimits(line_octets=16, head_octets=40, field_count=4)
        line = b"A: 45678901234\r\n"
        assert read(CHUNKED, b"0\r\n" + line * 2 + b"\r\n", limits)[0] == b""
        assert "more than 16 octets" in refuse(b"0\r\nA: 456789012345\r\n", limits).message
        assert "more than 8 octets" in refuse(b"0\r\n" + line * 3, limits).message
        assert "more than 4 trailers" in refuse(b"0\r\n" + b"A:\r\n" * 5, limits).message

    def test_trailers_are_dropped_as_fields_are(self) -> None:
        limits = HeadLimits(drops_other_names=True, drops_underscores=True)
        octets = b"0\r\nA_B: c\r\nA.B: c\r\nA-B: c\r\n\r\n"
        assert read(CHUNKED, octets, limits) == (b"", "Headers([('A-B', 'c')])")

    def test_encoding(self) -> None:
        assert encode_chunk(b"hello world!") == b"c\r\nhello world!\r\n"
        assert encode_chunk(b"") == b""
        assert read(CHUNKED, encode_chunk(b"x" * 300) + LAST_CHUNK)[0] == b"x" * 300


@pytest.mark.parametrize(
    ("version", "values", "persists"),
    [
        ((1, 1), [], True),
        ((1, 1), ["Upgrade"], True),
        ((1, 1), ["Close"], False),
        ((1, 1), ["keep-alive, close"], False),
        ((1, 0), [], False),
        ((1, 0), ["Keep-Alive"], True),
        ((1, 0), ["keep-alive", "close"], False),
    ],
)
def test_persistence(version: tuple[int, int], values: list[str], persists: bool) -> None:
    headers = Headers([("Connection", value) for value in values])
    assert wants_keep_alive(version, headers) is persists


HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
PIECES = st.sampled_from(
    [b"0", b"1", b"2", b"a", b"\r\n", b"\n", b"\r", b";", b";x=y", b" ", b"xy", b"x\r\n", b"A: b"]
)
CHUNKS = st.lists(st.binary(max_size=20), max_size=4)


class ToHttptools:
    """Collects what httptools reads of a content."""

    def __init__(self) -> None:
        self.content = b""
        self.is_complete = False

    def on_body(self, body: bytes) -> None:
        self.content += body

    def on_message_complete(self) -> None:
        self.is_complete = True


def ask_httptools(octets: bytes) -> bytes | None:
    """The content that httptools reads; None where it refuses or waits for more."""
    seen = ToHttptools()
    try:
        httptools.HttpRequestParser(seen).feed_data(HEAD + octets)
    except httptools.HttpParserError:
        return None
    return seen.content if seen.is_complete else None


def ask_h11(octets: bytes) -> bytes | None:
    """The content that h11 reads; None where it refuses or waits for more."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(HEAD + octets)
    content = b""
    try:
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                return None
            if isinstance(event, h11.Data):
                content += event.data
    except h11.RemoteProtocolError:
        return None
    return content


@settings(max_examples=100)
@given(CHUNKS, st.lists(PIECES, max_size=6).map(b"".join))
@example([b"x"], b"2\r\nxy\n")
@example([], b"1;x=y\r\na\r\n")
def test_what_we_accept_others_read_alike(chunks: list[bytes], noise: bytes) -> None:
    octets = b"".join(map(encode_chunk, chunks)) + noise + LAST_CHUNK
    decoder = BodyDecoder(CHUNKED)
    try:
        content = b"".join(decoder.feed(octets))
    except RemoteProtocolError:
        return
    if decoder.is_complete and b" " not in noise:  # they take none of the spaces of §7.1.1
        octets = octets.removesuffix(decoder.take_rest())
        assert ask_h11(octets) == content
        assert ask_httptools(octets) == content


@settings(max_examples=50)
@given(CHUNKS, st.lists(st.integers(0, 120), max_size=4))
def test_contents_come_back_however_they_are_split(chunks: list[bytes], cuts: list[int]) -> None:
    octets = b"".join(map(encode_chunk, chunks)) + LAST_CHUNK
    decoder = BodyDecoder(CHUNKED)
    places = [0, *sorted(cuts), len(octets) + 120]
    pieces = [octets[a:b] for a, b in itertools.pairwise(places)]
    content = b"".join(part for piece in pieces for part in decoder.feed(piece))
    assert content == b"".join(chunks)
    assert decoder.is_complete


def test_the_limits_of_a_decoder_leave_its_content_alone() -> None:
    tiny = dataclasses.replace(DEFAULT_LIMITS, line_octets=4, head_octets=4)
    assert read(CHUNKED, encode_chunk(b"x" * 99) + LAST_CHUNK, tiny)[0] == b"x" * 99


def test_trailers_behind_the_last_chunk() -> None:
    octets = encode_last_chunk(Headers([("A", "1"), ("B", "\xe9")]))
    assert octets == b"0\r\nA: 1\r\nB: \xe9\r\n\r\n"
    decoder = BodyDecoder(Framing(BodyKind.CHUNKED))
    assert decoder.feed(octets) == []
    assert list(decoder.trailers.items()) == [("A", "1"), ("B", "\xe9")]
