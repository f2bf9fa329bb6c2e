"""A live fault found again in the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from upwire.conf.audit.finding import Severity
from upwire.errors import LocalProtocolError
from upwire.probe.blame import hosts_at_start, place, read_version
from upwire.probe.evidence import Finding

CONF = """\
events {}
http { include site.conf; }
"""
SITE = """\
server {
    location /ws {
        proxy_pass http://127.0.0.1:8080;
    }
}
"""


def test_the_place_is_in_the_included_file(tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text(CONF)
    (tmp_path / "site.conf").write_text(SITE)
    found = Finding("F01", Severity.ERROR, "lost")
    (placed,) = place([found], str(tmp_path / "nginx.conf"), (1, 22, 1))
    assert [(Path(one.file).name, one.line, one.fault) for one in placed.places[:1]] == [
        ("site.conf", 3, "F01")
    ]


def test_a_fault_without_a_number_has_the_places_of_its_suspects(tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text(SITE)
    found = [Finding("", Severity.ERROR, "?", ("F01",)), Finding("", Severity.NOTE, "?")]
    suspected, nothing = place(found, str(tmp_path / "nginx.conf"), None)
    assert {one.fault for one in suspected.places} == {"F01"}
    assert nothing.places == ()


def test_a_fault_that_no_rule_finds_has_the_only_line_of_its_directive(tmp_path: Path) -> None:
    line = "proxy_set_header Upgrade $http_upgrade;"
    conf = tmp_path / "nginx.conf"
    conf.write_text(SITE.replace("proxy_pass", f"{line}\n        proxy_pass"))
    note = Finding("F11", Severity.NOTE, "odd handshakes get through")
    (placed,) = place([note], str(conf), None)
    assert [(one.line, one.message) for one in placed.places] == [(3, line.rstrip(";"))]
    conf.write_text(SITE.replace("proxy_pass", f"{line} {line} proxy_pass"))
    assert place([note], str(conf), None)[0].places == ()


def test_a_file_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(LocalProtocolError, match="No such file"):
        place([], str(tmp_path / "none"), None)


SHARED = """\
http {
    upstream app {
        server app.example:8080;
        server 127.0.0.1:1;
        server unix:/run/app;
        server new.example resolve;
        keepalive 8;
        ip_hash;
    }
    server {
        location / { proxy_pass http://app; }
        location /own { proxy_pass http://own.example:1/; }
        location /var { proxy_pass http://$host; }
        location /ws {
            proxy_pass http://app;
            proxy_set_header Upgrade $http_upgrade;
            access_log off;
        }
    }
}
"""


def test_what_only_the_file_shows_is_a_note(tmp_path: Path) -> None:
    conf = tmp_path / "nginx.conf"
    conf.write_text(SHARED)
    notes = {note.fault: note for note in place([], str(conf), (1, 22, 1))}
    assert {"F77", "F86"} <= set(notes)
    assert not {"F01", "F02", "F40"} & set(notes)  # these a case shows
    assert {note.severity for note in notes.values()} == {Severity.NOTE}
    assert notes["F86"].message == "only the file shows it: no tunnel is logged"
    assert [one.line for one in notes["F77"].places] == [8]


def test_names_that_nginx_resolves_at_its_start_are_known(tmp_path: Path) -> None:
    conf = tmp_path / "nginx.conf"
    conf.write_text(SHARED)
    found = hosts_at_start(str(conf))
    assert [(host, at.line, at.fault) for host, at in found.items()] == [
        ("app.example", 3, "F40"),
        ("own.example", 12, "F40"),
    ]


@pytest.mark.parametrize(
    ("server", "version"), [("nginx/1.22.1", (1, 22, 1)), ("nginx", None), ("", None)]
)
def test_the_version_is_the_server_s(server: str, version: tuple[int, int, int] | None) -> None:
    assert read_version(server) == version


def test_what_cannot_be_read_of_it_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text("events {} http { include missing.conf; server { }")
    (placed,) = place([Finding("F01", Severity.ERROR, "lost")], str(tmp_path / "nginx.conf"), None)
    assert placed.places == ()
