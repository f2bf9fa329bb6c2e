"""What a try that failed is called in the log."""

from __future__ import annotations

import socket

import pytest

from upwire.errors import ConnectError
from upwire.proxy.failure import not_connected


@pytest.mark.parametrize(
    ("cause", "phase", "message"),
    [
        (
            ConnectionRefusedError(111, "Connection refused"),
            "connecting",
            "connect() failed (111: Connection refused) while connecting to upstream",
        ),
        (
            socket.gaierror(-2, "Name or service not known"),
            "resolving",
            "resolving backend:80: Name or service not known while connecting to upstream",
        ),
    ],
)
def test_why_there_is_no_connection(cause: OSError, phase: str, message: str) -> None:
    error = ConnectError(f"{phase} backend:80: {cause.strerror}", phase=phase, address="backend:80")
    error.__cause__ = cause
    assert not_connected(error).message == message
