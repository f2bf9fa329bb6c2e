"""Networks of addresses, as nginx reads them."""

from __future__ import annotations

import pytest

from upwire.conf.cidr import parse_cidr, parse_ip


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
        ("10.1.2.3", "10.1.2.3", "10.1.2.4"),
        ("0.0.0.0/0", "255.255.255.255", "::1"),
        ("::/0", "2001:db8::1", "10.0.0.1"),
        ("2001:db8::/32", "2001:db8:ffff::", "2001:db9::"),
        ("10.0.0.0/8", "::ffff:10.1.1.1", "unix:"),
        ("unix:", "unix:", "10.0.0.1"),
        ("unix:", "unix:/run/x", "::1"),
    ],
)
def test_what_a_block_holds(text: str, inside: str, outside: str) -> None:
    cidr, has_low_bits = parse_cidr(text)
    assert not has_low_bits
    assert cidr.holds(parse_ip(inside))
    assert not cidr.holds(parse_ip(outside))


@pytest.mark.parametrize("text", ["10.0.0.1/8", "2001:db8::1/32"])
def test_bits_behind_the_prefix_mean_nothing(text: str) -> None:
    cidr, has_low_bits = parse_cidr(text)
    assert has_low_bits
    assert cidr == parse_cidr(str(cidr.network))[0]


@pytest.mark.parametrize(
    "text",
    ["", "10.0.0", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/255.0.0.0", "1::1%2", "h", "/8"],
)
def test_what_is_no_block(text: str) -> None:
    with pytest.raises(ValueError, match=r"^"):
        parse_cidr(text)


def test_what_is_no_address() -> None:
    with pytest.raises(ValueError, match="host"):
        parse_ip("host")
