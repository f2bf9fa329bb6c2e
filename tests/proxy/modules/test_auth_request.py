"""Who may pass by the answer of a subrequest."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kit.nginx import Answer
from kit.proxy_site import LISTENING, Visit, cycle_of, get, read_to_end


def ask(folder: Path, directives: str, target: str = "/page") -> Answer:
    (folder / "html").mkdir()
    (folder / "html" / "page").write_text("in")

    async def run() -> Answer:
        with cycle_of(LISTENING.format(directives=directives), folder) as cycle:
            return await get(cycle, target)

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("return 200;", 200),
        ("return 204;", 200),
        ("return 401;", 401),
        ("return 403;", 403),
        ("return 404;", 500),
        ("return 302 /;", 500),
    ],
)
def test_answers(tmp_path: Path, answer: str, expected: int) -> None:
    got = ask(tmp_path, f"auth_request /auth; location = /auth {{ {answer} }}")
    assert got.status == expected
    log = (tmp_path / "error.log").read_text() if (tmp_path / "error.log").exists() else ""
    assert ("auth request unexpected status" in log) == (expected == 500)


def test_an_answer_that_ends_the_connection(tmp_path: Path) -> None:
    site = LISTENING.format(directives="auth_request /auth; location = /auth { return 444; }")

    async def run() -> bytes:
        with cycle_of(site, tmp_path) as cycle:
            one = Visit(cycle)
            one.client.write(b"GET /page HTTP/1.1\r\nHost: h\r\n\r\n")
            serving = asyncio.create_task(one.serve())
            received = await read_to_end(one.client)
            one.client.close()
            await serving
            return received

    assert asyncio.run(run()) == b""
    assert '" 444 ' in (tmp_path / "access.log").read_text()


def test_off(tmp_path: Path) -> None:
    directives = "auth_request /auth; location /page { auth_request off; }"
    assert ask(tmp_path, directives + "location /auth { return 403; }").status == 200


def test_subrequests_need_no_permission(tmp_path: Path) -> None:
    site = """
        auth_request /auth;
        location = /auth { auth_request /auth2; root none; }
        location = /auth2 { return 401; }
    """
    assert ask(tmp_path, site).status == 500


def test_variables_of_the_answer(tmp_path: Path) -> None:
    site = """
        auth_request /auth; auth_request_set $who $uri-$args;
        add_header X-Who $who;
        location = /auth { return 200; }
    """
    assert ask(tmp_path, site).fields["x-who"] == "/auth-"


def test_a_cycle(tmp_path: Path) -> None:
    assert ask(tmp_path, "auth_request /auth;").status == 500


def test_the_challenge_is_passed_on(tmp_path: Path) -> None:
    site = """
        auth_request /auth;
        location = /auth { error_page 401 /401; return 401; }
        location = /401 { auth_basic realm; auth_basic_user_file none; return 401; }
    """
    assert ask(tmp_path, site).status == 401


def test_levels_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upwire.proxy.subrequest.LEVELS_MAX", 0)
    assert ask(tmp_path, "auth_request /auth; location = /auth { return 200; }").status == 500
