"""`AsgiApplication`: scopes, trusted proxies, lifespan, limits, the access log, mounts."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest

import upwire
from kit.asgi import Message, Receive, Send, ask, get, run, serving
from upwire.asgi.forwarded import TrustedProxies
from upwire.asgi.loop_watch import LoopWatch
from upwire.errors import ConfigError, LocalProtocolError, UpwireError
from upwire.wire.fields import Headers

Scope = dict[str, Any]  # Any: as ASGI has it


def content(answer: str) -> str:
    return answer.partition("\r\n\r\n")[2]


async def tell(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the scope."""
    body = json.dumps(scope, default=lambda octets: octets.decode("latin-1")).encode()
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": body})


async def scope_of(server: upwire.Server, request: str) -> Scope:
    found: Scope = json.loads(content(await ask(server, request)))
    return found


def test_the_scope_of_a_request() -> None:
    async def main() -> None:
        async with serving(tell, lifespan="off", root_path="/root/") as server:
            scope = await scope_of(
                server, get("/a%20b/%C3%A9?x=%20y", "X-Name: value", "X-Name: b")
            )
            client = scope.pop("client")
            assert client[0] == "127.0.0.1"
            assert scope == {
                "type": "http",
                "asgi": {"version": "3.0", "spec_version": "2.5"},
                "http_version": "1.1",
                "method": "GET",
                "scheme": "http",
                "path": "/root/a b/é",
                "raw_path": "/root/a%20b/%C3%A9",
                "query_string": "x=%20y",
                "root_path": "/root",
                "headers": [
                    ["host", "localhost"],
                    ["x-name", "value"],
                    ["x-name", "b"],
                    ["connection", "close"],
                ],
                "server": ["127.0.0.1", server.port],
                "extensions": {"http.response.pathsend": {}, "http.response.trailers": {}},
            }

    run(main)


def test_a_trusted_proxy_speaks_for_its_client() -> None:
    fields = ("X-Forwarded-For: 192.0.2.9, 192.0.2.1", "X-Forwarded-Proto: https")

    async def main() -> None:
        for trusted, client, scheme in (
            ("127.0.0.1", ["192.0.2.1", 0], "https"),
            ("127.0.0.0/8, 192.0.2.1", ["192.0.2.9", 0], "https"),
            ("*", ["192.0.2.9", 0], "https"),
            ("192.0.2.1", None, "http"),
            (None, None, "http"),
        ):
            async with serving(tell, lifespan="off", forwarded_allow_ips=trusted) as server:
                scope = await scope_of(server, get("/", *fields))
                assert scope["scheme"] == scheme
                if client is not None:
                    assert scope["client"] == client
                else:
                    assert scope["client"][0] == "127.0.0.1"

    run(main)


@pytest.mark.parametrize(
    ("told", "client"),
    [
        (None, ("127.0.0.1", 5)),
        ("", ("127.0.0.1", 5)),
        ("192.0.2.1:80", ("192.0.2.1", 0)),
        ("[2001:db8::1]:80", ("2001:db8::1", 0)),
        ("2001:db8::1", ("2001:db8::1", 0)),
        ("unknown, 127.0.0.1", ("unknown", 0)),
        ("127.0.0.1", ("127.0.0.1", 0)),
    ],
)
def test_the_last_stranger_is_the_client(told: str | None, client: tuple[str, int]) -> None:
    headers = Headers([] if told is None else [("X-Forwarded-For", told)])
    assert TrustedProxies("127.0.0.1").client_of(("127.0.0.1", 5), headers) == client


def test_a_scheme_that_is_none_stays_as_it_was() -> None:
    proxies = TrustedProxies("*")
    assert proxies.scheme_of("http", Headers([("X-Forwarded-Proto", "gopher")])) == "http"
    assert proxies.scheme_of("https", Headers()) == "https"


def test_a_wrong_network_is_told() -> None:
    with pytest.raises(LocalProtocolError, match=r"forwarded_allow_ips: .*192\.0\.2\.1/8"):
        TrustedProxies("192.0.2.1/8")


def test_below_a_path_the_root_path_says_so() -> None:
    routes = upwire.Routes()
    routes.mount("/app/", upwire.AsgiApplication(tell, lifespan="off"))

    async def main() -> None:
        async with serving(routes) as server:
            scope = await scope_of(server, get("/app/x"))
            assert (scope["root_path"], scope["path"]) == ("/app", "/app/x")

    run(main)


def test_what_is_no_application_cannot_be_mounted() -> None:
    with pytest.raises(LocalProtocolError, match=r"is no mount; routes\.mount"):
        upwire.Routes().mount("/", tell)  # type: ignore[arg-type]  # as an untyped caller may
    with pytest.raises(LocalProtocolError, match="5 is no ASGI application"):
        upwire.AsgiApplication(5)  # type: ignore[arg-type]  # as an untyped caller may


def test_the_concurrency_is_limited() -> None:
    reached, release = asyncio.Event(), asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/held":
            reached.set()
            await release.wait()
        await tell(scope, receive, send)

    async def main() -> None:
        async with serving(app, lifespan="off", limit_concurrency=1) as server:
            held = asyncio.create_task(ask(server, get("/held")))
            await reached.wait()
            assert (await ask(server, get("/"))).startswith("HTTP/1.1 503 ")
            release.set()
            assert (await held).startswith("HTTP/1.1 200 ")

    run(main)


def test_the_access_log(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with serving(tell, lifespan="off", access_log=True) as server:
            await ask(server, get("/a%20b?c"))

    with caplog.at_level(logging.INFO, "upwire.access"):
        run(main)
    (record,) = (record for record in caplog.records if record.name == "upwire.access")
    assert record.getMessage().endswith(' - "GET /a%20b?c HTTP/1.1" 200')


# Lifespan


def lives(*answers: Message) -> Any:
    """Return an application that answers the messages of its lifespan with these."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await tell(scope, receive, send)
            return
        scope["state"]["began"] = True
        for answer in answers:
            await receive()
            await send(answer)

    return app


STARTED = {"type": "lifespan.startup.complete"}


def test_the_state_of_the_lifespan_reaches_requests() -> None:
    async def main() -> None:
        async with serving(lives(STARTED, {"type": "lifespan.shutdown.complete"})) as server:
            assert (await scope_of(server, get("/")))["state"] == {"began": True}

    run(main)


def test_a_start_that_fails_is_told_and_nothing_listens() -> None:
    failed = {"type": "lifespan.startup.failed", "message": "no database\n"}

    async def main() -> None:
        with pytest.raises(UpwireError, match=r"the application has not started: no database$"):
            async with serving(lives(failed)):
                raise AssertionError

    run(main)


def test_a_second_application_that_fails_stops_the_first() -> None:
    messages: list[Message] = []

    async def first(scope: Scope, receive: Receive, send: Send) -> None:
        messages.append(await receive())
        await send(STARTED)
        messages.append(await receive())

    routes = upwire.Routes()
    routes.mount("/first", upwire.AsgiApplication(first))
    failed = {"type": "lifespan.startup.failed"}
    routes.mount("/second", upwire.AsgiApplication(lives(failed)))

    async def main() -> None:
        with pytest.raises(UpwireError, match=r"has not started$"):
            async with serving(routes):
                raise AssertionError

    run(main)
    assert [message["type"] for message in messages] == ["lifespan.startup", "lifespan.shutdown"]


def test_an_address_that_cannot_be_had_stops_the_application() -> None:
    messages: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(STARTED)
        messages.append(await receive())

    async def main() -> None:
        async with serving(tell, lifespan="off") as server:
            with pytest.raises(ConfigError):
                await upwire.serve(upwire.AsgiApplication(app), "127.0.0.1", server.port)

    run(main)
    assert messages == [{"type": "lifespan.shutdown"}]


async def has_none(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        raise RuntimeError("what lifespan?")
    await tell(scope, receive, send)


def test_an_application_may_have_no_lifespan() -> None:
    async def main() -> None:
        async with serving(has_none) as server:
            assert (await scope_of(server, get("/")))["type"] == "http"
        with pytest.raises(UpwireError, match="has not started"):
            async with serving(has_none, lifespan="on"):
                raise AssertionError

    run(main)


async def fails_later(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send(STARTED)
    await receive()
    raise RuntimeError("cannot stop")


@pytest.mark.parametrize(
    ("app", "logged"),
    [
        (lives(STARTED, {"type": "lifespan.shutdown.failed", "message": "why"}), "in order: why"),
        (lives(STARTED, STARTED), "unexpected ASGI message 'lifespan.startup.complete'"),
        (fails_later, "cannot stop"),
    ],
)
def test_a_stop_that_fails_is_logged(
    app: Any, logged: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with serving(app):
            pass

    run(main)
    assert logged in caplog.text


# The loop


def test_a_blocked_loop_is_named(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        with LoopWatch(blocked_s=0.01):
            await asyncio.sleep(0)
            while "blocked" not in caplog.text:  # and so it is
                pass

    run(main)
    assert "the event loop is blocked for 0.01 s at " in caplog.text
