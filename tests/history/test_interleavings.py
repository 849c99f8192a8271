"""Any order of posts, deletions, expiries, disconnections and syncs leads to equal lists.

The services, the sync and the rows are real. The connections are simulated, so that packets can be
early, late or lost; the clock is fake.
"""

import asyncio
import contextlib
import tempfile
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as some

from anonchat import (
    Chat,
    ChatError,
    Event,
    Member,
    Message,
    MessageEdited,
    MessagePosted,
    MessageReacted,
    MessagesDeleted,
    Visitor,
)
from pages.elements.list_sync import ClientState
from pages.lists import MessageList
from pages.rows import message_row
from tests.fakes import FakeClock, crash, create_room_with_members, make_settings
from tests.history.checker import find_faults
from tests.history.record import (
    Line,
    Post,
    Record,
    Sight,
    Telling,
    read_edition,
    write_edition,
)
from tests.history.rows import Packed, Rows, read_line
from tests.pages.built_page import show_page

pytestmark = pytest.mark.usefixtures("either_place")

TICK = timedelta(milliseconds=1)
TTL = 60
PAGE = 10
AUTHORS = ("Ann", "Bob")
EMOJI = ("👍", "🎉")
TABS = 2
POSTS = (1, 1, 1, 1, 2, 2, 3, PAGE + 2)  # messages per post action
WAITS = (1, 1, 5, 20, TTL + 1)  # seconds
OFTEN = ("post", "receive", "send", "read", "answer")
CHANGES = ("edit", "react", "delete")
SOMETIMES = (*CHANGES, "cut", "connect", "request_sync", "wait", "miss", "miss_change", "overtake")
RARELY = ("retry", "purge", "load", "crash")

ACTIONS = some.tuples(
    some.sampled_from(OFTEN * 3 + SOMETIMES * 2 + RARELY),
    some.integers(0, TABS - 1),
    some.integers(0, 99),
)


# No shrink phase: it would take minutes.
@settings(max_examples=15, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(actions=some.lists(ACTIONS, min_size=20, max_size=80))
def test_any_order_of_events_leaves_all_pages_with_the_same_list(
    actions: list[tuple[str, int, int]],
) -> None:
    assert asyncio.run(_run(actions)) == []


async def _run(actions: list[tuple[str, int, int]]) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        story = Story(Path(folder))
        await story.start()
        try:
            for name, tab, number in actions:
                story.clock.advance(TICK)
                await getattr(story, f"_{name}")(story.tabs[tab], number)
            await story.finish()
        finally:
            await story.chat.stop()
    return find_faults(story.record)


@dataclass(eq=False)
class Tab:
    """A page and its simulated connection: packets in transit and unanswered syncs."""

    name: str
    rows: Rows | None = None
    requested_at: float = 0
    expect_connected: bool = False
    has_to_sync: bool = False
    inbox: list[tuple[str, Any]] = field(default_factory=list)
    questions: list[dict[str, Any]] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    times: dict[int, float] = field(default_factory=dict)
    loaded: int = 0

    def show(self, rows: list[Packed], *, more: bool, requested_at: float) -> None:
        """Reset the state for a newly loaded page."""
        self.loaded += 1
        self.rows, self.requested_at = Rows(rows, more=more), requested_at
        self.inbox, self.questions, self.answers, self.times = [], [], [], {}

    def cut(self) -> None:
        """Disconnect: packets in transit are lost, except for those that NiceGUI sends again."""
        self.expect_connected = self.has_to_sync = False
        self.inbox = [(kind, content) for kind, content in self.inbox if kind != "feed"]
        self.questions = []
        if self.rows:
            self.rows.mark_disconnected()


class Story:
    """A room with two authors, the tabs of a reader, and a witness that receives everything."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.record = Record()
        self.chat: Chat
        self._settings = make_settings(folder, message_ttl=f"{TTL}s", page_size=PAGE)
        self.tabs = [Tab(f"tab {number}") for number in range(TABS)]
        self._updates: dict[str, list[Any]] = {}
        self._posted: list[Post] = []

    async def start(self) -> None:
        """Start the chat, sign visitors in, and connect the tabs."""
        await self._open()
        names = (*AUTHORS, "Mira")
        self._room, (*authors, mira) = await create_room_with_members(
            self.chat, "night train", *names
        )
        self._visitors: dict[str, Visitor] = dict(zip(AUTHORS, authors, strict=True))
        self._mira: Member = await self.chat.memberships.require(self._room.id, visitor_id=mira.id)
        self._witness = Tab("witness")
        self._witness.show([], more=False, requested_at=self._now)
        for tab in self.tabs:
            await self._connect(tab)

    async def finish(self) -> None:
        """Reconnect all tabs, deliver everything, and record the final lists."""
        await self._send()
        for tab in self.tabs:
            await self._connect(tab)
            await self._request_sync(tab)
            while tab.inbox or tab.questions or tab.answers:
                await self._read(tab)
                await self._answer(tab)
                await self._receive(tab)
        self.clock.advance(TICK)
        for tab in (*self.tabs, self._witness):
            self.record.ends[tab.name] = self._look(tab)
        history = await self.chat.messages.history(
            self._room.id, visitor_id=self._mira.visitor_id, after=0, limit=10_000
        )
        lines = tuple(map(_line, history))
        self.record.ends["history"] = Sight("history", self._now, self._now, lines)

    # Actions of visitors

    async def _post(self, _tab: Tab, number: int) -> None:
        """Post messages concurrently, each one twice."""
        who = AUTHORS[number % 2]
        visitor = self._visitors[who]
        member = await self.chat.memberships.require(self._room.id, visitor_id=visitor.id)
        new = []
        for count in range(len(self._posted), len(self._posted) + POSTS[number % len(POSTS)]):
            post = self.record.post(
                f"{count} by {who}",
                dedup_id=str(count),
                author=member.author,
                expires_at=self._now + TTL,
            )
            new.append(post)
        self._posted += new
        await asyncio.gather(*(self._try(post) for post in (*new, *new)))
        await self.chat.messages.flush()

    async def _retry(self, _tab: Tab, number: int) -> None:
        """Post a stored message again, as after a lost response."""
        removed = {removal.seq for removal in self.record.removals}
        known = [post for post in self._posted if post.expires_at > self._now]
        known = [post for post in known if post.stored[0].seq not in removed]
        if known:
            await self._try(known[number % len(known)])
            await self.chat.messages.flush()

    async def _delete(self, _tab: Tab, number: int) -> None:
        """Delete one of the newest messages."""
        if not (post := self._choose(number)):
            return
        removal = self.record.removal(requested_at=self._now, seq=post.stored[0].seq)
        with contextlib.suppress(ChatError):  # it is already gone
            await self.chat.messages.delete(
                self._room.id,
                visitor_id=self._author(post).id,
                message_id=post.stored[0].id,
            )
        removal.done = self._now

    async def _edit(self, _tab: Tab, number: int) -> None:
        """Edit one of the newest messages, sometimes while it is deleted."""
        if not (post := self._choose(number)):
            return
        edit = self.record.edit(post, seq=post.stored[0].seq, requested_at=self._now)
        deleting = [self._delete(_tab, number)] if not number % 7 else []
        [done, *_] = await asyncio.gather(self._try_to_edit(post, edit.edition), *deleting)
        edit.done, edit.is_refused = (self._now, False) if done else (None, True)

    async def _try_to_edit(self, post: Post, edition: int) -> bool:
        with contextlib.suppress(ChatError):  # it is gone
            await self.chat.messages.edit(
                self._room.id,
                visitor_id=self._author(post).id,
                message_id=post.stored[0].id,
                text=write_edition(post.text, edition),
            )
            return True
        return False

    async def _react(self, _tab: Tab, number: int) -> None:
        """Add or remove a reaction to one of the newest messages."""
        if not (post := self._choose(number)):
            return
        visitor = self._visitors[AUTHORS[number // 3 % 2]]
        member = await self.chat.memberships.require(self._room.id, visitor_id=visitor.id)
        emoji, on = EMOJI[number % 2], number % 5 > 1
        reacting = self.record.reacting(
            seq=post.stored[0].seq,
            author=member.author,
            emoji=emoji,
            on=on,
            requested_at=self._now,
        )
        try:
            await self.chat.messages.react(
                self._room.id,
                visitor_id=visitor.id,
                message_id=post.stored[0].id,
                emoji=emoji,
                on=on,
            )
        except ChatError:  # it is gone
            reacting.is_refused = True
        else:
            reacting.done = self._now

    def _choose(self, number: int) -> Post | None:
        """Return one of the newest messages."""
        return self._posted[-1 - number % min(3, len(self._posted))] if self._posted else None

    async def _try(self, post: Post) -> None:
        post.tries += 1
        message = await self.chat.messages.post(
            self._room.id,
            visitor_id=self._author(post).id,
            text=post.text,
            dedup_id=post.dedup_id,
        )
        post.accepted.append(self._now)
        post.stored.append(_line(message))

    def _author(self, post: Post) -> Visitor:
        return self._visitors[post.text.split()[-1]]

    # Actions of the server

    async def _wait(self, _tab: Tab, number: int) -> None:
        self.clock.advance(timedelta(seconds=WAITS[number % len(WAITS)]))

    async def _purge(self, _tab: Tab, _number: int) -> None:
        await self.chat.expiry.purge()

    async def _crash(self, _tab: Tab, _number: int) -> None:
        """Crash the server and restart it; all pages are lost."""
        await crash(self.chat)
        self._updates = {}
        for tab in self.tabs:
            tab.cut()
            tab.rows = None
        await self._open()

    async def _open(self) -> None:
        self.chat = Chat(self._settings, clock=self.clock)
        await self.chat.start()
        self.chat.bus.subscribe(self._on_event)

    async def _on_event(self, event: Event) -> None:
        match event:
            case MessagePosted(_, message):
                news = {"put": [message_row(message).pack()]}
            case MessageEdited(message) | MessageReacted(message):
                news = {"put": [replace(message_row(message), order=None).pack()]}
            case MessagesDeleted(_, seqs):
                news = {"drop": [*map(str, seqs)]}
            case _:
                return
        for kind, rows in news.items():
            self._updates.setdefault(kind, []).extend(rows)
        self._update(self._witness, news)

    # Actions of the connections

    async def _send(self, _tab: object = None, _number: int = 0) -> None:
        """Send the collected updates to all connected tabs."""
        updates, self._updates = self._updates, {}
        for tab in self.tabs:
            if tab.expect_connected and updates:
                tab.inbox.append(("feed", updates))

    async def _receive(self, tab: Tab, number: int = 0) -> None:
        """Deliver the first packets in transit to a tab, or all."""
        if tab.rows is None or not tab.expect_connected:
            return
        count = number % 3 or len(tab.inbox)
        arrived, tab.inbox = tab.inbox[:count], tab.inbox[count:]
        for kind, content in arrived:
            self.clock.advance(TICK)
            match kind:
                case "feed":
                    self._update(tab, content)
                case "sync":
                    question = tab.rows.request_sync()
                    tab.times[question["question"]] = self._now
                    # The first is being answered; of the queued ones only the newest is kept.
                    tab.questions = [*tab.questions[:1], question]
                case "catchUp":
                    lines = tab.rows.catch_up(content)
                    if lines is not None:
                        tab.requested_at = tab.times[content["question"]]
                        self._record_response(tab, lines)

    async def _read(self, tab: Tab, _number: int = 0) -> None:
        """Let the server compute the response to a sync request, without sending it."""
        if not tab.questions:
            return
        question = tab.questions.pop(0)
        shown = ClientState(question["keys"], older=question["older"])
        news = await self._messages().catch_up(shown)
        assert news
        put = [row.pack() for row in news.put]
        tab.answers.append({**question, "put": put, "keep": news.keep, "more": news.more})

    async def _answer(self, tab: Tab, _number: int = 0) -> None:
        if tab.answers:
            tab.inbox.append(("catchUp", tab.answers.pop(0)))

    async def _cut(self, tab: Tab, _number: int) -> None:
        tab.cut()

    async def _connect(self, tab: Tab, number: int = 0) -> None:
        """Connect a tab; it is subscribed at once, and gets the sync command later."""
        if tab.rows is None:
            await self._load(tab, number)
        tab.has_to_sync = tab.has_to_sync or not tab.expect_connected
        tab.expect_connected = True

    async def _request_sync(self, tab: Tab, _number: int = 0) -> None:
        if tab.has_to_sync:
            tab.has_to_sync = False
            tab.inbox.append(("sync", None))

    # Combinations that random choice rarely finds

    async def _miss(self, tab: Tab, number: int) -> None:
        """Let a tab miss a message, and receive the next one before its sync."""
        await self._cut(tab, number)
        await self._post(tab, number)
        await self._send()
        await self._connect(tab)
        await self._post(tab, number)
        await self._send()
        await self._receive(tab)

    async def _miss_change(self, tab: Tab, number: int) -> None:
        """Let a tab miss a change of a message that it shows."""
        await self._connect(tab)
        await self._post(tab, number)
        await self._send()
        await self._receive(tab)
        await self._cut(tab, number)
        await (self._react if number % 2 else self._edit)(tab, number)
        await self._send()
        await self._connect(tab)

    async def _overtake(self, tab: Tab, number: int) -> None:
        """Deliver an event that follows the computed sync response before that response."""
        await self._connect(tab)
        await self._request_sync(tab)
        await self._receive(tab)
        await self._read(tab)
        actions = (self._post, self._delete, self._edit, self._react)
        await actions[number % 4](tab, number)
        await self._send()
        await self._receive(tab)
        await self._answer(tab)

    async def _load(self, tab: Tab, _number: int) -> None:
        """Load a page again; it connects later."""
        tab.cut()
        requested_at = self._now
        rows = [message_row(message).pack() for message in await self._messages()._history()]
        tab.show(rows, more=len(rows) == PAGE, requested_at=requested_at)
        self._record_response(tab, tuple(map(read_line, rows)))

    def _messages(self) -> MessageList:
        with show_page(self.chat, visitor_id=self._mira.visitor_id):
            return MessageList(self._room, self._mira)

    # Recording

    @property
    def _now(self) -> float:
        return self.clock().timestamp()

    def _update(self, tab: Tab, packet: dict[str, Any]) -> None:
        assert tab.rows
        tab.rows.receive(packet)
        self._record_sight(tab)

    def _record_response(self, tab: Tab, lines: tuple[Line, ...]) -> None:
        self.record.responses.append(Telling(tab.name, tab.requested_at, lines))
        self._record_sight(tab)

    def _record_sight(self, tab: Tab) -> None:
        self.record.sights.append(self._look(tab))

    def _look(self, tab: Tab) -> Sight:
        assert tab.rows
        is_synced = tab.rows.is_synced or tab is self._witness
        lines = tab.rows.show(self._now)
        return Sight(
            tab.name,
            self._now,
            tab.requested_at,
            lines,
            is_synced,
            tab.rows.more,
            screen=tab.loaded,
        )


def _line(message: Message) -> Line:
    text, edition = read_edition(message.text)
    return Line(
        message.seq,
        text,
        message.author,
        message.expires_at.timestamp(),
        message.dedup_id,
        message.id,
        message.revision,
        edition,
        tuple(sorted((each.emoji, each.count) for each in message.reactions)),
    )
