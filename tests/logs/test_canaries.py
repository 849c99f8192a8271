"""A real server in which everything fails while everybody talks: nothing of it is in the log."""

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

from tests.api.program import Program
from tests.browser.house import ROOT, House
from tests.forgetting.canaries import canary, find
from tests.history.screen import introduce, read_client_id, read_elements
from tests.pages.tab import PATIENCE, begin, plug_in

CLUMSY = ROOT / "tests" / "logs" / "clumsy.py"
REACH_NOBODY = {"phrase", "huge", "field", "raw", "path", "log", "tab c", "tab r"}
ADDRESS = "203.0.113.77"
_FORGED = "\n2030-01-01T12:00:00.000+00:00 ERROR anonchat: forged\x1b[2K\r\u2028"
_LINE = re.compile(r"[0-9-]{10}T[0-9:.]{12}\+00:00 [A-Z]+ [\w.]+: \S.*")

Open = Callable[..., Awaitable[House]]


@pytest.fixture
async def open_house(tmp_path: Path) -> AsyncIterator[Open]:
    houses = []

    async def open_house(*, careless: bool = False, log_format: str = "text") -> House:
        house = House(
            tmp_path / "house",
            program=CLUMSY,
            around={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"}
            | ({"CARELESS": "1"} if careless else {}),
            log_level="debug",
            log_format=log_format,
            trusted_proxies="127.0.0.1",
        )
        houses.append(house)
        await house.start()
        return house

    yield open_house
    for house in houses:
        await house.kill()


@pytest.mark.parametrize("log_format", ["text", "json"])
async def test_no_word_of_a_visitor_is_in_the_log(
    open_house: Open, tmp_path: Path, log_format: str
) -> None:
    house = await open_house(log_format=log_format)
    words = await _live(house)
    assert _find_in_log(house, words, tmp_path / "seen") == []
    assert house.log.count("127.0.0.1") == 1, "somebody's address"  # ours is told at the start
    lines = house.log.splitlines()
    for line in lines:
        assert line.isprintable()
        assert "forged" not in line
        assert json.loads(line)["logger"] if log_format == "json" else _LINE.fullmatch(line), line
    for failure in (  # else nothing has failed, and an empty log proves nothing
        "a listener failed at MessagePosted",
        "RuntimeError at anonchat/bus/memory.py:",
        "a request could not be answered",
        "ExceptionGroup at ",
        " from ValueError at tests/logs/clumsy.py:",
        "something failed where nobody looked",
        "OperationalError (SQLITE_ERROR) at ",
        "some.package",
        "py.warnings",
        "asyncio",
    ):
        assert failure in house.log, failure
    assert len(lines) < 300


async def test_the_search_finds_what_a_careless_log_says(open_house: Open, tmp_path: Path) -> None:
    house = await open_house(careless=True)
    words = await _live(house)
    found = _find_in_log(house, words, tmp_path / "seen")
    missed = {name for name, word in words.items() if word not in found}
    assert missed <= REACH_NOBODY


def _find_in_log(house: House, words: dict[str, str], folder: Path) -> list[str]:
    folder.mkdir()
    (folder / "log").write_text(house.log)
    return find(words.values(), folder)


def _word() -> str:
    return f"canary{secrets.token_hex(8)}"


async def _live(house: House) -> dict[str, str]:
    """Let somebody come in, talk, stumble and attack; return every word of it."""
    words = {name: canary(name) for name in ("nickname", "room", "topic", "text", "phrase")}
    words["nickname"] = words["nickname"][:24]
    words |= {name: _word() for name in ("query", "path", "browser", "cookie", "frame", "field")}
    words |= {name: _word() for name in ("event", "log", "huge", "raw", "dedup")}
    words["address"] = ADDRESS
    told = {
        "x-forwarded-for": ADDRESS,
        "user-agent": words["browser"],
        "cookie": f"anonchat={words['cookie']}",
        "referer": f"http://{words['query']}/",
    }
    async with httpx.AsyncClient(base_url=house.url, headers=told, timeout=PATIENCE) as http:
        arrival = {"nickname": words["nickname"], "secret_phrase": words["phrase"]}
        answer = await http.post("/api/v1/visitors", json=arrival)
        words["token"] = answer.json()["token"]
        ann = _Caller(http, words["token"])
        room = await ann.open(words["room"], topic=words["topic"], listed=False)
        words["slug"] = room["slug"]
        await ann.say(room["slug"], words["text"])
        await _send_nonsense(house, ann, words)
        for path in ("/broken", "/very-broken", f"/{words['path']}", f"/r/{words['path']}"):
            await http.get(f"{path}{quote(_FORGED)}", params={words["query"]: _FORGED})
            await http.get(path, params={words["query"]: _FORGED})
        await _forge(house, words, told, path="/clumsy")
        told["cookie"] = f"anonchat={words['token']}"
        await http.get("/very-broken", headers=told)
        await _forge(house, words, told, path=f"/r/{room['slug']}")
        with sqlite3.connect(house.data / "anonchat.db") as database:
            for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type='table'"):
                database.execute(f'ALTER TABLE "{table}" RENAME TO "gone {table}"')
        database.close()
        for path in ("/", f"/r/{room['slug']}", "/api/v1/rooms/mine", f"/api/v1/rooms/{_word()}"):
            await http.get(path, headers={**told, "authorization": f"Bearer {words['token']}"})
        await ann.call("POST", f"/api/v1/rooms/{room['slug']}/messages", json={"text": "x"})
    return words


class _Caller(Program):
    """A program whose paths begin at the root of the site."""

    async def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        whole = path if path.startswith("/api/") else f"/api/v1{path}"
        return await super().call(method, whole, **options)


async def _send_nonsense(house: House, ann: _Caller, words: dict[str, str]) -> None:
    place = f"/rooms/{words['slug']}/messages"
    for body in (
        {"text": [words["field"]]},
        {"text": words["field"] * 400},
        {"text": "x", "dedup_id": f"{words['dedup']}\n"},
        {words["field"]: words["field"]},
        [words["field"]],
    ):
        await ann.call("POST", place, json=body)
        await ann.call("POST", "/rooms", json=body)
        await ann.call("POST", "/visitors", json=body)
    await ann.call("POST", place, content=f'{{"text": "{words["field"]}'.encode())
    await ann.call("POST", place, content=words["huge"].encode() * 4_000)
    await ann.call("POST", place, json={"text": "said twice", "dedup_id": words["dedup"]})
    await ann.http.post("/session", content=words["field"].encode())
    await Program(ann.http, words["cookie"]).call("GET", "/api/v1/rooms/mine")
    for request in (
        f"GET /{words['raw']} HTTP/1.1\r\n{words['raw']}\r\n\r\n",
        f"{words['raw']} / HTTP/9\r\n\r\n",
        f"GET /%zz{words['raw']}\x1b[31m HTTP/1.1\r\nHost: {words['raw']}\r\n\r\n",
        f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {words['raw']}\r\n\r\n",
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
        writer.write(request.encode())
        async with asyncio.timeout(PATIENCE):
            await reader.read()
        writer.close()


async def _forge(house: House, words: dict[str, str], told: dict[str, str], *, path: str) -> None:
    """Open a page, let everything happen on it with words of ours, and say what no page says."""
    async with httpx.AsyncClient(base_url=house.url, headers=told, timeout=PATIENCE) as http:
        page = (await http.get(path)).text
    words[f"page {path[1]}"] = client_id = read_client_id(page)
    words[f"tab {path[1]}"] = tab_id = _word()
    hello = introduce(client_id, tab_id=tab_id)
    for frame in (
        json.dumps(["log", {"client_id": client_id, "level": "error", "message": _FORGED}]),
        json.dumps(["event", {"client_id": words["frame"], "id": words["frame"]}]),
        json.dumps([words["frame"], _FORGED]),
        f'["event",{{"{words["frame"]}',
        f'["event",{words["frame"]}]',
        words["frame"] * 4_000,
    ):
        async with plug_in(house.url, told=told, **hello) as line:
            await begin(line)
            for element in read_elements(page):
                for event in element["events"]:
                    said = {"text": words["event"], "dedup": words["event"], "name": _FORGED}
                    await line.send(
                        "42"
                        + json.dumps(
                            [
                                "event",
                                {
                                    "id": element["id"],
                                    "client_id": client_id,
                                    "listener_id": event["listener_id"],
                                    "args": [json.dumps(said)],
                                },
                            ]
                        )
                    )
            await line.send(f"42{frame}")
            await line.send(f"421{json.dumps(['event', {'client_id': client_id}])}")
            try:
                async with asyncio.timeout(PATIENCE):
                    while not str(await line.recv()).startswith("431"):
                        pass
            except ConnectionClosed:
                pass
