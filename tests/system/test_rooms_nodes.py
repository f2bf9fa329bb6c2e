"""Three nodes behind `upwire proxy`, on a real Redis server; and what kills them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from kit.loop import in_loop
from kit.nginx import environment, frame_conf, free_port, running
from kit.redis import RedisServer, needs_redis, running_redis
from kit.rooms_node import Chatter
from upwire.rooms.redis_home import RedisHome

pytestmark = needs_redis

TESTS = Path(__file__).parents[1]
NODES = 3
CHATTERS = 6
LINES = 40  # of each
DEADLINE_S = 30.0


@dataclass(frozen=True)
class Site:
    """The proxy's URL, the server behind all nodes, and the nodes' processes."""

    url: str
    redis: RedisServer
    nodes: dict[int, subprocess.Popen[str]]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    tmp_path = tmp_path_factory.mktemp("site")
    with ExitStack() as stack:
        redis = stack.enter_context(running_redis(tmp_path / "redis"))
        paths = [tmp_path / f"{number}.sock" for number in range(NODES)]
        nodes = [stack.enter_context(running_node(redis.url, path)) for path in paths]
        for node in nodes:
            assert node.stdout is not None
            assert node.stdout.readline() == "ready\n"
        servers = " ".join(f"server unix:{path};" for path in paths)
        port = free_port()
        conf = frame_conf(
            f"upstream nodes {{ {servers} }}"
            f"server {{ listen 127.0.0.1:{port}; location / {{"
            "  proxy_pass http://nodes; proxy_http_version 1.1;"
            '  proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";'
            "} }"
        )
        stack.enter_context(running("upwire", conf, tmp_path, [port]))
        yield Site(f"ws://127.0.0.1:{port}/", redis, {node.pid: node for node in nodes})


@in_loop
async def test_nodes_behind_a_proxy_are_one(site: Site) -> None:
    async with chatting(site, "quiet") as chatters:
        await say_all(chatters)
        await hear_all(chatters)

        assert {chatter.nodes[0] for chatter in chatters} == set(site.nodes)
        assert all(len(chatter.nodes) == 1 for chatter in chatters)


@in_loop
async def test_a_crash_of_redis_takes_no_line_with_it(site: Site) -> None:
    async with chatting(site, "crash") as chatters:
        saying = asyncio.create_task(say_all(chatters))
        for share in (1, 2):
            await chatters[0].until_heard(60 * share)
            await site.redis.crash()
        await saying
        await hear_all(chatters)

        for chatter in chatters:
            assert len(chatter.nodes) == 1  # no WebSocket was cut
            assert chatter.resumed
            assert all(chatter.resumed)


@in_loop
async def test_cut_connections_take_no_line_with_them(site: Site) -> None:
    async with chatting(site, "cut") as chatters:
        saying = asyncio.create_task(say_all(chatters))
        for share in (1, 2, 3):
            await chatters[0].until_heard(50 * share)
            site.redis.cut_connections("pubsub")
            site.redis.cut_connections("normal")
        await saying
        await hear_all(chatters)

        assert all(len(chatter.nodes) == 1 for chatter in chatters)


@in_loop
async def test_a_node_that_is_killed_takes_no_line_with_it(site: Site) -> None:
    """The last test of this site, since one node is left."""
    async with chatting(site, "killed") as chatters:
        saying = asyncio.create_task(say_all(chatters))
        for share in (1, 2):
            await chatters[0].until_heard(60 * share)
            kill(site, chatters[0].nodes[-1])
        await saying
        await hear_all(chatters)

        # All are on the last node now, and all have recovered.
        assert {chatter.nodes[-1] for chatter in chatters} == set(site.nodes)
        for chatter in chatters:
            assert chatter.recovered[1:] == [True] * (len(chatter.nodes) - 1)
        await until_only_these_are_present(site, chatters)


@contextmanager
def running_node(url: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "kit.rooms_node", url, str(path)],
        env=environment() | {"PYTHONPATH": f"{environment()['PYTHONPATH']}{os.pathsep}{TESTS}"},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def kill(site: Site, pid: int) -> None:
    process = site.nodes.pop(pid)
    process.send_signal(signal.SIGKILL)
    process.wait()


@asynccontextmanager
async def chatting(site: Site, room: str) -> AsyncIterator[list[Chatter]]:
    """Return clients that are all connected, within a deadline for all that they do."""
    chatters = [Chatter(site.url, room, f"c{number}") for number in range(CHATTERS)]
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as tasks:
        running_tasks = []
        for chatter in chatters:
            running_tasks.append(tasks.create_task(chatter.run()))
            await chatter.say(f"{chatter.name} is here")
        yield chatters
        for task in running_tasks:
            task.cancel()


async def say_all(chatters: list[Chatter]) -> None:
    async def say(chatter: Chatter) -> None:
        for number in range(LINES):
            await chatter.say(f"{chatter.name} says {number}")

    await asyncio.gather(*(say(chatter) for chatter in chatters))


async def hear_all(chatters: list[Chatter]) -> None:
    """Check that all lines are heard by all, in one order, each once, each speaker's in turn."""
    number = CHATTERS * (LINES + 1)
    for chatter in chatters:
        await chatter.until_heard(number)
        first = chatter.heard[0][0]
        assert [offset for offset, _ in chatter.heard] == list(range(first, number + 1))
        assert chatter.heard == chatters[0].heard[-len(chatter.heard) :]
    heard = [line for _, line in chatters[0].heard]
    for chatter in chatters:
        own = [line for line in heard if line.startswith(f"{chatter.name} says")]
        assert own == [f"{chatter.name} says {number}" for number in range(LINES)]


async def until_only_these_are_present(site: Site, chatters: list[Chatter]) -> None:
    """Wait until the members of the dead nodes have expired, and nobody else has."""
    names = sorted(chatter.name for chatter in chatters)
    home = RedisHome(site.redis.url)
    try:
        while True:
            present = [
                str(info["name"]) for info in (await home.presence(chatters[0].room)).values()
            ]
            assert set(present) == set(names)
            if sorted(present) == names:
                break
    finally:
        await home.close()
