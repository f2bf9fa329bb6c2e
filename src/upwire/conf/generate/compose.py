"""A file for `docker compose` that runs nginx with the configuration inside."""

from __future__ import annotations

import dataclasses
import posixpath
from collections.abc import Iterator

from upwire.conf.generate.deployment import RESOLVE_SINCE, Deployment
from upwire.conf.generate.lines import wrap_comment
from upwire.conf.generate.nginx import nginx_conf
from upwire.conf.generate.values import Listen
from upwire.conf.generate.yaml import literal, quoted

_FILES = 20_000
_DOCKERS_RESOLVER = "127.0.0.11"
_CERTIFICATES = "/etc/letsencrypt"


def compose_yaml(deployment: Deployment) -> str:
    """Return the file; raises ValueError for what no container of nginx can do."""
    if deployment.is_for_upwire:
        raise ValueError("there is no image of Upwire to run in Docker")
    inside = deployment if _is_on_host(deployment) else _in_network(deployment)
    conf = nginx_conf(inside).replace("$", "$$")  # a lone one is a variable of Compose
    return "\n".join([*_service(deployment), *_configs(), *literal(conf, " " * 6), ""])


def _service(deployment: Deployment) -> Iterator[str]:
    yield from wrap_comment(
        f"nginx for {deployment.hosts[0]}. `docker compose up -d` starts it. For backends that are "
        "services of another file, name both: `docker compose -f compose.yaml -f FILE up -d`."
    )
    yield "services:"
    yield "  nginx:"
    yield f"    image: {quoted(f'nginx:{_tag(deployment)}')}"
    yield "    restart: unless-stopped"
    yield from _network(deployment)
    yield "    ulimits:"
    yield "      # Two descriptors a tunnel, in each worker (F71)."
    yield f"      nofile: {_FILES}"
    yield "    configs:"
    yield "      - source: nginx_conf"
    yield "        target: /etc/nginx/nginx.conf"
    yield from _volumes(deployment)


def _configs() -> Iterator[str]:
    yield ""
    yield "configs:"
    yield "  nginx_conf:"
    yield from wrap_comment("Needs Compose 2.23.1. $$ is one $ for nginx.", " " * 4)
    yield "    content: |"


def _tag(deployment: Deployment) -> str:
    version = deployment.version
    return f"{version[0]}.{version[1]}" if version is not None else "stable"


def _is_on_host(deployment: Deployment) -> bool:
    """Whether a backend is on the machine itself, which a container's 127.0.0.1 is not."""
    return any(one.ip is not None and one.ip.is_loopback for one in deployment.backends)


def _network(deployment: Deployment) -> Iterator[str]:
    if _is_on_host(deployment):
        yield "    # 127.0.0.1 is to be the machine's, not the container's. Linux only."
        yield "    network_mode: host"
        return
    where = f"{deployment.address}:" if deployment.address else ""
    yield "    ports:"
    if deployment.redirects:
        yield f"      - {quoted(f'{where}80:80')}"
    yield f"      - {quoted(f'{where}{deployment.port}:{deployment.port}')}"


def _in_network(deployment: Deployment) -> Deployment:
    """Return it as it is inside the container: on all addresses, and asking Docker for names."""
    listen = deployment.listen
    if listen is not None:
        listen = Listen("", listen.port)
    resolver = deployment.resolver
    has_names = any(one.is_name for one in deployment.backends)
    if resolver is None and has_names and deployment.is_since(RESOLVE_SINCE):
        resolver = _DOCKERS_RESOLVER
    return dataclasses.replace(deployment, listen=listen, resolver=resolver)


def _volumes(deployment: Deployment) -> Iterator[str]:
    paths = list(dict.fromkeys(_paths(deployment)))
    if not paths:
        return
    yield "    volumes:"
    for path in paths:
        yield "      - type: bind"
        yield f"        source: {quoted(path)}"
        yield f"        target: {quoted(path)}"
        yield "        read_only: true"


def _paths(deployment: Deployment) -> Iterator[str]:
    """Yield what the container has to see, each at the same path as outside."""
    if deployment.acme_root is not None:
        yield _CERTIFICATES  # whole: what is in live/ leads to archive/
        yield deployment.acme_root
    if deployment.certificate is not None:
        for path in (deployment.certificate.chain, deployment.certificate.key):
            if not (deployment.acme_root and path.startswith(f"{_CERTIFICATES}/")):
                yield path
    if deployment.static is not None:
        yield deployment.static
    for backend in deployment.backends:
        if backend.socket:
            yield posixpath.dirname(backend.socket)
