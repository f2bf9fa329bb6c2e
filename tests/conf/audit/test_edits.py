"""Changes that mend a fault, as places and texts."""

from __future__ import annotations

from upwire.conf.audit.edits import insert_lines, replace_argument
from upwire.conf.audit.finding import Edit
from upwire.conf.syntax import parse

_LINE = parse("proxy_pass\n  http://a;\n", "a.conf").directives[0]


def test_lines_go_behind_the_end_of_a_directive() -> None:
    assert insert_lines(_LINE, ["a;", "b;"]) == (Edit("a.conf", 2, 12, "\na;\nb;"),)
    assert insert_lines(_LINE, []) == ()


def test_an_argument_is_replaced_where_it_stands() -> None:
    assert replace_argument(_LINE, 0, "http://b") == (
        Edit("a.conf", 2, 3, "http://b", replaces_word=True),
    )
    assert replace_argument(_LINE, 1, "x") == ()
