"""Changes sent to pages, and detection of changes missed before a page connected."""

from dataclasses import dataclass
from typing import Any

import pytest

from anonchat import Metrics
from pages.feeds import broadcaster as feeds_module
from pages.feeds.broadcaster import FeedBroadcaster
from pages.feeds.subscriptions import Subscription
from pages.feeds.topics import Topic
from pages.rows.row import Row
from tests.fakes import FakeClock, make_work_budget

KITCHEN, CELLAR = Topic("messages", "kitchen"), Topic("messages", "cellar")


@dataclass(frozen=True)
class _Language:
    code: str = "en"


async def _request_sync() -> None: ...


@pytest.fixture
def feeds() -> FeedBroadcaster:
    clock = FakeClock()
    return FeedBroadcaster(clock, Metrics(), make_work_budget(clock))


def test_unchanged_topic_has_not_changed(feeds: FeedBroadcaster) -> None:
    feeds.drop(CELLAR, "1")
    rendered_at = feeds.version
    feeds.drop(CELLAR, "2")
    assert not feeds.has_changed([KITCHEN], since=rendered_at)


def test_change_without_subscribers_is_recorded(feeds: FeedBroadcaster) -> None:
    for publish in (
        lambda: feeds.drop(KITCHEN, "1"),
        lambda: feeds.send_event(KITCHEN, recount=True),
        lambda: feeds.remove_topic(KITCHEN),
        lambda: feeds.put(KITCHEN, lambda _: pytest.fail("the topic has no subscribers")),
    ):
        rendered_at = feeds.version
        publish()
        assert feeds.has_changed([CELLAR, KITCHEN], since=rendered_at)
        assert not feeds.has_changed([CELLAR, KITCHEN], since=feeds.version)


def test_page_older_than_the_change_log_counts_as_outdated(
    feeds: FeedBroadcaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds_module, "_CHANGES_KEPT", 3)
    rendered_at = feeds.version
    for number in range(4):
        feeds.drop(Topic("messages", f"room {number}"), "1")
    assert feeds.has_changed([CELLAR], since=rendered_at)
    assert not feeds.has_changed([CELLAR], since=feeds.version)
    assert len(feeds._changes) == 3


async def test_row_dropped_and_put_back_in_one_packet_is_kept(feeds: FeedBroadcaster) -> None:
    language: Any = _Language()
    subscription = Subscription(
        feeds.subscriptions,
        page_id="page",
        language=language,
        viewer="ann",
        row_channel="",
        request_sync=_request_sync,
    )
    subscription.add([KITCHEN])
    feeds.drop(KITCHEN, "1", "2")
    feeds.put(KITCHEN, lambda _: Row("1", 1, "<p>"))
    (packet,) = feeds._packets.values()
    assert (packet["put"], packet["drop"]) == ([["1", 1, "<p>"]], ["2"])
