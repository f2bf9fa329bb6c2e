"""`upwire serve --proxy nginx.conf`: the proxy in front of an application, in one program."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from upwire.conf.model import Config, Location
from upwire.conf.model.types.proxy import ProxyPass
from upwire.errors import ConfigError, UpwireError
from upwire.proxy.load import load_file

logger = logging.getLogger("upwire.asgi")

STOP_TIMEOUT_S = 5.0
"""How long the proxy may take to end behind the application."""

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LIBC = ctypes.CDLL(None)


@dataclass(frozen=True, slots=True)
class Backend:
    """Where a proxy looks for its application: a host and a port, or a unix socket."""

    host: str
    port: int
    unix: str | None = None

    def __str__(self) -> str:
        return f"{self.host}:{self.port}" if self.unix is None else f"unix:{self.unix}"


def find_backend(path: str) -> Backend:
    """Return the one backend that the proxy_pass directives of a configuration name.

    Raises ConfigError for a configuration with faults, UpwireError for none or several backends.
    """
    loaded = load_file(os.path.abspath(path))
    if loaded.is_daemon:
        raise UpwireError(f'{path} has "daemon on;", and the application stays in the foreground')
    config = loaded.config
    found: dict[Backend, None] = {}
    for server in config.servers:
        for location in _below(server.locations):
            if (pass_ := location.settings.proxy.pass_) is not None:
                found.update(dict.fromkeys(_backends(config, pass_)))
    if len(found) != 1:
        names = ", ".join(map(str, found)) or "none"
        raise UpwireError(f"{path} is to name one backend for the application, and names {names}")
    return next(iter(found))


@contextlib.contextmanager
def proxy_in_front(path: str, backend: Backend) -> Iterator[Callable[[], None]]:
    """Run the proxy beside us, and stop it at the end; where it ends by itself, so do we.

    Gives what lets it read its configuration anew, as a SIGHUP does that comes to us; a warning
    is logged where it then looks for the application at another place than backend. Raises
    UpwireError at the end where the proxy has ended first: it has said why.
    """
    command = [sys.executable, "-m", "upwire", "proxy", "-c", os.path.abspath(path)]
    process = subprocess.Popen(command, preexec_fn=_end_with_parent, process_group=0)
    is_over = threading.Event()
    watching = threading.Thread(target=_watch, args=(process, is_over), name="proxy", daemon=True)
    watching.start()

    def reload() -> None:
        process.send_signal(signal.SIGHUP)
        warn_of_move(path, backend)

    try:
        with _handled({signal.SIGHUP: reload, signal.SIGTERM: _interrupt}):
            yield reload
    except KeyboardInterrupt:
        if process.poll() is None:
            raise
    finally:
        status = process.poll()
        is_over.set()
        _end(process, watching)
    if status is not None:
        raise UpwireError(f"the proxy has ended with status {status}")


def warn_of_move(path: str, backend: Backend) -> None:
    """Log where a configuration no longer names the backend that the application serves at."""
    try:
        found = find_backend(path)
    except ConfigError:
        return  # the proxy says what is wrong, and goes on with what it had
    except UpwireError as error:
        logger.warning("%s; the application stays at %s until a restart", error, backend)
        return
    if found != backend:
        logger.warning(
            "%s now names %s; the application stays at %s until a restart", path, found, backend
        )


def _watch(process: subprocess.Popen[bytes], is_over: threading.Event) -> None:
    """End ourselves behind a proxy that has ended by itself."""
    # Who waits for signals in the main thread is to get them, and not a handler's exception.
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    process.wait()
    if not is_over.is_set():
        os.kill(os.getpid(), signal.SIGTERM)


def _end(process: subprocess.Popen[bytes], watching: threading.Thread) -> None:
    process.terminate()
    watching.join(STOP_TIMEOUT_S)
    with contextlib.suppress(ProcessLookupError):  # nobody is left
        os.killpg(process.pid, signal.SIGKILL)
    watching.join()


@contextlib.contextmanager
def _handled(handlers: Mapping[signal.Signals, Callable[[], None]]) -> Iterator[None]:
    """Call these at their signals, until a server has handlers of its own."""
    before = {
        number: signal.signal(number, lambda *_, handler=handler: handler())
        for number, handler in handlers.items()
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt() -> None:
    raise KeyboardInterrupt


def _below(locations: Iterable[Location]) -> Iterator[Location]:
    for location in locations:
        yield location
        yield from _below(location.locations)


def _backends(config: Config, pass_: ProxyPass) -> list[Backend]:
    """Return where a proxy_pass leads; nowhere, if that depends on variables."""
    if pass_.upstream is not None:
        peers = config.upstreams[pass_.upstream].peers
        return [Backend(peer.host, peer.port, peer.unix) for peer in peers]
    if pass_.template is not None:
        return []
    return [Backend(pass_.host, pass_.port, pass_.unix)]


def _end_with_parent() -> None:
    """Let the kernel send SIGTERM to this process when the one that started it ends."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
