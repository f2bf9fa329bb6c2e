"""What the modules say that rewrite a content: sub_filter, gzip, gunzip and gzip_static."""

from __future__ import annotations

from dataclasses import dataclass

from upwire.conf.regex import Regex
from upwire.conf.variables import Template


@dataclass(frozen=True, slots=True)
class SubFilter:
    """Every `sub_filter` of a level: pairs of what is looked for and what replaces it."""

    pairs: tuple[tuple[Template, Template], ...] = ()
    types: frozenset[str] = frozenset({"text/html"})
    once: bool = True
    last_modified: bool = False


@dataclass(frozen=True, slots=True)
class GzipSettings:
    """`gzip` and what else says whether a client gets a gzipped content.

    static: "off", "on" or "always". disable: expressions for User-Agent; msie6 for "msie6".
    """

    is_on: bool = False
    static: str = "off"
    gunzip: bool = False
    types: frozenset[str] = frozenset({"text/html"})
    level: int = 1
    min_length_octets: int = 20
    http_version: tuple[int, int] = (1, 1)
    proxied: frozenset[str] = frozenset({"off"})
    vary: bool = False
    disable: tuple[Regex, ...] = ()
    disable_msie6: bool = False
