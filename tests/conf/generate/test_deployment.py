"""What goes together in one deployment."""

from __future__ import annotations

from typing import Any

import pytest

from kit.deployments import CERTIFICATE, ONE, make
from upwire.conf.generate import Deployment
from upwire.conf.generate.values import Backend, Listen

NAME = Backend("chat", 8080)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"hosts": ()}, "a host is missing"),
        ({"backends": ()}, "a backend is missing"),
        ({"hosts": ("a.example", "a.example")}, "a host is named twice"),
        ({"backends": (ONE, ONE)}, "a backend is named twice"),
        ({"version": (1, 19, 999)}, "nginx before 1.20 is too old"),
        ({"static": "/srv", "path": "/"}, "static files need WebSockets at a path of their own"),
        ({"has_hsts": True}, "need a certificate"),
        ({"acme_root": "/srv"}, "need a certificate"),
        (
            {"acme_root": "/srv", "certificate": CERTIFICATE, "listen": Listen("", 8443)},
            "ACME asks on port 80",
        ),
        (
            {"acme_root": "/srv", "certificate": CERTIFICATE, "hosts": ("*.example.com",)},
            "no certificate for a wildcard",
        ),
        ({"resolver": "127.0.0.53", "version": (1, 31, 5)}, "for backends with names"),
        ({"resolver": "127.0.0.53", "backends": (NAME,)}, "from nginx 1.27.3 on"),
        (
            {"resolver": "127.0.0.53", "backends": (NAME,), "version": (1, 27, 2)},
            "from nginx 1.27.3 on",
        ),
        ({"is_ipv6": True, "listen": Listen("127.0.0.1", 80)}, "IPv6 beside IPv4"),
    ],
)
def test_what_does_not_go_together(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**given)


def test_what_does() -> None:
    make(acme_root="/srv", certificate=CERTIFICATE, has_hsts=True)
    make(resolver="127.0.0.53", backends=(ONE, NAME), version=(1, 27, 3))
    make(is_ipv6=True, listen=Listen("", 8080))


@pytest.mark.parametrize(
    ("deployment", "port", "redirects", "is_usual"),
    [
        (make(), 80, False, True),
        (make(certificate=CERTIFICATE), 443, True, True),
        (make(listen=Listen("", 8080)), 8080, False, False),
        (make(listen=Listen("", 443)), 443, False, False),
        (make(certificate=CERTIFICATE, listen=Listen("", 8443)), 8443, False, False),
        (make(certificate=CERTIFICATE, listen=Listen("127.0.0.1", 443)), 443, True, True),
    ],
)
def test_ports(deployment: Deployment, port: int, redirects: bool, is_usual: bool) -> None:
    assert deployment.port == port
    assert deployment.redirects is redirects
    assert deployment.is_usual_port is is_usual


def test_the_slug_is_a_short_word_of_its_own() -> None:
    assert make().slug == "chat_example_com"
    assert make(hosts=("*.x-y.example",)).slug == "__x_y_example"
    long = [make(hosts=(f"{letter}.a-very-long-name.example.com",)).slug for letter in "ab"]
    assert [len(slug) for slug in long] == [24, 24]
    assert long[0][2:] != long[1][2:]
