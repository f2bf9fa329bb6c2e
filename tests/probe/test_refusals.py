"""Why a handshake does not open, from what was answered."""

from __future__ import annotations

import pytest

from upwire.client.url import parse_url
from upwire.conf.audit.finding import Severity
from upwire.probe.asking import Answer
from upwire.probe.cases import Asked, handshake
from upwire.probe.evidence import Evidence
from upwire.probe.received import Received
from upwire.probe.refusals import explain, lost_fields
from upwire.wire.fields import Headers
from upwire.wire.http1 import RequestHead, ResponseHead

ASKED = Asked(parse_url("ws://a.test:81/chat"), "dGhlIHNhbXBsZSBub25jZQ==")
REQUEST = handshake(ASKED)
PAGE = b"<html><center>nginx/1.22.1</center></html>"
OPEN = ResponseHead(101, "Switching Protocols")


def answer(status: int, body: bytes = b"", **fields: str) -> Answer:
    response = ResponseHead(status, "R", (1, 1), Headers(fields))
    return Answer(REQUEST, response, body, error="" if status else "ended")


def silent() -> Answer:
    return Answer(REQUEST, error="ended")


def fault_of(base: Answer, *, direct: Answer | None = None, **others: Answer) -> str:
    evidence = Evidence(ASKED, {"handshake": base})
    evidence.front |= {name.replace("_", "-"): one for name, one in others.items()}
    if direct is not None:
        evidence.backend["handshake"] = direct
    finding = explain(evidence)
    assert finding is not None
    assert finding.severity is Severity.ERROR
    assert finding.message
    return finding.fault


def test_an_open_one_has_no_reason() -> None:
    assert explain(Evidence(ASKED, {"handshake": answer(101)})) is None


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (200, b"<html>", "F35"),
        (400, b"The plain HTTP request was sent to HTTPS port", "F80"),
        (400, b"Request Header Or Cookie Too Large", "F61"),
        (431, b"Header Or Cookie Too Large", "F61"),
        (400, b"more than one Host", "F10"),
        (400, b"no connection upgrade", "F02"),
        (400, b"this is HTTP/1.0", "F03"),
        (505, b"", "F03"),
        (426, b"", "F01"),
        (400, b"Can upgrade only to WebSocket", "F01"),
        (400, b"", ""),
        (401, b"", "F55"),
        (403, PAGE, "F60"),
        (403, b"", "F50"),
        (404, PAGE, "F33"),
        (404, b"", ""),
        (404, b"not a websocket", "F01"),
        (418, b"", ""),
        (429, b"", "F59"),
        (500, PAGE, "F56"),
        (500, b"", ""),
        (502, b"", "F36"),
        (503, b"", "F59"),
        (504, b"", "F36"),
    ],
)
def test_the_answer_alone(status: int, body: bytes, fault: str) -> None:
    assert fault_of(answer(status, body)) == fault


@pytest.mark.parametrize(
    ("location", "fault"),
    [
        ("http://a.test:81/chat/", "F31"),
        ("https://a.test/chat", "F32"),
        ("https://a.test/login", "F34"),
        ("/login", "F34"),
        ("http://[", "F34"),
        ("\x1b[31m", "F34"),
    ],
)
def test_a_redirect(location: str, fault: str) -> None:
    assert fault_of(answer(301, Location=location)) == fault


def test_what_the_backend_says_to_the_same() -> None:
    opened = answer(101)
    assert fault_of(answer(401), direct=answer(401)) == ""
    assert fault_of(answer(403), direct=opened) == "F50"
    assert fault_of(answer(404), direct=opened) == "F30"
    assert fault_of(answer(400), direct=opened) == "F01"
    assert fault_of(answer(200), direct=answer(426)) == "F63"
    assert fault_of(silent(), direct=opened) == "F56"
    large = Answer(REQUEST, ResponseHead(101, "", (1, 1), Headers({"Set-Cookie": "x" * 5000})))
    assert fault_of(answer(502), direct=large) == "F62"
    assert fault_of(answer(502), direct=opened) == "F36"


def test_what_other_cases_say() -> None:
    assert fault_of(answer(403), portless_origin=answer(101)) == "F51"
    assert fault_of(answer(403), no_origin=answer(101)) == "F50"
    assert fault_of(answer(404, PAGE), without_extension=answer(101)) == "F33"
    assert fault_of(silent()) == ""
    assert fault_of(silent(), proxy_protocol=answer(101)) == "F54"
    assert fault_of(silent(), proxy_protocol=answer(400), plain=answer(200)) == "F56"


def test_a_page_in_place_of_the_refusal_of_a_backend_of_ours() -> None:
    ours = Answer(REQUEST, ResponseHead(200, "OK"), received=Received(REQUEST))
    assert fault_of(answer(200, b"fallback"), plain=ours) == "F63"
    assert fault_of(answer(502), plain=ours) == "F36"
    assert fault_of(answer(401), plain=ours) == "F55"
    assert fault_of(answer(404, PAGE), plain=ours) == "F33"


def seen(version: tuple[int, int] = (1, 1), **fields: str) -> RequestHead:
    return RequestHead("GET", "/chat", version, Headers(fields))


def test_what_a_backend_of_ours_did_not_get() -> None:
    bare = Answer(REQUEST, ResponseHead(426, ""), received=Received(seen((1, 0))))
    whole = Answer(REQUEST, ResponseHead(101, ""), received=Received(REQUEST))
    assert fault_of(bare) == "F01"
    assert fault_of(bare, root=whole) == "F04"
    upgrade = seen(Upgrade="websocket")
    connection = seen(Connection="upgrade")
    for head in (upgrade, connection):
        lost = lost_fields(head, is_fine_elsewhere=False)
        assert lost is not None
        assert lost.fault == "F02"
    old = lost_fields(
        seen((1, 0), Upgrade="websocket", Connection="Upgrade"), is_fine_elsewhere=False
    )
    assert old is not None
    assert old.fault == "F03"
    assert lost_fields(REQUEST, is_fine_elsewhere=False) is None
    right = Answer(REQUEST, ResponseHead(400, ""), received=Received(REQUEST))
    assert fault_of(right) == ""
