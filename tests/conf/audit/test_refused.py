"""nginx's words, and the faults that they are."""

from __future__ import annotations

import pytest

from upwire.conf.audit.refused import fault_of


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        ('unknown "connection_upgrade" variable', "F08"),
        ('unknown "http_upgrad" variable', "F08"),
        ('"map" directive is not allowed here', "F08"),
        ('"proxy_pass" cannot have URI part in location given by regular expression', "F37"),
        ("invalid URL prefix", "F38"),
        ('host not found in upstream "b"', "F40"),
        ('unknown "connection" variable', "F87"),
        ('unknown directive "map_"', "F87"),
    ],
)
def test_a_refusal_has_its_fault(message: str, fault: str) -> None:
    assert fault_of(message) == fault
