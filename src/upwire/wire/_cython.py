"""A stand-in for the `cython` module where Cython is not installed.

It has what the compiled modules of this package name, and nothing else: decorators that do
nothing and C types that are never evaluated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])  # Any: a decorator takes them all

compiled = False

int = bint = uchar = uint = longlong = ulonglong = Py_ssize_t = int  # noqa: A001 - Cython's own names
double = float


def cclass(decorated: _Decorated) -> _Decorated:
    """Make an extension type of a class when compiled; here, nothing."""
    return decorated


final = cfunc = ccall = with_gil = no_gc = inline = cclass


class _NoGil:
    """Release the lock when compiled, for a block or in a function; here, nothing."""

    def __call__(self, decorated: _Decorated) -> _Decorated:
        return decorated

    def __enter__(self) -> None:
        pass

    def __exit__(self, *raised: object) -> None:
        pass


nogil = _NoGil()


def exceptval(*, check: bool) -> Callable[[_Decorated], _Decorated]:
    """Say how a C function raises when compiled; here, nothing."""
    return cclass


def declare(
    c_type: type, value: object = None, *, visibility: str = "private"
) -> Any:  # Any: the type is given as a value
    """Declare a C variable or attribute when compiled; here, give its value, or a number's zero."""
    return c_type() if value is None and c_type in (int, float) else value


def cast(c_type: object, value: Any) -> Any:  # Any: the type is given as a value
    """Take a value for one of another C type when compiled; here, as it is."""
    return value
