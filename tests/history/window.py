"""A real browser that looks at a room while it storms."""

import asyncio
import contextlib
import time

from playwright.async_api import Error, Page

from tests.browser.world import Wardrobe
from tests.history.place import Place
from tests.history.record import Line, Sight

_LOOK_SECONDS = 0.1
_HALF_SECONDS = 15.0
_IS_WHOLE = "document.querySelector('.feed-messages') !== null"
_ROWS = """() => [Date.now() / 1000, [...document.querySelectorAll(".feed-messages [data-key]")]
    .filter((row) => !row.classList.contains("going"))
    .map((row) => [Number(row.dataset.key), row.querySelector(".text").textContent,
        row.dataset.group, row.dataset.until / 1000, row.dataset.dedup])]"""


class Window:
    """One page of a browser; `glance` returns what it shows, by its own clock."""

    def __init__(self, name: str, page: Page, *, url: str, place: Place) -> None:
        self.name = name
        self.context = page.context
        self._page = page
        self._address = f"{url}/r/{place.slug}"
        self._place = place

    async def live(self) -> None:
        """Look on; a page of which nothing or half has come is loaded again, as a person would."""
        seen: tuple[Line, ...] | None = None
        whole = time.monotonic()
        while True:
            if await self._is_whole():
                whole = time.monotonic()
            if self._page.url != self._address or time.monotonic() - whole > _HALF_SECONDS:
                await self.load()
                whole = time.monotonic()
            sight = await self.glance()
            if sight and sight.lines != seen:
                self._place.record.sights.append(sight)
                seen = sight.lines
            elif sight and any(line.until < sight.at for line in sight.lines):
                self._place.record.sights.append(sight)
            await asyncio.sleep(_LOOK_SECONDS)

    async def load(self) -> None:
        """Open the room."""
        with contextlib.suppress(Error):
            await self._page.goto(self._address, wait_until="commit")

    async def _is_whole(self) -> bool:
        try:
            return bool(await self._page.evaluate(_IS_WHOLE))
        except Error:
            return False

    async def glance(self) -> Sight | None:
        """Return what is shown now, unless the page is just being loaded."""
        try:
            at, rows = await self._page.evaluate(_ROWS)
        except Error:
            return None
        lines = tuple(Line(*row) for row in rows)
        return Sight(self.name, at, 0, lines, sure=False, more=True)


async def open_window(
    wardrobe: Wardrobe, name: str, *, url: str, token: str, place: Place
) -> Window:
    """Give a browser to somebody who is in the room already, and open the room."""
    context = await wardrobe.take()
    await context.add_cookies([{"name": "anonchat", "value": token, "url": url}])
    window = Window(name, await context.new_page(), url=url, place=place)
    await window.load()
    return window
