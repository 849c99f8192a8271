"""The row of a member."""

from htpy import li, small, span

from anonchat import Language, Member

from .person import NICKNAME, describe_person, initials
from .row import Row
from .row_cache import DrawnRowCache
from .template import Template

_cache = DrawnRowCache()

_MEMBER = Template(
    li(class_="{class_}", data_author="{author}")[
        initials("small"),
        NICKNAME,
        small(class_="mark-of-member owner")["{owner}"],
        small(class_="mark-of-member you")["{you}"],
        "{away}",
    ]
)
_AWAY = Template(span(class_="spoken")[" {away}"])


def member_row(member: Member, *, present: bool, language: Language) -> Row:
    """Draw a member; present members are sorted first.

    The style sheet shows "owner" and "you" on the rows with the classes `owner` and `own`.
    """
    return _cache.row(member, present, language.code, lambda: _draw(member, present, language))


def _draw(member: Member, present: bool, language: Language) -> Row:
    html = _MEMBER.fill(
        class_="member" if present else "member away",
        owner=language("owner"),
        you=language("you"),
        away="" if present else _AWAY.fill(away=language("away")),
        author=member.author,
        **describe_person(member.nickname, member.badge, member.author),
    )
    order = f"{'0' if present else '1'}{member.nickname.casefold()} {member.author}"
    return Row(member.author, order, html)
