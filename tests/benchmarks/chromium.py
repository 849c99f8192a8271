"""A real browser."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, Page, ViewportSize, async_playwright

VIEWPORT: ViewportSize = {"width": 1280, "height": 800}
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_QUIET = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Start the browser for the length of the block."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=_QUIET)
        yield browser
        await browser.close()


async def new_page(browser: Browser, origin: str, token: str) -> Page:
    """Return an empty page of a visitor whom the server knows, with a cold cache."""
    context = await browser.new_context(locale="en-GB", viewport=VIEWPORT)
    await context.add_cookies([{"name": "anonchat", "value": token, "url": origin}])
    return await context.new_page()
