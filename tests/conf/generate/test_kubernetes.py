"""The manifests, as a reader of YAML gets them."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from kit.deployments import CERTIFICATE, ONE, TWO, make
from upwire.conf.generate import Deployment, ingress_yaml
from upwire.conf.generate.values import Backend, Listen, Rate

CHAT = Backend("chat", 8080)
PREFIX = "nginx.ingress.kubernetes.io/"


def read(deployment: Deployment) -> list[Any]:
    """Return the manifests; Any: what YAML holds."""
    return list(yaml.safe_load_all(ingress_yaml(deployment)))


def settings(deployment: Deployment) -> dict[str, str]:
    found: dict[str, str] = read(deployment)[0]["metadata"]["annotations"]
    return {name.removeprefix(PREFIX): value for name, value in found.items()}


def test_a_service_of_the_namespace_is_all_that_an_ingress_needs() -> None:
    (ingress,) = read(make(backends=(CHAT,), hosts=("a.example", "*.b.example")))
    assert (ingress["apiVersion"], ingress["kind"]) == ("networking.k8s.io/v1", "Ingress")
    assert ingress["metadata"]["name"] == "ws-a-example"
    assert ingress["spec"]["ingressClassName"] == "nginx"
    assert "tls" not in ingress["spec"]
    backend = {"service": {"name": "chat", "port": {"number": 8080}}}
    assert ingress["spec"]["rules"] == [
        {
            "host": host,
            "http": {"paths": [{"path": "/ws", "pathType": "Prefix", "backend": backend}]},
        }
        for host in ("a.example", "*.b.example")
    ]


def test_every_annotation_is_a_string_as_kubernetes_wants_it() -> None:
    assert settings(make(backends=(CHAT,), idle_s=7200)) == {
        "proxy-read-timeout": "7200",
        "proxy-connect-timeout": "5",
    }
    found = settings(
        make(backends=(CHAT,), certificate=CERTIFICATE, is_sticky=True, rate=Rate(30, "m"))
    )
    assert found == {
        "proxy-read-timeout": "3600",
        "proxy-connect-timeout": "5",
        "force-ssl-redirect": "true",
        "affinity": "cookie",
        "affinity-mode": "persistent",
        "session-cookie-name": "ws_route",
        "limit-rpm": "30",
        "limit-burst-multiplier": "10",
    }
    assert settings(make(backends=(CHAT,), rate=Rate(5, "s")))["limit-rps"] == "5"


def test_a_certificate_is_a_secret_with_the_command_that_makes_it() -> None:
    deployment = make(backends=(CHAT,), certificate=CERTIFICATE)
    (ingress,) = read(deployment)
    secret = "ws-chat-example-com-tls"
    assert ingress["spec"]["tls"] == [{"hosts": ["chat.example.com"], "secretName": secret}]
    assert (
        f"# kubectl create secret tls {secret} --cert='/srv/my site/chat.crt' "
        "--key='/srv/my site/chat.key'\n"
    ) in ingress_yaml(deployment)


def test_a_name_elsewhere_gets_a_service() -> None:
    ingress, service = read(make(backends=(Backend("chat.example.net", 8080),)))
    assert service["kind"] == "Service"
    assert service["spec"] == {
        "type": "ExternalName",
        "externalName": "chat.example.net",
        "ports": [{"name": "http", "port": 8080}],
    }
    (path,) = ingress["spec"]["rules"][0]["http"]["paths"]
    assert path["backend"]["service"]["name"] == service["metadata"]["name"]


def test_addresses_get_a_service_with_a_slice_each() -> None:
    _, service, *slices = read(make(backends=(TWO, Backend("2001:db8::1", 8081))))
    name = service["metadata"]["name"]
    assert service["spec"] == {"ports": [{"name": "http", "port": 8080}]}
    assert [one["addressType"] for one in slices] == ["IPv4", "IPv6"]
    assert [one["ports"] for one in slices] == [
        [{"name": "http", "port": 8080}],
        [{"name": "http", "port": 8081}],
    ]
    assert [one["endpoints"] for one in slices] == [
        [{"addresses": ["10.0.0.2"]}],
        [{"addresses": ["2001:db8::1"]}],
    ]
    for number, one in enumerate(slices, 1):
        assert one["metadata"] == {
            "name": f"{name}-{number}",
            "labels": {"kubernetes.io/service-name": name},
        }


@pytest.mark.parametrize(
    ("deployment", "message"),
    [
        (make(backends=(CHAT,), is_for_upwire=True), "`upwire proxy` an Ingress"),
        (make(backends=(CHAT,), origins=("https://a",)), "origins: let the application"),
        (make(backends=(CHAT,), static="/srv"), "files of a site"),
        (make(backends=(CHAT,), listen=Listen("", 8080)), "a port or address"),
        (make(backends=(CHAT,), is_ipv6=True), "IPv6 of its own"),
        (make(backends=(CHAT,), certificate=CERTIFICATE, has_hsts=True), "HSTS"),
        (make(backends=(CHAT,), certificate=CERTIFICATE, acme_root="/a"), "cert-manager"),
        (make(backends=(CHAT,), version=(1, 31, 5), resolver="127.0.0.53"), "a resolver"),
        (make(backends=(ONE,)), "cannot be reached from a pod"),
        (make(backends=(Backend(socket="/run/a"),)), "cannot be reached from a pod"),
        (make(backends=(CHAT, TWO)), "several backends are several addresses"),
        (make(backends=(CHAT, Backend("b", 1))), "several backends are several addresses"),
    ],
)
def test_what_an_ingress_has_no_place_for(deployment: Deployment, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ingress_yaml(deployment)
