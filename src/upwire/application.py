"""`upwire serve`: what it can be told, and how an application is served."""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from types import FrameType
from typing import Any, cast

from upwire.asgi import AsgiApplication, AsgiCallable, run_application
from upwire.asgi.certificates import Certificates, tls_context
from upwire.asgi.changes import Changes, Wanted, watch
from upwire.asgi.lifespan import Mode
from upwire.asgi.loading import is_asgi, load
from upwire.asgi.log_config import configure_logging
from upwire.asgi.running import UNIX_MODE
from upwire.asgi.supervisor import LOOK_S, Supervisor
from upwire.errors import ConfigError, UpwireError, printable
from upwire.fronting import find_backend, proxy_in_front
from upwire.net.http1 import HttpTimeouts
from upwire.net.listener import listen, show_address
from upwire.server import Application, Server
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
    workers: int | None = _option(
        None, "processes that share the socket; one that dies is replaced ($WEB_CONCURRENCY or 1)"
    )
    reload: bool = _option(False, "begin anew when a file of the application changes")
    reload_dir: tuple[str, ...] = _option(
        (), "the folder to watch instead of this one; may be repeated", metavar="FOLDER"
    )
    reload_include: tuple[str, ...] = _option(
        (), "watch files of such names too, beside *.py; may be repeated", metavar="PATTERN"
    )
    reload_exclude: tuple[str, ...] = _option(
        (), "watch no files or folders of such names; may be repeated", metavar="PATTERN"
    )
    reload_delay: float = _option(LOOK_S, "seconds between looks for changes", metavar="SECONDS")
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
        "the trusted proxies, separated by commas, or *; $FORWARDED_ALLOW_IPS or 127.0.0.1,::1",
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
    ssl_keyfile_password: str | None = _option(None, "what unlocks the key", metavar="PASSWORD")
    ssl_cert_reqs: int | None = _option(
        None, "clients' certificates: 0 none, 1 optional, 2 required (2 with --ssl-ca-certs)"
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
    ws_max_queue: int = _option(
        1024, "messages that may wait for the application", metavar="MESSAGES"
    )
    ws_per_message_deflate: bool = _option(
        True,
        "compress messages, where the client can",
        flags=("--ws-per-message-deflate",),
        action=argparse.BooleanOptionalAction,
    )
    timeout_keep_alive: float = _option(
        75.0, "seconds that a connection may wait for a request", metavar="SECONDS"
    )
    timeout_graceful_shutdown: float = _option(
        10.0, "the process ends so long after a signal at the latest", metavar="SECONDS"
    )
    log_config: str | None = _option(
        None,
        "configure logging by this file: .json, .yaml, or as logging.config reads it",
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
        if self.reload and (self.workers or 1) > 1:
            raise ValueError("--reload runs one worker")
        for name in ("workers", "limit_concurrency", "ws_max_queue"):
            if (number := getattr(self, name)) is not None and number < 1:
                raise ValueError(f"{_flag(name)} takes 1 or more")
        for name in ("timeout_graceful_shutdown", "timeout_keep_alive", "reload_delay"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{_flag(name)} takes more than 0 s")
        if self.ssl_cert_reqs not in (None, 0, 1, 2):
            raise ValueError("--ssl-cert-reqs takes 0, 1 or 2")
        if self.ssl_cert_reqs and self.ssl_ca_certs is None:
            raise ValueError("--ssl-cert-reqs needs --ssl-ca-certs")
        if min(self.ws_ping_interval, self.ws_ping_timeout) < 0:
            raise ValueError("--ws-ping-interval and --ws-ping-timeout take 0 s or more")
        for name, allowed in (("lifespan", _LIFESPANS), ("log_level", _LOG_LEVELS)):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{_flag(name)} takes {', '.join(allowed)}")


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def main(options: ServeOptions) -> int:
    """Serve until a signal ends it. Returns the exit status."""
    configure_logging(options.log_level, options.log_config)
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
    if backend.unix is not None and _trusted(options) is None:
        at_backend = replace(at_backend, forwarded_allow_ips="*")  # who reaches its path is trusted
    with proxy_in_front(conf, backend) as reload_proxy:
        return _serve_here(at_backend, reload_proxy)


def _trusted(options: ServeOptions) -> str | None:
    return options.forwarded_allow_ips or os.environ.get("FORWARDED_ALLOW_IPS")


def _serve_here(options: ServeOptions, on_hang_up: Callable[[], None] | None = None) -> int:
    """Serve in this process, or in workers. Returns the exit status.

    on_hang_up: what else a SIGHUP does that replaces workers.
    """
    try:
        workers = _worker_count(options)
        if workers > 1 or options.reload:
            return _serve_in_workers(options, workers, on_hang_up)
        _serve(options, None if options.fd is None else _inherited(options.fd))
    except ConfigError as error:
        raise UpwireError(_explain(error, options)) from error
    return 0


def _wrap(app: AsgiCallable, options: ServeOptions) -> AsgiApplication:
    trusted = _trusted(options) or "127.0.0.1,::1"
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
        deflate=options.ws_per_message_deflate,
        timeouts=HttpTimeouts(idle_s=options.timeout_keep_alive),
        receive_queue_messages=options.ws_max_queue,
        stop_close_code=CloseCode.GOING_AWAY if is_handler else CloseCode.SERVICE_RESTART,
    )


def _worker_count(options: ServeOptions) -> int:
    """Return how many processes are to serve. Raises UpwireError for a bad $WEB_CONCURRENCY."""
    if options.workers is not None or options.reload:
        return options.workers or 1
    text = os.environ.get("WEB_CONCURRENCY", "1")
    if not (text.isdecimal() and int(text) > 0):
        raise UpwireError(f"$WEB_CONCURRENCY is a number of workers, not {text!r:.80}")
    return int(text)


def _serve_in_workers(
    options: ServeOptions, count: int, on_hang_up: Callable[[], None] | None
) -> int:
    """Serve in processes that share one socket. Returns the exit status."""

    def work() -> int:
        try:
            _serve(options, sock)
        except UpwireError as error:
            print(f"upwire serve: {printable(str(error))}", file=sys.stderr, flush=True)
            return 1
        return 0

    with _interrupted_by_term(), _shared_socket(options) as sock, _changes(options) as changes:
        where = show_address(sock.getsockname())
        print(f"upwire: listening on {where} (Ctrl-C stops)", file=sys.stderr, flush=True)
        supervisor = Supervisor(
            work,
            count=count,
            changes=changes,
            look_s=options.reload_delay,
            stop_timeout_s=options.timeout_graceful_shutdown + 1,
            on_hang_up=on_hang_up,
        )
        return supervisor.run()


@contextlib.contextmanager
def _interrupted_by_term() -> Iterator[None]:
    """Raise KeyboardInterrupt at a SIGTERM that comes before a supervisor or a server waits for it.

    Otherwise the path of a unix socket would stay behind.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _shared_socket(options: ServeOptions) -> Iterator[socket.socket]:
    """Listen for workers; at the end no path of ours is left behind. Raises ConfigError."""
    if options.fd is not None:
        with _inherited(options.fd) as sock:
            yield sock
        return
    with listen(options.host, _port(options, 8000), options.unix) as sock:
        if options.unix is None:
            yield sock
            return
        os.chmod(options.unix, UNIX_MODE)
        inode = os.stat(options.unix).st_ino
        try:
            yield sock
        finally:
            with contextlib.suppress(FileNotFoundError):
                if os.stat(options.unix).st_ino == inode:  # nobody else's in its place
                    os.unlink(options.unix)


@contextlib.contextmanager
def _changes(options: ServeOptions) -> Iterator[Changes | None]:
    """Watch the files of the application, if that is asked for."""
    if not options.reload:
        yield None
        return
    usual = Wanted()
    wanted = Wanted(
        (*usual.include, *options.reload_include), (*usual.exclude, *options.reload_exclude)
    )
    changes = watch(options.reload_dir or (options.app_dir or ".",), wanted)
    try:
        yield changes
    finally:
        changes.close()


def _inherited(descriptor: int) -> socket.socket:
    try:
        return socket.socket(fileno=descriptor)
    except OSError as error:
        raise UpwireError(f"--fd {descriptor}: {error.strerror}") from None


def _tls_context(options: ServeOptions) -> ssl.SSLContext | None:
    if options.certificate is None:
        return None
    return tls_context(
        Certificates(
            certificate=options.certificate,
            key=options.certificate_key,
            key_password=options.ssl_keyfile_password,
            authorities=options.ssl_ca_certs,
            cert_reqs=options.ssl_cert_reqs,
            ciphers=options.ssl_ciphers,
        )
    )


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
