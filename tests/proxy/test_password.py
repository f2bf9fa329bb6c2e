"""Passwords in all the ways in which they are kept; crypt(3) and openssl made the hashes."""

from __future__ import annotations

import pytest

from upwire.proxy.password import is_password

SHA512 = (
    "$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ/1GM"
    "/O6IND4WQhG."
)


@pytest.mark.parametrize(
    "kept",
    [
        "{PLAIN}secret",
        "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
        "{SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0",
        "$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1",
        "$5$abcdefgh$gruCpC7VkOTspMQTTSAR8mtlO9Upms.fwqE5y16JVM.",
        SHA512,
        "abNANd1rDfiNc",
        "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW",
        "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW",
        "$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/",
    ],
)
def test_the_right_one_and_a_wrong_one(kept: str) -> None:
    assert is_password("secret", kept)
    assert not is_password("wrong", kept)
    assert not is_password("", kept)
    assert not is_password("a\0b" + "x" * 5000, kept)


@pytest.mark.parametrize(
    "kept",
    ["", "{SHA}", "{SHA}!", "{SSHA}!", "$5$", "$6$rounds=x$a$b", "$2y$99$x", "$y$j9T$a$b", "plain"],
)
def test_one_kept_in_no_known_way_is_nobodys(kept: str) -> None:
    assert not is_password("plain", kept)
