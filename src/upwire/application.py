"""`upwire serve`: finds an application by its name and serves it."""

from __future__ import annotations

import errno
import importlib
import logging
import sys
import traceback
from dataclasses import dataclass, field
from typing import cast

from upwire.errors import ConfigError, LocalProtocolError, UpwireError
from upwire.net.tls import server_context
from upwire.server import Application, Routes, run
from upwire.server.handler import check_handler


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """What `upwire serve` can be told."""

    target: str = field(
        metadata={
            "metavar": "MODULE:NAME",
            "help": "where the handler or the Routes are, such as app:handler",
        }
    )
    host: str = field(default="127.0.0.1", metadata={"help": "the address to listen on"})
    port: int = field(default=8080, metadata={"help": "the port to listen on; 0: a free one"})
    unix: str | None = field(
        default=None, metadata={"metavar": "PATH", "help": "listen on a unix socket instead"}
    )
    origin: tuple[str, ...] = field(
        default=(), metadata={"help": "take handshakes of this Origin only; may be repeated"}
    )
    subprotocol: tuple[str, ...] = field(
        default=(), metadata={"help": "speak this subprotocol; the first that a client has wins"}
    )
    certificate: str | None = field(
        default=None, metadata={"metavar": "FILE", "help": "serve wss: the PEM certificate chain"}
    )
    certificate_key: str | None = field(
        default=None, metadata={"metavar": "FILE", "help": "its key, if not in the same file"}
    )
    max_message_octets: int = field(
        default=2**20, metadata={"metavar": "OCTETS", "help": "close on a longer message"}
    )

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ValueError(f"--port takes 0 to 65535, not {self.port}")
        if self.certificate_key is not None and self.certificate is None:
            raise ValueError("--certificate-key needs --certificate")
        if self.max_message_octets <= 0:
            raise ValueError("--max-message-octets takes 1 or more")


def main(options: ServeOptions) -> int:
    """Serve until a signal ends it. Returns 0."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    sys.path.insert(0, "")
    application = load(options.target)
    try:
        _serve(application, options)
    except ConfigError as error:
        raise UpwireError(_explain(error, options)) from error
    return 0


def load(target: str) -> Application:
    """Return what `module:name` names: a Routes or a handler.

    Raises UpwireError that says what is not there.
    """
    module_name, colon, name = target.partition(":")
    if not (all(module_name.split(".")) and colon and name):
        raise UpwireError(f"{target!r} is not MODULE:NAME, such as app:handler")
    found: object = _import(module_name)
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise UpwireError(f"module {module_name} has no {name!r}") from None
    if not isinstance(found, Routes):
        try:
            check_handler(found, "ws")
        except LocalProtocolError as error:
            raise UpwireError(f"{target}: {error}") from None
    return cast("Application", found)


def _serve(application: Application, options: ServeOptions) -> None:
    context = None
    if options.certificate is not None:
        key = options.certificate_key or options.certificate
        context = server_context(options.certificate, key)
    run(
        application,
        options.host,
        options.port,
        unix=options.unix,
        ssl=context,
        origins=options.origin or None,
        subprotocols=options.subprotocol,
        max_message_octets=options.max_message_octets,
    )


def _explain(error: ConfigError, options: ServeOptions) -> str:
    message = error.problems[0].message
    cause = error.__cause__
    if isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE:
        option = "--port" if options.unix is None else "--unix"
        return f"{message}; choose another with {option}"
    return message


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
        where = traceback.extract_tb(error.__traceback__)[-1]
        kind = type(error).__name__
        raise UpwireError(
            f"cannot import {name}: {kind}: {error}, at {where.filename}:{where.lineno}"
        ) from error
