"""Which event loop runs our programs."""

from __future__ import annotations

import asyncio
import sys
from types import SimpleNamespace

import pytest

from upwire.net.loop import run_in_loop


class _Uvloop(asyncio.SelectorEventLoop):
    pass


async def running() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


def test_uvloop_is_taken_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", SimpleNamespace(new_event_loop=_Uvloop))
    assert isinstance(run_in_loop(running()), _Uvloop)


def test_asyncio_runs_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert isinstance(run_in_loop(running()), asyncio.SelectorEventLoop)
