"""A list asks what it missed while news goes on coming: whatever is newest has to win."""

import pytest
from playwright.async_api import Locator, expect

from tests.browser.person import BROKEN_LINE, Person
from tests.browser.world import World

# Asks, hears the news, and only then is given an answer that was written before the news.
_LATE = """(list, [news, answer]) => {
    const feed = getElement(Number(list.parentElement.id.slice(1)));
    feed.sync();
    const question = feed.asked.number;
    const row = (list.querySelector("[data-key]") || {outerHTML: ""}).outerHTML;
    const fill = (rows) => rows.map(([key, order]) => [key, order, row]);
    for (const step of news) {
        if (step.ask) feed.sync();
        else feed.receive({channel: feed.channel, ...step, ...(step.put && {put: fill(step.put)})});
    }
    feed.catchUp({question, keep: [], more: null, read: {}, now: Date.now(), ...answer,
        put: fill(answer.put || [])});
}"""


async def _alone(world: World, room: str) -> Person:
    """Let Ann say two things, and then hear nothing from the server any more."""
    wire = await world.wire()
    ann = await world.visitor("Ann", wire=wire)
    ann.forgives = BROKEN_LINE
    await ann.opens(room)
    await ann.says("one", "two")
    await ann.is_connected()
    wire.swallow_answers()
    return ann


async def _keys(list_: Locator) -> list[str]:
    keys: list[str] = await list_.evaluate(
        """(list) => [...list.querySelectorAll("[data-key]:not(.going)")]
        .map((row) => row.dataset.key)"""
    )
    return keys


@pytest.mark.parametrize(
    ("news", "answer", "left"),
    [
        pytest.param([], {"keep": ["1"]}, ["1"], id="what is gone goes"),
        pytest.param([], {"put": [["3", 3]], "keep": ["1", "2"]}, ["1", "2", "3"], id="a row"),
        pytest.param(
            [{"drop": ["1"]}], {"put": [["1", 1]], "keep": ["1", "2"]}, ["2"], id="dropped since"
        ),
        pytest.param([{"put": [["3", 3]]}], {"keep": ["1", "2"]}, ["1", "2", "3"], id="put since"),
        pytest.param(
            [{"drop": ["1"]}, {"put": [["1", 1]]}],
            {"keep": ["2"]},
            ["1", "2"],
            id="came back since",
        ),
        pytest.param(
            [{"put": [["3", 3]]}, {"ask": True}],
            {"keep": ["1", "2"]},
            ["1", "2", "3"],
            id="asked again since",
        ),
    ],
)
async def test_news_wins_over_an_answer_that_was_written_before_it(
    world: World,
    room: str,
    news: list[dict[str, object]],
    answer: dict[str, object],
    left: list[str],
) -> None:
    ann = await _alone(world, room)
    assert await _keys(ann.log) == ["1", "2"]
    await ann.log.evaluate(_LATE, [news, answer])
    await ann.eventually(lambda: _keys(ann.log), left)
    await ann.page.wait_for_timeout(300)  # longer than a row takes to fade
    assert await _keys(ann.log) == left


async def test_paging_goes_on_after_its_answer_was_lost(world: World, room: str) -> None:
    ann = await _alone(world, room)
    asked = await ann.log.evaluate(
        """(list) => { const feed = getElement(Number(list.parentElement.id.slice(1)));
        feed.stretch.before = true; feed.stretch.ask("before"); feed.sync();
        return feed.stretch.isAsking; }"""
    )
    assert asked is False
    await expect(ann.log).to_be_visible()
