"""`PluginHost`: connects the loaded plugins with the running chat."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial
from itertools import chain

from ..chat import Chat as CoreChat
from ..entities import Member as CoreMember
from ..entities import Message, Post, Room
from ..entities import Visitor as CoreVisitor
from ..errors import NotFound
from ..events import (
    Event,
    EventsLost,
    MessagesDeleted,
    RoomEnded,
    RoomStateChanged,
    VisitorTold,
)
from ..i18n.catalogues import SOURCE_LANGUAGE
from ..i18n.languages import Language
from ..mutes import require_unmuted
from ..text.posts import normalize_post
from .commands import TOLD_MAX, CommandInfo, CommandResult, Commands
from .entities import Member, PluginEvent, Visitor, make_member
from .facade import Chat
from .filters import FilterChain
from .injection import Injected
from .invocation import Values, invoke
from .jobs import Jobs
from .listeners import Listeners
from .registrations import Action, Command, Filter, Job, Listener, Page, Panel
from .registry import PluginRegistry
from .rendering import MessageDrawer
from .room_state import Check, RoomState, Watcher

_ACTION_SECONDS = 10.0
_EVENT_PARTS: Mapping[type, str] = {Room: "room", Message: "message", Member: "member"}

AddWatcher = Callable[[str, str, Watcher], None]


class PluginHost:
    """Runs what plugins add. All of it is checked here and in the services, never in pages.

    >>> host = PluginHost(chat, PluginRegistry(load_plugins("dice.py")), languages)
    >>> await host.run_command(room.id, visitor.id, "/roll 2", language=languages["en"])
    """

    def __init__(
        self, chat: CoreChat, registry: PluginRegistry, languages: Mapping[str, Language]
    ) -> None:
        self.chat = chat
        self.registry = registry
        self.drawer = MessageDrawer(registry)
        self._facades = {plugin.name: Chat(self, plugin.name) for plugin in registry.plugins}
        for plugin in registry.plugins:
            plugin.attach(self._facades[plugin.name])
        english = languages[SOURCE_LANGUAGE]
        self._bases: dict[str, dict[type, object]] = {
            name: {Chat: facade, Language: english} for name, facade in self._facades.items()
        }
        for name, settings in registry.settings.items():
            self._bases[name][type(settings)] = settings
        self._watchers: defaultdict[tuple[str, str], set[Callable[[], object]]] = defaultdict(set)
        self._commands = Commands(
            registry.commands, add_limit=chat.limits.add_shared, say=self._say
        )
        if registry.filters:
            chat.messages.review = FilterChain(
                registry.filters,
                provide_always=lambda each: self._base(each.call, None),
                begin=self._begin_review,
            ).review
        self.listeners = Listeners(
            registry.listeners, self._provide_listener, find_room=self._find_room
        )
        self.jobs = Jobs(
            registry.jobs.values(),
            clock=chat.clock,
            claim=chat.job_runs.claim,
            provide=self._provide_job,
        )
        if registry.listeners:
            chat.bus.subscribe_published(self.listeners.on_event)
        chat.bus.subscribe(self._on_event)

    def start(self) -> None:
        """Start the jobs; needs a running event loop and a started chat."""
        self.jobs.start()

    async def stop(self) -> None:
        """Stop commands, jobs and listeners; call this before the chat stops."""
        await self._commands.stop()
        await self.jobs.stop()
        await self.listeners.stop()

    def find_room(self, room_id: str) -> Room:
        """Return a room. Raises `NotFound`."""
        if room := self._find_room(room_id):
            return room
        raise NotFound

    def _find_room(self, room_id: str) -> Room | None:
        summary = self.chat.room_directory.summary(room_id)
        return summary.room if summary else None

    def list_commands(self, member: CoreMember | Member, room: Room) -> list[CommandInfo]:
        """Return the commands that a member may use, by name."""
        known = member if isinstance(member, Member) else make_member(member, room)
        return self._commands.list_for(known)

    async def run_command(
        self,
        room_id: str,
        visitor_id: str,
        text: str,
        *,
        language: Language | None = None,
        dedup_id: str = "",
        confirmed: bool = True,
        ttl: timedelta | None = None,
        once: bool = False,
    ) -> CommandResult:
        """Run a command of a member.

        Raises `NotAMember`, `Muted`, and what `Commands.run` raises.
        """
        member = await self.chat.memberships.require(room_id, visitor_id)
        require_unmuted(member.muted_until, self.chat.clock())
        self.chat.limits.commands.hit(visitor_id)
        room = self.find_room(room_id)

        async def provide(command: Command) -> Values:
            return await self._provide_member(command.call, member, room, language)

        return await self._commands.run(
            text,
            member,
            room,
            provide,
            dedup_id=dedup_id,
            confirmed=confirmed,
            ttl=ttl,
            once=once,
        )

    async def run_command_as(self, room_id: str, author: str, line: str) -> str:
        """Run a command for a plugin as a member, and show them the answer."""
        member = await self.chat.memberships.find_by_author(room_id, author)
        result = await self.run_command(room_id, member.visitor_id, line)
        if result.told:
            await self._tell(member, result.told)
        return result.told

    def list_actions(self, where: str) -> list[Action]:
        """Return the actions in the header of a room, or in the menu of a message."""
        return [each for each in self.registry.actions.values() if each.where == where]

    async def run_action(
        self,
        action: Action,
        room_id: str,
        visitor_id: str,
        *,
        message: Message | None = None,
        language: Language | None = None,
    ) -> CommandResult:
        """Run an action of a member.

        Raises `NotAMember`, `RateLimited`, `PluginFailed`, or what it raises.
        """
        member = await self.chat.memberships.require(room_id, visitor_id)
        self.chat.limits.actions.hit(visitor_id)
        room = self.find_room(room_id)
        values = await self._provide_member(action.call, member, room, language)
        values = {**values, Message: message}
        what = f"action {action.title}"
        answer = await invoke(action.call, values, what=what, seconds=_ACTION_SECONDS)
        return await self._commands.finish(action.call, answer, member)

    async def show_panel(
        self,
        panel: Panel,
        room_id: str,
        visitor_id: str,
        *,
        language: Language,
        add_watcher: AddWatcher,
    ) -> None:
        """Fill a panel for a member. Raises `NotAMember`, `PluginFailed`, or what it raises."""
        member = await self.chat.memberships.require(room_id, visitor_id)
        room = self.find_room(room_id)
        values = await self._provide_member(panel.call, member, room, language, add_watcher)
        await invoke(panel.call, values, what=f"panel {panel.title}", seconds=_ACTION_SECONDS)

    async def show_page(self, page: Page, visitor: CoreVisitor | None, language: Language) -> None:
        """Fill a page. Raises `PluginFailed`, or what it raises."""
        values = self._base(page.call, language)
        if visitor:
            values[Visitor] = Visitor(visitor.nickname, visitor.badge, visitor.expires_at)
        await invoke(page.call, values, what=f"page {page.path}", seconds=_ACTION_SECONDS)

    def room_state(
        self,
        plugin: str,
        room_id: str,
        *,
        require_member: Check | None = None,
        add_watcher: AddWatcher | None = None,
    ) -> RoomState:
        """Return the state of a plugin in a room."""
        return RoomState(
            self.chat.room_states,
            room_id,
            plugin,
            require_member=require_member,
            add_watcher=add_watcher,
        )

    def watch_state(self, room_id: str, plugin: str, watcher: Callable[[], object]) -> None:
        """Call a function, which returns at once, after each change until `unwatch_state`."""
        self._watchers[room_id, plugin].add(watcher)

    def count_watchers(self, room_id: str, plugin: str) -> int:
        """Return how many functions are called after a change of a state."""
        return len(self._watchers.get((room_id, plugin), ()))

    def unwatch_state(self, room_id: str, plugin: str, watcher: Callable[[], object]) -> None:
        """Undo `watch_state`."""
        watchers = self._watchers[room_id, plugin]
        watchers.discard(watcher)
        if not watchers:
            del self._watchers[room_id, plugin]

    async def post_as(self, room_id: str, author: str, post: Post | str) -> Message:
        """Post for a plugin as a member."""
        member = await self.chat.memberships.find_by_author(room_id, author)
        return await self._say(member, Post(post) if isinstance(post, str) else post, "", True)

    async def check_post(self, room_id: str, author: str, post: Post | str) -> None:
        """Let the filters look at what a member may post later."""
        member = await self.chat.memberships.find_by_author(room_id, author)
        normalized = normalize_post(Post(post) if isinstance(post, str) else post)
        if self.chat.messages.review:
            await self.chat.messages.review(room_id, member.visitor_id, normalized)

    async def list_rooms_with_state(self, plugin: str) -> list[Room]:
        """Return the rooms that have a state of a plugin."""
        directory = self.chat.room_directory
        summaries = map(directory.summary, await self.chat.room_states.list_rooms(plugin))
        return [summary.room for summary in summaries if summary]

    async def tell(self, room_id: str, author: str, text: str) -> None:
        """Show a text to a member alone."""
        await self._tell(await self.chat.memberships.find_by_author(room_id, author), text)

    async def _tell(self, member: CoreMember, text: str) -> None:
        await self.chat.bus.publish(VisitorTold(member.room_id, member.visitor_id, text[:TOLD_MAX]))

    async def _say(self, member: CoreMember, post: Post, dedup_id: str, confirmed: bool) -> Message:
        return await self.chat.messages.post(
            member.room_id,
            visitor_id=member.visitor_id,
            post=post,
            dedup_id=dedup_id,
            confirmed=confirmed,
        )

    def _base(self, call: Injected, language: Language | None) -> dict[type, object]:
        base = self._bases[call.plugin]
        return {**base, Language: language} if language else base.copy()

    async def _provide_member(
        self,
        call: Injected,
        member: CoreMember,
        room: Room,
        language: Language | None,
        add_watcher: AddWatcher | None = None,
    ) -> dict[type, object]:
        values = self._base(call, language)
        values[Room] = room
        values[Member] = make_member(member, room)
        if call.wants(RoomState):
            check = partial(self.chat.memberships.require, room.id, member.visitor_id)
            values[RoomState] = self.room_state(
                call.plugin, room.id, require_member=check, add_watcher=add_watcher
            )
        if call.wants(Visitor):
            visitor = await self.chat.identity.get(member.visitor_id)
            values[Visitor] = Visitor(visitor.nickname, visitor.badge, visitor.expires_at)
        return values

    def _begin_review(self, room_id: str, visitor_id: str) -> Callable[[Filter], Awaitable[Values]]:
        """Return a function that provides filters with what they need of the one who posts."""
        member: CoreMember | None = None  # read once for all filters

        async def provide(each: Filter) -> Values:
            nonlocal member
            member = member or await self.chat.memberships.require(room_id, visitor_id)
            values = await self._provide_member(each.call, member, self.find_room(room_id), None)
            if each.call.wants(RoomState):  # storing the post checks the membership again
                values[RoomState] = self.room_state(each.call.plugin, room_id)
            return values

        return provide

    def _provide_listener(self, listener: Listener, event: PluginEvent) -> Values:
        values = self._base(listener.call, None)
        values[type(event)] = event
        for kind in listener.call.types.values():
            if name := _EVENT_PARTS.get(kind):
                values[kind] = getattr(event, name)
            elif kind is RoomState:
                room_id = getattr(event, "room_id", None) or event.room.id  # type: ignore[union-attr]
                values[kind] = self.room_state(listener.call.plugin, room_id)
        return values

    def _provide_job(self, job: Job) -> Values:
        return self._base(job.call, None)

    async def _on_event(self, event: Event) -> None:
        match event:
            case RoomStateChanged(room_id, plugin):
                for watcher in [*self._watchers.get((room_id, plugin), ())]:
                    watcher()
            case MessagesDeleted(room_id, seqs):
                self.listeners.forget(room_id, seqs)
            case RoomEnded(room_id):
                self.listeners.forget(room_id)
            case EventsLost():
                for watcher in [*chain.from_iterable(self._watchers.values())]:
                    watcher()
