"""Puts this folder on sys.path, so that tests import shared builders as `kit`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
