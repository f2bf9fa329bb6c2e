"""Hides Cython where this folder is on PYTHONPATH: what runs uncompiled must not need it."""

from __future__ import annotations

raise ModuleNotFoundError("No module named 'cython'", name="cython")
