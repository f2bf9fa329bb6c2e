"""A unit of systemd that runs nginx, or `upwire proxy`, with a generated configuration."""

from __future__ import annotations

from upwire.conf.generate.deployment import Deployment

_UNIT = """\
# {name} for {hosts}, with the configuration that `upwire config` writes to
# {conf}. Belongs into /etc/systemd/system/{unit}.
# Reload, do not restart: `systemctl reload` keeps open tunnels, a restart cuts them all.
[Unit]
Description={name} for {hosts}
Documentation=https://nginx.org/en/docs/
After=network-online.target nss-lookup.target
Wants=network-online.target

[Service]
Type=exec
# A configuration with faults is not started.
ExecStartPre={check}
ExecStart={start}
ExecReload={check}
ExecReload=/bin/kill -s HUP $MAINPID
# QUIT ends requests in peace; tunnels that are left after TimeoutStopSec are cut.
KillSignal=SIGQUIT
KillMode=mixed
TimeoutStopSec=10
Restart=on-failure
# Two descriptors a tunnel, in each worker (F71).
LimitNOFILE=20000
PrivateTmp=true

[Install]
WantedBy=multi-user.target
"""


def systemd_unit(deployment: Deployment, program: str = "") -> str:
    """Return the unit. program: the path of nginx or upwire, where it is not the usual one."""
    if deployment.is_for_upwire:
        program = program or "/usr/local/bin/upwire"
        conf, name = "/etc/upwire/nginx.conf", "Upwire"
        check, start = f"{program} proxy -t -q -c {conf}", f"{program} proxy -c {conf}"
    else:
        program = program or "/usr/sbin/nginx"
        conf, name = "/etc/nginx/nginx.conf", "nginx"
        check, start = f"{program} -t -q -c {conf}", f"{program} -c {conf} -g 'daemon off;'"
    return _UNIT.format(
        name=name,
        unit=f"{name.lower()}.service",
        hosts=", ".join(deployment.hosts),
        conf=conf,
        check=check,
        start=start,
    )
