"""The `resolver` directive: names to addresses while the proxy runs, as ngx_resolver does it.

A and AAAA are asked for together, and an error for either is one for the name. Aliases are
followed; what was found is kept as long as its records or `valid=` say; errors are not kept.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from upwire.conf.model import Resolver as ResolverSettings
from upwire.conf.values import is_address
from upwire.errors import ConfigError, Problem, UpwireError
from upwire.net.dns import ask

ALIASES_MAX = 50
"""How many aliases may lead from one to the next (NGX_RESOLVER_MAX_RECURSION)."""

RESEND_S = 5.0
"""How long one name server has for its answer, until the next is asked."""

PAUSE_S = 1.0
"""How long to wait when all name servers have failed, until they are asked again."""

_NOT_FOUND = 3
_TIMED_OUT = 110
_ERRORS = {
    1: "Format error",
    2: "Server failure",
    _NOT_FOUND: "Host not found",
    4: "Unimplemented",
    5: "Operation refused",
    _TIMED_OUT: "Operation timed out",
}
_FAMILIES = {dns.rdatatype.A: "ipv4", dns.rdatatype.AAAA: "ipv6"}


class NotResolved(UpwireError):
    """No address was found. code: of DNS, or 110 for a timeout. is_absent: the name has none."""

    def __init__(self, name: str, code: int) -> None:
        reason = _ERRORS.get(code, "Unknown error")
        super().__init__(f"{name} could not be resolved ({code}: {reason})")
        self.code = code

    @property
    def is_absent(self) -> bool:
        """Whether the name servers say that there is no address."""
        return self.code == _NOT_FOUND


@dataclass(frozen=True, slots=True)
class Found:
    """Addresses, and until when they hold, by the resolver's clock."""

    addresses: tuple[str, ...]
    valid_until_s: float


@dataclass(frozen=True, slots=True)
class Service:
    """A SRV record (RFC 2782): where a service is, its addresses, and how it is preferred."""

    port: int
    priority: int
    weight: int
    addresses: tuple[str, ...]


def open_resolvers(
    found: Iterable[ResolverSettings],
    resolve: Callable[[str], Sequence[str]],
    clock: Callable[[], float],
) -> dict[ResolverSettings, Resolver]:
    """Return a resolver for each `resolver`; raises ConfigError for name servers without address.

    resolve: how the system finds addresses; OSError where there are none.
    """
    opened: dict[ResolverSettings, Resolver] = {}
    problems: list[Problem] = []
    for settings in found:
        if settings not in opened:
            servers = tuple(_addresses(settings, resolve, problems))
            opened[settings] = Resolver(replace(settings, servers=servers), clock)
    if problems:
        raise ConfigError(problems)
    return opened


def _addresses(
    settings: ResolverSettings, resolve: Callable[[str], Sequence[str]], problems: list[Problem]
) -> Iterator[tuple[str, int]]:
    """Yield each address of the name servers; a name without one is a problem, in nginx's words."""
    for host, port in settings.servers:
        try:
            hosts = [host] if is_address(host.strip("[]")) else resolve(host)
        except OSError:
            place = settings.position
            assert place is not None
            message = f'host not found in resolver "{host}"'
            problems.append(Problem(message, place.file, place.line, place.column))
        else:
            yield from ((address, port) for address in hosts)


class Resolver:
    """Name servers and what they said. clock: monotonic seconds."""

    __slots__ = ("_clock", "_found", "_pending", "_settings", "_turns")

    def __init__(self, settings: ResolverSettings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._found: dict[str, Found] = {}
        self._pending: dict[str, asyncio.Task[Found]] = {}
        self._turns = count()

    @property
    def servers(self) -> tuple[tuple[str, int], ...]:
        """The name servers, each as address and port."""
        return self._settings.servers

    @property
    def valid_s(self) -> float | None:
        """How long every answer holds, None where its records say."""
        return self._settings.valid_s

    async def resolve(self, name: str, *, timeout_s: float) -> Found:
        """Return the addresses of a name, from the second time on in turns; raises NotResolved."""
        name = name.lower().removesuffix(".")
        found = self._found.get(name)
        if found is None or found.valid_until_s <= self._clock():
            return await self._share(name, timeout_s)
        start = random.randrange(len(found.addresses))
        return Found(found.addresses[start:] + found.addresses[:start], found.valid_until_s)

    async def resolve_service(
        self, name: str, *, timeout_s: float
    ) -> tuple[tuple[Service, ...], float]:
        """Return what the SRV records of a name lead to, and until when; raises NotResolved."""
        try:
            async with asyncio.timeout(timeout_s):
                answer = await self._ask(name, dns.rdatatype.SRV, next(self._turns), timeout_s)
                records = [
                    record
                    for rrset in answer.answer
                    if rrset.rdtype == dns.rdatatype.SRV
                    for record in rrset
                ]
                targets = [str(record.target) for record in records]
                found = await asyncio.gather(
                    *(self.resolve(target, timeout_s=timeout_s) for target in targets),
                    return_exceptions=True,
                )
        except TimeoutError:
            raise NotResolved(name, _TIMED_OUT) from None
        services = tuple(
            Service(record.port, record.priority, record.weight, one.addresses)
            for record, one in zip(records, found, strict=True)
            if isinstance(one, Found)
        )
        if not services:
            raise NotResolved(name, _NOT_FOUND)
        return services, self._clock() + self._hold_s(answer.answer)

    async def _share(self, name: str, timeout_s: float) -> Found:
        """Look a name up once for all that wait for it."""
        task = self._pending.get(name)
        if task is None:
            task = asyncio.create_task(self._look_up(name, timeout_s))
            self._pending[name] = task
            task.add_done_callback(lambda done: self._keep(name, done))
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.shield(task)
        except TimeoutError:
            raise NotResolved(name, _TIMED_OUT) from None

    def _keep(self, name: str, done: asyncio.Task[Found]) -> None:
        del self._pending[name]
        if not done.cancelled() and done.exception() is None:
            now_s = self._clock()
            self._found = {
                known: found for known, found in self._found.items() if found.valid_until_s > now_s
            }
            self._found[name] = done.result()

    async def _look_up(self, name: str, timeout_s: float) -> Found:
        """Ask for both families, and follow an alias where neither has an address."""
        asked = name
        turn = next(self._turns)
        for _ in range(ALIASES_MAX):
            kinds = [kind for kind, family in _FAMILIES.items() if getattr(self._settings, family)]
            answers = await asyncio.gather(
                *(self._ask(asked, kind, turn, timeout_s) for kind in kinds)
            )
            records = [rrset for answer in answers for rrset in answer.answer]
            addresses = tuple(
                str(record) for rrset in records if rrset.rdtype in kinds for record in rrset
            )
            if addresses:
                return Found(addresses, self._clock() + self._hold_s(records))
            last = answers[-1].answer  # as nginx, which forgets an alias that came before it
            aliases = [rrset for rrset in last if rrset.rdtype == dns.rdatatype.CNAME]
            if not aliases:
                break
            asked = str(aliases[-1][0].target)
        raise NotResolved(name, _NOT_FOUND)

    async def _ask(
        self, name: str, kind: dns.rdatatype.RdataType, turn: int, timeout_s: float
    ) -> dns.message.Message:
        """Return what the first name server says that answers, from turn on; raises NotResolved."""
        try:
            query = dns.message.make_query(name, kind)
        except dns.exception.DNSException:  # a label that is too long, or empty
            raise NotResolved(name, _NOT_FOUND) from None
        try:
            async with asyncio.timeout(timeout_s):
                answer = await self._ask_in_turn(query, turn)
        except TimeoutError:
            raise NotResolved(name, _TIMED_OUT) from None
        if answer.rcode() != dns.rcode.NOERROR:
            raise NotResolved(name, int(answer.rcode()))
        return answer

    async def _ask_in_turn(self, query: dns.message.QueryMessage, turn: int) -> dns.message.Message:
        """Ask one name server after the other until one answers; cancelled, it gives up."""
        servers = self._settings.servers
        for asked in count(turn):
            host, port = servers[asked % len(servers)]
            try:
                return await ask(query, host, port, timeout_s=RESEND_S)
            except (OSError, UpwireError):
                if (asked - turn) % len(servers) == len(servers) - 1:
                    await asyncio.sleep(PAUSE_S)
        raise AssertionError("count() has no end")

    def _hold_s(self, records: Sequence[dns.rrset.RRset]) -> float:
        """Return how long an answer holds, in seconds."""
        if self._settings.valid_s is not None:
            return self._settings.valid_s
        return float(min((rrset.ttl for rrset in records), default=0))
