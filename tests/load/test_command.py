"""`upwire bench`: what it refuses, prints and returns."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from kit.certificates import make_certificates
from kit.echo_server import echo_server
from upwire.errors import UpwireError
from upwire.load import _engine, command, measure
from upwire.load.command import BenchOptions, Progress, main
from upwire.load.measure import Load, Work, open_load
from upwire.net.tls import server_context


def options(port: int, **given: object) -> BenchOptions:
    facts: dict[str, object] = {
        "url": f"ws://127.0.0.1:{port}/",
        "connections": 2,
        "duration": 30.0,
        "count": 50,
        "warm_up": 0.0,
        "pure": True,
    }
    return BenchOptions(**(facts | given))  # type: ignore[arg-type]  # each fits its field


def test_the_table_has_the_facts(capsys: pytest.CaptureFixture[str]) -> None:
    with echo_server() as port:
        assert main(options(port, text=True, rate=1e6, header=("X-Key: 1",))) == 0
    first, second, third, _, latency, *rows = capsys.readouterr().out.splitlines()
    assert first.startswith("2 connections, 32 octets text, 1 in flight, 1e+06/s wanted, ")
    assert second.startswith("50 echoes, ")
    assert third == "wrong 0, lost connections 0, missing echoes 0"
    assert latency.startswith("latency  p50 ")
    assert "  max " in latency
    assert any("#" * command.BAR_CELLS in row for row in rows)
    assert ("not compiled" in rows[-1]) is not _engine.is_compiled()


def test_json_has_the_same_facts(capsys: pytest.CaptureFixture[str]) -> None:
    with echo_server() as port:
        assert main(options(port, json=True)) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["messages"], facts["wrong"]) == (50, 0)


def test_tls_is_said_to_be_slower(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = make_certificates(tmp_path)
    monkeypatch.setattr(_engine, "is_compiled", lambda: True)
    with echo_server(server_context(files.certificate_file, files.key_file)) as port:
        url = f"wss://127.0.0.1:{port}/"
        assert main(options(port, url=url, insecure=True)) == 0
    assert "over TLS the load generator" in capsys.readouterr().out


def test_uncompiled_it_refuses_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_engine, "is_compiled", lambda: False)
    with pytest.raises(UpwireError, match=r"not compiled.*--pure"):
        main(options(1, pure=False))


def test_compiled_it_needs_no_leave(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_engine, "is_compiled", lambda: True)
    with echo_server() as port:
        assert main(options(port, pure=False)) == 0
    assert "not compiled" not in capsys.readouterr().out


def test_ctrl_c_gives_the_result_so_far(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: Progress, load: Load) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command.Progress, "show", interrupt)
    monkeypatch.setattr(measure, "SLICE_S", 0.01)
    with echo_server() as port:
        assert main(options(port, count=None)) == 0
    assert " echoes, " in capsys.readouterr().out


def test_echoes_that_do_not_come_are_status_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "DRAIN_S", 0.0)
    with echo_server() as port:
        assert main(options(port, count=None, duration=0.01)) == 1
    assert "missing echoes 2" in capsys.readouterr().out


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_one_line_that_is_written_over() -> None:
    screen = Terminal()
    progress = Progress(screen, 10)
    with echo_server() as port, open_load(Work(url=f"ws://127.0.0.1:{port}/")) as load:
        load.drive(30, messages=100, on_slice=progress.show)
    progress.clear()
    line, cleared = screen.getvalue().split("\r")[-2:]
    assert " of 10 s " in line
    assert " echoes/s " in line
    assert "lost" not in line
    assert cleared == "\x1b[K"


def test_the_line_says_what_goes_wrong() -> None:
    screen = Terminal()
    with echo_server() as port:
        url = f"ws://127.0.0.1:{port}/"
        with open_load(Work(url=url, payload_octets=2**21, connections=1)) as load:
            load.drive(30, on_slice=Progress(screen, 10).show)
    assert "wrong 0, lost 1" in screen.getvalue()


@pytest.mark.parametrize(
    "wrong",
    [
        {"connections": 0},
        {"payload": -1},
        {"in_flight": 0},
        {"rate": -1.0},
        {"warm_up": -1.0},
        {"duration": 0.0},
        {"count": 0},
        {"header": ("no colon",)},
    ],
)
def test_an_option_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"takes? |a header is"):
        options(1, **wrong)


@pytest.mark.parametrize(
    ("ns", "text"), [(999, "999 ns"), (1500, "1.5 us"), (2e6, "2 ms"), (3.21e9, "3.21 s")]
)
def test_times_have_a_fitting_unit(ns: float, text: str) -> None:
    assert command._time(ns) == text
