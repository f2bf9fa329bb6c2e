"""Scripts of ngx_http_rewrite_module, run by requests."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kit.nginx import Answer, parse_answer
from kit.proxy_site import LISTENING, Visit, cycle_of, get

SHOW = "return 200 $uri:$args:$is_args;"


def ask(folder: Path, directives: str, target: str = "/a", *fields: str) -> Answer:
    async def run() -> Answer:
        with cycle_of(LISTENING.format(directives=directives), folder) as cycle:
            return await get(cycle, target, *fields)

    return asyncio.run(run())


def log(folder: Path) -> str:
    return (folder / "error.log").read_text()


@pytest.mark.parametrize(
    ("rules", "target", "content"),
    [
        ("rewrite ^/a /b;", "/a?x=1", "/b:x=1:?"),
        ("rewrite ^/a /b?;", "/a?x=1", "/b::"),
        ("rewrite ^/a /b?y=2;", "/a?x=1", "/b:y=2&x=1:?"),
        ("rewrite ^/a /b?y=2;", "/a", "/b:y=2:?"),
        ("rewrite ^/a /b?y=2?;", "/a?x=1", "/b:y=2:?"),
        ("rewrite ^/(.)(?<n>.) /$2$1?$n;", "/ab", "/ba:b:?"),
        ("rewrite ^/none /b;", "/a", "/a::"),
        ("rewrite ^ /b; rewrite ^/b /c;", "/a", "/c::"),
        ("rewrite ^ /b; break; rewrite ^ /c;", "/a", "/b::"),
        ("break; rewrite ^ /c;", "/a", "/a::"),
        ("rewrite ^/a$ /b last; rewrite ^ /c;", "/a", "/b::"),
        ("rewrite ^ /b?$arg_x$args;", "/a?x=1", "/b:1x=1&x=1:?"),
        ("rewrite ^/(.*)$ /b?q=$1?;", "/a%26b", "/b:q=a%26b:?"),
        ("rewrite ^/(.*)$ /b/$1?;", "/a%26b", "/b/a&b::"),
        ("rewrite ^/(.*)$ /b?q=$1?;", "/a&b", "/b:q=a&b:?"),
        ("set $args new; ", "/a?x", "/a:new:?"),
    ],
)
def test_paths(tmp_path: Path, rules: str, target: str, content: str) -> None:
    directives = f"{rules} location / {{ {SHOW} }}"
    assert ask(tmp_path, directives, target).content.decode() == content


@pytest.mark.parametrize(
    ("rule", "target", "status", "where"),
    [
        ("rewrite ^ http://b/;", "/a?x", 302, "http://b/?x"),
        ("rewrite ^ http://b/?y;", "/a?x", 302, "http://b/?y&x"),
        ("rewrite ^ http://b/?;", "/a?x", 302, "http://b/"),
        ("rewrite ^ https://b/ last;", "/a", 302, "https://b/"),
        ("rewrite ^ $scheme://b/;", "/a", 302, "http://b/"),
        ("rewrite ^ /b redirect;", "/a", 302, "http://h/b"),
        ("rewrite ^ /b permanent;", "/a", 301, "http://h/b"),
        ("rewrite ^(.*) http://b$1;", "/a%20b%41%3F%41", 302, "http://b/a%20bA?A"),
        ("rewrite ^ http://b/%41?%41;", "/a", 302, "http://b/A?%41"),
    ],
)
def test_redirects(tmp_path: Path, rule: str, target: str, status: int, where: str) -> None:
    for directives in (rule, f"location / {{ {rule} }}"):
        got = ask(tmp_path, directives, target)
        assert (got.status, got.fields["location"]) == (status, where)


def test_a_new_path_finds_its_location(tmp_path: Path) -> None:
    directives = """
        location / { rewrite ^ /b last; return 500; }
        location /b { internal; return 200 b; }
        location /stay { rewrite ^ /b break; root none; }
        location /on { rewrite ^ /b; rewrite ^ /c; break; root none; }
        location /next { rewrite ^ /b; set $x 1; }
    """
    for target, status in [("/a", 200), ("/next", 200), ("/stay", 404), ("/on", 404)]:
        assert ask(tmp_path, directives, target).status == status


def test_a_cycle_ends(tmp_path: Path) -> None:
    assert ask(tmp_path, "location / { rewrite ^ /a last; }").status == 500
    assert "rewrite or internal redirection cycle" in log(tmp_path)


def test_a_path_of_nothing(tmp_path: Path) -> None:
    assert ask(tmp_path, "rewrite ^ $http_none;").status == 500
    assert "the rewritten URI has a zero length" in log(tmp_path)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("($arg_q)", True),
        ("($arg_zero)", False),
        ("($arg_none)", False),
        ("($arg_q = yes)", True),
        ("($arg_q = $arg_q)", True),
        ("($arg_q != yes)", False),
        ("($arg_q ~ ^y)", True),
        ("($arg_q ~ ^Y)", False),
        ("($arg_q ~* ^Y)", True),
        ("($arg_q !~ ^n)", True),
        ("($arg_q !~* ^Y)", False),
        ("(-f $document_root/file)", True),
        ("(-f $document_root)", False),
        ("(!-f $document_root)", True),
        ("(-d $document_root)", True),
        ("(-d $document_root/file)", False),
        ("(-e $document_root/file)", True),
        ("(-e $document_root/none)", False),
        ("(!-e $document_root/file/none)", True),
        ("(-x $document_root/file)", False),
        ("(!-x $document_root)", False),
        (
            "(-f $document_root/$request_id$request_id$request_id$request_id$request_id"
            "$request_id$request_id$request_id$request_id)",
            False,
        ),
    ],
)
def test_conditions(tmp_path: Path, condition: str, holds: bool) -> None:
    (tmp_path / "html").mkdir()
    (tmp_path / "html" / "file").write_text("")
    for directives in (
        f"if {condition} {{ return 200 yes; }} return 200 no;",
        f"location / {{ if {condition} {{ return 200 yes; }} return 200 no; }}",
    ):
        got = ask(tmp_path, directives, "/a?q=yes&zero=0")
        assert got.content == (b"yes" if holds else b"no")


def test_an_if_has_settings_of_its_own(tmp_path: Path) -> None:
    directives = """
        add_header X outer;
        location / {
            if ($arg_a) { add_header X a; }
            if ($arg_b) { add_header X b; }
            return 200 $uri;
        }
    """
    for target, value in [("/", "outer"), ("/?a=1", "a"), ("/?a=1&b=1", "b")]:
        assert ask(tmp_path, directives, target).fields["x"] == value


def test_captures_of_conditions(tmp_path: Path) -> None:
    directives = """
        location / {
            if ($uri ~ "^/(.)(?<rest>.*)") { set $first $1; }
            return 200 $first-$rest-$1;
        }
    """
    assert ask(tmp_path, directives, "/a%26").content == b"a-&-a"
    directives = 'if ($uri ~ "^/(.*)") { set $x $1; } rewrite ^/none /; return 200 $x-$1;'
    assert ask(tmp_path, directives, "/a%26").content == b"a%26-"


def test_variables_that_were_never_set(tmp_path: Path) -> None:
    directives = "if ($arg_x) { set $y 1; } location / { return 200 <$y$y>; }"
    assert ask(tmp_path, directives).content == b"<>"
    assert log(tmp_path).count('using uninitialized "y" variable') == 1
    directives += "uninitialized_variable_warn off;"
    assert ask(tmp_path, directives).content == b"<>"
    assert log(tmp_path).count('using uninitialized "y" variable') == 1


def test_the_log_of_rewrites(tmp_path: Path) -> None:
    directives = "rewrite_log on; rewrite ^/a /b; rewrite ^/none /; rewrite ^/b /c redirect;"
    assert ask(tmp_path, directives).status == 302
    for line in (
        '[notice] 1#1: *7 "^/a" matches "/a"',
        'rewritten data: "/b", args: ""',
        '"^/none" does not match "/b"',
        'rewritten redirect: "/c"',
    ):
        assert line.removeprefix("[notice] 1#1: *7 ") in log(tmp_path)


def test_limit_except(tmp_path: Path) -> None:
    directives = """
        location / {
            limit_except GET { proxy_pass http://127.0.0.1:1; }
            root none;
        }
    """

    async def run(method: str) -> int:
        with cycle_of(LISTENING.format(directives=directives), tmp_path) as cycle:
            return (await get(cycle, "/x", method=method)).status

    statuses = [asyncio.run(run(method)) for method in ("GET", "HEAD", "DELETE")]
    assert statuses == [404, 404, 502]


def test_statuses_of_return(tmp_path: Path) -> None:
    for text, status, content in [
        ("204", 204, b""),
        ("200", 200, b""),
        ("403 'own words'", 403, b"own words"),
        ("200 $uri", 200, b"/a"),
    ]:
        got = ask(tmp_path, f"return {text};")
        assert (got.status, got.content) == (status, content)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"4\r\nabcd\r\n0\r\n\r\n", 200),
        (b"4\r\nabcde\r\n0\r\n\r\n", 400),
        (b"4\r\nabcd\r\n", 200),
        (b"4", 200),
    ],
)
def test_a_content_that_nobody_wants(tmp_path: Path, content: bytes, status: int) -> None:
    head = b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"

    async def run() -> Answer:
        with cycle_of(LISTENING.format(directives="return 200 x;"), tmp_path) as cycle:
            one = Visit(cycle)
            one.client.write(head + content)
            serving = asyncio.create_task(one.serve())
            received = await one.client.read(timeout_s=10)
            one.client.close()
            await serving
            return parse_answer(received)

    assert asyncio.run(run()).status == status
