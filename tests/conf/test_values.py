"""Numbers, sizes, times and addresses."""

from __future__ import annotations

import pytest

from upwire.conf.values import (
    Address,
    is_ipv4,
    parse_address,
    parse_number,
    parse_offset,
    parse_size,
    parse_time,
)


@pytest.mark.parametrize(
    ("text", "octets"), [("0", 0), ("512", 512), ("8k", 8192), ("8K", 8192), ("1m", 1 << 20)]
)
def test_sizes(text: str, octets: int) -> None:
    assert parse_size(text) == octets
    assert parse_offset(text) == octets


def test_only_offsets_count_gigabytes() -> None:
    assert parse_offset("2G") == 2 << 30
    with pytest.raises(ValueError, match="2G"):
        parse_size("2G")


@pytest.mark.parametrize("text", ["", "k", "-1", "+1", "1.5k", "1 k", "1kk", "²", "9" * 20])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # the message is the text, or Python's own
        parse_size(text)


def test_sizes_end_where_those_of_nginx_end() -> None:
    assert parse_number(str((1 << 63) - 1)) == (1 << 63) - 1
    with pytest.raises(ValueError, match="9223372036854775808"):
        parse_number(str(1 << 63))
    with pytest.raises(ValueError, match="m"):
        parse_size(f"{1 << 43}m")


@pytest.mark.parametrize(
    ("text", "time_s"),
    [
        ("0", 0),
        ("60", 60),
        ("60s", 60),
        ("500ms", 0.5),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        ("1m 30", 90),
        ("1w2d", 9 * 86400),
        ("s5", 5),  # nginx takes a unit without a number as zero
        (" 5", 5),
        ("5s ", 5),
    ],
)
def test_times(text: str, time_s: float) -> None:
    assert parse_time(text) == time_s


@pytest.mark.parametrize("text", ["", "s", "x", "5x", "5s5s", "5s1m", "1M", "1y", "5 5m", "٣s"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # the message is the text, or Python's own
        parse_time(text)


def test_where_seconds_are_the_least_unit() -> None:
    assert parse_time("1y1M", least_is_seconds=True) == 395 * 86400
    with pytest.raises(ValueError, match="ms"):
        parse_time("5ms", least_is_seconds=True)


def test_a_time_too_great() -> None:
    with pytest.raises(ValueError, match="h"):
        parse_time("9000000000000000000h")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("a", Address("a", 80)),
        ("a:81", Address("a", 81, "81")),
        ("[::1]", Address("[::1]", 80)),
        ("[::1]:81", Address("[::1]", 81, "81")),
        ("unix:/x y", Address("", 0, unix="/x y")),
        ("UNIX:/x", Address("", 0, unix="/x")),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    assert parse_address(text, 80) == address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("a/b:c", Address("a", 80, uri="/b:c")),
        ("a:81?x/y", Address("a", 81, "81", uri="?x/y")),
        ("[::1]:81/x", Address("[::1]", 81, "81", uri="/x")),
        ("unix:/x:/y", Address("", 0, uri="/y", unix="/x")),
    ],
)
def test_addresses_with_a_uri(text: str, address: Address) -> None:
    assert parse_address(text, 80, with_uri=True) == address


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no host"),
        (":80", "no host"),
        ("[]:80", "no host"),
        ("a/b", "invalid host"),
        ("[::1", "invalid host"),
        ("[::1]80", "invalid host"),
        ("[::g]", "invalid IPv6 address"),
        ("a:", "invalid port"),
        ("a:0", "invalid port"),
        ("a:65536", "invalid port"),
        ("unix:", "no path in the unix domain socket"),
        ("unix:/" + "x" * 107, "too long path in the unix domain socket"),
    ],
)
def test_what_is_no_address(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_address(text, 80)


def test_literal_addresses() -> None:
    assert parse_address("127.0.0.1", 80).is_literal
    assert parse_address("[::1]", 80).is_literal
    assert not parse_address("localhost", 80).is_literal
    assert not is_ipv4("1.2.3")
    assert not is_ipv4("1.2.3.256")
    assert not is_ipv4("1.2.3.x")
