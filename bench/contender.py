"""The contenders: a folder each, whose contender.toml says how one is installed and started.

Python packages go into a virtual environment of the contender's own below build/bench, in the
versions of its requirements.txt; programs come from Debian.
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
import venv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import upwire

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build" / "bench"
ROLES: tuple[str, ...] = (
    "echo",
    "deflate",
    "handshakes",
    "tunnel",
    "tls",
    "many",
    "client",
    "http",
    "hello",
    "files",
    "rooms",
)
START_S = 30.0
STOP_S = 5.0
_RETRY_S = 0.02
_PR_SET_PDEATHSIG = 1  # of prctl(2): a signal when the parent dies, however it does
_libc = ctypes.CDLL(None)
_SYSTEM_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


class Unavailable(Exception):
    """A contender that cannot be installed or started here; the reason is its text."""


@dataclass(frozen=True, slots=True)
class Role:
    """How a contender is started as a server, a proxy or a client.

    config: a file of its folder, in which @PORT@, @BACKEND@ and the like are replaced.
    """

    command: tuple[str, ...]
    config: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Contender:
    """packages: of Python, whose versions are told. debian: program or library to package.

    build: a command that makes what the roles start, once the packages are there.
    """

    name: str
    title: str
    folder: Path
    roles: Mapping[str, Role]
    packages: tuple[str, ...] = ()
    version_command: tuple[str, ...] = ()
    build: tuple[str, ...] = ()
    debian: Mapping[str, str] = field(default_factory=dict)

    @property
    def run_folder(self) -> Path:
        return BUILD / self.name

    @property
    def python(self) -> Path:
        """The interpreter of its packages; ours for a contender that has none of its own."""
        if (self.folder / "requirements.txt").exists():
            return self.run_folder / "venv" / "bin" / "python"
        return Path(sys.executable)


def load(name: str) -> Contender:
    """Read the contender.toml of a folder."""
    folder = Path(__file__).parent / "contenders" / name
    facts = tomllib.loads((folder / "contender.toml").read_text("utf-8"))
    roles = {key: _role(facts[key]) for key in ROLES if key in facts}
    return Contender(
        name,
        facts["title"],
        folder,
        roles,
        tuple(facts.get("packages", ())),
        tuple(facts.get("version", ())),
        tuple(facts.get("build", ())),
        facts.get("debian", {}),
    )


def prepare(contender: Contender) -> str:
    """Install what a contender needs; return its version. Raises Unavailable."""
    contender.run_folder.mkdir(parents=True, exist_ok=True)
    for program, package in contender.debian.items():
        if not _has(program):
            _install(package)
        if not _has(program):
            raise Unavailable(f"{program} is not here, and Debian's {package} was not installed")
    requirements = contender.folder / "requirements.txt"
    if requirements.exists():
        _make_venv(contender, requirements.read_text("utf-8"))
    if contender.build:
        places = {"run": contender.run_folder, "folder": contender.folder}
        _first_line([part.format(**places) for part in contender.build])
    return _version(contender)


@contextlib.contextmanager
def running(
    contender: Contender, kind: str, *, core: int, values: Mapping[str, str]
) -> Iterator[tuple[int, int]]:
    """Start a contender on one core; give its process id and port, and stop it at the end.

    values fill the {} of its command, and the @@ of its configuration in capital letters.
    Raises Unavailable where it does not listen in time; its output is in its run folder.
    """
    port = free_port()
    role = contender.roles[kind]
    filled = fill(contender, role, {**values, "port": str(port)})
    contender.run_folder.mkdir(parents=True, exist_ok=True)  # that of a tunnel's upstream is new
    log = contender.run_folder / f"{kind}.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(
            filled,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=environment(contender, role),
            start_new_session=True,
            preexec_fn=lambda: _settle(core),
        )
    try:
        _wait_listening(process, port, log)
        yield process.pid, port
    finally:
        _stop(process)


def fill(contender: Contender, role: Role, values: Mapping[str, str]) -> list[str]:
    """Return the command of a role; write its configuration."""
    places = {
        **values,
        "python": str(contender.python),
        "bin": str(contender.python.parent),
        "folder": str(contender.folder),
        "run": str(contender.run_folder),
    }
    if role.config is not None:
        text = (contender.folder / role.config).read_text("utf-8")
        for name, value in values.items():
            text = text.replace(f"@{name.upper()}@", value)
        written = contender.run_folder / role.config
        written.write_text(text, "utf-8")
        places["config"] = str(written)
    return [part.format(**places) for part in role.command]


def environment(contender: Contender, role: Role) -> dict[str, str]:
    """Return the environment variables of a role: ours, and its own."""
    ours = Path(upwire.__file__).parents[1]  # for what runs upwire with packages of its own
    places = {"run": contender.run_folder, "folder": contender.folder, "ours": ours}
    added = {name: value.format(**places) for name, value in role.environment.items()}
    return os.environ | {"PATH": _SYSTEM_PATH} | added


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _role(facts: Mapping[str, Any]) -> Role:  # Any: what TOML gives
    return Role(tuple(facts["command"]), facts.get("config"), facts.get("environment", {}))


def _wait_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until_s = time.monotonic() + START_S
    while time.monotonic() < until_s and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(_RETRY_S)
    output = log.read_text("utf-8", "replace")
    raise Unavailable(f"it does not listen: {output.strip()[-400:] or 'no output'}")


def _settle(core: int) -> None:
    """Bind a process that is about to be a contender to its core, and its life to ours."""
    os.sched_setaffinity(0, {core})
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the process, then whatever is left of the session that it leads."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _has(program: str) -> bool:
    found = shutil.which(program, path=_SYSTEM_PATH) or ctypes.util.find_library(program)
    return found is not None


def _install(package: str) -> None:
    """Install a Debian package where this process may; it says nothing where it may not."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    print(f"installing Debian's {package}", flush=True)
    subprocess.run(
        ["apt-get", "install", "-qq", "-y", "--no-install-recommends", package],
        env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
        capture_output=True,
        check=False,
    )


def _make_venv(contender: Contender, requirements: str) -> None:
    """Make the virtual environment, unless it holds these very requirements already."""
    folder = contender.run_folder / "venv"
    stamp = folder / "requirements.txt"
    if stamp.exists() and stamp.read_text("utf-8") == requirements:
        return
    print(f"installing {' '.join(requirements.split())}", flush=True)
    venv.create(folder, with_pip=True, clear=True)
    done = subprocess.run(
        [contender.python, "-m", "pip", "install", "-q", *requirements.split()],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Unavailable(f"pip: {done.stderr.strip()[-400:]}")
    stamp.write_text(requirements, "utf-8")


def _version(contender: Contender) -> str:
    if contender.packages:
        ask = "import importlib.metadata as m, sys; print(*map(m.version, sys.argv[1:]))"
        command = [str(contender.python), "-c", ask, *contender.packages]
        found = zip(contender.packages, _first_line(command).split(), strict=True)
        return ", ".join(f"{package} {version}" for package, version in found)
    if contender.version_command:
        return _first_line(
            [part.format(python=contender.python) for part in contender.version_command]
        )
    return ""


def _first_line(command: list[str]) -> str:
    """Return what a command says first. Raises Unavailable where it fails."""
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env=os.environ | {"PATH": _SYSTEM_PATH},
    )
    lines = done.stdout.splitlines() or [""]
    if done.returncode:
        raise Unavailable(f"{shlex.join(command)}: {lines[-1]}")
    return lines[0]
