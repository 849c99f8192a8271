"""The row of a visitor's own nickname."""

from datetime import timedelta

from htpy import bdi, div, small

from anonchat import Language, Visitor

from .row import Row


def profile_row(visitor: Visitor, lifetime: timedelta, *, language: Language) -> Row:
    """Draw the nickname, and the badge or how long an absent visitor is known."""
    known = language("known here for {time}", time=language.duration(lifetime))
    html = div[
        bdi(class_="who")[visitor.nickname],
        small[f"✓ {visitor.badge}" if visitor.badge else known],
    ]
    return Row("profile", 0, str(html))
