"""One request on its way through a file."""

from __future__ import annotations

import pytest

from kit.check_site import judge_text
from upwire.check.built import build_whole
from upwire.check.explaining import explain
from upwire.conf.regex import RegexFailed
from upwire.errors import LocalProtocolError
from upwire.proxy.route import LocationTable, Route

CONF = """\
events {}
http {
    map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
    map $loop $loop { default x$loop; }
    server {
        listen 80;
        server_name a.example;
        location /ws/ {
            proxy_pass http://127.0.0.1:8080/x/;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_set_header Host $host;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Loop $loop;
            location /ws/inner { root /srv; }
        }
        location ~ ^/v(\\d)(?<rest>.*) { proxy_pass http://127.0.0.1:1/$1$rest; }
        location ~ /v { root /srv; }
        location ^~ /t { proxy_pass http://$arg_to:1; }
        location ~ /t { root /srv; }
        location = /s { return 301 /; }
        location = /e { return 204; }
        location / { root /srv; }
        location /i { internal; root /srv; }
        location /c { if ($arg_x) { return 403; } proxy_pass http://unix:/run/x; }
        location @n { proxy_pass http://127.0.0.1:1; }
    }
    server { listen 80; server_name b.example; set $a b; location /only { root /srv; } }
    server { listen 127.0.0.1:81; return 444; }
}
"""


def walk(url: str, method: str = "GET", conf: str = CONF) -> list[str]:
    return list(explain(build_whole(judge_text(conf)), method, url))


def test_a_handshake_on_its_way() -> None:
    assert walk("ws://a.example/ws/1?x=1") == [
        "GET /ws/1?x=1 to a.example at port 80",
        "server: a.example (nginx.conf:5)",
        "  it answers: its name fits",
        "  not b.example (nginx.conf:28): another name fits better",
        "  not (no name) (nginx.conf:29): listens at 127.0.0.1:81",
        "location: location /ws/ (nginx.conf:8)",
        "  not location /ws/inner (nginx.conf:15): /ws/1 does not begin with /ws/inner",
        "  not location ~ ^/v(\\d)(?<rest>.*) (nginx.conf:17): it does not match /ws/1",
        "  not location ~ /v (nginx.conf:18): it does not match /ws/1",
        "  not location ^~ /t (nginx.conf:19): /ws/1 does not begin with /t",
        "  not location ~ /t (nginx.conf:20): it does not match /ws/1",
        "  not location = /s (nginx.conf:21): /ws/1 is not /s",
        "  not location = /e (nginx.conf:22): /ws/1 is not /e",
        "  not location / (nginx.conf:23): a longer prefix, or an expression, goes before it",
        "  not location /i (nginx.conf:24): /ws/1 does not begin with /i",
        "  not location /c (nginx.conf:25): /ws/1 does not begin with /c",
        "  not location @n (nginx.conf:26): only try_files, error_page and the like lead there",
        "upstream: 127.0.0.1:8080, which gets",
        "  GET /x/1?x=1 HTTP/1.0",
        "  Upgrade: websocket",
        "  Connection: upgrade",
        "  Host: a.example",
        "  X-Real-IP: $remote_addr",
        "  X-Loop: x",
        "  Sec-WebSocket-Version: 13",
        "  Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]


def test_a_plain_request_asks_for_no_upgrade() -> None:
    lines = walk("http://a.example/ws/1", "POST")
    assert lines[-4:] == ["  POST /x/1 HTTP/1.0", "  Host: a.example", *lines[-2:]]
    assert "Upgrade" not in "".join(lines[-3:])


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("ws://a.example/v1x", "  GET /1x HTTP/1.0"),
        (
            "ws://a.example/v1x",
            "  not location ~ /v (nginx.conf:18): an expression before it in the file matches",
        ),
        ("ws://a.example/t?to=b", "  GET /t?to=b HTTP/1.0"),
        ("ws://a.example/t", "  not location ~ /t (nginx.conf:20): `^~` goes before expressions"),
        ("ws://a.example/ws", "answer: 301 to /ws/: the path lacks its last slash"),
        ("ws://a.example/s", "answer: 301 /"),
        ("ws://a.example/e", "answer: 204"),
        ("ws://a.example/x", "answer: a file, if there is one"),
        ("ws://a.example/i", "answer: 404: the location is internal"),
        ("ws://a.example/c", "  if ($arg_x): not so"),
        ("ws://a.example/c", "upstream: /run/x, which gets"),
        ("ws://a.example/c?x=1", "  if ($arg_x): so"),
        ("ws://a.example/c?x=1", "answer: 403"),
        (
            "ws://a.example/ws/inner",
            "  not location /ws/ (nginx.conf:8): a longer prefix, or an expression, goes before it",
        ),
        ("ws://q/", "  it answers: no name fits, and it is the default there"),
        ("ws://q/", "  not b.example (nginx.conf:28): its name does not fit"),
        ("ws://b.example/x", "location: none matches /x: the server's own files"),
        (
            "ws://b.example/x",
            "  set: $a is 'b'",
        ),
        ("ws://q:81/", "  the server answers 444, before any location is looked for"),
        ("wss://a.example/", "server: none listens at port 443"),
        ("wss://a.example/", "  a.example listens at 0.0.0.0:80"),
    ],
)
def test_each_step_has_its_reason(url: str, line: str) -> None:
    assert line in walk(url)


SCRIPTED = """\
events {}
http { server {
    listen 80;
    error_page 418 = @teapot;
    error_page 404 http://elsewhere/;
    error_page 410 =200 /old.html;
    rewrite ^/first/(.*)$ /second/$1;
    location /second/ { rewrite ^/second/(.*)$ /third/$1?from=second last; }
    location /third/ { proxy_pass http://127.0.0.1:3/base/; }
    location /broken/ { rewrite ^/broken(/.*)$ $1 break; proxy_pass http://127.0.0.1:4/x/; }
    location /moved/ { rewrite ^ /new? permanent; }
    location /kept/ { rewrite ^ /new?a=1 redirect; }
    location /page/ { try_files $uri $uri/ @app; }
    location /index/ { try_files $uri /third/index?x=1; }
    location /nothing/ { try_files $uri =404; }
    location /tea/ { return 418; }
    location /old/ { return 410; }
    location /old.html { internal; return 410; }
    location /said/ { return 404 "no"; }
    location /none/ { return 404; }
    location /only/ {
        if ($http_upgrade !~* ^websocket$) { return 426; }
        if ($http_origin = "") { set $who nobody; }
        if (-f $request_filename) { return 403; }
        if (!-e /x) { return 403; }
        if ($remote_addr = 127.0.0.1) { return 403; }
        if ($host ~ ^(b)) { proxy_pass http://127.0.0.1:6; break; }
        proxy_pass http://127.0.0.1:5;
        proxy_set_header X-Who $who;
        proxy_set_header X-To $proxy_host:$proxy_port$is_args;
    }
    location /var/ { set $to 127.0.0.1:7; rewrite ^ /v break; set $to x; proxy_pass http://$to; }
    location /plain/ { break; return 403; }
    location /round/ { rewrite ^ /round/x last; }
    location /lost/ { try_files /x @lost; }
    location @app { proxy_pass http://127.0.0.1:8; }
    location @teapot { return 204; }
} }
"""


@pytest.mark.parametrize(
    ("path", "lines"),
    [
        (
            "/first/a?b=c",
            [
                "  rewrite ^/first/(.*)$: the path is /second/a now",
                "location: location /second/ (nginx.conf:8)",
                "  rewrite ^/second/(.*)$: the path is /third/a now",
                "  a location is looked for again, for /third/a",
                "location: location /third/ (nginx.conf:9)",
                "upstream: 127.0.0.1:3, which gets",
                "  GET /base/a?from=second&b=c HTTP/1.0",
            ],
        ),
        ("/second", ["  rewrite ^/first/(.*)$: it does not match /second"]),
        ("/broken/a", ["  GET /a HTTP/1.0"]),
        ("/moved/", ["answer: 301 /new"]),
        ("/kept/?b=2", ["answer: 302 /new?a=1&b=2"]),
        (
            "/page/x",
            [
                "  try_files: a file /page/x, /page/x would be the answer; taken as not there",
                "  a location is looked for again, for @app",
                "upstream: 127.0.0.1:8, which gets",
                "  GET /page/x HTTP/1.0",
            ],
        ),
        ("/index/", ["  GET /base/index?x=1 HTTP/1.0"]),
        ("/nothing/", ["  404 is sent on to http://elsewhere/ by error_page"]),
        ("/none/", ["answer: 302 http://elsewhere/"]),
        ("/said/", ["answer: 404 no"]),
        ("/tea/", ["  418 is sent on to @teapot by error_page", "answer: 204"]),
        ("/old/", ["location: location /old.html (nginx.conf:18)", "answer: 410"]),
        ("/old.html", ["answer: 404: the location is internal"]),
        (
            "/only/",
            [
                "  if ($http_upgrade !~* ^websocket$): not so",
                '  if ($http_origin = ""): so',
                "  set: $who is 'nobody'",
                "  if (-f $request_filename): not to be known here, and taken as not so",
                "  if (!-e /x): not to be known here, and taken as not so",
                "  if ($remote_addr = 127.0.0.1): not to be known here, and taken as not so",
                "  if ($host ~ ^(b)): not so",
                "upstream: 127.0.0.1:5, which gets",
                "  X-Who: nobody",
                "  X-To: 127.0.0.1:5:5",
            ],
        ),
        ("/var/x", ["  set: $to is '127.0.0.1:7'", "upstream: 127.0.0.1:7, which gets"]),
        ("/var/x", ["  GET /v HTTP/1.0"]),
        ("/plain/", ["answer: a file, if there is one"]),
        ("/round/", ["answer: 500: after 10 rounds it still leads on"]),
        ("/lost/", ["location: none matches @lost: the server's own files"]),
    ],
)
def test_scripts_and_jumps_are_followed(path: str, lines: list[str]) -> None:
    walked = walk(f"ws://a{path}", conf=SCRIPTED)
    at = 0
    for line in lines:
        assert line in walked[at:], walked
        at = walked.index(line, at) + 1


HELD = """\
events {}
http {
    map $uri $new { default ""; ~^/m/(?<k>.*)$ /mapped/$k; /lit /literal; }
    map $uri $now { volatile; default $uri; }
    map $remote_addr $from { default far; }
    map $new $late { default $remote_addr; }
    server {
        listen 80;
        server_name ~^(?<user>\\w+)\\.example$;
        set $seen $new;
        rewrite ^/lit /seen last;
        location / { proxy_pass http://127.0.0.1:1; proxy_set_header X "$new|$now|$from|$late"; }
        location ~ ^/(?<seg>\\w+)/ws {
            set $to 127.0.0.1:2;
            rewrite ^/(.*) /other break;
            proxy_pass http://$to/$seg;
            proxy_set_header X "$user|$1|$proxy_host|$proxy_port|$seg";
        }
        location /unset { set $b "$a."; proxy_pass http://127.0.0.1:3; proxy_set_header X $b; }
        location /never { if ($uri = "") { set $a 1; } }
        location /args { set $args x=1; proxy_pass https://b; proxy_set_header X $proxy_port; }
        location /posted { limit_except GET { deny all; } proxy_pass http://127.0.0.1:4; }
        location /near { deny 127.0.0.1; proxy_pass http://127.0.0.1:5; }
        location /any { satisfy any; deny all; proxy_pass http://127.0.0.1:6; }
    }
}
"""


@pytest.mark.parametrize(
    ("asked", "lines"),
    [
        ("GET /m/a", ["  X: /mapped/a|/m/a|$from|$remote_addr"]),
        ("GET /lit", ["  X: /literal|/seen|$from|$remote_addr"]),
        ("GET /a/ws", ["  GET /a HTTP/1.0", "  X: me|a/ws|127.0.0.1:2|80|a"]),
        ("GET /a/ws", ["  Host: 127.0.0.1:2"]),
        ("GET /unset", ["  X: ."]),
        ("GET /args", ["  GET /args?x=1 HTTP/1.0", "  X: 443"]),
        ("GET /posted", ["upstream: 127.0.0.1:4, which gets"]),
        ("POST /posted", ["  limit_except: what it says holds for POST", "answer: 403"]),
        (
            "GET /near",
            ["  allow, deny: the client's address is not to be known here, and taken as allowed"],
        ),
        ("GET /any", ["upstream: 127.0.0.1:6, which gets"]),
    ],
)
def test_values_hold_as_long_as_nginx_s(asked: str, lines: list[str]) -> None:
    method, path = asked.split()
    walked = walk(f"ws://me.example{path}", method, HELD)
    assert [line for line in walked if line in lines] == lines, walked


def test_what_an_if_sets_holds_behind_it() -> None:
    assert "upstream: 127.0.0.1:6, which gets" in walk("ws://b/only/", conf=SCRIPTED)


@pytest.mark.parametrize(
    "url", ["a.example", "ftp://a/", "ws:///x", "ws://a:x/", "ws://a/%00", "ws://a b/"]
)
def test_what_is_no_url_is_wrong_usage(url: str) -> None:
    with pytest.raises(LocalProtocolError):
        walk(url)


def test_an_expression_that_never_ends_is_nginx_s_500(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(table: LocationTable, uri: str) -> Route:
        raise RegexFailed("it never ends")

    monkeypatch.setattr(LocationTable, "find", fail)
    assert walk("ws://a.example/x")[-1] == "answer: 500: it never ends"


def test_only_whole_files_that_load_are_explained() -> None:
    with pytest.raises(LocalProtocolError, match="a whole nginx.conf is needed"):  # noqa: RUF043
        walk("ws://a/", conf="server { listen 80; }")
    with pytest.raises(LocalProtocolError, match="does not load"):
        walk("ws://a/", conf="events {} http { gzip maybe; }")
