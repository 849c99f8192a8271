"""How a member looks in the list of members."""

from htpy import li, span

from anonchat import Member

from ..language import Language
from .drawn import Drawn
from .person import initials, signature
from .row import Row

_drawn = Drawn()


def member_row(member: Member, *, present: bool, language: Language) -> Row:
    """Draw a member; those who are here come first."""
    return _drawn.row(member, present, language.code, lambda: _draw(member, present, language))


def _draw(member: Member, present: bool, language: Language) -> Row:
    html = li(class_="member" if present else "member away")[
        initials(member.nickname, member.author, size="small"),
        signature(member.nickname, member.badge),
        not present and span(class_="hidden")[language("away")],
    ]
    order = f"{'0' if present else '1'}{member.nickname.casefold()} {member.author}"
    return Row(member.author, order, str(html))
