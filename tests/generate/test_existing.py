"""An existing configuration, with its faults mended."""

from __future__ import annotations

from pathlib import Path

import pytest

from upwire import cli

BROKEN = """\
# büro
events {{}}
http {{
    {include}
    server {{
        location /ws {{
            proxy_pass http://127.0.0.1:8080;  # the chat
        }}
    }}
}}
"""
MENDED = (
    b"            proxy_pass http://127.0.0.1:8080;  # the chat\n            proxy_",
    b"            proxy_set_header Upgrade $http_upgrade;\n",
    b"            proxy_read_timeout 1h;\n",
)


def write(folder: Path, include: str = "") -> str:
    path = folder / "nginx.conf"
    path.write_bytes(BROKEN.format(include=include).encode("latin-1"))
    return str(path)


def test_what_is_mended_is_printed_and_the_file_stays(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    path = write(tmp_path)
    before = Path(path).read_bytes()
    assert cli.main(["config", "--from", path, "--nginx", "1.22"]) == 0
    found = capfdbinary.readouterr()
    assert all(line in found.out for line in MENDED)
    assert found.out.startswith("# büro\n".encode("latin-1"))
    assert found.err == b""
    assert Path(path).read_bytes() == before


def test_a_mended_file_is_written_elsewhere_or_over_the_old_one(tmp_path: Path) -> None:
    path, new = write(tmp_path), str(tmp_path / "new.conf")
    assert cli.main(["config", "--from", path, "-o", new]) == 0
    assert all(line in Path(new).read_bytes() for line in MENDED)
    assert cli.main(["config", "--from", path, "-o", path]) == 2
    assert cli.main(["config", "--from", path, "-o", path, "--force"]) == 0
    assert Path(path).read_bytes() == Path(new).read_bytes()


def test_what_is_no_configuration_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "nginx.conf"
    path.write_bytes(bytes(range(256)))
    assert cli.main(["config", "--from", str(path)]) == 2
    assert capsys.readouterr().err.endswith("nginx.conf: this is no configuration of nginx\n")


def test_nothing_to_mend_is_the_file_itself(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    path = tmp_path / "nginx.conf"
    assert cli.main(["config", "--host", "a.example", "--backend", "b:1", "-o", str(path)]) == 0
    assert cli.main(["config", "--from", str(path)]) == 0
    assert capfdbinary.readouterr() == (path.read_bytes(), b"")


def test_what_cannot_be_mended_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "real_ip_header X-Forwarded-For; set_real_ip_from 0.0.0.0/0;")
    assert cli.main(["config", "--from", path]) == 0
    assert capfd.readouterr().err == (
        "upwire config: 1 fault is left, which `upwire check` explains\n"
    )
    path = write(tmp_path, "set_real_ip_from 0.0.0.0/0; set_real_ip_from ::/0;")
    assert cli.main(["config", "--from", path]) == 0
    assert "2 faults are left" in capfd.readouterr().err


def test_faults_of_included_files_are_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, "include site.conf;")
    site = tmp_path / "site.conf"
    site.write_text("server { location /ws { proxy_pass http://127.0.0.1:1; } }\n")
    assert cli.main(["config", "--from", path]) == 0
    assert "included files have faults as well" in capfd.readouterr().err
    assert site.read_text().count("proxy_") == 1


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "nginx.conf"
    assert cli.main(["config", "--from", str(path)]) == 2
    assert capsys.readouterr().err == f"upwire config: {path}: No such file or directory\n"
