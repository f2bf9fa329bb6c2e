"""`upwire serve`: finds an application by its name and serves it."""

from __future__ import annotations

import argparse
import errno
import importlib
import inspect
import json
import logging
import logging.config
import os
import socket
import ssl
import sys
import traceback
from dataclasses import dataclass, field, replace
from typing import Any, cast

from upwire.asgi import AsgiApplication, AsgiCallable, run_application
from upwire.asgi.lifespan import Mode
from upwire.asgi.supervisor import Changes, Supervisor
from upwire.errors import ConfigError, LocalProtocolError, UpwireError, printable
from upwire.fronting import find_backend, proxy_in_front
from upwire.net.listener import listen, show_address
from upwire.net.tls import server_context
from upwire.net.tls.contexts import explain
from upwire.server import Application, Routes, Server
from upwire.server.handler import check_handler
from upwire.server.mounting import Mount
from upwire.wire.frames import CloseCode

_LIFESPANS = ("auto", "on", "off")
_LOG_LEVELS = ("critical", "error", "warning", "info", "debug")


def _option(default: Any, text: str, **metadata: Any) -> Any:  # as dataclasses.field() has it
    return field(default=default, metadata={"help": text, **metadata})


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """What `upwire serve` can be told; where uvicorn has the option, by its name as well."""

    target: str = field(
        metadata={
            "metavar": "MODULE:NAME",
            "help": "where the ASGI application, the handler or the Routes are, such as app:app",
        }
    )
    host: str = _option("127.0.0.1", "the address to listen on")
    port: int | None = _option(
        None, "the port to listen on; 0: a free one (8000 for ASGI, 8080 for a handler)"
    )
    unix: str | None = _option(
        None, "listen on a unix socket instead", flags=("--uds", "--unix"), metavar="PATH"
    )
    fd: int | None = _option(None, "listen on a socket that was inherited as this descriptor")
    factory: bool = _option(False, "NAME is a function that returns the application")
    app_dir: str = _option("", "where MODULE is; this folder, if not given", metavar="FOLDER")
    workers: int = _option(1, "processes that share the socket; one that dies is replaced")
    reload: bool = _option(False, "begin anew when a Python file changes")
    reload_dir: tuple[str, ...] = _option(
        (), "the folder to watch instead of this one; may be repeated", metavar="FOLDER"
    )
    proxy: str | None = _option(
        None, "run `upwire proxy` with this nginx.conf in front", metavar="FILE"
    )
    root_path: str = _option("", "what a proxy has taken off the paths", metavar="PATH")
    proxy_headers: bool = _option(
        True,
        "believe X-Forwarded-For and -Proto of trusted proxies",
        flags=("--proxy-headers",),
        action=argparse.BooleanOptionalAction,
    )
    forwarded_allow_ips: str | None = _option(
        None,
        "the trusted proxies, separated by commas, or *; $FORWARDED_ALLOW_IPS or 127.0.0.1",
        metavar="ADDRESSES",
    )
    lifespan: str = _option("auto", "auto, on or off: whether the application has a lifespan")
    limit_concurrency: int | None = _option(None, "answer 503 beyond so many requests at once")
    origin: tuple[str, ...] = _option((), "take handshakes of this Origin only; may be repeated")
    subprotocol: tuple[str, ...] = _option(
        (), "speak this subprotocol; the first that a client has wins (not for ASGI)"
    )
    certificate: str | None = _option(
        None,
        "serve https and wss: the PEM certificate chain",
        flags=("--ssl-certfile", "--certificate"),
        metavar="FILE",
    )
    certificate_key: str | None = _option(
        None,
        "its key, if not in the same file",
        flags=("--ssl-keyfile", "--certificate-key"),
        metavar="FILE",
    )
    ssl_ca_certs: str | None = _option(
        None, "ask clients for a certificate of these authorities", metavar="FILE"
    )
    ssl_ciphers: str | None = _option(None, "the ciphers of TLS 1.2, as OpenSSL names them")
    max_message_octets: int | None = _option(
        None,
        "close on a longer message (16 MiB for ASGI, 1 MiB for a handler)",
        flags=("--ws-max-size", "--max-message-octets"),
        metavar="OCTETS",
    )
    ws_ping_interval: float = _option(20.0, "seconds between pings; 0: none", metavar="SECONDS")
    ws_ping_timeout: float = _option(
        20.0, "seconds that a pong may take; 0: for ever", metavar="SECONDS"
    )
    timeout_graceful_shutdown: float = _option(
        10.0, "the process ends so long after a signal at the latest", metavar="SECONDS"
    )
    log_config: str | None = _option(
        None,
        "configure logging by this file: .json, or as logging.config reads it",
        metavar="FILE",
    )
    log_level: str = _option("info", "critical, error, warning, info or debug")
    access_log: bool = _option(
        True,
        "log each request to an ASGI application",
        flags=("--access-log",),
        action=argparse.BooleanOptionalAction,
    )

    def __post_init__(self) -> None:
        if self.port is not None and not 0 <= self.port <= 65535:
            raise ValueError(f"--port takes 0 to 65535, not {self.port}")
        if self.certificate_key is not None and self.certificate is None:
            raise ValueError("--certificate-key needs --certificate")
        if self.max_message_octets is not None and self.max_message_octets <= 0:
            raise ValueError("--max-message-octets takes 1 or more")
        if self.workers < 1:
            raise ValueError("--workers takes 1 or more")
        if self.reload and self.workers > 1:
            raise ValueError("--reload runs one worker")
        if self.timeout_graceful_shutdown <= 0:
            raise ValueError("--timeout-graceful-shutdown takes more than 0 s")
        if self.limit_concurrency is not None and self.limit_concurrency < 1:
            raise ValueError("--limit-concurrency takes 1 or more")
        if min(self.ws_ping_interval, self.ws_ping_timeout) < 0:
            raise ValueError("--ws-ping-interval and --ws-ping-timeout take 0 s or more")
        for name, allowed in (("lifespan", _LIFESPANS), ("log_level", _LOG_LEVELS)):
            if getattr(self, name) not in allowed:
                option = name.replace("_", "-")
                raise ValueError(f"--{option} takes {', '.join(allowed)}")


def main(options: ServeOptions) -> int:
    """Serve until a signal ends it. Returns the exit status."""
    _configure_logging(options)
    sys.path.insert(0, options.app_dir)
    if options.proxy is not None:
        return _serve_behind_proxy(options, options.proxy)
    return _serve_here(options)


def _serve_behind_proxy(options: ServeOptions, conf: str) -> int:
    """Serve where the proxy's configuration looks for us, with the proxy in front."""
    backend = find_backend(conf)
    at_backend = replace(
        options, host=backend.host, port=backend.port, unix=backend.unix, proxy=None
    )
    with proxy_in_front(conf):
        return _serve_here(at_backend)


def _serve_here(options: ServeOptions) -> int:
    """Serve in this process, or in workers. Returns the exit status."""
    try:
        if options.workers > 1 or options.reload:
            return _serve_in_workers(options)
        _serve(options, None if options.fd is None else _inherited(options.fd))
    except ConfigError as error:
        raise UpwireError(_explain(error, options)) from error
    return 0


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
        raise UpwireError(f"{target} makes no application: {_describe(error)}") from error


def _wrap(app: AsgiCallable, options: ServeOptions) -> AsgiApplication:
    trusted = options.forwarded_allow_ips or os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1")
    return AsgiApplication(
        app,
        root_path=options.root_path,
        forwarded_allow_ips=trusted if options.proxy_headers else None,
        limit_concurrency=options.limit_concurrency,
        lifespan=cast("Mode", options.lifespan),
        access_log=options.access_log,
    )


def _serve(options: ServeOptions, sock: socket.socket | None = None) -> None:
    """Serve in this process; sock: where, if somebody else listens for us."""
    found = load(options.target, is_factory=options.factory)
    is_handler = not isinstance(found, Mount) and not is_asgi(found)
    application = _wrap(cast("AsgiCallable", found), options) if is_asgi(found) else found
    octets = options.max_message_octets or (2**20 if is_handler else 2**24)
    run_application(
        cast("Application", application),
        options.host,
        _port(options, 8080 if is_handler else 8000),
        uds=options.unix,
        sock=sock,
        ssl=_tls_context(options),
        timeout_s=options.timeout_graceful_shutdown,
        on_start=None if sock is None else _say_nothing,
        origins=options.origin or None,
        subprotocols=options.subprotocol,
        max_message_octets=octets,
        ping_interval_s=options.ws_ping_interval or None,
        ping_timeout_s=options.ws_ping_timeout or None,
        stop_close_code=CloseCode.GOING_AWAY if is_handler else CloseCode.SERVICE_RESTART,
    )


def _serve_in_workers(options: ServeOptions) -> int:
    """Serve in processes that share one socket. Returns the exit status."""
    sock = _listen(options)
    where = show_address(sock.getsockname())
    print(f"upwire: listening on {where} (Ctrl-C stops)", file=sys.stderr, flush=True)

    def work() -> int:
        try:
            _serve(options, sock)
        except UpwireError as error:
            print(f"upwire serve: {printable(str(error))}", file=sys.stderr, flush=True)
            return 1
        return 0

    changes = Changes(options.reload_dir or (options.app_dir or ".",)) if options.reload else None
    stop_timeout_s = options.timeout_graceful_shutdown + 1
    with sock:
        supervisor = Supervisor(
            work, count=options.workers, changes=changes, stop_timeout_s=stop_timeout_s
        )
        return supervisor.run()


def _listen(options: ServeOptions) -> socket.socket:
    """Open the socket that workers share. Raises ConfigError."""
    if options.fd is not None:
        return _inherited(options.fd)
    return listen(options.host, _port(options, 8000), options.unix)


def _inherited(descriptor: int) -> socket.socket:
    try:
        return socket.socket(fileno=descriptor)
    except OSError as error:
        raise UpwireError(f"--fd {descriptor}: {error.strerror}") from None


def _tls_context(options: ServeOptions) -> ssl.SSLContext | None:
    if options.certificate is None:
        return None
    context = server_context(options.certificate, options.certificate_key or options.certificate)
    try:
        if options.ssl_ca_certs is not None:
            context.load_verify_locations(options.ssl_ca_certs)
            context.verify_mode = ssl.CERT_REQUIRED
        if options.ssl_ciphers is not None:
            context.set_ciphers(options.ssl_ciphers)
    except OSError as error:
        raise UpwireError(f"TLS: {explain(error)}") from error
    return context


def _configure_logging(options: ServeOptions) -> None:
    """Log on stderr, or as --log-config says. Raises UpwireError where that cannot be read."""
    level = options.log_level.upper()
    if options.log_config is None:
        logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        for name in ("upwire.asgi", "upwire.access"):
            logging.getLogger(name).setLevel(level)
        return
    try:
        if options.log_config.endswith(".json"):
            with open(options.log_config, encoding="utf-8") as file:
                logging.config.dictConfig(json.load(file))
        else:
            logging.config.fileConfig(options.log_config, disable_existing_loggers=False)
    except Exception as error:  # the edge: what the file names may raise anything
        raise UpwireError(f"--log-config {options.log_config}: {_describe(error)}") from error


def _port(options: ServeOptions, default: int) -> int:
    return default if options.port is None else options.port


def _say_nothing(server: Server) -> None:
    """Leave it to the process that listens to say so."""


def _explain(error: ConfigError, options: ServeOptions) -> str:
    message = error.problems[0].message
    cause = error.__cause__
    if isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE:
        option = "--port" if options.unix is None else "--uds"
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
        raise UpwireError(f"cannot import {name}: {_describe(error)}") from error


def _describe(error: BaseException) -> str:
    """Return what was raised, and where."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error}, at {where.filename}:{where.lineno}"
