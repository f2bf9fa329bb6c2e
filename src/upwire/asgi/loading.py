"""Finds an application by its name, and says what is not there."""

from __future__ import annotations

import importlib
import inspect
import traceback
from typing import cast

from upwire.asgi.interface import AsgiCallable
from upwire.errors import LocalProtocolError, UpwireError
from upwire.server import Application, Routes
from upwire.server.handler import check_handler
from upwire.server.mounting import Mount


def load(target: str, *, is_factory: bool = False) -> Application | AsgiCallable:
    """Return what `module:name` names: a Routes, a handler or an ASGI application.

    is_factory: it names a function that returns that. Raises UpwireError that says what is not
    there.
    """
    module_name, colon, name = target.partition(":")
    if not (all(module_name.split(".")) and colon and name):
        raise UpwireError(f"{target!r} is not MODULE:NAME, such as app:app")
    found: object = _import(module_name)
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise UpwireError(f"module {module_name} has no {name!r}") from None
    if is_factory:
        found = _make(found, target)
    if not isinstance(found, (Routes, Mount)) and not is_asgi(found):
        try:
            check_handler(found, "ws")
        except LocalProtocolError as error:
            raise UpwireError(f"{target}: {error}") from None
    return cast("Application | AsgiCallable", found)


def is_asgi(found: object) -> bool:
    """Whether it takes the three arguments of an ASGI application, and not a handler's one."""
    if not callable(found) or inspect.isclass(found):
        return False
    try:
        signature = inspect.signature(found)
    except ValueError:
        return False  # it is built in, and tells nothing of what it takes
    return _takes(signature, 3) and not _takes(signature, 1)


def _takes(signature: inspect.Signature, count: int) -> bool:
    try:
        signature.bind(*(object() for _ in range(count)))
    except TypeError:
        return False
    return True


def _make(factory: object, target: str) -> object:
    """Return what a factory makes. Raises UpwireError where it makes nothing."""
    if not callable(factory):
        raise UpwireError(f"{target}: {factory!r:.80} is no function that makes an application")
    try:
        return factory()
    except (Exception, SystemExit) as error:  # the edge: the application's code may raise anything
        raise UpwireError(f"{target} makes no application: {describe(error)}") from error


def _import(name: str) -> object:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name + ".").startswith(error.name + "."):
            raise UpwireError(f"cannot import {name}: {error}") from error
        raise UpwireError(
            f"there is no module {error.name} in this folder or among the installed ones"
        ) from None
    except SyntaxError as error:  # says itself where it is; the traceback ends in the importer
        raise UpwireError(f"cannot import {name}: {type(error).__name__}: {error}") from error
    except (Exception, SystemExit) as error:  # the edge: the application's code may raise anything
        raise UpwireError(f"cannot import {name}: {describe(error)}") from error


def describe(error: BaseException) -> str:
    """Return what was raised, and where."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error}, at {where.filename}:{where.lineno}"
