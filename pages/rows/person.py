"""Initials, colour, nickname and badge of a person."""

import regex
from htpy import Element, Fragment, bdi, fragment, span

from anonchat import COLORS, color_of

from .template import Template

_BADGE = Template(span(class_="badge")["✓ {badge}"])

NICKNAME: Fragment = fragment[bdi(class_="who")["{nickname}"], "{badge}"]
"""A nickname, isolated from the text direction around it, and the badge: part of a template."""


def initials(size: str = "") -> Element:
    """Draw the part of a template with a person's initials in their colour."""
    return span(class_=f"initials {size}".strip(), style="{hue}", aria_hidden="true")["{initials}"]


def describe_person(nickname: str, badge: str, author: str) -> dict[str, str]:
    """Return the values of a person for a template with `NICKNAME` and `initials()`."""
    return {
        "nickname": nickname,
        "badge": badge and _BADGE.fill(badge=badge),
        "initials": "".join(regex.findall(r"\X", nickname)[:2]),
        "hue": hue(author),
    }


def hue(author: str) -> str:
    """Return a style with the hue of the author's pseudonym; it differs in each room."""
    return f"--hue:{color_of(author) * 360 // COLORS}"
