"""Hosts that may say who their clients are."""

from __future__ import annotations

import ipaddress

import pytest

from kit.proxy_site import read_conf
from upwire.conf.cidr import Cidr
from upwire.errors import ConfigError
from upwire.proxy.cycle import all_settings
from upwire.proxy.trusted_hosts import resolve_trusted

CONF = """
    server {
        listen 127.0.0.1:80; set_real_ip_from proxy.test; set_real_ip_from 10.0.0.0/8;
        location /a { }
        location /b { set_real_ip_from other.test; set_real_ip_from proxy.test; }
        location /c { }
    }
    server { listen 127.0.0.1:81; }
"""
ADDRESSES = {"proxy.test": ["10.1.2.3", "::1"], "other.test": ["10.3.2.1"]}


def resolve(name: str) -> list[str]:
    if name not in ADDRESSES:
        raise OSError(name)
    return ADDRESSES[name]


def test_each_address_is_trusted() -> None:
    found = resolve_trusted(all_settings(read_conf(CONF)), resolve)
    assert found == {
        name: tuple(Cidr(ipaddress.ip_network(one)) for one in addresses)
        for name, addresses in ADDRESSES.items()
    }


def test_hosts_that_are_not_found() -> None:
    levels = all_settings(read_conf(CONF.replace("other.test", "none.test")))
    with pytest.raises(ConfigError) as caught:
        resolve_trusted(levels, resolve)
    (problem,) = caught.value.problems
    assert problem.message == 'host not found in set_real_ip_from "none.test"'
    assert "--add-host none.test=ADDRESS" in problem.mend
    assert problem.line == 5
