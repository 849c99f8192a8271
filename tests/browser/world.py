"""The users of one test and their browser contexts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, Protocol

from playwright.async_api import Browser, BrowserContext, async_playwright

from tests.browser.person import ENGLISH, TIMEOUT, Person, Words
from tests.browser.tcp_proxy import TcpProxy
from tests.chromium import QUIET, find_chromium

_numbers = count(1)


class Site(Protocol):
    """A site under test: one server, or several nodes behind one address."""

    @property
    def url(self) -> str:
        """The URL that a browser opens."""

    @property
    def port(self) -> int:
        """The port that it listens on."""


class BrowserContextPool:
    """Pool of browser contexts: a warm cache halves the time of a test."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._free: dict[str, list[BrowserContext]] = {}
        self._keys: dict[BrowserContext, str] = {}

    async def acquire(self, **options: Any) -> BrowserContext:
        """Return a context without cookies, reused if one with these options is free."""
        key = repr(sorted(options.items()))
        free = self._free.setdefault(key, [])
        context = free.pop() if free else await self._browser.new_context(**options)
        context.set_default_timeout(TIMEOUT)
        self._keys[context] = key
        return context

    async def release(self, context: BrowserContext) -> None:
        """Close the pages of the context, clear its cookies and return it to the pool."""
        for page in context.pages:
            await page.close()
        await context.set_offline(False)
        await context.clear_cookies()
        self._free[self._keys.pop(context)].append(context)


@asynccontextmanager
async def open_context_pool(*options: str) -> AsyncIterator[BrowserContextPool]:
    """Start the browser with additional command-line options."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=find_chromium(), args=[*QUIET, *options]
        )
        yield BrowserContextPool(browser)
        await browser.close()


class World:
    """Creates the users of one test, and names that no other test uses."""

    def __init__(self, server_process: Site, context_pool: BrowserContextPool) -> None:
        self.server_process = server_process
        self.people: list[Person] = []
        self._context_pool = context_pool
        self._number = next(_numbers)
        self._wires: list[TcpProxy] = []

    def name(self, name: str) -> str:
        """Return the name with a suffix that is unique to this test."""
        return f"{name} {self._number}"

    async def person(
        self,
        name: str,
        *,
        wire: TcpProxy | None = None,
        words: Words = ENGLISH,
        locale: str = "en-GB",
        width: int = 1280,
        height: int = 800,
        init_script: str = "",
        **options: Any,
    ) -> Person:
        """Create a user with a browser context, connected through the proxy `wire` if given.

        `init_script` runs before the scripts of each page of their first tab.
        """
        context = await self._context_pool.acquire(
            locale=locale, viewport={"width": width, "height": height}, **options
        )
        home = wire.url if wire else self.server_process.url
        person = Person(self.name(name), home, context, await context.new_page(), words)
        person.has_touch = bool(options.get("has_touch"))
        if init_script:
            await person.page.add_init_script(init_script)
        person.watch()
        self.people.append(person)
        return person

    async def visitor(self, name: str, **options: Any) -> Person:
        """Create a signed-in user who has the lobby open."""
        person = await self.person(name, **options)
        await person.start_session()
        await person.open_path("/")
        return person

    async def members(self, room: str, *names: str, **options: Any) -> list[Person]:
        """Create signed-in users who have the room open."""
        people = []
        for name in names:
            people.append(await self.person(name, **options))
            await people[-1].start_session()
            await people[-1].enter_room(room)
        return people

    async def wire(self) -> TcpProxy:
        """Open a TCP proxy to the server."""
        wire = TcpProxy(self.server_process.port)
        await wire.open()
        self._wires.append(wire)
        return wire

    async def end(self) -> None:
        """Return all contexts to the pool; raise `AssertionError` if a page reported an error."""
        for person in self.people:
            person.stop_recording_errors()
            await self._context_pool.release(person.context)
        for wire in self._wires:
            await wire.close()
        errors = [error for person in self.people for error in person.errors]
        assert not errors, "\n".join(errors)
