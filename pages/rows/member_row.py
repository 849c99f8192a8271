"""The row of a member."""

from htpy import li, small, span

from anonchat import FOR_GOOD, HELPER, Language, Member

from .person import NICKNAME, describe_person, initials
from .row import Row, unix_milliseconds
from .row_cache import DrawnRowCache
from .template import Template

_cache = DrawnRowCache()

_MEMBER = Template(
    li(class_="{class_}", data_author="{author}", data_role="{role}")[
        initials("small"),
        NICKNAME,
        "{mark}",
        small(class_="mark-of-member you")["{you}"],
        "{muted}",
        "{away}",
    ]
)
_MARK = Template(small(class_="mark-of-member")["{text}"])
_MUTED = Template(small(class_="mark-of-member muted")["{text}"])
_MUTED_UNTIL = Template(
    small(class_="mark-of-member muted", data_left="{until}", data_say="{text}", data_ends="")
)
_AWAY = Template(span(class_="spoken")[" {away}"])


def member_row(member: Member, *, role: str = "", present: bool, language: Language) -> Row:
    """Draw a member; present members are sorted first. `role` is that of `role_of()`.

    The style sheet shows "you" on the row with the class `own`; the script hides that somebody is
    muted once it has ended.
    """

    def draw() -> Row:
        return _draw(member, role, present, language)

    return _cache.row(member, (role, present), language.code, draw)


def _draw(member: Member, role: str, present: bool, language: Language) -> Row:
    role_text = {"owner": language("owner"), HELPER: language("helper")}.get(role)
    html = _MEMBER.fill(
        class_="member" if present else "member away",
        role=role,
        mark=_MARK.fill(text=role_text) if role_text else "",
        muted=_draw_mute(member, language),
        you=language("you"),
        away="" if present else _AWAY.fill(away=language("away")),
        author=member.author,
        **describe_person(member.nickname, member.badge, member.author),
    )
    order = f"{'0' if present else '1'}{member.nickname.casefold()} {member.author}"
    return Row(member.author, order, html)


def _draw_mute(member: Member, language: Language) -> str:
    until = member.muted_until
    if until is None:
        return ""
    if until == FOR_GOOD:
        return _MUTED.fill(text=language("muted"))
    text = language("muted for {time}", time="{}")
    return _MUTED_UNTIL.fill(until=unix_milliseconds(until), text=text)
