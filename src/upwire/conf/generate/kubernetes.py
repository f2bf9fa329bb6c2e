"""An Ingress for ingress-nginx, with the Service that it leads to where that is no pod's.

The annotations: https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from upwire.conf.generate.deployment import Deployment
from upwire.conf.generate.lines import wrap_comment
from upwire.conf.generate.values import Backend
from upwire.conf.generate.yaml import quoted

_PREFIX = "nginx.ingress.kubernetes.io"


def ingress_yaml(deployment: Deployment) -> str:
    """Return the manifests; raises ValueError for what ingress-nginx has no place for."""
    _refuse_misfits(deployment)
    lines = [*_intent(deployment), *_ingress(deployment)]
    if not _is_service(deployment):
        lines += _service(deployment)
    return "\n".join([*lines, ""])


def _refuse_misfits(deployment: Deployment) -> None:
    for is_asked, what in (
        (deployment.is_for_upwire, "`upwire proxy`"),
        (bool(deployment.origins), "origins: let the application check them, as"),
        (deployment.static is not None, "files of a site"),
        (deployment.listen is not None, "a port or address of its own"),
        (deployment.is_ipv6, "IPv6 of its own"),
        (deployment.has_hsts, "HSTS: its ConfigMap turns it on for all sites, and"),
        (deployment.acme_root is not None, "ACME: cert-manager does it, as"),
        (deployment.resolver is not None, "a resolver of its own"),
    ):
        if is_asked:
            raise ValueError(f"{what} an Ingress has no place for")
    for backend in deployment.backends:
        if backend.socket or (backend.ip is not None and backend.ip.is_loopback):
            raise ValueError(f"backend {backend.address} cannot be reached from a pod")
    if len({backend.is_name for backend in deployment.backends}) > 1 or (
        deployment.backends[0].is_name and len(deployment.backends) > 1
    ):
        raise ValueError("several backends are several addresses, or the pods of one Service")


def _intent(deployment: Deployment) -> Iterator[str]:
    yield from wrap_comment(
        f"WebSockets of {', '.join(deployment.hosts)} at {deployment.path} through ingress-nginx, "
        "which passes Upgrade and Connection on by itself. Each of its reloads starts new workers; "
        "the old ones cut their tunnels after worker-shutdown-timeout of its ConfigMap, 240s "
        "unless set (F26)."
    )
    certificate = deployment.certificate
    if certificate is not None:
        yield (
            f"# kubectl create secret tls {_name(deployment)}-tls "
            f"--cert={shlex.quote(certificate.chain)} --key={shlex.quote(certificate.key)}"
        )


def _ingress(deployment: Deployment) -> Iterator[str]:
    yield "apiVersion: networking.k8s.io/v1"
    yield "kind: Ingress"
    yield "metadata:"
    yield f"  name: {quoted(_name(deployment))}"
    yield "  annotations:"
    yield from _annotations(deployment)
    yield "spec:"
    yield "  ingressClassName: nginx"
    if deployment.is_tls:
        yield "  tls:"
        yield f"    - hosts: [{', '.join(map(quoted, deployment.hosts))}]"
        yield f"      secretName: {quoted(f'{_name(deployment)}-tls')}"
    yield "  rules:"
    for host in deployment.hosts:
        yield f"    - host: {quoted(host)}"
        yield "      http:"
        yield "        paths:"
        yield f"          - path: {quoted(deployment.path)}"
        yield "            pathType: Prefix"
        yield "            backend:"
        yield "              service:"
        yield f"                name: {quoted(_service_name(deployment))}"
        yield "                port:"
        yield f"                  number: {deployment.backends[0].port}"


def _annotations(deployment: Deployment) -> Iterator[str]:
    for key, value, reason in _settings(deployment):
        yield from wrap_comment(reason, " " * 4)
        yield f"    {_PREFIX}/{key}: {quoted(value)}"


def _settings(deployment: Deployment) -> Iterator[tuple[str, str, str]]:
    yield (
        "proxy-read-timeout",
        str(deployment.idle_s),
        "Seconds of silence after which a tunnel is cut; 60 unless set (F20). Let the application "
        "ping every 25 s, as load balancers in front cut earlier (F28).",
    )
    yield "proxy-connect-timeout", "5", "Seconds; a pod that is gone is noticed soon."
    if deployment.is_tls:
        yield (
            "force-ssl-redirect",
            "true",
            "Browsers follow this for pages and never for WebSockets: ask for wss:// (F32).",
        )
    if deployment.is_sticky:
        yield "affinity", "cookie", "The same client, the same pod: polling needs it (F73)."
        yield "affinity-mode", "persistent", "Also when pods are added."
        yield "session-cookie-name", "ws_route", "Its name tells what it is for."
    rate = deployment.rate
    if rate is not None:
        yield (
            f"limit-rp{rate.unit}",
            str(rate.count),
            "Requests of one address, each handshake being one; messages are not counted. Answered "
            "503 unless limit-req-status-code of the ConfigMap says 429.",
        )
        yield "limit-burst-multiplier", "10", "All tabs come back at once after a restart (F59)."


def _is_service(deployment: Deployment) -> bool:
    """Whether the backend is a Service of the same namespace already."""
    backend = deployment.backends[0]
    return backend.is_name and "." not in backend.host


def _service_name(deployment: Deployment) -> str:
    return deployment.backends[0].host if _is_service(deployment) else _name(deployment)


def _service(deployment: Deployment) -> Iterator[str]:
    first = deployment.backends[0]
    yield "---"
    yield "apiVersion: v1"
    yield "kind: Service"
    yield "metadata:"
    yield f"  name: {quoted(_name(deployment))}"
    yield "spec:"
    if first.is_name:
        yield "  type: ExternalName"
        yield f"  externalName: {quoted(first.host)}"
    yield "  ports:"
    yield "    - name: http"
    yield f"      port: {first.port}"
    if not first.is_name:
        for number, backend in enumerate(deployment.backends, 1):
            yield from _endpoint(_name(deployment), number, backend)


def _endpoint(name: str, number: int, backend: Backend) -> Iterator[str]:
    yield "---"
    yield "apiVersion: discovery.k8s.io/v1"
    yield "kind: EndpointSlice"
    yield "metadata:"
    yield f"  name: {quoted(f'{name}-{number}')}"
    yield "  labels:"
    yield f"    kubernetes.io/service-name: {quoted(name)}"
    yield f"addressType: IPv{6 if ':' in backend.host else 4}"
    yield "ports:"
    yield "  - name: http"
    yield f"    port: {backend.port}"
    yield "endpoints:"
    yield f"  - addresses: [{quoted(backend.host)}]"


def _name(deployment: Deployment) -> str:
    """Return a name as Kubernetes takes it (RFC 1123 §2.1), a letter first (RFC 1035 §2.3.1)."""
    return f"ws-{deployment.slug.strip('_').replace('_', '-')}"
