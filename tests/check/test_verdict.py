"""All findings of a file in one order, and what could not be judged."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kit.check_site import judge_file, judge_text, messages, told
from upwire.check.verdict import offset_of
from upwire.conf.audit import Severity

CLASSIC = """\
events {}
http {
    server {
        location /ws {
            proxy_pass http://127.0.0.1:8080;
        }
    }
}
"""


def test_the_classic_case() -> None:
    verdict = judge_text(CLASSIC)
    assert told(verdict) == ["5:13 F01 error"]
    assert verdict.version == (1, 22, 999)
    assert verdict.count(Severity.ERROR) == 1
    assert verdict.count(Severity.NOTE) == 0


def test_findings_stand_in_the_order_of_the_files(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("proxy_read_timout 1;\nlisten 1 2;\n")
    (tmp_path / "a").write_text("http { proxi_pass x;\nserver { include b;\n} }\nevents {}\n")
    verdict = judge_file(tmp_path / "a")
    assert [(Path(one.at.file).name, one.at.line) for one in verdict.findings] == [
        ("a", 1),
        ("b", 1),
        ("b", 2),
    ]


def test_a_part_of_stream_is_not_judged_by_the_rules_for_http() -> None:
    assert told(judge_text("server { listen 1; proxy_pass 127.0.0.1:8080; }")) == []


def test_a_version_that_is_none_is_a_note() -> None:
    text = f"# upwire: nginx 7.7\n{CLASSIC}"
    named = judge_text(text)
    assert told(named) == ["6:13 F01 error"]
    verdict = judge_text(text, nginx=None)
    assert told(verdict)[0] == "1:1 - note"
    assert verdict.version is None


def test_what_could_not_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "here.pem").touch()
    (tmp_path / "nginx.conf").write_text(
        "events {}\nhttp {\ninclude absent;\nserver {\nssl_certificate here.pem;\n"
        "ssl_certificate_key absent.pem;\nssl_dhparam $x;\nssl_trusted_certificate data:x;\n} }\n"
    )
    verdict = judge_file(tmp_path / "nginx.conf")
    assert [one for one in told(verdict) if "-" in one] == ["3:1 - note", "6:1 - note"]
    assert "what absent holds was not judged: no such file or directory" in messages(verdict)
    assert "absent.pem is not here: whether it loads was not judged" in messages(verdict)


def test_a_file_that_is_not_here_is_told_once() -> None:
    text = "server {\n include absent;\n location / { include absent; root /x; }\n}\n"
    assert told(judge_text(text)) == ["2:2 - note"]


def test_a_file_that_we_may_not_look_for_is_no_note(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> os.stat_result:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "stat", refuse)
    text = "events {}\nhttp { server { ssl_certificate a; ssl_certificate_key b; } }\n"
    assert [one for one in messages(judge_text(text)) if "not here" in one] == []


def test_certificates_that_are_not_here_are_told_once() -> None:
    text = (
        "events {}\nhttp { server { ssl_certificate a\\\0; ssl_certificate_key /a/b;\n"
        "location / { } } }\n"
    )
    assert [one for one in messages(judge_text(text)) if "not here" in one] == [
        "a\\\0 is not here: whether it loads was not judged, nor 1 more"
    ]


def test_a_template_s_values_are_not_blamed() -> None:
    text = (
        "server {\n  location /ws {\n    proxy_pass http://${BACKEND};\n"
        "    proxy_set_header Upgrade $http_upgrade;\n"
        "    proxy_set_header Connection upgrade;\n    proxy_http_version 1.1;\n"
        "    proxy_set_header Host $http_host;\n    proxy_read_timeout ${TIMEOUT};\n  }\n}\n"
    )
    verdict = judge_text(text)
    assert told(verdict) == ["3:23 - note"]
    assert messages(verdict) == [
        "this is a template: what its 2 placeholders will hold was not judged"
    ]
    assert "F20" in " ".join(told(judge_text(text.replace("${TIMEOUT}", "10"))))


def test_a_template_s_missing_lines_are() -> None:
    text = "location /ws {\n  proxy_pass http://${BACKEND};\n}\n"
    assert told(judge_text(text)) == ["2:3 F01 error", "2:21 - note"]
    message = "this is a template: what its 1 placeholder will hold was not judged"
    assert messages(judge_text(text))[1] == message


def test_offsets_are_those_of_places() -> None:
    text = "a\nbc\n\nd"
    assert [text[offset_of(text, *at)] for at in ((1, 1), (2, 2), (4, 1))] == ["a", "c", "d"]
