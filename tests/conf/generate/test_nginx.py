"""nginx.conf for a deployment: what it has in it, and that nothing can leave its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.deployments import CERTIFICATE, ONE, TWO, make
from upwire.conf.generate import Deployment, nginx_conf, site_conf
from upwire.conf.generate.values import Backend, Rate, parse_file
from upwire.conf.model import build
from upwire.conf.syntax import Directive, parse

CHAT = Backend("chat", 8080)
DNS = "127.0.0.53"


def words(lines: Iterable[Directive]) -> list[str]:
    """Return directives as they are written, blocks without what is in them."""
    return [" ".join((line.name, *line.args)) for line in lines]


def top(text: str) -> list[Directive]:
    return list(parse(text).directives)


def http(deployment: Deployment) -> list[Directive]:
    """Return what stands in http; a site's file is included there."""
    (block,) = (line for line in top(nginx_conf(deployment)) if line.name == "http")
    return list(block.block or ())


def named(lines: Iterable[Directive], opening: str) -> list[str]:
    """Return what stands in the one block of this name."""
    (block,) = (line for line in lines if words([line]) == [opening])
    return words(block.block or ())


def upstream(deployment: Deployment) -> list[str]:
    return named(http(deployment), "upstream ws_backend")


def walk(lines: Iterable[Directive]) -> Iterator[Directive]:
    for line in lines:
        yield line
        yield from walk(line.block or ())


def shape(lines: Iterable[Directive]) -> list[tuple[str, int]]:
    return [(line.name, len(line.args)) for line in walk(lines)]


def test_a_whole_file_has_room_for_tunnels_and_says_why_they_end() -> None:
    lines = top(nginx_conf(make()))
    assert words(lines) == [
        "worker_processes auto",
        "worker_rlimit_nofile 20000",
        "worker_shutdown_timeout 1h",
        "pid /run/nginx.pid",
        "error_log /var/log/nginx/error.log info",
        "events",
        "http",
    ]
    assert named(lines, "events") == ["worker_connections 8192"]


def test_only_a_handshake_of_rfc_6455_is_sent_on_as_one() -> None:
    lines = http(make())
    assert named(lines, "map $request_method $server_protocol $http_upgrade $ws_upgrade") == [
        "default ",
        r"~*^GET HTTP/1\.1 websocket$ websocket",
    ]
    assert named(lines, "map $ws_upgrade $ws_connection") == ["default ", "websocket upgrade"]


def test_each_line_of_a_site_has_a_name_of_its_own() -> None:
    deployment = make(
        backends=(ONE, TWO),
        certificate=CERTIFICATE,
        rate=Rate(5, "s"),
        origins=("https://a.example",),
        is_sticky=True,
    )
    text = site_conf(deployment)
    lines = top(text)
    assert {line.name for line in lines} == {
        *("log_format", "map", "limit_req_zone", "upstream", "server")
    }
    variables = [line.args[-1] for line in lines if line.name == "map"]
    assert all(name.startswith("$ws_chat_example_com_") for name in variables)
    assert len(set(variables)) == len(variables) == 7
    assert "upstream ws_chat_example_com_backend" in words(lines)
    assert "access_log /var/log/nginx/ws_chat_example_com.log ws_chat_example_com" in words(
        walk(lines)
    )


def test_the_version_is_for_those_who_read_the_file_later() -> None:
    assert "# upwire: nginx" not in nginx_conf(make())
    assert "\n# upwire: nginx 1.22\n" in nginx_conf(make(version=(1, 22, 999)))


@pytest.mark.parametrize(
    ("deployment", "lines"),
    [
        (make(), ["zone ws_backend 64k", "server 127.0.0.1:8080", "keepalive 32"]),
        (make(version=(1, 29, 7)), ["zone ws_backend 64k", "server 127.0.0.1:8080"]),
        (
            make(backends=(ONE, TWO), version=(1, 29, 6)),
            [
                *("zone ws_backend 64k", "least_conn"),
                "server 127.0.0.1:8080 fail_timeout=10s",
                "server 10.0.0.2:8080 fail_timeout=10s",
                "keepalive 32",
            ],
        ),
        (
            make(backends=(ONE, Backend(socket="/run/my app.sock"))),
            [
                *("zone ws_backend 64k", "least_conn"),
                "server 127.0.0.1:8080 fail_timeout=10s",
                "server unix:/run/my app.sock fail_timeout=10s",
                "keepalive 32",
            ],
        ),
        (
            make(backends=(CHAT,), resolver=DNS, version=(1, 31, 5)),
            [
                *("zone ws_backend 64k", f"resolver {DNS}", "least_conn"),
                "server chat:8080 fail_timeout=10s resolve",
            ],
        ),
        (
            make(backends=(CHAT, TWO), is_sticky=True, version=(1, 29, 5)),
            [
                *("zone ws_backend 64k", "hash $ws_route consistent"),
                "server chat:8080 max_fails=3 fail_timeout=10s",
                "server 10.0.0.2:8080 max_fails=3 fail_timeout=10s",
                "keepalive 32",
            ],
        ),
        (
            make(backends=(ONE, TWO), is_sticky=True, version=(1, 29, 6)),
            [
                *("zone ws_backend 64k", "least_conn"),
                "sticky cookie ws_route httponly samesite=lax path=/",
                "server 127.0.0.1:8080 max_fails=3 fail_timeout=10s",
                "server 10.0.0.2:8080 max_fails=3 fail_timeout=10s",
                "keepalive 32",
            ],
        ),
        (
            make(
                backends=(ONE, TWO),
                is_sticky=True,
                version=(1, 31, 5),
                is_for_upwire=True,
            ),
            [
                *("zone ws_backend 64k", "hash $ws_route consistent"),
                "server 127.0.0.1:8080 max_fails=3 fail_timeout=10s",
                "server 10.0.0.2:8080 max_fails=3 fail_timeout=10s",
            ],
        ),
    ],
)
def test_backends(deployment: Deployment, lines: list[str]) -> None:
    assert upstream(deployment) == lines


def test_a_cookie_over_tls_stays_there() -> None:
    new = make(backends=(ONE, TWO), is_sticky=True, version=(1, 29, 6), certificate=CERTIFICATE)
    assert "sticky cookie ws_route httponly samesite=lax secure path=/" in upstream(new)
    old = make(backends=(ONE, TWO), is_sticky=True, certificate=CERTIFICATE)
    assert named(http(old), "map $cookie_ws_route $ws_route_cookie") == [
        "default ws_route=$request_id; Path=/; HttpOnly; SameSite=Lax; Secure",
        "~^[0-9a-f]+$ ",
    ]
    assert named(http(old), "map $cookie_ws_route $ws_route") == [
        "default $request_id",
        "~^[0-9a-f]+$ $cookie_ws_route",
    ]


def test_a_name_that_is_asked_for_once_is_known_to_be() -> None:
    assert "# upwire: ignore F40 " in nginx_conf(make(backends=(CHAT,)))
    assert "ignore F40" not in nginx_conf(make())


def test_handshakes_are_counted_by_their_address() -> None:
    lines = http(make(rate=Rate(5, "s")))
    assert named(lines, "map $http_upgrade $ws_client") == [
        "default $binary_remote_addr",
        " ",
    ]
    assert "limit_req_zone $ws_client zone=ws_handshakes:10m rate=5r/s" in words(lines)


def test_origins_that_may_open_websockets() -> None:
    lines = http(make(origins=("https://a.example", "https://b.example")))
    assert named(lines, "map $http_origin $ws_is_foreign") == [
        *("default 1", " 0", "https://a.example 0", "https://b.example 0"),
    ]
    assert named(lines, "map $http_upgrade $ws_is_refused") == ["default $ws_is_foreign", " 0"]


def test_files_of_a_site_have_their_types_in_a_whole_file() -> None:
    deployment = make(static="/srv/my site")
    assert "text/html html htm" in named(http(deployment), "types")
    assert "default_type application/octet-stream" in words(http(deployment))
    assert "types" not in words(top(site_conf(deployment)))


def test_long_names_get_the_buckets_that_they_need() -> None:
    name = "a" * 50 + ".example"
    assert "server_names_hash_bucket_size 512" in words(http(make(hosts=(name,))))
    assert "map_hash_bucket_size 512" in words(http(make(origins=(f"https://{name}",))))
    text = nginx_conf(make(origins=("https://a.example",)))
    assert "hash_bucket_size" not in text


EVERYTHING = [
    make(),
    make(path="/", backends=(ONE, TWO), is_sticky=True, rate=Rate(30, "m"), is_ipv6=True),
    make(static="/srv/my site", origins=("https://a.example",), idle_s=7200),
    make(backends=(ONE, TWO), is_sticky=True, hosts=("*.example.com", "b" * 60 + ".example")),
]


@pytest.mark.parametrize("deployment", EVERYTHING)
@pytest.mark.parametrize("version", [(1, 22, 999), (1, 31, 5)])
def test_our_own_loader_takes_it_without_a_word(
    deployment: Deployment, version: tuple[int, int, int]
) -> None:
    for text in (
        nginx_conf(deployment),
        f"events {{}} http {{ {site_conf(deployment)} }}",
    ):
        config = build(parse(text), version=version)
        assert config.warnings == ()
        assert {line.name for line in config.accepted} <= {
            *("server_names_hash_bucket_size", "map_hash_bucket_size")
        }


@given(st.text(st.sampled_from("a {}();#,é+=")).map(lambda name: f"/{name}"))
def test_no_path_leaves_its_place(path: str) -> None:
    assert parse_file(path, "file") == path
    deployment = make(static=path, backends=(Backend(socket=path),))
    text = nginx_conf(deployment).encode().decode("latin-1")
    plain = make(static="/srv", backends=(Backend(socket="/run/a"),))
    assert shape(top(text)) == shape(top(nginx_conf(plain)))


def test_every_directive_of_the_websockets_has_its_reason() -> None:
    text = nginx_conf(make(path="/"))
    start = text.index("location / {")
    location = text[start : text.index("\n        }", start)]
    for name in ("proxy_pass", "proxy_http_version", "proxy_read_timeout", "Upgrade", "Host"):
        lines = location.splitlines()
        at = next(n for n, line in enumerate(lines) if name in line and "#" not in line)
        assert lines[at - 1].lstrip().startswith("#"), name
