"""The log of a server with failing parts contains no visitor data."""

import asyncio
import json
import re
import secrets
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from tests.api.api_client import ApiClient
from tests.forgetting.canaries import canary, find
from tests.history.screen import introduce, read_client_id, read_elements
from tests.pages.tab import complete_handshake, open_websocket
from tests.servers.server_process import ServerProcess
from tests.timeouts import DEADLINE
from tools.servers.process import ROOT

FAILING_APP = ROOT / "tests" / "logs" / "failing_app.py"
NEVER_LOGGED = {"phrase", "huge", "field", "raw", "path", "log", "tab f", "tab r"}
ADDRESS = "203.0.113.77"
_FORGED = "\n2030-01-01T12:00:00.000+00:00 ERROR anonchat: forged\x1b[2K\r\u2028"
_LINE = re.compile(r"[0-9-]{10}T[0-9:.]{12}\+00:00 [A-Z]+ [\w.]+: \S.*")

StartServer = Callable[..., Awaitable[ServerProcess]]


@pytest.fixture
async def start_server(tmp_path: Path) -> AsyncIterator[StartServer]:
    servers = []

    async def start_server(
        *, unfiltered_log: bool = False, log_format: str = "text"
    ) -> ServerProcess:
        server = ServerProcess(
            tmp_path / "site",
            program=FAILING_APP,
            environment={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"}
            | ({"UNFILTERED_LOG": "1"} if unfiltered_log else {}),
            log_format=log_format,
            trusted_proxies="127.0.0.1",
        )
        servers.append(server)
        await server.start()
        return server

    yield start_server
    for server in servers:
        server.kill()


@pytest.mark.parametrize("log_format", ["text", "json"])
async def test_log_contains_no_visitor_data(
    start_server: StartServer, tmp_path: Path, log_format: str
) -> None:
    server = await start_server(log_format=log_format)
    data = await _create_data(server)
    assert _find_in_log(server, data, tmp_path / "seen") == []
    # the server logs its own address once
    assert server.log.count("127.0.0.1") == 1, "the log contains an address of a client"
    lines = server.log.splitlines()
    for line in lines:
        assert line.isprintable()
        assert "forged" not in line
        assert json.loads(line)["logger"] if log_format == "json" else _LINE.fullmatch(line), line
    for failure in (  # each failure must be logged, otherwise the test proves nothing
        "event listener failed: MessagePosted",
        "RuntimeError at anonchat/bus/base.py:",
        "unhandled exception in a request",
        "ExceptionGroup at ",
        " from ValueError at tests/logs/failing_app.py:",
        "unhandled exception",
        "OperationalError (SQLITE_ERROR) at ",
        "some.package",
        "py.warnings",
        "asyncio",
    ):
        assert failure in server.log, failure
    assert len(lines) < 300


async def test_search_finds_visitor_data_in_an_unfiltered_log(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = await start_server(unfiltered_log=True)
    data = await _create_data(server)
    found = _find_in_log(server, data, tmp_path / "seen")
    missed = {name for name, value in data.items() if value not in found}
    assert missed <= NEVER_LOGGED


def _find_in_log(server: ServerProcess, data: dict[str, str], folder: Path) -> list[str]:
    folder.mkdir()
    (folder / "log").write_text(server.log)
    return find(data.values(), folder)


def _random_value() -> str:
    return f"canary{secrets.token_hex(8)}"


async def _create_data(server: ServerProcess) -> dict[str, str]:
    """Send valid, failing and hostile requests; return all visitor data in them by name."""
    data = {name: canary(name) for name in ("nickname", "room", "topic", "text", "phrase")}
    data["nickname"] = data["nickname"][:24]
    data |= {
        name: _random_value() for name in ("query", "path", "browser", "cookie", "frame", "field")
    }
    data |= {name: _random_value() for name in ("event", "log", "huge", "raw", "dedup")}
    data["address"] = ADDRESS
    headers = {
        "x-forwarded-for": ADDRESS,
        "user-agent": data["browser"],
        "cookie": f"anonchat={data['cookie']}",
        "referer": f"http://{data['query']}/",
    }
    async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=DEADLINE) as http:
        credentials = {"nickname": data["nickname"], "secret_phrase": data["phrase"]}
        response = await http.post("/api/v1/visitors", json=credentials)
        data["token"] = response.json()["token"]
        ann = _Client(http, data["token"])
        room = await ann.open(data["room"], topic=data["topic"], listed=False)
        data["slug"] = room["slug"]
        await ann.say(room["slug"], data["text"])
        await _send_invalid_requests(server, ann, data)
        for path in ("/broken", "/very-broken", f"/{data['path']}", f"/r/{data['path']}"):
            await http.get(f"{path}{quote(_FORGED)}", params={data["query"]: _FORGED})
            await http.get(path, params={data["query"]: _FORGED})
        await _send_forged_packets(server, data, headers, path="/failing")
        headers["cookie"] = f"anonchat={data['token']}"
        await http.get("/very-broken", headers=headers)
        await _send_forged_packets(server, data, headers, path=f"/r/{room['slug']}")
        with sqlite3.connect(server.data / "anonchat.db") as database:
            for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type='table'"):
                database.execute(f'ALTER TABLE "{table}" RENAME TO "gone {table}"')
        database.close()
        for path in (
            "/",
            f"/r/{room['slug']}",
            "/api/v1/rooms/mine",
            f"/api/v1/rooms/{_random_value()}",
        ):
            await http.get(path, headers={**headers, "authorization": f"Bearer {data['token']}"})
        await ann.call("POST", f"/api/v1/rooms/{room['slug']}/messages", json={"text": "x"})
    return data


class _Client(ApiClient):
    """A client that also accepts paths from the root of the site."""

    async def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        full_path = path if path.startswith("/api/") else f"/api/v1{path}"
        return await super().call(method, full_path, **options)


async def _send_invalid_requests(server: ServerProcess, ann: _Client, data: dict[str, str]) -> None:
    path = f"/rooms/{data['slug']}/messages"
    for body in (
        {"text": [data["field"]]},
        {"text": data["field"] * 400},
        {"text": "x", "dedup_id": f"{data['dedup']}\n"},
        {data["field"]: data["field"]},
        [data["field"]],
    ):
        await ann.call("POST", path, json=body)
        await ann.call("POST", "/rooms", json=body)
        await ann.call("POST", "/visitors", json=body)
    await ann.call("POST", path, content=f'{{"text": "{data["field"]}'.encode())
    await ann.call("POST", path, content=data["huge"].encode() * 4_000)
    await ann.call("POST", path, json={"text": "said twice", "dedup_id": data["dedup"]})
    await ann.http.post("/session", content=data["field"].encode())
    await ApiClient(ann.http, data["cookie"]).call("GET", "/api/v1/rooms/mine")
    for request in (
        f"GET /{data['raw']} HTTP/1.1\r\n{data['raw']}\r\n\r\n",
        f"{data['raw']} / HTTP/9\r\n\r\n",
        f"GET /%zz{data['raw']}\x1b[31m HTTP/1.1\r\nHost: {data['raw']}\r\n\r\n",
        f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {data['raw']}\r\n\r\n",
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(request.encode())
        async with asyncio.timeout(DEADLINE):
            await reader.read()
        writer.close()


async def _send_forged_packets(
    server: ServerProcess, data: dict[str, str], headers: dict[str, str], *, path: str
) -> None:
    """Open a page, emit all of its events with test data, and send malformed packets."""
    async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=DEADLINE) as http:
        page = (await http.get(path)).text
    data[f"page {path[1]}"] = client_id = read_client_id(page)
    data[f"tab {path[1]}"] = tab_id = _random_value()
    handshake = introduce(client_id, tab_id=tab_id)
    for frame in (
        json.dumps(["log", {"client_id": client_id, "level": "error", "message": _FORGED}]),
        json.dumps(["event", {"client_id": data["frame"], "id": data["frame"]}]),
        json.dumps([data["frame"], _FORGED]),
        f'["event",{{"{data["frame"]}',
        f'["event",{data["frame"]}]',
        data["frame"] * 4_000,
    ):
        async with open_websocket(server.url, headers=headers, **handshake) as connection:
            await complete_handshake(connection)
            for element in read_elements(page):
                for event in element["events"]:
                    arguments = {"text": data["event"], "dedup": data["event"], "name": _FORGED}
                    await connection.send(
                        "42"
                        + json.dumps(
                            [
                                "event",
                                {
                                    "id": element["id"],
                                    "client_id": client_id,
                                    "listener_id": event["listener_id"],
                                    "args": [json.dumps(arguments)],
                                },
                            ]
                        )
                    )
            await connection.send(f"42{frame}")
            await connection.send(f"421{json.dumps(['event', {'client_id': client_id}])}")
            try:
                async with asyncio.timeout(DEADLINE):
                    while not str(await connection.recv()).startswith("431"):
                        pass
            except ConnectionClosed:
                pass
