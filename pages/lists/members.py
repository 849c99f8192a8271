"""The members of a room, and how many of them are present."""

from collections.abc import Mapping

from nicegui import ui

from anonchat import Member, NotAMember, Room, role_of

from ..elements.list_sync import ClientState, SyncResult
from ..elements.live_list import LiveList
from ..feeds.broadcaster import draw_each
from ..feeds.topics import members_topic, presence_topic
from ..i18n.language import current_language
from ..rows import member_row, presence_row
from .orders import ActOnMember, Orders


class MemberList(LiveList):
    """The members of a room, shown to one of them; `total` is the element that shows how many."""

    def __init__(self, room: Room, member: Member, *, total: ui.element) -> None:
        _ = current_language()
        super().__init__(
            members_topic(room.id),
            tag="ul",
            label=_("Members"),
            marks={member.author: ["own"]},
            me=member.author,
            texts={"more": _("More")},
            arrows=True,
            total=total.html_id,
            met={
                "room": room.id,
                "texts": {
                    "same": _("same as {day}", day="{}"),
                    "impostor": _("new person, same name"),
                    "fresh": _("new here"),
                },
            },
        )
        self._room = room
        self._orders = Orders()
        self.on_event("act", self._orders.handle)

    def keep_order(self, role: str, texts: Mapping[str, str], act: ActOnMember) -> None:
        """Give each member a menu with what somebody of that role may do; see `Orders`."""
        self._props.update(self._orders.allow(role, texts, act))

    async def catch_up(self, _shown: ClientState) -> SyncResult:
        """Return all members."""
        chat = self.context.chat
        present = chat.presence.list_present(self._room.id)
        try:
            members = await chat.memberships.list_members(self._room.id, visitor_id=self.viewer)
        except NotAMember:  # a former member must not see who joins and leaves
            await self.subscription.stop()
            members = []
        summary = chat.room_directory.summary(self._room.id)
        room = summary.room if summary else self._room
        rows = await draw_each(
            members,
            lambda member: member_row(
                member,
                role=role_of(member, room),
                present=member.author in present,
                language=self.language,
            ),
        )
        return SyncResult(rows, keep=[])


class PresenceCount(LiveList):
    """How many members of a room are present."""

    def __init__(self, room: Room) -> None:
        super().__init__(presence_topic(room.id), tag="small")
        self._room = room

    async def catch_up(self, _shown: ClientState) -> SyncResult:
        """Return the only row, unless the room has ended."""
        summary = self.context.chat.room_directory.summary(self._room.id)
        rows = [presence_row(summary, language=self.language)] if summary else []
        return SyncResult(rows, keep=[])
