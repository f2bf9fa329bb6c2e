"""The generator: a description of a deployment in, right files out."""

from __future__ import annotations

from upwire.conf.generate.compose import compose_yaml
from upwire.conf.generate.deployment import Certificate, Deployment
from upwire.conf.generate.kubernetes import ingress_yaml
from upwire.conf.generate.nginx import nginx_conf, site_conf
from upwire.conf.generate.systemd import systemd_unit

__all__ = [
    "Certificate",
    "Deployment",
    "compose_yaml",
    "ingress_yaml",
    "nginx_conf",
    "site_conf",
    "systemd_unit",
]
