"""The load generator: many connections, prepared messages, every echo checked and timed."""

from upwire.load.measure import Load, Result, Work, open_load

__all__ = ["Load", "Result", "Work", "open_load"]
