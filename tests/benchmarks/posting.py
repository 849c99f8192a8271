"""Storing posts: shared commits of the service beside one ORM commit for each message."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from anonchat import Chat
from anonchat.database import Database
from anonchat.ids import new_id
from models import MemberRow, MessageRow, RoomRow
from pages.server import settle
from tests.benchmarks.lab import Lab
from tests.benchmarks.outcome import Goal, Outcome, Ratio, Table
from tests.benchmarks.town import founding
from tests.fakes import make_settings

_POSTERS = 64
_SECONDS = 5.0
_TEXT = "the quick brown fox jumps over the lazy dog"

Post = Callable[[int], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast posts were stored, and how long each waited at half that rate, in milliseconds."""

    rate: float
    processor: float
    p50: float
    p99: float


async def measure(lab: Lab) -> Outcome:
    """Post as fast as possible, then at half that rate, in both ways."""
    posters = lab.sized(_POSTERS, least=4)
    seconds = lab.lasting(_SECONDS)
    room, guests = await _prepare(lab.folder / "data", posters)
    shared = await _post_by_service(lab.folder / "data", room, guests, seconds)
    single = await _post_by_orm(lab.folder / "data", room, guests, seconds)
    times = shared.rate / single.rate
    return Outcome(
        ratios=[Ratio("time per stored post", "one ORM commit per message", times)],
        goals=[
            Goal(
                f"posts stored and acknowledged per second, SQLite, {posters} concurrent posters",
                f"≥ 5 × one ORM commit per message ({single.rate:.0f}/s)",
                f"{shared.rate:.0f}/s, {times:.1f} ×",
                times >= 5,
            ),
            Goal(
                "p99 of an acknowledged post at half that rate",
                "≤ 50 ms",
                f"{shared.p99:.1f} ms",
                shared.p99 <= 50,
                "The loop that posts, the service and the thread of the database take turns in one "
                "process: a post that comes while a commit of others is made waits for two.",
            ),
        ],
        tables=[
            Table(
                "Storing posts",
                ["way", "posts/s", "µs of processor each", "p50 ms at half", "p99 ms at half"],
                [
                    _draw("anonchat's service, commits shared", shared),
                    _draw("one ORM commit per message", single),
                ],
                "The same tables and pragmas (WAL, `synchronous=FULL`), the same disk. The second "
                "way reads room and member, adds the row, counts `seq` and commits; it encrypts "
                "nothing, which is in its favour.",
            )
        ],
    )


async def _prepare(data: Path, posters: int) -> tuple[str, list[str]]:
    async with founding(data) as town:
        guests = await town.come_in(posters)
        (room,) = await town.open_rooms(1)
        await town.join([(room, guest) for guest in guests])
    return room.id, [guest.id for guest in guests]


async def _post_by_service(data: Path, room: str, guests: list[str], seconds: float) -> Pace:
    chat = Chat(make_settings(data))
    await chat.start()
    settle()
    try:
        return await pace(
            lambda poster: chat.messages.post(room, visitor_id=guests[poster], text=_TEXT),
            len(guests),
            seconds,
        )
    finally:
        await chat.stop()


async def _post_by_orm(data: Path, room_id: str, guests: list[str], seconds: float) -> Pace:
    database = Database(f"sqlite+aiosqlite:///{data / 'anonchat.db'}")
    await database.open()

    async def post(poster: int) -> None:
        async with database.transaction() as session:
            room = await session.get(RoomRow, room_id)
            member = await session.get(MemberRow, (room_id, guests[poster]))
            assert room and member
            room.last_seq += 1
            now = datetime.now(UTC)
            message = MessageRow(
                id=new_id(),
                room_id=room_id,
                visitor_id=guests[poster],
                seq=room.last_seq,
                author=member.author,
                dedup_key=os.urandom(32),
                sealed=_TEXT.encode(),
                posted_at=now,
                expires_at=now + timedelta(hours=24),
            )
            session.add(message)

    try:
        return await pace(post, len(guests), seconds)
    finally:
        await database.close()


async def pace(post: Post, posters: int, seconds: float) -> Pace:
    """Post as fast as possible, and then at half that rate."""
    await _post_without_rest(post, posters, seconds / 5)  # to warm up
    before, started = time.process_time(), time.perf_counter()
    stored = await _post_without_rest(post, posters, seconds)
    rate = stored / (time.perf_counter() - started)
    processor = (time.process_time() - before) / stored
    waits = sorted(await _post_at(post, posters, rate / 2, seconds))
    return Pace(rate, processor, waits[len(waits) // 2], waits[int(len(waits) * 0.99)])


async def _post_without_rest(post: Post, posters: int, seconds: float) -> int:
    """Let each poster post again as soon as the last post is acknowledged; return how many."""
    end = time.perf_counter() + seconds

    async def keep_posting(poster: int) -> int:
        stored = 0
        while time.perf_counter() < end:
            await post(poster)
            stored += 1
        return stored

    return sum(await asyncio.gather(*map(keep_posting, range(posters))))


async def _post_at(post: Post, posters: int, rate: float, seconds: float) -> list[float]:
    """Post at a steady rate, whether or not the last is acknowledged; return how long each took."""
    waits: list[float] = []
    started = time.perf_counter()

    async def post_one(number: int, due: float) -> None:
        await post(number % posters)
        waits.append((time.perf_counter() - due) * 1000)

    async with asyncio.TaskGroup() as posts:  # one by one: to make all at once would be measured
        for number in range(int(rate * seconds)):
            due = started + number / rate
            await asyncio.sleep(due - time.perf_counter())
            posts.create_task(post_one(number, due))
    return waits


def _draw(name: str, pace: Pace) -> list[str]:
    return [
        name,
        f"{pace.rate:.0f}",
        f"{pace.processor * 1e6:.0f}",
        f"{pace.p50:.1f}",
        f"{pace.p99:.1f}",
    ]
