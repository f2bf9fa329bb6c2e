"""auth_basic: a name and a password."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import pytest

from kit.nginx import Answer
from kit.proxy_site import LISTENING, cycle_of, get

USERS = """# who
#commented:{PLAIN}x
ann:{PLAIN}secret
ann:{PLAIN}second
bob:{PLAIN}b:a note
no
"""


def ask(folder: Path, credentials: str | None, conf: str = "", scheme: str = "Basic") -> Answer:
    async def run() -> Answer:
        text = f'location / {{ auth_basic "the realm"; auth_basic_user_file users; {conf} }}'
        fields = [] if credentials is None else [f"Authorization: {scheme} {credentials}"]
        with cycle_of(LISTENING.format(directives=text), folder) as cycle:
            return await get(cycle, "/", *fields)

    return asyncio.run(run())


def encode(text: str) -> str:
    return base64.b64encode(text.encode("latin-1")).decode()


@pytest.mark.parametrize(
    ("credentials", "status", "logged"),
    [
        (None, 401, "no user/password was provided for basic authentication"),
        ("!", 401, "no user/password"),
        (encode("ann"), 401, "no user/password"),
        (encode(":secret"), 401, "no user/password"),
        (encode("ann:secret"), 404, ""),
        (encode("bob:b").rstrip("="), 404, ""),
        (encode("bob:b") + "===", 404, ""),
        ("YW5uO", 401, "no user/password"),
        (encode("ann:second"), 401, 'user "ann": password mismatch'),
        (encode("bob:b"), 404, ""),
        (encode("eve:x"), 401, 'user "eve" was not found in'),
        (encode("#commented:x"), 401, 'user "#commented" was not found in'),
        (encode("e\r\nvil:x"), 401, "was not found in"),
    ],
)
def test_who_gets_in(credentials: str | None, status: int, logged: str, tmp_path: Path) -> None:
    (tmp_path / "users").write_text(USERS)
    answer = ask(tmp_path, credentials)
    assert answer.status == status
    challenge = answer.fields.get("www-authenticate")
    assert challenge == ('Basic realm="the realm"' if status == 401 else None)
    lines = (tmp_path / "error.log").read_text().splitlines()
    assert logged in "\n".join(lines)
    assert not any(line.startswith("vil") for line in lines)


def test_another_scheme(tmp_path: Path) -> None:
    (tmp_path / "users").write_text(USERS)
    assert ask(tmp_path, encode("ann:secret"), scheme="Bearer").status == 401
    assert ask(tmp_path, encode("ann:secret"), scheme="BASIC").status == 404


def test_a_realm_that_is_off(tmp_path: Path) -> None:
    (tmp_path / "users").write_text(USERS)
    assert ask(tmp_path, None, "location = / { auth_basic off; }").status == 404


def test_a_file_that_is_missing_and_one_that_cannot_be_read(tmp_path: Path) -> None:
    assert ask(tmp_path, encode("ann:secret")).status == 403
    (tmp_path / "users").mkdir()
    assert ask(tmp_path, encode("ann:secret")).status == 500
    log = (tmp_path / "error.log").read_text()
    assert "failed (2: No such file or directory)" in log
    assert "failed (21: Is a directory)" in log
