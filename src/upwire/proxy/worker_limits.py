"""What a forked worker makes of itself before it serves: its limits, its user, its folder."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable

from upwire.proxy.error_log import describe_error
from upwire.proxy.service import Service


def apply_limits(service: Service, index: int) -> bool:
    """Set what the main level says for worker number index; False where that must not be missing.

    The rest is logged, as nginx does. Called as root where root has started us, until it is not.
    """
    main = service.cycle.config.main
    if main.worker_priority:
        priority = main.worker_priority
        _try(service, f"setpriority({priority})", lambda: _set_priority(priority))
    files = main.worker_rlimit_nofile
    if files is not None:
        limit = resource.RLIMIT_NOFILE
        _try(service, f"setrlimit(RLIMIT_NOFILE, {files})", lambda: _set_limit(limit, files))
    core = main.worker_rlimit_core_octets
    if core is not None:
        limit = resource.RLIMIT_CORE
        _try(service, f"setrlimit(RLIMIT_CORE, {core})", lambda: _set_limit(limit, core))
    cpus = main.worker_cpu_affinity.of_worker(index, os.sched_getaffinity(0))
    if cpus:
        _try(service, "sched_setaffinity()", lambda: os.sched_setaffinity(0, cpus))
    return _assume_user(service) and _enter_folder(service)


def _assume_user(service: Service) -> bool:
    credentials = service.credentials
    if credentials is None:
        return True
    what = f"setuid({credentials.user_id})"
    return _try(service, what, credentials.assume, level="emerg")


def _enter_folder(service: Service) -> bool:
    folder = service.cycle.config.main.working_directory
    return folder is None or _try(service, f'chdir("{folder}")', lambda: os.chdir(folder))


def _set_priority(priority: int) -> None:
    os.setpriority(os.PRIO_PROCESS, 0, priority)


def _set_limit(kind: int, number: int) -> None:
    try:
        resource.setrlimit(kind, (number, number))
    except ValueError as error:  # beyond the system's own limit, or not allowed to us
        raise PermissionError(1, str(error)) from error


def _try(service: Service, what: str, act: Callable[[], None], *, level: str = "alert") -> bool:
    try:
        act()
    except OSError as error:
        service.cycle.log.write(level, f"{what} failed {describe_error(error)}")
        return False
    return True
