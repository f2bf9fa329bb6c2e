"""What follows `syslog:`. The faults that nginx tells too stand in tests/cases/syslog_*.case."""

from __future__ import annotations

import pytest

from upwire.conf.model.assembly import Wrong
from upwire.conf.model.syslog import read_syslog
from upwire.conf.model.types.logs import Syslog
from upwire.conf.syntax import parse

(DIRECTIVE,) = parse("error_log x;").directives
AT = DIRECTIVE.arg_positions[0]


@pytest.mark.parametrize(
    ("text", "syslog"),
    [
        ("server=h", Syslog("h", 514)),
        ("server=h:1,facility=kern,severity=emerg", Syslog("h", 1, facility=0, severity=0)),
        ("nohostname,tag=a_1,server=[::1]:9", Syslog("[::1]", 9, tag="a_1", has_hostname=False)),
        ("server=unix:/s,facility=local0,severity=debug", Syslog("", 0, "/s", 16, 7)),
        ("server=h,tag=", Syslog("h", 514, tag="")),
    ],
)
def test_parameters(text: str, syslog: Syslog) -> None:
    assert read_syslog(f"syslog:{text}", AT) == syslog


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'unknown syslog parameter ""'),
        ("server=h,tag", 'unknown syslog parameter "tag"'),
        ("server=h,colour=red", 'unknown syslog parameter "colour=red"'),
        ("server=h,server=h", 'duplicate syslog "server"'),
        ("tag=a", "no syslog server specified"),
        ("server=", 'no host in syslog server ""'),
        ("server=unix:", 'no path in the unix domain socket in syslog server "unix:"'),
        ("server=h,facility=x", 'unknown syslog facility "x"'),
        ("server=h,severity=x", 'unknown syslog severity "x"'),
        ("server=h,tag=a.b", 'syslog "tag" only allows alphanumeric characters and underscore'),
        (f"server=h,tag={'a' * 33}", "syslog tag length exceeds 32"),
    ],
)
def test_faults(text: str, message: str) -> None:
    with pytest.raises(Wrong) as caught:
        read_syslog(f"syslog:{text}", AT)
    assert caught.value.message == message
