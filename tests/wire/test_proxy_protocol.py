"""The PROXY protocol, versions 1 and 2."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upwire.errors import RemoteProtocolError
from upwire.wire.proxy_protocol import HEADER_OCTETS_MAX, ProxyHeader, parse_proxy_header

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V4 = b"\x0a\x00\x00\x01\x0a\x00\x00\x02\x00\x50\x01\xbb"
SSL_TLV = b"\x20\x00\x0d\x01\x00\x00\x00\x07\x21\x00\x05TLSv1"


def v2(content: bytes, *, version: int = 2, command: int = 1, family: int = 0x11) -> bytes:
    head = bytes([version << 4 | command, family]) + len(content).to_bytes(2, "big")
    return SIGNATURE + head + content


V6 = bytes(15) + b"\x01" + bytes(15) + b"\x02" + b"\x00\x50\x01\xbb"
RIGHT = [
    (b"PROXY TCP4 10.0.0.1 10.0.0.2 80 443\r\n", ProxyHeader("10.0.0.1", 80, "10.0.0.2", 443)),
    (b"PROXY TCP6 ::1 ::2 80 443\r\n", ProxyHeader("::1", 80, "::2", 443)),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN ::1 ::2 80 443\r\n", None),
    (v2(V4), ProxyHeader("10.0.0.1", 80, "10.0.0.2", 443)),
    (v2(V6, family=0x21), ProxyHeader("::1", 80, "::2", 443)),
    (v2(V4, command=0), None),
    (v2(V4, family=0x12), None),
    (v2(b"", family=0), None),
    (
        v2(V4 + b"\x02\x00\x01h" + SSL_TLV),
        ProxyHeader("10.0.0.1", 80, "10.0.0.2", 443, {2: b"h", 0x20: SSL_TLV[3:]}),
    ),
    (v2(V4 + b"\x02\x00\x09h"), ProxyHeader("10.0.0.1", 80, "10.0.0.2", 443)),
]


@pytest.mark.parametrize(("octets", "header"), RIGHT)
def test_right_headers(octets: bytes, header: ProxyHeader | None) -> None:
    assert parse_proxy_header(octets) == (header, len(octets))
    assert parse_proxy_header(octets + b"GET /") == (header, len(octets))
    for end in range(len(octets)):
        assert parse_proxy_header(octets[:end]) is None


@pytest.mark.parametrize(
    ("octets", "message"),
    [
        (b"GET / HTTP/1.1\r\n", 'broken header: "GET / HTTP/1.1"'),
        (
            b"PROXY TCP4 10.0.0.1 10.0.0.2 80\r\n",
            'broken header: "PROXY TCP4 10.0.0.1 10.0.0.2 80"',
        ),
        (b"PROXY TCP4 h 10.0.0.2 80 1\r\n", 'broken header: "PROXY TCP4 h 10.0.0.2 80 1"'),
        (b"PROXY TCP4 ::1 ::1 80 65536\r\n", 'broken header: "PROXY TCP4 ::1 ::1 80 65536"'),
        (b"PROXY " + b"x" * 107, f'broken header: "PROXY {"x" * 101}"'),
        (v2(V4, version=1), "unknown PROXY protocol version: 1"),
        (v2(V4[:-1]), "header is too short for its addresses"),
        (v2(bytes(HEADER_OCTETS_MAX)), "header is too large"),
    ],
)
def test_wrong_headers(octets: bytes, message: str) -> None:
    with pytest.raises(RemoteProtocolError) as raised:
        parse_proxy_header(octets)
    assert raised.value.message == message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("authority", b"h"),
        ("0x02", b"h"),
        ("0x3", None),
        ("0xz", None),
        ("alpn", None),
        ("what", None),
        ("ssl", SSL_TLV[3:]),
        ("ssl_verify", b"7"),
        ("ssl_version", b"TLSv1"),
        ("ssl_0x21", b"TLSv1"),
        ("ssl_cn", None),
    ],
)
def test_tlvs_by_their_names(name: str, value: bytes | None) -> None:
    parsed = parse_proxy_header(v2(V4 + b"\x02\x00\x01h" + SSL_TLV))
    assert parsed is not None
    assert parsed[0] is not None
    assert parsed[0].tlv(name) == value


@pytest.mark.parametrize("tlvs", [{}, {0x20: b"\x01"}])
def test_no_tlv_inside_a_broken_one(tlvs: dict[int, bytes]) -> None:
    assert ProxyHeader("::1", 1, "::1", 1, tlvs).tlv("ssl_verify") is None


@given(st.binary(max_size=200), st.sampled_from([b"", b"PROXY TCP4 ", SIGNATURE, SIGNATURE + b"!"]))
def test_no_octets_raise_anything_else(octets: bytes, start: bytes) -> None:
    with contextlib.suppress(RemoteProtocolError):
        parsed = parse_proxy_header(start + octets)
        assert parsed is None or 0 < parsed[1] <= len(start + octets)
