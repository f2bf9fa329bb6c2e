"""Who the workers are to be."""

from __future__ import annotations

import grp
import os
import pwd
import subprocess
import sys

import pytest

from upwire.conf.syntax import Directive, parse
from upwire.errors import ConfigError
from upwire.proxy.privileges import Credentials, find_credentials, useless_user


def user(text: str) -> Directive:
    (directive,) = parse(f"user {text};").directives
    return directive


@pytest.fixture
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)


@pytest.mark.usefixtures("as_root")
def test_a_user_has_the_group_of_its_name_or_another() -> None:
    assert find_credentials(user("root")) == Credentials("root", 0, 0)
    daemon = pwd.getpwnam("daemon").pw_uid
    group = grp.getgrnam("daemon").gr_gid
    assert find_credentials(user("daemon")) == Credentials("daemon", daemon, group)
    assert find_credentials(user("daemon root")) == Credentials("daemon", daemon, 0)
    assert useless_user(user("daemon")) == []


@pytest.mark.usefixtures("as_root")
def test_root_becomes_nobody_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = find_credentials(None)
    assert credentials is not None
    assert credentials.user_id == pwd.getpwnam("nobody").pw_uid

    def find_no_group(name: str) -> grp.struct_group:
        raise KeyError(name)

    monkeypatch.setattr(grp, "getgrnam", find_no_group)
    credentials = find_credentials(None)
    assert credentials is not None
    assert credentials.group_id == pwd.getpwnam("nobody").pw_gid

    def find_nobody(name: str) -> pwd.struct_passwd:
        raise KeyError(name)

    monkeypatch.setattr(pwd, "getpwnam", find_nobody)
    with pytest.raises(ConfigError, match=r'^getpwnam\("nobody"\) failed$'):
        find_credentials(None)


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize(
    ("text", "message"),
    [("nosuch", 'getpwnam("nosuch") failed'), ("root nosuch", 'getgrnam("nosuch") failed')],
)
def test_who_is_not_there(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find_credentials(user(text))
    (problem,) = caught.value.problems
    assert (problem.message, problem.line) == (message, 1)


def test_only_root_has_a_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert find_credentials(user("daemon")) is None
    assert useless_user(None) == []
    (problem,) = useless_user(user("daemon"))
    assert problem.severity == "warn"
    assert problem.message.startswith('the "user" directive makes sense only if ')


def test_a_user_is_assumed_with_its_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[object, ...]] = []
    monkeypatch.setattr(os, "setgid", lambda group: calls.append(("setgid", group)))
    monkeypatch.setattr(os, "initgroups", lambda *given: calls.append(("initgroups", *given)))
    monkeypatch.setattr(os, "setuid", lambda user: calls.append(("setuid", user)))
    Credentials("one", 2, 3).assume()
    assert calls == [("setgid", 3), ("initgroups", "one", 3), ("setuid", 2)]


_WITHOUT_PYTHON_S_FILES = """
import asyncio, sys
import dns.message, dns.rrset
import upwire.proxy.worker

class NothingIsReadable:
    def find_spec(self, name, *rest):
        raise ModuleNotFoundError(name)

sys.meta_path.insert(0, NothingIsReadable())
assert asyncio.run(asyncio.to_thread(str, 1)) == "1"
for encoding in "ascii", "idna", "latin-1":
    open("/dev/null", encoding=encoding).close()
query = dns.message.make_query("a.test", "A")
answer = dns.message.make_response(query)
for kind, text in ("A", "127.0.0.1"), ("AAAA", "::1"), ("CNAME", "b.test."), ("SRV", "1 2 3 b."):
    answer.answer.append(dns.rrset.from_text("a.test.", 5, "IN", kind, text))
for rrset in dns.message.from_wire(answer.to_wire()).answer:
    assert type(rrset[0]).__name__ != "GenericRdata", rrset
"""


def test_a_worker_that_cannot_read_root_s_python_hashes_and_resolves() -> None:
    subprocess.run([sys.executable, "-c", _WITHOUT_PYTHON_S_FILES], check=True, timeout=30)
