"""Fixtures: a server process and browser contexts for each test."""

import inspect
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Error

from tests.browser.world import BrowserContextPool, World, open_context_pool
from tests.servers.server_process import ServerProcess
from tools.ports import free_port

_HERE = Path(__file__).parent
_failed = pytest.StashKey[bool]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run all tests in one event loop, because they share one browser."""
    for item in items:
        if _HERE in item.path.parents and inspect.iscoroutinefunction(getattr(item, "obj", None)):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Record whether a test failed, so that its pages are added to the report."""
    report = yield
    item.stash[_failed] = item.stash.get(_failed, False) or report.failed
    return report


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def context_pool() -> AsyncIterator[BrowserContextPool]:
    """Start the browser of the session."""
    async with open_context_pool() as context_pool:
        yield context_pool


@pytest.fixture(scope="session")
def port() -> int:
    """Return the port of the modules' servers: at one address, scripts stay in the cache."""
    return free_port()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server_process(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, port: int
) -> AsyncIterator[ServerProcess]:
    """Start a server for the module with the module's `SETTINGS`."""
    settings = getattr(request.module, "SETTINGS", {})
    server_process = ServerProcess(tmp_path_factory.mktemp("site"), **settings)
    server_process.port = port
    await server_process.start()
    yield server_process
    await server_process.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def world(
    request: pytest.FixtureRequest, server_process: ServerProcess, context_pool: BrowserContextPool
) -> AsyncIterator[World]:
    """Create the users of one test; if it fails, add their pages and the log to the report."""
    world = World(server_process, context_pool)
    yield world
    if request.node.stash.get(_failed, False):
        request.node.add_report_section("call", "pages", await _describe_pages(world))
    await world.end()


@pytest.fixture
def room(world: World) -> str:
    """Return a room name that is unique to the test."""
    return world.name("night train")


async def _describe_pages(world: World) -> str:
    parts = []
    for person in world.people:
        try:
            snapshot = await person.page.locator("body").aria_snapshot(timeout=2_000)
        except Error as error:
            snapshot = str(error)
        errors = "\n".join(person.errors)
        parts.append(f"{person.nickname} at {person.page.url}\n{snapshot[:3_000]}\n{errors}")
    return "\n".join([*parts, f"server log\n{world.server_process.log}"])
