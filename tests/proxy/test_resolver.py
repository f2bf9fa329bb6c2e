"""The `resolver` directive, against a name server of ours."""

from __future__ import annotations

import asyncio

import pytest

from kit.loop import in_loop
from kit.name_server import NameServer, name_server
from kit.upstreams import Time
from upwire.conf.model import Resolver as Settings
from upwire.proxy import resolver as module
from upwire.proxy.resolver import NotResolved, Resolver, open_resolvers

RECORDS = {
    "a.test A": "10.0.0.1,10.0.0.2",
    "a.test AAAA": "fe80::1",
    "alias.test CNAME": "other.test.",
    "other.test A": "10.0.0.3",
    "round.test CNAME": "round.test.",
    "fails.test A": "SERVFAIL",
    "fails.test AAAA": "fe80::1",
    "odd.test A": "YXDOMAIN",
    "_http._tcp.a.test SRV": "1 5 81 a.test.,2 0 82 other.test.,2 0 83 gone.test.",
    "_none._tcp.a.test SRV": "1 5 81 gone.test.",
}


def make(
    *servers: NameServer, valid_s: float | None = None, ipv4: bool = True, ipv6: bool = True
) -> tuple[Resolver, Time]:
    clock = Time()
    addresses = tuple(("127.0.0.1", server.port) for server in servers)
    return Resolver(Settings(addresses, valid_s, ipv4, ipv6), clock), clock


def test_the_addresses_of_a_name_are_all_asked() -> None:
    settings = Settings((("ns.test", 53), ("[::1]", 5353)))
    asked: list[str] = []

    def resolve(host: str) -> list[str]:
        asked.append(host)
        return ["10.0.0.1", "10.0.0.2"]

    opened = open_resolvers([settings, settings], resolve, Time())
    assert (list(opened), asked) == ([settings], ["ns.test"])
    assert opened[settings].servers == (("10.0.0.1", 53), ("10.0.0.2", 53), ("[::1]", 5353))


async def refusal(resolver: Resolver, name: str, *, timeout_s: float = 5) -> str:
    with pytest.raises(NotResolved) as caught:
        await resolver.resolve(name, timeout_s=timeout_s)
    assert caught.value.is_absent == ("(3: " in str(caught.value))
    return str(caught.value)


@in_loop
async def test_both_families_are_found_in_turns() -> None:
    async with name_server(RECORDS) as server:
        resolver, _ = make(server)
        found = [(await resolver.resolve("A.test.", timeout_s=5)).addresses for _ in range(30)]
    assert set(found[0]) == {"10.0.0.1", "10.0.0.2", "fe80::1"}
    assert len(set(found)) == 3
    assert sorted(server.queries) == ["a.test A", "a.test AAAA"]


@pytest.mark.parametrize(
    ("ipv4", "ipv6", "count"), [(True, False, 2), (False, True, 1)], ids=["ipv4", "ipv6"]
)
@in_loop
async def test_one_family_alone(ipv4: bool, ipv6: bool, count: int) -> None:
    async with name_server(RECORDS) as server:
        resolver, _ = make(server, ipv4=ipv4, ipv6=ipv6)
        assert len((await resolver.resolve("a.test", timeout_s=5)).addresses) == count


@pytest.mark.parametrize(("valid_s", "hold_s"), [(None, 60), (5.0, 5)])
@in_loop
async def test_answers_are_kept_for_their_time(valid_s: float | None, hold_s: float) -> None:
    async with name_server(RECORDS) as server:
        resolver, clock = make(server, valid_s=valid_s)
        assert resolver.valid_s == valid_s
        found = await resolver.resolve("other.test", timeout_s=5)
        assert found.valid_until_s == clock() + hold_s
        server.records["other.test A"] = "10.0.0.9"
        assert (await resolver.resolve("other.test", timeout_s=5)).addresses == ("10.0.0.3",)
        clock.now_s += hold_s
        assert (await resolver.resolve("other.test", timeout_s=5)).addresses == ("10.0.0.9",)


@in_loop
async def test_those_who_ask_at_once_share_an_answer() -> None:
    async with name_server(RECORDS) as server:
        resolver, _ = make(server)
        await asyncio.gather(*(resolver.resolve("a.test", timeout_s=5) for _ in range(5)))
    assert len(server.queries) == 2


@in_loop
async def test_aliases_are_followed() -> None:
    async with name_server(RECORDS) as server:
        resolver, _ = make(server)
        assert (await resolver.resolve("alias.test", timeout_s=5)).addresses == ("10.0.0.3",)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gone.test", "gone.test could not be resolved (3: Host not found)"),
        ("round.test", "round.test could not be resolved (3: Host not found)"),
        ("fails.test", "fails.test could not be resolved (2: Server failure)"),
        ("odd.test", "odd.test could not be resolved (6: Unknown error)"),
        ("x" * 64, f"{'x' * 64} could not be resolved (3: Host not found)"),
        ("a..test", "a..test could not be resolved (3: Host not found)"),
    ],
)
@in_loop
async def test_what_is_not_found(name: str, reason: str) -> None:
    async with name_server(RECORDS) as server:
        resolver, _ = make(server)
        assert await refusal(resolver, name) == reason


@in_loop
async def test_errors_are_not_kept_and_servers_take_turns() -> None:
    async with name_server({"b.test A": "REFUSED"}) as bad, name_server({"b.test A": "::"}) as good:
        good.records = {"b.test A": "10.0.0.4"}
        resolver, _ = make(bad, good)
        assert "(5: Operation refused)" in await refusal(resolver, "b.test")
        assert (await resolver.resolve("b.test", timeout_s=5)).addresses == ("10.0.0.4",)


@in_loop
async def test_the_next_server_is_asked_where_one_is_away() -> None:
    async with name_server({}) as away:
        pass
    async with name_server(RECORDS) as server:
        resolver, _ = make(away, server)
        assert (await resolver.resolve("other.test", timeout_s=5)).addresses == ("10.0.0.3",)


@in_loop
async def test_silence_ends_with_the_timeout() -> None:
    async with name_server(RECORDS) as server:
        server.is_silent = True
        resolver, _ = make(server)
        assert "(110: Operation timed out)" in await refusal(resolver, "a.test", timeout_s=0.01)


@in_loop
async def test_servers_that_are_away_are_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_S", 0.001)
    async with name_server({}) as away:
        pass
    resolver, _ = make(away)
    assert "(110: Operation timed out)" in await refusal(resolver, "a.test", timeout_s=0.02)


@in_loop
async def test_services() -> None:
    async with name_server(RECORDS) as server:
        resolver, clock = make(server)
        services, valid_until_s = await resolver.resolve_service("_http._tcp.a.test", timeout_s=5)
        found = sorted((one.port, one.priority, one.weight) for one in services)
        assert found == [(81, 1, 5), (82, 2, 0)]
        assert valid_until_s == clock() + 60
        with pytest.raises(NotResolved, match="3: Host not found"):
            await resolver.resolve_service("_none._tcp.a.test", timeout_s=5)
        server.is_silent = True
        with pytest.raises(NotResolved, match="110: Operation timed out"):
            await resolver.resolve_service("_late._tcp.a.test", timeout_s=0.01)
