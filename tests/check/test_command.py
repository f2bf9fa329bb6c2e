"""`upwire check` as its user runs it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from upwire import cli
from upwire.check.command import main
from upwire.check.options import CheckOptions

CLASSIC = "events {}\nhttp { server {\n  location /ws {\n    proxy_pass http://b;\n  }\n} }\n"


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the classic case as nginx.conf in the folder that we are in."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "nginx.conf"
    path.write_text(CLASSIC)
    return path


def test_what_nginx_printed_is_not_written(conf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = f"# configuration file {conf}:\n{CLASSIC}\n"
    printed = conf.with_name("printed")
    printed.write_text(text)
    assert main(CheckOptions(path="printed", nginx="1.22", github=True)) == 1
    assert f"{conf},line=4," in capsys.readouterr().out
    for option in ("--fix", "--diff"):
        assert cli.main(["check", "printed", option]) == 2
    assert "name the files" in capsys.readouterr().err
    assert (conf.read_text(), printed.read_text()) == (CLASSIC, text)


@pytest.mark.parametrize(
    ("text", "level", "status"),
    [
        (CLASSIC, "error", 1),
        ("location / { root /x; }", "note", 0),
        ("server_name ${X};", "warning", 0),
        ("server_name ${X};", "note", 1),
    ],
)
def test_the_status_says_whether_the_level_was_reached(
    text: str, level: str, status: int, conf: Path
) -> None:
    conf.write_text(text)
    assert main(CheckOptions(nginx="1.22", level=level)) == status


def test_the_report_is_printed(conf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(CheckOptions(nginx="1.22"))
    printed = capsys.readouterr().out
    assert printed.startswith("error[F01]: ")
    assert "\x1b" not in printed
    assert "(for nginx 1.22)" in printed.splitlines()[-1]


@pytest.mark.parametrize(
    ("variables", "is_coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
)
def test_colours_are_for_terminals(
    variables: dict[str, str],
    is_coloured: bool,
    conf: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    main(CheckOptions(nginx="1.22"))
    assert ("\x1b[" in capsys.readouterr().out) is is_coloured


def test_diff_prints_and_writes_nothing(
    conf: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    octets = CLASSIC.replace("//b", "//b\xe9").encode("latin-1")
    conf.write_bytes(octets)
    assert main(CheckOptions(nginx="1.22", diff=True)) == 1
    printed = capfdbinary.readouterr().out
    assert printed.startswith(b"--- nginx.conf\n+++ nginx.conf\n@@")
    assert b"     proxy_pass http://b\xe9;\n+    proxy_" in printed
    assert conf.read_bytes() == octets


def test_a_terminal_gets_a_diff_that_is_fit_for_it(
    conf: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    conf.write_text("location /ws {\n\tproxy_pass http://b;  # \x1b[2J\n}\n")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    main(CheckOptions(nginx="1.22", diff=True))
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "     proxy_pass http://b;  # \\x1b[2J\n" in printed


def test_a_part_without_websockets_is_fine_beside_one_with(
    conf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conf.unlink()
    alone = "server { listen 80; location / { proxy_pass http://127.0.0.1:1; } }\n"
    conf.with_name("a.conf").write_text(alone)
    conf.with_name("redis.conf").write_text("bind 127.0.0.1\nport 6379\n")
    assert main(CheckOptions(path=".", nginx="1.31")) == 1
    assert "F01" in capsys.readouterr().out
    lines = "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;"
    timeout = "proxy_set_header Host $host; proxy_read_timeout 5m;"
    both = f"location = /ws {{ proxy_pass http://127.0.0.1:1; {lines} {timeout} }}\n"
    conf.with_name("b.conf").write_text(both)
    assert main(CheckOptions(path=".", nginx="1.31")) == 0
    assert main(CheckOptions(path=".", nginx="1.31", diff=True)) == 0
    assert "redis" not in capsys.readouterr().out
    assert cli.main(["check", "redis.conf"]) == 2
    assert "redis.conf: this is no configuration of nginx" in capsys.readouterr().err


def test_what_is_mended_is_told_beside_the_diff(
    conf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(CheckOptions(nginx="1.22", diff=True))
    assert capsys.readouterr().err.splitlines() == [
        "mends F01: Upgrade and Connection are not passed on",
        "mends F20: a tunnel in which nothing moves for 60 s is cut",
    ]


def test_fix_writes_and_tells_what_is_left(conf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(CheckOptions(nginx="1.22", fix=True)) == 0
    printed = capsys.readouterr().out
    assert printed.index("--- nginx.conf") < printed.index("wrote nginx.conf")
    mended = conf.read_bytes()
    assert b"proxy_set_header Upgrade $http_upgrade;" in mended
    assert main(CheckOptions(nginx="1.22", fix=True)) == 0
    assert conf.read_bytes() == mended
    assert "wrote" not in capsys.readouterr().out


def test_formats_for_programs(conf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(CheckOptions(nginx="1.22", json=True)) == 1
    assert json.loads(capsys.readouterr().out)[0]["counts"]["error"] == 1
    assert main(CheckOptions(nginx="1.22", sarif=True)) == 1
    assert json.loads(capsys.readouterr().out)["version"] == "2.1.0"
    assert main(CheckOptions(nginx="1.22", github=True)) == 1
    assert "::error file=nginx.conf,line=4," in capsys.readouterr().out


def test_the_map_and_the_explanation(conf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(CheckOptions(map=True)) == 0
    assert "LOCATION" in capsys.readouterr().out
    assert cli.main(["check", "--explain", "GET", "ws://a/ws"]) == 0
    assert "location: location /ws" in capsys.readouterr().out


def test_what_is_not_known_is_left_out_of_the_map(
    conf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lua = "location /lua { content_by_lua_block { ngx.say('}') } } include params;"
    conf.write_text(CLASSIC.replace("server {", f"lua_shared_dict x 1m; server {{ {lua}"))
    assert main(CheckOptions(map=True)) == 0
    shown = capsys.readouterr()
    assert "/ws" in shown.out
    assert shown.err.splitlines() == [
        f"upwire check: without {name} (nginx.conf:2), which is not known here"
        for name in ("include params", "lua_shared_dict", "content_by_lua_block")
    ]
    conf.write_text(CLASSIC.replace("location", "}} location"))
    assert cli.main(["check", "--map", "nginx.conf"]) == 2


def test_the_command_line_names_a_file(conf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "--nginx", "1.22", str(conf)]) == 1
    assert f" --> {conf}:4:5" in capsys.readouterr().out
    assert cli.main(["check", str(conf) + "x"]) == 2
    assert "No such file" in capsys.readouterr().err
