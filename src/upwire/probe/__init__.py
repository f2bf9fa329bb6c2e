"""`upwire probe`: says what is wrong between a client and a WebSocket server.

`run` gathers evidence, `verdicts` and its siblings judge it, `report` shows both.
"""
