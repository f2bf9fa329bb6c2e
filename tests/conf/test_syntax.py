"""nginx.conf's text: words, statements, includes, and what is wrong with them."""

from __future__ import annotations

import pytest

from upwire.conf.syntax import INCLUDE_DEPTH_MAX, Directive, Faults, Position, Tree, load, parse
from upwire.errors import ConfigError, Problem


def _words(text: str) -> list[str]:
    """Return the arguments of one directive."""
    tree = parse(f"x {text};")
    assert tree.faults.problems() == ()
    (directive,) = tree.directives
    return list(directive.args)


def _messages(tree: Tree) -> list[str]:
    return [problem.message for problem in tree.faults.problems()]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a b\tc\r\nd", ["a", "b", "c", "d"]),
        ("\"a b\" 'c d'", ["a b", "c d"]),
        ("\"a'b\" 'c\"d'", ["a'b", 'c"d']),
        (r'"a\"b" a\"b', ['a"b', 'a"b']),
        (r"\t\r\n\\ \d\;", ["\t\r\n\\", r"\d\;"]),
        (r"a\ b", [r"a\ b"]),
        ("a#b #c\nd", ["a#b", "d"]),
        ("a'b' c\"", ["a'b'", 'c"']),
        ("${a}b $a${b}", ["${a}b", "$a${b}"]),
        ("a}", ["a}"]),
        ('"a")b', ["a", ")b"]),
        ("\"\" ''", ["", ""]),
        ("$", ["$"]),
        ("é", ["é"]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert _words(text) == words


def test_a_word_may_start_with_an_escape() -> None:
    assert [directive.name for directive in parse(r"\; x;").directives] == [r"\;"]


def test_blocks_and_positions() -> None:
    tree = parse("a {\n  b  'c d' e; # f\n}\ng;\n", "nginx.conf")
    a, g = tree.directives
    assert a.block is not None
    (b,) = a.block
    assert (a.name, a.args, a.line, a.column, a.file) == ("a", (), 1, 1, "nginx.conf")
    assert (b.args, b.line, b.column, b.block) == (("c d", "e"), 2, 3, None)
    assert [(at.line, at.column) for at in b.arg_positions] == [(2, 6), (2, 12)]
    assert (b.end.line, b.end.column) == (2, 13)
    assert (a.end.line, a.end.column) == (3, 1)
    assert (g.line, g.column, g.position.order) == (4, 1, 24)


def test_an_include_stays_where_nothing_is_loaded() -> None:
    assert parse("include a;").directives[0].name == "include"


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("}", ['unexpected "}"']),
        ("a }", ['unexpected "}"']),
        ("a { b }", ['unexpected "}"']),
        (";", ['unexpected ";"']),
        ("{", ['unexpected "{"']),
        ("a", ['unexpected end of file, expecting ";" or "}"']),
        ('a "b', ['unexpected end of file, expecting ";" or "}"']),
        ("a 'b\\", ['unexpected end of file, expecting ";" or "}"']),
        ("a b\\", ['unexpected end of file, expecting ";" or "}"']),
        ('a "b"', ['unexpected end of file, expecting ";" or "}"']),
        ("a {", ['unexpected end of file, expecting "}"']),
        ("a { b", ['unexpected end of file, expecting ";" or "}"']),
        ('a "b"c; }', ['unexpected "c"']),
        ('a { b "c"}', ['unexpected "}"']),
        ("}\n;\n}", ['unexpected "}"', 'unexpected ";"', 'unexpected "}"']),
    ],
)
def test_faults(text: str, messages: list[str]) -> None:
    assert _messages(parse(text)) == messages


def test_what_stands_before_a_fault_is_kept() -> None:
    tree = parse('a;\nb { c; d "e"f; }\n')
    assert [directive.name for directive in tree.directives] == ["a", "b"]
    assert [directive.name for directive in tree.directives[1].block or ()] == ["c"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x" * 4095 + ";", ""),
        ("x" * 4096 + ";", 'too long parameter "xxxxxxxxxx..." started'),
        ("'" + "x" * 4094 + "';", ""),
        ("'" + "x" * 4095 + "';", 'too long parameter "xxxxxxxxxx..." started'),
        (
            "'" + "x" * 4096 + "';",
            'too long parameter, probably missing terminating "\'" character',
        ),
        ("#" + "x" * 4094 + "\n", ""),
        ("#" + "x" * 4095 + "\n", 'too long parameter "#xxxxxxxxx..." started'),
        ("#" + "x" * 4095, ""),
    ],
)
def test_words_and_comments_have_a_greatest_length(text: str, message: str) -> None:
    assert _messages(parse(text)) == ([message] if message else [])


def test_blocks_have_a_greatest_depth() -> None:
    assert _messages(parse("a {" * 64 + "}" * 64)) == []
    assert _messages(parse("a {" * 65 + "}" * 65)) == ["blocks are nested deeper than 64"]


def _load(files: dict[str, str], *, parameters: str = "") -> Tree:
    def read(name: str) -> bytes:
        if name.endswith("/"):
            raise IsADirectoryError(21, "Is a directory")
        if name not in files:
            raise FileNotFoundError(2, "No such file or directory")
        return files[name].encode()

    def glob(pattern: str) -> list[str]:
        start = pattern.partition("*")[0]
        return [name for name in sorted(files, reverse=True) if name.startswith(start)]

    return load("/etc/nginx.conf", read, glob, parameters=parameters)


def _flat(directives: tuple[Directive, ...]) -> list[tuple[str, str, int]]:
    found = []
    for directive in directives:
        found.append((directive.name, directive.file, directive.line))
        found += _flat(directive.block or ())
    return found


def test_includes_stand_in_the_place_of_their_directive() -> None:
    tree = _load(
        {
            "/etc/nginx.conf": "a { include b.conf;\n c; }\ninclude /etc/d*;",
            "/etc/b.conf": "b;\n\nb;",
            "/etc/d2": "d2;",
            "/etc/d1": "d1 {}",
        }
    )
    assert _messages(tree) == []
    assert _flat(tree.directives) == [
        ("a", "/etc/nginx.conf", 1),
        ("b", "/etc/b.conf", 1),
        ("b", "/etc/b.conf", 3),
        ("c", "/etc/nginx.conf", 2),
        ("d1", "/etc/d1", 1),
        ("d2", "/etc/d2", 1),
    ]


def test_a_file_may_be_included_twice_but_not_by_itself() -> None:
    twice = _load({"/etc/nginx.conf": "include a; include a;", "/etc/a": "a;"})
    assert (len(twice.directives), _messages(twice)) == (2, [])
    itself = _load({"/etc/nginx.conf": "include a;", "/etc/a": "a; include nginx.conf;"})
    assert _messages(itself) == [
        '"/etc/nginx.conf" includes itself: /etc/nginx.conf -> /etc/a -> /etc/nginx.conf'
    ]


def test_a_chain_of_includes_ends() -> None:
    chain = {f"/etc/{number}": f"include {number + 1};" for number in range(500)}
    tree = _load({"/etc/nginx.conf": "include 0; last;", **chain})
    assert _messages(tree) == [f"includes are nested deeper than {INCLUDE_DEPTH_MAX}"]
    assert tree.directives[-1].name == "last"


def test_what_cannot_be_opened() -> None:
    tree = _load({"/etc/nginx.conf": "include a;\ninclude b/;\ninclude none*;"})
    assert tree.faults.problems() == (
        Problem('open() "/etc/a" failed (2: No such file or directory)', "/etc/nginx.conf", 1, 9),
        Problem('pread() "/etc/b/" failed (21: Is a directory)', "/etc/nginx.conf", 2, 9),
    )
    assert _messages(_load({})) == [
        'open() "/etc/nginx.conf" failed (2: No such file or directory)'
    ]


def test_without_glob_a_pattern_is_a_name() -> None:
    tree = load("nginx.conf", {"nginx.conf": b"include *;", "*": b"a;"}.__getitem__)
    assert [directive.name for directive in tree.directives] == ["a"]


def test_an_include_with_two_names_stays() -> None:
    assert _load({"/etc/nginx.conf": "include a b;"}).directives[0].name == "include"


def test_faults_of_several_files_come_in_the_order_of_reading() -> None:
    tree = _load(
        {"/etc/nginx.conf": "; include a;\n; include b;\n;", "/etc/a": "\n\n\n;", "/etc/b": ";"}
    )
    places = [(problem.file, problem.line) for problem in tree.faults.problems()]
    assert places == [
        ("/etc/nginx.conf", 1),
        ("/etc/a", 4),
        ("/etc/nginx.conf", 2),
        ("/etc/b", 1),
        ("/etc/nginx.conf", 3),
    ]


def test_directives_of_the_command_line_come_first() -> None:
    tree = _load({"/etc/nginx.conf": "b;"}, parameters="a;")
    assert _flat(tree.directives) == [("a", "command line", 1), ("b", "/etc/nginx.conf", 1)]
    cut = _load({"/etc/nginx.conf": ""}, parameters="a")
    assert _messages(cut) == ['unexpected end of parameter, expecting ";"']


def test_text_is_octets() -> None:
    tree = _load({"/etc/nginx.conf": "a é é;"})
    assert tree.directives[0].args == ("é".encode().decode("latin-1"),) * 2
    assert tree.directives[0].arg_positions[1].column == 6


class TestFaults:
    here = Position("f", 1, 2, 5)

    def test_messages_are_readable(self) -> None:
        faults = Faults()
        faults.add('unknown directive "é"'.encode().decode("latin-1"), self.here)
        assert faults.problems()[0].message == 'unknown directive "é"'

    def test_what_has_no_place_comes_last_and_nothing_twice(self) -> None:
        faults = Faults()
        faults.add("without")
        faults.add("with", self.here)
        faults.add("with", self.here)
        assert [problem.message for problem in faults.problems()] == ["with", "without"]

    def test_a_place_is_given_to_an_error(self) -> None:
        faults = Faults()
        faults.add_error(ConfigError([Problem("a"), Problem("b", severity="warn")]), self.here)
        assert [str(problem) for problem in faults.problems()] == [
            "[emerg] a in f:1:2",
            "[warn] b in f:1:2",
        ]

    def test_a_stretch_can_be_forgotten(self) -> None:
        faults = Faults()
        for order in (4, 5, 6, 7):
            faults.add(str(order), Position("f", 1, order, order))
        faults.drop_between(Position("f", 1, 4, 4), Position("f", 1, 6, 6))
        assert [problem.message for problem in faults.problems()] == ["4", "7"]
