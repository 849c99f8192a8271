"""The sidebar: the visitor's rooms, nickname and settings."""

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

from .context import PageContext
from .controls import alert, button, dialog, icon_button, initials
from .elements.left_room import LeftRoom
from .elements.live_list import ClientState, LiveList, SyncResult
from .elements.page_budget import PageBudget
from .elements.room_search import RoomSearch
from .elements.screen import Fields, Screen
from .feeds.broadcaster import draw_each
from .feeds.topics import sidebar_topic
from .i18n.language import Language
from .layout import chosen_theme, language_links, logo, theme_links
from .new_room_dialog import new_room_dialog
from .rows import sidebar_row

_MATCHES_MAX = 8


async def sidebar(
    context: PageContext,
    visitor: Visitor,
    language: Language,
    screen: Screen,
    *,
    search_box: RoomSearch | None = None,
    current: str = "",
) -> Element:
    """Draw the sidebar; `current` is the id of the open room."""
    return nav(class_="sidebar", aria_label=language("Rooms"))[
        header[
            logo(context.chat.settings.name),
            icon_button("plus", language("New room"), data_opens="new-room"),
        ],
        new_room_dialog(context, visitor, language, screen),
        search_box,
        section(class_="own", aria_labelledby="own")[
            h2(id="own")[language("Your rooms")],
            await _own_rooms(context, visitor, language, current),
            p(class_="empty")[language("You are in no room yet.")],
        ],
        _left_room(context, visitor, language),
        _profile(context, visitor, language),
        _settings(context, visitor, language, screen),
    ]


def room_search(
    context: PageContext, visitor: Visitor, language: Language, *, with_button: bool
) -> RoomSearch:
    """Return the box that finds or creates a room, joins it and opens its page."""

    async def open_named(name: str) -> None:
        await search_box.work.spend(Cost.NEW_ROOM)
        room = await context.chat.rooms.open(name, visitor_id=visitor.id)
        await _enter(context, visitor, room, search_box.work)

    async def open_found(slug: str) -> None:
        await _enter(context, visitor, await context.chat.rooms.find(slug), search_box.work)

    search_box = RoomSearch(
        budget=context.chat.work_budget,
        rooms=lambda: context.chat.room_directory.count()[1],
        search=lambda words: context.chat.room_directory.search(words, limit=_MATCHES_MAX),
        open=open_named,
        pick=open_found,
        language=language,
        with_button=with_button,
    )
    return search_box


async def _enter(context: PageContext, visitor: Visitor, room: Room, work: PageBudget) -> None:
    """Join the room and open its page."""
    await work.spend(Cost.JOIN + context.broadcast_cost(room.id))
    await context.chat.memberships.join(room.id, visitor_id=visitor.id)
    ui.navigate.to(f"/r/{room.slug}")


def _left_room(context: PageContext, visitor: Visitor, language: Language) -> LeftRoom:
    async def enter(slug: str) -> None:
        await _enter(context, visitor, await context.chat.rooms.find(slug), notice.work)

    notice = LeftRoom(enter, budget=context.chat.work_budget, language=language)
    return notice


async def _own_rooms(
    context: PageContext, visitor: Visitor, language: Language, current: str
) -> LiveList:
    async def catch_up(_shown: ClientState) -> SyncResult:
        marks = await context.chat.memberships.read_marks(visitor.id)
        summaries = await context.chat.room_directory.summaries(marks)
        rows = await draw_each(summaries, lambda summary: sidebar_row(summary, language=language))
        return SyncResult(rows, keep=[], read=marks)

    async def act(arguments: dict[str, str]) -> None:
        if arguments.get("act") == "leave":
            room_id = str(arguments.get("key"))
            await feed.work.wait(Cost.JOIN + context.broadcast_cost(room_id))
            await context.chat.memberships.leave(room_id, visitor_id=visitor.id)

    feed = LiveList(
        context.feeds,
        sidebar_topic(visitor.id),
        tag="ul",
        label="",
        language=language,
        viewer=visitor.id,
        catch_up=catch_up,
        row_channel="sidebar",
        current=current,
    )
    feed.on_event("act", act)
    return feed.set_initial_rows(await catch_up(ClientState([])))


def _profile(context: PageContext, visitor: Visitor, language: Language) -> Element:
    lifetime = visitor_lifetime(context.chat.settings, has_posted=visitor.has_posted)
    expiry = language("known here for {time}", time=language.duration(lifetime))
    return footer(class_="me")[
        initials(visitor.nickname),
        div[
            bdi(class_="who")[visitor.nickname],
            small[f"✓ {visitor.badge}" if visitor.badge else expiry],
        ],
        icon_button("settings", language("Settings"), data_opens="settings"),
    ]


def _settings(context: PageContext, visitor: Visitor, language: Language, screen: Screen) -> Markup:
    async def forget(_fields: Fields) -> None:
        await screen.work.wait(Cost.PURGE)
        await context.chat.identity.forget(
            visitor.id
        )  # the event signs out all pages of the visitor

    screen.on_call("forget", forget)
    theme = chosen_theme(ui.context.client.request)
    languages = tuple(context.languages.values())
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
        a(href="privacy")[language("What we keep")],
        button(language("Sign out"), kind="quiet", data_opens="sign-out", data_closes=""),
        details(class_="forget")[
            summary[language("Forget me")],
            p[
                language(
                    "Your nickname, your rooms and everything you wrote will be gone at once, for "
                    "everybody. This cannot be undone."
                )
            ],
            alert("forget"),
            button(language("Yes, forget me now"), kind="danger", data_calls="forget"),
        ],
        close_label=language("Close"),
    )
    return fragment[settings, _sign_out(language, has_phrase=has_phrase)].__html__()


def _sign_out(language: Language, *, has_phrase: bool) -> Element:
    return_hint = (
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
        p[return_hint],
        p(
            class_="alert",
            role="alert",
            data_failed=language("You could not be signed out. Please try again."),
        ),
        button(language("Yes, sign out"), data_signs_out=""),
        close_label=language("Close"),
    )


def _option(text: str, links: Node) -> Element:
    return div(class_="options-line")[span[text], links]
