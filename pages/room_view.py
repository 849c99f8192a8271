"""A member's view of a room: messages, members and composer."""

import asyncio
from functools import cache
from typing import Any

from htpy import Element, a, aside, bdi, div, footer, h1, h2, header, p, span
from htpy import input as input_
from markupsafe import Markup
from nicegui import ui

from anonchat import Cost, LimitReached, Member, NotAMember, Room

from .context import PageContext
from .controls import alert, button, dialog, icon, icon_button
from .elements.component import Component
from .elements.composer import Composer
from .elements.live_list import LiveList, SyncResult, snapshot_list
from .elements.screen import Fields, Screen
from .feeds.broadcaster import draw_each
from .feeds.topics import members_topic, presence_topic
from .i18n.language import Language
from .message_log import MessageLog
from .room_ended import show_room_ended
from .room_facts import room_facts_list
from .rows import member_row, presence_row

_GRACE_SECONDS = 3.0


class RoomView:
    """A member's view of a room on one page."""

    def __init__(
        self, context: PageContext, language: Language, room: Room, member: Member, screen: Screen
    ) -> None:
        self._context = context
        self._language = language
        self._room = room
        self._member = member
        self._screen = screen
        self._parts: list[Component] = []

    async def draw(self) -> list[Element]:
        """Draw the conversation and the panel of members."""
        self._screen.on_call("leave", self._leave)
        if self._is_owner:
            self._screen.on_call("burn", self._burn)
        messages = await MessageLog(
            self._context, self._language, self._room, self._member, self._screen
        ).draw()
        messages.on_event("ended", self._on_ended)
        facts = room_facts_list(self._context, self._member.visitor_id, self._language, self._room)
        composer = self._composer = Composer(
            self._post,
            budget=self._context.chat.work_budget,
            feed=messages,
            language=self._language,
            draft_key=self._room.id,
            author=self._member.author,
            resend_within=self._room.message_ttl,
            placeholder=self._language(
                "Message, gone in {time}", time=self._language.duration(self._room.message_ttl)
            ),
        )
        present, members = self._present(), await self._members()
        self._parts = [messages, facts, composer, present, members]
        self._track_presence()
        return [
            div(class_="talk", id="talk", tabindex="-1")[
                self._header(facts), messages, alert("leave"), composer
            ],
            self._panel(present, members),
        ]

    @property
    def _is_owner(self) -> bool:
        return self._member.author == self._room.owner

    def _header(self, facts: LiveList) -> Element:
        language, room = self._language, self._room
        return header[
            a(
                href=".",
                class_="button icon-only quiet back",
                aria_label=language("Back to the lobby"),
            )[icon("back")],
            div(class_="title")[
                h1[bdi[room.name]],
                room.topic and p(dir="auto", title=room.topic)[room.topic],
            ],
            facts,
            icon_button("link", language("Invite"), data_opens="invitation"),
            _invitation_dialog(language),
            icon_button("people", language("Members"), data_turns="members"),
            self._is_owner and icon_button("flame", language("Burn room"), data_opens="burning"),
            self._is_owner and _burn_dialog(language),
            icon_button("leave", language("Leave room"), data_calls="leave"),
        ]

    def _panel(self, present: LiveList, members: LiveList) -> Element:
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

    async def _members(self) -> LiveList:
        feed = LiveList(
            self._context.feeds,
            members_topic(self._room.id),
            tag="ul",
            label=self._language("Members"),
            language=self._language,
            viewer=self._member.visitor_id,
            catch_up=lambda _: self._list_members(feed),
            marks=self._mark_members(),
        )
        return feed.set_initial_rows(await self._list_members(feed))

    def _mark_members(self) -> dict[str, list[str]]:
        marks: dict[str, list[str]] = {self._room.owner: ["owner"]}
        marks.setdefault(self._member.author, []).append("own")
        return marks

    def _present(self) -> LiveList:
        """Return a live list that shows how many members are present."""
        return snapshot_list(
            self._context.feeds,
            presence_topic(self._room.id),
            lambda: [
                presence_row(summary, language=self._language)
                for summary in [self._context.chat.room_directory.summary(self._room.id)]
                if summary
            ],
            tag="small",
            language=self._language,
            viewer=self._member.visitor_id,
        )

    def _track_presence(self) -> None:
        """Mark the member present while this page is connected; ignore disconnections up to 3 s."""
        member, client, presence = self._member, ui.context.client, self._context.chat.presence

        async def on_connect() -> None:
            cost = Cost.PRESENCE + self._context.broadcast_cost(member.room_id)
            try:
                await self._screen.work.wait(2 * cost)  # leaving is charged in advance
            except LimitReached:
                return
            if not client.has_socket_connection:
                return
            if await self._context.chat.memberships.is_member(member.room_id, member.visitor_id):
                await presence.enter(member, page_id=client.id)

        async def on_disconnect() -> None:
            await asyncio.sleep(_GRACE_SECONDS)
            if not client.has_socket_connection:
                await presence.leave(member, page_id=client.id)

        client.on_connect(on_connect)
        client.on_disconnect(on_disconnect)
        client.on_delete(lambda: presence.leave(member, page_id=client.id))

    async def _post(self, text: str, dedup_id: str) -> None:
        cost = Cost.POST + Cost.POST_CHARACTER * len(text)
        await self._composer.work.spend(cost + self._context.broadcast_cost(self._room.id))
        await self._context.chat.messages.post(
            self._room.id,
            visitor_id=self._member.visitor_id,
            text=text,
            dedup_id=dedup_id,
        )

    async def _leave(self, _fields: Fields) -> None:
        """Leave the room; the event redirects all pages of the member to the lobby."""
        await self._screen.work.wait(Cost.JOIN + self._context.broadcast_cost(self._room.id))
        await self._context.chat.memberships.leave(
            self._room.id, visitor_id=self._member.visitor_id
        )

    async def _burn(self, _fields: Fields) -> None:
        """End the room; the event shows the notice on all its pages, which then redirect."""
        await self._screen.work.spend(Cost.PURGE)
        await self._context.chat.rooms.burn(self._room.id, visitor_id=self._member.visitor_id)

    async def _list_members(self, feed: LiveList) -> SyncResult:
        present = self._context.chat.presence.list_present(self._room.id)
        try:
            members = await self._context.chat.memberships.list_members(
                self._room.id, visitor_id=self._member.visitor_id
            )
        except NotAMember:  # a former member must not see who joins and leaves
            await feed.stop()
            members = []
        rows = await draw_each(
            members,
            lambda member: member_row(
                member, present=member.author in present, language=self._language
            ),
        )
        return SyncResult(rows, keep=[])

    def _on_ended(self, event: dict[str, Any]) -> None:
        for part in self._parts:
            part.delete()
        self._screen.replace("members")
        draft_key = self._composer.draft_key
        show_room_ended(self._screen, "talk", self._language, event, draft_key=draft_key)


@cache
def _burn_dialog(language: Language) -> Markup:
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
def _invitation_dialog(language: Language) -> Markup:
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
