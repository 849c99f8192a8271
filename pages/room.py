"""The room: its messages, its members, and the box to write in."""

import re
from dataclasses import replace
from functools import cache
from typing import Annotated, Any

from fastapi import Depends, Request
from htpy import Element, a, aside, bdi, div, footer, h1, h2, header, p, span
from htpy import input as input_
from markupsafe import Markup
from nicegui import ui

from anonchat import ChatError, Member, Room, Visitor

from .controls import alert, button, dialog, icon, icon_button
from .errors import way_back
from .frame import open_page, page
from .language import Language
from .live.composer import Composer
from .live.feed import Beside, CatchUp, Feed, Page, Shown
from .live.feeds import draw_each
from .live.part import Part
from .live.screen import Fields, Screen
from .news import facts_of, members_of, messages_of, present_in
from .presence import follow_presence
from .rail import rail, room_finder
from .rows import facts_row, member_row, message_row, pending_row, present_row
from .site import Site

_ROWS_ON_PAGE = 300
_LIVING_MOST = 1_000  # no page asks for more
_FAREWELL_SECONDS = 8
_SEQ_MOST = 2**53  # what a browser counts exactly; no room comes near


def register(site: Site) -> None:
    """Add the page."""

    KnownVisitor = Annotated[Visitor, Depends(site.door.visitor)]

    async def find(slug: str, _visitor: KnownVisitor) -> Room:
        return site.chat.lobby.find(slug)

    @page("/r/{slug}")
    async def room(
        request: Request, visitor: KnownVisitor, found: Annotated[Room, Depends(find)]
    ) -> None:
        member = await site.chat.memberships.get(found.id, visitor_id=visitor.id)
        language = open_page(site, request, title=found.name)
        with Screen("shell room") as screen:
            finder = room_finder(site, visitor, language, with_button=False)
            screen.draw(
                await rail(site, visitor, language, screen, finder=finder, current=found.id),
                await _Talk(site, language, found, member, screen).draw()
                if member
                else await _entrance(site, visitor, language, found, screen),
            )


async def _entrance(
    site: Site, visitor: Visitor, language: Language, room: Room, screen: Screen
) -> Element:
    """Show a room to one who is not in it: what it is, and the way in."""

    async def join(_fields: Fields) -> None:
        try:
            await site.chat.memberships.join(room.id, visitor_id=visitor.id)
        except ChatError as error:
            screen.say("join", language.explain(error))
        else:
            ui.navigate.reload()

    screen.answer("join", join)
    facts = await _facts(site, visitor.id, language, room)
    facts.answer("ended", lambda news: _lead_away(screen, "entrance", language, news))
    members = await site.chat.memberships.count(room.id)
    present = len(site.chat.presence.list_present(room.id))
    return div(class_="entrance", id="entrance")[
        h1[bdi[room.name]],
        p(class_="topic", dir="auto")[room.topic],
        div(class_="chips")[
            span(class_="chip")[language.count("{n} member", "{n} members", members)],
            span(class_="chip")[language.count("{n} here", "{n} here", present)],
        ],
        facts,
        p(class_="hint")[language("What is said here is shown to members only.")],
        alert("join"),
        button(language("Join room"), data_calls="join"),
        a(href="/", class_="quiet-link")[language("Back to the lobby")],
    ]


async def _facts(site: Site, viewer: str, language: Language, room: Room) -> Feed:
    async def catch_up(_shown: Shown) -> CatchUp:
        glance = site.chat.lobby.glance(room.id)
        return CatchUp([facts_row(glance, language=language)] if glance else [], keep=[])

    feed = Feed(
        site.feeds,
        facts_of(room.id),
        tag="div",
        label="",
        language=language,
        viewer=viewer,
        catch_up=catch_up,
    )
    return feed.begin(await catch_up(Shown([])))


def _lead_away(screen: Screen, place: str, language: Language, news: dict[str, Any]) -> None:
    """Say why the room is gone, with everything that was shown of it, and go to the lobby."""
    burnt = news.get("why") == "burnt"
    screen.replace(
        place,
        div(class_="talk")[
            div(class_="nothing", role="alert")[
                h1[language("This room was burnt.") if burnt else language("This room has ended.")],
                p[
                    language("Its owner has ended it. Everything said here is gone, for everybody.")
                    if burnt
                    else language("It was quiet for too long. Everything said here is gone.")
                ],
                way_back(language),
            ]
        ],
    )
    ui.run_javascript(f"setTimeout(() => location.assign('/'), {_FAREWELL_SECONDS} * 1000)")


class _Talk:
    """The room as a member sees it on one screen."""

    def __init__(
        self, site: Site, language: Language, room: Room, member: Member, screen: Screen
    ) -> None:
        self._site = site
        self._language = language
        self._room = room
        self._member = member
        self._screen = screen
        self._page_size = site.chat.settings.page_size
        self._parts: list[Part] = []

    async def draw(self) -> list[Element]:
        """Draw the conversation and who is in it."""
        self._screen.answer("leave", self._leave)
        if self._owns:
            self._screen.answer("burn", self._burn)
        messages = await self._messages()
        facts = await _facts(self._site, self._member.visitor_id, self._language, self._room)
        composer = Composer(
            self._post,
            feed=messages,
            language=self._language,
            draft_key=self._room.id,
            patience=self._room.message_ttl,
            placeholder=self._language(
                "Message, gone in {time}", time=self._language.duration(self._room.message_ttl)
            ),
        )
        present, members = await self._present(), await self._members()
        self._parts = [messages, facts, composer, present, members]
        follow_presence(self._site, self._member)
        return [
            div(class_="talk", id="talk")[self._head(facts), messages, alert("delete"), composer],
            self._panel(present, members),
        ]

    @property
    def _owns(self) -> bool:
        return self._member.author == self._room.owner

    def _head(self, facts: Feed) -> Element:
        language, room = self._language, self._room
        return header[
            a(
                href="/",
                class_="button icon-only quiet back",
                aria_label=language("Back to the lobby"),
            )[icon("back")],
            div(class_="title")[
                h1[bdi[room.name]],
                room.topic and p(dir="auto", title=room.topic)[room.topic],
            ],
            facts,
            icon_button("link", language("Invite"), data_opens="invitation"),
            _invitation(language),
            icon_button("people", language("Members"), data_turns="members"),
            self._owns and icon_button("flame", language("Burn room"), data_opens="burning"),
            self._owns and _burning(language),
            icon_button("leave", language("Leave room"), data_calls="leave"),
        ]

    async def _messages(self) -> Feed:
        language = self._language
        feed = Feed(
            self._site.feeds,
            messages_of(self._room.id),
            tag="div",
            label=language("Messages"),
            language=language,
            viewer=self._member.visitor_id,
            catch_up=self._catch_up,
            turn_page=self._turn_page,
            stick=True,
            days=True,
            cap=_ROWS_ON_PAGE,
            me=self._member.author,
            owns=self._owns,
            texts={
                "takeBack": language("Delete"),
                "sure": language("Delete for everybody?"),
                "pending": pending_row(self._member),
                "pill": language("New messages"),
                "latest": language("To the latest"),
                "fresh": language("New"),
                "quiet": language("Nothing has been said yet, or it is gone already."),
            },
        )
        feed.answer("read", self._mark_read)
        feed.answer("ended", self._end)
        feed.answer("act", self._act)
        try:
            newest = await self._newest()
        except ChatError:  # left a moment ago, on another screen: the catch-up shows the way out
            await feed.stop()
            newest = CatchUp([], keep=[])
        return feed.begin(replace(newest, read={"": self._member.read_seq}))

    def _panel(self, present: Feed, members: Feed) -> Element:
        language = self._language
        return aside(class_="members", id="members", data_turned=True)[
            header[
                h2[span[language("Members")], present],
                icon_button("close", language("Close"), data_turns="members"),
            ],
            members,
            footer(class_="only-phone")[
                button(language("Settings"), kind="quiet", data_opens="settings")
            ],
        ]

    async def _members(self) -> Feed:
        feed = Feed(
            self._site.feeds,
            members_of(self._room.id),
            tag="ul",
            label=self._language("Members"),
            language=self._language,
            viewer=self._member.visitor_id,
            catch_up=lambda _: self._list_members(feed),
        )
        return feed.begin(await self._list_members(feed))

    async def _present(self) -> Feed:
        """Say how many are here."""

        async def catch_up(_shown: Shown) -> CatchUp:
            glance = self._site.chat.lobby.glance(self._room.id)
            return CatchUp([present_row(glance, language=self._language)] if glance else [], [])

        feed = Feed(
            self._site.feeds,
            present_in(self._room.id),
            tag="small",
            label="",
            language=self._language,
            viewer=self._member.visitor_id,
            catch_up=catch_up,
        )
        return feed.begin(await catch_up(Shown([])))

    async def _post(self, text: str, dedup_id: str) -> None:
        await self._site.chat.messages.post(
            self._room.id,
            visitor_id=self._member.visitor_id,
            text=text,
            dedup_id=dedup_id,
        )

    async def _leave(self, _fields: Fields) -> None:
        """Leave; all screens of the member hear of it and go to the lobby, this one too."""
        await self._site.chat.memberships.leave(self._room.id, visitor_id=self._member.visitor_id)

    async def _burn(self, _fields: Fields) -> None:
        """End the room; all its screens hear of it, and are led away."""
        try:
            await self._site.chat.rooms.burn(self._room.id, visitor_id=self._member.visitor_id)
        except ChatError as error:
            self._screen.say("burn", self._language.explain(error))

    async def _act(self, wish: dict[str, Any]) -> None:
        if wish.get("act") == "delete":
            await self._delete(_read_seq(wish.get("key")))

    async def _delete(self, seq: int) -> None:
        messages, visitor_id = self._site.chat.messages, self._member.visitor_id
        try:
            found = await messages.history(
                self._room.id, visitor_id=visitor_id, after=seq - 1, limit=1
            )
            for message in found:
                if message.seq == seq:  # else it is gone already
                    await messages.delete(
                        self._room.id, visitor_id=visitor_id, message_id=message.id
                    )
        except ChatError as error:
            self._screen.say("delete", self._language.explain(error))
        else:
            self._screen.say("delete", "")

    async def _history(self, **where: int) -> list[Any]:
        return await self._site.chat.messages.history(
            self._room.id,
            visitor_id=self._member.visitor_id,
            limit=self._page_size,
            **where,
        )

    async def _turn_page(self, beside: Beside) -> Page:
        where = {}
        if beside.before:
            where["before"] = _read_seq(beside.before)
        elif beside.after:
            where["after"] = _read_seq(beside.after)
        try:
            page = await self._history(**where)
        except ChatError:  # no member any more: the catch-up shows the way out
            page = []
        return Page([message_row(message) for message in page], more=len(page) == self._page_size)

    async def _newest(self) -> CatchUp:
        newest = await self._history()
        rows = [message_row(message) for message in newest]
        return CatchUp(rows, keep=[], more=len(newest) == self._page_size)

    async def _catch_up(self, shown: Shown) -> CatchUp:
        """Return what the screen has missed; after a long absence, the newest page.

        What was posted last may be on the screen already, and what came before it not yet. A screen
        that is further up shows nothing of what is new, but it has to know that there is something.
        """
        seqs = {seq for key in shown.keys if (seq := _read_seq(key))}
        first = min(seqs, default=0) if shown.older else 0  # older ones come by scrolling
        last = max(seqs, default=0)
        heard = max(last, _read_seq(shown.beyond))
        try:
            living = await self._site.chat.messages.living_seqs(
                self._room.id,
                visitor_id=self._member.visitor_id,
                first=first,
                last=last,
                limit=_LIVING_MOST,
            )
            newer = await self._history(after=min({*living} - seqs, default=heard + 1) - 1)
            is_far_behind = len(newer) == self._page_size and not shown.beyond
            if is_far_behind or len(living) == _LIVING_MOST:
                return await self._newest()
        except ChatError:  # no member any more, or no room: then the page itself says so
            if self._site.chat.lobby.glance(self._room.id):
                ui.navigate.to("/")
            else:
                ui.navigate.reload()
            return CatchUp([], keep=[])
        return CatchUp([message_row(message) for message in newer], keep=[*map(str, living)])

    async def _list_members(self, feed: Feed) -> CatchUp:
        present = self._site.chat.presence.list_present(self._room.id)
        try:
            members = await self._site.chat.memberships.list_members(
                self._room.id, visitor_id=self._member.visitor_id
            )
        except ChatError:  # no member any more: who comes and goes is nothing for them
            await feed.stop()
            members = []
        rows = await draw_each(
            members,
            lambda member: member_row(
                member, present=member.author in present, language=self._language
            ),
        )
        return CatchUp(rows, keep=[])

    async def _mark_read(self, mark: dict[str, Any]) -> None:
        seq = _read_seq(mark.get("seq"))
        if seq > self._member.read_seq:
            await self._site.chat.memberships.mark_read(
                self._room.id, visitor_id=self._member.visitor_id, seq=seq
            )

    def _end(self, news: dict[str, Any]) -> None:
        for part in self._parts:
            part.delete()
        self._screen.replace("members")
        _lead_away(self._screen, "talk", self._language, news)


@cache
def _burning(language: Language) -> Markup:
    return dialog(
        "burning",
        language("Burn this room?"),
        p[
            language(
                "The room ends now, for everybody: its name, its address, and every message. The "
                "keys to what was said are destroyed. What people have photographed or remember "
                "stays with them. This cannot be undone."
            )
        ],
        alert("burn"),
        button(language("Yes, burn it now"), kind="danger", data_calls="burn"),
        close_label=language("Close"),
    ).__html__()


@cache
def _invitation(language: Language) -> Markup:
    return dialog(
        "invitation",
        language("Invite to this room"),
        p[language("Whoever has this link can come in with a nickname of their own.")],
        div(class_="field")[
            input_(
                type="text",
                id="link",
                readonly=True,
                aria_label=language("Link"),
                data_address=True,
            )
        ],
        button(language("Copy the link"), data_copies="link", data_copied=language("Copied")),
        close_label=language("Close"),
    ).__html__()


def _read_seq(value: object) -> int:
    """Return the seq that a browser named, or 0 for anything that is none."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,15}", value):
        value = int(value)
    return value if isinstance(value, int) and 0 < value < _SEQ_MOST else 0
