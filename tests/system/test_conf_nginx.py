"""The real nginx refuses and accepts the same configurations, in the same words."""

from __future__ import annotations

import functools
import itertools
import random
import re
import shutil
import subprocess
from glob import glob
from pathlib import Path

import pytest

from kit.conf_cases import Case, parse_version, read_cases
from upwire.conf.directives import Version
from upwire.conf.model import build
from upwire.conf.syntax import load
from upwire.errors import ConfigError, Problem

_BINARY = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
_LINE = re.compile(r"\[(\w+)\] (?:\d+#\d+: )?(.*?)(?: in \S+:(\d+))?$")


def _test_conf(conf: Path) -> tuple[bool, list[tuple[str, str, int]]]:
    """Run nginx -t: whether it is content, and its lines as (severity, message, line)."""
    assert _BINARY is not None
    options = f"error_log stderr; pid {conf.parent}/nginx.pid;"
    command = [
        _BINARY,
        "-t",
        "-p",
        str(conf.parent),
        "-c",
        str(conf),
        "-e",
        "stderr",
        "-g",
        options,
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    found = [_LINE.search(line) for line in result.stderr.splitlines()]
    lines = [(match[1], match[2], int(match[3] or 0)) for match in found if match]
    return result.returncode == 0, lines


@functools.cache
def _nginx_version() -> Version:
    assert _BINARY is not None
    shown = subprocess.run([_BINARY, "-v"], capture_output=True, text=True, check=False).stderr
    found = re.search(r"nginx/(\d+\.\d+\.\d+)", shown)
    assert found, shown
    return parse_version(found[1])


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A place for a configuration, where nginx works at all."""
    if _BINARY is None:
        pytest.skip("nginx is not installed")
    path = tmp_path / "nginx.conf"
    path.write_text("events {}\nhttp { access_log off; }\n")
    (tmp_path / "logs").mkdir()
    is_content, lines = _test_conf(path)
    if not is_content:
        pytest.skip(f"nginx does not work here: {lines}")
    return path


def _our_problems(conf: Path, version: Version) -> tuple[Problem, ...]:
    def read(name: str) -> bytes:
        return Path(name).read_bytes()

    try:
        return build(load(str(conf), read, glob), version=version).warnings
    except ConfigError as error:
        return error.problems


def _faults(problems: tuple[Problem, ...]) -> list[tuple[str, int]]:
    return [(problem.message, problem.line) for problem in problems if problem.severity == "emerg"]


def _check_agreement(conf: Path, *, with_lines: bool = True) -> None:
    """nginx accepts what we accept, and the one fault that it tells is among ours.

    with_lines: not for statements of several lines, where nginx tells the last and we the first.
    """
    is_content, lines = _test_conf(conf)
    ours = _faults(_our_problems(conf, _nginx_version()))
    theirs = [(message, line) for severity, message, line in lines if severity == "emerg"]
    assert is_content == (not ours), (ours, lines)
    if theirs:
        message, line = theirs[0]
        assert message in [message for message, _ in ours]
        assert not with_lines or line == 0 or (message, line) in ours


@pytest.mark.parametrize("case", read_cases(), ids=lambda case: case.name)
def test_nginx_agrees_on_case(case: Case, conf: Path) -> None:
    if case.nginx_since is None or case.nginx_since > _nginx_version():
        pytest.skip("not a question for this nginx")
    conf.write_text(case.conf)
    _check_agreement(conf)
    if not any(" emerg " in fault for fault in case.faults) and case.version is None:
        _check_warnings(conf)


def _check_warnings(conf: Path) -> None:
    ours = _our_problems(conf, _nginx_version())
    theirs = [message for severity, message, _ in _test_conf(conf)[1] if severity == "warn"]
    assert sorted(problem.message for problem in ours) == sorted(theirs)


_VALUES = ("on", "off", "1", "0", "x", "4k", "1m", "30s", "500ms", "1M", "''", "$host", "8 4k")
_NAMES = (
    *(
        "proxy_read_timeout",
        "proxy_busy_buffers_size",
        "proxy_buffering",
        "proxy_buffers",
        "proxy_buffer_size",
    ),
    *("client_max_body_size", "keepalive_requests", "keepalive_timeout", "root", "index"),
    *("default_type", "return", "add_header", "error_page", "proxy_pass", "types"),
    *("proxy_http_version", "server_name", "gzip", "gzip_comp_level", "alias"),
    *("underscores_in_headers", "log_format", "resolver_timeout", "tcp_nodelay", "satisfy"),
    *("server_tokens", "if_modified_since", "limit_rate", "proxy_set_header", "sendfile"),
)


def _generated(rng: random.Random) -> str:
    """Return a configuration of one random directive at a random level."""
    values = " ".join(rng.choice(_VALUES) for _ in range(rng.choice((1, 1, 1, 2, 0))))
    line = f"{rng.choice(_NAMES)} {values};"
    levels = ["", "", "", ""]
    levels[rng.randrange(4)] = line
    main, http, server, location = levels
    return (
        f"events {{}}\n{main}\nhttp {{\naccess_log off;\n{http}\n"
        f"server {{\n{server}\nlocation / {{\n{location}\n}}\n}}\n}}\n"
    )


def test_nginx_agrees_on_generated_configurations(conf: Path) -> None:
    rng = random.Random(20)
    for _ in range(60):
        conf.write_text(_generated(rng))
        try:
            _check_agreement(conf, with_lines=False)
        except AssertionError as error:
            raise AssertionError(conf.read_text()) from error


_WORDS = (
    '"a b"',
    "'c;d'",
    "x{y}",
    "${uri}",
    "a\\ b",
    "\\;",
    "#e",
    '"f\\"g"',
    "{",
    "}",
    ";",
    '"h"i',
    ")",
)


def test_nginx_reads_the_same_words(conf: Path) -> None:
    """Random pieces of syntax behind a directive that takes any words."""
    rng = random.Random(30)
    for _ in range(60):
        words = "".join(rng.choice(_WORDS) + rng.choice((" ", " ", "", "\n")) for _ in range(4))
        conf.write_text(f"events {{}}\nhttp {{\naccess_log off;\nindex a {words};\n}}\n")
        _check_agreement(conf, with_lines=False)


_SITE = """user root root;
worker_processes auto;
error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
    include mime.types;
    default_type application/octet-stream;
    log_format main '$remote_addr - $remote_user [$time_local] "$request" '
                    '$status $body_bytes_sent "$http_referer" "$upstream_addr"';
    access_log off;
    sendfile on; tcp_nopush on; keepalive_timeout 65; gzip on; gzip_vary on;
    gzip_types text/css application/json; server_names_hash_bucket_size 128;
    map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
    upstream app {{ server 127.0.0.1:3000 max_fails=3; server [::1]:1 backup; keepalive 16; }}
    limit_req_zone $binary_remote_addr zone=req:1m rate=10r/s;
    include conf.d/*.conf;
    {http}
}}
"""
_SERVER = """server {{
    listen 127.0.0.1:{port}; server_name {name};
    root /var/www; index index.html;
    location / {{ try_files $uri $uri/ @app; }}
    location @app {{ include proxy.inc; proxy_pass http://app; }}
    location ~* \\.(?:css|js)$ {{ expires 7d; add_header Cache-Control public; }}
    location = /ws {{
        include proxy.inc;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
        proxy_pass http://app; proxy_read_timeout 1h; limit_req zone=req burst=5 nodelay;
    }}
    if ($request_method !~ ^(GET|HEAD|POST)$) {{ return 405; }}
    error_page 500 502 503 504 /50x.html;
    {server}
}}
"""
_PROXY = "proxy_http_version 1.1;\nproxy_set_header Host $http_host;\n"


@pytest.mark.parametrize(
    ("http", "server"),
    list(
        itertools.product(
            ("", "proxy_pass http://a;", "map $a $b;", "proxy_cache_path logs keys_zone=z:1m;"),
            ("", "location / { }", "proxy_set_header X;", "return 301 https://$host$nothing;"),
        )
    ),
)
def test_nginx_agrees_on_a_site(conf: Path, http: str, server: str) -> None:
    """A site as distributions and tutorials have it, whole and with one thing wrong."""
    folder = conf.parent
    (folder / "conf.d").mkdir()
    (folder / "mime.types").write_text("types { text/html html; text/css css; }\n")
    (folder / "proxy.inc").write_text(_PROXY)
    (folder / "conf.d" / "b.conf").write_text(
        _SERVER.format(port=8001, name="b.example .c.example", server=server)
    )
    (folder / "conf.d" / "a.conf").write_text(
        _SERVER.format(port=8001, name="a.example", server="")
    )
    conf.write_text(_SITE.format(http=http))
    _check_agreement(conf)
