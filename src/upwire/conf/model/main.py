"""The main and events levels."""

from __future__ import annotations

from upwire.conf.directives import Context
from upwire.conf.model.assembly import Assembly, Scope, Wrong
from upwire.conf.model.logs import read_error_log
from upwire.conf.model.types import Main
from upwire.conf.model.types.main import CpuAffinity
from upwire.conf.syntax import Directive
from upwire.conf.values import parse_number, parse_offset, parse_time

_CPUS_MAX = 1024
_MASKS_DIFFER = (
    'the number of "worker_processes" is not equal to the number of "worker_cpu_affinity" masks,'
    " using last mask for remaining worker processes"
)


def read_main(scope: Scope, assembly: Assembly) -> Main:
    """Return the settings of the process; there has to be an events block."""
    events_block = scope.own_one("events")
    if events_block is None:
        assembly.missing('no "events" section in configuration', None)
    block = events_block.block or () if events_block is not None else ()
    events = Scope(block, assembly.version, context=Context.EVENTS)
    shutdown = scope.own_one("worker_shutdown_timeout")
    files = scope.own_one("worker_rlimit_nofile")
    core = scope.own_one("worker_rlimit_core")
    folder = scope.own_one("working_directory")
    user = scope.own_one("user")
    return Main(
        worker_processes=_worker_processes(scope, assembly),
        worker_connections=_worker_connections(events, assembly),
        worker_shutdown_timeout_s=parse_time(shutdown.args[0]) if shutdown is not None else None,
        worker_rlimit_nofile=parse_number(files.args[0]) if files is not None else None,
        worker_rlimit_core_octets=parse_offset(core.args[0]) if core is not None else None,
        worker_priority=_worker_priority(scope, assembly),
        worker_cpu_affinity=_worker_cpu_affinity(scope, assembly),
        working_directory=folder.args[0] if folder is not None else None,
        daemon=scope.flag("daemon"),
        master_process=scope.flag("master_process"),
        pid=scope.text("pid"),
        user=(user.args[0], user.args[1] if user.args[1:] else None) if user is not None else None,
        error_logs=assembly.read_all(read_error_log, scope.own("error_log")),
        multi_accept=events.flag("multi_accept"),
    )


def _worker_processes(scope: Scope, assembly: Assembly) -> int | None:
    directive = scope.own_one("worker_processes")
    if directive is None:
        return 1
    if directive.args[0] == "auto":
        return None
    return assembly.read(_read_processes, directive)


def _read_processes(directive: Directive, assembly: Assembly) -> int:
    try:
        return parse_number(directive.args[0])
    except ValueError:
        message = '"worker_processes" directive invalid value'
        raise Wrong(message, directive.arg_positions[0]) from None


def _worker_priority(scope: Scope, assembly: Assembly) -> int:
    directive = scope.own_one("worker_priority")
    return 0 if directive is None else assembly.read(_read_priority, directive) or 0


def _read_priority(directive: Directive, assembly: Assembly) -> int:
    text = directive.args[0]
    try:
        number = parse_number(text[1:] if text.startswith(("-", "+")) else text)
    except ValueError:
        message = '"worker_priority" directive invalid number'
        raise Wrong(message, directive.arg_positions[0]) from None
    return -number if text.startswith("-") else number


def _worker_cpu_affinity(scope: Scope, assembly: Assembly) -> CpuAffinity:
    directive = scope.own_one("worker_cpu_affinity")
    if directive is None:
        return CpuAffinity()
    affinity = assembly.read(_read_cpu_affinity, directive) or CpuAffinity()
    masks = len(affinity.masks)
    processes = _worker_processes(scope, assembly) or masks
    if not affinity.is_auto and masks > 1 and masks != processes:
        assembly.faults.add(_MASKS_DIFFER, None, "warn")
    return affinity


def _read_cpu_affinity(directive: Directive, assembly: Assembly) -> CpuAffinity:
    """Read the masks, whose last digit is the first processor."""
    is_auto = directive.args[0] == "auto"
    if is_auto and directive.args[2:]:
        message = 'invalid number of arguments in "worker_cpu_affinity" directive'
        raise Wrong(message, directive.arg_positions[2])
    masks = []
    first = int(is_auto)
    for mask, at in zip(directive.args[first:], directive.arg_positions[first:], strict=True):
        digits = mask.replace(" ", "")
        if len(mask) > _CPUS_MAX:
            raise Wrong(f'"worker_cpu_affinity" supports up to {_CPUS_MAX} CPUs only', at)
        if wrong := digits.strip("01"):
            raise Wrong(f'invalid character "{wrong[-1]}" in "worker_cpu_affinity"', at)
        masks.append(frozenset(cpu for cpu, digit in enumerate(digits[::-1]) if digit == "1"))
    return CpuAffinity(tuple(masks), is_auto)


def _worker_connections(events: Scope, assembly: Assembly) -> int:
    directive = events.own_one("worker_connections")
    if directive is None:
        return events.number("worker_connections")
    return assembly.read(_read_connections, directive) or 0


def _read_connections(directive: Directive, assembly: Assembly) -> int:
    try:
        return parse_number(directive.args[0])
    except ValueError:
        message = f'invalid number "{directive.args[0]}"'
        raise Wrong(message, directive.arg_positions[0]) from None
