"""What Prometheus is told: everything that matters, and of nobody."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from anonchat import Chat, ChatError, StartError
from anonchat.metrics import Metrics, MetricsDoor
from tests.api.program import Program
from tests.browser.house import PATIENCE, House, free_port
from tests.fakes import FakeClock, gather_in, running_chat, say
from tests.forgetting.canaries import canary, find
from tests.history.screen import introduce, read_client_id
from tests.pages.tab import begin, plug_in

SERIES_MOST = 400


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path / "house", metrics_port=str(free_port()), posts_per_visitor="5/1h")
    await house.start()
    yield house
    await house.stop()


def value(text: str, name: str, **labels: str) -> float:
    """Return one number of what Prometheus is told."""
    for family in parse(text):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return sample.value
    return 0.0


async def scrape(house: House) -> str:
    port = house.settings["metrics_port"]
    async with httpx.AsyncClient(timeout=PATIENCE) as http:
        answer = await http.get(f"http://127.0.0.1:{port}/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    return answer.raise_for_status().text


async def _open_page(house: House, path: str, *, token: str) -> str:
    cookie = {"cookie": f"anonchat={token}"}
    async with httpx.AsyncClient(base_url=house.url, headers=cookie, timeout=PATIENCE) as http:
        return read_client_id((await http.get(path)).text)


async def test_everything_is_counted_and_nobody_is_named(house: House, tmp_path: Path) -> None:
    words = {name: canary(name) for name in ("nick", "room", "topic", "text", "phrase", "browser")}
    words["nick"] = words["nick"][:24]
    told = {"user-agent": words["browser"].encode()}
    api = f"{house.url}/api/v1"
    async with httpx.AsyncClient(base_url=api, headers=told, timeout=PATIENCE) as http:
        arrival = {"nickname": words["nick"], "secret_phrase": words["phrase"]}
        answer = await http.post("/visitors", json=arrival)
        words["token"] = answer.json()["token"]
        ann = Program(http, words["token"])
        room = await ann.open(words["room"], topic=words["topic"], listed=False)
        words["slug"] = room["slug"]
        words["page"] = await _open_page(house, f"/r/{room['slug']}", token=words["token"])
        async with (
            ann.listen(room["slug"]) as stream,
            plug_in(house.url, **introduce(words["page"], tab_id="a tab of Ann")) as line,
        ):
            await stream.ready()
            await begin(line)
            await ann.say(room["slug"], words["text"])
            async with asyncio.timeout(PATIENCE):
                while words["text"] not in str(await line.recv()):
                    pass
            for _ in range(6):
                await ann.call("POST", f"/rooms/{room['slug']}/messages", json={"text": "x"})
            await ann.call("POST", f"/rooms/{room['slug']}/messages", json={"text": " "})
            text = await scrape(house)
    assert value(text, "anonchat_posts_total", outcome="stored") == 5
    assert value(text, "anonchat_posts_total", outcome="TooOften") == 2
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
    assert value(text, "anonchat_purge_age_seconds") < PATIENCE
    assert value(text, "process_resident_memory_bytes") > 1e6
    (tmp_path / "told").mkdir()
    (tmp_path / "told" / "metrics").write_text(text)
    assert find(words.values(), tmp_path / "told") == []
    assert "127.0.0.1" not in text
    assert sum(len(family.samples) for family in parse(text)) < SERIES_MOST


async def test_the_public_port_tells_nothing_and_the_other_one_only_that(house: House) -> None:
    async with httpx.AsyncClient(timeout=PATIENCE) as http:
        assert (await http.get(f"{house.url}/metrics")).status_code == 404
        other = f"http://127.0.0.1:{house.settings['metrics_port']}"
        assert (await http.get(f"{other}/")).status_code == 404
        assert (await http.post(f"{other}/metrics")).status_code == 404


async def test_there_is_no_such_port_unless_one_is_asked_for(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.start()
    assert "metrics are at" not in house.log
    await house.stop()


async def test_what_is_no_request_is_no_trouble(house: House) -> None:
    port = int(house.settings["metrics_port"])
    for noise in (b"\0" * 20_000, b"GET /metrics", b"\r\n\r\n"):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(noise)
        writer.close()
    assert "anonchat_posts" in await scrape(house)


async def test_a_port_that_is_taken_stops_the_start_with_one_line() -> None:
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", port := free_port()):
        door = MetricsDoor(Metrics(), host="127.0.0.1", port=port)
        with pytest.raises(StartError, match=r"^ANONCHAT_METRICS_PORT: .+$"):
            await door.start()
        await door.stop()


async def test_a_round_of_the_janitor_is_counted_with_how_late_it_was(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock, message_ttl="10s") as chat:
        room, (ann,) = await gather_in(chat, "night train", "Ann")
        await say(chat, room, ann, "one", "two")
        clock.move(chat.settings.message_ttl * 4)
        await chat.janitor.clean()
        text = chat.metrics.write().decode()
        assert value(text, "anonchat_purged_total", what="messages") == 2
        assert value(text, "anonchat_purge_lag_seconds") == 30
        await chat.janitor.clean()
        assert value(chat.metrics.write().decode(), "anonchat_purge_lag_seconds") == 0


async def test_labels_are_words_of_the_program_however_much_happens(chat: Chat) -> None:
    def count() -> int:
        return sum(len(family.samples) for family in parse(chat.metrics.write().decode()))

    async def happen(times: range) -> None:
        for number in times:
            room, (ann,) = await gather_in(chat, f"room {number}", f"Ann {number}")
            await say(chat, room, ann, f"word {number}")
            with pytest.raises(ChatError):
                await chat.messages.post(f"none {number}", visitor_id=ann.id, text="x")

    await happen(range(1))
    before = count()
    await happen(range(1, 20))
    assert count() == before


async def test_what_the_database_refuses_is_counted(chat: Chat) -> None:
    async with chat._database.reading() as session:
        with pytest.raises(Exception, match="no such table"):
            await (await session.connection()).exec_driver_sql("SELECT * FROM nowhere")
    assert value(chat.metrics.write().decode(), "anonchat_database_errors_total") == 1
