"""For the tests of plugins: a chat in memory of the test, with people, rooms and a still clock.

>>> async with chat_with(plugin) as chat:
...     ann, bob = await chat.enter("Ann"), await chat.enter("Bob")
...     room = await chat.open_room("tea", ann, bob)
...     await ann.say(room, "/roll 2")
...     assert (await bob.read(room))[-1].kind == "dice"
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from tempfile import TemporaryDirectory

from ..chat import Chat as CoreChat
from ..durations import parse_duration
from ..entities import Member as CoreMember
from ..entities import Message, Post, Room
from ..events import Event, VisitorTold
from ..i18n.catalogues import SOURCE_LANGUAGE
from ..i18n.languages import Language, load_languages
from ..services.presence import Presence
from ..settings import Settings
from .commands import split_command, unescape_slash
from .entities import Member, make_member
from .host import PluginHost
from .loading import load_file
from .plugin import Plugin
from .registry import PluginRegistry
from .room_state import RoomState

__all__ = ["Person", "StillClock", "TestChat", "chat_with", "load_plugin"]

_UNLIMITED = {
    "posts_per_visitor": "off",
    "posts_per_room": "off",
    "commands_per_visitor": "off",
    "actions_per_visitor": "off",
    "work_per_visitor": "off",
}


class StillClock:
    """A clock that only moves when a test moves it."""

    def __init__(self) -> None:
        self.now = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now

    def reset(self) -> None:
        """Do nothing: the time is already set."""

    def advance_to(self, moment: datetime) -> None:
        """Continue from `moment` if it is later than now."""
        self.now = max(self.now, moment)

    def advance(self, by: timedelta) -> None:
        """Move the clock forward."""
        self.now += by


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in the chat. `visitor_id` identifies them to the chat only."""

    chat: "TestChat"
    visitor_id: str
    nickname: str

    async def say(
        self, room: Room, text: str, *, anyway: bool = False, language: str = SOURCE_LANGUAGE
    ) -> Message | str | None:
        """Type a text: a command is run, everything else is posted.

        Returns the message, what the person alone is told, or `None`. With `anyway`, they have read
        the warnings of filters. Raises what the person would be shown, such as `Refused`, and
        `NeedsConfirmation` for a warning; its `warnings` are the sentences.
        """
        host = self.chat.host
        if split_command(text):
            result = await host.run_command(
                room.id,
                self.visitor_id,
                text,
                language=self.chat.languages[language],
                confirmed=anyway,
            )
            return result.message or result.told or None
        return await host.chat.messages.post(
            room.id,
            visitor_id=self.visitor_id,
            post=Post(unescape_slash(text)),
            confirmed=anyway,
        )

    async def read(self, room: Room) -> list[Message]:
        """Return the messages that the person sees, oldest first; 200 at most."""
        return await self.chat.host.chat.messages.history(
            room.id, visitor_id=self.visitor_id, limit=200
        )

    async def act(self, room: Room, title: str, message: Message | None = None) -> Message | str:
        """Press the action with this title; return what `say` does for a command.

        Raises `LookupError` if there is none.
        """
        actions = {each.title: each for each in self.chat.host.registry.actions.values()}
        if title not in actions:
            known = ", ".join(map(repr, actions)) or "none"
            raise LookupError(f"there is no action {title!r}; there are {known}")
        result = await self.chat.host.run_action(
            actions[title], room.id, self.visitor_id, message=message
        )
        return result.message or result.told

    async def member(self, room: Room) -> Member:
        """Return the person as plugins see them in a room. Raises `NotAMember`."""
        found = await self.chat.host.chat.memberships.require(room.id, self.visitor_id)
        return make_member(found, room)

    async def look_at(self, room: Room) -> None:
        """Have a room open on a page, until `look_away`: then `chat.list_present` names them."""
        presence, member = await self._presence(room)
        await presence.enter(member, page_id=self.visitor_id)

    async def look_away(self, room: Room) -> None:
        """Close the page of a room."""
        presence, member = await self._presence(room)
        await presence.leave(member, page_id=self.visitor_id)

    def told(self, room: Room) -> list[str]:
        """Return what `chat.tell` has told the person in a room, whether they looked or not."""
        return [
            event.text
            for event in self.chat.told
            if event.visitor_id == self.visitor_id and event.room_id == room.id
        ]

    async def leave(self, room: Room) -> None:
        """Leave a room."""
        await self.chat.host.chat.memberships.leave(room.id, visitor_id=self.visitor_id)

    async def _presence(self, room: Room) -> tuple[Presence, CoreMember]:
        chat = self.chat.host.chat
        return chat.presence, await chat.memberships.require(room.id, self.visitor_id)


class TestChat:
    """A running chat without pages, whose time stands still between calls of `advance`."""

    __test__ = False  # pytest would collect it by its name

    def __init__(self, host: PluginHost, clock: StillClock, languages: dict[str, Language]) -> None:
        self.host = host
        self.languages = languages
        self.told: list[VisitorTold] = []
        self._clock = clock
        host.chat.bus.subscribe(self._on_event)

    def now(self) -> datetime:
        """Return the time of the chat."""
        return self._clock.now

    async def enter(self, nickname: str) -> Person:
        """Let somebody come in."""
        visitor, _token = await self.host.chat.identity.sign_in(nickname)
        return Person(self, visitor.id, nickname)

    async def open_room(self, name: str, owner: Person, *others: Person) -> Room:
        """Open a room; the first person owns it, the others join."""
        room = await self.host.chat.rooms.open(name, visitor_id=owner.visitor_id)
        for person in (owner, *others):
            await self.host.chat.memberships.join(room.id, visitor_id=person.visitor_id)
        return self.host.find_room(room.id)

    def state(self, plugin: Plugin, room: Room) -> RoomState:
        """Return what a plugin keeps in a room."""
        return self.host.room_state(plugin.name, room.id)

    def draw(self, message: Message) -> str:
        """Return the HTML that the renderer of its kind draws of a message, or its text."""
        drawn = self.host.drawer.draw(message)
        return message.text if drawn is None else str(drawn)

    async def advance(self, duration: str) -> None:
        """Let time pass, such as `10m`; what is due then happens: jobs, and expiry."""
        end = self._clock.now + parse_duration(duration)
        while self._clock.now < end:
            self._clock.now = min(end, self._next_due(end))
            await self.host.jobs.tick()
            await self.host.jobs.finish()
        await self.host.chat.purge()
        await self.settle()

    async def settle(self) -> None:
        """Wait until all listeners have been called with what has happened."""
        await self.host.chat.messages.flush()
        await self.host.listeners.finish()

    def _next_due(self, end: datetime) -> datetime:
        now = self._clock.now
        return min((job.next_after(now) for job in self.host.registry.jobs.values()), default=end)

    async def _on_event(self, event: Event) -> None:
        if isinstance(event, VisitorTold):
            self.told.append(event)


def load_plugin(file: Path) -> Plugin:
    """Return the plugin of a file, as it is loaded at the start. Raises `PluginError`.

    >>> plugin = load_plugin(Path("dice.py"))
    """
    (plugin,) = load_file(file)
    return plugin


def _require_known(settings: Iterable[str]) -> None:
    known = Settings.model_fields
    for name in settings:
        if name not in known:
            nearest = get_close_matches(name, known, n=1)
            hint = f"the nearest is {nearest[0]}" if nearest else "docs/settings.md lists them"
            raise TypeError(f"{name} is not a setting; {hint}")


@asynccontextmanager
async def chat_with(*plugins: Plugin, **settings: object) -> AsyncIterator[TestChat]:
    """Run a chat with these plugins alone, in a temporary folder, without limits on posting.

    `settings` are those of the chat by their names in Python, such as `message_ttl="10m"`. The
    plugins read their own from the environment. Raises `TypeError` for an unknown one.
    """
    _require_known(settings)
    with TemporaryDirectory() as folder:
        values = {"data_dir": Path(folder), **_UNLIMITED, **settings}
        registry = PluginRegistry(plugins)
        clock, languages = StillClock(), load_languages(registry.locales)
        chat = CoreChat(Settings.model_validate(values), clock=clock)
        host = PluginHost(chat, registry, languages)
        await chat.start()
        host.start()
        try:
            yield TestChat(host, clock, languages)
        finally:
            await host.stop()
            await chat.stop()
