"""The unit, as systemd itself reads it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from kit.deployments import make
from upwire.conf.generate import systemd_unit

ANALYZE = shutil.which("systemd-analyze")


def test_the_configuration_is_tested_before_each_start_and_reload() -> None:
    lines = systemd_unit(make()).splitlines()
    check = "nginx -t -q -c /etc/nginx/nginx.conf"
    assert [line for line in lines if line.startswith("Exec")] == [
        f"ExecStartPre={check}",
        "ExecStart=nginx -c /etc/nginx/nginx.conf -g 'daemon off;'",
        f"ExecReload={check}",
        "ExecReload=/bin/kill -s HUP $MAINPID",
    ]
    assert "LimitNOFILE=20000" in lines


def test_upwire_in_nginx_s_place() -> None:
    text = systemd_unit(make(is_for_upwire=True))
    assert "ExecStart=upwire proxy -c /etc/upwire/nginx.conf\n" in text
    assert "ExecStartPre=upwire proxy -t -q -c /etc/upwire/nginx.conf\n" in text
    assert "Description=Upwire for chat.example.com\n" in text


@pytest.mark.skipif(ANALYZE is None or not shutil.which("nginx"), reason="needs systemd and nginx")
def test_systemd_finds_no_fault(tmp_path: Path) -> None:
    assert ANALYZE is not None
    unit = tmp_path / "chat.service"
    unit.write_text(systemd_unit(make()))
    found = subprocess.run([ANALYZE, "verify", unit], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")
