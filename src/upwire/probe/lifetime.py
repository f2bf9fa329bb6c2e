"""What several handshakes at once mean, and how long a tunnel lasts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from upwire.conf.audit.finding import Severity
from upwire.probe.evidence import Evidence, Finding, Silence
from upwire.probe.ladder import ping_interval_s

HOPS = {
    60: "nginx's default, or an AWS ALB",
    75: "nginx's keepalive_timeout, or a proxy with 75 s",
    100: "Cloudflare",
    240: "Azure's load balancer",
    350: "an AWS NLB",
    600: "Google Cloud's TCP load balancer or NAT",
}
"""After how many silent seconds well-known hops close, and which they are."""

_TOLERANCE_S = 2.5
_LOCK_STEP_S = 0.5  # nginx looks so often whether a cache's lock is free
_STEP_TOLERANCE_S = 0.12
_LIMIT_STATUSES = (429, 503)


def known_hop(ended_s: float) -> str:
    """Return who is known to close after such a time, "" for nobody."""
    return next((who for at_s, who in HOPS.items() if abs(at_s - ended_s) <= _TOLERANCE_S), "")


def _parallel(evidence: Evidence) -> Iterator[Finding]:
    """F41 F58 F59 F70: handshakes that are refused because there are others."""
    openings = evidence.parallel.openings
    opened = sum(one.answer.is_open for one in openings)
    refused = sorted({one.answer.status for one in openings if not one.answer.is_open})
    if not evidence.base.is_open or not refused:
        return
    told = f"{opened} of {len(openings)} handshakes at once opened, the others got {refused[-1]}"
    if any(status in _LIMIT_STATUSES for status in refused):
        again = evidence.parallel.again
        if again is not None and again.is_open:
            yield Finding("F58", Severity.WARNING, f"{told}, until they were closed", ("F59",))
        else:
            yield Finding("F59", Severity.WARNING, f"{told}, and still refused after", ("F58",))
    elif 502 in refused:
        yield Finding("F41", Severity.WARNING, told, ("F40",))
    elif 500 in refused or 0 in refused:
        yield Finding("F70", Severity.WARNING, told, ("F71",))


def _serialised(evidence: Evidence) -> Iterator[Finding]:
    """F79: handshakes that wait for each other in steps of half a second."""
    times_s = sorted(one.took_s for one in evidence.parallel.openings if one.answer.is_open)
    waited = [time_s for time_s in times_s if _is_whole_steps(time_s)]
    if len(waited) >= 2 and times_s[0] < _LOCK_STEP_S / 2:
        shown = ", ".join(f"{time_s:.2f}" for time_s in times_s)
        told = f"handshakes at once open one after the other: {shown} s"
        yield Finding("F79", Severity.WARNING, told)


def _is_whole_steps(time_s: float) -> bool:
    steps = round(time_s / _LOCK_STEP_S)
    return steps > 0 and abs(time_s - steps * _LOCK_STEP_S) <= _STEP_TOLERANCE_S


def _silence(evidence: Evidence) -> Iterator[Finding]:
    """F20 F21 F22 F23 F26 F28: a tunnel on which nobody speaks."""
    idle = evidence.idle
    if idle is None or idle.silent.ended_s is None:
        return
    ended_s = idle.silent.ended_s
    if idle.direct is not None and _ends_alike(idle.direct, ended_s):
        yield Finding("", Severity.WARNING, f"the backend itself cuts after {ended_s:.1f} s idle")
        return
    if _ends_alike(idle.pinged, ended_s) and ended_s > ping_interval_s(idle.pinged.watched_s):
        told = f"cut after {ended_s:.1f} s, together with a tunnel that was pinged"
        causes = "a reload, a restart, or a hop that limits the age of tunnels"
        yield Finding("F26", Severity.WARNING, f"{told}: {causes}", ("F20", "F28"))
        return
    who = known_hop(ended_s)
    told = f"cut after {ended_s:.1f} s of silence, without a Close (1006)"
    shown = f"{told}: {who}" if who else told
    is_far_hop = bool(who) and not who.startswith("nginx")
    fault, suspects = ("F28", ("F20", "F22")) if is_far_hop else ("F20", ("F22", "F23", "F28"))
    yield Finding(fault, Severity.WARNING, shown, suspects)
    if idle.pinged.ended_s is None and not idle.pinged.close_code:
        yield Finding("F21", Severity.NOTE, "pings of the client alone keep the tunnel open")


def _ends_alike(silence: Silence, ended_s: float) -> bool:
    return silence.ended_s is not None and abs(silence.ended_s - ended_s) <= 1.0


def _half_close(evidence: Evidence) -> Iterator[Finding]:
    """F27."""
    if evidence.talk.outlives_half_close is False:
        told = "an answer is lost where the client has ended its direction"
        yield Finding("F27", Severity.NOTE, told)


RULES: tuple[Callable[[Evidence], Iterator[Finding]], ...] = (
    _parallel,
    _serialised,
    _silence,
    _half_close,
)
