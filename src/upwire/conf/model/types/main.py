"""What the main and events levels say."""

from __future__ import annotations

from dataclasses import dataclass

from upwire.conf.model.types.logs import ErrorLog


@dataclass(frozen=True, slots=True)
class Main:
    """The main and events levels. worker_processes None is `auto`, one for each processor."""

    worker_processes: int | None = 1
    worker_connections: int = 512
    worker_shutdown_timeout_s: float | None = None
    worker_rlimit_nofile: int | None = None
    daemon: bool = True
    master_process: bool = True
    pid: str = "logs/nginx.pid"
    user: tuple[str, str | None] | None = None
    error_logs: tuple[ErrorLog, ...] = ()
    multi_accept: bool = False
