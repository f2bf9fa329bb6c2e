"""What `upwire config` can be told, and the deployment that comes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given as given_that
from hypothesis import strategies as st

from kit.deployments import make
from upwire.conf.generate import Certificate, Deployment, compose_yaml, nginx_conf
from upwire.conf.generate.values import Backend, Listen, Rate
from upwire.conf.model import build
from upwire.conf.syntax import parse
from upwire.generate.options import ConfigOptions, describe


def options(**given: Any) -> ConfigOptions:  # Any: each field's own type
    return ConfigOptions(**({"host": ("chat.example.com",), "backend": ("[::1]:80",)} | given))


def test_little_is_needed() -> None:
    assert describe(options()) == make(path="/", backends=(Backend("::1", 80),))


def test_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.crt", "a.key"):
        (tmp_path / name).touch()
    given = options(
        host=("A.example", "b.example"),
        backend=("chat:1", "chat:2"),
        path="/ws/",
        tls=("a.crt", "a.key"),
        hsts=True,
        sticky=True,
        idle="2h",
        static="site",
        rate="5",
        origin=("https://A.example",),
        listen="443",
        ipv6=True,
        resolver="127.0.0.53",
        nginx="1.31",
        proxy=True,
    )
    assert describe(given) == make(
        hosts=("a.example", "b.example"),
        backends=(Backend("chat", 1), Backend("chat", 2)),
        path="/ws",
        certificate=Certificate(f"{tmp_path}/a.crt", f"{tmp_path}/a.key"),
        has_hsts=True,
        is_sticky=True,
        idle_s=7200,
        static=f"{tmp_path}/site",
        rate=Rate(5, "s"),
        origins=("https://a.example",),
        listen=Listen("", 443),
        is_ipv6=True,
        resolver="127.0.0.53",
        version=(1, 31, 999),
        is_for_upwire=True,
    )


def test_certbot_says_where_its_certificates_are() -> None:
    deployment = describe(options(acme="/var/acme"))
    folder = "/etc/letsencrypt/live/chat.example.com"
    assert deployment.certificate == Certificate(f"{folder}/fullchain.pem", f"{folder}/privkey.pem")
    assert deployment.acme_root == "/var/acme"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tls": ("/nowhere.crt", "/nowhere.key")}, "/nowhere.crt is not there"),
        ({"tls": ("/a'b", "/nowhere.key")}, "certificate .* is no absolute path"),
        ({"acme": "/var/acme", "host": ()}, "a host is missing"),
        ({"nginx": "9.9"}, "is no version such as 1.22"),
        ({"static": "/srv/$x", "path": "/ws"}, "folder .* is no absolute path"),
    ],
)
def test_values_that_cannot_be(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        describe(options(**given))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"site": True, "systemd": True}, "only one of --site"),
        ({"tls": ("a", "b"), "acme": "/c"}, "--tls and --acme"),
        ({"tls": ("a", "b", "c", "d")}, "--tls is given twice"),
        ({"force": True}, "--force is for --output"),
        ({"source": "nginx.conf"}, "--from takes all from the file"),
    ],
)
def test_what_cannot_be_meant_together(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        options(**given)


def test_what_goes_with_an_existing_file() -> None:
    ConfigOptions(source="nginx.conf", nginx="1.22", output="new.conf", force=True)
    with pytest.raises(ValueError, match="--from takes all"):
        ConfigOptions(source="nginx.conf", idle="2h")


FREE = ("path", "idle", "static", "rate", "listen", "nginx")
LISTED = ("host", "backend", "origin")
EVIL = st.text(st.sampled_from("ab1.:/-* \n\t;{}$\"'\\#[]%\x00\x85\u2028é"), min_size=1)


@given_that(
    st.sampled_from((*FREE, *LISTED)), st.sampled_from(("", "/", "unix:/", "https://")), EVIL
)
def test_nothing_that_a_user_writes_leaves_its_place(name: str, start: str, end: str) -> None:
    text = start + end
    try:
        deployment = describe(options(**{"path": "/ws", name: (text,) if name in LISTED else text}))
    except ValueError as error:
        refusal = str(error)
    else:
        _check(deployment)
        return
    assert refusal.isprintable()


def _check(deployment: Deployment) -> None:
    conf = nginx_conf(deployment)
    config = build(parse(conf.encode().decode("latin-1")))
    names = [[name.pattern for name in server.names] for server in config.servers]
    assert names == [[""], list(deployment.hosts)]
    content = yaml.safe_load(compose_yaml(deployment))["configs"]["nginx_conf"]["content"]
    assert content.count("\n") == conf.count("\n")
