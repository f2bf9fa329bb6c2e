"""What a handler answers."""

from __future__ import annotations

import pytest

from upwire.errors import LocalProtocolError
from upwire.server import Response


def test_a_response_is_status_fields_and_octets() -> None:
    response = Response(201, b"x", {"Location": "/x"})
    assert (response.status, response.body) == (201, b"x")
    assert list(response.headers.items()) == [("Location", "/x")]
    assert (Response().status, Response().body) == (200, b"")


def test_the_usual_types() -> None:
    text, page = Response.text("grüße"), Response.html("<p>", 404, [("X-A", "1")])
    assert text.body == "grüße".encode()
    assert text.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert (page.status, page.headers["X-A"]) == (404, "1")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    value = Response.json({"ä": [1, None]})
    assert value.body == '{"ä":[1,null]}'.encode()
    assert value.headers["Content-Type"] == "application/json"


def test_a_type_that_is_given_stays() -> None:
    response = Response.text("a,b", headers={"content-type": "text/csv"})
    assert response.headers.get_all("Content-Type") == ["text/csv"]


def test_a_redirect_says_where() -> None:
    response = Response.redirect("/next")
    assert (response.status, response.headers["Location"]) == (302, "/next")


@pytest.mark.parametrize("status", [99, 101, 600])
def test_a_status_that_no_handler_may_answer(status: int) -> None:
    with pytest.raises(LocalProtocolError, match=f"200 to 599, not {status}"):
        Response(status)
