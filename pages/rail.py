"""The rail: the rooms one is in, and oneself."""

from functools import cache

from htpy import (
    Element,
    Node,
    a,
    bdi,
    details,
    div,
    footer,
    fragment,
    h2,
    header,
    nav,
    p,
    section,
    small,
    span,
    summary,
)
from markupsafe import Markup
from nicegui import ui

from anonchat import Cost, Room, Visitor, visitor_lifetime

from .controls import button, dialog, icon_button, initials
from .frame import chosen_theme, language_links, mark, theme_links
from .language import Language
from .live.feed import CatchUp, Feed, Shown
from .live.feeds import draw_each
from .live.finder import Finder
from .live.screen import Fields, Screen
from .new_room import new_room
from .news import own_of
from .rows import rail_row
from .site import Site

_MATCHES = 8


async def rail(
    site: Site,
    visitor: Visitor,
    language: Language,
    screen: Screen,
    *,
    finder: Finder | None = None,
    current: str = "",
) -> Element:
    """Draw the rail; `current` is the id of the room that is open."""
    return nav(class_="rail", aria_label=language("Rooms"))[
        header[mark(), icon_button("plus", language("New room"), data_opens="new-room")],
        new_room(site, visitor, language, screen),
        finder,
        section(class_="own", aria_labelledby="own")[
            h2(id="own")[language("Your rooms")],
            await _own_rooms(site, visitor, language, current),
            p(class_="empty")[language("You are in no room yet.")],
        ],
        _me(site, visitor, language),
        _settings(site, visitor, language, screen),
    ]


def room_finder(site: Site, visitor: Visitor, language: Language, *, with_button: bool) -> Finder:
    """Make the box that finds or creates a room, joins it, and goes there."""

    async def open_named(name: str) -> None:
        await finder.work.spend(Cost.NEW_ROOM)
        await enter(await site.chat.rooms.open(name, visitor_id=visitor.id))

    async def open_found(slug: str) -> None:
        await enter(await site.chat.rooms.find(slug))

    async def enter(room: Room) -> None:
        await finder.work.spend(Cost.JOIN + site.cost_of_telling(room.id))
        await site.chat.memberships.join(room.id, visitor_id=visitor.id)
        ui.navigate.to(f"/r/{room.slug}")

    finder = Finder(
        budget=site.chat.work,
        rooms=lambda: site.chat.lobby.count()[1],
        search=lambda words: site.chat.lobby.search(words, limit=_MATCHES),
        open=open_named,
        pick=open_found,
        language=language,
        with_button=with_button,
    )
    return finder


async def _own_rooms(site: Site, visitor: Visitor, language: Language, current: str) -> Feed:
    async def catch_up(_shown: Shown) -> CatchUp:
        marks = await site.chat.memberships.read_marks(visitor.id)
        glances = await site.chat.lobby.glance_all(marks)
        rows = await draw_each(glances, lambda glance: rail_row(glance, language=language))
        return CatchUp(rows, keep=[], read=marks)

    async def act(wish: dict[str, str]) -> None:
        if wish.get("act") == "leave":
            await feed.work.wait(Cost.JOIN + site.cost_of_telling(str(wish.get("key"))))
            await site.chat.memberships.leave(str(wish.get("key")), visitor_id=visitor.id)

    feed = Feed(
        site.feeds,
        own_of(visitor.id),
        tag="ul",
        label="",
        language=language,
        viewer=visitor.id,
        catch_up=catch_up,
        follow="rail",
        current=current,
    )
    feed.answer("act", act)
    return feed.begin(await catch_up(Shown([])))


def _me(site: Site, visitor: Visitor, language: Language) -> Element:
    life = visitor_lifetime(site.chat.settings, has_posted=visitor.has_posted)
    known = language("known here for {time}", time=language.duration(life))
    return footer(class_="me")[
        initials(visitor.nickname),
        div[
            bdi(class_="who")[visitor.nickname],
            small[f"✓ {visitor.badge}" if visitor.badge else known],
        ],
        icon_button("gear", language("Settings"), data_opens="settings"),
    ]


def _settings(site: Site, visitor: Visitor, language: Language, screen: Screen) -> Markup:
    async def forget(_fields: Fields) -> None:
        await screen.work.wait(Cost.END)
        await site.chat.identity.forget(visitor.id)  # every screen hears of it, and goes

    screen.answer("forget", forget)
    theme = chosen_theme(ui.context.client.request)
    languages = tuple(site.languages.values())
    return _draw_settings(languages, language, theme, has_phrase=bool(visitor.badge))


@cache
def _draw_settings(
    languages: tuple[Language, ...], language: Language, theme: str, *, has_phrase: bool
) -> Markup:
    settings = dialog(
        "settings",
        language("Settings"),
        _option(language("Language"), language_links(languages, language)),
        _option(language("Colours"), theme_links(language, chosen=theme)),
        a(href="/privacy")[language("What we keep")],
        button(language("Sign out"), kind="quiet", data_opens="sign-out", data_closes=""),
        details(class_="forget")[
            summary[language("Forget me")],
            p[
                language(
                    "Your nickname, your rooms and everything you wrote will be gone at once, for "
                    "everybody. This cannot be undone."
                )
            ],
            button(language("Yes, forget me now"), kind="danger", data_calls="forget"),
        ],
        close_label=language("Close"),
    )
    return fragment[settings, _sign_out(language, has_phrase=has_phrase)].__html__()


def _sign_out(language: Language, *, has_phrase: bool) -> Element:
    way_back = (
        language("You come back under your nickname with its secret phrase, from any browser.")
        if has_phrase
        else language(
            "You have no secret phrase: once you are signed out, nobody can use your nickname "
            "until it expires, and neither can you."
        )
    )
    return dialog(
        "sign-out",
        language("Sign out"),
        p[
            language(
                "This browser will no longer be recognised. Your nickname, your rooms and what you "
                "wrote stay until their time is over."
            )
        ],
        p[way_back],
        p(class_="alert", role="alert", data_failed="", hidden=True)[
            language("You could not be signed out. Please try again.")
        ],
        button(language("Yes, sign out"), data_signs_out=""),
        close_label=language("Close"),
    )


def _option(text: str, links: Node) -> Element:
    return div(class_="options-line")[span[text], links]
