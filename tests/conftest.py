"""Puts this folder on sys.path, so that tests import shared builders as `kit`."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))

# The same examples in each run, and no verdict by the clock: fuzz/ is where chance belongs.
settings.register_profile(
    "exact", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("exact")
