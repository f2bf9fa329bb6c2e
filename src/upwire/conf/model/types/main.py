"""What the main and events levels say."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from upwire.conf.model.types.logs import ErrorLog


@dataclass(frozen=True, slots=True)
class CpuAffinity:
    """`worker_cpu_affinity`: a set of processors for each worker, the last for those behind.

    is_auto: each worker has one processor of those available, or of the only mask.
    """

    masks: tuple[frozenset[int], ...] = ()
    is_auto: bool = False

    def of_worker(self, index: int, available: Collection[int]) -> frozenset[int]:
        """Return the processors of one worker; none where it may run on all."""
        if not self.is_auto:
            return self.masks[min(index, len(self.masks) - 1)] if self.masks else frozenset()
        among = sorted(self.masks[0] if self.masks else available)
        return frozenset(among[index % len(among)] for _ in among[:1])


@dataclass(frozen=True, slots=True)
class Main:
    """The main and events levels. worker_processes None is `auto`, one for each processor."""

    worker_processes: int | None = 1
    worker_connections: int = 512
    worker_shutdown_timeout_s: float | None = None
    worker_rlimit_nofile: int | None = None
    worker_rlimit_core_octets: int | None = None
    worker_priority: int = 0
    worker_cpu_affinity: CpuAffinity = field(default_factory=CpuAffinity)
    working_directory: str | None = None
    daemon: bool = True
    master_process: bool = True
    pid: str = "logs/nginx.pid"
    user: tuple[str, str | None] | None = None
    error_logs: tuple[ErrorLog, ...] = ()
    multi_accept: bool = False
