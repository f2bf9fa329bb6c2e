"""`add_header`, `add_trailer` and `expires`."""

from __future__ import annotations

from upwire.conf.model.assembly import Assembly, Scope, Wrong
from upwire.conf.model.types.headers import AddHeader, Expires, ExpiresTemplate, parse_expires
from upwire.conf.syntax import Directive


def read_add_header(directive: Directive, assembly: Assembly) -> AddHeader:
    """Return one field; a third argument can only be `always`."""
    name, value, *options = directive.args
    if options and options[0] != "always":
        raise Wrong(f'invalid parameter "{options[0]}"', directive.arg_positions[2])
    return AddHeader(name, assembly.template(value), bool(options))


def effective_fields(scope: Scope, name: str, assembly: Assembly) -> tuple[AddHeader, ...]:
    """Return what `add_header` or `add_trailer` says at one level, as `..._inherit` has it.

    A level's own lines drop those above with "on", and come before them with "merge".
    """
    how = scope.text(f"{name}_inherit").lower()
    own = assembly.read_all(read_add_header, scope.own(name))
    if how == "off" or scope.parent is None or (own and how == "on"):
        return own
    return (*own, *effective_fields(scope.parent, name, assembly))


def effective_expires(scope: Scope, assembly: Assembly) -> Expires | ExpiresTemplate | None:
    """Return what says when responses of one level expire."""
    directive = scope.one("expires")
    read = assembly.read(read_expires, directive) if directive is not None else None
    return read[0] if read is not None else None


def read_expires(
    directive: Directive, assembly: Assembly
) -> tuple[Expires | ExpiresTemplate | None]:
    """Return one `expires`; None in the tuple for "off"."""
    *words, text = directive.args
    if words not in ([], ["modified"]):
        raise Wrong('"expires" directive invalid value', directive.position)
    if "$" in text:
        return (ExpiresTemplate(assembly.template(text), bool(words)),)
    try:
        return (parse_expires(text, is_from_modified=bool(words)),)
    except ValueError as error:
        raise Wrong(f'"expires" directive {error}', directive.position) from None
