"""Any order of posts, deletions, expiries, cuts and answers leaves every screen with the same list.

The services, the catch-up and the rows are the real ones. The lines in between are made here, so
that everything on them can be early, late or lost; and time moves only when it is told to.
"""

import asyncio
import contextlib
import tempfile
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
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
    MessagePosted,
    MessagesGone,
    Visitor,
)
from pages.conversation import Conversation
from pages.live.feed import Shown
from pages.rows import message_row
from tests.fakes import FakeClock, crash, gather_in, make_settings
from tests.history.checker import find_faults
from tests.history.record import Line, Post, Record, Sight, Telling
from tests.history.rows import Packed, Rows, read_line

pytestmark = pytest.mark.usefixtures("either_place")

TICK = timedelta(milliseconds=1)
TTL = 60
PAGE = 10
SPEAKERS = ("Ann", "Bob")
TABS = 2
POSTS = (1, 1, 1, 1, 2, 2, 3, PAGE + 2)  # how many at once
WAITS = (1, 1, 5, 20, TTL + 1)  # seconds
OFTEN = ("post", "hear", "send", "read", "answer")
NOW_AND_THEN = ("delete", "cut", "mend", "ask", "wait", "blink", "overtake")
RARELY = ("retry", "purge", "load", "crash")

ACTIONS = some.tuples(
    some.sampled_from(OFTEN * 3 + NOW_AND_THEN * 2 + RARELY),
    some.integers(0, TABS - 1),
    some.integers(0, 99),
)


# A story that fails is told at once: to look for a shorter one would take minutes.
@settings(max_examples=15, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(actions=some.lists(ACTIONS, min_size=20, max_size=80))
def test_any_order_of_things_leaves_every_screen_with_the_same_list(
    actions: list[tuple[str, int, int]],
) -> None:
    assert asyncio.run(_play(actions)) == []


async def _play(actions: list[tuple[str, int, int]]) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        story = Story(Path(folder))
        await story.begin()
        try:
            for name, tab, number in actions:
                story.clock.move(TICK)
                await getattr(story, f"_{name}")(story.tabs[tab], number)
            await story.rest()
        finally:
            await story.chat.stop()
    return find_faults(story.record)


@dataclass(eq=False)
class Tab:
    """A screen and its line: what is on its way to it, to the server, and not yet answered."""

    name: str
    rows: Rows | None = None
    asked: float = 0
    joined: bool = False
    is_to_ask: bool = False
    inbox: list[tuple[str, Any]] = field(default_factory=list)
    questions: list[dict[str, Any]] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    times: dict[int, float] = field(default_factory=dict)

    def show(self, rows: list[Packed], *, more: bool, asked: float) -> None:
        """Begin with a page that was loaded anew."""
        self.rows, self.asked = Rows(rows, more=more), asked
        self.inbox, self.questions, self.answers, self.times = [], [], [], {}

    def cut(self) -> None:
        """Lose what is on its way, but for what NiceGUI will send again."""
        self.joined = self.is_to_ask = False
        self.inbox = [(kind, what) for kind, what in self.inbox if kind != "feed"]
        self.questions = []
        if self.rows:
            self.rows.doubt()


class Story:
    """A room, two who speak, the tabs of one who looks on, and a witness who misses nothing."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.record = Record()
        self.chat: Chat
        self._settings = make_settings(folder, message_ttl=f"{TTL}s", page_size=PAGE)
        self.tabs = [Tab(f"tab {number}") for number in range(TABS)]
        self._parcel: dict[str, list[Any]] = {}
        self._posted: list[Post] = []

    async def begin(self) -> None:
        """Open the house, and let everybody in."""
        await self._open()
        names = (*SPEAKERS, "Mira")
        self._room, (*speakers, mira) = await gather_in(self.chat, "night train", *names)
        self._visitors: dict[str, Visitor] = dict(zip(SPEAKERS, speakers, strict=True))
        self._mira: Member = await self.chat.memberships.require(self._room.id, visitor_id=mira.id)
        self._witness = Tab("witness")
        self._witness.show([], more=False, asked=self._now)
        for tab in self.tabs:
            await self._mend(tab)

    async def rest(self) -> None:
        """Mend what is broken, deliver everything, and note what is seen then."""
        await self._send()
        for tab in self.tabs:
            await self._mend(tab)
            await self._ask(tab)
            while tab.inbox or tab.questions or tab.answers:
                await self._read(tab)
                await self._answer(tab)
                await self._hear(tab)
        self.clock.move(TICK)
        for tab in (*self.tabs, self._witness):
            self.record.ends[tab.name] = self._look(tab)
        history = await self.chat.messages.history(
            self._room.id, visitor_id=self._mira.visitor_id, after=0, limit=10_000
        )
        lines = tuple(map(_line, history))
        self.record.ends["history"] = Sight("history", self._now, self._now, lines)

    # What people do

    async def _post(self, _tab: Tab, number: int) -> None:
        """Post at once, each message twice."""
        who = SPEAKERS[number % 2]
        visitor = self._visitors[who]
        member = await self.chat.memberships.require(self._room.id, visitor_id=visitor.id)
        new = []
        for count in range(len(self._posted), len(self._posted) + POSTS[number % len(POSTS)]):
            post = self.record.post(
                f"{count} by {who}",
                dedup_id=str(count),
                author=member.author,
                until=self._now + TTL,
            )
            new.append(post)
        self._posted += new
        await asyncio.gather(*(self._try(post) for post in (*new, *new)))
        await self.chat.messages.finish()

    async def _retry(self, _tab: Tab, number: int) -> None:
        """Post again what is still there, as one does whose answer was lost."""
        removed = {removal.seq for removal in self.record.removals}
        known = [post for post in self._posted if post.until > self._now]
        known = [post for post in known if post.stored[0].seq not in removed]
        if known:
            await self._try(known[number % len(known)])
            await self.chat.messages.finish()

    async def _delete(self, _tab: Tab, number: int) -> None:
        """Delete one of the newest."""
        if not self._posted:
            return
        post = self._posted[-1 - number % min(3, len(self._posted))]
        removal = self.record.removal(asked=self._now, seq=post.stored[0].seq)
        with contextlib.suppress(ChatError):  # it is gone already
            await self.chat.messages.delete(
                self._room.id,
                visitor_id=self._author(post).id,
                message_id=post.stored[0].id,
            )
        removal.done = self._now

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

    # What time and the house do

    async def _wait(self, _tab: Tab, number: int) -> None:
        self.clock.move(timedelta(seconds=WAITS[number % len(WAITS)]))

    async def _purge(self, _tab: Tab, _number: int) -> None:
        await self.chat.expiry.purge()

    async def _crash(self, _tab: Tab, _number: int) -> None:
        """Let the house fall over, and open it again: it knows no tab any more."""
        await crash(self.chat)
        self._parcel = {}
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
            case MessagesGone(_, seqs):
                news = {"drop": [*map(str, seqs)]}
            case _:
                return
        for kind, rows in news.items():
            self._parcel.setdefault(kind, []).extend(rows)
        self._receive(self._witness, news)

    # What is on the lines

    async def _send(self, _tab: object = None, _number: int = 0) -> None:
        """Send what was gathered to all who listen."""
        parcel, self._parcel = self._parcel, {}
        for tab in self.tabs:
            if tab.joined and parcel:
                tab.inbox.append(("feed", parcel))

    async def _hear(self, tab: Tab, number: int = 0) -> None:
        """Let the first of what is on its way to a tab arrive, or all."""
        if tab.rows is None or not tab.joined:
            return
        count = number % 3 or len(tab.inbox)
        arrived, tab.inbox = tab.inbox[:count], tab.inbox[count:]
        for kind, what in arrived:
            self.clock.move(TICK)
            match kind:
                case "feed":
                    self._receive(tab, what)
                case "sync":
                    question = tab.rows.ask()
                    tab.times[question["question"]] = self._now
                    # One is being answered; of those that wait for it only the newest does.
                    tab.questions = [*tab.questions[:1], question]
                case "catchUp":
                    told = tab.rows.catch_up(what)
                    if told is not None:
                        tab.asked = tab.times[what["question"]]
                        self._tell(tab, told)

    async def _read(self, tab: Tab, _number: int = 0) -> None:
        """Let the server work out what a tab has missed; the answer is not on its way yet."""
        if not tab.questions:
            return
        question = tab.questions.pop(0)
        shown = Shown(question["keys"], older=question["older"])
        news = await self._conversation()._catch_up(shown)
        assert news
        put = [row.pack() for row in news.put]
        tab.answers.append({**question, "put": put, "keep": news.keep, "more": news.more})

    async def _answer(self, tab: Tab, _number: int = 0) -> None:
        if tab.answers:
            tab.inbox.append(("catchUp", tab.answers.pop(0)))

    async def _cut(self, tab: Tab, _number: int) -> None:
        tab.cut()

    async def _mend(self, tab: Tab, number: int = 0) -> None:
        """Connect a tab: it listens from now on, and is told to ask a little later."""
        if tab.rows is None:
            await self._load(tab, number)
        tab.is_to_ask = tab.is_to_ask or not tab.joined
        tab.joined = True

    async def _ask(self, tab: Tab, _number: int = 0) -> None:
        if tab.is_to_ask:
            tab.is_to_ask = False
            tab.inbox.append(("sync", None))

    # Moments that are rare by chance, and hard

    async def _blink(self, tab: Tab, number: int) -> None:
        """Let a tab miss something, and get what follows before it has asked."""
        await self._cut(tab, number)
        await self._post(tab, number)
        await self._send()
        await self._mend(tab)
        await self._post(tab, number)
        await self._send()
        await self._hear(tab)

    async def _overtake(self, tab: Tab, number: int) -> None:
        """Let something happen after the answer to a tab was worked out, and arrive before it."""
        await self._mend(tab)
        await self._ask(tab)
        await self._hear(tab)
        await self._read(tab)
        await (self._delete if number % 2 else self._post)(tab, number)
        await self._send()
        await self._hear(tab)
        await self._answer(tab)

    async def _load(self, tab: Tab, _number: int) -> None:
        """Load a page anew; its line comes later."""
        tab.cut()
        asked = self._now
        rows = [message_row(message).pack() for message in await self._conversation()._history()]
        tab.show(rows, more=len(rows) == PAGE, asked=asked)
        self._tell(tab, tuple(map(read_line, rows)))

    def _conversation(self) -> Conversation:
        site: Any = SimpleNamespace(chat=self.chat)
        nothing: Any = None
        return Conversation(site, nothing, self._room, self._mira, nothing)

    # What is noted down

    @property
    def _now(self) -> float:
        return self.clock().timestamp()

    def _receive(self, tab: Tab, packet: dict[str, Any]) -> None:
        assert tab.rows
        tab.rows.receive(packet)
        self._note(tab)

    def _tell(self, tab: Tab, told: tuple[Line, ...]) -> None:
        self.record.tellings.append(Telling(tab.name, tab.asked, told))
        self._note(tab)

    def _note(self, tab: Tab) -> None:
        self.record.sights.append(self._look(tab))

    def _look(self, tab: Tab) -> Sight:
        assert tab.rows
        sure = tab.rows.sure or tab is self._witness
        lines = tab.rows.show(self._now)
        return Sight(tab.name, self._now, tab.asked, lines, sure, tab.rows.more)


def _line(message: Message) -> Line:
    return Line(
        message.seq,
        message.text,
        message.author,
        message.expires_at.timestamp(),
        message.dedup_id,
        message.id,
    )
