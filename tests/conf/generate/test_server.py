"""The servers of a generated nginx.conf, as our own loader understands them."""

from __future__ import annotations

import pytest

from kit.deployments import CERTIFICATE, make
from upwire.conf.generate import Deployment, nginx_conf, site_conf
from upwire.conf.generate.values import Listen, Rate
from upwire.conf.syntax import Directive, parse


def servers(deployment: Deployment) -> list[Directive]:
    """Return the servers of the whole file: of other names, of port 80, the site's own."""
    http = next(line for line in parse(nginx_conf(deployment)).directives if line.name == "http")
    return [line for line in http.block or () if line.name == "server"]


def lines(block: Directive, name: str = "") -> list[str]:
    """Return what a block has, or its lines of one directive."""
    found = [line for line in block.block or () if name in ("", line.name)]
    return [" ".join((line.name, *line.args)) for line in found]


def location(deployment: Deployment, opening: str) -> Directive:
    inside = servers(deployment)[-1].block or ()
    (found,) = (line for line in inside if " ".join((line.name, *line.args)) == opening)
    return found


KEPT = "so_keepalive=2m:30s:4"


@pytest.mark.parametrize(
    ("deployment", "others", "own"),
    [
        (make(), ["listen 80 default_server"], [f"listen 80 {KEPT}"]),
        (
            make(is_ipv6=True),
            ["listen 80 default_server", "listen [::]:80 default_server"],
            [f"listen 80 {KEPT}", f"listen [::]:80 {KEPT}"],
        ),
        (
            make(listen=Listen("127.0.0.1", 8080)),
            ["listen 127.0.0.1:8080 default_server"],
            [f"listen 127.0.0.1:8080 {KEPT}"],
        ),
        (
            make(certificate=CERTIFICATE, listen=Listen("", 8443)),
            ["listen 8443 ssl default_server"],
            [f"listen 8443 ssl {KEPT}"],
        ),
        (
            make(certificate=CERTIFICATE, is_ipv6=True, version=(1, 22, 999)),
            [
                *("listen 443 ssl default_server", "listen [::]:443 ssl default_server"),
                *("listen 80 default_server", "listen [::]:80 default_server"),
            ],
            [f"listen 443 ssl http2 {KEPT}", f"listen [::]:443 ssl http2 {KEPT}"],
        ),
    ],
)
def test_where_the_servers_listen(
    deployment: Deployment, others: list[str], own: list[str]
) -> None:
    first, *_, last = servers(deployment)
    assert lines(first, "listen") == others
    assert lines(last, "listen") == own


def test_other_names_end_at_the_door() -> None:
    (plain, _) = servers(make())
    assert lines(plain)[1:] == ["return 444"]
    (tls, _, _) = servers(make(certificate=CERTIFICATE))
    assert lines(tls)[2:] == ["ssl_reject_handshake on", "return 444"]


@pytest.mark.parametrize(
    ("version", "is_for_upwire", "is_directive", "is_option"),
    [
        (None, False, False, False),
        ((1, 25, 0), False, False, True),
        ((1, 25, 1), False, True, False),
        ((1, 25, 1), True, False, False),
    ],
)
def test_http2_as_the_version_has_it(
    version: tuple[int, int, int] | None, is_for_upwire: bool, is_directive: bool, is_option: bool
) -> None:
    deployment = make(certificate=CERTIFICATE, version=version, is_for_upwire=is_for_upwire)
    own = servers(deployment)[-1]
    assert ("http2 on" in lines(own)) is is_directive
    assert any("http2" in line for line in lines(own, "listen")) is is_option


def test_tls() -> None:
    own = servers(make(certificate=CERTIFICATE, has_hsts=True, hosts=("a.example", "b.example")))
    assert [line for line in lines(own[-1]) if not line.startswith(("listen", "location"))] == [
        "server_name a.example b.example",
        "ssl_certificate /srv/my site/chat.crt",
        "ssl_certificate_key /srv/my site/chat.key",
        "ssl_protocols TLSv1.2 TLSv1.3",
        "ssl_session_cache shared:ws_tls:10m",
        "add_header Strict-Transport-Security max-age=31536000 always",
    ]
    assert lines(own[1]) == [
        *("listen 80", "server_name a.example b.example"),
        "return 301 https://$host$request_uri",
    ]


def test_challenges_are_answered_before_the_redirect() -> None:
    deployment = make(certificate=CERTIFICATE, acme_root="/var/my acme", is_ipv6=True)
    redirect = servers(deployment)[1]
    assert lines(redirect) == [
        *("listen 80", "listen [::]:80", "server_name chat.example.com"),
        *("location ^~ /.well-known/acme-challenge/", "location /"),
    ]
    challenge, rest = (redirect.block or ())[-2:]
    assert lines(challenge) == ["root /var/my acme"]
    assert lines(rest) == ["return 301 https://$host$request_uri"]
    certbot = "#   certbot certonly --cert-name chat.example.com -d chat.example.com"
    text = nginx_conf(deployment)
    assert f"{certbot} --standalone\n" in text
    assert f"{certbot} --webroot -w '/var/my acme' --deploy-hook 'nginx -s reload'\n" in text


def test_what_goes_to_the_backend() -> None:
    assert lines(location(make(), "location ^~ /ws")) == [
        "proxy_pass http://ws_backend",
        "proxy_http_version 1.1",
        "proxy_set_header Upgrade $ws_upgrade",
        "proxy_set_header Connection $ws_connection",
        "proxy_set_header Host $host",
        "proxy_set_header X-Forwarded-For $remote_addr",
        "proxy_set_header X-Forwarded-Proto $scheme",
        "proxy_read_timeout 1h",
        "proxy_connect_timeout 5s",
        "proxy_socket_keepalive on",
    ]


def test_a_host_has_its_port_where_browsers_write_it() -> None:
    odd = make(listen=Listen("", 8080))
    assert "proxy_set_header Host $http_host" in lines(location(odd, "location ^~ /ws"))


def test_handshakes_are_refused_before_they_are_passed_on() -> None:
    deployment = make(rate=Rate(5, "s"), origins=("https://a.example",))
    first, *rest = lines(location(deployment, "location ^~ /ws"))
    assert first == "if ($ws_is_refused)"
    assert rest[:2] == [
        "limit_req zone=ws_handshakes burst=50 nodelay",
        "limit_req_status 429",
    ]


@pytest.mark.parametrize(
    ("rate", "burst"), [(Rate(1, "s"), 20), (Rate(3, "s"), 30), (Rate(300, "m"), 20)]
)
def test_all_tabs_may_come_back_at_once(rate: Rate, burst: int) -> None:
    limit = lines(location(make(rate=rate), "location ^~ /ws"), "limit_req")
    assert limit == [f"limit_req zone=ws_handshakes burst={burst} nodelay"]


def test_what_else_the_site_has() -> None:
    assert lines(location(make(), "location /")) == ["return 404"]
    assert lines(location(make(static="/srv/my site"), "location /")) == [
        *("root /srv/my site", "index index.html", "try_files $uri $uri/ =404"),
    ]
    inside = lines(servers(make(path="/"))[-1], "location")
    assert inside == ["location /"]


def test_a_route_cookie_is_set_by_the_server_and_so_in_each_location() -> None:
    own = servers(make(is_sticky=True))[-1]
    assert "add_header Set-Cookie $ws_route_cookie always" in lines(own)


def test_a_site_shares_its_socket_and_sets_no_options_of_it() -> None:
    text = site_conf(make(idle_s=7200))
    assert "so_keepalive" not in text
    assert "default_server" not in text
    assert "# upwire: ignore F24 the application pings\n" in text
    assert "ignore F24" not in site_conf(make())
    assert "ignore F24" not in nginx_conf(make(idle_s=7200))
