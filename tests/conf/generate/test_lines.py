"""Lines with their reasons above them."""

from __future__ import annotations

from upwire.conf.generate.lines import Block, Line, quote, render, wrap_comment


def test_lines_of_one_subject_stand_together_and_others_apart() -> None:
    entries: list[Line | Block] = [
        Line("a 1;", "Why a."),
        Line("b 2;"),
        Block("c", [Line("d 3;", "Why d.", "F40 known"), Line("e 4;", ignored="F24 too")]),
        Line("f 5;", "Why f."),
    ]
    assert render(entries) == (
        "# Why a.\na 1;\nb 2;\n\n"
        "c {\n    # Why d.\n    # upwire: ignore F40 known\n    d 3;\n"
        "    # upwire: ignore F24 too\n    e 4;\n}\n\n"
        "# Why f.\nf 5;\n"
    )


def test_a_block_may_have_a_reason() -> None:
    assert render([Block("a", [], "Why.")]) == "# Why.\na {\n}\n"


def test_comments_are_as_wide_as_a_page_and_break_no_word() -> None:
    lines = wrap_comment("word-word " * 30 + "x" * 120, "  ")
    assert all(line.startswith("  # ") for line in lines)
    assert [len(line) <= 100 for line in lines] == [True] * (len(lines) - 1) + [False]
    assert {word for line in lines[:-1] for word in line[4:].split()} == {"word-word"}


def test_only_what_needs_quotes_gets_them() -> None:
    assert quote("/srv/site") == "/srv/site"
    assert quote("/srv/my site") == '"/srv/my site"'


def test_a_command_in_a_comment_stays_one_line() -> None:
    command = "  certbot " + "-d name " * 20
    assert wrap_comment(f"Run:\n{command}\nand wait.") == ["# Run:", f"# {command}", "# and wait."]


def test_a_directive_goes_on_further_in() -> None:
    assert render([Block("a", [Line("b '1'\n'2';")])]) == "a {\n    b '1'\n        '2';\n}\n"
