"""`sub_filter`, `gzip`, `gunzip` and `gzip_static`."""

from __future__ import annotations

from upwire.conf.model.assembly import Assembly, Scope, Wrong, compile_regex
from upwire.conf.model.ssi import read_media_types
from upwire.conf.model.types.coding import GzipSettings, SubFilter
from upwire.conf.regex import Regex
from upwire.conf.syntax import Directive
from upwire.conf.variables import Template

_PATTERNS_MAX = 255
_MSIE6 = "msie6"


def read_sub_filter(scope: Scope, assembly: Assembly) -> SubFilter:
    """Return what holds at one level."""
    return SubFilter(
        pairs=assembly.read_all(read_pair, scope.effective("sub_filter")),
        types=read_media_types(scope, "sub_filter_types"),
        once=scope.flag("sub_filter_once"),
        last_modified=scope.flag("sub_filter_last_modified"),
    )


def read_pair(directive: Directive, assembly: Assembly) -> tuple[Template, Template]:
    """Return one pair."""
    pattern, replacement = directive.args
    if not pattern:
        raise Wrong("empty search pattern", directive.arg_positions[0])
    return assembly.template(pattern), assembly.template(replacement)


def check_pairs(block: Directive, assembly: Assembly) -> None:
    """Note what is beyond the 255 patterns of one level."""
    lines = [line for line in block.block or () if line.name == "sub_filter"]
    if len(lines) > _PATTERNS_MAX:
        message = "number of search patterns exceeds 255"
        assembly.fault(message, lines[_PATTERNS_MAX].position)


def read_gzip(scope: Scope, assembly: Assembly) -> GzipSettings:
    """Return what holds at one level."""
    disable = scope.effective("gzip_disable")
    expressions = assembly.read_all(read_gzip_disable, disable)
    version = scope.text("gzip_http_version")
    return GzipSettings(
        is_on=scope.flag("gzip"),
        static=scope.text("gzip_static").lower(),
        gunzip=scope.flag("gunzip"),
        types=read_media_types(scope, "gzip_types"),
        level=scope.number("gzip_comp_level"),
        min_length_octets=scope.octets("gzip_min_length"),
        http_version=(1, int(version[-1])),
        proxied=frozenset(scope.args("gzip_proxied") or ()),
        vary=scope.flag("gzip_vary"),
        disable=tuple(regex for line in expressions for regex in line),
        disable_msie6=any(_MSIE6 in line.args for line in disable),
    )


def read_gzip_disable(directive: Directive, assembly: Assembly) -> tuple[Regex, ...]:
    """Return the expressions of one line."""
    return tuple(
        compile_regex(text, at, is_caseless=True)
        for text, at in zip(directive.args, directive.arg_positions, strict=True)
        if text not in (_MSIE6, "degradation")
    )
