"""All files of a real server, also after a kill: data, log, home and temporary files."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.api.api_client import ApiClient
from tests.forgetting.canaries import canary, find
from tests.forgetting.disk_copies import SECRET, DiskCopies, read_keys
from tests.servers.server_process import ServerProcess
from tests.timeouts import DEADLINE

TTL = 6
MINUTE = 60


@pytest.fixture
async def server_process(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    folder = tmp_path / "site"
    (folder / "tmp").mkdir(parents=True)
    server_process = ServerProcess(
        folder,
        environment={"TMPDIR": str(folder / "tmp")},
        secret_key=SECRET,
        message_ttl=f"{TTL}s",
        message_ttl_min="5s",
        janitor_interval="2s",
    )
    await server_process.start()
    yield server_process
    server_process.kill()


async def test_server_writes_no_plaintext_and_no_key_outlives_its_messages(
    server_process: ServerProcess, tmp_path: Path
) -> None:
    disk_copies = DiskCopies(server_process.data, tmp_path / "copy")
    texts = {name: canary(name) for name in ("room", "topic", "phrase", "short", "long", "gone")}
    texts |= {name: canary(name)[:24] for name in ("Ann", "Ben")}
    async with httpx.AsyncClient(base_url=f"{server_process.url}/api/v1", timeout=DEADLINE) as http:
        tokens = []
        for name in ("Ann", "Ben"):
            body = {"nickname": texts[name], "secret_phrase": texts["phrase"]}
            tokens.append((await http.post("/visitors", json=body)).json()["token"])
        texts |= dict(zip(("token of Ann", "token of Ben"), tokens, strict=True))
        ann, ben = (ApiClient(http, token) for token in tokens)
        short_room = (await ann.open(texts["room"], topic=texts["topic"]))["slug"]
        long_room = (await ann.open(canary("long"), message_ttl="1h"))["slug"]
        texts |= {"address": short_room, "other address": long_room}
        await ben.ask("PUT", f"/rooms/{long_room}/membership")
        await ann.say(short_room, texts["short"])
        posted_at = time.monotonic()
        await ann.say(long_room, texts["long"])
        await ben.say(long_room, texts["gone"])
        disk_copies.copy_database()
        assert disk_copies.decrypt() >= {texts["short"], texts["long"], texts["gone"], texts["Ann"]}
        await _send_failing_requests(server_process, ann, texts)
        await ben.ask("DELETE", "/visitors/me")
        server_process.kill()
        assert find(texts.values(), server_process.folder) == []
        await server_process.start()
        while len(_list_span_keys(server_process)) > 1:
            assert time.monotonic() < posted_at + TTL + MINUTE, (
                "key was kept for over a minute after expiry"
            )
            await asyncio.sleep(0.2)
        left = disk_copies.decrypt()
        assert left.isdisjoint({texts["short"], texts["gone"], texts["Ben"]})
        assert left >= {texts["long"], texts["Ann"]}
        assert [item["text"] for item in (await ann.read(long_room))["items"]] == [texts["long"]]
        await ann.ask("DELETE", f"/rooms/{long_room}")
        assert texts["long"] not in disk_copies.decrypt()
    await server_process.stop()
    assert find(texts.values(), server_process.folder) == []


async def _send_failing_requests(
    server_process: ServerProcess, ann: ApiClient, texts: dict[str, str]
) -> None:
    """Send texts in requests that fail, because programs tend to log errors."""
    for text in texts.values():
        await ann.call("GET", f"/rooms/{text}")
        await ann.call("POST", f"/rooms/{texts['address']}/messages", json={"text": [text]})
        await ann.call("POST", f"/rooms/{texts['address']}/messages", json={"text": text * 400})
        await ann.call("POST", "/visitors", json={"nickname": text, "secret_phrase": text})
        await ApiClient(ann.http, text.encode().hex()).call("GET", "/rooms/mine")
        for path in (f"/{text}", f"/r/{text}", f"/login?next=/{text}"):
            await ann.http.get(
                f"{server_process.url}{path}", headers={"cookie": f"anonchat={text.encode().hex()}"}
            )
        await ann.http.post(f"{server_process.url}/session", content=text.encode())


def _list_span_keys(server_process: ServerProcess) -> list[str]:
    return [
        name for name in read_keys(server_process.data / "keys", SECRET) if name.startswith("span")
    ]
