"""sub_filter, gzip and their like."""

from __future__ import annotations

import pytest

from kit.conf_text import faults, location


def test_sub_filter() -> None:
    text = "sub_filter A b; sub_filter c $uri; sub_filter_once off; sub_filter_types *;"
    found = location(text).settings.sub_filter
    assert [(one.text, two.text) for one, two in found.pairs] == [("A", "b"), ("c", "$uri")]
    assert (found.once, found.last_modified) == (False, False)
    assert found.types == {"text/html", "*"}


def test_gzip() -> None:
    text = "gzip on; gzip_types text/css; gzip_comp_level 9; gzip_http_version 1.0; gzip_vary on;"
    text += 'gzip_proxied expired no-cache; gzip_disable msie6 "Mozilla/4"; gzip_static always;'
    found = location(text + "gzip_min_length 0;").settings.gzip
    assert found.types == {"text/html", "text/css"}
    assert (found.level, found.http_version, found.min_length_octets) == (9, (1, 0), 0)
    assert found.proxied == {"expired", "no-cache"}
    assert (found.disable_msie6, len(found.disable), found.static) == (True, 1, "always")


def test_gzip_is_off() -> None:
    found = location("").settings.gzip
    assert (found.is_on, found.gunzip, found.static) == (False, False, "off")
    assert found.proxied == {"off"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('sub_filter "" x;', "empty search pattern"),
        ("sub_filter a b; " * 256, "number of search patterns exceeds 255"),
        (
            'gzip_disable "[";',
            'pcre2_compile() failed: missing terminating ] for character class in "["',
        ),
    ],
)
def test_faults(text: str, message: str) -> None:
    assert faults(text) == [message]
