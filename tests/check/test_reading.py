"""Which files are read, and what is made of those that cannot be."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from upwire.check import reading
from upwire.check.reading import expand, find_files, in_latin_1, on_disk, read, refuse_others
from upwire.errors import LocalProtocolError


def put(folder: Path, **files: str) -> None:
    """Write files; "__" in a name is a slash, "_" a dot."""
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def names(folder: Path, found: list[str]) -> list[str]:
    return [os.path.relpath(name, folder) for name in found]


def test_what_nginx_prints_is_read_by_its_own_names(tmp_path: Path) -> None:
    (tmp_path / "other.conf").write_text("server { }")
    (tmp_path / "printed").write_text(
        "nginx: configuration file /e/nginx.conf test is successful\n"
        "# configuration file /e/nginx.conf:\nevents { }\n"
        f"http {{ include mime.types; include conf.d/*; include {tmp_path}/other.conf; }}\n\n"
        "# configuration file /e/conf.d/a:\n\nserver { }\n\n"
        "# configuration file /e/conf.d/deeper/b:\nbroken\n"
    )
    found = read(str(tmp_path / "printed"))
    assert (found.path, found.is_dump, list(found.sources)) == (
        "/e/nginx.conf",
        True,
        ["/e/nginx.conf", "/e/conf.d/a"],
    )
    assert [os.path.basename(name) for name in found.unread] == ["other.conf"]
    (server,) = (one for one in found.tree.directives[1].block or () if one.name == "server")
    assert (server.file, server.line) == ("/e/conf.d/a", 2)


def test_a_file_is_itself(tmp_path: Path) -> None:
    assert find_files(str(tmp_path / "x")) == [str(tmp_path / "x")]
    assert find_files("-") == ["-"]
    assert find_files("x", str(tmp_path)) == [str(tmp_path / "x")]


def test_without_a_path_it_is_nginx_conf_or_the_system_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "DEFAULTS", ("nginx.conf", "other.conf"))
    with pytest.raises(LocalProtocolError, match=r"nginx\.conf nor .*other\.conf"):
        find_files(None, str(tmp_path))
    put(tmp_path, other_conf="")
    assert names(tmp_path, find_files(None, str(tmp_path))) == ["other.conf"]
    put(tmp_path, nginx_conf="")
    monkeypatch.chdir(tmp_path)
    assert find_files(None) == ["nginx.conf"]


def test_of_a_folder_it_is_nginx_conf_alone(tmp_path: Path) -> None:
    put(tmp_path, nginx_conf="", other_conf="")
    assert names(tmp_path, find_files(str(tmp_path))) == ["nginx.conf"]


def test_of_a_folder_without_it_each_part(tmp_path: Path) -> None:
    put(tmp_path, b_conf="", conf_d__a_conf="", conf_d__notes_txt="", x_py="")
    (tmp_path / "sites-enabled").mkdir()
    (tmp_path / "sites-enabled" / "site").touch()
    (tmp_path / "sites-enabled" / "site~").touch()
    found = names(tmp_path, find_files(str(tmp_path)))
    assert found == ["b.conf", "conf.d/a.conf", "sites-enabled/site"]
    assert names(tmp_path, find_files(str(tmp_path / "sites-enabled"))) == ["sites-enabled/site"]


def test_a_folder_of_other_things_is_nothing_to_judge(tmp_path: Path) -> None:
    with pytest.raises(LocalProtocolError, match=r"no nginx\.conf"):
        find_files(str(tmp_path))


def test_includes_are_followed(tmp_path: Path) -> None:
    put(tmp_path, nginx_conf="include p/*.conf;", p__a_conf="a;", p__b_conf="b;")
    found = read(str(tmp_path / "nginx.conf"))
    assert [line.name for line in found.tree.directives] == ["a", "b"]
    assert len(found.sources) == 3
    assert not found.unread


@pytest.mark.parametrize("folder", ["conf.d", "sites-enabled"])
def test_names_in_a_part_are_below_the_folder_of_nginx_conf(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "site").write_text("include snippets/x;")
    (tmp_path / "snippets").mkdir()
    (tmp_path / "snippets" / "x").write_text("a;")

    def directives(path: str) -> list[str]:
        return [line.name for line in read(path).tree.directives]

    assert directives(str(tmp_path / folder / "site")) == ["a"]
    monkeypatch.chdir(tmp_path)
    assert directives(f"{folder}/site") == ["a"]
    monkeypatch.chdir(tmp_path / folder)
    assert directives("site") == ["a"]


def test_a_prefix_is_where_names_are_below(tmp_path: Path) -> None:
    put(tmp_path, a__x="include y;", y="a;")
    assert not read(str(tmp_path / "a/x"), prefix=str(tmp_path)).unread
    assert read(str(tmp_path / "a/x")).unread


def test_texts_may_stand_for_files() -> None:
    found = read("x", instead={"x": "include y;", "y": "a;"})
    assert [line.name for line in found.tree.directives] == ["a"]


def make_missing(path: Path) -> None: ...


def make_folder(path: Path) -> None:
    path.mkdir()


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (make_missing, "No such file or directory"),
        (make_folder, "Is a directory"),
        (make_pipe, "not a regular file"),
    ],
)
@pytest.mark.parametrize("pattern", ["part", "p*t"])
def test_an_include_that_cannot_be_read_is_kept(
    make: Callable[[Path], None], reason: str, pattern: str, tmp_path: Path
) -> None:
    make(tmp_path / "part")
    put(tmp_path, nginx_conf=f"a; b {{ include {pattern}; }}")
    found = read(str(tmp_path / "nginx.conf"))
    if make is make_missing and pattern != "part":
        assert list(found.unread_includes()) == []
        return
    ((line, error),) = found.unread_includes()
    assert (line.args, line.column, error.strerror) == ((pattern,), 8, reason)


@pytest.mark.parametrize(
    ("pattern", "is_unread"),
    [("absent/*.conf", True), ("there/*.conf", False), ("*.conf", False), ("ab*t/*.conf", False)],
)
def test_a_pattern_in_a_folder_that_is_not_here_is_unread(
    pattern: str, is_unread: bool, tmp_path: Path
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "x").write_text(f"include {pattern};")
    found = read(str(tmp_path / "x"))
    assert [line.args for line, _ in found.unread_includes()] == [(pattern,)] * is_unread


def test_what_comes_with_nginx_is_not_missed() -> None:
    found = read("x", instead={"x": "include mime.types; include /a/fastcgi_params; b;"})
    assert [line.name for line in found.tree.directives] == ["b"]
    assert not found.tree.faults.problems()
    assert not found.unread


def test_an_include_of_itself_is_not_unread() -> None:
    found = read("x", instead={"x": "include absent; include x;"})
    assert [line.args for line, _ in found.unread_includes()] == [("absent",)]


def test_names_that_no_file_can_have_are_missing() -> None:
    found = read("x", instead={"x": "include a\0b; include c;"})
    assert [error.strerror for _, error in found.unread_includes()] == [
        "No such file or directory",
        "No such file or directory",
    ]


def test_too_much_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_FILE_OCTETS_MAX", 4)
    monkeypatch.setattr(reading, "_FILES_MAX", 3)
    texts = {"x": "include b;include l;include b;include b;", "b": "a;"}
    big = tmp_path / "l"
    big.write_text("12345")
    texts["x"] = texts["x"].replace("l;", f"{big};")
    found = read("x", instead=texts)
    assert [line.name for line in found.tree.directives] == ["a", "include", "include", "include"]


def test_what_cannot_be_read_itself_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(LocalProtocolError, match="No such file"):
        read(str(tmp_path / "x"))


@pytest.mark.parametrize(
    ("text", "is_nginx"),
    [
        ("", True),
        ("location / {\n  proxy_pass http://b\n}\n", True),
        ("proxy_pass http://b", True),
        ("map $a $b {\n" + "  x 1;\n" * 9 + "  y\n}\nserver {\n", True),
        ("bind 127.0.0.1\nport 6379\n# timeout 0\n", False),
        ("service imap {\n  vsz_limit = 1G\n}\n", False),
        ("\x7fELF\x02\x01\0\0;{", False),
        ("{ }\n", False),
    ],
)
def test_what_is_nginx_s_is_told_from_what_is_not(text: str, is_nginx: bool) -> None:
    reading = read("f", instead={"f": text})
    assert reading.is_nginx is is_nginx
    if is_nginx:
        assert refuse_others([reading]) == [reading]
    else:
        with pytest.raises(LocalProtocolError, match="f: this is no configuration of nginx"):
            refuse_others([reading])


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a;")))
    found = read("-")
    assert [line.name for line in found.tree.directives] == ["a"]
    assert found.sources == {"-": "a;"}


def test_names_keep_their_octets(tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xc3\xa9")
    assert on_disk(in_latin_1(name)) == name
    Path(name).touch()
    assert [on_disk(found) for found in expand(in_latin_1(str(tmp_path / "*")))] == [name]
