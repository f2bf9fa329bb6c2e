"""`try_files`."""

from __future__ import annotations

from upwire.conf.model.assembly import Assembly, Wrong
from upwire.conf.model.types.try_files import TryFiles
from upwire.conf.syntax import Directive

_STATUS_MAX = 999


def read_try_files(directive: Directive, assembly: Assembly) -> TryFiles:
    """Return one `try_files`; a slash at a path's end asks for a directory."""
    *texts, last = directive.args
    paths = tuple((assembly.template(text.removesuffix("/")), text.endswith("/")) for text in texts)
    if not last.startswith("="):
        return TryFiles(paths, assembly.template(last))
    digits = last[1:]
    if not (digits.isascii() and digits.isdigit()) or int(digits) > _STATUS_MAX:
        raise Wrong(f'invalid code "={digits}"', directive.arg_positions[-1])
    return TryFiles(paths, assembly.template(""), int(digits))
