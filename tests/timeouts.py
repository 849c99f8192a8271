"""The one deadline of tests for something that happens soon, unless the program is broken."""

import httpx

DEADLINE = 240
"""Seconds that every such wait may take: enough for an overloaded machine."""

IDLE_MAX = httpx.Limits(keepalive_expiry=1.0)
"""For clients that rest in between: the server closes a connection that rests for 5 s."""
