"""allow, deny, auth_basic and set_real_ip_from."""

from __future__ import annotations

import pytest

from kit.conf_text import faults, http, location
from upwire.conf.cidr import parse_cidr
from upwire.conf.model import AccessRule


def test_rules_keep_their_order() -> None:
    found = location("deny 10.0.0.1; allow 10.0.0.0/8; deny all;").settings.access
    assert found == (
        AccessRule(False, parse_cidr("10.0.0.1")[0]),
        AccessRule(True, parse_cidr("10.0.0.0/8")[0]),
        AccessRule(False, None),
    )


def test_an_own_rule_of_either_kind_hides_those_above() -> None:
    server = http("allow all; server { deny all; location / { allow unix:; } }").servers[0]
    assert [rule.is_allowed for rule in server.settings.access] == [False]
    assert server.locations[0].settings.access == (AccessRule(True, parse_cidr("unix:")[0]),)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("allow 10.0.0.300;", 'invalid parameter "10.0.0.300"'),
        ("deny ALL;", 'invalid parameter "ALL"'),
        ("allow 10.0.0.1/8;", "low address bits of 10.0.0.1/8 are meaningless"),
        ("set_real_ip_from 10.0.0.0/99;", 'host not found in set_real_ip_from "10.0.0.0/99"'),
        ("set_real_ip_from 10.0.0.300;", 'host not found in set_real_ip_from "10.0.0.300"'),
    ],
)
def test_faults(line: str, message: str) -> None:
    assert faults(line) == [message]


def test_a_realm_without_a_file_asks_for_nothing() -> None:
    assert location('auth_basic "realm";').settings.auth_basic is None
    assert location("auth_basic_user_file f;").settings.auth_basic is None
    both = location('auth_basic "$host"; auth_basic_user_file f;').settings.auth_basic
    assert both is not None
    assert (both.realm.text, both.user_file.text) == ("$host", "f")


def test_real_ip() -> None:
    assert location("real_ip_header X;").settings.real_ip is None
    found = location("set_real_ip_from unix:; real_ip_recursive on;").settings.real_ip
    assert found is not None
    assert (found.header, found.recursive) == ("X-Real-IP", True)
    assert found.trusted == (parse_cidr("unix:")[0],)
    assert found.hosts == ()
    named = location("set_real_ip_from unix:; set_real_ip_from a1.test;").settings.real_ip
    assert named is not None
    assert named.trusted == (parse_cidr("unix:")[0],)
    assert [host.name for host in named.hosts] == ["a1.test"]
