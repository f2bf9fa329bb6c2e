"""`upwire config` from the command line to the file."""

from __future__ import annotations

import itertools
import shlex
from pathlib import Path

import pytest

from upwire import cli
from upwire.conf.generate import compose_yaml, ingress_yaml, nginx_conf, site_conf, systemd_unit
from upwire.generate.options import ConfigOptions, describe

PLAIN = ("--host", "chat.example.com", "--backend", "chat:8080")
DEPLOYMENT = describe(ConfigOptions(host=("chat.example.com",), backend=("chat:8080",)))


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ([], nginx_conf(DEPLOYMENT)),
        (["--site"], site_conf(DEPLOYMENT)),
        (["--docker-compose"], compose_yaml(DEPLOYMENT)),
        (["--kubernetes"], ingress_yaml(DEPLOYMENT)),
        (["--systemd"], systemd_unit(DEPLOYMENT)),
    ],
)
def test_one_file_is_printed(
    option: list[str], text: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["config", *PLAIN, *option]) == 0
    assert capfd.readouterr() == (text, "")


def test_a_file_is_written_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "nginx.conf"
    command = ["config", *PLAIN, "-o", str(path)]
    assert cli.main(command) == 0
    assert path.read_text() == nginx_conf(DEPLOYMENT)
    path.write_text("mine, and longer than nothing")
    assert cli.main(command) == 2
    assert capsys.readouterr().err == (
        f"upwire config: {path} is there already; --force overwrites it\n"
    )
    assert path.read_text() == "mine, and longer than nothing"
    assert cli.main([*command, "--force"]) == 0
    assert path.read_text() == nginx_conf(DEPLOYMENT)


def test_a_file_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "nowhere" / "nginx.conf"
    assert cli.main(["config", *PLAIN, "-o", str(path)]) == 2
    assert capsys.readouterr().err == (
        f"upwire config: {path} cannot be written: No such file or directory\n"
    )


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "a host is missing, such as chat.example.com"),
        (["--host", "a b"], 'host "a b" is no name such as chat.example.com'),
        (["--host", "a\nb;"], 'host "a\\nb;" is no name such as chat.example.com'),
        (["--host", "a\x1b[2J"], 'host "a\\u001b[2J" is no name such as chat.example.com'),
        ([*PLAIN, "--kubernetes", "--ipv6"], "IPv6 of its own an Ingress has no place for"),
    ],
)
def test_a_value_that_cannot_be_is_one_line(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["config", *arguments]) == 2
    assert capsys.readouterr() == ("", f"upwire config: {line}\n")


SITES = (
    ("--backend", "localhost:8080"),
    ("--backends", "chat:8080", "chat.example.net:8080", "--path", "/ws"),
    (
        *("--backends", "10.0.0.1:8080", "[2001:db8::1]:8080", "unix:/run/my app.sock"),
        *("--path", "/chat/", "--static", "/srv/my site", "--origin", "https://chat.example.com"),
    ),
    (
        *("--backends", "10.0.0.1:8080", "10.0.0.2:8080", "--sticky", "--path", "/socket.io/"),
        *("--rate", "5", "--idle", "2h", "--listen", "8080"),
    ),
    (
        *("--backend", "chat:8080", "--tls", "chat.crt", "chat.key", "--hsts", "--ipv6"),
        *("--idle", "90s"),
    ),
)


@pytest.mark.parametrize("version", ["1.22", "1.31", None])
@pytest.mark.parametrize("site", SITES)
def test_upwire_check_has_nothing_to_say(
    site: tuple[str, ...],
    version: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("chat.crt", "chat.key"):
        Path(name).touch()
    command = ("config", "--host", "chat.example.com", *site)
    if version is not None:
        command += ("--nginx", version)
    assert cli.main([*command, "-o", "nginx.conf"]) == 0
    assert cli.main([*command, "--site", "-o", "site.conf"]) == 0
    readers = ("1.20", "1.31") if version is None else (version,)
    for name, reader in itertools.product(("nginx.conf", "site.conf"), readers):
        status = cli.main(["check", "--level", "note", "--nginx", reader, name])
        assert status == 0, capfd.readouterr().out


def readme_section() -> str:
    text = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    return text.partition("## The right file\n")[2].partition("\n## ")[0]


def test_the_readme_s_commands_run_as_they_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shell = readme_section().partition("```sh\n")[2].partition("```")[0]
    commands = [shlex.split(line) for line in shell.replace("\\\n", "").splitlines()]
    assert len(commands) == 2
    for program, *arguments in commands:
        assert program == "upwire"
        assert cli.main(arguments) == 0
    excerpt = readme_section().partition("```nginx\n")[2].partition("```")[0]
    shown = [line.strip() for line in Path("nginx.conf").read_text().splitlines()]
    assert excerpt in "".join(f"{line}\n" for line in shown)
    assert "upstream ws_chat_example_com_backend {" in capfd.readouterr().out
