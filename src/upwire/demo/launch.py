"""`upwire demo`: starts the proxy and the backends, says where to look, and stops all."""

from __future__ import annotations

import asyncio
import errno
import http.client
import os
import shutil
import signal
import socket
import sys
import tempfile
import webbrowser
from collections.abc import Container, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from upwire.demo.child import Child
from upwire.demo.plan import BACKEND_HOST, NGINX_PATHS, DemoOptions, Plan, describe, make_plan
from upwire.demo.race import until_first
from upwire.demo.setting import Setting
from upwire.errors import UpwireError

READY_TIMEOUT_S = 15.0
RESTART_DELAY_S = 1.0
REDIS_TIMEOUT_S = 3.0
_ASK_AGAIN_S = 0.05

__all__ = ["DemoOptions", "main"]


def main(options: DemoOptions) -> int:
    """Run the demo until Ctrl-C. Returns 0, or 1 when it could not run or did not go on."""
    try:
        asyncio.run(_run(options))
    except UpwireError as error:
        print(f"upwire demo: {error}", file=sys.stderr)
        return 1
    return 0


def check_port(host: str, port: int, option: str) -> None:
    """Raise UpwireError if the port cannot be listened on; option is the one that moves it."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise UpwireError(_explain_port(host, port, option, error)) from None


async def check_redis(url: str) -> None:
    """Raise UpwireError if there is no server, or nothing to talk to it with."""
    from upwire.rooms.redis_home import RedisHome  # the redis package may not be installed

    home = RedisHome(url, deadline_s=REDIS_TIMEOUT_S)
    try:
        await home.open()
    finally:
        await home.close()


def find_nginx() -> str:
    """Return the path of nginx. Raises UpwireError if it is not installed."""
    for path in NGINX_PATHS:
        if found := shutil.which(path):
            return found
    raise UpwireError("nginx is not installed (on Debian: apt install nginx)")


def _explain_port(host: str, port: int, option: str, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is in use; choose another with {option} PORT"
    if error.errno == errno.EACCES:
        return f"port {port} is not ours to open; choose one above 1023 with {option} PORT"
    return f"cannot listen on {host} port {port}: {error.strerror}"


async def _run(options: DemoOptions) -> None:
    check_port(options.host, options.port, "--port")
    for port in options.backend_ports:
        check_port(BACKEND_HOST, port, "--backend-port")
    if options.redis:
        await check_redis(options.redis)
    nginx = find_nginx() if options.nginx else None
    stop = _catch_signals()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="upwire-demo-")))
        status_port = _free_port(but=(options.port, *options.backend_ports))
        plan = make_plan(options, folder, status_port=status_port, nginx=nginx)
        _write_files(folder, plan.files)
        proxy = await stack.enter_async_context(Child.running(plan.setting.proxy, plan.proxy))
        setting = replace(plan.setting, proxy_pid=proxy.pid)
        await until_first(
            stop.wait(),
            *(
                _keep_running(command, replace(setting, backend_address=address))
                for address, command in plan.backends.items()
            ),
            _present(options, plan, stop),
            _watch(proxy),
        )
        print("\nStopping.", flush=True)


def _catch_signals() -> asyncio.Event:
    """Return an event that Ctrl-C, a closed terminal or a kill sets."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    return stop


def _free_port(*, but: Container[int] = ()) -> int:
    """Return a port that was free just now, and is none of those that are wanted."""
    while True:
        with socket.create_server((BACKEND_HOST, 0)) as probe:
            port: int = probe.getsockname()[1]
        if port not in but:
            return port


def _write_files(folder: Path, files: dict[str, str]) -> None:
    folder.chmod(0o755)  # nginx's workers, another user's if we are root, look into it
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


async def _keep_running(command: Sequence[str], setting: Setting) -> None:
    """Run a backend, and again where it is killed. Raises UpwireError where it ends by itself."""
    name = "upwire serve"
    while True:
        async with Child.running(name, command, environment=setting.to_environment()) as child:
            status = await child.wait()
        if status >= 0:
            raise _ended(child, status)
        print(f"{name} on {setting.backend_address} was killed: it starts again.", flush=True)
        await asyncio.sleep(RESTART_DELAY_S)


async def _present(options: DemoOptions, plan: Plan, stop: asyncio.Event) -> None:
    """Say where to look as soon as the path works, and stay."""
    if options.nodes > 1:  # the proxy would pass over one that it has met too early
        for address in plan.backends:
            await _wait_until_ready(f"http://{address}/")
    await _wait_until_ready(options.url)
    print(describe(options, plan), flush=True)
    if options.open_browser and _has_display():
        await asyncio.to_thread(webbrowser.open, options.url)
    await stop.wait()


async def _watch(child: Child) -> None:
    """Raise UpwireError when the program has ended."""
    raise _ended(child, await child.wait())


def _ended(child: Child, status: int) -> UpwireError:
    """Return what to say of a program that has ended, with the last that it said itself."""
    how = f"by signal {-status}" if status < 0 else f"with status {status}"
    lines = "".join(f"\n  {line}" for line in child.last_lines)
    return UpwireError(f"{child.name} has ended {how}{':' if lines else ''}{lines}")


async def _wait_until_ready(url: str) -> None:
    """Wait until the first page comes through the proxy. Raises UpwireError if it does not."""
    problem: str | None = "no answer"
    try:
        async with asyncio.timeout(READY_TIMEOUT_S):
            # Nobody tells us when it answers, so we ask.
            while problem := await asyncio.to_thread(_ask, url):  # noqa: ASYNC110
                await asyncio.sleep(_ASK_AGAIN_S)
    except TimeoutError:
        raise UpwireError(f"{url} is not ready after {READY_TIMEOUT_S:.0f} s: {problem}") from None


def _ask(url: str) -> str | None:
    """Ask for the page; return why it is not there. 502 means that the backend is not yet."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=1)
    try:
        connection.request("GET", "/")
        response = connection.getresponse()
        return None if response.status == HTTPStatus.OK else f"{response.status} {response.reason}"
    except (OSError, http.client.HTTPException) as error:
        return str(error)
    finally:
        connection.close()


def _has_display() -> bool:
    """Whether a browser would open a window, rather than take over this terminal."""
    return sys.platform == "darwin" or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))
