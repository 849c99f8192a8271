"""A real browser that reads a room during a load run."""

import asyncio
import contextlib
import time

from playwright.async_api import Error, Page

from tests.browser.world import BrowserContextPool
from tests.history.place import Place
from tests.history.record import Line, Sight, read_edition

_LOOK_SECONDS = 0.1
_INCOMPLETE_SECONDS = 15.0
_IS_COMPLETE = "document.querySelector('.feed-messages') !== null"
_ROWS = """() => [Date.now() / 1000, [...document.querySelectorAll(".feed-messages [data-key]")]
    .filter((row) => !row.classList.contains("going"))
    .map((row) => [Number(row.dataset.key), row.querySelector(".text").textContent,
        row.dataset.group, row.dataset.until / 1000, row.dataset.dedup,
        Number(row.dataset.revision), [...row.querySelectorAll(".reaction")].map((button) =>
            [button.dataset.emoji, button.dataset.authors.split(" ").length])])]"""


class Window:
    """One page of a browser; `summary` returns its list, with the time of the browser."""

    def __init__(self, name: str, page: Page, *, url: str, room: Place) -> None:
        self.name = name
        self.context = page.context
        self._page = page
        self._url = f"{url}/r/{room.slug}"
        self._room = room
        self._loaded = 0

    async def live(self) -> None:
        """Record the list until cancelled; reload a page that is incomplete, as a person would."""
        last_lines: list[tuple[Line, int]] | None = None
        complete_at = time.monotonic()
        while True:
            if await self._is_complete():
                complete_at = time.monotonic()
            if self._page.url != self._url or time.monotonic() - complete_at > _INCOMPLETE_SECONDS:
                await self.load()
                complete_at = time.monotonic()
            sight = await self.summary()
            if sight and _with_revisions(sight) != last_lines:
                self._room.record.sights.append(sight)
                last_lines = _with_revisions(sight)
            elif sight and any(line.expires_at < sight.at for line in sight.lines):
                self._room.record.sights.append(sight)
            await asyncio.sleep(_LOOK_SECONDS)

    async def load(self) -> None:
        """Open the room."""
        self._loaded += 1
        with contextlib.suppress(Error):
            await self._page.goto(self._url, wait_until="commit")

    async def _is_complete(self) -> bool:
        try:
            return bool(await self._page.evaluate(_IS_COMPLETE))
        except Error:
            return False

    async def summary(self) -> Sight | None:
        """Return the current list, or `None` while the page is loading."""
        try:
            at, rows = await self._page.evaluate(_ROWS)
        except Error:
            return None
        lines = tuple(_read_line(*row) for row in rows)
        return Sight(self.name, at, 0, lines, is_synced=False, more=True, screen=self._loaded)


def _with_revisions(sight: Sight) -> list[tuple[Line, int]]:
    return [(line, line.revision) for line in sight.lines]


def _read_line(
    seq: int,
    text: str,
    author: str,
    expires_at: float,
    dedup_id: str,
    revision: int,
    reactions: list[tuple[str, int]],
) -> Line:
    text, edition = read_edition(text)
    counts = tuple(sorted((emoji, count) for emoji, count in reactions))
    return Line(
        seq,
        text,
        author,
        expires_at,
        dedup_id,
        revision=revision,
        edition=edition,
        reactions=counts,
    )


async def open_window(
    context_pool: BrowserContextPool, name: str, *, url: str, token: str, room: Place
) -> Window:
    """Open the room in a new browser context of a member."""
    context = await context_pool.acquire()
    await context.add_cookies([{"name": "anonchat", "value": token, "url": url}])
    window = Window(name, await context.new_page(), url=url, room=room)
    await window.load()
    return window
