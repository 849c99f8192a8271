"""Nobody is silenced by others who post much: in a room, and before the database."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from anonchat import LimitReached, TooOften
from anonchat.bus import MemoryBus
from anonchat.limits import Limits
from anonchat.network_shares import NetworkShares
from anonchat.post_queue import PostQueue
from anonchat.recent_use import RecentUse
from anonchat.room_post_shares import RoomPostShares
from anonchat.seal import Hasher
from tests.fakes import FakeClock, gather_in, make_settings, read, running_chat, say

MINUTE = timedelta(minutes=1)
FLOOD = "203.0.113.7"


@dataclass(frozen=True)
class Post:
    """A post that waits."""

    visitor_id: str
    number: int


def make_shares(folder: Path, clock: FakeClock, rate: str) -> RoomPostShares:
    """Return the shares of rooms that take so many posts."""
    settings = make_settings(folder, posts_per_room=rate)
    hasher = Hasher(lambda: b"k" * 32)
    limits = Limits(settings, clock=clock, bus=MemoryBus(), hasher=hasher)
    return RoomPostShares(limits, settings.posts_per_room)


def count_spent(shares: RoomPostShares, visitor_id: str, tries: int) -> int:
    """Post as often as that, and return how often it was allowed."""
    spent = 0
    for _ in range(tries):
        try:
            shares.spend("room", visitor_id)
        except TooOften:
            continue
        spent += 1
    return spent


# In a room


@pytest.mark.parametrize("puppets", [1, 10, 60, 300])
def test_puppets_that_post_all_they_can_refuse_no_calm_member(
    tmp_path: Path, clock: FakeClock, puppets: int
) -> None:
    shares = make_shares(tmp_path, clock, "3000/1m")
    fair = 3_000 / (puppets + 1)  # what everybody would get in a minute
    pause = MINUTE / (fair / 2)
    random, due = Random(1), clock() + MINUTE * 0.3
    start = clock()
    while clock() < start + 3 * MINUTE:
        for puppet in random.sample(range(puppets), puppets):
            count_spent(shares, f"puppet {puppet}", 3_000 // puppets // 20 + 1)
        while due <= clock():
            shares.spend("room", "owner")
            due += pause * random.uniform(0.8, 1.2)
        clock.move(timedelta(seconds=1))


def test_one_member_alone_leaves_most_of_a_room_to_the_others(
    tmp_path: Path, clock: FakeClock
) -> None:
    shares = make_shares(tmp_path, clock, "100/1m")
    assert 30 < count_spent(shares, "Ann", 200) < 50
    assert count_spent(shares, "Bob", 10) == 10


def test_one_member_alone_may_post_evenly_at_the_rate_of_the_room(
    tmp_path: Path, clock: FakeClock
) -> None:
    shares = make_shares(tmp_path, clock, "60/1m")
    for _ in range(180):
        shares.spend("room", "Ann")
        clock.move(timedelta(seconds=1))


def test_who_has_had_their_share_is_told_when_to_go_on(tmp_path: Path, clock: FakeClock) -> None:
    shares = make_shares(tmp_path, clock, "100/1m")
    count_spent(shares, "Ann", 200)
    with pytest.raises(TooOften) as caught:
        shares.spend("room", "Ann")
    seconds = caught.value.details["seconds"]
    assert isinstance(seconds, int)
    clock.move(timedelta(seconds=seconds))
    shares.spend("room", "Ann")


def test_all_together_never_exceed_the_limit_of_the_room(tmp_path: Path, clock: FakeClock) -> None:
    shares = make_shares(tmp_path, clock, "100/1m")
    assert sum(count_spent(shares, f"visitor {number}", 5) for number in range(300)) <= 100


def test_shares_are_of_one_room_alone(tmp_path: Path, clock: FakeClock) -> None:
    shares = make_shares(tmp_path, clock, "4/1m")
    count_spent(shares, "Ann", 9)
    shares.spend("another room", "Ann")


def test_without_a_limit_there_are_no_shares(tmp_path: Path, clock: FakeClock) -> None:
    shares = make_shares(tmp_path, clock, "off")
    assert count_spent(shares, "Ann", 1_000) == 1_000


def test_recent_use_slides_and_is_forgotten(clock: FakeClock) -> None:
    use = RecentUse(MINUTE, clock, str)
    use.add("Ann")
    use.add("Ann")
    use.note({"Ann": 2, "Bob": 1})
    assert (use.count("Ann"), use.count("Bob")) == (4, 1)
    assert use.take_drawn() == {"Ann": 2}
    assert use.take_drawn() == {}
    clock.move(MINUTE)
    assert use.count("Ann") == pytest.approx(4)
    clock.move(MINUTE / 2)
    assert use.count("Ann") == pytest.approx(2)
    clock.move(MINUTE)
    assert use.count("Ann") == 0


@pytest.mark.usefixtures("either_place")
async def test_puppets_do_not_silence_the_owner_of_a_room(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path / "data", clock, posts_per_room="60/1m") as chat:
        names = [f"puppet {number}" for number in range(20)]
        room, (owner, *puppets) = await gather_in(chat, "night train", "Ann", *names)
        noise = [
            chat.messages.post(room.id, visitor_id=puppet.id, text="noise")
            for puppet in puppets
            for _ in range(20)
        ]
        outcomes = await asyncio.gather(*noise, return_exceptions=True)
        assert sum(isinstance(outcome, TooOften) for outcome in outcomes) > 300
        await say(chat, room, owner, "calm")
        assert (await read(chat, room, owner))[-1] == "calm"


# Before the database


@pytest.fixture
def networks() -> NetworkShares:
    return NetworkShares(MemoryBus())


def test_who_posts_much_does_not_stand_before_the_others(networks: NetworkShares) -> None:
    queue: PostQueue[Post] = PostQueue(1_000, networks)
    for number in range(400):
        queue.add(Post("flood", number))
    queue.add(Post("Ann", 0))
    queue.add(Post("Ann", 1))
    chosen = queue.choose(10)
    assert chosen[1] == Post("Ann", 0)
    assert chosen[3] == Post("Ann", 1)
    assert [post.number for post in chosen if post.visitor_id == "flood"] == list(range(8))


def test_puppets_of_one_network_take_turns_as_one(networks: NetworkShares) -> None:
    queue: PostQueue[Post] = PostQueue(1_000, networks)
    for number in range(300):
        networks.learn(f"puppet {number}", FLOOD)
        queue.add(Post(f"puppet {number}", 0))
    networks.learn("Ann", "198.51.100.4")
    queue.add(Post("Ann", 0))
    assert Post("Ann", 0) in queue.choose(2)


def test_a_few_waiting_posts_keep_their_order(networks: NetworkShares) -> None:
    queue: PostQueue[Post] = PostQueue(100, networks)
    posts = [Post(name, number) for number in range(3) for name in ("Ann", "Bob")]
    for post in posts:
        queue.add(post)
    assert queue.choose(6) == posts


def test_chosen_posts_wait_until_they_are_removed(networks: NetworkShares) -> None:
    queue: PostQueue[Post] = PostQueue(10, networks)
    for name in ("Ann", "Bob", "Cleo"):
        queue.add(Post(name, 0))
    queue.remove(queue.choose(1))
    assert [post.visitor_id for post in queue] == ["Bob", "Cleo"]
    queue.remove_unless(lambda post: post.visitor_id == "Cleo")
    assert [post.visitor_id for post in queue.choose(9)] == ["Cleo"]


@pytest.mark.parametrize("visitors", [1, 50])
def test_neither_a_visitor_nor_a_network_fills_the_queue(
    networks: NetworkShares, visitors: int
) -> None:
    queue: PostQueue[Post] = PostQueue(100, networks)
    with pytest.raises(LimitReached):
        for number in range(100):
            networks.learn(f"puppet {number % visitors}", FLOOD)
            queue.add(Post(f"puppet {number % visitors}", number))
    networks.learn("Ann", "198.51.100.4")
    queue.add(Post("Ann", 0))


def test_all_together_do_not_overfill_the_queue(networks: NetworkShares) -> None:
    queue: PostQueue[Post] = PostQueue(100, networks)
    for number in range(100):
        queue.add(Post(f"visitor {number}", 0))
    with pytest.raises(LimitReached):
        queue.add(Post("Ann", 0))
    queue.remove(queue.choose(1))
    queue.add(Post("Ann", 0))
