"""A real server under a kill, and all that it writes: data, log, home, temporary files."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.api.program import Program
from tests.browser.house import House
from tests.forgetting.canaries import canary, find
from tests.forgetting.thief import SECRET, Thief, read_keys

TTL = 6
MINUTE = 60


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    folder = tmp_path / "house"
    (folder / "tmp").mkdir(parents=True)
    house = House(
        folder,
        around={"TMPDIR": str(folder / "tmp")},
        secret_key=SECRET,
        message_ttl=f"{TTL}s",
        message_ttl_min="5s",
        janitor_interval="2s",
    )
    await house.start()
    yield house
    await house.kill()


async def test_no_word_reaches_any_file_and_no_key_outlives_its_messages(
    house: House, tmp_path: Path
) -> None:
    thief = Thief(house.data, tmp_path / "loot")
    words = {name: canary(name) for name in ("room", "topic", "phrase", "short", "long", "gone")}
    words |= {name: canary(name)[:24] for name in ("Ann", "Ben")}
    async with httpx.AsyncClient(base_url=f"{house.url}/api/v1", timeout=30) as http:
        tokens = []
        for name in ("Ann", "Ben"):
            arrival = {"nickname": words[name], "secret_phrase": words["phrase"]}
            tokens.append((await http.post("/visitors", json=arrival)).json()["token"])
        words |= dict(zip(("token of Ann", "token of Ben"), tokens, strict=True))
        ann, ben = (Program(http, token) for token in tokens)
        brief = (await ann.open(words["room"], topic=words["topic"]))["slug"]
        lasting = (await ann.open(canary("lasting"), message_ttl="1h"))["slug"]
        words |= {"address": brief, "other address": lasting}
        await ben.ask("PUT", f"/rooms/{lasting}/membership")
        await ann.say(brief, words["short"])
        said_at = time.monotonic()
        await ann.say(lasting, words["long"])
        await ben.say(lasting, words["gone"])
        thief.copies()
        assert thief.reads() >= {words["short"], words["long"], words["gone"], words["Ann"]}
        await _stumble(house, ann, words)
        await ben.ask("DELETE", "/visitors/me")
        await house.kill()
        assert find(words.values(), house.folder) == []
        await house.start()
        while len(_spans(house)) > 1:
            assert time.monotonic() < said_at + TTL + MINUTE, "kept beyond its time and a minute"
            await asyncio.sleep(0.2)
        left = thief.reads()
        assert left.isdisjoint({words["short"], words["gone"], words["Ben"]})
        assert left >= {words["long"], words["Ann"]}
        assert [item["text"] for item in (await ann.read(lasting))["items"]] == [words["long"]]
        await ann.ask("DELETE", f"/rooms/{lasting}")
        assert words["long"] not in thief.reads()
    await house.stop()
    assert find(words.values(), house.folder) == []


async def _stumble(house: House, ann: Program, words: dict[str, str]) -> None:
    """Do what is refused or goes nowhere, for errors are what programs like to write down."""
    for word in words.values():
        await ann.call("GET", f"/rooms/{word}")
        await ann.call("POST", f"/rooms/{words['address']}/messages", json={"text": [word]})
        await ann.call("POST", f"/rooms/{words['address']}/messages", json={"text": word * 400})
        await ann.call("POST", "/visitors", json={"nickname": word, "secret_phrase": word})
        await Program(ann.http, word.encode().hex()).call("GET", "/rooms/mine")
        for path in (f"/{word}", f"/r/{word}", f"/login?next=/{word}"):
            await ann.http.get(
                f"{house.url}{path}", headers={"cookie": f"anonchat={word.encode().hex()}"}
            )
        await ann.http.post(f"{house.url}/session", content=word.encode())


def _spans(house: House) -> list[str]:
    return [name for name in read_keys(house.data / "keys", SECRET) if name.startswith("span")]
