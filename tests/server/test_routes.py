"""Which handler a path has."""

from __future__ import annotations

from pathlib import Path

import pytest

from upwire.errors import LocalProtocolError
from upwire.net.websocket import WebSocket
from upwire.server import Request, Response, Routes
from upwire.server.routes import Match, split_path


async def answer(request: Request) -> Response:
    return Response.text(request.path)


async def chat(ws: WebSocket) -> None:
    await ws.close()


def params(routes: Routes, path: str) -> dict[str, str] | None:
    match = routes.match(path)
    return None if match is None else dict(match.path_params)


def found(routes: Routes, path: str) -> Match:
    match = routes.match(path)
    assert match is not None
    return match


def test_a_path_has_a_websocket_and_methods() -> None:
    routes = Routes()
    assert routes.websocket("/chat")(chat) is chat
    assert routes.get("/chat")(answer) is answer
    routes.post("/chat")(answer)
    routes.put("/thing")(answer)
    routes.delete("/thing")(answer)
    resource = found(routes, "/chat").resource
    assert resource.websocket is not None
    assert resource.websocket.handler is chat
    assert resource.handler_for("HEAD") is answer
    assert resource.handler_for("PUT") is None
    assert resource.allowed == "GET, HEAD, POST"
    assert found(routes, "/thing").resource.allowed == "DELETE, PUT"


def test_a_websocket_allows_get() -> None:
    routes = Routes()
    routes.websocket("/chat")(chat)
    assert found(routes, "/chat").resource.allowed == "GET"


def test_a_handler_of_its_own_for_head_wins() -> None:
    async def head(request: Request) -> Response:
        return Response()

    routes = Routes()
    routes.get("/")(answer)
    routes.route("HEAD", "/")(head)
    assert found(routes, "/").resource.handler_for("HEAD") is head


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/rooms/lobby", {"name": "lobby"}),
        ("/rooms/gr%C3%BC%C3%9Fe%20x", {"name": "grüße x"}),
        ("/rooms/a%2Fb", {"name": "a/b"}),
        ("/rooms/", None),
        ("/rooms", None),
        ("/rooms/a/b", None),
        ("/rooms/%FF", None),
        ("/halls/lobby", None),
        ("/rooms/lobby/5", {"name": "lobby", "seat": "5"}),
    ],
)
def test_braces_stand_for_a_segment(path: str, expected: dict[str, str] | None) -> None:
    routes = Routes()
    routes.get("/rooms/{name}")(answer)
    routes.get("/rooms/{name}/{seat}")(answer)
    if path == "/rooms/a/b":
        routes = Routes()
        routes.get("/rooms/{name}")(answer)
    assert params(routes, path) == expected


def test_a_path_without_braces_wins_and_then_the_first() -> None:
    routes = Routes()
    routes.get("/{first}")(answer)
    routes.get("/{second}")(answer)
    routes.get("/exact")(answer)
    assert params(routes, "/exact") == {}
    assert params(routes, "/%65xact") == {}
    assert params(routes, "/other") == {"first": "other"}


def test_a_slash_that_is_encoded_separates_nothing() -> None:
    routes = Routes()
    routes.get("/a/b")(answer)
    assert routes.match("/a%2Fb") is None


def test_the_longest_folder_wins_and_paths_before_folders(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    routes = Routes()
    routes.static("/", tmp_path)
    routes.static("/assets/", tmp_path / "inner")
    routes.get("/assets/special")(answer)
    outer, inner = (found(routes, path).resource for path in ("/x", "/assets/x"))
    assert outer is not inner
    assert found(routes, "/assets").resource is inner
    assert found(routes, "/assetsx").resource is outer
    assert found(routes, "/assets/special").resource.handler_for("GET") is answer
    assert routes.match("/%FF") is None


@pytest.mark.parametrize("path", ["", "chat", "/chat?x", "/chat#x", "/{a}/{a}", "/x{a}", "/{1}"])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(LocalProtocolError):
        Routes().get(path)(answer)


def test_nothing_is_added_twice(tmp_path: Path) -> None:
    routes = Routes()
    routes.get("/x")(answer)
    routes.websocket("/x")(chat)
    routes.static("/files", tmp_path)
    with pytest.raises(LocalProtocolError, match="/x has a handler for GET already"):
        routes.get("/x")(answer)
    with pytest.raises(LocalProtocolError, match="/x has a WebSocket handler already"):
        routes.websocket("/x")(chat)
    with pytest.raises(LocalProtocolError, match="static folder already"):
        routes.static("/files/", tmp_path)


def test_wrong_options_are_refused_where_they_are_written() -> None:
    with pytest.raises(LocalProtocolError, match="origins is a sequence"):
        Routes().websocket("/x", origins="https://example.org")


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LocalProtocolError, match="is not a folder"):
        Routes().static("/", tmp_path / "absent")


def test_segments_are_decoded_one_by_one() -> None:
    assert split_path("/") == ("",)
    assert split_path("/a/%2e%2e/") == ("a", "..", "")
    assert split_path("/%ff") is None
    assert split_path("/\xc3\xa4") == ("ä",)
