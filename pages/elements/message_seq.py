"""The `seq` of a message as a browser names it."""

import re

_SEQ_MAX = 2**53  # JavaScript integers are exact below it; no room comes near


def read_seq(value: object) -> int:
    """Return the seq that a browser sent, or 0 if the value is not one."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,15}", value):
        value = int(value)
    return value if isinstance(value, int) and 0 < value < _SEQ_MAX else 0
