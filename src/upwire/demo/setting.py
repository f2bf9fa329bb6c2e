"""What the launcher tells the backend of the path that leads to it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

VARIABLE = "UPWIRE_DEMO"
CONFIG_FILE = Path(str(files("upwire.demo"))) / "nginx.conf"


@dataclass(frozen=True, slots=True)
class Setting:
    """The path's parts; the defaults are those of a backend that was started by hand.

    status_address, proxy_pid: of the proxy, where known. origins: the pages that may connect;
    None for any. redis: where the chat lives; without it, in memory, and in the file journal.
    """

    proxy: str = "upwire proxy"
    proxy_address: str = "127.0.0.1:8000"
    backend_address: str = "127.0.0.1:8080"
    config_file: str = str(CONFIG_FILE)
    status_address: str | None = None
    proxy_pid: int | None = None
    origins: tuple[str, ...] | None = None
    redis: str | None = None
    journal: str | None = None

    def to_environment(self) -> dict[str, str]:
        """Return the environment variable that carries the setting."""
        return {VARIABLE: json.dumps(asdict(self))}

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Setting:
        """Return the setting that the launcher gave, or the defaults."""
        fields = json.loads(environment.get(VARIABLE, "{}"))
        if fields.get("origins") is not None:
            fields["origins"] = tuple(fields["origins"])
        return cls(**fields)
