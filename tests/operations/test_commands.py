"""What an operator says to the program, while it runs and while it does not."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from anonchat.commands import run_command
from tests.api.program import Program
from tests.browser.house import PATIENCE, ROOT, House, free_port
from tests.fakes import FakeClock, gather_in, running_chat, say

Done = subprocess.CompletedProcess[str]
Open = Callable[[], Awaitable[tuple[House, Program]]]


@pytest.fixture
async def open_house(tmp_path: Path) -> AsyncIterator[Open]:
    """Give a running server, and Ann, who has said three things in a room."""
    house = House(tmp_path / "house")
    async with httpx.AsyncClient(timeout=PATIENCE) as http:

        async def open_it() -> tuple[House, Program]:
            await house.start()
            http.base_url = f"{house.url}/api/v1"
            visitor = await Program(http).ask("POST", "/visitors", json={"nickname": "Ann"})
            ann = Program(http, visitor["token"])
            await ann.open("night train")
            await ann.say("night-train", "one", "two", "three")
            return house, ann

        yield open_it
    await house.stop()


async def run(data: Path, *words: str, **settings: str) -> Done:
    """Run the program with these words."""
    given = {f"ANONCHAT_{name.upper()}": value for name, value in settings.items()}
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, str(ROOT / "main.py"), *words],
        cwd=data.parent,
        env={"PATH": os.environ["PATH"], "ANONCHAT_DATA_DIR": str(data), **given},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def answer_of(done: Done) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


async def test_a_room_that_is_closed_while_the_site_runs_ends_for_all_who_listen(
    open_house: Open,
) -> None:
    house, ann = await open_house()
    keys = (house.data / "keys").read_bytes()
    async with ann.listen("night-train") as stream:
        await stream.ready()
        assert answer_of(await run(house.data, "close-room", "night-train", "--json")) == {
            "messages": 3
        }
        assert (await stream.rest())[-1].kind == "ended"
    assert (await ann.call("GET", "/rooms/night-train")).status_code == 404
    assert (house.data / "keys").read_bytes() != keys, "its key has to be overwritten"
    again = await run(house.data, "close-room", "night-train", "--json")
    assert again.returncode == 1
    assert json.loads(again.stderr)["error"].startswith("There is no such room")


async def test_the_running_site_and_the_stopped_one_say_the_same(open_house: Open) -> None:
    house, _ = await open_house()

    async def ask_all() -> list[Any]:
        return [answer_of(await run(house.data, each, "--json")) for each in ("stats", "rooms")]

    stats, rooms = while_it_runs = await ask_all()
    assert {**stats, "oldest": 0, "purged_at": 0} == {
        "visitors": 1, "rooms": 1, "members": 1, "messages": 3, "oldest": 0, "purged_at": 0,
    }  # fmt: skip
    (room,) = rooms["rooms"]
    assert room.items() >= {"name": "night train", "slug": "night-train", "members": 1}.items()
    assert room["messages"] == 3
    assert answer_of(await run(house.data, "purge", "--json"))["messages"] == 0
    await house.stop()
    assert not (house.data / "admin.sock").exists()
    stats, rooms = await ask_all()
    assert {**stats, "purged_at": 0} == {**while_it_runs[0], "purged_at": 0}
    assert rooms == while_it_runs[1]


async def test_commands_reach_a_site_that_was_killed(open_house: Open) -> None:
    house, _ = await open_house()
    await house.kill()
    assert (house.data / "admin.sock").exists()
    assert answer_of(await run(house.data, "stats", "--json"))["messages"] == 3
    await house.start()
    assert answer_of(await run(house.data, "stats", "--json"))["messages"] == 3


async def test_nobody_else_may_speak_to_the_running_site(open_house: Open) -> None:
    house, _ = await open_house()
    assert (house.data / "admin.sock").stat().st_mode & 0o777 == 0o600
    for nonsense in (b"", b"x" * 100_000, b"[]\n", b'{"request": "dance", "about": ""}\n'):
        reader, writer = await asyncio.open_unix_connection(house.data / "admin.sock")
        writer.write(nonsense)
        if not nonsense.endswith(b"\n"):
            writer.write_eof()
        assert await reader.read() == b""
        writer.close()
    assert answer_of(await run(house.data, "stats", "--json"))["messages"] == 3


async def test_what_expired_while_the_site_was_stopped_is_purged_by_the_command(
    tmp_path: Path, clock: FakeClock
) -> None:
    data = tmp_path / "data"
    clock.now = clock.now.replace(year=2020)
    async with running_chat(data, clock) as chat:
        room, (ann,) = await gather_in(chat, "night train", "Ann")
        await say(chat, room, ann, "one", "two")
    done = await run(data, "purge")
    assert done.stdout == "2 messages, 1 rooms and 1 visitors are gone.\n"
    counts = answer_of(await run(data, "stats", "--json"))
    assert (counts["visitors"], counts["rooms"], counts["messages"]) == (0, 0, 0)


async def test_a_command_for_people_is_told_in_words(tmp_path: Path, clock: FakeClock) -> None:
    data = tmp_path / "data"
    async with running_chat(data, clock) as chat:
        await gather_in(chat, "night train", "Ann")
    assert "/r/night-train  night train" in (await run(data, "rooms")).stdout
    assert "rooms      1" in (await run(data, "stats")).stdout
    assert (await run(data, "close-room", "night-train")).stdout.startswith("The room has ended")


async def test_a_folder_without_a_chat_is_not_made_into_one(tmp_path: Path) -> None:
    done = await run(tmp_path / "nowhere", "stats")
    assert done.returncode == 1
    assert done.stderr == f"ANONCHAT_DATA_DIR: there is no anonchat in {tmp_path / 'nowhere'}\n"
    assert (await run(tmp_path / "nowhere", "check")).returncode == 0
    assert not (tmp_path / "nowhere").exists()


async def test_everything_is_found_well_where_a_site_is(open_house: Open) -> None:
    house, _ = await open_house()
    for is_running in (True, False):
        found = answer_of(await run(house.data, "check", "--json"))
        assert (found["well"], found["running"]) == (True, is_running)
        parts = [part["part"] for part in found["parts"]]
        assert parts == ["settings", "keys", "database", "database", "clock"]
        await house.stop()


@pytest.mark.parametrize(
    ("harm", "line"),
    [
        (lambda data: (data / "secret.key").write_text("x" * 43), "WRONG  keys: do not open"),
        (lambda data: (data / "secret.key").unlink(), "WRONG  keys: do not open"),
        (lambda data: (data / "secret.key").write_bytes(b"\xff" * 43), "secret.key is damaged"),
        (lambda data: (data / "anonchat.db").unlink(), "WRONG  database: does not answer"),
        (lambda data: (data / "anonchat.db").write_bytes(b"?" * 9_999), "WRONG  database: "),
        (
            lambda data: shutil.copytree(data.with_name("other"), data, dirs_exist_ok=True),
            "WRONG  database: was written with other keys",
        ),
    ],
)
async def test_what_is_wrong_is_said_and_nothing_is_changed(
    tmp_path: Path, clock: FakeClock, harm: Callable[[Path], object], line: str
) -> None:
    for place in ("data", "other"):
        async with running_chat(tmp_path / place, clock):
            pass
    (tmp_path / "other" / "anonchat.db").unlink()
    harm(data := tmp_path / "data")
    before = {path.name: path.read_bytes() for path in data.iterdir()}
    done = await run(data, "check")
    assert done.returncode == 1
    assert line in done.stdout
    kept = {path.name: path.read_bytes() for path in data.iterdir()}
    assert {name: kept[name] for name in before} == before
    assert kept.keys() - before.keys() <= {"anonchat.db-shm", "anonchat.db-wal"}


async def test_a_clock_that_is_behind_is_found(tmp_path: Path, clock: FakeClock) -> None:
    clock.now = clock.now.replace(year=2100)
    async with running_chat(tmp_path / "data", clock):
        pass
    done = await run(tmp_path / "data", "check")
    assert done.returncode == 1
    assert "WRONG  clock: is " in done.stdout


async def test_help_says_how_to_serve_and_names_every_command(tmp_path: Path) -> None:
    done = await run(tmp_path / "data", "--help")
    assert done.returncode == 0
    for word in (
        "Without a command: serve",
        "docs/settings.md",
        *("check", "stats", "rooms", "close-room", "purge", "migrate-data", "rotate-key"),
    ):
        assert word in done.stdout
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "words",
    [["rotate-key"], ["migrate-data", "--from", "sqlite:///old.db", "--to", "sqlite:///new.db"]],
    ids=lambda words: words[0],
)
def test_a_folder_that_is_nobodys_is_taken_for_a_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert run_command(words) == 1
    assert "there is no anonchat in data" in capsys.readouterr().err
    assert not list(tmp_path.iterdir()), "nothing was made"


@pytest.mark.parametrize(
    ("source", "says"),
    [("old.db", "--from: that is no address of a database"), ("sqlite:///old.db", "no such file")],
)
def test_what_cannot_be_moved_from_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str, says: str
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "keys").touch()
    assert run_command(["migrate-data", "--from", source, "--to", "sqlite:///new.db"]) == 1
    assert says in capsys.readouterr().err
    assert not list(tmp_path.glob("*.db"))


def test_before_the_first_start_the_servers_are_looked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANONCHAT_BUS_URL", f"redis://127.0.0.1:{free_port()}")
    monkeypatch.setenv("ANONCHAT_DATABASE_URL", f"postgresql://127.0.0.1:{free_port()}/anonchat")
    monkeypatch.setenv("ANONCHAT_SECRET_KEY", "shared by all nodes")
    assert run_command(["check"]) == 1
    said = capsys.readouterr().out
    for part in ("bus", "database"):
        assert f"WRONG  {part}: does not answer" in said
