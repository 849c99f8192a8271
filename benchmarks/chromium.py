"""Chromium, controlled by Playwright."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, Page, ViewportSize, async_playwright

from tests.chromium import QUIET, find_chromium

VIEWPORT: ViewportSize = {"width": 1280, "height": 800}


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Run the browser during the block."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_chromium(), args=QUIET)
        yield browser
        await browser.close()


async def new_page(browser: Browser, origin: str, token: str) -> Page:
    """Return an empty page of a signed-in visitor, with a cold cache."""
    context = await browser.new_context(locale="en-GB", viewport=VIEWPORT)
    await context.add_cookies([{"name": "anonchat", "value": token, "url": origin}])
    return await context.new_page()
