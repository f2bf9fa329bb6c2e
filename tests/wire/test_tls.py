from __future__ import annotations

import pytest

from upwire.wire.tls import (
    ALERT_UNRECOGNIZED_NAME,
    ClientHello,
    ClientHelloReader,
    NotHello,
    fatal_alert,
    is_resumption,
)

RANDOM = bytes(range(32))
RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
NAME = b"\0\0\0\x10\0\x0e\0\0\x0bexample.com"
GROUPS = b"\0\x0a\0\x08\0\x06\x1a\x1a\0\x1d\0\x17"
ALPN = b"\0\x10\0\x0e\0\x0c\x02h2\x08http/1.1"
PRE_SHARED_KEY = b"\0\x29\0\x02\0\0"
VERSION = b"\0\x2b\0\x02\x03\x04"
HELLO = ClientHello("example.com", (0x1301, 0xC02F), (29, 23), (b"h2", b"http/1.1"))


def vector(octets: bytes, width: int) -> bytes:
    return len(octets).to_bytes(width, "big") + octets


def record(content: bytes, kind: int = 22) -> bytes:
    return bytes((kind, 3, 1)) + vector(content, 2)


def message(kind: int, body: bytes) -> bytes:
    return bytes((kind,)) + vector(body, 3)


def client_hello(
    extensions: bytes | None, *, ciphers: bytes = b"\x2a\x2a\x13\x01\xc0\x2f"
) -> bytes:
    body = b"\3\3" + RANDOM + vector(b"session", 1) + vector(ciphers, 2) + b"\1\0"
    return message(1, body + (vector(extensions, 2) if extensions is not None else b""))


def server_hello(extensions: bytes | None, random: bytes = RANDOM) -> bytes:
    body = b"\3\3" + random + vector(b"session", 1) + b"\xc0\x2f\0"
    return message(2, body + (vector(extensions, 2) if extensions is not None else b""))


WHOLE = record(client_hello(NAME + GROUPS + ALPN))


def test_a_hello_is_read_whole() -> None:
    assert ClientHelloReader().feed(WHOLE) == HELLO


def test_a_hello_is_read_octet_by_octet() -> None:
    reader = ClientHelloReader()
    for at in range(len(WHOLE) - 1):
        assert reader.feed(WHOLE[at : at + 1]) is None
    assert reader.feed(WHOLE[-1:]) == HELLO


def test_what_follows_a_hello_is_not_looked_at() -> None:
    assert ClientHelloReader().feed(WHOLE + b"anything") == HELLO


def test_a_hello_may_be_spread_over_records() -> None:
    content = client_hello(NAME + GROUPS + ALPN)
    spread = b"".join(record(content[at : at + 7]) for at in range(0, len(content), 7))
    assert ClientHelloReader().feed(spread) == HELLO


@pytest.mark.parametrize(
    ("extensions", "name"),
    [
        (None, None),
        (b"", None),
        (b"\0\0\0\0", None),
        (b"\0\0\0\x06\0\x04\1\0\1x", None),
        (b"\0\0\0\x0a\0\x08\1\0\1x\0\0\1y", "y"),
        (b"\0\0\0\x06\0\x04\0\0\1\xff", None),
        (b"\0\0\0\x06\0\x04\0\0\1\0", None),
    ],
)
def test_a_name_is_one_that_can_be_read(extensions: bytes | None, name: str | None) -> None:
    hello = ClientHelloReader().feed(record(client_hello(extensions)))
    assert hello is not None
    assert (hello.server_name, hello.groups, hello.alpn_protocols) == (name, (), ())


@pytest.mark.parametrize(
    "octets",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x80\x2e\x01\x03\x01",
        b"\x16\x02",
        record(message(2, b"")),
        record(client_hello(NAME)[:-1]),
        record(b"\1\xff\xff\xff"),
        record(message(1, b"\3\3")),
        record(client_hello(b"\0\0\0\x10\0")),
        record(client_hello(b"\0\0\0\x03\0\x08\0")),
    ],
)
def test_no_hello(octets: bytes) -> None:
    reader = ClientHelloReader()
    try:
        assert reader.feed(octets) is None
    except NotHello:
        return
    with pytest.raises(NotHello):
        reader.feed(record(b"", kind=23))


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"", None),
        (record(b""), None),
        (record(server_hello(VERSION))[:-1], None),
        (record(server_hello(VERSION)), False),
        (record(server_hello(VERSION + PRE_SHARED_KEY)), True),
        (record(server_hello(PRE_SHARED_KEY + VERSION)) + record(b"?", 23), True),
        (record(server_hello(VERSION, RETRY)) + record(b"\1", 20), None),
        (record(server_hello(VERSION, RETRY) + server_hello(VERSION + PRE_SHARED_KEY)), True),
        (record(server_hello(None)), None),
        (record(server_hello(b"") + message(11, b"certificate")), False),
        (record(server_hello(b"")) + record(message(11, b"certificate")), False),
        (record(server_hello(b"")) + record(message(4, b"ticket")), True),
        (record(server_hello(b"")) + record(b"\1", 20), True),
        (record(message(2, b"\3\3")), None),
        (record(message(11, b"certificate")), None),
        (record(b"\2\x28", 21), None),
    ],
)
def test_a_servers_hello_tells_of_a_session(octets: bytes, expected: bool | None) -> None:
    assert is_resumption(octets) is expected


def test_an_alert_is_one_record() -> None:
    assert fatal_alert(ALERT_UNRECOGNIZED_NAME) == b"\x15\x03\x03\x00\x02\x02\x70"
