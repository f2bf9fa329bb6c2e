"""Runs a real redis-server in a test's own folder, kills it, and starts it again."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError
from redis.exceptions import ConnectionError as NotThere
from redis.retry import Retry

from upwire.rooms.redis_home import RedisHome

REDIS = shutil.which("redis-server") or shutil.which("valkey-server")
WAIT_S = 10.0

needs_redis = pytest.mark.skipif(REDIS is None, reason="redis-server is not installed")


class RedisServer:
    """A server behind a Unix socket in `folder`, which also has its data.

    Every write is on the disk before it is answered, so that a kill loses nothing.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.socket = folder / "redis.sock"
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def client(self) -> Redis:
        """Return a client of our own, to look and to interfere."""
        once = Retry(NoBackoff(), 0)
        return Redis(unix_socket_path=str(self.socket), decode_responses=True, retry=once)

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        assert REDIS is not None
        self._process = subprocess.Popen(
            [
                *(REDIS, "--port", "0", "--unixsocket", str(self.socket)),
                *("--dir", str(self.folder), "--save", "", "--daemonize", "no"),
                *("--appendonly", "yes", "--appendfsync", "always"),
                *self._options,
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + WAIT_S
        with self.client() as client:
            while not _answers(client):
                assert time.monotonic() < deadline, "redis-server does not answer"
                assert self._process.poll() is None, "redis-server has ended"
                time.sleep(0.005)  # it does not say when it listens

    def kill(self) -> None:
        """Kill the server, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    async def crash(self) -> None:
        """Kill the server and start it again, while the loop goes on."""
        await asyncio.to_thread(self.kill)
        await asyncio.to_thread(self.start)

    def pause(self) -> None:
        """Let the server answer nothing, with its connections open."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def cut_connections(self, kind: str = "normal") -> None:
        """Cut all connections of a kind: normal, pubsub."""
        with self.client() as client:
            client.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")

    def wait_for_cluster(self) -> None:
        """Wait until the cluster takes commands."""
        deadline = time.monotonic() + WAIT_S
        with self.client() as client:
            while "cluster_state:ok" not in client.execute_command("CLUSTER", "INFO"):
                assert time.monotonic() < deadline, "the cluster is not up"
                time.sleep(0.005)  # it does not say when it is

    def save_data(self, folder: Path) -> None:
        """Copy what is on the disk at this moment."""
        shutil.copytree(self.folder / "appendonlydir", folder)

    def lose_data(self, restored: Path | None = None) -> None:
        """Let the next start find nothing, or what was saved before."""
        shutil.rmtree(self.folder / "appendonlydir")
        if restored is not None:
            shutil.copytree(restored, self.folder / "appendonlydir")

    def _signal(self, number: int) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)


@contextmanager
def running_redis(folder: Path, *options: str) -> Iterator[RedisServer]:
    """Run a server while the block does."""
    folder.mkdir(parents=True, exist_ok=True)
    server = RedisServer(folder, *options)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@contextmanager
def running_cluster(folder: Path) -> Iterator[RedisServer]:
    """Run a cluster of one node: it demands that a script's keys and channels are in one slot."""
    with running_redis(folder, "--cluster-enabled", "yes", "--appendonly", "no") as server:
        with server.client() as client:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        server.wait_for_cluster()
        yield server


@asynccontextmanager
async def nodes(
    url: str, number: int = 2, *, presence_ttl_s: float = 60.0, deadline_s: float = 10.0
) -> AsyncIterator[list[RedisHome]]:
    """Return the homes of several nodes that share a server."""
    async with AsyncExitStack() as stack:
        homes = []
        for _ in range(number):
            home = RedisHome(url, presence_ttl_s=presence_ttl_s, deadline_s=deadline_s)
            stack.push_async_callback(home.close)
            await home.open()
            homes.append(home)
        yield homes


def _answers(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except AuthenticationError:
        return True
    except NotThere:  # also while it loads its data
        return False
