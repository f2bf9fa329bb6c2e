"""limit_req and limit_conn, and their zones."""

from __future__ import annotations

import pytest

from kit.conf_text import faults, http

REQ = "limit_req_zone $binary_remote_addr zone=r:32k rate={rate}; "
CONN = "limit_conn_zone $host zone=c:1m; "


@pytest.mark.parametrize(
    ("rate", "thousandths"), [("1r/s", 1000), ("30r/m", 500), ("5", 5000), ("1000r/s", 1000000)]
)
def test_rates(rate: str, thousandths: int) -> None:
    found = http(f"{REQ.format(rate=rate)} server {{ limit_req zone=r; }}").servers[0]
    assert found.settings.limit_req.limits[0].zone.rate == thousandths


def test_a_limit_of_requests() -> None:
    text = "server { limit_req zone=r burst=3 delay=2; limit_req_status 429; limit_req_dry_run on;"
    text += " location / { limit_req zone=r nodelay; } } " + REQ.format(rate="1r/s")
    server = http(text).servers[0]
    (limit,) = server.settings.limit_req.limits
    assert (limit.burst, limit.delay, limit.zone.octets) == (3000, 2000, 32768)
    (inner,) = server.locations[0].settings.limit_req.limits
    assert (inner.burst, inner.delay) == (0, None)
    assert server.locations[0].settings.limit_req.status == 429
    assert server.locations[0].settings.limit_req.dry_run


def test_a_limit_of_connections() -> None:
    server = http(f"{CONN} server {{ limit_conn c 7; limit_conn_log_level info; }}").servers[0]
    found = server.settings.limit_conn
    assert [(limit.zone.name, limit.connections) for limit in found.limits] == [("c", 7)]
    assert (found.log_level, found.status, found.dry_run) == ("info", 503, False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("limit_req_zone $host zone=a:32k x=1;", 'invalid parameter "x=1"'),
        (
            "limit_req_zone $host rate=1r/s rate=2;",
            '"limit_req_zone" must have "zone" parameter',
        ),
        ("limit_req_zone $host zone=a:32k rate=0r/s;", 'invalid rate "rate=0r/s"'),
        ("limit_req_zone $host zone=a:32k rate=xr/m;", 'invalid rate "rate=xr/m"'),
        ("limit_req_zone $host zone=a rate=1r/s;", 'invalid zone size "zone=a"'),
        ("limit_req_zone $host zone=a:x rate=1r/s;", 'invalid zone size "zone=a:x"'),
        ("limit_req_zone $host zone=a:1k rate=1r/s;", 'zone "zone=a:1k" is too small'),
        ("limit_conn_zone $host size=a;", 'invalid parameter "size=a"'),
        (f"{CONN}{CONN}", 'limit_conn_zone "c" is already bound to key "$host"'),
        (
            f"{CONN} limit_req_zone $host zone=c:1m rate=1r/s;",
            'the shared memory zone "c" is already declared for a different use',
        ),
        (f"{CONN} limit_conn c 0;", 'invalid number of connections "0"'),
        (f"{CONN} limit_conn c x;", 'invalid number of connections "x"'),
        (f"{CONN} limit_conn c 65536;", "connection limit must be less 65536"),
        (f"{CONN} limit_conn c 1; limit_conn c 2;", '"limit_conn" directive is duplicate'),
        ("limit_conn c 1;", 'zero size shared memory zone "c"'),
        ("limit_req zone=r;", 'zero size shared memory zone "r"'),
        ("limit_req burst=1;", '"limit_req" must have "zone" parameter'),
        ("limit_req zone=r burst=0;", 'invalid burst value "burst=0"'),
        ("limit_req zone=r delay=x;", 'invalid delay value "delay=x"'),
        ("limit_req zone=r now;", 'invalid parameter "now"'),
    ],
)
def test_faults(text: str, message: str) -> None:
    assert faults(text) == [message]
