"""Any order of posts, deletions, expiries, cuts and answers leaves every screen with the same list.

The services, the catch-up and the rows are the real ones. The lines in between are made here, so
that everything on them can be early, late or lost; and time moves only when it is told to.
"""

import asyncio
import tempfile
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hypothesis import given, settings
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
from pages.live.feed import Shown
from pages.room import _Talk
from pages.rows import message_row
from tests.fakes import FakeClock, crash, gather_in, make_settings
from tests.history.checker import find_faults
from tests.history.record import Line, Post, Record, Sight, Telling
from tests.history.rows import Packed, Rows, read_line

TICK = timedelta(milliseconds=1)
TTL = 60
PAGE = 10
SPEAKERS = ("Ann", "Bob")
TABS = 3

tabs = some.integers(0, TABS - 1)
posts = some.integers(0, 99)
ACTIONS = some.one_of(
    some.tuples(some.just("post"), some.sampled_from(SPEAKERS), some.integers(1, PAGE + 2)),
    some.tuples(some.just("retry"), posts),
    some.tuples(some.just("delete"), posts),
    some.tuples(some.just("wait"), some.sampled_from([1, 20, TTL - 2, TTL + 1])),
    some.tuples(some.just("purge")),
    some.tuples(some.just("send")),
    some.tuples(some.just("hear"), tabs, some.integers(1, 5)),
    some.tuples(some.just("read"), tabs),
    some.tuples(some.just("answer"), tabs),
    some.tuples(some.just("cut"), tabs),
    some.tuples(some.just("mend"), tabs),
    some.tuples(some.just("load"), tabs),
    some.tuples(some.just("crash")),
)


@settings(max_examples=60)
@given(actions=some.lists(ACTIONS, min_size=10, max_size=60))
def test_any_order_of_things_leaves_every_screen_with_the_same_list(
    actions: list[tuple[Any, ...]],
) -> None:
    assert asyncio.run(_play(actions)) == []


async def _play(actions: list[tuple[Any, ...]]) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        story = Story(Path(folder))
        await story.begin()
        try:
            for name, *arguments in actions:
                story.clock.move(TICK)
                await getattr(story, f"_{name}")(*arguments)
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
        self.joined = False
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
        self._tabs = [Tab(f"tab {number}") for number in range(TABS)]
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
        for number in range(TABS):
            await self._mend(number)

    async def rest(self) -> None:
        """Mend every line, deliver everything, and note what is seen then."""
        await self._send()
        for number, tab in enumerate(self._tabs):
            await self._cut(number)
            await self._mend(number)
            while tab.inbox or tab.questions or tab.answers:
                await self._read(number)
                await self._answer(number)
                await self._hear(number, len(tab.inbox))
        self.clock.move(TICK)
        for tab in (*self._tabs, self._witness):
            self.record.ends[tab.name] = self._look(tab)
        history = await self.chat.messages.history(
            self._room.id, visitor_id=self._mira.visitor_id, after=0, limit=10_000
        )
        lines = tuple(map(_line, history))
        self.record.ends["history"] = Sight("history", self._now, self._now, lines)

    # What people do

    async def _post(self, who: str, count: int) -> None:
        """Post at once, each message twice."""
        visitor = self._visitors[who]
        author = (await self.chat.memberships.require(self._room.id, visitor_id=visitor.id)).author
        begun = len(self._posted)
        for number in range(begun, begun + count):
            self._posted.append(
                self.record.post(
                    f"{number} by {who}",
                    dedup_id=str(number),
                    author=author,
                    until=self._now + TTL,
                )
            )
        new = self._posted[begun:]
        await asyncio.gather(*(self._try(post, visitor) for post in (*new, *new)))
        await self.chat.messages.finish()

    async def _retry(self, index: int) -> None:
        """Post again what is still there, as one does whose answer was lost."""
        removed = {removal.seq for removal in self.record.removals}
        known = [post for post in self._posted if post.until > self._now]
        known = [post for post in known if post.stored and post.stored[0].seq not in removed]
        if known:
            post = known[index % len(known)]
            await self._try(post, self._visitors[post.text.split()[-1]])
            await self.chat.messages.finish()

    async def _delete(self, index: int) -> None:
        if not self._posted:
            return
        post = self._posted[index % len(self._posted)]
        removal = self.record.removal(asked=self._now, seq=post.stored[0].seq)
        try:
            await self.chat.messages.delete(
                self._room.id,
                visitor_id=self._visitors[post.text.split()[-1]].id,
                message_id=post.stored[0].id,
            )
        except ChatError:  # it is gone already
            pass
        removal.done = self._now

    async def _try(self, post: Post, visitor: Visitor) -> None:
        post.tries += 1
        message = await self.chat.messages.post(
            self._room.id, visitor_id=visitor.id, text=post.text, dedup_id=post.dedup_id
        )
        post.accepted.append(self._now)
        post.stored.append(_line(message))

    # What time and the house do

    async def _wait(self, seconds: int) -> None:
        self.clock.move(timedelta(seconds=seconds))

    async def _purge(self) -> None:
        await self.chat.expiry.purge()

    async def _crash(self) -> None:
        """Let the house fall over, and open it again: it knows no tab any more."""
        await crash(self.chat)
        self._parcel = {}
        for tab in self._tabs:
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

    async def _send(self) -> None:
        """Send what was gathered to all who listen."""
        parcel, self._parcel = self._parcel, {}
        for tab in self._tabs:
            if tab.joined and parcel:
                tab.inbox.append(("feed", parcel))

    async def _hear(self, number: int, count: int) -> None:
        """Let some of what is on its way to a tab arrive."""
        tab = self._tabs[number]
        if tab.rows is None or not tab.joined:
            return
        arrived, tab.inbox = tab.inbox[:count], tab.inbox[count:]
        for kind, what in arrived:
            match kind:
                case "feed":
                    self._receive(tab, what)
                case "sync":
                    question = tab.rows.ask()
                    tab.times[question["question"]] = self._now
                    tab.questions.append(question)
                case "catchUp" if tab.rows.catch_up(what):
                    tab.asked = tab.times[what["question"]]
                    self._note(tab, what["put"])
            self.clock.move(TICK)

    async def _read(self, number: int) -> None:
        """Let the server work out what a tab has missed; the answer is not on its way yet."""
        tab = self._tabs[number]
        if not tab.questions:
            return
        question = tab.questions.pop(0)
        news = await self._talk()._catch_up(Shown(question["keys"], more=question["more"]))
        put = [row.pack() for row in news.put]
        tab.answers.append({**question, "put": put, "keep": news.keep, "more": news.more})

    async def _answer(self, number: int) -> None:
        tab = self._tabs[number]
        if tab.answers:
            tab.inbox.append(("catchUp", tab.answers.pop(0)))

    async def _cut(self, number: int) -> None:
        self._tabs[number].cut()

    async def _mend(self, number: int) -> None:
        """Connect a tab: it listens first and asks afterwards."""
        tab = self._tabs[number]
        if tab.rows is None:
            await self._load(number)
        if not tab.joined:
            tab.joined = True
            tab.inbox.append(("sync", None))

    async def _load(self, number: int) -> None:
        """Load a page anew; its line comes later."""
        tab = self._tabs[number]
        tab.cut()
        asked = self._now
        rows = [message_row(message).pack() for message in await self._talk()._history()]
        tab.show(rows, more=len(rows) == PAGE, asked=asked)
        self._note(tab, rows)

    def _talk(self) -> _Talk:
        site: Any = SimpleNamespace(chat=self.chat)
        nothing: Any = None
        return _Talk(site, nothing, self._room, self._mira, nothing)

    # What is noted down

    @property
    def _now(self) -> float:
        return self.clock().timestamp()

    def _receive(self, tab: Tab, packet: dict[str, Any]) -> None:
        assert tab.rows
        tab.rows.receive(packet)
        self._note(tab, packet.get("put", []))

    def _note(self, tab: Tab, told: list[Packed]) -> None:
        self.record.tellings.append(Telling(tab.name, tab.asked, tuple(map(read_line, told))))
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
