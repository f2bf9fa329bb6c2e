"""The runner of nginx's test suite: what it makes of a file's output, and of a suite of two."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from conformance import nginx_tests
from conformance.nginx_tests import Named, Outcome, Tap, main, read_table, read_tap, summarize

FILE = Named("T1 core", "a.t", 2)


def test_the_table_has_every_named_file() -> None:
    files = read_table(nginx_tests.TABLE)
    assert [sum(one.tier == tier for one in files) for tier in ("T1", "T2")] == [42, 65]
    assert len({one.name for one in files}) == 107
    assert min(one.asserts for one in files) > 0


@pytest.mark.parametrize(
    ("text", "tap"),
    [
        ("1..3\nok 1 - a\nnot ok 2 - b\nok 3 # skip no ssl\n", Tap(3, 1, 1, 1)),
        ("ok 1\nnot ok 2 # TODO later\nok 3 # TODO held\n1..3\n", Tap(3, 2, 0, 0, 1)),
        ("1..0 # SKIP no http_ssl available\n", Tap(0, reason="no http_ssl available")),
        ("# a comment\n", Tap()),
    ],
)
def test_output_is_counted(text: str, tap: Tap) -> None:
    assert read_tap(text) == tap


@pytest.mark.parametrize(
    ("tap", "status", "has_passed"),
    [
        (Tap(2, 2), 0, True),
        (Tap(3, 2, excused=1), 0, True),
        (Tap(3, 3), 0, True),
        (Tap(2, 1, skipped=1), 0, False),  # nginx does not skip it
        (Tap(3, 2, 1), 1, False),
        (Tap(3, 2), 0, False),  # it died
        (Tap(2, 2), None, False),
        (Tap(0, reason="no ssl"), 0, False),
    ],
)
def test_a_file_passes_with_all_that_nginx_passes(
    tap: Tap, status: int | None, has_passed: bool
) -> None:
    assert Outcome(FILE, tap, status, 1.0).has_passed == has_passed


def test_the_table_is_summed_by_tier() -> None:
    good = Outcome(FILE, Tap(2, 2), 0, 1.0)
    bad = Outcome(Named("T2 tls", "b.t", 4), Tap(0, reason="no ssl"), 0, 1.0)
    late = Outcome(Named("T2 tls", "c.t", 4), Tap(4, 1), None, 1.0)
    assert list(summarize([good, bad, late])) == [
        "T1: 1 of 1 files, 2 of 2 asserts",
        "T2: 0 of 2 files, 1 of 8 asserts",
        "all: 1 of 3 files, 3 of 10 asserts",
    ]
    assert str(good).split() == ["PASS", "a.t", "2", "of", "2", "asserts,", "1.0", "s"]
    assert "skipped: no ssl" in str(bad)
    assert str(late).startswith("TIMEOUT c.t")


@pytest.mark.skipif(shutil.which("perl") is None, reason="there is no Perl")
def test_a_suite_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "table.txt"
    table.write_text("# two files\n[T1 core]\ngood.t 1\nslow.t 1\n")
    monkeypatch.setattr(nginx_tests, "TABLE", table)
    assert main([str(tmp_path)]) == 2
    (tmp_path / "lib" / "Test").mkdir(parents=True)
    (tmp_path / "lib" / "Test" / "Nginx.pm").touch()
    (tmp_path / "good.t").write_text(
        'print "1..1\\n", (`$ENV{TEST_NGINX_BINARY} -v 2>&1` =~ /upwire/ ? "" : "not "), "ok 1\\n";'
    )
    (tmp_path / "slow.t").write_text("sleep 60 unless fork; sleep 60;")
    assert main([str(tmp_path), "--only", "good.t"]) == 0
    assert main([str(tmp_path), "--only", "slow.t", "--limit", "0.2"]) == 1
    out = capsys.readouterr().out
    assert "PASS    good.t" in out
    assert "TIMEOUT slow.t" in out
