"""Reading configurations from the disk, and putting them in use."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.proxy_site import BOUND, cycle_of, read_conf, resolve_literally
from upwire.errors import ConfigError
from upwire.proxy.cycle import Cycle, Surroundings, resolve_with
from upwire.proxy.load import NGINX_VERSION, load_file, parse_version
from upwire.proxy.status import Counters

MINIMAL = "events {} http { server { listen 127.0.0.1:1; } }"


@pytest.mark.parametrize(
    ("text", "version"),
    [("1.22", (1, 22, 999)), ("1.22.1", (1, 22, 1)), ("1.31.5", (1, 31, 5))],
)
def test_versions(text: str, version: tuple[int, int, int]) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize("text", ["", "1", "new", "1.2.3.4", "1.x", "9.9", "1.32", "1.12", "0.8"])
def test_what_is_no_version(text: str) -> None:
    with pytest.raises(ValueError, match=r"can be named: 1\.13 to 1\.31\.5, such as 1\.22"):
        parse_version(text)


def test_a_comment_that_names_no_version(tmp_path: Path) -> None:
    path = tmp_path / "nginx.conf"
    path.write_text(f"\n# upwire: nginx 1.2.3.4\n{MINIMAL}")
    with pytest.raises(ConfigError) as caught:
        load_file(str(path))
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == (str(path), 2)
    assert problem.message.startswith('"1.2.3.4" is no version of nginx')


@pytest.mark.parametrize(
    ("comment", "given", "version"),
    [
        ("", None, NGINX_VERSION),
        ("# upwire: nginx 1.22", None, (1, 22, 999)),
        ("# upwire: nginx 1.22", (1, 25, 1), (1, 25, 1)),
        ("# about upwire: nginx 1.22", None, NGINX_VERSION),
    ],
)
def test_whose_defaults_hold(
    tmp_path: Path,
    comment: str,
    given: tuple[int, int, int] | None,
    version: tuple[int, int, int],
) -> None:
    path = tmp_path / "nginx.conf"
    path.write_text(f"{comment}\n{MINIMAL}")
    assert load_file(str(path), version=version if given else None).config.version == version


@pytest.mark.parametrize(
    ("directive", "is_daemon"), [("", False), ("daemon on;", True), ("daemon off;", False)]
)
def test_who_asks_for_a_daemon(tmp_path: Path, directive: str, is_daemon: bool) -> None:
    path = tmp_path / "nginx.conf"
    path.write_text(MINIMAL)
    assert load_file(str(path), parameters=directive).is_daemon is is_daemon


def test_includes_are_found_and_kept(tmp_path: Path) -> None:
    (tmp_path / "sites").mkdir()
    for name in ("a", "b", "\xfc"):
        (tmp_path / "sites" / f"{name}.conf").write_text("server { listen 127.0.0.1:1; }")
    path = tmp_path / "nginx.conf"
    path.write_text("events {} http { include sites/*.conf; }")
    loaded = load_file(str(path))
    assert len(loaded.config.servers) == 3
    assert next(iter(loaded.contents)) == str(path)
    assert len(loaded.contents) == 4


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_file(str(tmp_path / "none.conf"))


# Cycles


def test_all_names_that_are_nowhere_are_told(tmp_path: Path) -> None:
    http = (
        "upstream u { server one.invalid; server 127.0.0.1; server unix:/s; }"
        "server { listen 80; location / { proxy_pass http://u; }"
        " location /a { proxy_pass http://two.invalid; location /a/b { proxy_pass http://u; } } }"
    )
    with pytest.raises(ConfigError) as caught, cycle_of(http, tmp_path):
        pass
    messages = [problem.message for problem in caught.value.problems]
    assert messages == [
        'host not found in upstream "one.invalid"',
        'host not found in upstream "two.invalid"',
    ]


def test_name_servers_that_are_nowhere_are_told(tmp_path: Path) -> None:
    http = (
        "server { listen 80; resolver 127.0.0.1 one.invalid;"
        " location / { resolver [::1] two.invalid:5353; } }"
    )
    with pytest.raises(ConfigError) as caught, cycle_of(http, tmp_path):
        pass
    assert [problem.message for problem in caught.value.problems] == [
        'host not found in resolver "one.invalid"',
        'host not found in resolver "two.invalid"',
    ]


def test_a_retired_cycle_closes_behind_its_last_request(tmp_path: Path) -> None:
    with cycle_of("server { listen 127.0.0.1:80; }", tmp_path) as cycle:
        with cycle.in_use():
            cycle.retire()
            assert not cycle.is_closed
        assert cycle.is_closed
    with cycle_of("server { listen 127.0.0.1:80; }", tmp_path) as cycle:
        cycle.retire()
        assert cycle.is_closed


def test_the_default_log_needs_its_folder(tmp_path: Path) -> None:
    config = read_conf("server { listen 127.0.0.1:80; }")
    assert config.servers[0].settings.access_logs[0].path.text == "logs/access.log"
    with cycle_of("server { listen 127.0.0.1:80; }", tmp_path) as cycle:
        assert cycle.router.servers_at(BOUND, BOUND)
    assert not (tmp_path / "logs").exists()


def test_our_own_default_log_is_at_warn(tmp_path: Path) -> None:
    around = Surroundings(str(tmp_path), resolve_literally, Counters(), error_log="default.log")
    http = "access_log off; server { listen 80; location / { error_log named.log; } }"
    cycle = Cycle(read_conf(http), around)
    (server,) = cycle.config.servers
    assert cycle.log.is_on("warn")
    assert not cycle.log.is_on("notice")
    assert cycle.error_logger(server.settings).is_on("warn")
    assert not cycle.error_logger(server.locations[0].settings).is_on("warn")
    cycle.close()


def test_an_added_host_is_resolved_as_its_address() -> None:
    resolve = resolve_with({"backend": "10.0.0.1"}, resolve_literally)
    assert resolve("Backend") == ["10.0.0.1"]
    assert resolve("10.0.0.2") == ["10.0.0.2"]


def test_a_log_that_cannot_be_opened(tmp_path: Path) -> None:
    http = "server { listen 80; access_log no/such; }"
    with pytest.raises(ConfigError, match="No such file"), cycle_of(http, tmp_path):
        pass
