"""The command around a probe: what it prints, asks and returns."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from kit.echo_server import echo_server
from upwire.cli import main
from upwire.errors import LocalProtocolError
from upwire.probe import command
from upwire.probe.options import ProbeOptions


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_server_of_ours_is_fine(capsys: pytest.CaptureFixture[str]) -> None:
    with echo_server() as port:
        status = main(["probe", f"ws://127.0.0.1:{port}/", "--parallel", "3", "--idle", "0.1"])
    shown = capsys.readouterr()
    assert (status, shown.err) == (0, "")
    assert "3 of 3 at once opened" in shown.out
    assert "open after 0.1 s" in shown.out
    assert "  < HTTP/1.1 101 Switching Protocols" in shown.out


def test_json_is_all_that_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with echo_server() as port:
        assert main(["probe", f"ws://127.0.0.1:{port}/", "--parallel", "1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["cases"]["version-12"]["status"] == 426


def test_what_cannot_be_reached_is_unusable(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", "ws+unix:///nowhere/a.sock:/"]) == 2
    assert "No such file" in capsys.readouterr().err
    assert main(["probe", "http://a/"]) == 2
    assert main(["probe", "ws://name.invalid/"]) == 2


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("location /ws { proxy_pass ws://127.0.0.1:1; }", ":1: F38: invalid URL prefix"),
        ("location / { gzip maybe; }", ":1: F87: invalid value "),
        ("location / { proxy_pass http://a.invalid; }", ":1: F40: host not found in upstream "),
        ("location / { proxy_pass http://127.0.0.1; }", ""),
    ],
)
def test_where_nobody_answers_the_file_may_say_why(
    line: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conf = tmp_path / "nginx.conf"
    conf.write_text(f"events {{}} http {{ server {{ {line} }} }}")
    assert main(["probe", "ws+unix:///nowhere/a.sock:/", "--conf", str(conf)]) == 2
    shown = capsys.readouterr().err
    assert shown.count("nginx does not start") == bool(told)
    assert told in shown


def test_secrets_are_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with echo_server() as port:
        url = f"ws://me:sesame@127.0.0.1:{port}/"
        for more in ([], ["--json"]):
            main(["probe", url, "-H", "Cookie: sid=sesame", "--parallel", "1", *more])
    assert main(["probe", "ws://me:sesame@127.0.0.1:x/"]) == 2
    shown = capsys.readouterr()
    assert "Authorization: (not shown)" in shown.out
    assert "sesame" not in shown.out + shown.err
    assert "bWU6c2VzYW1l" not in shown.out  # in base64


def test_a_refusal_comes_with_advice(capsys: pytest.CaptureFixture[str]) -> None:
    with echo_server() as port:
        url = f"ws://127.0.0.1:{port}/"
        assert main(["probe", url, "-H", "Content-Length: 1", "--timeout", "0.2"]) == 1
    assert "--echo-backend PORT" in capsys.readouterr().out


@pytest.mark.parametrize(("typed", "goes_on"), [("y\n", True), ("\n", False), ("", False)])
def test_a_long_ladder_is_asked_for(
    typed: str, goes_on: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    monkeypatch.setattr(command, "_probe", lambda _: 0)
    options = ProbeOptions(url="ws://a/", idle=61.0)
    if goes_on:
        assert command.main(options) == 0
    else:
        with pytest.raises(LocalProtocolError, match="needs --yes"):
            command.main(options)


def test_nobody_is_asked_where_nobody_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    monkeypatch.setattr(command, "_probe", lambda _: 0)
    with pytest.raises(LocalProtocolError):
        command.main(ProbeOptions(url="ws://a/", idle=61.0))
    assert command.main(ProbeOptions(url="ws://a/", idle=61.0, yes=True)) == 0
    assert command.main(ProbeOptions(url="ws://a/", idle=60.0)) == 0
