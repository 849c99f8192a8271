"""The room: its messages, its members, and the box to write in."""

import json
import re
from typing import Annotated, Any

from fastapi import Depends, Request
from nicegui import ui

from anonchat import ChatError, Member, NotFound, Room, Visitor

from .controls import Dialog, Tag, button, icon, icon_button
from .frame import mark, open_page
from .language import Language
from .live.composer import Composer
from .live.feed import CatchUp, Feed, Shown
from .live.feeds import draw_each
from .news import facts_of, members_of, messages_of, present_in
from .presence import follow_presence
from .rail import rail
from .rows import facts_row, member_row, message_row, pending_row, present_row
from .site import Site

_ROWS_ON_PAGE = 300
_FAREWELL_SECONDS = 8
_SEQ_MOST = 2**53  # what a browser counts exactly; no room comes near


def register(site: Site) -> None:
    """Add the page."""

    @ui.page("/r/{slug}")
    async def room(
        slug: str, request: Request, visitor: Annotated[Visitor, Depends(site.door.visitor)]
    ) -> None:
        try:
            found = await site.chat.rooms.find(slug)
        except NotFound as error:
            _nothing_here(open_page(site, request), error)
            return
        member = await site.chat.memberships.get(found.id, visitor_id=visitor.id)
        language = open_page(site, request, title=found.name)
        with Tag("div", class_="shell room"):
            settings = await rail(site, visitor, language, with_finder=True, current=found.id)
            if member:
                await _Talk(site, language, found, member, settings).draw()
            else:
                await _draw_entrance(site, visitor, language, found)


def _nothing_here(language: Language, error: ChatError) -> None:
    ui.context.client.status_code = 404
    with Tag("div", class_="nothing page"):
        mark()
        Tag("h1", language.explain(error))
        Tag("p", language("Rooms here come and go. Perhaps it is time for a new one."))
        Tag("a", language("Back to the lobby"), href="/", class_="button")


async def _draw_entrance(site: Site, visitor: Visitor, language: Language, room: Room) -> None:
    """Show a room to one who is not in it: what it is, and the way in."""

    async def join() -> None:
        try:
            await site.chat.memberships.join(room.id, visitor_id=visitor.id)
        except ChatError as error:
            alert.set_text(language.explain(error))
        else:
            ui.navigate.reload()

    members = await site.chat.memberships.count(room.id)
    present = site.chat.presence.list_present(room.id)
    with Tag("div", class_="entrance"):
        with Tag("h1"):
            Tag("bdi", room.name)
        Tag("p", room.topic, class_="topic", dir="auto")
        with Tag("div", class_="chips"):
            Tag(
                "span",
                language.count("{n} member", "{n} members", members),
                class_="chip",
            )
            Tag("span", language.count("{n} here", "{n} here", len(present)), class_="chip")
        await _draw_facts(site, visitor.id, language, room)
        Tag("p", language("What is said here is shown to members only."), class_="hint")
        alert = Tag("p", role="alert", class_="alert")
        button(language("Join room")).on("click", join)
        Tag("a", language("Back to the lobby"), href="/", class_="quiet-link")


async def _draw_facts(site: Site, viewer: str, language: Language, room: Room) -> None:
    async def catch_up(_shown: Shown) -> CatchUp:
        glance = site.chat.lobby.glance(room.id)
        return CatchUp([facts_row(glance, language=language)] if glance else [], keep=[])

    Feed(
        site.feeds,
        facts_of(room.id),
        tag="div",
        label="",
        language=language,
        viewer=viewer,
        rows=(await catch_up(Shown([]))).put,
        catch_up=catch_up,
    )


class _Talk:
    """The room as a member sees it on one screen."""

    def __init__(
        self, site: Site, language: Language, room: Room, member: Member, settings: Dialog
    ) -> None:
        self._site = site
        self._language = language
        self._room = room
        self._member = member
        self._settings = settings
        self._page_size = site.chat.settings.page_size

    async def draw(self) -> None:
        """Draw the conversation and who is in it."""
        follow_presence(self._site, self._member)
        with Tag("div", class_="talk") as self._main:
            members_button = await self._draw_head()
            feed = await self._draw_messages()
            Composer(
                self._post,
                feed=feed,
                language=self._language,
                draft_key=self._room.id,
                patience=self._room.message_ttl,
                placeholder=self._language(
                    "Message, gone in {time}",
                    time=self._language.duration(self._room.message_ttl),
                ),
            )
        await self._draw_members(members_button)

    async def _draw_head(self) -> Tag:
        language = self._language
        with Tag("header"):
            with Tag("a", href="/", class_="button icon-only quiet back") as back:
                icon("back")
            back._props["aria-label"] = language("Back to the lobby")
            with Tag("div", class_="title"):
                with Tag("h1"):
                    Tag("bdi", self._room.name)
                if self._room.topic:
                    Tag("p", self._room.topic, dir="auto", title=self._room.topic)
            await _draw_facts(self._site, self._member.visitor_id, language, self._room)
            self._draw_invitation(icon_button("link", language("Invite")))
            members_button = icon_button("people", language("Members"))
            icon_button("leave", language("Leave room")).on("click", self._leave)
        return members_button

    def _draw_invitation(self, opener: Tag) -> None:
        language = self._language
        dialog = Dialog(language("Invite to this room"), close_label=language("Close"))
        dialog.opens_by(opener)
        with dialog.body:
            Tag("p", language("Whoever has this link can come in with a nickname of their own."))
            with Tag("div", class_="field"):
                address = Tag("input", type="text", readonly=True, aria_label=language("Link"))
            copy = button(language("Copy the link"))
        opener.on(
            "click",
            js_handler=f"() => {{ getHtmlElement({address.id}).value ="
            " window.location.origin + window.location.pathname; }",
        )
        copied = json.dumps(language("Copied"))
        copy.on(
            "click",
            js_handler=f"(event) => {{ const box = getHtmlElement({address.id}); box.select();"
            " navigator.clipboard ? navigator.clipboard.writeText(box.value)"
            f" : document.execCommand('copy'); event.currentTarget.textContent = {copied}; }}",
        )

    async def _draw_messages(self) -> Feed:
        language = self._language
        try:
            history = await self._history()
        except ChatError:  # left a moment ago, on another screen: the catch-up shows the way out
            history = []
        feed = Feed(
            self._site.feeds,
            messages_of(self._room.id),
            tag="div",
            label=language("Messages"),
            language=language,
            viewer=self._member.visitor_id,
            rows=[message_row(message) for message in history],
            catch_up=self._catch_up,
            stick=True,
            days=True,
            more=len(history) == self._page_size,
            cap=_ROWS_ON_PAGE,
            read={"": self._member.read_seq},
            me=self._member.author,
            texts={
                "pending": pending_row(self._member),
                "pill": language("New messages"),
                "fresh": language("New"),
                "quiet": language("Nothing has been said yet, or it is gone already."),
            },
        )
        feed.answer("older", lambda where: self._show_older(feed, where))
        feed.answer("read", self._mark_read)
        feed.answer("ended", lambda _: self._say_ended())
        return feed

    async def _draw_members(self, opener: Tag) -> None:
        language = self._language
        with Tag("aside", class_="members") as self._panel:
            with Tag("header"):
                with Tag("h2"):
                    Tag("span", language("Members"))
                    await self._draw_present()
                closer = icon_button("close", language("Close"))
            Feed(
                self._site.feeds,
                members_of(self._room.id),
                tag="ul",
                label=language("Members"),
                language=language,
                viewer=self._member.visitor_id,
                rows=(await self._list_members(Shown([]))).put,
                catch_up=self._list_members,
            )
            with Tag("footer", class_="only-phone"):
                self._settings.opens_by(button(language("Settings"), kind="quiet"))
        # On a phone the panel covers the page: the focus goes with it, and back.
        toggle = (
            f"() => {{ const panel = getHtmlElement({self._panel.id});"
            f" const opener = getHtmlElement({opener.id}), closer = getHtmlElement({closer.id});"
            " panel.classList.toggle('turned');"
            " const open = getComputedStyle(panel).display !== 'none';"
            " opener.setAttribute('aria-expanded', open);"
            " if (open && closer.offsetParent) closer.focus(); else opener.focus(); }"
        )
        opener.on("click", js_handler=toggle)
        closer.on("click", js_handler=toggle)
        self._panel.on("keydown.esc", js_handler=toggle)

    async def _draw_present(self) -> None:
        """Say how many are here."""

        async def catch_up(_shown: Shown) -> CatchUp:
            glance = self._site.chat.lobby.glance(self._room.id)
            return CatchUp([present_row(glance, language=self._language)] if glance else [], [])

        Feed(
            self._site.feeds,
            present_in(self._room.id),
            tag="small",
            label="",
            language=self._language,
            viewer=self._member.visitor_id,
            rows=(await catch_up(Shown([]))).put,
            catch_up=catch_up,
        )

    async def _post(self, text: str, dedup_id: str) -> None:
        await self._site.chat.messages.post(
            self._room.id,
            visitor_id=self._member.visitor_id,
            text=text,
            dedup_id=dedup_id,
        )

    async def _leave(self) -> None:
        """Leave; all screens of the member hear of it and go to the lobby, this one too."""
        await self._site.chat.memberships.leave(self._room.id, visitor_id=self._member.visitor_id)

    async def _history(self, **where: int) -> list[Any]:
        return await self._site.chat.messages.history(
            self._room.id,
            visitor_id=self._member.visitor_id,
            limit=self._page_size,
            **where,
        )

    async def _show_older(self, feed: Feed, where: dict[str, Any]) -> None:
        older = await self._history(before=_read_seq(where.get("first")))
        rows = [message_row(message) for message in older]
        await feed.append(rows, more=len(older) == self._page_size)

    async def _catch_up(self, shown: Shown) -> CatchUp:
        """Return what the screen has missed; after a long absence, the newest page.

        What was posted last may be on the screen already, and what came before it not yet.
        """
        seqs = {seq for key in shown.keys if (seq := _read_seq(key))}
        first = min(seqs, default=0) if shown.more else 0  # older ones come by scrolling
        last = max(seqs, default=0)
        try:
            living = await self._site.chat.messages.living_seqs(
                self._room.id, visitor_id=self._member.visitor_id, first=first, last=last
            )
            newer = await self._history(after=min({*living} - seqs, default=last + 1) - 1)
            if len(newer) == self._page_size:
                newest = await self._history()
                return CatchUp([message_row(message) for message in newest], keep=[], more=True)
        except ChatError:  # no member any more, or no room: then the page itself says so
            if self._site.chat.lobby.glance(self._room.id):
                ui.navigate.to("/")
            else:
                ui.navigate.reload()
            return CatchUp([], keep=[])
        return CatchUp([message_row(message) for message in newer], keep=[*map(str, living)])

    async def _list_members(self, _shown: Shown) -> CatchUp:
        present = self._site.chat.presence.list_present(self._room.id)
        try:
            members = await self._site.chat.memberships.list_members(
                self._room.id, visitor_id=self._member.visitor_id
            )
        except ChatError:  # no member any more: the messages' catch-up shows the way out
            members = []
        rows = await draw_each(
            members,
            lambda member: member_row(
                member, present=member.author in present, language=self._language
            ),
        )
        return CatchUp(rows, keep=[])

    async def _mark_read(self, mark: dict[str, Any]) -> None:
        await self._site.chat.memberships.mark_read(
            self._room.id,
            visitor_id=self._member.visitor_id,
            seq=_read_seq(mark.get("seq")),
        )

    def _say_ended(self) -> None:
        """The room is gone, and so is everything that was shown of it."""
        self._main.clear()
        self._panel.delete()
        with self._main, Tag("div", class_="nothing", role="alert"):
            Tag("h1", self._language("This room has ended."))
            Tag("p", self._language("It was quiet for too long. Everything said here is gone."))
            Tag("a", self._language("Back to the lobby"), href="/", class_="button")
            ui.timer(_FAREWELL_SECONDS, lambda: ui.navigate.to("/"), once=True)


def _read_seq(value: object) -> int:
    """Return the seq that a browser named, or 0 for anything that is none."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,15}", value):
        value = int(value)
    return value if isinstance(value, int) and 0 < value < _SEQ_MOST else 0
