"""The metrics for Prometheus: complete, and without data of visitors."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from anonchat import Chat, ChatError, StartupError
from anonchat.runtime.metrics import Metrics, MetricsServer
from tests.api.api_client import ApiClient
from tests.fakes import FakeClock, create_room_with_members, post_messages, running_chat
from tests.forgetting.canaries import canary, find
from tests.history.screen import introduce, read_client_id
from tests.pages.tab import complete_handshake, open_websocket
from tests.servers.server_process import ServerProcess
from tests.timeouts import DEADLINE
from tools.ports import free_port

SERIES_MAX = 400


@pytest.fixture
async def server_process(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    server_process = ServerProcess(
        tmp_path / "site", metrics_port=str(free_port()), posts_per_visitor="5/1h"
    )
    await server_process.start()
    yield server_process
    await server_process.stop()


def value(text: str, name: str, **labels: str) -> float:
    """Return the value of one metric."""
    for family in parse(text):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return sample.value
    return 0.0


async def scrape(server_process: ServerProcess) -> str:
    port = server_process.settings["metrics_port"]
    async with httpx.AsyncClient(timeout=DEADLINE) as http:
        answer = await http.get(f"http://127.0.0.1:{port}/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    return answer.raise_for_status().text


async def _open_page(server_process: ServerProcess, path: str, *, token: str) -> str:
    cookie = {"cookie": f"anonchat={token}"}
    async with httpx.AsyncClient(
        base_url=server_process.url, headers=cookie, timeout=DEADLINE
    ) as http:
        return read_client_id((await http.get(path)).text)


async def test_metrics_count_everything_and_name_no_visitor(
    server_process: ServerProcess, tmp_path: Path
) -> None:
    texts = {name: canary(name) for name in ("nick", "room", "topic", "text", "phrase", "browser")}
    texts["nick"] = texts["nick"][:24]
    headers = {"user-agent": texts["browser"].encode()}
    api = f"{server_process.url}/api/v1"
    async with httpx.AsyncClient(base_url=api, headers=headers, timeout=DEADLINE) as http:
        body = {"nickname": texts["nick"], "secret_phrase": texts["phrase"]}
        answer = await http.post("/visitors", json=body)
        texts["token"] = answer.json()["token"]
        ann = ApiClient(http, texts["token"])
        room = await ann.open(texts["room"], topic=texts["topic"], listed=False)
        texts["slug"] = room["slug"]
        texts["page"] = await _open_page(server_process, f"/r/{room['slug']}", token=texts["token"])
        async with (
            ann.listen(room["slug"]) as stream,
            open_websocket(
                server_process.url, **introduce(texts["page"], tab_id="a tab of Ann")
            ) as socket,
        ):
            await stream.ready()
            await complete_handshake(socket)
            await ann.say(room["slug"], texts["text"])
            async with asyncio.timeout(DEADLINE):
                while texts["text"] not in str(await socket.recv()):
                    pass
            for _ in range(6):
                await ann.call("POST", f"/rooms/{room['slug']}/messages", json={"text": "x"})
            await ann.call("POST", f"/rooms/{room['slug']}/messages", json={"text": " "})
            text = await scrape(server_process)
    assert value(text, "anonchat_posts_total", outcome="stored") == 5
    assert value(text, "anonchat_posts_total", outcome="RateLimited") == 2
    assert value(text, "anonchat_posts_total", outcome="InvalidMessage") == 1
    assert value(text, "anonchat_limits_hit_total", limit="posts") == 2
    assert value(text, "anonchat_post_seconds_count") == 5
    assert value(text, "anonchat_screens") == 1
    assert value(text, "anonchat_streams") == 1
    assert value(text, "anonchat_deliveries_total", over="screen") >= 1
    assert value(text, "anonchat_deliveries_total", over="stream") >= 5
    assert value(text, "anonchat_delivery_seconds_count") >= 1
    assert value(text, "anonchat_keys") >= 3
    assert value(text, "anonchat_bus_up") == 1
    assert value(text, "anonchat_purge_age_seconds") < DEADLINE
    assert value(text, "process_resident_memory_bytes") > 1e6
    (tmp_path / "scraped").mkdir()
    (tmp_path / "scraped" / "metrics").write_text(text)
    assert find(texts.values(), tmp_path / "scraped") == []
    assert "127.0.0.1" not in text
    assert sum(len(family.samples) for family in parse(text)) < SERIES_MAX


async def test_metrics_are_served_only_at_the_metrics_port(server_process: ServerProcess) -> None:
    async with httpx.AsyncClient(timeout=DEADLINE) as http:
        assert (await http.get(f"{server_process.url}/metrics")).status_code == 404
        other = f"http://127.0.0.1:{server_process.settings['metrics_port']}"
        assert (await http.get(f"{other}/")).status_code == 404
        assert (await http.post(f"{other}/metrics")).status_code == 404


async def test_metrics_server_is_off_by_default(tmp_path: Path) -> None:
    server_process = ServerProcess(tmp_path)
    await server_process.start()
    assert "metrics server listening" not in server_process.log
    await server_process.stop()


async def test_metrics_server_survives_invalid_requests(server_process: ServerProcess) -> None:
    port = int(server_process.settings["metrics_port"])
    for data in (b"\0" * 20_000, b"GET /metrics", b"\r\n\r\n"):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(data)
        writer.close()
    assert "anonchat_posts" in await scrape(server_process)


async def test_metrics_port_in_use_fails_the_start_with_one_line() -> None:
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", port := free_port()):
        server = MetricsServer(Metrics(), host="127.0.0.1", port=port)
        with pytest.raises(StartupError, match=r"^ANONCHAT_METRICS_PORT: .+$"):
            await server.start()
        await server.stop()


async def test_purge_is_counted_with_its_lag(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path, clock, message_ttl="10s") as chat:
        room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
        await post_messages(chat, room, ann, "one", "two")
        clock.advance(chat.settings.message_ttl * 4)
        await chat.janitor.run_purge()
        text = chat.metrics.render().decode()
        assert value(text, "anonchat_purged_total", what="messages") == 2
        assert value(text, "anonchat_purge_lag_seconds") == 30
        await chat.janitor.run_purge()
        assert value(chat.metrics.render().decode(), "anonchat_purge_lag_seconds") == 0


async def test_number_of_series_does_not_grow_with_use(chat: Chat) -> None:
    def count_series() -> int:
        return sum(len(family.samples) for family in parse(chat.metrics.render().decode()))

    async def use_chat(numbers: range) -> None:
        for number in numbers:
            room, (ann,) = await create_room_with_members(chat, f"room {number}", f"Ann {number}")
            await post_messages(chat, room, ann, f"word {number}")
            with pytest.raises(ChatError):
                await chat.messages.post(f"none {number}", visitor_id=ann.id, text="x")

    await use_chat(range(1))
    before = count_series()
    await use_chat(range(1, 20))
    assert count_series() == before


async def test_database_errors_are_counted(chat: Chat) -> None:
    async with chat._database.read_session() as session:
        with pytest.raises(Exception, match="no such table"):
            await (await session.connection()).exec_driver_sql("SELECT * FROM nowhere")
    assert value(chat.metrics.render().decode(), "anonchat_database_errors_total") == 1
