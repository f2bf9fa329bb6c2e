"""How a process that serves logs."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from upwire.asgi import log_config
from upwire.asgi.log_config import configure_logging
from upwire.errors import UpwireError

LOGGER = "upwire.access"
FACTS = {"version": 1, "disable_existing_loggers": False, "loggers": {LOGGER: {"level": "ERROR"}}}
INI = f"""[loggers]
keys=root,one
[handlers]
keys=
[formatters]
keys=
[logger_root]
handlers=
[logger_one]
level=ERROR
handlers=
qualname={LOGGER}
"""
YAML = f"""
version: 1
disable_existing_loggers: false
loggers:
  {LOGGER}:
    level: ERROR
"""


@pytest.fixture(autouse=True)
def logger() -> Iterator[logging.Logger]:
    """The logger that is configured, which is put back as it was; so is the root."""
    root, found = logging.getLogger(), logging.getLogger(LOGGER)
    handlers, level, propagates = root.handlers[:], root.level, found.propagate
    yield found
    found.propagate = propagates
    found.setLevel(logging.NOTSET)
    logging.getLogger("upwire.asgi").setLevel(logging.NOTSET)
    root.handlers[:] = handlers
    root.setLevel(level)


def test_without_a_file_our_loggers_have_the_level(logger: logging.Logger) -> None:
    configure_logging("warning", None)
    assert logger.level == logging.WARNING


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("log.json", json.dumps(FACTS)),
        ("log.yaml", YAML),
        ("log.yml", YAML),
        ("log.ini", INI),
    ],
)
def test_a_file_of_each_kind(name: str, text: str, tmp_path: Path, logger: logging.Logger) -> None:
    (tmp_path / name).write_text(text)
    configure_logging("info", str(tmp_path / name))
    assert logger.level == logging.ERROR


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("log.json", "{", "JSONDecodeError"),
        ("log.json", '{"version": 2}', "Unsupported version"),
        ("log.yaml", "[", "ParserError"),
        ("log.yaml", "5", "log.yaml"),
        ("log.ini", "nothing", "log.ini"),
    ],
)
def test_a_file_that_says_nothing_of_use(
    name: str, text: str, complaint: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UpwireError, match=f"(?s)^--log-config .*{complaint}"):
        configure_logging("info", str(tmp_path / name))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    file = tmp_path / "log.json"
    with pytest.raises(UpwireError, match=rf": \[Errno 2\] No such file or directory: '{file}'$"):
        configure_logging("info", str(file))


def test_without_pyyaml_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_config, "yaml", None)
    (tmp_path / "log.yaml").write_text(YAML)
    with pytest.raises(UpwireError, match=r": YAML .* pip install upwire\[yaml\] brings$"):
        configure_logging("info", str(tmp_path / "log.yaml"))
