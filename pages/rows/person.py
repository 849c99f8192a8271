"""What stands for a person: initials, colour, nickname, badge."""

import regex
from htpy import Element, Fragment, bdi, fragment, span


def initials(nickname: str, author: str, *, size: str = "") -> Element:
    """Draw the two first characters of a nickname in the colour that is theirs in this room."""
    letters = "".join(regex.findall(r"\X", nickname)[:2])
    return span(class_=f"initials {size}".strip(), style=hue(author), aria_hidden="true")[letters]


def signature(nickname: str, badge: str) -> Fragment:
    """Draw a nickname, apart from what surrounds it whatever its direction, and the badge."""
    return fragment[
        bdi(class_="who")[nickname],
        badge and span(class_="badge")["✓ ", badge],
    ]


def hue(author: str) -> str:
    """Return the style of a person: a hue made from the pseudonym, so another in each room."""
    return f"--hue:{int(author[:6] or '0', 16) % 360}"
