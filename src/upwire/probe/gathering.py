"""Gathers the evidence: step by step, over a bounded number of connections."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from upwire.client.url import WebSocketUrl, parse_url
from upwire.errors import ConnectError, RemoteProtocolError, StreamError, printable
from upwire.net.tls import client_context
from upwire.probe.asking import Answer, Asker, Conversation
from upwire.probe.cases import (
    BIG_ANSWER,
    HANDSHAKE,
    VARIANTS,
    Asked,
    Case,
    at_resource,
    handshake,
    without_extension,
)
from upwire.probe.evidence import Evidence, Opening, Parallel, Talk, Tls
from upwire.probe.hops import Budget, Dialer, Hop, backend_hop, front_hop, resolve, via_hop
from upwire.probe.ladder import watch_idle
from upwire.probe.options import ProbeOptions
from upwire.probe.tls import look_at_tls
from upwire.wire.handshake import make_key

_COMPARED = ("plain", "offers", "capitals", "keep-alive", "version-12", "cookie")
"""The cases of which the backend is asked, too."""
_ADDRESSES_MAX = 4
_PROXY_HEADER = b"PROXY UNKNOWN\r\n"
_ECHOED: tuple[str | bytes, ...] = ("upwire probe", b"upwire probe")


@dataclass(frozen=True, slots=True)
class Step:
    """One line of progress. is_right None: nothing to judge."""

    title: str
    detail: str
    took_s: float | None = None
    is_right: bool | None = None


Tell = Callable[[Step], None]


async def gather(options: ProbeOptions, budget: Budget, tell: Tell) -> Evidence:
    """Ask everything and return what was seen; tell is called after each step.

    Raises ConnectError where the server cannot be reached at all, LocalProtocolError for an
    argument that is none.
    """
    return await _Gathering(options, budget, tell).run(parse_url(options.url or ""))


class _Gathering:
    """One probe on its way."""

    def __init__(self, options: ProbeOptions, budget: Budget, tell: Tell) -> None:
        self._options = options
        self._budget = budget
        self._tell = tell
        self._context = client_context(is_verified=not options.insecure)

    async def run(self, url: WebSocketUrl) -> Evidence:
        options = self._options
        hop = front_hop(url, self._context)
        asked = Asked(
            url,
            make_key(secrets.token_bytes(16)),
            options.fields,
            options.subprotocol,
            options.origin,
        )
        backend = self._asker(self._backend(url)) if options.backend else None
        evidence = Evidence(asked)
        await self._reach(hop)
        hop = await self._inspect_tls(evidence, hop)
        front = self._asker(hop)
        await self._open(evidence, front)
        if backend is not None:
            await self._compare(evidence, backend)
        await self._ask_variants(evidence, front)
        await self._ask_more(evidence, front)
        for address in options.via:
            await self._ask_via(evidence, via_hop(url, address, hop.tls), address)
        await self._open_many(evidence, front)
        await self._keep_silent(evidence, front, backend)
        return evidence

    def _backend(self, url: WebSocketUrl) -> Hop:
        return backend_hop(url, self._options.backend or "", client_context(is_verified=False))

    def _asker(self, hop: Hop) -> Asker:
        return Asker(Dialer(hop, self._budget, self._options.timeout))

    async def _reach(self, hop: Hop) -> None:
        """Resolve the name, and connect to each of its addresses; one at least must answer."""
        started_s = time.monotonic()
        try:
            addresses = await resolve(hop, self._options.timeout)
        except (OSError, UnicodeError) as error:  # a TimeoutError is an OSError
            known = error.strerror if isinstance(error, OSError) else None
            reason = known or str(error) or "no answer"
            message = f"resolving {hop.host}: {reason}"
            raise ConnectError(message, phase="resolving", address=hop.host) from error
        self._tell(Step("DNS", ", ".join(addresses), time.monotonic() - started_s, True))
        failures: list[ConnectError] = []
        for address in addresses[:_ADDRESSES_MAX]:
            host = address if hop.unix is None else hop.host
            dialer = Dialer(replace(hop, host=host, tls=None), self._budget, self._options.timeout)
            try:
                stream, took_s = await dialer.dial()
            except ConnectError as error:
                failures.append(error)
                self._tell(Step("TCP", str(error), None, False))
                continue
            stream.close()
            self._tell(Step("TCP", dialer.hop.address, took_s, True))
        if len(failures) == len(addresses[:_ADDRESSES_MAX]):
            raise failures[0]

    async def _inspect_tls(self, evidence: Evidence, hop: Hop) -> Hop:
        """Look at the certificate; go on without verifying where it is not trusted."""
        if hop.tls is None:
            return hop
        seen = await look_at_tls(Dialer(hop, self._budget, self._options.timeout))
        evidence.tls = seen
        self._tell(Step("TLS", describe_tls(seen), None, not seen.problem))
        return hop if not seen.problem else replace(hop, tls=client_context(is_verified=False))

    async def _open(self, evidence: Evidence, front: Asker) -> None:
        answer, conversation = await front.open(HANDSHAKE.make(evidence.asked))
        evidence.front["handshake"] = answer
        self._tell(_step("handshake", answer))
        if conversation is None:
            return
        try:
            evidence.talk = await self._talk(conversation)
        finally:
            await conversation.close()

    async def _talk(self, conversation: Conversation) -> Talk:
        timeout_s = min(self._options.timeout, 1.0)
        try:
            ping_s = await conversation.ping(timeout_s)
            shown = "no pong" if ping_s is None else "a pong came"
            self._tell(Step("ping", shown, ping_s, ping_s is not None))
            echoes = [await _is_echoed(conversation, data, timeout_s) for data in _ECHOED[:1]]
            echoes += [echoes[0] and await _is_echoed(conversation, _ECHOED[1], timeout_s)]
            shown = "comes back" if echoes[0] else "the application answers otherwise, or not"
            self._tell(Step("text", shown))
            outlives = await _outlives(conversation, timeout_s) if echoes[0] else None
        except (RemoteProtocolError, StreamError) as error:
            self._tell(Step("messages", printable(str(error)), None, False))
            return Talk()
        return Talk(ping_s, echoes[0], echoes[1], outlives)

    async def _ask(self, asker: Asker, case: Case, asked: Asked) -> Answer:
        return await asker.ask(case.make(asked))

    async def _compare(self, evidence: Evidence, backend: Asker) -> None:
        asked = replace(evidence.asked, url=backend.dialer.hop.url)
        for case in (HANDSHAKE, *VARIANTS):
            if case is HANDSHAKE or case.name in _COMPARED:
                evidence.backend[case.name] = await self._ask(backend, case, asked)
        self._tell(_step("backend", evidence.backend["handshake"]))

    async def _ask_variants(self, evidence: Evidence, front: Asker) -> None:
        """Ask in each other way; where the handshake gets no answer at all, only the plain one."""
        for case in VARIANTS:
            if evidence.base.status or case.name == "plain":
                answer = await self._ask(front, case, evidence.asked)
                evidence.front[case.name] = answer
                self._tell(_step(case.title, answer, is_judged=False))
        if evidence.is_echo and evidence.base.is_open:
            answer = await self._ask(front, BIG_ANSWER, evidence.asked)
            evidence.front[BIG_ANSWER.name] = answer
            self._tell(_step(BIG_ANSWER.title, answer, is_judged=False))

    async def _ask_more(self, evidence: Evidence, front: Asker) -> None:
        """Ask what tells one cause of a failed handshake from another."""
        asked, base = evidence.asked, evidence.base
        url = asked.url
        path = url.resource.partition("?")[0]
        if base.is_open:
            return
        if not base.status:
            request = handshake(asked)
            evidence.front["proxy-protocol"] = await front.ask(request, preface=_PROXY_HEADER)
        if base.status == 404 and "." in path.rpartition("/")[2]:
            request = at_resource(asked, without_extension(path))
            evidence.front["without-extension"] = await front.ask(request)
        if base.status == 403 and url.authority != url.host:
            scheme = "https" if url.is_secure else "http"
            portless = replace(asked, origin=f"{scheme}://{url.host}")
            evidence.front["portless-origin"] = await front.ask(handshake(portless))
        if base.received is not None and path != "/":
            evidence.front["root"] = await front.ask(at_resource(asked, "/"))

    async def _ask_via(self, evidence: Evidence, hop: Hop, address: str) -> None:
        answer = await self._ask(self._asker(hop), HANDSHAKE, evidence.asked)
        evidence.via.append((address, answer))
        self._tell(_step(f"via {address}", answer))

    async def _open_many(self, evidence: Evidence, front: Asker) -> None:
        count = self._options.parallel
        if not evidence.base.is_open or count < 2:
            return
        started_s = time.monotonic()
        request = HANDSHAKE.make(evidence.asked)

        async def one() -> tuple[Opening, Conversation | None]:
            answer, conversation = await front.open(request)
            return Opening(answer, time.monotonic() - started_s), conversation

        made = await asyncio.gather(*(one() for _ in range(count)))
        opened = [conversation for _, conversation in made if conversation is not None]
        await asyncio.gather(*(conversation.close() for conversation in opened))
        again = await front.ask(request) if len(opened) < count else None
        evidence.parallel = Parallel(tuple(opening for opening, _ in made), again)
        shown = f"{len(opened)} of {count} at once opened"
        slowest_s = max(opening.took_s for opening, _ in made)
        self._tell(Step("parallel", shown, slowest_s, len(opened) == count))

    async def _keep_silent(self, evidence: Evidence, front: Asker, backend: Asker | None) -> None:
        watched_s = self._options.idle
        if watched_s is None or not evidence.base.is_open:
            return
        self._tell(Step("idle", f"silent for up to {watched_s:g} s ..."))
        request = HANDSHAKE.make(evidence.asked)
        evidence.idle = await watch_idle(front, backend, request, watched_s)
        silent = None if evidence.idle is None else evidence.idle.silent
        if silent is None or silent.ended_s is not None:
            shown = "not opened" if silent is None else f"cut after {silent.ended_s:.1f} s"
            self._tell(Step("idle", shown, None, False))
        elif silent.close_code:
            self._tell(Step("idle", f"the application closed with {silent.close_code}"))
        else:
            heard_s = silent.server_ping_s
            spoke = "" if heard_s is None else f"; the server spoke first after {heard_s:.1f} s"
            self._tell(Step("idle", f"open after {watched_s:g} s{spoke}", None, True))


def describe_tls(seen: Tls) -> str:
    """Say what a TLS handshake showed, in one line."""
    days = "" if seen.expires_s is None else f"{seen.expires_s / 86400:.0f} days left"
    problem = f"NOT TRUSTED: {seen.problem}" if seen.problem else ""
    alpn = f"ALPN {seen.alpn}" if seen.alpn else "no ALPN"
    parts = (seen.version, alpn, seen.subject, days, problem)
    return printable(", ".join(part for part in parts if part))


def _step(title: str, answer: Answer, *, is_judged: bool = True) -> Step:
    is_right = answer.is_open if is_judged else None
    if answer.response is None:
        return Step(title, printable(answer.error), None, is_right)
    shown = f"{answer.status} {answer.response.reason}".strip()
    return Step(title, printable(shown), answer.took_s, is_right)


async def _is_echoed(conversation: Conversation, data: str | bytes, timeout_s: float) -> bool:
    conversation.send(data)
    return await conversation.next_message(timeout_s) == data


async def _outlives(conversation: Conversation, timeout_s: float) -> bool | None:
    """Whether an echo comes behind our end of the connection; None where TLS cannot half-close."""
    if not conversation.can_send or not conversation.stream.can_write_eof:
        return None
    # Long enough that the end is at the gateway before the answer can be.
    conversation.send("upwire probe " * 2500)
    conversation.stream.write_eof()
    return await conversation.next_message(timeout_s) is not None
