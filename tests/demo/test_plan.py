from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from upwire.demo.plan import (
    DemoOptions,
    allowed_origins,
    changed_lines,
    describe,
    edit_config,
    make_plan,
)
from upwire.demo.setting import CONFIG_FILE

FOLDER = Path("/run/demo")
CONFIG = CONFIG_FILE.read_text()


def test_with_the_usual_ports_the_file_is_read_where_it_is() -> None:
    plan = make_plan(DemoOptions(), FOLDER, status_port=8001)

    assert plan.files == {}
    assert plan.proxy == (
        *(sys.executable, "-m", "upwire", "proxy", "-c", str(CONFIG_FILE)),
        *("--add-host", "backend=127.0.0.1", "--status", "127.0.0.1:8001"),
    )
    assert plan.backends == {
        "127.0.0.1:8080": (
            *(sys.executable, "-m", "upwire", "serve", "upwire.demo.app:routes"),
            *("--host", "127.0.0.1", "--port", "8080"),
        )
    }
    assert (plan.setting.redis, plan.setting.journal) == (None, "/run/demo/chat.journal")
    assert plan.setting.status_address == "127.0.0.1:8001"
    assert plan.setting.config_file == str(CONFIG_FILE)


def test_moved_ports_change_two_numbers_of_a_copy() -> None:
    options = DemoOptions(port=9000, backend_port=9001)
    plan = make_plan(options, FOLDER, status_port=1)

    assert changed_lines(CONFIG, plan.files["nginx.conf"]) == [
        "- listen 127.0.0.1:8000;",
        "+ listen 127.0.0.1:9000;",
        "- proxy_pass http://backend:8080;",
        "+ proxy_pass http://backend:9001;",
    ]
    assert str(FOLDER / "nginx.conf") in plan.proxy
    assert plan.setting.backend_address == "127.0.0.1:9001"


def test_nginx_gets_the_same_file_but_for_the_name() -> None:
    plan = make_plan(DemoOptions(nginx=True), FOLDER, status_port=1, nginx="/usr/sbin/nginx")

    assert changed_lines(CONFIG, plan.files["nginx.conf"]) == [
        "- proxy_pass http://backend:8080;",
        "+ proxy_pass http://127.0.0.1:8080;",
    ]
    assert plan.proxy[:3] == ("/usr/sbin/nginx", "-p", "/run/demo")
    assert "proxy_temp_path temporary/proxy;" in plan.files["temporary/paths.conf"]
    assert plan.setting.proxy == "nginx"
    assert plan.setting.status_address is None


@pytest.mark.parametrize("program", [None, "/usr/sbin/nginx"])
def test_several_nodes_are_servers_of_an_upstream(program: str | None) -> None:
    options = DemoOptions(nodes=3, redis="redis://", nginx=program is not None)
    plan = make_plan(options, FOLDER, status_port=1, nginx=program)

    assert changed_lines(CONFIG, plan.files["nginx.conf"]) == [
        "+ upstream backend {",
        "+ server 127.0.0.1:8080;",
        "+ server 127.0.0.1:8081;",
        "+ server 127.0.0.1:8082;",
        "+ }",
        "- proxy_pass http://backend:8080;",
        "+ proxy_pass http://backend;",
    ]
    assert "--add-host" not in plan.proxy
    assert [command[-1] for command in plan.backends.values()] == ["8080", "8081", "8082"]
    assert list(plan.backends) == ["127.0.0.1:8080", "127.0.0.1:8081", "127.0.0.1:8082"]
    assert (plan.setting.redis, plan.setting.journal) == ("redis://", None)


@pytest.mark.parametrize(
    ("host", "listen", "url"),
    [
        ("127.0.0.1", "127.0.0.1:80", "http://127.0.0.1:80/"),
        ("0.0.0.0", "0.0.0.0:80", "http://127.0.0.1:80/"),
        ("::1", "[::1]:80", "http://[::1]:80/"),
        ("::", "[::]:80", "http://[::1]:80/"),
        ("localhost", "localhost:80", "http://localhost:80/"),
    ],
)
def test_addresses_are_written_as_a_url_has_them(host: str, listen: str, url: str) -> None:
    options = DemoOptions(host=host, port=80)

    assert f"listen {listen};" in edit_config(CONFIG, options)
    assert options.url == url


@pytest.mark.parametrize(
    ("host", "port", "origins"),
    [
        ("127.0.0.1", 8000, ("http://127.0.0.1:8000", "http://localhost:8000")),
        ("127.0.0.1", 80, ("http://127.0.0.1", "http://localhost")),
        ("::1", 81, ("http://[::1]:81", "http://127.0.0.1:81", "http://localhost:81")),
        ("localhost", 81, ("http://localhost:81", "http://127.0.0.1:81")),
        ("0.0.0.0", 81, None),
        ("demo.example", 81, None),
    ],
)
def test_only_our_pages_may_connect(host: str, port: int, origins: tuple[str, ...] | None) -> None:
    assert allowed_origins(DemoOptions(host=host, port=port)) == origins


def test_the_description_says_where_to_look_and_what_is_read() -> None:
    options = DemoOptions()
    text = describe(options, make_plan(options, FOLDER, status_port=1))

    assert "http://127.0.0.1:8000/" in text
    assert "browser ─► upwire proxy on 127.0.0.1:8000 ─► upwire serve on 127.0.0.1:8080" in text
    assert f"upwire proxy reads {CONFIG_FILE}" in text
    assert "but for" not in text
    assert "Ctrl-C stops both." in text


def test_the_description_shows_the_lines_that_differ() -> None:
    options = replace(DemoOptions(), nginx=True)
    text = describe(options, make_plan(options, FOLDER, status_port=1, nginx="nginx"))

    assert "nginx reads /run/demo/nginx.conf" in text
    assert f"which is {CONFIG_FILE} but for:" in text
    assert "    + proxy_pass http://127.0.0.1:8080;" in text


def test_the_description_names_all_nodes() -> None:
    options = DemoOptions(nodes=2, redis="redis://")
    text = describe(options, make_plan(options, FOLDER, status_port=1))

    assert "─► upwire serve on 127.0.0.1:8080 or 127.0.0.1:8081, and back" in text
    assert "Ctrl-C stops all." in text


@pytest.mark.parametrize(
    ("nodes", "redis", "ports", "message"),
    [
        (0, "", (8000, 8080), "--nodes takes 1 to 16, not 0"),
        (17, "redis://", (8000, 8080), "--nodes takes 1 to 16, not 17"),
        (3, "", (8000, 8080), "--nodes needs --redis URL"),
        (3, "redis://", (8000, 65534), "--backend-port leaves no room for 3 nodes"),
        (3, "redis://", (8082, 8080), "--port and --backend-port must differ"),
    ],
)
def test_nodes_that_cannot_be_are_refused(
    nodes: int, redis: str, ports: tuple[int, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        DemoOptions(nodes=nodes, redis=redis, port=ports[0], backend_port=ports[1])


@pytest.mark.parametrize(
    ("ports", "message"),
    [
        ((0, 8080), "--port takes 1 to 65535, not 0"),
        ((8000, 65536), "--backend-port takes 1 to 65535, not 65536"),
        ((8000, 8000), "--port and --backend-port must differ"),
    ],
)
def test_ports_that_cannot_be_are_refused(ports: tuple[int, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DemoOptions(port=ports[0], backend_port=ports[1])
