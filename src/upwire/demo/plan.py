"""What a run of the demo consists of, worked out before anything starts."""

from __future__ import annotations

import difflib
import ipaddress
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from upwire.demo.setting import CONFIG_FILE, Setting

BACKEND_HOST = "127.0.0.1"
BACKEND_NAME = "backend"  # as nginx.conf calls it
NODES_MAX = 16

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
    nodes: int = field(
        default=1,
        metadata={
            "help": "how many backends share the chat, on this port and the next ones;"
            " more than one need --redis",
            "metavar": "NUMBER",
        },
    )
    redis: str = field(
        default="",
        metadata={"help": "where the chat lives, as redis://127.0.0.1:6379", "metavar": "URL"},
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
        if not 1 <= self.nodes <= NODES_MAX:
            raise ValueError(f"--nodes takes 1 to {NODES_MAX}, not {self.nodes}")
        if self.nodes > 1 and not self.redis:
            raise ValueError("--nodes needs --redis URL: without it, each node's chat is its own")
        if self.backend_ports[-1] > 65535:
            raise ValueError(f"--backend-port leaves no room for {self.nodes} nodes")
        if self.port in self.backend_ports:
            raise ValueError("--port and --backend-port must differ")

    @property
    def backend_ports(self) -> range:
        """The ports of all backends."""
        return range(self.backend_port, self.backend_port + self.nodes)

    @property
    def backend_addresses(self) -> list[str]:
        """Where the backends listen."""
        return [f"{BACKEND_HOST}:{port}" for port in self.backend_ports]

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
    """The commands, the files that they need, and what the first backend is told.

    backends: by their addresses. files: by their path below the run's own folder.
    """

    proxy: tuple[str, ...]
    backends: dict[str, tuple[str, ...]]
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
        proxy = proxy_command(config_file, status_address, options)
    return Plan(
        proxy=proxy,
        backends={
            address: backend_command(port)
            for address, port in zip(options.backend_addresses, options.backend_ports, strict=True)
        },
        files=files,
        setting=Setting(
            proxy="upwire proxy" if nginx is None else "nginx",
            proxy_address=options.address,
            backend_address=options.backend_addresses[0],
            config_file=str(config_file),
            status_address=status_address if nginx is None else None,
            origins=allowed_origins(options),
            redis=options.redis or None,
            journal=None if options.redis else str(folder / "chat.journal"),
        ),
    )


def edit_config(text: str, options: DemoOptions) -> str:
    """Return nginx.conf with the addresses of this run, and nothing else changed."""
    text = re.sub(r"(?<=listen )[^;]+", options.address, text)
    if options.nodes > 1:
        servers = "".join(f"        server {address};\n" for address in options.backend_addresses)
        upstream = f"    upstream {BACKEND_NAME} {{\n{servers}    }}\n\n"
        text = re.sub(r"^(?=    server \{)", upstream, text, flags=re.MULTILINE)
        return re.sub(r"(?<=proxy_pass http://)[^;]+", BACKEND_NAME, text)
    name = BACKEND_HOST if options.nginx else BACKEND_NAME
    return re.sub(r"(?<=proxy_pass http://)[^;]+", f"{name}:{options.backend_port}", text)


def changed_lines(before: str, after: str) -> list[str]:
    """Return the lines that differ, the old ones marked with a minus, the new ones with a plus."""
    changes = difflib.ndiff(before.splitlines(), after.splitlines())
    return [
        f"{change[0]} {change[1:].strip()}"
        for change in changes
        if change[0] in "+-" and change[1:].strip()
    ]


def proxy_command(config_file: Path, status_address: str, options: DemoOptions) -> tuple[str, ...]:
    """`upwire proxy`, to which the name in proxy_pass is this machine, or an upstream."""
    names = ("--add-host", f"{BACKEND_NAME}={BACKEND_HOST}") if options.nodes == 1 else ()
    return (
        *(sys.executable, "-m", "upwire", "proxy", "-c", str(config_file)),
        *(*names, "--status", status_address),
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
    addresses = " or ".join(options.backend_addresses)
    lines = [
        "",
        f"  Look at {options.url}",
        "",
        f"  browser ─► {setting.proxy} on {setting.proxy_address}"
        f" ─► upwire serve on {addresses}, and back",
        f"  {setting.proxy} reads {setting.config_file}",
    ]
    usual = CONFIG_FILE.read_text()
    changes = changed_lines(usual, plan.files.get("nginx.conf", usual))
    if changes:
        lines += [f"  which is {CONFIG_FILE} but for:", *(f"    {line}" for line in changes)]
    what = "both" if options.nodes == 1 else "all"
    return "\n".join([*lines, "", f"  Ctrl-C stops {what}.", ""])
