"""`charset`, `source_charset`, `override_charset`, `charset_types` and `charset_map`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from upwire.conf.model.assembly import Assembly, Scope
from upwire.conf.model.types.charset import CHARSET_TYPES, CharsetSettings, Recoding
from upwire.conf.syntax import Directive
from upwire.conf.variables import Template

_UTF8 = "utf-8"
_UTF8_OCTETS_MAX = 4
_BASIC_PLANE_MAX = 0xFFFF
_OCTET = re.compile(r"0*[0-9A-Fa-f]{1,2}")
_OCTETS = re.compile(r"(?:[0-9A-Fa-f]{2})+")


def read_charset(scope: Scope, assembly: Assembly) -> CharsetSettings:
    """Return what holds at one level."""
    charset, source = (
        _read_name(scope, "charset", assembly),
        _read_name(scope, "source_charset", assembly),
    )
    if charset is not None and source is not None:
        _check_pair(source, charset, assembly)
    words = {word.lower() for line in scope.effective("charset_types") for word in line.args}
    return CharsetSettings(
        charset=charset,
        source=source,
        is_overriding=scope.flag("override_charset"),
        types=frozenset({"text/html", *words}) if words else CHARSET_TYPES,
    )


def _read_name(scope: Scope, name: str, assembly: Assembly) -> Template | None:
    directive = scope.one(name)
    if directive is None or (name == "charset" and directive.args[0] == "off"):
        return None
    return assembly.template(directive.args[0])


def _check_pair(source: Template, charset: Template, assembly: Assembly) -> None:
    """Note that two charsets without variables have no way from one to the other."""
    pair = (source.text.lower(), charset.text.lower())
    if source.variables or charset.variables or pair[0] == pair[1]:
        return
    if pair not in assembly.recodings:
        names = f'"{source.text}" and "{charset.text}"'
        assembly.missing(f'no "charset_map" between the charsets {names}', None)


def read_charset_maps(scope: Scope, assembly: Assembly) -> None:
    """Keep the ways that each `charset_map` makes between two charsets, there and back."""
    for directive in scope.own("charset_map"):
        source, target = (name.lower() for name in directive.args)
        fault = _find_fault(source, target, directive, assembly)
        if fault is not None:
            assembly.fault(fault, directive.position)
            continue
        pairs = dict(_read_lines(directive, assembly, is_utf8=target == _UTF8))
        forth = tuple(
            pairs.get(octet, bytes([octet]) if octet < 128 else b"?") for octet in range(256)
        )
        assembly.recodings[source, target] = Recoding(forth)
        assembly.recodings[target, source] = _invert(pairs, is_utf8=target == _UTF8)


def _find_fault(source: str, target: str, directive: Directive, assembly: Assembly) -> str | None:
    first, second = directive.args
    if source == target:
        return f'"charset_map" between the same charsets "{first}" and "{second}"'
    if source == _UTF8:
        return '"charset_map" with "utf-8" charset should be given in the second column'
    if (source, target) in assembly.recodings:
        return f'duplicate "charset_map" between "{first}" and "{second}"'
    return None


def _read_lines(
    directive: Directive, assembly: Assembly, *, is_utf8: bool
) -> Iterator[tuple[int, bytes]]:
    """Yield an octet of the first charset, and what it is in the second."""
    for line in directive.block or ():
        if len(line.args) != 1:
            assembly.fault("invalid parameters number", line.position)
        elif not _OCTET.fullmatch(line.name):
            assembly.fault(f'invalid value "{line.name}"', line.position)
        else:
            octets = _read_character(line.args[0], is_utf8=is_utf8)
            if octets is None:
                assembly.fault(f'invalid value "{line.args[0]}"', line.arg_positions[0])
            else:
                yield int(line.name, 16), octets


def _read_character(text: str, *, is_utf8: bool) -> bytes | None:
    if not is_utf8:
        return bytes([int(text, 16)]) if _OCTET.fullmatch(text) else None
    if not _OCTETS.fullmatch(text) or len(text) > 2 * _UTF8_OCTETS_MAX:
        return None
    octets = bytes.fromhex(text)
    try:
        character = octets.decode()
    except UnicodeDecodeError:
        return None
    return octets if len(character) == 1 and ord(character) <= _BASIC_PLANE_MAX else None


def _invert(pairs: dict[int, bytes], *, is_utf8: bool) -> Recoding:
    if is_utf8:
        characters = {code: code for code in range(128)}
        characters.update((ord(octets.decode()), octet) for octet, octets in pairs.items())
        return Recoding(characters=characters)
    back = {octets[0]: bytes([octet]) for octet, octets in pairs.items()}
    return Recoding(
        tuple(back.get(octet, bytes([octet]) if octet < 128 else b"?") for octet in range(256))
    )
