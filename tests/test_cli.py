"""How options become arguments, and how errors become lines."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from upwire import cli
from upwire.errors import LocalProtocolError, RemoteProtocolError, UpwireError


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    target: str = field(metadata={"metavar": "MODULE:NAME", "help": "what to run"})
    port: int = 8080
    unix: str | None = None
    add_host: tuple[str, ...] = field(default=(), metadata={"flags": ("-a",)})
    is_quiet: bool = field(default=False, metadata={"flags": ("-q", "--quiet")})
    browser: bool = True
    wait_s: float = field(default=1.5, metadata={"help": "100 % of the wait"})

    def __post_init__(self) -> None:
        if self.port < 0:
            raise ValueError("--port takes 0 or more")


def parse(*arguments: str) -> Options:
    parser = argparse.ArgumentParser()
    cli.add_options(parser, Options)
    return Options(**vars(parser.parse_args(arguments)))


def test_defaults_are_the_dataclass_s_own() -> None:
    assert parse("app:handler") == Options(target="app:handler")


def test_each_kind_of_field_has_its_argument() -> None:
    options = parse(
        *["app:handler", "--port", "1", "--unix", "s", "-a", "x=1", "--add-host", "y=2"],
        *["-q", "--no-browser", "--wait", "2.5"],
    )
    assert options == Options(
        target="app:handler",
        port=1,
        unix="s",
        add_host=("x=1", "y=2"),
        is_quiet=True,
        browser=False,
        wait_s=2.5,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedOptions:
    path: str | None = field(default=None, metadata={"nargs": "?"})
    pair: tuple[str, ...] = field(default=(), metadata={"nargs": 2, "metavar": ("A", "B")})


def test_nargs_counts_the_arguments() -> None:
    parser = argparse.ArgumentParser()
    cli.add_options(parser, CountedOptions)

    def parsed(*arguments: str) -> CountedOptions:
        return CountedOptions(**vars(parser.parse_args(arguments)))

    assert parsed() == CountedOptions()
    assert parsed("x", "--pair", "a", "b") == CountedOptions(path="x", pair=("a", "b"))
    assert parsed("--pair", "a", "b", "--pair", "c", "d").pair == ("a", "b", "c", "d")


def test_a_long_flag_in_the_metadata_replaces_the_derived_one() -> None:
    with pytest.raises(SystemExit):
        parse("app:handler", "--is-quiet")


def test_help_shows_defaults_that_say_something() -> None:
    parser = argparse.ArgumentParser()
    cli.add_options(parser, Options)
    text = " ".join(parser.format_help().split())
    assert "MODULE:NAME what to run" in text
    assert "--port PORT (8080)" in text
    assert "100 % of the wait (1.5)" in text
    assert "None" not in text


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run main() with one command, `try`, that does what the test says."""

    def run(action: Callable[[Any], int], *arguments: str) -> int:  # Any: as Command.run
        monkeypatch.setattr(cli, "COMMANDS", (cli.Command("try", "try it", Options, action),))
        return cli.main(["try", "app:handler", *arguments])

    return run


def test_main_returns_what_the_command_returns(run: Callable[..., int]) -> None:
    assert run(lambda options: int(options.port), "--port", "7") == 7


def test_a_value_that_the_options_refuse_is_wrong_usage(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exited:
        run(lambda options: 0, "--port", "-1")
    assert exited.value.code == 2
    assert "--port takes 0 or more" in capsys.readouterr().err


def test_an_argument_that_no_option_takes_is_told_by_its_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(["bench", "-d", "5", "ws://127.0.0.1:1/"])
    told = capsys.readouterr().err
    assert told.startswith("usage: upwire bench ")
    assert "upwire bench: error: unrecognized arguments: -d" in told


def test_no_command_is_wrong_usage() -> None:
    with pytest.raises(SystemExit) as exited:
        cli.main([])
    assert exited.value.code == 2


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (UpwireError("port 80 is in use"), "upwire try: port 80 is in use\n"),
        (
            RemoteProtocolError("no upgrade", "RFC 6455 §4.1", mend="add the line"),
            "upwire try: no upgrade (RFC 6455 §4.1); add the line\n",
        ),
        (UpwireError("answered 403 \x1b[2J"), "upwire try: answered 403 \\x1b[2J\n"),
    ],
)
def test_an_error_is_one_line(
    run: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    error: UpwireError,
    line: str,
) -> None:
    def fail(options: Options) -> int:
        raise error

    assert run(fail) == 1
    assert capsys.readouterr().err == line


def test_what_the_library_refuses_of_the_options_is_wrong_usage(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(options: Options) -> int:
        raise LocalProtocolError("URL x has no host")

    assert run(refuse) == 2
    assert capsys.readouterr().err == "upwire try: URL x has no host\n"


def test_streams_that_are_closed_lead_nowhere(
    run: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def talk(options: Options) -> int:
        print("unread")
        print("unread", file=sys.stderr)
        return len(sys.stdin.read())

    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    with contextlib.ExitStack() as opened:
        assert run(talk) == 0
        for stream in (sys.stdin, sys.stdout, sys.stderr):
            opened.enter_context(stream)


def test_a_sign_that_the_output_has_not_is_written_as_python_does(
    run: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    octets = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(octets, encoding="ascii"))
    assert run(lambda options: print("snow: ☃") or 0) == 0
    assert octets.getvalue() == b"snow: \\u2603\n"


def test_an_output_without_an_encoding_is_left_as_it_is(
    run: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    output = io.StringIO()
    monkeypatch.setattr(sys, "stdout", output)
    assert run(lambda options: print("snow: ☃") or 0) == 0
    assert output.getvalue() == "snow: ☃\n"


def test_an_interrupt_is_quiet(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(options: Options) -> int:
        raise KeyboardInterrupt

    assert run(interrupt) == cli.INTERRUPTED
    assert capsys.readouterr() == ("", "")


def test_a_reader_that_left_is_quiet(
    run: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    readable, writable = os.pipe()
    os.close(readable)
    with open(writable, "w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        assert run(lambda options: print("unread") or 0) == 1
    assert capfd.readouterr().err == ""


def test_version_names_the_mode(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        cli.main(["--version"])
    assert exited.value.code == 0
    assert capsys.readouterr().out == cli.version() + "\n"


def test_each_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    for command in cli.COMMANDS:
        with pytest.raises(SystemExit) as exited:
            cli.main([command.name, "--help"])
        assert exited.value.code == 0
        assert command.summary[1:] in capsys.readouterr().out


def test_nginxs_way_to_ask_for_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["proxy", "-?"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("usage: upwire proxy ")
