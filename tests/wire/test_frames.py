"""Close payloads, and which codes the wire may carry."""

from __future__ import annotations

import pytest

from upwire.errors import LocalProtocolError, RemoteProtocolError
from upwire.wire.frames import (
    Close,
    CloseCode,
    build_close,
    cut_reason,
    encode_text,
    is_valid_on_wire,
    parse_close,
)

ON_WIRE = [*range(1000, 1004), *range(1007, 1015), 3000, 3999, 4000, 4999]
BARRED = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]


@pytest.mark.parametrize("code", ON_WIRE)
def test_registered_codes_pass_both_ways(code: int) -> None:
    assert is_valid_on_wire(code)
    assert parse_close(build_close(code, "why")) == Close(code, "why")


@pytest.mark.parametrize("code", BARRED)
def test_codes_barred_from_the_wire(code: int) -> None:
    assert not is_valid_on_wire(code)
    with pytest.raises(RemoteProtocolError) as caught:
        parse_close(code.to_bytes(2, "big"))
    assert caught.value.close_code == 1002


@pytest.mark.parametrize("code", [code for code in BARRED if code != 1005])
def test_barred_codes_are_not_sent(code: int) -> None:
    with pytest.raises(LocalProtocolError, match="not for the wire"):
        build_close(code)


def test_an_empty_close_stands_for_1005() -> None:
    assert parse_close(b"") == Close(CloseCode.NO_STATUS_RECEIVED, "")
    assert build_close(1005) == b""
    with pytest.raises(LocalProtocolError, match="needs a close code"):
        build_close(1005, "why")


def test_one_octet_is_no_close_code() -> None:
    with pytest.raises(RemoteProtocolError, match="one octet"):
        parse_close(b"\x03")


def test_a_reason_is_utf8() -> None:
    assert parse_close(b"\x03\xe8gr\xc3\xbc\xc3\x9fe").reason == "grüße"
    with pytest.raises(RemoteProtocolError) as caught:
        parse_close(b"\x03\xe8\xc3")
    assert caught.value.close_code == 1007


def test_a_reason_fits_a_control_frame() -> None:
    assert len(build_close(1000, "r" * 123)) == 125
    with pytest.raises(LocalProtocolError, match="longer than 123"):
        build_close(1000, "r" * 124)


def test_a_reason_is_cut_between_characters() -> None:
    assert cut_reason("short") == "short"
    assert cut_reason("r" * 122 + "ü") == "r" * 122
    assert cut_reason("ü" * 62) == "ü" * 61


def test_half_a_surrogate_pair_is_no_text() -> None:
    assert encode_text("ü") == b"\xc3\xbc"
    with pytest.raises(LocalProtocolError, match="no UTF-8 form"):
        encode_text("\ud800")
