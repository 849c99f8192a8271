"""Errors in the routes of plugins: those of the chat are problem documents, others are logged."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from fastapi import APIRouter, FastAPI, HTTPException

from anonchat.api import add_plugin_routes
from anonchat.plugins import NotFound, Plugin, RateLimited, Refused

SECRET = "xyzzy-plugh"
plugin = Plugin("mine")
inner = APIRouter()


@plugin.router.get("/missing")
async def miss() -> None:
    raise NotFound


@plugin.router.get("/refused")
def refuse() -> None:
    raise Refused("Not on {day}.", day="Sundays")


@plugin.router.get("/often")
async def hurry() -> None:
    raise RateLimited(seconds=7)


@plugin.router.get("/teapot")
async def brew() -> None:
    raise HTTPException(418, "a teapot")


@plugin.router.get("/broken")
@inner.get("/broken")
async def fail() -> None:
    raise ValueError(SECRET)


plugin.router.include_router(inner, prefix="/inner")


@pytest_asyncio.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    web = FastAPI()
    add_plugin_routes(web, [plugin])
    transport = httpx.ASGITransport(app=web)
    async with httpx.AsyncClient(transport=transport, base_url="http://x/plugins/mine") as client:
        yield client


@pytest.mark.parametrize(
    ("path", "status", "name", "detail"),
    [
        ("/missing", 404, "not-found", str(NotFound())),
        ("/refused", 422, "refused", "Not on Sundays."),
        ("/often", 429, "too-often", "That was too often. Please try again in 7 s."),
    ],
)
async def test_errors_of_the_chat_are_answered_as_by_the_api(
    http: httpx.AsyncClient, path: str, status: int, name: str, detail: str
) -> None:
    answer = await http.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"/api/v1/problems/{name}"
    assert answer.json()["detail"] == detail
    assert answer.headers.get("retry-after") == ("7" if name == "too-often" else None)


async def test_errors_of_http_are_left_as_they_are(http: httpx.AsyncClient) -> None:
    answer = await http.get("/teapot")
    assert (answer.status_code, answer.json()) == (418, {"detail": "a teapot"})


@pytest.mark.parametrize("path", ["/broken", "/inner/broken"])
async def test_other_errors_are_logged_with_the_name_of_the_plugin(
    http: httpx.AsyncClient, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await http.get(path)
    assert answer.status_code == 500
    assert answer.json()["type"] == "/api/v1/problems/plugin-failed"
    assert SECRET not in answer.text
    (line,) = [each for each in caplog.messages if each.startswith("plugin mine: route GET")]
    assert "failed in test_routes.py, line" in line and SECRET not in line
