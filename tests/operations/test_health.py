"""The health and readiness endpoints for load balancers."""

import resource
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from anonchat import Chat
from anonchat.api import health_routes
from tests.fakes import FakeClock, running_chat


async def _request(chat: Chat, method: str = "GET", path: str = "/readyz") -> tuple[int, str]:
    web = FastAPI()
    web.include_router(health_routes(chat))
    transport = httpx.ASGITransport(app=web)
    async with httpx.AsyncClient(transport=transport, base_url="http://chat.localhost") as http:
        answer = await http.request(method, path)
    return answer.status_code, answer.text


async def test_node_is_ready_while_its_dependencies_respond(chat: Chat) -> None:
    assert await _request(chat) == (200, "ready")
    assert await _request(chat, method="HEAD") == (200, "")


async def test_draining_node_is_not_ready_but_healthy(chat: Chat) -> None:
    chat.health.is_draining = True
    assert await _request(chat) == (503, "draining")
    assert await _request(chat, path="/healthz") == (200, "ok")


async def test_readiness_reports_a_bus_that_is_down(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat.bus, "is_up", False)
    assert await _request(chat) == (503, "no answer: bus")
    assert await _request(chat, path="/healthz") == (200, "ok")


async def test_readiness_reports_an_unresponsive_database(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def is_available() -> bool:
        return False

    monkeypatch.setattr(chat._database, "is_available", is_available)
    monkeypatch.setattr(chat.bus, "is_up", False)
    assert await _request(chat) == (503, "no answer: database, bus")


async def test_readiness_reports_a_full_disk(chat: Chat) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))  # writes fail as on a full disk
    try:
        assert await _request(chat) == (503, "cannot write: disk")
        assert await _request(chat, path="/healthz") == (200, "ok")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert await _request(chat) == (200, "ready")


async def test_readiness_reports_a_full_disk_of_the_database(
    tmp_path: Path, clock: FakeClock
) -> None:
    folder = tmp_path / "another disk"
    folder.mkdir()
    url = f"sqlite:///{folder}/chat.db"
    async with running_chat(tmp_path / "data", clock, database_url=url) as chat:
        assert await _request(chat) == (200, "ready")
        folder.rename(gone := tmp_path / "gone")
        assert await _request(chat) == (503, "cannot write: disk")
        gone.rename(folder)


async def test_readiness_check_leaves_no_file_in_the_data_folder(chat: Chat) -> None:
    before = {*chat.settings.data_dir.iterdir()}
    assert await _request(chat) == (200, "ready")
    assert {*chat.settings.data_dir.iterdir()} == before
