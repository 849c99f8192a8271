"""The rail: the rooms one is in, and oneself."""

from collections.abc import Sequence

from nicegui import ui

from anonchat import Membership, Room, Visitor

from .controls import Dialog, Tag, button, icon_button, initials
from .frame import language_links, mark, theme_links
from .language import Language
from .live.feed import CatchUp, Feed, Shown
from .live.feeds import draw_each
from .live.finder import Finder
from .new_room import new_room_dialog
from .news import own_of
from .rows import Row, rail_row
from .site import Site

_MATCHES = 8


async def rail(
    site: Site, visitor: Visitor, language: Language, *, with_finder: bool, current: str = ""
) -> Dialog:
    """Draw the rail, and return its settings; `current` is the id of the room that is open."""
    with Tag("nav", class_="rail", aria_label=language("Rooms")):
        with Tag("header"):
            mark()
            opener = icon_button("plus", language("New room"))
            new_room_dialog(site, visitor, language).opens_by(opener)
        if with_finder:
            room_finder(site, visitor, language, with_button=False)
        with Tag("section", class_="own") as section:
            heading = Tag("h2", language("Your rooms"))
            await _own_rooms(site, visitor, language, current)
            Tag("p", language("You are in no room yet."), class_="empty")
        section._props["aria-labelledby"] = heading.html_id
        return _me(site, visitor, language)


def room_finder(site: Site, visitor: Visitor, language: Language, *, with_button: bool) -> None:
    """Draw the box that finds or creates a room, joins it, and goes there."""

    async def open_named(name: str) -> None:
        await enter(await site.chat.rooms.open(name, visitor_id=visitor.id))

    async def open_found(slug: str) -> None:
        await enter(await site.chat.rooms.find(slug))

    async def enter(room: Room) -> None:
        await site.chat.memberships.join(room.id, visitor_id=visitor.id)
        ui.navigate.to(f"/r/{room.slug}")

    Finder(
        search=lambda words: site.chat.lobby.search(words, limit=_MATCHES),
        open=open_named,
        pick=open_found,
        language=language,
        with_button=with_button,
    )


async def _own_rooms(site: Site, visitor: Visitor, language: Language, current: str) -> None:
    async def catch_up(_shown: Shown) -> CatchUp:
        mine = await site.chat.memberships.list_mine(visitor.id)
        rows = await _draw(site, mine, language)
        return CatchUp(rows, keep=[], read=_read_marks(mine))

    async def act(wish: dict[str, str]) -> None:
        if wish.get("act") == "leave":
            await site.chat.memberships.leave(str(wish.get("key")), visitor_id=visitor.id)

    mine = await site.chat.memberships.list_mine(visitor.id)
    Feed(
        site.feeds,
        own_of(visitor.id),
        tag="ul",
        label="",
        language=language,
        viewer=visitor.id,
        rows=await _draw(site, mine, language),
        catch_up=catch_up,
        follow="rail",
        read=_read_marks(mine),
        current=current,
    ).answer("act", act)


async def _draw(site: Site, mine: Sequence[Membership], language: Language) -> list[Row]:
    glances = await site.chat.lobby.glance_all(membership.room.id for membership in mine)
    return await draw_each(glances, lambda glance: rail_row(glance, language=language))


def _read_marks(mine: Sequence[Membership]) -> dict[str, int]:
    """Return up to where each room counts as read, so that the rest are as many as are unread."""
    return {membership.room.id: membership.room.last_seq - membership.unread for membership in mine}


def _me(site: Site, visitor: Visitor, language: Language) -> Dialog:
    async def forget() -> None:
        await site.chat.identity.forget(visitor.id)  # every screen hears of it, and goes

    with Tag("footer", class_="me"):
        initials(visitor.nickname)
        with Tag("div"):
            Tag("bdi", visitor.nickname, class_="who")
            days = language.duration(site.chat.settings.visitor_ttl)
            known = language("known here for {time}", time=days)
            Tag("small", f"✓ {visitor.badge}" if visitor.badge else known)
        opener = icon_button("gear", language("Settings"))
    dialog = Dialog(language("Settings"), close_label=language("Close"))
    dialog.opens_by(opener)
    with dialog.body:
        with Tag("div", class_="options-line"):
            Tag("span", language("Language"))
            language_links(site, language)
        with Tag("div", class_="options-line"):
            Tag("span", language("Colours"))
            theme_links(language)
        Tag("a", language("What we keep"), href="/privacy")
        with Tag("details", class_="forget"):
            Tag("summary", language("Forget me"))
            Tag(
                "p",
                language(
                    "Your nickname, your rooms and everything you wrote will be gone at once, for "
                    "everybody. This cannot be undone."
                ),
            )
            button(language("Yes, forget me now"), kind="danger").on("click", forget)
    return dialog
