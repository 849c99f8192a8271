"""The people of one story."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from playwright.async_api import Browser, BrowserContext, async_playwright

from tests.browser.house import Site
from tests.browser.person import ENGLISH, PATIENCE, Person, Words
from tests.browser.wire import Wire
from tests.chromium import QUIET, find_chromium

_numbers = count(1)


class Wardrobe:
    """Browser contexts to be worn again: a warm cache halves the time that a story takes."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._free: dict[str, list[BrowserContext]] = {}
        self._kinds: dict[BrowserContext, str] = {}

    async def take(self, **options: Any) -> BrowserContext:
        """Give a context that knows nobody."""
        kind = repr(sorted(options.items()))
        free = self._free.setdefault(kind, [])
        context = free.pop() if free else await self._browser.new_context(**options)
        context.set_default_timeout(PATIENCE)
        self._kinds[context] = kind
        return context

    async def give_back(self, context: BrowserContext) -> None:
        """Close what is open, and forget who wore it."""
        for page in context.pages:
            await page.close()
        await context.set_offline(False)
        await context.clear_cookies()
        self._free[self._kinds.pop(context)].append(context)


@asynccontextmanager
async def open_wardrobe(*options: str) -> AsyncIterator[Wardrobe]:
    """Start the browser, with further options."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=find_chromium(), args=[*QUIET, *options]
        )
        yield Wardrobe(browser)
        await browser.close()


class World:
    """Makes people, and names that nobody else in this house bears."""

    def __init__(self, house: Site, wardrobe: Wardrobe) -> None:
        self.house = house
        self.people: list[Person] = []
        self._wardrobe = wardrobe
        self._number = next(_numbers)
        self._wires: list[Wire] = []

    def name(self, name: str) -> str:
        """Return a name that is this story's own."""
        return f"{name} {self._number}"

    async def person(
        self,
        name: str,
        *,
        wire: Wire | None = None,
        words: Words = ENGLISH,
        locale: str = "en-GB",
        width: int = 1280,
        height: int = 800,
        **options: Any,
    ) -> Person:
        """Give somebody a browser of their own; `wire` is what their connection runs through."""
        context = await self._wardrobe.take(
            locale=locale, viewport={"width": width, "height": height}, **options
        )
        home = wire.url if wire else self.house.url
        person = Person(self.name(name), home, context, await context.new_page(), words)
        person.watch()
        self.people.append(person)
        return person

    async def visitor(self, name: str, **options: Any) -> Person:
        """Make a person who has come in."""
        person = await self.person(name, **options)
        await person.comes_in()
        return person

    async def members(self, room: str, *names: str, **options: Any) -> list[Person]:
        """Make people who are in a room together."""
        people = []
        for name in names:
            people.append(await self.visitor(name, **options))
            await people[-1].opens(room)
        return people

    async def wire(self) -> Wire:
        """Lay a cable to the house."""
        wire = Wire(self.house.port)
        await wire.open()
        self._wires.append(wire)
        return wire

    async def end(self) -> None:
        """Close all browsers; nothing may have been complained of."""
        for person in self.people:
            person.stop_watching()
            await self._wardrobe.give_back(person.context)
        for wire in self._wires:
            await wire.close()
        complaints = [complaint for person in self.people for complaint in person.complaints]
        assert not complaints, "\n".join(complaints)
