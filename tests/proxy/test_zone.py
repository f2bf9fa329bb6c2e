"""Shared tables: their records, their limits, and the processes that share them."""

from __future__ import annotations

import contextlib
import gc
import os
import signal

import pytest

from upwire.proxy.zone import Zone, Zones

RECORD = "=qd"
SET_OCTETS = 16 * (16 + 8 + 16)


def test_records_are_written_read_and_freed() -> None:
    zone = Zone("z", 10_000, RECORD)
    assert zone.get(b"a") is None
    assert zone.put(b"a", 1, 0.5)
    assert zone.put(b"", -2, 1.5)
    assert zone.put(b"a" * 1000, 3, 2.5)
    assert zone.put(b"a", 4, 3.5)
    assert zone.get(b"a") == (4, 3.5)
    assert zone.get(b"") == (-2, 1.5)
    assert zone.get(b"a" * 1000) == (3, 2.5)
    zone.delete(b"a")
    zone.delete(b"never")
    assert zone.get(b"a") is None
    assert zone.get(b"") == (-2, 1.5)


def test_a_zone_has_the_size_that_was_asked_for() -> None:
    assert Zone("z", 1, RECORD).capacity == 16
    assert Zone("z", 16 + 10 * SET_OCTETS, RECORD).capacity == 160


def test_the_least_recently_used_record_makes_room() -> None:
    zone = Zone("z", 1, RECORD)  # one set: every key's two sets are this one
    for number in range(16):
        assert zone.put(b"%d" % number, number, 0.0)
    assert zone.get(b"0") == (0, 0.0)
    assert not zone.put(b"new", 16, 0.0, evicts=False)
    assert zone.put(b"new", 16, 0.0)
    assert zone.get(b"1") is None
    assert zone.get(b"0") == (0, 0.0)
    assert zone.get(b"new") == (16, 0.0)
    assert zone.put(b"new", 17, 0.0, evicts=False)
    zone.delete(b"2")
    assert zone.put(b"more", 18, 0.0, evicts=False)


def test_most_of_a_zone_fills_before_a_key_finds_no_room() -> None:
    zone = Zone("z", 100 * SET_OCTETS, RECORD)
    fitting = 0
    while zone.put(b"key %d" % fitting, 0, 0.0, evicts=False):
        fitting += 1
    assert fitting > 0.7 * zone.capacity


def test_octets_that_look_like_a_digest_elsewhere_are_no_record() -> None:
    zone = Zone("z", 1, "=16s")
    zone.put(b"first", bytes(16))
    digests = zone._memory[16 : 16 + 16]
    zone._memory[16 : 16 + 32] = b"\xff" * 8 + digests + b"\xff" * 8  # across two ways
    assert zone.get(b"first") is None


def test_processes_share_a_zone() -> None:
    zone = Zone("z", 1000, "=q")
    zone.put(b"n", 0)
    children = []
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            for _ in range(100):
                with zone.locked():
                    (number,) = zone.get(b"n") or (0,)
                    zone.put(b"n", number + 1)  # type: ignore[operator]  # a record of one number
            os._exit(0)
        children.append(pid)
    for pid in children:
        os.waitpid(pid, 0)
    assert zone.get(b"n") == (400,)


def test_a_killed_process_leaves_the_lock() -> None:
    zone = Zone("z", 1000, "=q")
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        with zone.locked():
            os.write(writing, b"x")
            signal.pause()
    os.read(reading, 1)
    os.kill(pid, signal.SIGKILL)
    with zone.locked():  # waits for the kernel to have ended it
        zone.put(b"n", 1)
    os.waitpid(pid, 0)
    os.close(reading)
    os.close(writing)
    assert zone.get(b"n") == (1,)


def test_the_lock_is_given_back_by_an_error() -> None:
    zone = Zone("z", 1000, "=q")
    with pytest.raises(ZeroDivisionError), zone.locked():
        raise ZeroDivisionError
    pid = os.fork()
    if pid == 0:
        with zone.locked():
            os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7


def test_memory_is_given_back() -> None:
    name = "given-back"
    zone = Zone(name, 1000, "=q")
    assert descriptors_of(name) > 0
    del zone
    gc.collect()
    assert descriptors_of(name) == 0


def descriptors_of(name: str) -> int:
    """Count this process's descriptors of a zone's memory."""
    count = 0
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            count += f"memfd:upwire-{name}" in os.readlink(f"/proc/self/fd/{number}")
    return count


def test_zones_are_kept_while_they_are_asked_for() -> None:
    zones = Zones()
    first = zones.open("a", 1000, "=q")
    assert zones.open("a", 1000, "=q") is first
    zones.commit()
    assert list(zones.current) == [("a", 1000, "=q")]

    assert zones.open("a", 1000, "=q") is first
    assert zones.open("b", 1000, "=q") is not first
    zones.roll_back()
    assert list(zones.current) == [("a", 1000, "=q")]

    assert zones.open("a", 2000, "=q") is not first
    assert zones.open("a", 1000, "=d") is not first
    zones.commit()
    assert len(zones.current) == 2
    assert zones.open("a", 1000, "=q") is not first
