"""What `upwire check --fix` writes, judged by the real nginx; and the README's transcript."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from kit.echo_server import echo_server
from kit.nginx import NGINX, environment, free_port, is_nginx_there, running
from upwire.check.command import main
from upwire.check.options import CheckOptions

README = Path(__file__).parents[2] / "README.md"
TIMEOUT_S = 30
needs_nginx = pytest.mark.skipif(not is_nginx_there(), reason="needs nginx")


def block(language: str, start: str) -> str:
    """Return the README's block of a language that begins so."""
    found: list[str] = re.findall(
        rf"^```{language}\n(.*?)^```", README.read_text("utf-8"), re.M | re.S
    )
    (one,) = (text for text in found if text.startswith(start))
    return one


def run(folder: Path, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run `upwire` as its user does."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "upwire", *arguments],
        cwd=folder,
        input=typed,
        env=environment() | {"PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def fix(folder: Path, conf: str) -> str:
    """Return what a configuration is after --fix."""
    path = folder / "check.conf"
    path.write_text(conf)
    main(CheckOptions(path=str(path), nginx="1.22", fix=True))
    return path.read_text()


def test_the_readme_s_transcript_is_what_is_printed(tmp_path: Path) -> None:
    (tmp_path / "broken.conf").write_text(block("nginx", "# broken.conf"))
    steps = re.findall(r"^\$ upwire (check .*)\n((?:(?!\$ ).*\n)*)", block("console", "$"), re.M)
    assert len(steps) == 2
    for command, printed in steps:
        done = run(tmp_path, *command.split())
        assert done.stderr + done.stdout == printed


def at_ports(conf: str, port: int, backend_port: int) -> str:
    """Put a configuration into its own folder, on free ports."""
    conf = conf.replace("8000", f"127.0.0.1:{port}").replace("8080", str(backend_port))
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path temp_{kind};\n" for kind in kinds)
    http = f"http {{\naccess_log off;\n{temporary}"
    main = "user root;\ndaemon off;\npid nginx.pid;\nerror_log error.log;\n"
    conf = re.sub(r"worker_rlimit_nofile .*;\n", "", conf)  # may be above our own limit
    return main + conf.replace("http {", http, 1)


@needs_nginx
def test_the_handshake_passes_on_the_real_nginx_once_the_file_is_mended(tmp_path: Path) -> None:
    broken = block("nginx", "# broken.conf")
    with echo_server() as backend_port:
        for conf, is_open in ((broken, False), (fix(tmp_path, broken), True)):
            port = free_port()
            text = at_ports(conf, port, backend_port)
            with running("nginx", text, tmp_path, [port]):
                done = run(tmp_path, "connect", f"ws://127.0.0.1:{port}/ws", typed="hello\n")
                assert (done.stdout == "hello\n") is is_open, done.stderr
                assert (done.returncode == 0) is is_open


FIXABLE = {
    "one line": "location /ws { proxy_pass http://127.0.0.1:1; }",
    "a map": """\
        location /ws {
            proxy_pass http://chat;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_read_timeout 60s;
        }""",
    "a reset": """\
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection "upgrade";
        location /ws {
            proxy_pass http://chat;
            proxy_set_header X-Real-IP $remote_addr;
        }""",
    "half": """\
        location /ws {
            proxy_pass http://chat;  # ours
            proxy_set_header Upgrade "websocket";
        }""",
}
FRAME = """\
pid nginx.pid;
error_log stderr;
events {{ }}
http {{
    access_log off;
    map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
    upstream chat {{ server 127.0.0.1:1; keepalive 8; }}
    server {{
        listen 127.0.0.1:8000;
        {}
    }}
}}
"""


@needs_nginx
@pytest.mark.parametrize("name", FIXABLE)
def test_nginx_takes_what_was_mended(name: str, tmp_path: Path) -> None:
    conf = FRAME.format(FIXABLE[name])
    mended = fix(tmp_path, conf)
    assert mended != conf
    assert fix(tmp_path, mended) == mended, "mending again changed something"
    arguments = [NGINX, "-t", "-q", "-p", str(tmp_path), "-c", "check.conf", "-e", "stderr"]
    done = subprocess.run(arguments, capture_output=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stderr
