"""Placeholders in what is said of a template."""

from __future__ import annotations

from kit.check_site import judge_text
from upwire.check.masking import mask
from upwire.check.unmasking import unmask
from upwire.conf.audit import Edit, Finding, Severity
from upwire.conf.syntax import Position

TEMPLATE = """\
server {
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection upgrade;
    proxy_set_header X-Token {{ token }};
    location /ws {
        proxy_set_header X-Own 1;
        proxy_pass http://127.0.0.1:1;
    }
    include ${FOLDER}/more.conf;
    proxy_{{ kind }}_size 1k;
}
"""


def shown(text: str, template: str, *, written: str = "") -> Finding:
    """Return a finding that says text of a template."""
    edits = (Edit("a", 1, 1, written),) if written else ()
    finding = Finding(
        "F01", Severity.NOTE, Position("a", 1, 1), 1, text, text, (text,), text, edits
    )
    return unmask({"a": template}, {"a": mask(template)})(finding)


def test_a_placeholder_is_shown_as_it_is_written() -> None:
    found = shown("to ______________/x", "pass {{ the.host }};")
    assert found.message == "to {{ the.host }}/x"
    assert (found.effect, found.why, found.mend) == (found.message, (found.message,), found.message)


def test_one_of_several_is_left_out() -> None:
    template = "pass {{ a }}{{ b }}; listen {{ a }};"
    assert shown("x_______ __webpack", template).message == "x... __webpack"
    assert shown("______________", template).message == "..."


def test_another_text_is_left_as_it_is() -> None:
    assert shown("a ____ b", "listen 80;", written="____").edits
    assert shown("a ____ b", "listen 80;").message == "a ____ b"


def test_no_edit_writes_what_was_masked() -> None:
    assert shown("x", "listen {{ port }};", written="listen __________;").edits == ()
    assert shown("x", "listen {{ port }};", written="listen 80;").edits


def test_a_mend_shows_the_placeholders_and_is_not_made() -> None:
    findings = judge_text(TEMPLATE).findings
    (lost,) = (one for one in findings if one.fault == "F04")
    assert "proxy_set_header X-Token {{ token }};" in lost.mend
    assert lost.edits == ()
    told = "\n".join(one.message for one in findings)
    assert "what ${FOLDER}/more.conf holds" in told
    assert "__" not in told
