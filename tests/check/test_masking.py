"""What is not nginx's language is masked, and everything stays in its place."""

from __future__ import annotations

import pytest

from upwire.check.masking import mask


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("listen ${PORT};", "listen _______;"),
        ("listen ${PORT:-80};", "listen ___________;"),
        ("listen $PORT;", "listen _____;"),
        ("pass http://{{ host }}:80;", "pass http://__________:80;"),
        ("pass http://%%HOST%%:80;", "pass http://________:80;"),
        ("pass http://@HOST@:@PORT_1@;", "pass http://______:________;"),
        ("listen %ip%:%web_port%;", "listen ____:__________;"),
        ("pass <%= ENV['PORT'] %>;", "pass __________________;"),
        ("set $x <your name>;", "set $x ___________;"),
        ("pass http://<host>:<port>;", "pass http://______:______;"),
    ],
)
def test_a_value_becomes_a_word_of_its_length(text: str, masked: str) -> None:
    found = mask(text)
    assert found.text == masked
    assert [text[start:end] for start, end in found.holes] != []
    assert not found.has_statements


@pytest.mark.parametrize(
    "statement",
    [
        *("{% if tls %}", "{%- endfor -%}", "{# why #}", "<% if x %>"),
        *("{{ if .Tls }}", "{{- end }}", "{{/* why */}}", "{{#if x}}", "{{/if}}", "{{ $x := 1 }}"),
    ],
)
def test_a_statement_becomes_space(statement: str) -> None:
    found = mask(f"a;{statement}b;\n")
    assert found.text == f"a;{' ' * len(statement)}b;\n"
    assert found.has_statements


@pytest.mark.parametrize("placeholder", ["{{ extra }}", "%EXTRA%", "%%extra%%"])
def test_a_placeholder_alone_on_its_line_stands_for_lines(placeholder: str) -> None:
    found = mask(f"a;\n  {placeholder}\nb;\n")
    assert found.text == f"a;\n{' ' * (2 + len(placeholder))}\nb;\n"
    assert found.has_statements


@pytest.mark.parametrize(
    "text",
    [
        "proxy_set_header Host ${host};",
        "proxy_set_header Upgrade $http_upgrade;",
        "location ~ ^/[a-z]{2}$ { }",
        "set $BACKEND http://b; proxy_pass $BACKEND;",
        "map $host $BACKEND { }\nproxy_pass $BACKEND;",
        'return 200 \'{"a":{"b":1}}\';',
        "error_page 404 @A; location @A { } location ~ ^/@[A-Z]+@ { }",
        "{{ never closed",
        "# ${PORT} and {{ host }} are for compose",
        "rewrite /caf%C3%A9/%E2%82%AC/%C3%/50%off% /y;",
        "location ~ ^/(?<name>.*)$ { }",
        "return 200 '<p> a <b> c</b>';",
        "rewrite ^/(?<a>x)/ /y;",
    ],
)
def test_nginx_s_own_language_stays(text: str) -> None:
    found = mask(text)
    assert found.text == text
    assert found.holes == ()


@pytest.mark.parametrize(
    "lua",
    [
        "ngx.say('}')",
        'local a = {{1}, "}"}',
        "-- a comment with }\n",
        "--[[ } \n } ]]",
        "local s = [==[ } ]] ]==]",
        "if x then return { } end",
    ],
)
def test_lua_is_out_of_sight_whatever_its_braces(lua: str) -> None:
    before, after = "content_by_lua_block {", "}\nlisten 80;\n"
    blank = "".join(sign if sign == "\n" else " " for sign in lua)
    assert mask(before + lua + after).text == before + blank + after


def test_lua_sets_a_variable() -> None:
    text = "set_by_lua_block $x { return '}' } a;"
    assert mask(text).text == "set_by_lua_block $x {            } a;"


def test_lua_that_does_not_end_takes_the_rest() -> None:
    assert mask("init_by_lua_block { {\n} x").text == "init_by_lua_block {  \n   "


def test_lua_in_a_comment_is_no_lua() -> None:
    text = "# content_by_lua_block {\na { b; }\n"
    assert mask(text).text == text
