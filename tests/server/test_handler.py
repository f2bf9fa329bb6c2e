"""What can be a handler, and what it is called."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from upwire.errors import LocalProtocolError
from upwire.server.handler import check_handler, handler_name


async def echo(ws: object) -> None: ...


async def greet(greeting: str, ws: object, *, often: bool = False) -> None: ...


async def nothing() -> None: ...


async def generate(ws: object) -> AsyncIterator[None]:
    yield None


def forgets_async(ws: object) -> None: ...


def with_greeting(handler: Callable[[str, object], Awaitable[None]]) -> object:
    @functools.wraps(handler)
    def call(ws: object) -> Awaitable[None]:
        return handler("hello", ws)

    return call


class Room:
    async def __call__(self, ws: object) -> None: ...

    async def enter(self, ws: object) -> None: ...


class Door:
    def __call__(self, ws: object) -> None: ...


@pytest.mark.parametrize(
    ("handler", "name"),
    [
        (echo, "echo"),
        (Room(), "Room"),
        (Room().enter, "Room.enter"),
        (functools.partial(greet, "hello", often=True), "greet"),
        (
            functools.partial(
                functools.partial(Room()),
            ),
            "Room",
        ),
        (with_greeting(greet), "greet"),
    ],
)
def test_what_can_be_a_handler(handler: object, name: str) -> None:
    check_handler(handler, "ws")
    assert handler_name(handler) == f"{__name__}.{name}"


@pytest.mark.parametrize("built_in", [len, min])
def test_what_is_not_of_python_is_taken_at_its_word(built_in: object) -> None:
    check_handler(built_in, "ws")


@pytest.mark.parametrize(
    ("handler", "why"),
    [
        (None, "None is not an async function"),
        ("app:echo", "'app:echo' is not an async function"),
        (Room, "is not an async function"),
        (forgets_async, "is not async"),
        (lambda ws: None, "is not async"),
        (functools.partial(forgets_async), "is not async"),
        (Door(), "is not async"),
        (generate, "is not async"),
        (nothing, r"takes \(\)"),
        (greet, r"takes \(greeting: "),
        (Room.enter, r"takes \(self, ws: "),
    ],
)
def test_what_cannot(handler: object, why: str) -> None:
    with pytest.raises(LocalProtocolError, match=why) as raised:
        check_handler(handler, "request")
    assert str(raised.value).endswith("; a handler is `async def handler(request): ...`")
