"""Which variables a configuration defines, and whether those that it uses exist."""

from __future__ import annotations

import re
from collections.abc import Iterator

from upwire.conf.directives import Context, Kind
from upwire.conf.model.assembly import Assembly, Wrong
from upwire.conf.model.conditions import Word, condition_words
from upwire.conf.syntax import Directive, Position
from upwire.conf.validate import find_spec
from upwire.conf.variables import VARIABLES, Template, is_known
from upwire.errors import ConfigError

_NAMED_GROUP = re.compile(r"\(\?(?:P?<|')([A-Za-z_]\w*)")
_DEFINING = {
    "map": 1,
    "geo": -1,
    "split_clients": 1,
    "set": 0,
    "auth_request_set": 0,
    "perl_set": 0,
}
_HTTP = ~(Context.STREAM | Context.STREAM_SERVER | Context.STREAM_UPSTREAM)

# Which arguments are texts with variables, as a slice; the rows of Kind.TEMPLATE come beside them.
_FIRST, _SECOND, _ALL, _LAST = slice(0, 1), slice(1, 2), slice(None), slice(-1, None)
_TEMPLATES = {
    "return": _ALL,
    "root": _FIRST,
    "alias": _FIRST,
    "index": _ALL,
    "try_files": _ALL,
    "error_page": _LAST,
    "access_log": _ALL,
    "log_format": slice(1, None),
    "add_header": _SECOND,
    "add_trailer": _SECOND,
    "expires": _ALL,
    "set": _SECOND,
    "rewrite": _SECOND,
    "auth_request_set": _SECOND,
    "map": _FIRST,
    "split_clients": _FIRST,
    "hash": _FIRST,
    "limit_req_zone": _FIRST,
    "limit_conn_zone": _FIRST,
    "proxy_pass": _FIRST,
    "proxy_set_header": _SECOND,
    "proxy_cache_key": _FIRST,
    "proxy_cache_bypass": _ALL,
    "proxy_no_cache": _ALL,
    "proxy_redirect": _SECOND,
    "proxy_cookie_domain": _SECOND,
    "proxy_cookie_path": _SECOND,
    "fastcgi_pass": _FIRST,
    "fastcgi_param": _SECOND,
    "uwsgi_pass": _FIRST,
    "uwsgi_param": _SECOND,
    "scgi_pass": _FIRST,
    "scgi_param": _SECOND,
    "grpc_pass": _FIRST,
    "grpc_set_header": _SECOND,
    "sub_filter": _ALL,
    "ssl_certificate": _FIRST,
    "ssl_certificate_key": _FIRST,
}


def check_variables(http: Directive, assembly: Assembly) -> None:
    """Note every variable of an http block that nothing defines, and every text that is broken."""
    defined = frozenset(_defined(http, assembly))
    for text, at in _texts(http):
        try:
            names = Template.compile(text).variables
        except ConfigError as error:
            assembly.faults.add_error(error, at)
            continue
        for name in names:
            if not name.isdigit() and not is_known(name, defined):
                assembly.missing(f'unknown "{name}" variable', at)


def _walk(directive: Directive) -> Iterator[Directive]:
    """A directive and all inside it."""
    yield directive
    for inner in directive.block or ():
        yield from _walk(inner)


def _defined(http: Directive, assembly: Assembly) -> Iterator[str]:
    """The names that map, geo, set and their like define, and those of named captures."""
    for directive in _walk(http):
        place = _DEFINING.get(directive.name)
        if place is not None and len(directive.args) > max(place, 0):
            name = directive.args[place]
            yield _check_definition(name, directive.arg_positions[place], assembly)
        for text in (directive.name, *directive.args):
            yield from (name.lower() for name in _NAMED_GROUP.findall(text))


def _check_definition(name: str, at: Position, assembly: Assembly) -> str:
    """Return the name without "$"; only nginx's changeable variables may be defined again."""
    if not name.startswith("$") or len(name) == 1:
        assembly.fault(f'invalid variable name "{name}"', at)
        return ""
    bare = name[1:].lower()
    known = VARIABLES.get(bare)
    if known is not None and not known.is_changeable:
        assembly.fault(f'the duplicate "{bare}" variable', at)
    return bare


def _texts(http: Directive) -> Iterator[tuple[str, Position]]:
    """All arguments that may hold variables, with their places."""
    for directive in _walk(http):
        if directive.name == "map":
            yield from _map_values(directive)
        if directive.name == "if":
            yield from _condition_texts(directive)
        row = find_spec(directive.name, _HTTP)
        if row is not None and row.kind in (Kind.TEMPLATE, Kind.SIZE_TEMPLATE):
            yield directive.args[0], directive.arg_positions[0]
        part = _TEMPLATES.get(directive.name)
        if part is not None:
            yield from zip(directive.args[part], directive.arg_positions[part], strict=True)


def _condition_texts(directive: Directive) -> Iterator[Word]:
    """The texts of a condition that is no expression."""
    try:
        words = condition_words(directive)
    except Wrong:  # noted where it is read
        return
    if words and words[0][0][:1] == "$" != words[0][0]:
        yield words[0]
        if len(words) == 3 and words[1][0] in ("=", "!="):
            yield words[2]
    elif len(words) == 2:
        yield words[1]


def _map_values(directive: Directive) -> Iterator[tuple[str, Position]]:
    for line in directive.block or ():
        yield from zip(line.args, line.arg_positions, strict=True)
