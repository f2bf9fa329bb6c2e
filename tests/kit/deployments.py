"""Deployments that tests generate files for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from upwire.conf.generate import Certificate, Deployment
from upwire.conf.generate.values import Backend

ONE = Backend("127.0.0.1", 8080)
TWO = Backend("10.0.0.2", 8080)
CERTIFICATE = Certificate("/srv/my site/chat.crt", "/srv/my site/chat.key")

_PLAIN = Deployment(hosts=("chat.example.com",), backends=(ONE,), path="/ws")


def make(**given: Any) -> Deployment:  # Any: each field's own type
    """Return a deployment that has what a test is about, and little else."""
    return replace(_PLAIN, **given)
