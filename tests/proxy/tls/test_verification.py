from __future__ import annotations

import pytest

from kit.tls_files import make_authority, make_self_signed, server_connection
from upwire.proxy.tls.verification import Verification, has_name, note, verify_again

AUTHORITY = make_authority()


@pytest.mark.parametrize(
    ("names", "asked", "fits"),
    [
        (["a.test"], "A.TEST", True),
        (["a.test"], "cn", False),
        ([], "cn", True),
        ([], "", False),
        (["*.a.test"], "x.a.test", True),
        (["*.a.test"], "a.test", False),
        (["*.a.test"], "x.y.a.test", False),
        (["*.a.test"], ".a.test", False),
        (["*.test"], "a.test", False),
        (["x*.a.test"], "xy.a.test", False),
    ],
)
def test_names(names: list[str], asked: str, fits: bool) -> None:
    assert has_name(AUTHORITY.issue("cn", names).certificate, asked) is fits


def test_errors_in_words() -> None:
    assert (Verification(10).text, Verification(10).is_unknown_authority) == (
        "certificate has expired",
        False,
    )
    assert (Verification(20).is_unknown_authority, Verification(4711).text) == (
        True,
        "error number 4711",
    )


def test_the_last_error_counts_and_nothing_fails() -> None:
    connection = server_connection(make_self_signed("a"))
    certificate = connection.get_certificate()
    assert certificate is not None
    assert note(connection, certificate, 18, 0, 0)
    verification = Verification()
    connection.set_app_data(verification)
    for error, is_right in ((20, 0), (21, 0), (0, 1)):
        assert note(connection, certificate, error, 0, is_right)
    assert verification.error == 21


def test_who_shows_no_certificate_is_not_verified() -> None:
    connection = server_connection(make_self_signed("a"))
    assert verify_again(connection.get_context(), connection) == 0
