"""The row of a member."""

from htpy import li, small, span

from anonchat import Member

from ..i18n.language import Language
from .person import initials, nickname_with_badge
from .row import Row
from .row_cache import DrawnRowCache

_cache = DrawnRowCache()


def member_row(member: Member, *, present: bool, language: Language) -> Row:
    """Draw a member; present members are sorted first.

    The style sheet shows "owner" and "you" on the rows with the classes `owner` and `own`.
    """
    return _cache.row(member, present, language.code, lambda: _draw(member, present, language))


def _draw(member: Member, present: bool, language: Language) -> Row:
    html = li(class_="member" if present else "member away")[
        initials(member.nickname, member.author, size="small"),
        nickname_with_badge(member.nickname, member.badge),
        small(class_="mark-of-member owner")[language("owner")],
        small(class_="mark-of-member you")[language("you")],
        not present and span(class_="spoken")[" ", language("away")],
    ]
    order = f"{'0' if present else '1'}{member.nickname.casefold()} {member.author}"
    return Row(member.author, order, str(html))
