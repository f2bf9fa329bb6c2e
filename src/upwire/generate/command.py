"""Runs `upwire config`."""

from __future__ import annotations

import os
import sys

from upwire.conf.generate import (
    Deployment,
    compose_yaml,
    ingress_yaml,
    nginx_conf,
    site_conf,
    systemd_unit,
)
from upwire.errors import LocalProtocolError
from upwire.generate.existing import mended
from upwire.generate.options import ConfigOptions, describe


def main(options: ConfigOptions) -> int:
    """Print or write what is asked for; returns 0.

    Raises LocalProtocolError for values that cannot be, and for a file that cannot be written.
    """
    if options.source is not None:
        octets = mended(options.source, nginx=options.nginx)
    else:
        octets = _new_text(options).encode()
    if options.output is None:
        _print(octets)
    else:
        _write(options.output, octets, may_overwrite=options.force)
    return 0


def _new_text(options: ConfigOptions) -> str:
    try:
        return _generate(options, describe(options))
    except ValueError as error:
        raise LocalProtocolError(str(error)) from None


def _generate(options: ConfigOptions, deployment: Deployment) -> str:
    if options.docker_compose:
        return compose_yaml(deployment)
    if options.kubernetes:
        return ingress_yaml(deployment)
    if options.systemd:
        return systemd_unit(deployment)
    return site_conf(deployment) if options.site else nginx_conf(deployment)


def _print(octets: bytes) -> None:
    """Write to standard output as it is: what an existing file has may be no UTF-8."""
    sys.stdout.flush()
    sys.stdout.buffer.write(octets)
    sys.stdout.buffer.flush()


def _write(path: str, octets: bytes, *, may_overwrite: bool) -> None:
    """Write a file; what is there stays unless it may be overwritten."""
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if may_overwrite else os.O_EXCL)
    try:
        with open(os.open(path, flags, 0o644), "wb") as file:
            file.write(octets)
    except FileExistsError:
        raise LocalProtocolError(f"{path} is there already; --force overwrites it") from None
    except OSError as error:
        raise LocalProtocolError(f"{path} cannot be written: {error.strerror}") from None
