"""Storing posts: shared commits of the service compared with one ORM commit per message."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from anonchat import Chat
from anonchat.ids import new_id
from anonchat.storage.database import Database
from benchmarks.database_seeder import seeding
from benchmarks.lab import Lab
from benchmarks.outcome import Goal, Outcome, Ratio, Table
from models import MemberRow, MessageRow, RoomRow
from pages.server import tune_gc
from tests.fakes import make_settings

_POSTERS = 64
_SECONDS = 5.0
_TEXT = "the quick brown fox jumps over the lazy dog"

Post = Callable[[int], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class PostingResult:
    """Posts per second, seconds of processor time per post, latency in ms at half that rate."""

    rate: float
    processor_seconds: float
    p50: float
    p99: float


async def measure(lab: Lab) -> Outcome:
    """Post as fast as possible, then at half that rate, in both variants."""
    posters = lab.scaled(_POSTERS, minimum=4)
    seconds = lab.scaled_seconds(_SECONDS)
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
                "The posting loop, the service and the database thread share one process: a post "
                "that arrives during a commit of other posts waits for two commits.",
            ),
        ],
        tables=[
            Table(
                "Storing posts",
                ["way", "posts/s", "µs of processor each", "p50 ms at half", "p99 ms at half"],
                [
                    _make_row("anonchat's service, commits shared", shared),
                    _make_row("one ORM commit per message", single),
                ],
                "The same tables and pragmas (WAL, `synchronous=FULL`), the same disk. The second "
                "variant reads room and member, adds the row, increments `seq` and commits; it "
                "encrypts nothing, which is to its advantage.",
            )
        ],
    )


async def _prepare(data: Path, posters: int) -> tuple[str, list[str]]:
    async with seeding(data) as seeder:
        guests = await seeder.add_visitors(posters)
        (room,) = await seeder.add_rooms(1)
        await seeder.add_members([(room, guest) for guest in guests])
    return room.id, [guest.id for guest in guests]


async def _post_by_service(
    data: Path, room: str, guests: list[str], seconds: float
) -> PostingResult:
    chat = Chat(make_settings(data))
    await chat.start()
    tune_gc()
    try:
        return await measure_posting(
            lambda poster: chat.messages.post(room, visitor_id=guests[poster], text=_TEXT),
            len(guests),
            seconds,
        )
    finally:
        await chat.stop()


async def _post_by_orm(
    data: Path, room_id: str, guests: list[str], seconds: float
) -> PostingResult:
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
        return await measure_posting(post, len(guests), seconds)
    finally:
        await database.close()


async def measure_posting(post: Post, posters: int, seconds: float) -> PostingResult:
    """Post as fast as possible, then at half that rate."""
    await _post_continuously(post, posters, seconds / 5)  # warm-up
    before, started = time.process_time(), time.perf_counter()
    stored = await _post_continuously(post, posters, seconds)
    rate = stored / (time.perf_counter() - started)
    processor = (time.process_time() - before) / stored
    latencies = sorted(await _post_at(post, posters, rate / 2, seconds))
    return PostingResult(
        rate, processor, latencies[len(latencies) // 2], latencies[int(len(latencies) * 0.99)]
    )


async def _post_continuously(post: Post, posters: int, seconds: float) -> int:
    """Post by each poster again after each acknowledgement; return the number of posts."""
    end = time.perf_counter() + seconds

    async def keep_posting(poster: int) -> int:
        stored = 0
        while time.perf_counter() < end:
            await post(poster)
            stored += 1
        return stored

    return sum(await asyncio.gather(*map(keep_posting, range(posters))))


async def _post_at(post: Post, posters: int, rate: float, seconds: float) -> list[float]:
    """Post at a steady rate without waiting for results; return the latencies in ms."""
    latencies: list[float] = []
    started = time.perf_counter()

    async def post_one(number: int, due: float) -> None:
        await post(number % posters)
        latencies.append((time.perf_counter() - due) * 1000)

    # tasks are created one by one, because creating all at once would be measured
    async with asyncio.TaskGroup() as posts:
        for number in range(int(rate * seconds)):
            due = started + number / rate
            await asyncio.sleep(due - time.perf_counter())
            posts.create_task(post_one(number, due))
    return latencies


def _make_row(name: str, result: PostingResult) -> list[str]:
    return [
        name,
        f"{result.rate:.0f}",
        f"{result.processor_seconds * 1e6:.0f}",
        f"{result.p50:.1f}",
        f"{result.p99:.1f}",
    ]
