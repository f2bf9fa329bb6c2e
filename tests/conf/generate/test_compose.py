"""The file for Compose, as a reader of YAML gets it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from kit.deployments import CERTIFICATE, ONE, TWO, make
from upwire.conf.generate import Certificate, Deployment, compose_yaml, nginx_conf
from upwire.conf.generate.values import Backend, Listen

CHAT = Backend("chat", 8080)


def read(deployment: Deployment) -> dict[str, Any]:
    """Return the service; Any: what YAML holds."""
    document = yaml.safe_load(compose_yaml(deployment))
    assert list(document) == ["services", "configs"]
    service: dict[str, Any] = document["services"]["nginx"]
    return service


def conf_inside(deployment: Deployment) -> str:
    """Return the configuration, after Compose's own variables."""
    document = yaml.safe_load(compose_yaml(deployment))
    text: str = document["configs"]["nginx_conf"]["content"]
    assert "$" not in text.replace("$$", "")
    return text.replace("$$", "$")


def test_the_configuration_is_inside() -> None:
    deployment = make(backends=(CHAT,))
    assert conf_inside(deployment) == nginx_conf(deployment)
    service = read(deployment)
    assert service["configs"] == [{"source": "nginx_conf", "target": "/etc/nginx/nginx.conf"}]
    assert service["ulimits"] == {"nofile": 20000}
    assert "volumes" not in service


@pytest.mark.parametrize(
    ("version", "image"), [(None, "nginx:stable"), ((1, 22, 999), "nginx:1.22")]
)
def test_the_image_is_of_the_version(version: tuple[int, int, int] | None, image: str) -> None:
    assert read(make(version=version))["image"] == image


@pytest.mark.parametrize(
    ("deployment", "ports"),
    [
        (make(backends=(TWO,)), ["80:80"]),
        (make(backends=(TWO,), certificate=CERTIFICATE), ["80:80", "443:443"]),
        (make(backends=(TWO,), listen=Listen("127.0.0.1", 8080)), ["127.0.0.1:8080:8080"]),
    ],
)
def test_ports(deployment: Deployment, ports: list[str]) -> None:
    assert read(deployment)["ports"] == ports
    assert "listen 127.0.0.1:" not in conf_inside(deployment)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_backend_on_the_machine_is_reached_over_its_network(host: str) -> None:
    deployment = make(backends=(Backend(host, 1),), listen=Listen("127.0.0.1", 8080))
    service = read(deployment)
    assert service["network_mode"] == "host"
    assert "ports" not in service
    assert "listen 127.0.0.1:8080 " in conf_inside(deployment)


def test_docker_is_asked_for_names_where_nginx_can_ask() -> None:
    new = make(backends=(CHAT,), version=(1, 27, 3))
    assert "resolver 127.0.0.11;" in conf_inside(new)
    old = make(backends=(CHAT,), version=(1, 27, 2))
    assert "resolver" not in conf_inside(old)
    own = make(backends=(CHAT,), version=(1, 27, 3), resolver="10.0.0.53")
    assert "resolver 10.0.0.53;" in conf_inside(own)
    assert "resolver" not in conf_inside(make(backends=(TWO,), version=(1, 27, 3)))


@pytest.mark.parametrize(
    ("deployment", "paths"),
    [
        (make(certificate=CERTIFICATE), ["/srv/my site/chat.crt", "/srv/my site/chat.key"]),
        (make(certificate=Certificate("/srv/both.pem", "/srv/both.pem")), ["/srv/both.pem"]),
        (
            make(
                certificate=Certificate("/etc/letsencrypt/live/a/c", "/etc/letsencrypt/live/a/k"),
                acme_root="/var/acme",
                static="/srv/site",
                backends=(Backend(socket="/run/app/a.sock"), Backend(socket="/run/app/b.sock")),
            ),
            ["/etc/letsencrypt", "/var/acme", "/srv/site", "/run/app"],
        ),
    ],
)
def test_the_container_sees_what_the_configuration_names(
    deployment: Deployment, paths: list[str]
) -> None:
    assert read(deployment)["volumes"] == [
        {"type": "bind", "source": path, "target": path, "read_only": True} for path in paths
    ]


def test_there_is_no_image_of_upwire() -> None:
    with pytest.raises(ValueError, match="no image of Upwire"):
        compose_yaml(make(is_for_upwire=True, backends=(ONE,)))
