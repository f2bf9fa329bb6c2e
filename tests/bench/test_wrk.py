"""What is read from wrk's report."""

from __future__ import annotations

import pytest
from bench.sample import Void
from bench.wrk import read_report

REPORT = """Running 2s test @ http://127.0.0.1:1/file
  1 threads and 50 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   701.31us  199.42us   8.03ms   97.57%
    Req/Sec    71.72k     3.30k   74.56k    85.00%
  Latency Distribution
     50%  694.00us
     75%  720.00us
     90%  756.00us
     99%    1.01ms
  142748 requests in 2.00s, 171.67MB read
Requests/sec:  71348.87
Transfer/sec:     85.80MB
"""


def test_requests_and_percentiles() -> None:
    assert read_report(REPORT, 1024) == (142748, 694_000, 1_010_000)


def test_answers_without_their_content_are_void() -> None:
    with pytest.raises(Void, match="142748 answers have"):
        read_report(REPORT, 2048)


@pytest.mark.parametrize(
    "line",
    ["  Socket errors: connect 0, read 3, write 0, timeout 0", "  Non-2xx or 3xx responses: 5"],
)
def test_failures_are_void(line: str) -> None:
    with pytest.raises(Void, match=line.strip()[:12]):
        read_report(REPORT.replace("Requests/sec", f"{line}\nRequests/sec"), 1024)


def test_a_program_that_fails_is_void() -> None:
    with pytest.raises(Void, match="unable to connect"):
        read_report("unable to connect to 127.0.0.1:1 Connection refused", 1)
