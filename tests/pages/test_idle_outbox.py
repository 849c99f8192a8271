"""The outboxes of pages that have nothing to send."""

from collections.abc import Sequence
from functools import partial

import httpx
import pytest
from nicegui import Client, background_tasks

from tests.history.screen import read_client_id
from tests.pages.tab import connect_page, wait_until

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("path", ["/login", "/privacy"])
async def test_outbox_of_an_unconnected_page_is_not_polled(
    browser: httpx.AsyncClient, path: str
) -> None:
    client = Client.instances[read_client_id((await browser.get(path)).text)]
    await wait_until(lambda: not _has_task(client))


async def test_outbox_of_a_connected_page_rests_when_all_is_sent(
    browser: httpx.AsyncClient, url: str
) -> None:
    page = (await browser.get("/privacy")).text
    client = Client.instances[read_client_id(page)]
    async with connect_page(url, page) as tab:
        for word in ("first", "second"):
            await wait_until(lambda: not _has_task(client))
            client.outbox.enqueue_message("notify", {"message": f"'{word}'"}, client.id)
            client.outbox.enqueue_message("notify", {"message": f"'{word} again'"}, client.id)
            # Two of them would send in each other's midst: the page drops what arrives late.
            assert _count_tasks(client) == 1
            await wait_until(partial(_has_received, tab.received, f"'{word} again'"))
        client.outbox.stop()
        client.outbox._set_enqueue_event()
        await wait_until(lambda: not _has_task(client))


async def test_page_receives_what_was_sent_before_it_connected(
    browser: httpx.AsyncClient, url: str
) -> None:
    page = (await browser.get("/privacy")).text
    client = Client.instances[read_client_id(page)]
    client.run_javascript("document.title = 'early'")
    async with connect_page(url, page) as tab:
        await wait_until(partial(_has_received, tab.received, "'early'"))
        client.run_javascript("document.title = 'late'")
        await wait_until(partial(_has_received, tab.received, "'late'"))


def _has_received(packets: Sequence[str], text: str) -> bool:
    return any(text in packet for packet in packets)


def _has_task(client: Client) -> bool:
    return _count_tasks(client) > 0


def _count_tasks(client: Client) -> int:
    """Return how many tasks of the outbox run."""
    frames = [task.get_coro().cr_frame for task in background_tasks.running_tasks]  # type: ignore[union-attr]
    return sum(bool(frame) and frame.f_locals.get("self") is client.outbox for frame in frames)
