"""What a run of the demo consists of, worked out before anything starts."""

from __future__ import annotations

import ipaddress
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from upwire.demo.setting import CONFIG_FILE, Setting

BACKEND_HOST = "127.0.0.1"
BACKEND_NAME = "backend"  # as nginx.conf calls it

# Debian keeps nginx where a user's PATH does not lead.
NGINX_PATHS = ("nginx", "/usr/sbin/nginx", "/usr/local/sbin/nginx")

_TEMPORARY_PATHS = "".join(
    f"{name}_temp_path temporary/{name};\n"
    for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
)


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What `upwire demo` can be told."""

    host: str = field(
        default="127.0.0.1",
        metadata={"help": "address on which the proxy listens", "metavar": "ADDRESS"},
    )
    port: int = field(
        default=8000, metadata={"help": "port on which the proxy listens", "metavar": "PORT"}
    )
    backend_port: int = field(
        default=8080, metadata={"help": "port on which the backend listens", "metavar": "PORT"}
    )
    nginx: bool = field(default=False, metadata={"help": "put the real nginx in the proxy's place"})
    open_browser: bool = field(
        default=True,
        metadata={"flags": ("--no-browser",), "help": "do not open a browser"},
    )

    def __post_init__(self) -> None:
        for name, port in (("--port", self.port), ("--backend-port", self.backend_port)):
            if not 1 <= port <= 65535:
                raise ValueError(f"{name} takes 1 to 65535, not {port}")
        if self.port == self.backend_port:
            raise ValueError("--port and --backend-port must differ")

    @property
    def address(self) -> str:
        """Where the proxy listens, as a URL and a listen directive have it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """Where a browser on this machine finds the first page."""
        for wildcard, loopback in (("0.0.0.0", "127.0.0.1"), ("::", "[::1]")):
            if self.host == wildcard:
                return f"http://{loopback}:{self.port}/"
        return f"http://{self.address}/"


@dataclass(frozen=True, slots=True)
class Plan:
    """The two commands, the files that they need, and what the backend is told.

    files: by their path below the run's own folder.
    """

    proxy: tuple[str, ...]
    backend: tuple[str, ...]
    files: dict[str, str]
    setting: Setting


def make_plan(
    options: DemoOptions, folder: Path, *, status_port: int, nginx: str | None = None
) -> Plan:
    """Work out a run. folder: where its files will be. nginx: the program, where it is wanted."""
    text = CONFIG_FILE.read_text()
    config = edit_config(text, options)
    files = {} if config == text else {"nginx.conf": config}
    config_file = folder / "nginx.conf" if files else CONFIG_FILE
    status_address = f"127.0.0.1:{status_port}"
    if nginx is not None:
        files["temporary/paths.conf"] = _TEMPORARY_PATHS
        proxy = nginx_command(nginx, folder)
    else:
        proxy = proxy_command(config_file, status_address)
    return Plan(
        proxy=proxy,
        backend=backend_command(options.backend_port),
        files=files,
        setting=Setting(
            proxy="upwire proxy" if nginx is None else "nginx",
            proxy_address=options.address,
            backend_address=f"{BACKEND_HOST}:{options.backend_port}",
            config_file=str(config_file),
            status_address=status_address if nginx is None else None,
            origins=allowed_origins(options),
        ),
    )


def edit_config(text: str, options: DemoOptions) -> str:
    """Return nginx.conf with the addresses of this run, and nothing else changed."""
    name = BACKEND_HOST if options.nginx else BACKEND_NAME
    text = re.sub(r"(?<=listen )[^;]+", options.address, text)
    return re.sub(r"(?<=proxy_pass http://)[^;]+", f"{name}:{options.backend_port}", text)


def changed_lines(before: str, after: str) -> list[str]:
    """Return the lines that differ, the old one marked with a minus, the new with a plus."""
    return [
        f"{mark} {line.strip()}"
        for old, new in zip(before.splitlines(), after.splitlines(), strict=True)
        if old != new
        for mark, line in (("-", old), ("+", new))
    ]


def proxy_command(config_file: Path, status_address: str) -> tuple[str, ...]:
    """`upwire proxy`, to which the name in proxy_pass is this machine."""
    return (
        *(sys.executable, "-m", "upwire", "proxy", "-c", str(config_file)),
        *("--add-host", f"{BACKEND_NAME}={BACKEND_HOST}", "--status", status_address),
    )


def nginx_command(nginx: str, folder: Path) -> tuple[str, ...]:
    """nginx in the foreground, with all that it writes below the folder."""
    return (
        *(nginx, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"),
        *("-g", "daemon off; pid nginx.pid; error_log stderr;"),
    )


def backend_command(port: int) -> tuple[str, ...]:
    """`upwire serve` with the demo's applications."""
    return (
        *(sys.executable, "-m", "upwire", "serve", "upwire.demo.app:routes"),
        *("--host", BACKEND_HOST, "--port", str(port)),
    )


def allowed_origins(options: DemoOptions) -> tuple[str, ...] | None:
    """Return the origins of our pages; None, for any, where other machines may come."""
    try:
        is_local = ipaddress.ip_address(options.host).is_loopback
    except ValueError:
        is_local = options.host == "localhost"
    if not is_local:
        return None
    port = "" if options.port == 80 else f":{options.port}"  # RFC 6454 §6.2
    host = options.address.rpartition(":")[0]
    return tuple(f"http://{name}{port}" for name in dict.fromkeys((host, "127.0.0.1", "localhost")))


def describe(options: DemoOptions, plan: Plan) -> str:
    """Say where to look, which way the messages take, and which file is read."""
    setting = plan.setting
    lines = [
        "",
        f"  Look at {options.url}",
        "",
        f"  browser ─► {setting.proxy} on {setting.proxy_address}"
        f" ─► upwire serve on {setting.backend_address}, and back",
        f"  {setting.proxy} reads {setting.config_file}",
    ]
    usual = CONFIG_FILE.read_text()
    changes = changed_lines(usual, plan.files.get("nginx.conf", usual))
    if changes:
        lines += [f"  which is {CONFIG_FILE} but for:", *(f"    {line}" for line in changes)]
    return "\n".join([*lines, "", "  Ctrl-C stops both.", ""])
