"""A live list receives events while a sync request is pending: the newest state wins."""

import pytest
from playwright.async_api import Locator, expect

from tests.browser.person import CONNECTION_ERRORS, Person
from tests.browser.world import World

# Sends a sync request, receives events, and then a response that is older than the events.
_SYNC_WITH_STALE_RESPONSE = """(list, [events, response]) => {
    const feed = getElement(Number(list.parentElement.id.slice(1)));
    feed.sync();
    const question = feed.pendingSync.number;
    const row = (list.querySelector("[data-key]") || {outerHTML: ""}).outerHTML;
    const fill = (rows) => rows.map(([key, order]) => [key, order, row]);
    for (const step of events) {
        if (step.ask) feed.sync();
        else feed.receive({channel: feed.channel, ...step, ...(step.put && {put: fill(step.put)})});
    }
    feed.catchUp({question, keep: [], more: null, read: {}, mentioned: {}, next: {},
        now: Date.now(), ...response, put: fill(response.put || [])});
}"""


async def _member_without_responses(world: World, room: str) -> Person:
    """Create a member with two messages whose page receives no more responses."""
    wire = await world.wire()
    ann = await world.visitor("Ann", wire=wire)
    ann.ignored_errors = CONNECTION_ERRORS
    await ann.open_room(room)
    await ann.post_messages("one", "two")
    await ann.expect_connected()
    wire.drop_responses()
    return ann


async def _keys(list_: Locator) -> list[str]:
    keys: list[str] = await list_.evaluate(
        """(list) => [...list.querySelectorAll("[data-key]:not(.going)")]
        .map((row) => row.dataset.key)"""
    )
    return keys


@pytest.mark.parametrize(
    ("events", "response", "expected"),
    [
        pytest.param([], {"keep": ["1"]}, ["1"], id="row missing from the response"),
        pytest.param(
            [],
            {"put": [["3", 3]], "keep": ["1", "2"]},
            ["1", "2", "3"],
            id="new row in the response",
        ),
        pytest.param(
            [{"drop": ["1"]}],
            {"put": [["1", 1]], "keep": ["1", "2"]},
            ["2"],
            id="row dropped after the request",
        ),
        pytest.param(
            [{"put": [["3", 3]]}],
            {"keep": ["1", "2"]},
            ["1", "2", "3"],
            id="row added after the request",
        ),
        pytest.param(
            [{"drop": ["1"]}, {"put": [["1", 1]]}],
            {"keep": ["2"]},
            ["1", "2"],
            id="row dropped and added after the request",
        ),
        pytest.param(
            [{"put": [["3", 3]]}, {"ask": True}],
            {"keep": ["1", "2"]},
            ["1", "2", "3"],
            id="second request after the event",
        ),
    ],
)
async def test_events_win_over_an_older_sync_response(
    world: World,
    room: str,
    events: list[dict[str, object]],
    response: dict[str, object],
    expected: list[str],
) -> None:
    ann = await _member_without_responses(world, room)
    assert await _keys(ann.log) == ["1", "2"]
    await ann.log.evaluate(_SYNC_WITH_STALE_RESPONSE, [events, response])
    await ann.expect_eventually(lambda: _keys(ann.log), expected)
    await ann.page.wait_for_timeout(300)  # longer than a row takes to fade
    assert await _keys(ann.log) == expected


async def test_paging_continues_after_a_lost_response(world: World, room: str) -> None:
    ann = await _member_without_responses(world, room)
    is_loading = await ann.log.evaluate(
        """(list) => { const feed = getElement(Number(list.parentElement.id.slice(1)));
        feed.listWindow.before = true; feed.listWindow.request("before"); feed.sync();
        return feed.listWindow.isLoading; }"""
    )
    assert is_loading is False
    await expect(ann.log).to_be_visible()
