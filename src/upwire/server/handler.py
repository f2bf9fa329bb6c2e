"""What can be a handler: asked when a server is made, not at its first handshake."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable

from upwire.errors import LocalProtocolError
from upwire.net.websocket import Callbacks


def check_handler(handler: object, takes: str) -> None:
    """Raise LocalProtocolError for what cannot be called with one argument and awaited then.

    takes: the name of that argument, for the example in the error. A callable that is no Python
    function, such as a compiled one, is taken at its word.
    """
    if not callable(handler) or inspect.isclass(handler):
        raise _no_handler(handler, "is not an async function", takes)
    function = _function_of(handler)
    if inspect.isfunction(function) and not inspect.iscoroutinefunction(function):
        raise _no_handler(handler, "is not async", takes)
    try:
        signature = inspect.signature(handler, follow_wrapped=False)
    except ValueError:
        return  # it is built in, and tells nothing of what it takes
    try:
        signature.bind(object())
    except TypeError:
        raise _no_handler(handler, f"takes {signature}", takes) from None


def check_websocket_handler(handler: object) -> None:
    """Raise LocalProtocolError for what is neither an async function nor Callbacks."""
    if not isinstance(handler, Callbacks):
        check_handler(handler, "ws")


def handler_name(handler: object) -> str:
    """Return the qualified name of a handler, or of what it is an instance of."""
    while isinstance(handler, functools.partial):
        handler = handler.func
    named = handler if hasattr(handler, "__qualname__") else type(handler)
    return f"{named.__module__}.{named.__qualname__}"


def _function_of(handler: Callable[..., object]) -> object:
    """Return the function that runs in the end, below partial(), __call__ and decorators."""
    while isinstance(handler, functools.partial):
        handler = handler.func
    if not (inspect.isroutine(handler) or inspect.isclass(handler)):
        handler = type(handler).__call__
    if inspect.ismethod(handler):
        handler = handler.__func__
    return inspect.unwrap(handler)


def _no_handler(handler: object, why: str, takes: str) -> LocalProtocolError:
    example = f"a handler is `async def handler({takes}): ...`"
    return LocalProtocolError(f"{handler!r:.80} {why}; {example}")
