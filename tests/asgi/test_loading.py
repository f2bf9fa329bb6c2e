"""What is found by its name, and what is said where nothing is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import upwire
from upwire.asgi.loading import is_asgi, load
from upwire.errors import UpwireError

SOURCE = """
import functools
import upwire

routes = upwire.Routes()

@routes.websocket("/shout")
async def shout(ws):
    async for message in ws:
        await ws.send(message.upper())

class Holder:
    handler = staticmethod(shout)

    def answer(self, ws):
        return None

class Callable:
    async def __call__(self, ws):
        await ws.close()

@functools.wraps(shout)
def decorated(ws):
    return shout(ws)

def plain(ws):
    return None

called = Callable()
method = Holder().answer
number = 5

def make():
    return routes

def fail():
    return 1 / 0
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with modules, on sys.path, and none of them kept imported."""
    (tmp_path / "shouting.py").write_text(SOURCE)
    (tmp_path / "needing.py").write_text("import missing_dependency\n")
    (tmp_path / "broken.py").write_text("\nprint(undefined)\n")
    (tmp_path / "cut.py").write_text("\n\nroutes = (\n")
    (tmp_path / "ending.py").write_text("raise SystemExit('bye')\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("shouting", "needing", "broken", "cut", "ending"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_an_application_is_found_by_its_name() -> None:
    assert isinstance(load("shouting:routes"), upwire.Routes)
    assert load("shouting:shout") is load("shouting:Holder.handler")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", ["decorated", "called"])
def test_what_gives_an_awaitable_is_a_handler(name: str) -> None:
    assert callable(load(f"shouting:{name}"))


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("target", "complaint"),
    [
        ("shouting", "'shouting' is not MODULE:NAME"),
        (":handler", "is not MODULE:NAME"),
        ("shouting:", "is not MODULE:NAME"),
        (".shouting:handler", "is not MODULE:NAME"),
        ("shouting..deep:handler", "is not MODULE:NAME"),
        ("nowhere:handler", "there is no module nowhere in this folder"),
        ("nowhere.deep:handler", "there is no module nowhere in this folder"),
        ("shouting.deep:handler", "there is no module shouting.deep in this folder"),
        ("needing:handler", "cannot import needing: No module named 'missing_dependency'"),
        ("broken:handler", r"NameError: name 'undefined' is not defined, at .*broken\.py:2"),
        ("cut:handler", r"SyntaxError: '\(' was never closed \(cut\.py, line 3\)$"),
        ("ending:handler", r"cannot import ending: SystemExit: bye, at .*ending\.py:1"),
        ("shouting:nothing", "module shouting has no 'nothing'"),
        ("shouting:Holder.nothing", "module shouting has no 'Holder.nothing'"),
        ("shouting:number", "shouting:number: 5 is not an async function; a handler is"),
        ("shouting:plain", "shouting:plain: <function plain .* is not async; a handler is"),
        ("shouting:method", "is not async; a handler is"),
        ("shouting:Holder", "is not an async function; a handler is"),
    ],
)
def test_what_is_not_there_is_named(target: str, complaint: str) -> None:
    with pytest.raises(UpwireError, match=complaint):
        load(target)


async def application(scope: object, receive: object, send: object) -> None:
    """Do nothing, as an ASGI application."""


async def handler(ws: object, *more: object) -> None:
    """Do nothing, as a handler that takes more."""


@pytest.mark.parametrize(
    ("found", "is_one"),
    [(application, True), (handler, False), (print, False), (int, False), (5, False)],
)
def test_what_takes_three_arguments_is_an_application(found: object, is_one: bool) -> None:
    assert is_asgi(found) is is_one


@pytest.mark.usefixtures("folder")
def test_a_factory_makes_it() -> None:
    assert isinstance(load("shouting:make", is_factory=True), upwire.Routes)
    with pytest.raises(UpwireError, match="5 is no function that makes an application"):
        load("shouting:number", is_factory=True)
    with pytest.raises(UpwireError, match=r"makes no application: ZeroDivisionError: .*shouting"):
        load("shouting:fail", is_factory=True)
