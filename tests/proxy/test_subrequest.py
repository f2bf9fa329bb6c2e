"""Subrequests: what they share with their parent, and where their contents go."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from kit.nginx import Answer
from kit.proxy_site import LISTENING, cycle_of, get
from upwire.proxy import exchange
from upwire.proxy.output import Memory
from upwire.proxy.request import Handled, Outcome, Phase, Request
from upwire.proxy.response import finish, respond, send, start_response
from upwire.proxy.subrequest import (
    LEVELS_MAX,
    SUBREQUESTS_MAX,
    SubrequestCycle,
    fetch,
    fetch_beside,
    include,
)

SITE = LISTENING.format(
    directives="location /in { return 200 $request_method-$uri-$args-$request_uri; } location / { }"
)


def run(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    handler: Callable[[Request], Awaitable[Handled]],
    method: str = "GET",
    http: str = SITE,
) -> Answer:
    """Answer one request for /main with handler in front of the content handlers."""

    async def answer_main(request: Request) -> Handled:
        return await handler(request) if request.uri == "/main" else None

    phases = [
        (phase, (answer_main, *own) if phase is Phase.CONTENT else own)
        for phase, own in exchange.PHASES
    ]
    monkeypatch.setattr(exchange, "PHASES", tuple(phases))

    async def ask() -> Answer:
        with cycle_of(http, folder) as cycle:
            return await get(cycle, "/main", method=method)

    return asyncio.run(ask())


def test_its_content_goes_where_it_is_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def handler(request: Request) -> Handled:
        memory = Memory(100)
        asked = await fetch(request, "/in", "a=b", sink=memory)
        assert (asked.reply.status, asked.parent, asked.main) == (200, request, request)
        assert asked.variables is request.variables
        await respond(request, 200, [], bytes(memory.content))
        return Outcome.DONE

    assert run(tmp_path, monkeypatch, handler, "PUT").content == b"GET-/in-a=b-/main"
    assert (tmp_path / "access.log").read_text().count("\n") == 1


def test_only_its_head_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def handler(request: Request) -> Handled:
        memory = Memory(100)
        asked = await fetch(request, "/none", sink=memory, is_head_only=True)
        assert (asked.reply.status, bytes(memory.content)) == (404, b"")
        return 204

    assert run(tmp_path, monkeypatch, handler).status == 204


def test_it_becomes_a_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def handler(request: Request) -> Handled:
        await start_response(request, 200, [], length=None)
        await send(request, b"before ")
        await include(request, "/in")
        await send(request, b" after")
        await finish(request)
        return Outcome.DONE

    assert run(tmp_path, monkeypatch, handler).content == b"before GET-/in--/main after"


def test_a_part_that_is_cut_cuts_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def handler(request: Request) -> Handled:
        await start_response(request, 200, [], length=None)
        await include(request, "/cut")
        assert request.reply.is_cut
        return Outcome.DONE

    http = LISTENING.format(directives="location /cut { return 444; }")
    assert run(tmp_path, monkeypatch, handler, http=http).status == 200


def test_levels_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    levels: list[int] = []

    async def handler(request: Request) -> Handled:
        levels.append(request.level)
        try:
            await fetch(request, "/main")
        except SubrequestCycle:
            await respond(request, 200, [], b"deep")
            return Outcome.DONE
        return 204

    assert run(tmp_path, monkeypatch, handler).status == 204
    assert levels == list(range(LEVELS_MAX + 1))
    assert "subrequests cycle while processing" in (tmp_path / "error.log").read_text()


def test_there_are_no_more_than_so_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def handler(request: Request) -> Handled:
        request.subrequests = SUBREQUESTS_MAX - 1
        await fetch(request, "/in")
        with pytest.raises(SubrequestCycle):
            await fetch(request, "/in")
        return 204

    assert run(tmp_path, monkeypatch, handler).status == 204


@pytest.mark.parametrize("is_cut", [False, True])
def test_one_beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_cut: bool) -> None:
    async def handler(request: Request) -> Handled:
        fetch_beside(request, "/in")
        if is_cut:
            return 444
        await respond(request, 200, [], b"first")
        return Outcome.DONE

    http = LISTENING.format(directives="log_subrequest on; location /in { return 200 x; }")
    got = run(tmp_path, monkeypatch, handler, "POST", http)
    assert got.content == (b"" if is_cut else b"first")
    assert (tmp_path / "access.log").read_text().count("\n") == 1 + (not is_cut)


def test_one_beside_ends_with_a_request_that_is_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[bool] = []

    async def handler(request: Request) -> Handled:
        if request.parent is None:
            fetch_beside(request, "/main")
            await asyncio.sleep(0)
            asyncio.current_task().cancel()  # type: ignore[union-attr]  # there is one
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(request.parent is None)
        return 204

    with pytest.raises(asyncio.CancelledError):
        run(tmp_path, monkeypatch, handler)
    assert ended == [True, False]
    assert (tmp_path / "access.log").read_text().count("\n") == 1


def test_one_beside_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def handler(request: Request) -> Handled:
        if request.parent is not None:
            raise OSError("disk full")
        fetch_beside(request, "/main")
        await respond(request, 200, [], b"first")
        return Outcome.DONE

    assert run(tmp_path, monkeypatch, handler).content == b"first"
    assert "subrequest failed: disk full" in (tmp_path / "error.log").read_text()
