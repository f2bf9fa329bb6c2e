"""Plain sockets without asyncio's transports: one compiled engine for all of a loop's.

`driver.py` brings sockets to it; everything of it is there and unused where it is not compiled.
"""
