"""A unit of systemd that runs nginx, or `upwire proxy`, with a generated configuration."""

from __future__ import annotations

from upwire.conf.generate.deployment import Deployment

_UNIT = """\
# {name} for {hosts}, with the configuration that `upwire config` writes to
# {conf}. Belongs into /etc/systemd/system/{unit}.
# Reload, do not restart: `systemctl reload` keeps open tunnels, a restart cuts them all.
[Unit]
Description={name} for {hosts}
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


def systemd_unit(deployment: Deployment) -> str:
    """Return the unit. systemd finds the program in /usr/local/bin, /usr/sbin and the like."""
    if deployment.is_for_upwire:
        conf, name = "/etc/upwire/nginx.conf", "Upwire"
        check, start = f"upwire proxy -t -q -c {conf}", f"upwire proxy -c {conf}"
    else:
        conf, name = "/etc/nginx/nginx.conf", "nginx"
        check, start = f"nginx -t -q -c {conf}", f"nginx -c {conf} -g 'daemon off;'"
    return _UNIT.format(
        name=name,
        unit=f"{name.lower()}.service",
        hosts=", ".join(deployment.hosts),
        conf=conf,
        check=check,
        start=start,
    )
