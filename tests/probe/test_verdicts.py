"""What each case's answer means, and what must mean nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from upwire.client.url import parse_url
from upwire.conf.audit.finding import Severity
from upwire.probe.asking import Answer
from upwire.probe.cases import HANDSHAKE, VARIANTS, Asked, handshake
from upwire.probe.evidence import Evidence, Tls
from upwire.probe.received import Received
from upwire.probe.verdicts import judge
from upwire.wire.fields import Headers
from upwire.wire.handshake import compute_accept
from upwire.wire.http1 import RequestHead, ResponseHead

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ASKED = Asked(parse_url("ws://a.test:81/chat"), KEY)
MADE = {case.name: case.make(ASKED) for case in (HANDSHAKE, *VARIANTS)}
AGREED = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Accept": compute_accept(KEY),
}
OFFERED = {
    "Sec-WebSocket-Protocol": "upwire-probe",
    "Sec-WebSocket-Extensions": "permessage-deflate",
}


def answer(case: str, status: int = 101, seen: RequestHead | None = None, **fields: str) -> Answer:
    own = AGREED if status == 101 else {}
    own = own | OFFERED if case == "offers" and status == 101 else own
    head = ResponseHead(status, "R", (1, 1), Headers(own | fields))
    return Answer(MADE[case], head if status else None, received=Received(seen) if seen else None)


def right() -> Evidence:
    """What a right gateway in front of a backend of ours gives."""
    evidence = Evidence(ASKED)
    statuses = {"plain": 200, "version-12": 426, "http-1.0": 400, "post": 405, "h2c": 200}
    for name, request in MADE.items():
        evidence.front[name] = answer(name, statuses.get(name, 101), request)
    without = MADE["h2c"].headers.copy()
    without.remove("Upgrade")
    evidence.front["h2c"] = answer("h2c", 200, replace(MADE["h2c"], headers=without))
    evidence.front["listed"] = answer("listed", 101, MADE["handshake"])
    return evidence


def changed(case: str, *, target: str = "", drop: str = "", **fields: str) -> RequestHead:
    """A case's request as a gateway has changed it; underscores of names are hyphens."""
    request = MADE[case]
    headers = request.headers.copy()
    headers.remove(drop)
    for name, value in fields.items():
        headers.set(name.replace("_", "-"), value)
    return replace(request, headers=headers, target=target or request.target)


def found(evidence: Evidence) -> dict[str, Severity]:
    return {finding.fault: finding.severity for finding in judge(evidence)}


def with_seen(case: str, seen: RequestHead) -> dict[str, Severity]:
    evidence = right()
    evidence.front[case] = replace(evidence.front[case], received=Received(seen))
    return found(evidence)


def with_answer(case: str, given: Answer) -> dict[str, Severity]:
    evidence = right()
    evidence.front[case] = given
    return found(evidence)


def test_a_right_gateway_has_nothing() -> None:
    assert found(right()) == {}


@pytest.mark.parametrize(
    ("case", "seen", "fault", "severity"),
    [
        ("handshake", changed("handshake", drop="Upgrade"), "F02", Severity.ERROR),
        ("handshake", changed("handshake", target="//chat"), "F30", Severity.ERROR),
        ("handshake", changed("handshake", target="/x"), "F30", Severity.NOTE),
        ("handshake", changed("handshake", Host="a.test"), "F51", Severity.WARNING),
        ("handshake", changed("handshake", Host="b"), "F50", Severity.WARNING),
        ("handshake", changed("handshake", drop="Host"), "F50", Severity.WARNING),
        ("query", changed("query", target="/chat"), "F36", Severity.WARNING),
        ("query", changed("query", drop="X_Upwire_Probe"), "F14", Severity.NOTE),
        ("plain", changed("plain", Upgrade="websocket"), "F06", Severity.WARNING),
        ("plain", changed("plain", Connection="upgrade"), "F05", Severity.NOTE),
        ("plain", changed("plain", Connection="close"), "F07", Severity.NOTE),
        ("listed", MADE["listed"], "F09", Severity.SECURITY),
        ("h2c", MADE["h2c"], "F12", Severity.NOTE),
        ("evil-origin", changed("evil-origin", Origin="http://a"), "F52", Severity.SECURITY),
        ("offers", changed("offers", drop="Sec-WebSocket-Protocol"), "F13", Severity.ERROR),
    ],
)
def test_what_a_backend_sees(case: str, seen: RequestHead, fault: str, severity: Severity) -> None:
    assert with_seen(case, seen)[fault] is severity


@pytest.mark.parametrize(
    ("case", "given", "fault", "severity"),
    [
        ("plain", answer("plain", 101), "F06", Severity.ERROR),
        ("plain", answer("plain", 0), "F06", Severity.NOTE),
        ("plain", answer("plain", 200, X_Own="1"), "F84", Severity.NOTE),
        ("capitals", answer("capitals", 404), "F39", Severity.WARNING),
        ("keep-alive", answer("keep-alive", 400), "F09", Severity.WARNING),
        ("h2c", answer("h2c", 101), "F12", Severity.SECURITY),
        ("post", answer("post", 101), "F11", Severity.NOTE),
        ("cookie", answer("cookie", 400), "F61", Severity.NOTE),
        ("version-12", answer("version-12", 200), "F63", Severity.WARNING),
        ("slash", answer("slash", 301), "F31", Severity.NOTE),
        ("big-answer", answer("handshake", 502), "F62", Severity.NOTE),
        (
            "offers",
            answer("offers", 101, None, **{"Sec-WebSocket-Protocol": "other"}),
            "F13",
            Severity.ERROR,
        ),
        (
            "handshake",
            answer("handshake", 101, MADE["handshake"], **{"Sec-WebSocket-Accept": "x"}),
            "F13",
            Severity.ERROR,
        ),
        (
            "handshake",
            answer("handshake", 101, MADE["handshake"], Connection="close"),
            "",
            Severity.ERROR,
        ),
        ("handshake", answer("handshake", 401), "F55", Severity.ERROR),
    ],
)
def test_what_a_gateway_answers(case: str, given: Answer, fault: str, severity: Severity) -> None:
    assert with_answer(case, given)[fault] is severity


@pytest.mark.parametrize("case", ["capitals", "keep-alive", "cookie", "version-12", "offers"])
def test_a_limit_says_nothing_of_a_case(case: str) -> None:
    faults = with_answer(case, answer(case, 503))
    assert faults == {}


def test_a_field_sent_twice() -> None:
    twice = changed("handshake")
    twice.headers.add("Connection", "keep-alive")
    assert with_seen("handshake", twice)["F10"] is Severity.WARNING


def test_a_field_that_is_lost_on_the_way_back() -> None:
    bare = Answer(MADE["offers"], ResponseHead(101, "", (1, 1), Headers(AGREED)))
    assert with_answer("offers", bare)["F13"] is Severity.ERROR


def test_what_the_backend_refuses_itself_is_no_fault_of_the_gateway() -> None:
    evidence = right()
    for name in ("capitals", "keep-alive", "cookie"):
        evidence.front[name] = evidence.backend[name] = answer(name, 400)
    assert not {"F39", "F61"} & set(found(evidence))


def test_a_plain_get_that_only_the_gateway_leaves_unanswered() -> None:
    evidence = right()
    evidence.front["plain"], evidence.backend["plain"] = answer("plain", 0), answer("plain", 200)
    assert found(evidence)["F06"] is Severity.WARNING


def without_ours() -> Evidence:
    evidence = right()
    evidence.front = {name: replace(one, received=None) for name, one in evidence.front.items()}
    return evidence


def test_a_backend_is_compared_with() -> None:
    evidence = without_ours()
    evidence.front["plain"] = answer("plain", 200, Strict="1", Own="2")
    evidence.front["version-12"] = answer("version-12", 200)
    evidence.front["offers"] = Answer(
        MADE["offers"], ResponseHead(101, "", (1, 1), Headers(AGREED))
    )
    assert found(evidence) == {}
    evidence.backend = {
        "handshake": answer("handshake"),
        "plain": answer("plain", 200, Own="2"),
        "version-12": answer("version-12", 400),
        "offers": answer("offers"),
    }
    assert set(found(evidence)) == {"F84", "F63", "F13"}
    evidence.backend["plain"] = answer("plain", 0)
    assert "F84" in found(evidence)
    evidence.front["plain"] = answer("plain", 404, Strict="1")
    assert "F84" not in found(evidence)


def test_between_which_hops_it_is_lost() -> None:
    evidence = Evidence(ASKED, {"handshake": answer("handshake", 502)})
    evidence.via = [("10.0.0.1", answer("handshake", 502)), ("10.0.0.2", answer("handshake"))]
    evidence.backend["handshake"] = answer("handshake")
    told = [finding.message for finding in judge(evidence) if not finding.fault]
    assert told == ["it opens at 10.0.0.2, and not at 10.0.0.1: what is between them is to blame"]


def test_a_backend_that_is_another_is_noted() -> None:
    evidence = Evidence(ASKED, {"handshake": answer("handshake")})
    evidence.backend["handshake"] = answer("handshake", 404)
    (told,) = [finding.message for finding in judge(evidence) if not finding.fault]
    assert told.startswith("it opens at the URL, and not at the backend: ")


@pytest.mark.parametrize(
    ("tls", "faults"),
    [
        (Tls("TLSv1.3", expires_s=9e6), {}),
        (Tls("TLSv1.3"), {}),
        (Tls(expires_s=90_000.0), {"": Severity.WARNING}),
        (Tls(problem="Hostname mismatch, certificate is not valid"), {"F34": Severity.ERROR}),
        (Tls(problem="certificate has expired"), {"": Severity.ERROR}),
        (Tls(is_http1_refused=True), {"F81": Severity.ERROR}),
    ],
)
def test_tls(tls: Tls, faults: dict[str, Severity]) -> None:
    evidence = without_ours()
    evidence.tls = tls
    assert found(evidence) == faults


def test_a_backend_behind_tls_wants_to_know() -> None:
    asked = replace(ASKED, url=parse_url("wss://a.test/"))
    request = handshake(asked)
    evidence = Evidence(asked, {"handshake": answer("handshake", 101, request)})
    assert "F53" in found(evidence)
    told = request.headers.copy()
    told.set("X-Forwarded-Proto", "https")
    seen = replace(request, headers=told)
    evidence.front["handshake"] = answer("handshake", 101, seen)
    assert "F53" not in found(evidence)


def test_the_worst_is_told_first_and_a_fault_once() -> None:
    evidence = right()
    evidence.front["h2c"] = answer("h2c", 101)
    evidence.front["keep-alive"] = answer("keep-alive", 400)
    findings = judge(evidence)
    severities = [finding.severity for finding in findings]
    assert severities == sorted(severities, reverse=True)
    numbers = [finding.fault for finding in findings]
    assert numbers.count("F09") == 1
