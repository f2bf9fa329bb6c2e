"""Pages with server side includes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kit.nginx import Answer
from kit.proxy_site import LISTENING, cycle_of, get

ERROR = "[an error occurred while processing the directive]"
SITE = """
    ssi on;
    location /in { return 200 in:$args:$uri; }
    location /mixed/ { default_type text/html; return 200 'a<!--#echo var="uri" -->b'; }
    location /empty { return 200; }
    location /plain { ssi off; }
    location /cycle { default_type text/html; return 200 '<!--#include virtual="/cycle" -->'; }
    location /big { subrequest_output_buffer_size 3; }
"""


def ask(
    folder: Path, page: str, target: str = "/page.html", directives: str = "", method: str = "GET"
) -> Answer:
    (folder / "html" / "big").mkdir(parents=True, exist_ok=True)
    for name in ("page.html", "plain.html", "page.txt", "big/page.html"):
        (folder / "html" / name).write_text(page)

    async def run() -> Answer:
        with cycle_of(LISTENING.format(directives=SITE + directives), folder) as cycle:
            return await get(cycle, target, method=method)

    return asyncio.run(run())


def show(folder: Path, page: str, target: str = "/page.html", directives: str = "") -> str:
    return ask(folder, page, target, directives).content.decode()


@pytest.mark.parametrize(
    ("page", "content"),
    [
        ('x<!--#echo var="arg_a" -->x', "x<b>&ampx".replace("<b>&amp", "&lt;b&gt;")),
        ('x<!--#echo var="arg_a" encoding="none" -->x', "x<b>x"),
        ('x<!--#echo var="arg_a" encoding="url" -->x', "x%3Cb%3Ex"),
        ('<!--#echo var="arg_a" encoding="none" --><!--#echo var="arg_a" -->', "<b><b>"),
        ('<!--#echo var="arg_a" encoding="x" -->', "&lt;b&gt;"),
        ('<!--#echo var="none" -->', "(none)"),
        ('<!--#echo var="none" default="d" -->', "d"),
        ('<!--#echo var="arg_empty" -->', ""),
        ('<!--#set var="X" value="a$arg_a-${uri}\\$\\\'\\n" -->'
         '<!--#echo var="x" encoding="none"-->',
         "a<b>-/page.html$'\\n"),
        ('<!--#set var="x" value="$" -->', ERROR),
        ('<!--#include virtual="/in?q=1" -->', "in:q=1:/in"),
        ('<!--#include virtual="/%69n" -->', "in::/in"),
        ('<!--#include file="in" -->', "in::/in"),
        ('[<!--#include virtual="/mixed/x.html" wait="yes" -->]', "[a/mixed/x.htmlb]"),
        ('<!--#include virtual="/../in" -->', ERROR),
        ('<!--#include -->', ERROR),
        ('<!--#include virtual="/in" file="/in" -->', ERROR),
        ('<!--#include virtual="/in" set="a" stub="b" -->', ERROR),
        ('<!--#include virtual="/in" wait="x" -->', ERROR),
        ('<!--#include virtual="/in" stub="none" -->', ERROR),
        ('<!--#include virtual="/in" set="v" -->[<!--#echo var="v" -->]', "[in::/in]"),
        ('<!--#block name="b" -->stub<!--#echo var="uri"--><!--#endblock -->'
         '<!--#include virtual="/empty" stub="b" --><!--#include virtual="/in" stub="b" -->',
         "stub/page.htmlin::/in"),
        ('<!--#config errmsg="oops" --><!--#bogus -->', "oops"),
        ('<!--#config timefmt="%s" --><!--#if expr="$date_gmt = /^\\d+\\$/" -->y<!--#endif -->',
         "y"),
        ('<!--#config timefmt="T" --><!--#echo var="date_local" -->', "T"),
        ('<!--#config timefmt="T\0x" --><!--#echo var="date_gmt" -->', "T"),
        ("<!--#echo -->", ERROR),
        ('<!--#echo var="uri" x="y" -->', ERROR),
        ('<!--#echo var="' + "x" * 256 + '" -->', ERROR),
        ("<!--# -->", ERROR),
        ("a<!--", "a<!--"),
    ],
)  # fmt: skip
def test_pages(tmp_path: Path, page: str, content: str) -> None:
    assert show(tmp_path, page, "/page.html?a=<b>&empty=") == content


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("$arg_a", True),
        ("$arg_none", False),
        ("$arg_a = b", True),
        ("$arg_a != b", False),
        ("$arg_a=b", True),
        ("$arg_a = $arg_a", True),
        ("$arg_a = /^(?<x>.)\\$/", True),
        ("$arg_a != /^b\\$/", False),
        ("$arg_slash = \\/", True),
        ("$arg_slash = /", True),
        ("text", True),
        ("", False),
    ],
)
def test_conditions(tmp_path: Path, expression: str, holds: bool) -> None:
    page = f'<!--#if expr="{expression}" -->yes<!--#else -->no<!--#endif -->.'
    content = show(tmp_path, page, "/page.html?a=b&slash=/")
    assert content == ("yes." if holds else "no.")


@pytest.mark.parametrize("expression", ["$uri < a", "$uri = /(/", "$uri = /^(a+)+\\$/", "$"])
def test_expressions_that_are_none(tmp_path: Path, expression: str) -> None:
    target = "/page.html" if "+" not in expression else "/page.html?" + "a" * 40 + "b"
    page = f'<!--#if expr="{expression.replace("uri", "args")}" -->yes<!--#endif -->'
    assert ERROR in show(tmp_path, page, target)


def test_branches(tmp_path: Path) -> None:
    page = (
        '<!--#if expr="$arg_a" -->a<!--#elif expr="$arg_b" -->b<!--#elif expr="$arg_c" -->c'
        '<!--#else -->d<!--#echo var="arg_d" --><!--#bogus --><!--#endif -->.'
    )
    for args, content in [
        ("a=1&b=1", "a."),
        ("b=1&c=1", "b."),
        ("c=1", "c."),
        ("d=x", "dx" + ERROR + "."),
    ]:
        assert show(tmp_path, page, f"/page.html?{args}") == content


def test_captures(tmp_path: Path) -> None:
    page = (
        '<!--#if expr="$arg_a = /(.)(?<rest>.*)/" --><!--#echo var="1" --> <!--#echo var="rest" -->'
        ' <!--#echo var="9" --><!--#endif -->'
    )
    assert show(tmp_path, page, "/page.html?a=bcd") == "b cd (none)"


@pytest.mark.parametrize(
    "page", ["<!--#else -->", "<!--#endif -->", '<!--#elif expr="a" -->',
             '<!--#if expr="a" --><!--#if expr="a" -->',
             '<!--#if expr="a" --><!--#else --><!--#else -->']
)  # fmt: skip
def test_branches_out_of_place(tmp_path: Path, page: str) -> None:
    shown = show(tmp_path, page)
    assert shown == ("" if page.endswith("<!--#else --><!--#else -->") else ERROR)
    assert "SSI command" in (tmp_path / "error.log").read_text()


def test_silent_errors(tmp_path: Path) -> None:
    assert show(tmp_path, "x<!--#bogus -->x", directives="ssi_silent_errors on;") == "xx"


def test_a_cycle(tmp_path: Path) -> None:
    assert show(tmp_path, "", "/cycle") == ERROR


def test_an_error_has_the_stub_in_its_place(tmp_path: Path) -> None:
    page = '<!--#block name="b" -->stub<!--#endblock -->[<!--#include file="none" stub="b" -->]'
    assert show(tmp_path, page) == "[stub]"


def test_too_big_for_a_variable(tmp_path: Path) -> None:
    page = '<!--#include virtual="/in" set="v" -->[<!--#echo var="v" -->]'
    assert show(tmp_path, page, "/big/page.html") == "[]"
    assert "too big subrequest response" in (tmp_path / "error.log").read_text()


def test_what_has_no_commands(tmp_path: Path) -> None:
    page = '<!--#echo var="uri" -->'
    assert show(tmp_path, page, "/plain.html") == page
    assert show(tmp_path, page, "/page.txt") == page
    assert show(tmp_path, page, "/page.txt", "ssi_types *;") == "/page.txt"


def test_heads(tmp_path: Path) -> None:
    got = ask(tmp_path, "x")
    assert {"last-modified", "etag", "accept-ranges", "content-length"}.isdisjoint(got.fields)
    got = ask(tmp_path, "x", directives="ssi_last_modified on;")
    assert got.fields["etag"].startswith("W/")
    assert "last-modified" in got.fields
    assert "content-length" not in ask(tmp_path, "x", method="HEAD").fields


def test_a_block_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upwire.proxy.modules.ssi.BLOCK_OCTETS_MAX", 5)
    page = '<!--#block name="b" -->123<!--#echo var="uri" -->678<!--#endblock -->'
    page += '<!--#include virtual="/empty" stub="b" -->'
    assert show(tmp_path, page) == "123"
    assert (tmp_path / "error.log").read_text().count('too big block "b"') == 1
