"""What a node says of itself to those who decide whether to send somebody there."""

import resource
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from anonchat import Chat
from anonchat.api import health_routes
from tests.fakes import FakeClock, running_chat


async def _ask(chat: Chat, method: str = "GET", path: str = "/readyz") -> tuple[int, str]:
    web = FastAPI()
    web.include_router(health_routes(chat))
    transport = httpx.ASGITransport(app=web)
    async with httpx.AsyncClient(transport=transport, base_url="http://chat.localhost") as http:
        answer = await http.request(method, path)
    return answer.status_code, answer.text


async def test_a_node_is_ready_while_all_that_it_stands_on_answers(chat: Chat) -> None:
    assert await _ask(chat) == (200, "ready")
    assert await _ask(chat, method="HEAD") == (200, "")


async def test_a_node_that_is_leaving_is_not_ready_and_lives(chat: Chat) -> None:
    chat.is_draining = True
    assert await _ask(chat) == (503, "draining")
    assert await _ask(chat, path="/healthz") == (200, "ok")


async def test_a_bus_that_is_down_is_named(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat.bus, "is_up", False)
    assert await _ask(chat) == (503, "no answer: bus")
    assert await _ask(chat, path="/healthz") == (200, "ok")


async def test_a_database_that_does_not_answer_is_named(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def is_answering() -> bool:
        return False

    monkeypatch.setattr(chat._database, "is_answering", is_answering)
    monkeypatch.setattr(chat.bus, "is_up", False)
    assert await _ask(chat) == (503, "no answer: database, bus")


async def test_a_full_disk_is_named(chat: Chat) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))  # as if it were full
    try:
        assert await _ask(chat) == (503, "cannot write: disk")
        assert await _ask(chat, path="/healthz") == (200, "ok")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert await _ask(chat) == (200, "ready")


async def test_a_full_disk_of_the_database_is_named(tmp_path: Path, clock: FakeClock) -> None:
    place = tmp_path / "another disk"
    place.mkdir()
    url = f"sqlite:///{place}/chat.db"
    async with running_chat(tmp_path / "data", clock, database_url=url) as chat:
        assert await _ask(chat) == (200, "ready")
        place.rename(gone := tmp_path / "gone")
        assert await _ask(chat) == (503, "cannot write: disk")
        gone.rename(place)


async def test_asking_leaves_nothing_in_the_data_folder(chat: Chat) -> None:
    before = {*chat.settings.data_dir.iterdir()}
    assert await _ask(chat) == (200, "ready")
    assert {*chat.settings.data_dir.iterdir()} == before
