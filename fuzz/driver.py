"""Drives a fuzz target: mutates a seed corpus for some seconds and reports what breaks it.

A target is a function of octets and a source of randomness (for splits) that raises where its
invariant does not hold. `python fuzz/fuzz_http1.py --seconds 10 --seed 1`.
"""

from __future__ import annotations

import argparse
import random
import time
import traceback
from collections.abc import Callable, Iterable, Sequence

from upwire.errors import RemoteProtocolError

Target = Callable[[bytes, random.Random], None]

_MAX_OCTETS = 65536
_CORPUS_SIZE = 512
_LIKELY_OCTETS = b'\x00\r\n \t:;,="\\_-/?%0123456789abcdefxX\x7f\x80\xff'


def run(target: Target, corpus: Sequence[bytes]) -> int:
    """Run a target as the command line says; return its exit status, 1 where it broke."""
    parser = argparse.ArgumentParser(description=target.__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long to run")
    parser.add_argument("--seed", type=int, default=None, help="repeat a run")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().getrandbits(32)
    deadline_s = time.monotonic() + options.seconds
    rng = random.Random(seed)
    pool = list(corpus)
    runs = 0
    while runs < len(corpus) or time.monotonic() < deadline_s:
        octets = corpus[runs] if runs < len(corpus) else mutate(pool, rng)
        if not _holds(target, octets, rng):
            print(f"seed {seed}, run {runs}: broken by {len(octets)} octets, {octets!r:.1000}")
            return 1
        runs += 1
    print(f"{target.__name__}: {runs} runs, seed {seed}")
    return 0


def mutate(pool: list[bytes], rng: random.Random) -> bytes:
    """Return a changed member of the pool; now and then it becomes a member itself."""
    octets = bytearray(rng.choice(pool))
    for _ in range(rng.randint(1, 4)):
        start = rng.randint(0, len(octets))
        end = min(len(octets), start + rng.choice((0, 1, 1, 2, 8, 64)))
        octets[start:end] = _replacement(octets[start:end], pool, rng)
    del octets[_MAX_OCTETS:]
    if rng.random() < 0.02:
        index = rng.randrange(_CORPUS_SIZE)
        pool[index : index + 1] = [bytes(octets)]
    return bytes(octets)


def split(octets: bytes, rng: random.Random) -> list[bytes]:
    """Cut octets into pieces: whole, one by one, or at random."""
    way = rng.randrange(4)
    if way == 0 or not octets:
        return [octets]
    if way == 1:
        return [octets[at : at + 1] for at in range(len(octets))]
    cuts = sorted(rng.randint(0, len(octets)) for _ in range(rng.randint(1, 8)))
    return [octets[a:b] for a, b in zip([0, *cuts], [*cuts, len(octets)], strict=True)]


def verdict(read: Callable[[Iterable[bytes]], object], pieces: Iterable[bytes]) -> object:
    """Return what read() makes of the pieces, or the RemoteProtocolError in comparable form."""
    try:
        return read(pieces)
    except RemoteProtocolError as error:
        return str(error), error.status, error.close_code


def check_splits(
    read: Callable[[Iterable[bytes]], object], octets: bytes, rng: random.Random
) -> object:
    """Return the verdict on octets after checking that it is the same however they are split."""
    whole = verdict(read, [octets])
    pieces = split(octets, rng)
    parts = verdict(read, pieces)
    assert parts == whole, (
        f"split into {list(map(len, pieces))}: {parts!r:.1000}, but whole: {whole!r:.1000}"
    )
    return whole


def _holds(target: Target, octets: bytes, rng: random.Random) -> bool:
    """Whether the target takes the octets; prints the traceback where it does not."""
    try:
        target(octets, rng)
    except Exception:  # noqa: BLE001  # whatever is raised is the finding
        traceback.print_exc()
        return False
    return True


def _replacement(piece: bytearray, pool: list[bytes], rng: random.Random) -> bytes:
    """What takes the place of a piece: noise, its own copies, or a part of another member."""
    way = rng.randrange(5)
    if way == 0:
        return rng.randbytes(rng.choice((0, 1, 4)))
    if way == 1:
        return bytes(piece) * rng.choice((2, 3, 200))
    if way == 2:
        return bytes(octet ^ (1 << rng.randrange(8)) for octet in piece)
    if way == 3:
        return bytes(rng.choices(_LIKELY_OCTETS, k=rng.randint(1, 3)))
    donor = rng.choice(pool)
    start = rng.randint(0, len(donor))
    return donor[start : start + rng.choice((1, 8, 64))]
