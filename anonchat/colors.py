"""The colours that tell the members of a room apart."""

COLORS = 12


def color_of(author: str) -> int:
    """Return the colour of a pseudonym, from 0 to `COLORS - 1`."""
    return int(author[:6] or "0", 16) % COLORS
