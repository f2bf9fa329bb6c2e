"""What a user may write, and what is refused before it reaches a file."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upwire.conf.generate import values
from upwire.conf.generate.lines import quote
from upwire.conf.generate.values import Backend, Listen, Rate
from upwire.conf.syntax import parse

EVIL = ("", " ", "a b", "a\nb", "a;b", "a{b", "a}b", 'a"b', "a'b", "a\\b", "a$b", "a#b", "a\x00b")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("chat.example.com", "chat.example.com"),
        ("Chat.Example.COM", "chat.example.com"),
        ("*.example.com", "*.example.com"),
        ("my_chat", "my_chat"),
        ("192.0.2.1", "192.0.2.1"),
        ("a" * 63 + ".example", "a" * 63 + ".example"),
    ],
)
def test_hosts(text: str, name: str) -> None:
    assert values.parse_host(text) == name


@pytest.mark.parametrize(
    "text",
    [
        *EVIL,
        *("-a.example", "a-", "a..b", ".a", "a.", "*", "a.*.b", "bücher.example", "a" * 64),
        ".".join(["a" * 60] * 5),
    ],
)
def test_hosts_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="is no name such as"):
        values.parse_host(text)


@pytest.mark.parametrize(
    ("text", "backend", "address"),
    [
        ("127.0.0.1:8080", Backend("127.0.0.1", 8080), "127.0.0.1:8080"),
        ("localhost:80", Backend("127.0.0.1", 80), "127.0.0.1:80"),
        ("Chat:65535", Backend("chat", 65535), "chat:65535"),
        ("[::1]:8080", Backend("::1", 8080), "[::1]:8080"),
        ("unix:/run/my app.sock", Backend(socket="/run/my app.sock"), "unix:/run/my app.sock"),
    ],
)
def test_backends(text: str, backend: Backend, address: str) -> None:
    assert values.parse_backend(text) == backend
    assert backend.address == address


@pytest.mark.parametrize(
    "text",
    [
        *EVIL,
        *("8080", ":8080", "a:", "a:0", "a:65536", "a:+1", "a:8080/ws", "http://a:8080", "a b:1"),
        *("1.2.3:80", "1.2.3.256:80", "::1:80", "[::1%eth0]:80", "[x]:80", "a:٣", "a;b:80"),
        *("*.a:80", "unix:", "unix:run/a.sock", "unix:/a:b", "unix:/a$b", "unix:/" + "a" * 107),
        "a" * 254 + ":1",
    ],
)
def test_backends_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"^backend "):
        values.parse_backend(text)


def test_which_backends_have_a_name() -> None:
    texts = ("chat:1", "127.0.0.1:1", "[::1]:1", "unix:/run/a")
    assert [values.parse_backend(text).is_name for text in texts] == [True, False, False, False]


@pytest.mark.parametrize(
    ("text", "listen"),
    [
        ("8443", Listen("", 8443)),
        ("127.0.0.1:80", Listen("127.0.0.1", 80)),
        ("[::1]:80", Listen("[::1]", 80)),
    ],
)
def test_places_to_listen(text: str, listen: Listen) -> None:
    assert values.parse_listen(text) == listen


@pytest.mark.parametrize("text", [*EVIL, "0", ":80", "localhost:80", "80 ssl", "[::1]", "1.2.3.4"])
def test_places_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"^listen "):
        values.parse_listen(text)


@pytest.mark.parametrize(
    ("text", "path"),
    [("/", "/"), ("/ws", "/ws"), ("/ws/", "/ws"), ("/a/b.c~1@x:y", "/a/b.c~1@x:y")],
)
def test_paths(text: str, path: str) -> None:
    assert values.parse_path(text) == path


@pytest.mark.parametrize(
    "text", [*EVIL, "ws", "//", "/a//b", "/a/../b", "/.", "/a b", "/a?b", "/%20", "/a{b", "/é"]
)
def test_paths_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"^path "):
        values.parse_path(text)


@pytest.mark.parametrize("text", ["/srv/a", "/srv/my site", "/srv/a;b{}#c", "/srv/büro", "/"])
def test_files_are_one_word_of_a_configuration(text: str) -> None:
    path = values.parse_file(text, "file")
    conf = f"root {quote(path)};".encode().decode("latin-1")
    (line,) = parse(conf).directives
    assert [arg.encode("latin-1") for arg in line.args] == [text.encode()]


@pytest.mark.parametrize(
    "text", ["", "srv", "/a'b", '/a"b', "/a\\b", "/a$b", "/a\nb", "/a\x7f", "/a\udcff"]
)
def test_files_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"^folder .* is no absolute path"):
        values.parse_file(text, "folder")


@pytest.mark.parametrize(
    ("text", "seconds", "written"),
    [
        ("1h", 3600, "1h"),
        ("90s", 90, "90s"),
        ("75", 75, "75s"),
        ("1h 30m", 5400, "90m"),
        ("2d", 172800, "2d"),
        ("75500ms", 75, "75s"),
    ],
)
def test_times(text: str, seconds: int, written: str) -> None:
    assert values.parse_idle(text) == seconds
    assert values.nginx_time(seconds) == written


@pytest.mark.parametrize("text", [*EVIL, "soon", "-1h", "60s", "74s", "366d", "1h;"])
def test_times_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"^idle "):
        values.parse_idle(text)


@pytest.mark.parametrize(
    ("text", "rate"),
    [("5", Rate(5, "s")), ("5r/s", Rate(5, "s")), ("30r/m", Rate(30, "m"))],
)
def test_rates(text: str, rate: Rate) -> None:
    assert values.parse_rate(text) == rate


@pytest.mark.parametrize("text", [*EVIL, "0", "5r/h", "5r", "-1", "100001", "1.5", "٣"])
def test_rates_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"^rate "):
        values.parse_rate(text)


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://Chat.example.com", "https://chat.example.com"),
        ("https://a.example:443", "https://a.example"),
        ("http://a.example:80", "http://a.example"),
        ("https://a.example:8443", "https://a.example:8443"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("chrome-extension://abcdef", "chrome-extension://abcdef"),
    ],
)
def test_origins(text: str, origin: str) -> None:
    assert values.parse_origin(text) == origin


@pytest.mark.parametrize(
    "text",
    [*EVIL, "a.example", "https://", "https://a/", "https://a:0", "https://a:x", "null", "*"],
)
def test_origins_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"^origin "):
        values.parse_origin(text)


@pytest.mark.parametrize("text", ["127.0.0.53", "127.0.0.53:5353", "[::1]", "[::1]:53"])
def test_resolvers(text: str) -> None:
    assert values.parse_resolver(text) == text


@pytest.mark.parametrize("text", [*EVIL, "dns.example", "::1", "127.0.0.1:0", "127.0.0.1 ipv6=off"])
def test_resolvers_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"^resolver "):
        values.parse_resolver(text)


PARSERS: list[Callable[[str], object]] = [
    *(values.parse_host, values.parse_backend, values.parse_listen, values.parse_path),
    *(values.parse_idle, values.parse_rate, values.parse_origin, values.parse_resolver),
    lambda text: values.parse_file(text, "file"),
]


@given(st.text(), st.sampled_from(PARSERS))
def test_a_refusal_is_one_line_that_no_terminal_obeys(
    text: str, read: Callable[[str], object]
) -> None:
    try:
        read(text)
    except ValueError as error:
        refusal = str(error)
    else:
        return
    assert refusal.isprintable()
    assert json.dumps(text) in refusal
