"""Directives of ngx_core_module."""

from functools import partial

from upwire.conf.directives.spec import ENUM, FLAG, NUMBER, OFFSET, STRING, TIME, DirectiveSpec, M

D = partial(DirectiveSpec, module="ngx_core_module")
ROWS: list[DirectiveSpec] = [
    D("daemon", M, FLAG, "on", acted=True),
    D("master_process", M, FLAG, "on", acted=True),
    D("timer_resolution", M, TIME),
    D("pid", M, STRING, "logs/nginx.pid", acted=True),
    D("lock_file", M, STRING, "logs/nginx.lock"),
    D("worker_processes", M, default="1", acted=True),
    D("debug_points", M, ENUM, choices=("stop", "abort")),
    D("user", M, default="nobody nobody", arity="12", acted=True),
    D("worker_priority", M, acted=True),
    D("worker_cpu_affinity", M, arity="1+", acted=True),
    D("worker_rlimit_nofile", M, NUMBER, acted=True),
    D("worker_rlimit_core", M, OFFSET, acted=True),
    D("worker_shutdown_timeout", M, TIME, acted=True),
    D("working_directory", M, STRING, acted=True),
    D("env", M, repeats=True),
    D("load_module", M, repeats=True),
]
