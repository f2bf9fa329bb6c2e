"""Requests through all phases, over memory."""

from __future__ import annotations

import asyncio
import gc
import os
import re
from pathlib import Path

import pytest

from kit.conf_text import http
from kit.proxy_site import LISTENING, Visit, cycle_of, get, read_to_end, visit
from upwire.proxy import exchange
from upwire.proxy.exchange import PHASES, Handler, needed_plan, refuse_unknown_handler
from upwire.proxy.modules import (
    access,
    auth_basic,
    auth_request,
    limit_conn,
    limit_req,
    mirror,
    proxy,
    realip,
    stub_status,
    try_files,
)
from upwire.proxy.request import Handled, Outcome, Phase, Request


def answer(directives: str, request: str, folder: Path) -> tuple[int, bytes, dict[str, str]]:
    """Return what one request gets from a server with these directives."""

    async def run() -> tuple[int, bytes, dict[str, str]]:
        with cycle_of(LISTENING.format(directives=directives), folder) as cycle:
            got = await visit(cycle, request.encode("latin-1"))
            return got.status, got.content, got.fields

    return asyncio.run(run())


def status(directives: str, request: str, folder: Path) -> int:
    return answer(directives, request, folder)[0]


def test_the_phases_are_nginxs() -> None:
    assert [phase for phase, _ in PHASES] == list(Phase)


def met(directives: str) -> set[Handler]:
    zones = "limit_req_zone $uri zone=req:1m rate=1r/s; limit_conn_zone $uri zone=conn:1m;"
    config = http(f"{zones} server {{ location / {{ {directives} }} }}")
    plan = needed_plan(config.servers[0].locations[0].settings)
    assert [phase for phase, _ in plan] == list(Phase)
    return {handler for _, handlers in plan for handler in handlers}


@pytest.mark.parametrize(
    ("directives", "handler"),
    [
        ("set_real_ip_from 192.0.2.1;", realip.change_address),
        ("limit_req zone=req;", limit_req.check),
        ("limit_conn conn 1;", limit_conn.check),
        ("allow all;", access.check),
        ("auth_basic a; auth_basic_user_file users;", auth_basic.check),
        ("auth_request /auth;", auth_request.check),
        ("try_files /a /b;", try_files.choose),
        ("mirror /copy;", mirror.copy),
        ("fastcgi_pass 127.0.0.1:9000;", refuse_unknown_handler),
        ("proxy_pass http://127.0.0.1;", proxy.answer),
        ("stub_status;", stub_status.answer),
    ],
)
def test_a_handler_is_met_where_it_has_something_to_do(directives: str, handler: Handler) -> None:
    assert handler not in met("")
    assert met(directives) == {*met(""), handler}


@pytest.mark.parametrize("directives", ["return 200 x;", "return 404;", "mirror /copy;"])
def test_a_request_leaves_no_cycle_of_references(tmp_path: Path, directives: str) -> None:
    gc.collect()
    gc.disable()
    try:
        assert status(directives, "GET / HTTP/1.0\r\n\r\n", tmp_path)
        assert not any(type(one) is Request for one in gc.get_objects())
    finally:
        gc.enable()


def verdict(handled: Handled) -> Handler:
    """Return a handler of the access phase that always says so, with a challenge for 401."""

    async def check(request: Request) -> Handled:
        if handled == 401:
            request.added_fields.append(("WWW-Authenticate", "Basic"))
        return handled

    return check


@pytest.mark.parametrize(
    ("satisfy", "verdicts", "expected"),
    [
        ("all", [None, None], 200),
        ("all", [Outcome.ALLOWED, 403], 403),
        ("all", [403, Outcome.ALLOWED], 403),
        ("all", [401], 401),
        ("any", [403, Outcome.ALLOWED], 200),
        ("any", [401, Outcome.ALLOWED], 200),
        ("any", [None, Outcome.ALLOWED, 401], 200),
        ("any", [403, 401], 401),
        ("any", [401, 403], 401),
        ("any", [403, None], 403),
        ("any", [500, Outcome.ALLOWED], 500),
    ],
)
def test_satisfy(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    satisfy: str,
    verdicts: list[Handled],
    expected: int,
) -> None:
    handlers = tuple(verdict(handled) for handled in verdicts)
    phases = [(phase, handlers if phase is Phase.ACCESS else own) for phase, own in PHASES]
    monkeypatch.setattr(exchange, "PHASES", tuple(phases))
    (tmp_path / "html").mkdir()
    (tmp_path / "html" / "page").write_text("in")
    directives = f"satisfy {satisfy}; auth_delay 1ms;"
    got = answer(directives, "GET /page HTTP/1.0\r\n\r\n", tmp_path)
    assert got[0] == expected
    assert ("www-authenticate" in got[2]) == (expected == 401)
    log = (tmp_path / "error.log").read_text()
    assert ("delaying unauthorized request" in log) == (expected == 401)


@pytest.mark.parametrize(
    ("directives", "target", "expected"),
    [
        ("return 200 server; location / { return 200 location; }", "/", (200, b"server")),
        ("location / { return 200 location; }", "/", (200, b"location")),
        ("location / { return 200; }", "/", (200, b"")),
        ("location / { return 204; }", "/", (204, b"")),
        ("location / { return 404 'own words'; }", "/", (404, b"own words")),
        ("error_page 404 /other; location /other { return 200 other; }", "/x", (404, b"other")),
        ("error_page 404 = /other; location /other { return 200 other; }", "/x", (200, b"other")),
        ("error_page 404 =201 /other; location /other { return 200 x; }", "/x", (201, b"x")),
        ("error_page 404 @n; location @n { return 200 named; }", "/x", (404, b"named")),
        ("error_page 404 /other?q; location /other { return 200 $args; }", "/x", (404, b"q")),
        ("error_page 405 /o; location /o { return 200 $request_method; }", "/", (405, b"GET")),
    ],
)
def test_answers(tmp_path: Path, directives: str, target: str, expected: tuple[int, bytes]) -> None:
    method = "TRACE" if "405" in directives else "GET"
    request = f"{method} {target} HTTP/1.0\r\nHost: h\r\n\r\n"
    if method == "TRACE":
        request = request.replace("TRACE", "PUT").replace("/ ", "/index.html ")
    assert answer(directives, request, tmp_path)[:2] == expected


@pytest.mark.parametrize(
    ("directives", "expected"),
    [
        ("error_page 404 /missing; location / { return 404; }", 404),
        ("error_page 404 @gone;", 500),
        ("error_page 404 /a; recursive_error_pages on; location / { return 404; }", 500),
        (
            "error_page 500 /a; recursive_error_pages on; location / { return 500; }",
            500,
        ),
        (
            "error_page 500 =418 /e; location / { rewrite ^ / last; } location /e { return 200; }",
            418,
        ),
        ("location / { internal; return 200 x; }", 404),
        ("location / { fastcgi_pass 127.0.0.1:1; }", 501),
        ("client_max_body_size 1; location / { return 200 x; }", 413),
        ("client_max_body_size 0; location / { return 200 x; }", 200),
        ("error_page 404 https://example.test/; location / { return 404; }", 302),
        ("error_page 404 =301 https://example.test/; location / { return 404; }", 301),
    ],
)
def test_statuses(tmp_path: Path, directives: str, expected: int) -> None:
    request = "POST /x HTTP/1.0\r\nHost: h\r\nContent-Length: 2\r\n\r\nab"
    assert status(directives, request, tmp_path) == expected


def test_pages_for_bad_hosts(tmp_path: Path) -> None:
    directives = "error_page 400 /bad; location /bad { return 301 /x; }"
    got = answer(directives, "GET / HTTP/1.0\r\nHost: .\r\n\r\n", tmp_path)
    assert (got[0], got[2]["location"]) == (301, "http://127.0.0.1/x")


def test_a_redirect_with_a_page_of_its_own(tmp_path: Path) -> None:
    directives = "error_page 302 /own; location /own { return 200 own; } "
    directives += "location / { return 302 /a; } location /b { return 302 /c; } "
    got = answer(directives, "GET / HTTP/1.0\r\nHost: h\r\n\r\n", tmp_path)
    assert (got[:2], got[2]["location"]) == ((302, b"own"), "http://h/a")
    directives = "error_page 302 /b; location / { return 302 /a; } location /b { return 301 /c; }"
    got = answer(directives, "GET / HTTP/1.0\r\nHost: h\r\n\r\n", tmp_path)
    assert (got[0], got[2]["location"]) == (301, "http://h/c")


def test_no_content_in_an_error_s_place(tmp_path: Path) -> None:
    directives = "error_page 405 /none; location /none { return 204; } location / { return 405; }"
    got = answer(directives, "GET / HTTP/1.0\r\nHost: h\r\n\r\n", tmp_path)
    assert (got[:2], got[2]["content-length"]) == ((405, b""), "0")


def test_a_missing_slash_is_redirected(tmp_path: Path) -> None:
    directives = "location /a/ { proxy_pass http://127.0.0.1:1; }"
    for target, where in [("/a", "http://h/a/"), ("/a?q", "http://h/a/?q")]:
        request = f"GET {target} HTTP/1.0\r\nHost: h\r\n\r\n"
        code, _, fields = answer(directives, request, tmp_path)
        assert (code, fields["location"]) == (301, where)


def test_a_client_that_leaves_amid_its_answer(tmp_path: Path) -> None:
    make_files(tmp_path)
    (tmp_path / "www" / "big").write_bytes(b"x" * 5_000_000)

    async def run() -> None:
        with cycle_of(LISTENING.format(directives="root www;"), tmp_path) as cycle:
            one = Visit(cycle)
            one.client.write(b"GET /big HTTP/1.1\r\nHost: h\r\n\r\n")
            serving = asyncio.create_task(one.serve())
            await one.client.read(timeout_s=10)
            one.client.abort()
            await serving

    asyncio.run(run())
    assert "prematurely closed connection while sending" in (tmp_path / "error.log").read_text()
    assert '"GET /big HTTP/1.1" 200 ' in (tmp_path / "access.log").read_text()


def test_redirects_are_made_absolute(tmp_path: Path) -> None:
    request = "GET /x HTTP/1.0\r\n\r\n"
    for directives, where in [
        ("return 301 /y;", "http://127.0.0.1/y"),
        ("absolute_redirect off; return 301 /y;", "/y"),
        ("server_name n; server_name_in_redirect on; return 301 /y;", "http://n/y"),
        ("return 301 https://a/;", "https://a/"),
        ("return 302 /a$http_none;", "http://127.0.0.1/a"),
    ]:
        assert answer(directives, request, tmp_path)[2]["location"] == where
    assert "location" not in answer("return 301 '';", request, tmp_path)[2]


def test_a_connection_closed_without_an_answer(tmp_path: Path) -> None:
    async def run() -> bytes:
        with cycle_of(LISTENING.format(directives="return 444;"), tmp_path) as cycle:
            one = Visit(cycle)
            one.client.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            await one.serve()
            return await read_to_end(one.client)

    assert asyncio.run(run()) == b""
    assert '" 444 0 ' in (tmp_path / "access.log").read_text()


def test_what_a_server_adds(tmp_path: Path) -> None:
    request = "GET /x HTTP/1.1\r\nHost: h\r\n\r\nGET /x HTTP/1.0\r\n\r\n"
    directives = (
        "server_tokens off; keepalive_timeout 10 7; add_header X-A a$http_x;"
        " add_header X-N $http_n; add_header X-B b always;"
        " location / { return 404; } location /x { return 200 x; }"
    )
    fields = answer(directives, request, tmp_path)[2]
    assert fields["server"] == "upwire"
    assert (fields["connection"], fields["keep-alive"]) == ("keep-alive", "timeout=7")
    assert (fields["x-a"], fields["x-b"]) == ("a", "b")
    assert "x-n" not in fields
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT", fields["date"])
    fields = answer(directives, request.replace("/x", "/y"), tmp_path)[2]
    assert "x-a" not in fields
    assert fields["x-b"] == "b"


@pytest.mark.parametrize(
    ("request_text", "expected"),
    [
        ("GET /.. HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a..b\r\n\r\n", 400),
        ("get / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        ("TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", 405),
        ("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n", 405),
        ("CONNECT h HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: h\r\nIf-Range: a\r\nIf-Range: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: x\r\n\r\n", 501),
        ("GET /" + "x" * 9000 + " HTTP/1.1\r\nHost: h\r\n\r\n", 414),
        ("GET / HTTP/1.1\r\nHost: h\r\nX: " + "x" * 9000 + "\r\n\r\n", 400),
    ],
)
def test_requests_that_are_none(tmp_path: Path, request_text: str, expected: int) -> None:
    assert status("return 200 x;", request_text, tmp_path) == expected
    assert f'" {expected} ' in (tmp_path / "access.log").read_text()


def test_a_long_field_is_explained(tmp_path: Path) -> None:
    request = "GET / HTTP/1.1\r\nHost: h\r\nX: " + "x" * 9000 + "\r\n\r\n"
    assert b"Request Header Or Cookie Too Large" in answer("", request, tmp_path)[1]


HOPELESS = "~ ^/(a+)+$"


@pytest.mark.parametrize(
    ("http", "host"),
    [
        (f"server {{ listen 127.0.0.1:80; location {HOPELESS} {{ return 200; }} }}", "h"),
        ("server { listen 127.0.0.1:80; server_name ~^(a+)+$; }", "a" * 40 + "b"),
        (
            "map $uri $mapped { default x; ~^/(a+)+$ y; }"
            "server { listen 127.0.0.1:80; location / { return 500 $mapped; } }",
            "h",
        ),
    ],
)
def test_an_expression_that_finds_no_end(tmp_path: Path, http: str, host: str) -> None:
    async def inner() -> int:
        target = "/" + "a" * 40 + "b"
        with cycle_of(http, tmp_path) as cycle:
            return (
                await visit(cycle, f"GET {target} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
            ).status

    assert asyncio.run(inner()) == 500
    assert "[alert]" in (tmp_path / "error.log").read_text()


def test_cycles_of_redirects_end(tmp_path: Path) -> None:
    directives = "index /dir/; location / { root /; }"
    assert status(directives, "GET /dir/ HTTP/1.0\r\n\r\n", tmp_path) == 500
    assert "internal redirection cycle" in (tmp_path / "error.log").read_text()


# Files


def make_files(folder: Path) -> None:
    (folder / "www" / "dir" / "sub").mkdir(parents=True)
    (folder / "www" / "page.html").write_text("page")
    (folder / "www" / "dir" / "index.html").write_text("index")
    os.mkfifo(folder / "www" / "pipe")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/page.html", (200, b"page")),
        ("/dir/", (200, b"index")),
        ("/none", (404, None)),
        ("/page.html/x", (404, None)),
        ("/pipe", (404, None)),
        ("/dir/sub/", (403, None)),
        ("/none/", (404, None)),
        ("/" + "x" * 300, (404, None)),
        ("/dir", (301, None)),
    ],
)
def test_files(tmp_path: Path, target: str, expected: tuple[int, bytes | None]) -> None:
    make_files(tmp_path)
    code, content, _ = answer("root www;", f"GET {target} HTTP/1.0\r\n\r\n", tmp_path)
    assert code == expected[0]
    if expected[1] is not None:
        assert content == expected[1]


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("HEAD", "/page.html", 200),
        ("POST", "/page.html", 405),
        ("DELETE", "/page.html", 405),
        ("DELETE", "/dir/", 405),
    ],
)
def test_methods_on_files(tmp_path: Path, method: str, target: str, expected: int) -> None:
    make_files(tmp_path)
    request = f"{method} {target} HTTP/1.0\r\nContent-Length: 0\r\n\r\n"
    assert status("root www;", request, tmp_path) == expected


def test_aliases(tmp_path: Path) -> None:
    make_files(tmp_path)
    request = "GET /a/page.html HTTP/1.0\r\n\r\n"
    assert answer("location /a/ { alias www/; }", request, tmp_path)[1] == b"page"
    directives = r"location ~ ^/a/(.+)$ { alias www/$1; }"
    assert answer(directives, request, tmp_path)[1] == b"page"


def test_conditions_and_ranges_of_files(tmp_path: Path) -> None:
    make_files(tmp_path)

    async def run() -> None:
        with cycle_of(LISTENING.format(directives="root www;"), tmp_path) as cycle:
            whole = await get(cycle, "/page.html")
            etag = whole.fields["etag"]
            assert (await get(cycle, "/page.html", f"If-None-Match: {etag}")).status == 304
            assert (await get(cycle, "/page.html", 'If-Match: "x"')).status == 412
            part = await get(cycle, "/page.html", "Range: bytes=1-2")
            assert (part.status, part.content) == (206, b"ag")
            beyond = await get(cycle, "/page.html", "Range: bytes=9-")
            assert (beyond.status, beyond.fields["content-range"]) == (416, "bytes */4")

    asyncio.run(run())


def test_no_tag_where_it_is_off(tmp_path: Path) -> None:
    make_files(tmp_path)
    fields = answer("root www; etag off;", "GET /page.html HTTP/1.0\r\n\r\n", tmp_path)[2]
    assert "etag" not in fields


def test_what_is_not_found_may_stay_out_of_the_log(tmp_path: Path) -> None:
    make_files(tmp_path)
    directives = "root www; log_not_found off;"
    assert status(directives, "GET /none HTTP/1.0\r\n\r\n", tmp_path) == 404
    assert status(directives, "GET /none/ HTTP/1.0\r\n\r\n", tmp_path) == 404
    assert (tmp_path / "error.log").read_text() == ""


def test_the_status_of_nginx(tmp_path: Path) -> None:
    text = answer("stub_status;", "GET / HTTP/1.0\r\n\r\n", tmp_path)[1].decode()
    assert text.startswith("Active connections: 1 \nserver accepts handled requests\n 1 1 1 \n")
    assert status("stub_status;", "PUT / HTTP/1.0\r\nContent-Length: 0\r\n\r\n", tmp_path) == 405


PAGES = """
    location /text { return 200 text; }
    location /sub/ { sub_filter a b; sub_filter_types *; alias %s/html/; }
    location /ssi/ { ssi on; ssi_types *; alias %s/html/; }
    location /bare/ { types { } default_type ""; alias %s/html/; }
    location /gone { error_page 410 /page.html; return 410; }
    location /status { error_page 410 /shown; return 410; }
    location /shown { return 200 $status; }
    charset utf-8;
    location = /moved { return 301 /; }
"""


@pytest.mark.parametrize(
    ("target", "field", "status", "present", "absent"),
    [
        ("/text", "If-Match: x", 412, "content-type", "last-modified"),
        ("/text", "If-None-Match: *", 304, "server", "content-length"),
        ("/text", "If-None-Match: x", 200, "content-type", "etag"),
        ("/bare/page.html", "X: 1", 200, "last-modified", "content-type"),
        ("/gone", "X: 1", 410, "etag", "last-modified"),
        ("/page.html", "If-None-Match: *", 304, "etag", "content-type"),
        ("/sub/page.html", "If-None-Match: *", 304, "server", "etag"),
        ("/ssi/page.html", "If-None-Match: *", 304, "server", "last-modified"),
    ],
)
def test_fields_of_answers(
    target: str, field: str, status: int, present: str, absent: str, tmp_path: Path
) -> None:
    (tmp_path / "html").mkdir()
    (tmp_path / "html" / "page.html").write_text("page")
    request = f"GET {target} HTTP/1.0\r\nHost: h\r\n{field}\r\n\r\n"
    got, _, fields = answer(PAGES.replace("%s", str(tmp_path)), request, tmp_path)
    assert (got, present in fields, absent in fields) == (status, True, False)


def test_the_status_is_what_error_page_answers(tmp_path: Path) -> None:
    request = "GET /status HTTP/1.0\r\nHost: h\r\n\r\n"
    assert answer(PAGES.replace("%s", str(tmp_path)), request, tmp_path)[:2] == (410, b"410")


def test_a_redirect_has_no_charset(tmp_path: Path) -> None:
    request = "GET /moved HTTP/1.0\r\nHost: h\r\n\r\n"
    _, _, fields = answer(PAGES.replace("%s", str(tmp_path)), request, tmp_path)
    assert fields["content-type"] == "text/html"


def test_a_head_that_trailers_would_follow_has_its_length(tmp_path: Path) -> None:
    request = "HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    directives = "add_trailer X y; location / { return 200 text; }"
    assert answer(directives, request, tmp_path)[2]["content-length"] == "4"
