"""Builds models from the piece of a configuration that a test is about."""

from __future__ import annotations

from upwire.conf.model import Config, Location, build
from upwire.conf.model.build import NGINX_VERSION
from upwire.conf.syntax import parse
from upwire.errors import ConfigError


def http(text: str, *, version: tuple[int, int, int] = NGINX_VERSION) -> Config:
    """Return the model of what stands inside an http block."""
    return build(parse(f"events {{}}\nhttp {{\n{text}\n}}\n"), version=version)


def location(text: str) -> Location:
    """Return the one location of a server that holds text."""
    (found,) = http(f"server {{ location / {{\n{text}\n}} }}").servers[0].locations
    return found


def faults(text: str) -> list[str]:
    """Return the messages of all that is wrong inside an http block."""
    try:
        return [problem.message for problem in http(text).warnings]
    except ConfigError as error:
        return [problem.message for problem in error.problems]
