"""The chat as plugins see it."""

from datetime import datetime
from typing import Protocol

from ..chat import Chat as CoreChat
from ..entities import Message, Post, Room
from .commands import CommandInfo
from .entities import Member, make_member
from .room_state import RoomState


class _Host(Protocol):
    """What runs the plugins (`PluginHost`), as far as they reach it."""

    chat: CoreChat

    def find_room(self, room_id: str) -> Room: ...
    def list_commands(self, member: Member, room: Room) -> list[CommandInfo]: ...
    async def list_rooms_with_state(self, plugin: str) -> list[Room]: ...
    async def check_post(self, room_id: str, author: str, post: Post | str) -> None: ...
    def room_state(self, plugin: str, room_id: str) -> RoomState: ...
    async def post_as(self, room_id: str, author: str, post: Post | str) -> Message: ...
    async def tell(self, room_id: str, author: str, text: str) -> None: ...
    async def run_command_as(self, room_id: str, author: str, line: str) -> str: ...


class Chat:
    """The chat, for one plugin. It knows rooms and people by what members know of them."""

    def __init__(self, host: _Host, plugin: str) -> None:
        self._host = host
        self._plugin = plugin

    @property
    def name(self) -> str:
        """The name of the site."""
        return self._host.chat.settings.name

    @property
    def base_url(self) -> str:
        """The URL that visitors use, or `""` if the operator has not set it."""
        return self._host.chat.settings.base_url

    def now(self) -> datetime:
        """Return the time by the clock that expiry follows."""
        return self._host.chat.clock()

    def list_rooms(self) -> list[Room]:
        """Return all rooms, those that are not listed included."""
        directory = self._host.chat.room_directory
        summaries = map(directory.summary, directory.list_ids())
        return [summary.room for summary in summaries if summary]

    def find_room(self, room_id: str) -> Room:
        """Return a room by its id. Raises `NotFound`."""
        return self._host.find_room(room_id)

    async def list_members(self, room: Room) -> list[Member]:
        """Return the members of a room."""
        members = await self._host.chat.memberships.list_all(room.id)
        return [make_member(member, room) for member in members]

    def list_present(self, room: Room) -> frozenset[str]:
        """Return the `author` of each member who has the room open now."""
        return self._host.chat.presence.list_present(room.id)

    async def find_member(self, room: Room, author: str) -> Member:
        """Return a member of a room. Raises `NotAMember`."""
        found = await self._host.chat.memberships.find_by_author(room.id, author)
        return make_member(found, room)

    async def history(self, room: Room, member: Member, *, limit: int = 50) -> list[Message]:
        """Return the newest messages that a member can read, oldest first; 200 at most.

        Raises `NotAMember`.
        """
        found = await self._host.chat.memberships.find_by_author(room.id, member.author)
        return await self._host.chat.messages.history(
            room.id, visitor_id=found.visitor_id, limit=min(limit, 200)
        )

    async def post(self, room: Room, member: Member, post: Post | str) -> Message:
        """Post as a member. Filters and limits apply as if they had posted it themselves.

        Raises `NotAMember`, `InvalidMessage`, `Refused`, `LimitReached` or `Unavailable`.
        """
        return await self._host.post_as(room.id, member.author, post)

    async def check(self, room: Room, member: Member, post: Post | str) -> None:
        """Let all filters look at what is kept now and posted later.

        Raises `NotAMember`, `InvalidMessage` or `Refused`; warnings are ignored.
        """
        await self._host.check_post(room.id, member.author, post)

    async def tell(self, room: Room, member: Member, text: str) -> None:
        """Show a text to one member alone, on the pages where they have the room open now."""
        await self._host.tell(room.id, member.author, text)

    def list_commands(self, room: Room, member: Member) -> list[CommandInfo]:
        """Return the commands that a member may use in a room, by name; their help is English."""
        return self._host.list_commands(member, room)

    async def run_command(self, room: Room, member: Member, line: str) -> str:
        """Run a command as if the member had typed it; return what they are told, or `""`.

        What they are told is shown to them. Raises what the command raises, `NotFound` for an
        unknown one.
        """
        return await self._host.run_command_as(room.id, member.author, line)

    def state(self, room: Room) -> RoomState:
        """Return what this plugin keeps in a room, for jobs and listeners."""
        return self._host.room_state(self._plugin, room.id)

    async def list_rooms_with_state(self) -> list[Room]:
        """Return the rooms in which this plugin keeps something."""
        return await self._host.list_rooms_with_state(self._plugin)
