"""What nginx would refuse."""

from __future__ import annotations

import pytest

from kit.check_site import judge_text, messages, told


def test_a_near_miss_is_an_error() -> None:
    verdict = judge_text("events {}\nhttp {\n proxy_read_timout 5s;\n}\n")
    assert told(verdict) == ["3:2 F87 error"]
    assert verdict.findings[0].mend == "proxy_read_timeout is meant?"


@pytest.mark.parametrize("first", ["events {}", "# ours"])
def test_a_byte_order_mark_is_an_error(first: str) -> None:
    verdict = judge_text(f"\xef\xbb\xbf{first}\nhttp {{ }}\n")
    assert told(verdict)[0] == "1:1 F87 error"
    assert "byte order mark" in verdict.findings[0].message


@pytest.mark.parametrize(
    "line",
    [
        *("lua_package_path x;", "vod hls;", "more_set_headers x;", "brotli on;", "geoip2 x { }"),
        *("geoip2_proxy x;", "access_by_lua_block { }", "proxy_cache_purge x;", "js_import x;"),
    ],
)
def test_other_modules_are_no_finding(line: str) -> None:
    assert told(judge_text(f"events {{}}\nhttp {{ server {{\n{line}\n}} }}\n")) == []


def test_a_part_is_where_what_is_known_of_it_belongs() -> None:
    other = "more_set_headers x;"
    part = f"rewrite ^ /a;\nlocation /a {{ {other} location /a/b {{ {other} }} {other} }}\n"
    assert told(judge_text(part)) == []


@pytest.mark.parametrize(
    ("nginx", "found"), [("1.25.0", []), ("1.25.1", ["2:1 F87 error"]), (None, ["2:1 F87 note"])]
)
def test_a_directive_that_was_taken_out_is_told_with_what_is_written_since(
    nginx: str | None, found: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("upwire.check.verdict.target_version", lambda *_, **__: _version(nginx))
    verdict = judge_text("server {\nssl on; listen 443; }\n")
    assert told(verdict) == found
    assert [one.mend for one in verdict.findings] == [
        "ssl behind the port: listen 443 ssl;" for _ in found
    ]


def _version(text: str | None) -> tuple[int, ...] | None:
    return None if text is None else tuple(map(int, text.split(".")))


def test_what_came_later_is_told_with_what_is_written_before() -> None:
    verdict = judge_text("server {\nhttp2 on; listen 443 ssl; }\n")
    assert told(verdict) == ["2:1 F87 error"]
    assert verdict.findings[0].mend == "listen 443 ssl http2; before nginx 1.25.1"


def test_an_unknown_name_is_a_note() -> None:
    verdict = judge_text("server { quantum_flux on; location / { root /x; } }")
    assert told(verdict) == ["1:10 F87 note"]


def test_the_keys_of_a_map_are_no_directives() -> None:
    assert told(judge_text("map $host $x { proxy_read_timout 1; default 0; }")) == []


def test_what_an_unknown_module_may_have_defined_is_not_missed() -> None:
    text = "events {}\nhttp {\n brotli on;\n log_format x $brotli_ratio;\n}\n"
    assert told(judge_text(text)) == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("proxy_set_header X $nothing;", "3:20 F87 error"),
        ("proxy_set_header X $connection_upgrade;", "3:20 F08 error"),
        ("map $a $b { }", "3:1 F08 error"),
        ("gzip maybe;", "3:6 F87 error"),
        ("listen 1 2;", "3:10 F87 error"),
    ],
)
def test_nginx_s_own_words_in_a_whole_file(line: str, found: str) -> None:
    text = f"events {{}}\nhttp {{ server {{\n{line}\nlocation / {{ }} }} }}\n"
    assert told(judge_text(text)) == [found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("server {\n gzip maybe;\n}\n", ["2:7 F87 error"]),
        ("location / {\n listen 80;\n}\n", ["2:2 F87 error"]),
        ("gzip on\n", ["2:1 F87 error"]),
        ("server { location / { root $nothing; } }\n", []),
        ("proxy_set_header X $x;\n", []),
        ("upstream a { server b; }\nserver { listen 1; proxy_pass a; }\n", []),
        ("server b:80;\n", []),
        ("worker_processes 4;\n", []),
        ("server { listen ${PORT}; gzip {{ gzip }}; }\n", ["1:17 - note"]),
        ("server {\n{% if x %}\ngzip on;\n{% else %}\ngzip off;\n{% endif %}\n", ["2:1 - note"]),
    ],
)
def test_a_part_is_judged_for_what_it_shows(text: str, expected: list[str]) -> None:
    assert told(judge_text(text)) == expected


@pytest.mark.parametrize(("nginx", "expected"), [("1.22", ["1:10 F87 error"]), ("1.26", [])])
def test_what_is_too_new_is_told_where_the_version_is_known(
    nginx: str, expected: list[str]
) -> None:
    assert told(judge_text("server { http2 on; location / { } }", nginx=nginx)) == expected


def test_a_fault_without_a_place_is_told_at_the_top() -> None:
    verdict = judge_text("http { }")
    assert messages(verdict) == ['no "events" section in configuration']
    assert told(verdict) == ["1:1 F87 error"]


def test_what_a_rule_says_is_not_said_again() -> None:
    text = "events {}\nhttp { server { location /ws {\nproxy_pass ws://127.0.0.1:1;\n} } }\n"
    assert [one for one in told(judge_text(text)) if "F38" in one or "F87" in one] == [
        "3:1 F38 error"
    ]


def test_includes_that_include_themselves_do_not_load() -> None:
    assert told(judge_text("a { include nginx.conf; }")) == ["1:1 F87 note", "1:13 F87 error"]
