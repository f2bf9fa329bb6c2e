"""What a configuration in use opens, and where it writes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kit.proxy_site import LISTENING, get, read_conf, resolve_literally
from upwire.proxy.cycle import Cycle, Surroundings
from upwire.proxy.status import Counters


def serve_one(folder: Path) -> None:
    """Answer one request by a file that names no log."""
    config = read_conf(LISTENING.format(directives="return 204;"))
    cycle = Cycle(config, Surroundings(str(folder), resolve_literally, Counters()))
    try:
        assert asyncio.run(get(cycle, "/here")).status == 204
    finally:
        cycle.close()


def test_without_a_folder_for_it_the_access_log_is_standard_output(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    serve_one(tmp_path)
    assert '"GET /here HTTP/1.1" 204 ' in capfd.readouterr().out
    assert not list(tmp_path.iterdir())


def test_with_its_folder_the_access_log_is_where_nginx_has_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "logs").mkdir()
    serve_one(tmp_path)
    assert '"GET /here HTTP/1.1" 204 ' in (tmp_path / "logs" / "access.log").read_text()
    assert capfd.readouterr().out == ""
