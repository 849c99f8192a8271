"""A real server and a real browser for every story."""

import inspect
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Error

from tests.browser.house import House
from tests.browser.world import Wardrobe, World, open_wardrobe

_HERE = Path(__file__).parent
_failed = pytest.StashKey[bool]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run all stories in one loop, for they share one browser."""
    for item in items:
        if _HERE in item.path.parents and inspect.iscoroutinefunction(getattr(item, "obj", None)):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Remember whether a story failed, so that its screens can be shown."""
    report = yield
    item.stash[_failed] = item.stash.get(_failed, False) or report.failed
    return report


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def wardrobe() -> AsyncIterator[Wardrobe]:
    """Start the browser."""
    async with open_wardrobe() as wardrobe:
        yield wardrobe


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    """Start a server for the module, with what its `SETTINGS` say."""
    settings = getattr(request.module, "SETTINGS", {})
    house = House(tmp_path_factory.mktemp("house"), **settings)
    await house.start()
    yield house
    await house.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def world(
    request: pytest.FixtureRequest, house: House, wardrobe: Wardrobe
) -> AsyncIterator[World]:
    """Make the people of one story; when it failed, show what they had before them."""
    world = World(house, wardrobe)
    yield world
    if request.node.stash.get(_failed, False):
        request.node.add_report_section("call", "screens", await _describe(world))
    await world.end()


@pytest.fixture
def room(world: World) -> str:
    """Return the name of a room that is this story's own."""
    return world.name("night train")


async def _describe(world: World) -> str:
    parts = []
    for person in world.people:
        try:
            screen = await person.page.locator("body").aria_snapshot(timeout=2_000)
        except Error as error:
            screen = str(error)
        complaints = "\n".join(person.complaints)
        parts.append(f"{person.nickname} at {person.page.url}\n{screen[:3_000]}\n{complaints}")
    return "\n".join([*parts, f"the server\n{world.house.log}"])
