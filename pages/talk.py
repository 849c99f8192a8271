"""The room as a member sees it: what is said, who is there, and the box to write in."""

from functools import cache
from typing import Any

from htpy import Element, a, aside, bdi, div, footer, h1, h2, header, p, span
from htpy import input as input_
from markupsafe import Markup

from anonchat import ChatError, Cost, Member, NotAMember, Room

from .controls import alert, button, dialog, icon, icon_button
from .conversation import Conversation
from .facts import show_facts
from .farewell import lead_away
from .language import Language
from .live.composer import Composer
from .live.feed import CatchUp, Feed, whole_feed
from .live.feeds import draw_each
from .live.part import Part
from .live.screen import Fields, Screen
from .news import members_of, present_in
from .presence import follow_presence
from .rows import member_row, present_row
from .site import Site


class Talk:
    """The room as a member sees it on one screen."""

    def __init__(
        self, site: Site, language: Language, room: Room, member: Member, screen: Screen
    ) -> None:
        self._site = site
        self._language = language
        self._room = room
        self._member = member
        self._screen = screen
        self._parts: list[Part] = []

    async def draw(self) -> list[Element]:
        """Draw the conversation and who is in it."""
        self._screen.answer("leave", self._leave)
        if self._owns:
            self._screen.answer("burn", self._burn)
        messages = await Conversation(
            self._site, self._language, self._room, self._member, self._screen
        ).draw()
        messages.answer("ended", self._end)
        facts = show_facts(self._site, self._member.visitor_id, self._language, self._room)
        composer = self._composer = Composer(
            self._post,
            budget=self._site.chat.work,
            feed=messages,
            language=self._language,
            draft_key=self._room.id,
            author=self._member.author,
            patience=self._room.message_ttl,
            placeholder=self._language(
                "Message, gone in {time}", time=self._language.duration(self._room.message_ttl)
            ),
        )
        present, members = self._present(), await self._members()
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

    def _present(self) -> Feed:
        """Say how many are here."""
        return whole_feed(
            self._site.feeds,
            present_in(self._room.id),
            lambda: [
                present_row(glance, language=self._language)
                for glance in [self._site.chat.lobby.glance(self._room.id)]
                if glance
            ],
            tag="small",
            language=self._language,
            viewer=self._member.visitor_id,
        )

    async def _post(self, text: str, dedup_id: str) -> None:
        cost = Cost.POST + Cost.POST_CHARACTER * len(text)
        await self._composer.work.spend(cost + self._site.cost_of_telling(self._room.id))
        await self._site.chat.messages.post(
            self._room.id,
            visitor_id=self._member.visitor_id,
            text=text,
            dedup_id=dedup_id,
        )

    async def _leave(self, _fields: Fields) -> None:
        """Leave; all screens of the member hear of it and go to the lobby, this one too."""
        await self._screen.work.wait(Cost.JOIN + self._site.cost_of_telling(self._room.id))
        await self._site.chat.memberships.leave(self._room.id, visitor_id=self._member.visitor_id)

    async def _burn(self, _fields: Fields) -> None:
        """End the room; all its screens hear of it, and are led away."""
        try:
            await self._screen.work.spend(Cost.END)
            await self._site.chat.rooms.burn(self._room.id, visitor_id=self._member.visitor_id)
        except ChatError as error:
            self._screen.say("burn", self._language.explain(error))

    async def _list_members(self, feed: Feed) -> CatchUp:
        present = self._site.chat.presence.list_present(self._room.id)
        try:
            members = await self._site.chat.memberships.list_members(
                self._room.id, visitor_id=self._member.visitor_id
            )
        except NotAMember:  # who comes and goes is nothing for them
            await feed.stop()
            members = []
        rows = await draw_each(
            members,
            lambda member: member_row(
                member, present=member.author in present, language=self._language
            ),
        )
        return CatchUp(rows, keep=[])

    def _end(self, news: dict[str, Any]) -> None:
        for part in self._parts:
            part.delete()
        self._screen.replace("members")
        lead_away(self._screen, "talk", self._language, news)


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
