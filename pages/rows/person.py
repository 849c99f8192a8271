"""Initials, colour, nickname and badge of a person."""

import regex
from htpy import Element, Fragment, bdi, fragment, span


def initials(nickname: str, author: str, *, size: str = "") -> Element:
    """Draw the first two characters of a nickname in the author's colour."""
    letters = "".join(regex.findall(r"\X", nickname)[:2])
    return span(class_=f"initials {size}".strip(), style=hue(author), aria_hidden="true")[letters]


def nickname_with_badge(nickname: str, badge: str) -> Fragment:
    """Draw a nickname, isolated from the text direction around it, and the badge."""
    return fragment[
        bdi(class_="who")[nickname],
        badge and span(class_="badge")["✓ ", badge],
    ]


def hue(author: str) -> str:
    """Return a style with a hue made from the author's pseudonym; it differs in each room."""
    return f"--hue:{int(author[:6] or '0', 16) % 360}"
