"""The options of `upwire config`."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, fields

from upwire.conf.directives import Version
from upwire.conf.generate import Certificate, Deployment
from upwire.conf.generate.values import (
    parse_backend,
    parse_file,
    parse_host,
    parse_idle,
    parse_listen,
    parse_origin,
    parse_path,
    parse_rate,
    parse_resolver,
)
from upwire.proxy.load import parse_version

_CERTBOT_FOLDER = "/etc/letsencrypt/live"
_BESIDE_FROM = ("source", "nginx", "output", "force")
_ACME_NEEDS_HOST = "a host is missing, such as chat.example.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigOptions:
    """What `upwire config` can be told."""

    host: tuple[str, ...] = field(
        default=(), metadata={"metavar": "NAME", "help": "the site's name; may be repeated"}
    )
    backend: tuple[str, ...] = field(
        default=(),
        metadata={
            "flags": ("--backend", "--backends"),
            "metavar": "HOST:PORT",
            "nargs": "+",
            "help": "where WebSockets are answered; unix:/PATH for a socket",
        },
    )
    path: str = field(default="/", metadata={"help": "the path of the WebSockets, such as /ws"})
    tls: tuple[str, ...] = field(
        default=(),
        metadata={
            "metavar": ("CERT", "KEY"),
            "nargs": 2,
            "help": "speak TLS with the certificate chain and key of these files",
        },
    )
    acme: str | None = field(
        default=None,
        metadata={
            "metavar": "WEBROOT",
            "help": "speak TLS with certbot's certificate, and answer its challenges from there",
        },
    )
    hsts: bool = field(
        default=False, metadata={"help": "tell browsers to use nothing but TLS for a year"}
    )
    sticky: bool = field(
        default=False, metadata={"help": "a client comes back to the backend that it had"}
    )
    idle: str = field(
        default="1h", metadata={"metavar": "TIME", "help": "how long a WebSocket may be silent"}
    )
    static: str | None = field(
        default=None, metadata={"metavar": "DIR", "help": "the folder of the site's files"}
    )
    rate: str | None = field(
        default=None,
        metadata={"metavar": "N[r/s]", "help": "handshakes of one address, such as 5r/s or 30r/m"},
    )
    origin: tuple[str, ...] = field(
        default=(),
        metadata={"help": "let only pages of this origin open WebSockets; may be repeated"},
    )
    listen: str | None = field(
        default=None,
        metadata={"metavar": "[ADDRESS:]PORT", "help": "in place of 80, or of 443 with TLS"},
    )
    ipv6: bool = field(default=False, metadata={"help": "listen on IPv6 as well"})
    resolver: str | None = field(
        default=None,
        metadata={
            "metavar": "ADDRESS",
            "help": "the name server to ask for backends while nginx runs (nginx 1.27.3)",
        },
    )
    nginx: str | None = field(
        default=None,
        metadata={
            "metavar": "VERSION",
            "help": "write for that nginx, such as 1.22; otherwise for any since 1.20",
        },
    )
    proxy: bool = field(default=False, metadata={"help": "write for `upwire proxy`"})
    site: bool = field(
        default=False, metadata={"help": "only what belongs into conf.d or sites-available"}
    )
    docker_compose: bool = field(
        default=False, metadata={"help": "a compose.yaml with the configuration inside"}
    )
    systemd: bool = field(default=False, metadata={"help": "the unit that runs it"})
    kubernetes: bool = field(default=False, metadata={"help": "an Ingress for ingress-nginx"})
    source: str | None = field(
        default=None,
        metadata={
            "flags": ("--from",),
            "metavar": "FILE",
            "help": "an existing configuration, with what `upwire check --fix` mends",
        },
    )
    output: str | None = field(
        default=None,
        metadata={
            "flags": ("-o", "--output"),
            "metavar": "FILE",
            "help": "write there, and not to standard output",
        },
    )
    force: bool = field(default=False, metadata={"help": "overwrite what is there"})

    def __post_init__(self) -> None:
        """Raise ValueError for what cannot be meant together."""
        kinds = (self.site, self.docker_compose, self.systemd, self.kubernetes)
        if sum(kinds) > 1:
            raise ValueError("only one of --site, --docker-compose, --systemd, --kubernetes")
        if self.tls and self.acme is not None:
            raise ValueError("--tls and --acme exclude each other")
        if len(self.tls) > 2:
            raise ValueError("--tls is given twice")
        if self.force and self.output is None:
            raise ValueError("--force is for --output")
        if self.source is not None and self._describes_something():
            raise ValueError("--from takes all from the file, but for --nginx, -o and --force")

    def _describes_something(self) -> bool:
        """Whether a site of its own is asked for."""
        return any(
            getattr(self, field.name) != field.default
            for field in fields(self)
            if field.name not in _BESIDE_FROM
        )


def describe(options: ConfigOptions) -> Deployment:
    """Return what is asked for; raises ValueError for what cannot be, in one line."""
    hosts = tuple(map(parse_host, options.host))
    return Deployment(
        hosts=hosts,
        backends=tuple(map(parse_backend, options.backend)),
        path=parse_path(options.path),
        certificate=_certificate(options, hosts),
        acme_root=_file(options.acme, "webroot"),
        is_sticky=options.sticky,
        version=_version(options.nginx),
        is_for_upwire=options.proxy,
        idle_s=parse_idle(options.idle),
        rate=None if options.rate is None else parse_rate(options.rate),
        origins=tuple(map(parse_origin, options.origin)),
        static=_file(options.static, "folder"),
        listen=None if options.listen is None else parse_listen(options.listen),
        is_ipv6=options.ipv6,
        has_hsts=options.hsts,
        resolver=None if options.resolver is None else parse_resolver(options.resolver),
    )


def _version(text: str | None) -> Version | None:
    try:
        return None if text is None else parse_version(text)
    except ValueError:
        raise ValueError(f"nginx {json.dumps(text)} is no version such as 1.22") from None


def _certificate(options: ConfigOptions, hosts: tuple[str, ...]) -> Certificate | None:
    """Return the files of --tls, which have to be there, or where certbot will put them."""
    if options.acme is not None:
        if not hosts:
            raise ValueError(_ACME_NEEDS_HOST)
        folder = f"{_CERTBOT_FOLDER}/{hosts[0]}"
        return Certificate(f"{folder}/fullchain.pem", f"{folder}/privkey.pem")
    if not options.tls:
        return None
    chain, key = (
        parse_file(os.path.abspath(path), what)
        for path, what in zip(options.tls, ("certificate", "key"), strict=True)
    )
    for path in (chain, key):
        if not os.path.isfile(path):
            raise ValueError(f"{path} is not there, and nginx does not start without it")
    return Certificate(chain, key)


def _file(path: str | None, what: str) -> str | None:
    return None if path is None else parse_file(os.path.abspath(path), what)
