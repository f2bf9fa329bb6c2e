"""What ngx_http_charset_filter_module does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from upwire.conf.variables import Template

CHARSET_TYPES = frozenset(
    {
        *("text/html", "text/xml", "text/plain", "text/vnd.wap.wml"),
        *("application/javascript", "application/rss+xml"),
    }
)


@dataclass(frozen=True, slots=True)
class CharsetSettings:
    """`charset` and its like: the charset that clients get, and that of the contents.

    Both are None where nothing is said ("off"). is_overriding: a charset that a response brings is
    recoded too.
    """

    charset: Template | None = None
    source: Template | None = None
    is_overriding: bool = False
    types: frozenset[str] = CHARSET_TYPES


@dataclass(frozen=True, slots=True)
class Recoding:
    """The way from one charset to another.

    octets: what each octet becomes; characters: from UTF-8, the octet of each code point.
    """

    octets: tuple[bytes, ...] = ()
    characters: Mapping[int, int] | None = None


Recodings = Mapping[tuple[str, str], Recoding]
"""Recodings by the names of both charsets, in lower case."""
