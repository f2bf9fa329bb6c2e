from __future__ import annotations

import asyncio
import importlib
import random
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from kit.check_home import Recorder, publish
from kit.loop import in_loop
from kit.redis import RedisServer, needs_redis, nodes, running_redis
from upwire.errors import ConfigError, HomeUnreachable
from upwire.rooms import redis_link
from upwire.rooms.redis_link import Call, Link, backoff_s, stop
from upwire.rooms.redis_scripts import ALL, HAS_SHARDED_CHANNELS

PASSWORD = "s3cr:t"
QUOTED = "s3cr%3At"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with running_redis(tmp_path, "--requirepass", PASSWORD) as server:
        yield server


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://", "redis://localhost:6379/0"),
        (f"redis://me:{QUOTED}@db.example:1234/5", "redis://db.example:1234/5"),
        ("rediss://db.example?ssl_cert_reqs=none", "rediss://db.example:6379/0"),
        (f"unix:///run/redis.sock?password={QUOTED}&db=2", "unix:///run/redis.sock"),
    ],
)
def test_an_address_has_no_secrets(url: str, address: str) -> None:
    assert Link(url, deadline_s=1).address == address


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("http://db.example", "begins with none of redis://, rediss://, unix://"),
        ("db.example", "begins with none of"),
        ("", "begins with none of"),
        (f"redis://me:{PASSWORD}/x@db.example", "has a port that is no number"),
        ("redis://db.example:99999", "has a port that is no number"),
        (f"redis://me:x?{PASSWORD}=1@db.example", "has a"),
        (f"redis://db.example?{PASSWORD}=1", "has an option that is none of db, "),
        ("redis://db.example/name", "has a database that is no number"),
        ("redis://[::1/0", "is no URL"),
        ("unix://", "names no socket"),
        ("redis://db.example?db=x", "has an option that the redis package refuses"),
    ],
)
def test_a_url_that_is_none_is_said_without_its_password(url: str, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Link(url, deadline_s=1)

    assert str(caught.value).startswith(f"the URL of Redis {fault}")
    assert PASSWORD not in str(caught.value)


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    monkeypatch.delitem(sys.modules, redis_link.__name__)

    with pytest.raises(ConfigError, match=r"pip install 'upwire\[redis\]'"):
        importlib.import_module(redis_link.__name__)


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("", "refuses: Authentication required"),
        ("wr0ng", "is not reached: invalid username-password pair"),
    ],
)
@needs_redis
@in_loop
async def test_a_wrong_password_is_said_but_not_shown(
    password: str, why: str, server: RedisServer
) -> None:
    link = Link(f"{server.url}?password={password}", deadline_s=0.3)
    with pytest.raises(HomeUnreachable) as caught:
        await link.run(Call(HAS_SHARDED_CHANNELS))
    await link.close()

    assert str(caught.value).startswith(f"unix://{server.socket} {why}")
    assert "wr0ng" not in str(caught.value)


@needs_redis
@in_loop
async def test_the_right_password_opens(server: RedisServer) -> None:
    async with nodes(f"{server.url}?password={QUOTED}", 1) as [home]:
        assert (await publish(home, "x")).offset == 1


@needs_redis
@in_loop
async def test_an_error_of_a_script_is_an_error(tmp_path: Path) -> None:
    with running_redis(tmp_path) as server:
        async with nodes(server.url, 1) as [home]:
            await publish(home, "x")
            with server.client() as client:
                client.set("upwire:{lobby}:log", "not ours")
            with pytest.raises(HomeUnreachable, match=r"refuses: .*WRONGTYPE"):
                await publish(home, "y")


@needs_redis
@in_loop
async def test_a_replica_is_asked_until_it_is_promoted(tmp_path: Path) -> None:
    with running_redis(tmp_path) as server, server.client() as client:
        async with nodes(server.url, 1) as [home]:
            await publish(home, "x")
            client.replicaof("127.0.0.1", "1")
            publishing = asyncio.create_task(publish(home, "y"))
            while not client.info("errorstats").get("errorstat_READONLY"):  # noqa: ASYNC110
                await asyncio.sleep(0.001)  # it does not tell
            client.replicaof("NO", "ONE")

            assert (await publishing).offset == 2


@needs_redis
@in_loop
async def test_a_user_who_may_not_load_scripts_is_refused(tmp_path: Path) -> None:
    with running_redis(tmp_path) as server, server.client() as client:
        client.execute_command("ACL", "SETUSER", "limited", "on", ">x", "~*", "+@all", "-script")
        link = Link(f"{server.url}?username=limited&password=x", deadline_s=5)
        server.pause()
        given_up, waiting = [
            asyncio.create_task(link.run(Call(HAS_SHARDED_CHANNELS))) for _ in range(2)
        ]
        for _ in range(10):
            await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.gather(given_up, return_exceptions=True)
        server.resume()

        with pytest.raises(HomeUnreachable, match=r"refuses: .*no permissions"):
            await waiting
        await link.close()


@pytest.mark.parametrize("octets", [b":x\r\n", b"*1\r\n" * 3000, b"-MOVED\r\n" * 99])
@in_loop
async def test_a_server_that_speaks_something_else_is_not_the_end(
    octets: bytes, tmp_path: Path
) -> None:
    async def garble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while await reader.read(1000):
                writer.write(octets)
        writer.close()

    path = str(tmp_path / "garbled.sock")
    link = Link(f"unix://{path}", deadline_s=0.1)
    async with await asyncio.start_unix_server(garble, path):
        for _ in range(2):
            with pytest.raises(HomeUnreachable, match="is not reached"):
                await link.run(Call(HAS_SHARDED_CHANNELS))
        assert link._working is not None
        assert not link._working.done()
    await link.close()


@in_loop
async def test_a_link_that_was_never_used_closes() -> None:
    await Link("redis://", deadline_s=1).close()


@needs_redis
@in_loop
async def test_a_lost_answer_doubles_nothing(tmp_path: Path) -> None:
    with running_redis(tmp_path) as server:
        async with (
            relay(server, tmp_path / "relay.sock") as answers,
            nodes(f"unix://{tmp_path}/relay.sock", 1) as [through],
            nodes(server.url, 1) as [direct],
        ):
            recorder = Recorder()
            await direct.subscribe("lobby", recorder)
            await publish(through, "1")
            answers.clear()
            publishing = asyncio.create_task(publish(through, "2"))
            await recorder.until_heard(2)  # it is published, and nobody knows
            assert not publishing.done()
            answers.set()
            assert (await publishing).offset == 2
            await publish(through, "3")
            await recorder.until_heard(3)

            assert recorder.data == ["1", "2", "3"]


@needs_redis
@in_loop
async def test_a_server_that_forgets_the_scripts_gets_them_again(tmp_path: Path) -> None:
    with running_redis(tmp_path) as server:
        async with nodes(server.url, 1) as [home]:
            await publish(home, "1")
            with server.client() as client:
                client.script_flush()
            assert (await publish(home, "2")).offset == 2


@needs_redis
@in_loop
async def test_a_server_that_forgets_them_at_once_gets_them_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one does that starts again between the loading of a script and its use."""
    with running_redis(tmp_path) as server, server.client() as client:
        link = Link(server.url, deadline_s=10)
        load = link._client.script_load
        loaded: list[str] = []

        async def load_in_vain(script: str) -> object:
            loaded.append(script)
            sha = await load(script)
            if len(loaded) == len(ALL):
                client.script_flush()
            return sha

        monkeypatch.setattr(link._client, "script_load", load_in_vain)
        assert await link.run(Call(HAS_SHARDED_CHANNELS)) != []
        assert len(loaded) == 2 * len(ALL)
        await link.close()


def test_backoff_grows_to_a_limit_with_full_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "uniform", lambda low, high: high - low)

    waits_s = [backoff_s(attempts) for attempts in (1, 2, 3, 20, 10_000)]

    assert waits_s == [0.1, 0.2, 0.4, 2.0, 2.0]


@in_loop
async def test_a_task_is_stopped_even_if_a_cancellation_is_lost() -> None:
    async def lose_one() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    task = asyncio.create_task(lose_one())
    await asyncio.sleep(0)
    await stop(task)

    assert task.cancelled()


@asynccontextmanager
async def relay(server: RedisServer, path: Path) -> AsyncIterator[asyncio.Event]:
    """Stand before the server. While the event is unset, an answer is lost with its connection."""
    is_open = asyncio.Event()
    is_open.set()
    tasks = set()

    async def carry(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        with suppress(OSError):
            while octets := await reader.read(65536):
                if answers and not is_open.is_set():
                    await is_open.wait()
                    break
                writer.write(octets)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_unix_connection(str(server.socket))
        for task in (
            asyncio.create_task(carry(reader, up_writer, answers=False)),
            asyncio.create_task(carry(up_reader, writer, answers=True)),
        ):
            tasks.add(task)

    listener = await asyncio.start_unix_server(serve, str(path))
    async with listener:
        yield is_open
    await asyncio.gather(*tasks)
