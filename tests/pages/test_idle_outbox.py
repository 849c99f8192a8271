"""The outboxes of pages that are not connected yet."""

import asyncio

import httpx
import pytest
from nicegui import Client

from tests.history.screen import read_client_id
from tests.pages.tab import connect_page, wait_until

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("path", ["/login", "/privacy"])
async def test_outbox_of_an_unconnected_page_is_not_polled(
    browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    client = Client.instances[read_client_id((await browser.get(path)).text)]
    waiting = asyncio.Event()
    event = client.outbox._enqueue_event
    assert event
    wait = event.wait

    async def wait_and_tell() -> bool:
        waiting.set()
        return await wait()

    monkeypatch.setattr(event, "wait", wait_and_tell)
    await asyncio.wait_for(waiting.wait(), 10)


async def test_page_receives_what_was_sent_before_it_connected(
    browser: httpx.AsyncClient, url: str
) -> None:
    page = (await browser.get("/privacy")).text
    client = Client.instances[read_client_id(page)]
    client.run_javascript("document.title = 'early'")
    async with connect_page(url, page) as tab:
        await wait_until(lambda: any("'early'" in packet for packet in tab.received))
        client.run_javascript("document.title = 'late'")
        await wait_until(lambda: any("'late'" in packet for packet in tab.received))
