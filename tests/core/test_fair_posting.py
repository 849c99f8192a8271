"""Heavy posters do not block other members: neither in a room nor in the post queue."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from anonchat import LimitReached, RateLimited
from anonchat.bus import Bus
from anonchat.crypto import Hasher
from anonchat.limits.network_shares import NetworkShares
from anonchat.limits.rate_limits import Limits
from anonchat.limits.recent_use import RecentUse
from anonchat.limits.room_post_shares import RoomPostShares
from anonchat.storage.post_queue import PostQueue
from tests.fakes import (
    FakeClock,
    create_room_with_members,
    make_settings,
    post_messages,
    read,
    running_chat,
)

MINUTE = timedelta(minutes=1)
FLOOD = "203.0.113.7"


@dataclass(frozen=True)
class Post:
    """A queued post."""

    visitor_id: str
    number: int


def make_shares(folder: Path, clock: FakeClock, rate: str) -> RoomPostShares:
    """Return the shares of rooms with this limit of posts."""
    settings = make_settings(folder, posts_per_room=rate)
    hasher = Hasher(lambda: b"k" * 32)
    limits = Limits(settings, clock=clock, bus=Bus(), hasher=hasher)
    return RoomPostShares(limits, settings.posts_per_room)


def count_allowed(shares: RoomPostShares, visitor_id: str, tries: int) -> int:
    """Try to post this many times; return how many posts were allowed."""
    allowed = 0
    for _ in range(tries):
        try:
            shares.hit("room", visitor_id)
        except RateLimited:
            continue
        allowed += 1
    return allowed


# In a room


@pytest.mark.parametrize("puppets", [1, 10, 60, 300])
def test_flooding_sock_puppets_do_not_block_a_calm_member(
    tmp_path: Path, clock: FakeClock, puppets: int
) -> None:
    shares = make_shares(tmp_path, clock, "3000/1m")
    fair = 3_000 / (puppets + 1)  # posts per minute of an equal share
    pause = MINUTE / (fair / 2)
    random, due = Random(1), clock() + MINUTE * 0.3
    start = clock()
    while clock() < start + 3 * MINUTE:
        for puppet in random.sample(range(puppets), puppets):
            count_allowed(shares, f"puppet {puppet}", 3_000 // puppets // 20 + 1)
        while due <= clock():
            shares.hit("room", "owner")
            due += pause * random.uniform(0.8, 1.2)
        clock.advance(timedelta(seconds=1))


def test_burst_of_one_member_leaves_most_of_the_room_limit_to_others(
    tmp_path: Path, clock: FakeClock
) -> None:
    shares = make_shares(tmp_path, clock, "100/1m")
    assert 30 < count_allowed(shares, "Ann", 200) < 50
    assert count_allowed(shares, "Bob", 10) == 10


def test_single_member_can_post_steadily_at_the_room_rate(tmp_path: Path, clock: FakeClock) -> None:
    shares = make_shares(tmp_path, clock, "60/1m")
    for _ in range(180):
        shares.hit("room", "Ann")
        clock.advance(timedelta(seconds=1))


def test_member_over_their_share_gets_the_retry_time(tmp_path: Path, clock: FakeClock) -> None:
    shares = make_shares(tmp_path, clock, "100/1m")
    count_allowed(shares, "Ann", 200)
    with pytest.raises(RateLimited) as caught:
        shares.hit("room", "Ann")
    seconds = caught.value.details["seconds"]
    assert isinstance(seconds, int)
    clock.advance(timedelta(seconds=seconds))
    shares.hit("room", "Ann")


def test_members_together_do_not_exceed_the_room_limit(tmp_path: Path, clock: FakeClock) -> None:
    shares = make_shares(tmp_path, clock, "100/1m")
    assert sum(count_allowed(shares, f"visitor {number}", 5) for number in range(300)) <= 100


def test_shares_are_per_room(tmp_path: Path, clock: FakeClock) -> None:
    shares = make_shares(tmp_path, clock, "4/1m")
    count_allowed(shares, "Ann", 9)
    shares.hit("another room", "Ann")


def test_room_without_a_limit_has_no_shares(tmp_path: Path, clock: FakeClock) -> None:
    shares = make_shares(tmp_path, clock, "off")
    assert count_allowed(shares, "Ann", 1_000) == 1_000


def test_recent_use_is_counted_in_a_sliding_window(clock: FakeClock) -> None:
    use = RecentUse(MINUTE, clock, str)
    use.add("Ann")
    use.add("Ann")
    use.add_remote_usage({"Ann": 2, "Bob": 1})
    assert (use.count("Ann"), use.count("Bob")) == (4, 1)
    assert use.take_usage() == {"Ann": 2}
    assert use.take_usage() == {}
    clock.advance(MINUTE)
    assert use.count("Ann") == pytest.approx(4)
    clock.advance(MINUTE / 2)
    assert use.count("Ann") == pytest.approx(2)
    clock.advance(MINUTE)
    assert use.count("Ann") == 0


@pytest.mark.usefixtures("either_place")
async def test_sock_puppets_do_not_block_the_owner_of_a_room(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, posts_per_room="60/1m") as chat:
        names = [f"puppet {number}" for number in range(20)]
        room, (owner, *puppets) = await create_room_with_members(chat, "night train", "Ann", *names)
        noise = [
            chat.messages.post(room.id, visitor_id=puppet.id, text="noise")
            for puppet in puppets
            for _ in range(20)
        ]
        outcomes = await asyncio.gather(*noise, return_exceptions=True)
        assert sum(isinstance(outcome, RateLimited) for outcome in outcomes) > 300
        await post_messages(chat, room, owner, "calm")
        assert (await read(chat, room, owner))[-1] == "calm"


# In the post queue


@pytest.fixture
def networks() -> NetworkShares:
    return NetworkShares(Bus())


def test_queue_serves_visitors_in_turn_regardless_of_their_post_count(
    networks: NetworkShares,
) -> None:
    queue: PostQueue[Post] = PostQueue(1_000, networks)
    for number in range(400):
        queue.add(Post("flood", number))
    queue.add(Post("Ann", 0))
    queue.add(Post("Ann", 1))
    chosen = queue.next_batch(10)
    assert chosen[1] == Post("Ann", 0)
    assert chosen[3] == Post("Ann", 1)
    assert [post.number for post in chosen if post.visitor_id == "flood"] == list(range(8))


def test_sock_puppets_of_one_network_share_one_turn(networks: NetworkShares) -> None:
    queue: PostQueue[Post] = PostQueue(1_000, networks)
    for number in range(300):
        networks.record(f"puppet {number}", FLOOD)
        queue.add(Post(f"puppet {number}", 0))
    networks.record("Ann", "198.51.100.4")
    queue.add(Post("Ann", 0))
    assert Post("Ann", 0) in queue.next_batch(2)


def test_few_queued_posts_keep_their_order(networks: NetworkShares) -> None:
    queue: PostQueue[Post] = PostQueue(100, networks)
    posts = [Post(name, number) for number in range(3) for name in ("Ann", "Bob")]
    for post in posts:
        queue.add(post)
    assert queue.next_batch(6) == posts


def test_chosen_posts_stay_queued_until_removed(networks: NetworkShares) -> None:
    queue: PostQueue[Post] = PostQueue(10, networks)
    for name in ("Ann", "Bob", "Cleo"):
        queue.add(Post(name, 0))
    queue.remove(queue.next_batch(1))
    assert [post.visitor_id for post in queue] == ["Bob", "Cleo"]
    queue.retain(lambda post: post.visitor_id == "Cleo")
    assert [post.visitor_id for post in queue.next_batch(9)] == ["Cleo"]


@pytest.mark.parametrize("visitors", [1, 50])
def test_one_visitor_or_network_cannot_fill_the_queue(
    networks: NetworkShares, visitors: int
) -> None:
    queue: PostQueue[Post] = PostQueue(100, networks)
    with pytest.raises(LimitReached):
        for number in range(100):
            networks.record(f"puppet {number % visitors}", FLOOD)
            queue.add(Post(f"puppet {number % visitors}", number))
    networks.record("Ann", "198.51.100.4")
    queue.add(Post("Ann", 0))


def test_queue_length_is_limited(networks: NetworkShares) -> None:
    queue: PostQueue[Post] = PostQueue(100, networks)
    for number in range(100):
        queue.add(Post(f"visitor {number}", 0))
    with pytest.raises(LimitReached):
        queue.add(Post("Ann", 0))
    queue.remove(queue.next_batch(1))
    queue.add(Post("Ann", 0))
