"""The hosts of `set_real_ip_from`, which are looked up once, when a configuration is put in use."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Sequence

from upwire.conf.cidr import Cidr
from upwire.conf.model import LocationSettings
from upwire.errors import ConfigError, Problem


def resolve_trusted(
    levels: Iterable[LocationSettings], resolve: Callable[[str], Sequence[str]]
) -> dict[str, tuple[Cidr, ...]]:
    """Return the addresses of each host that is trusted; raises ConfigError for those without."""
    hosts = {host for level in levels if level.real_ip for host in level.real_ip.hosts}
    found: dict[str, tuple[Cidr, ...]] = {}
    problems: list[Problem] = []
    for host in sorted(hosts, key=lambda one: one.position.order):
        try:
            addresses = resolve(host.name)
        except OSError:
            place = host.position
            message = f'host not found in set_real_ip_from "{host.name}"'
            mend = f"--add-host {host.name}=ADDRESS makes the name known"
            problems.append(Problem(message, place.file, place.line, place.column, mend=mend))
        else:
            found[host.name] = tuple(Cidr(ipaddress.ip_network(one)) for one in addresses)
    if problems:
        raise ConfigError(problems)
    return found
