"""What is brought to screens, and whether one has missed any of it before it was connected."""

from dataclasses import dataclass
from typing import Any

import pytest

from anonchat import Metrics
from pages.live import feeds as feeds_module
from pages.live.feeds import Feeds, Topic
from pages.rows.row import Row
from tests.fakes import FakeClock, make_work_budget

KITCHEN, CELLAR = Topic("messages", "kitchen"), Topic("messages", "cellar")


@dataclass(frozen=True)
class _Language:
    code: str = "en"


class _Screen:
    language: Any = _Language()
    viewer = "ann"

    async def follow(self, key: str) -> None: ...
    async def unfollow(self, key: str) -> None: ...
    async def stop(self) -> None: ...


@pytest.fixture
def feeds() -> Feeds:
    clock = FakeClock()
    return Feeds(clock, Metrics(), make_work_budget(clock))


def test_nothing_is_new_where_nothing_was_told(feeds: Feeds) -> None:
    feeds.drop(CELLAR, "1")
    drawn_at = feeds.news_number
    feeds.drop(CELLAR, "2")
    assert not feeds.has_news([KITCHEN], since=drawn_at)


def test_what_is_told_before_anybody_listens_is_news(feeds: Feeds) -> None:
    for tell in (
        lambda: feeds.drop(KITCHEN, "1"),
        lambda: feeds.tell(KITCHEN, recount=True),
        lambda: feeds.end(KITCHEN),
        lambda: feeds.put(KITCHEN, lambda _: pytest.fail("nobody looks on")),
    ):
        drawn_at = feeds.news_number
        tell()
        assert feeds.has_news([CELLAR, KITCHEN], since=drawn_at)
        assert not feeds.has_news([CELLAR, KITCHEN], since=feeds.news_number)


def test_whoever_was_drawn_too_long_ago_may_have_missed_something(
    feeds: Feeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds_module, "_NEWS_KEPT", 3)
    drawn_at = feeds.news_number
    for number in range(4):
        feeds.drop(Topic("messages", f"room {number}"), "1")
    assert feeds.has_news([CELLAR], since=drawn_at)
    assert not feeds.has_news([CELLAR], since=feeds.news_number)
    assert len(feeds._news) == 3


async def test_a_row_that_goes_and_comes_back_at_once_is_there(feeds: Feeds) -> None:
    feeds.listen(_Screen(), KITCHEN)
    feeds.drop(KITCHEN, "1", "2")
    feeds.put(KITCHEN, lambda _: Row("1", 1, "<p>"))
    (parcel,) = feeds._parcels.values()
    assert (parcel["put"], parcel["drop"]) == ([["1", 1, "<p>"]], ["2"])
