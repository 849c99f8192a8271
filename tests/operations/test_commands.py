"""The commands of the program, with a running and with a stopped server."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from anonchat.cli.main import cli
from tests.api.api_client import ApiClient
from tests.fakes import FakeClock, create_room_with_members, post_messages, running_chat
from tests.servers.program import run_program
from tests.servers.server_process import ServerProcess
from tests.timeouts import DEADLINE
from tools.ports import free_port
from tools.servers.process import ROOT

Completed = subprocess.CompletedProcess[str]
OpenHouse = Callable[[], Awaitable[tuple[ServerProcess, ApiClient]]]


@pytest.fixture
async def open_house(tmp_path: Path) -> AsyncIterator[OpenHouse]:
    """Yield a function that starts a server with three messages of Ann in a room."""
    server_process = ServerProcess(tmp_path / "site")
    async with httpx.AsyncClient(timeout=DEADLINE) as http:

        async def start() -> tuple[ServerProcess, ApiClient]:
            await server_process.start()
            http.base_url = f"{server_process.url}/api/v1"
            visitor = await ApiClient(http).ask("POST", "/visitors", json={"nickname": "Ann"})
            ann = ApiClient(http, visitor["token"])
            await ann.open("night train")
            await ann.say("night-train", "one", "two", "three")
            return server_process, ann

        yield start
    await server_process.stop()


async def run(data: Path, *words: str, **settings: str) -> Completed:
    """Run the program with these arguments and settings."""
    given = {f"ANONCHAT_{name.upper()}": value for name, value in settings.items()}
    environment = {"ANONCHAT_DATA_DIR": str(data), **given}
    return await asyncio.to_thread(run_program, data.parent, *words, environment=environment)


def parse_result(done: Completed) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


async def test_close_room_ends_the_streams_of_a_running_site(
    open_house: OpenHouse,
) -> None:
    server_process, ann = await open_house()
    keys = (server_process.data / "keys").read_bytes()
    async with ann.listen("night-train") as stream:
        await stream.ready()
        assert parse_result(
            await run(server_process.data, "close-room", "night-train", "--json")
        ) == {"messages": 3, "closed_until": None}
        assert (await stream.rest())[-1].kind == "ended"
    assert (await ann.call("GET", "/rooms/night-train")).status_code == 404
    assert (server_process.data / "keys").read_bytes() != keys, (
        "the key of the room was not overwritten"
    )
    again = await run(server_process.data, "close-room", "night-train", "--json")
    assert again.returncode == 1
    assert json.loads(again.stderr)["error"].startswith("There is no such room")


async def test_closed_name_stays_closed_while_running_and_after_a_restart(
    open_house: OpenHouse,
) -> None:
    server_process, ann = await open_house()
    words = ["close-room", "Night Train", "--for", "2h", "--json"]
    closed = parse_result(await run(server_process.data, *words))
    assert closed["messages"] == 3
    left = datetime.fromisoformat(closed["closed_until"]) - datetime.now(UTC)
    assert timedelta(hours=1) < left <= timedelta(hours=2)
    for name in ("night train", "NIGHT-TRAIN"):
        assert (await ann.call("POST", "/rooms", json={"name": name})).status_code == 422
    await server_process.stop()
    await server_process.start()
    refused = await ann.call("POST", "/rooms", json={"name": "night train"})
    assert refused.status_code == 422
    assert "closed for now" in refused.json()["detail"]


@pytest.mark.parametrize("is_running", [True, False])
async def test_remove_visitor_ends_sessions_and_deletes_messages(
    open_house: OpenHouse, is_running: bool
) -> None:
    server_process, ann = await open_house()
    bob = ApiClient(
        ann.http, (await ann.ask("POST", "/visitors", json={"nickname": "Bob"}))["token"]
    )
    await bob.open("night train")
    async with ann.listen("night-train") as stream:
        await stream.ready()
        if not is_running:
            await server_process.stop()
        removed = await run(server_process.data, "remove-visitor", "ANN", "--json")
        assert parse_result(removed) == {"messages": 3}
        if is_running:
            assert (await stream.rest())[-1].kind == "left"
    if not is_running:
        await server_process.start()
    assert (await ann.call("GET", "/rooms/mine")).status_code == 401
    messages = await bob.ask("GET", "/rooms/night-train/messages")
    assert messages["items"] == []
    assert (await bob.ask("GET", "/rooms/night-train"))["members"] == 1
    again = await run(server_process.data, "remove-visitor", "Ann", "--json")
    assert again.returncode == 1
    assert json.loads(again.stderr) == {"error": "Nobody has this nickname."}


async def test_backup_of_a_running_server_can_be_restored(open_house: OpenHouse) -> None:
    server_process, ann = await open_house()
    folder = server_process.data.parent
    done = parse_result(await run(server_process.data, "backup", "kept.db", "--json"))
    assert done == {
        "room": 1, "visitor": 1, "message": 3,
        "file": "kept.db", "keys": str(server_process.data / "keys"),
    }  # fmt: skip
    again = await run(server_process.data, "backup", "kept.db")
    assert (again.returncode, again.stderr) == (1, "kept.db exists already; name a new file\n")
    await ann.say("night-train", "four")
    await server_process.stop()
    for path in server_process.data.glob("anonchat.db*"):
        path.unlink()
    shutil.copy(folder / "kept.db", server_process.data / "anonchat.db")
    await server_process.start()
    ann.http.base_url = f"{server_process.url}/api/v1"
    items = (await ann.read("night-train"))["items"]
    assert [message["text"] for message in items] == ["one", "two", "three"]


def test_backup_of_postgresql_names_the_right_tool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "keys").touch()
    monkeypatch.setenv("ANONCHAT_DATABASE_URL", "postgresql://127.0.0.1/anonchat")
    done = CliRunner().invoke(cli, ["backup", "kept.db"])
    assert done.exit_code == 1
    assert "pg_dump" in done.stderr
    assert not (tmp_path / "kept.db").exists()


async def test_text_of_a_backup_says_what_it_cannot_bring_back(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock) as chat:
        room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
        await post_messages(chat, room, ann, "one")
    done = await run(tmp_path / "data", "backup", "kept.db")
    assert done.stdout.startswith("Backed up 1 room, 1 visitor and 1 message to kept.db.\n")
    assert "It has no keys" in done.stdout
    assert "same half minute as a message deleted since" in done.stdout


async def test_stats_and_rooms_are_equal_while_running_and_stopped(open_house: OpenHouse) -> None:
    server_process, _ = await open_house()

    async def ask_all() -> list[Any]:
        return [
            parse_result(await run(server_process.data, each, "--json"))
            for each in ("stats", "rooms")
        ]

    stats, rooms = while_it_runs = await ask_all()
    assert {**stats, "oldest": 0, "purged_at": 0} == {
        "visitors": 1, "rooms": 1, "members": 1, "messages": 3, "oldest": 0, "purged_at": 0,
    }  # fmt: skip
    (room,) = rooms["rooms"]
    assert room.items() >= {"name": "night train", "slug": "night-train", "members": 1}.items()
    assert room["messages"] == 3
    assert parse_result(await run(server_process.data, "purge", "--json"))["messages"] == 0
    await server_process.stop()
    assert not (server_process.data / "admin.sock").exists()
    stats, rooms = await ask_all()
    assert {**stats, "purged_at": 0} == {**while_it_runs[0], "purged_at": 0}
    assert rooms == while_it_runs[1]


async def test_commands_work_after_a_kill(open_house: OpenHouse) -> None:
    server_process, _ = await open_house()
    server_process.kill()
    assert (server_process.data / "admin.sock").exists()
    assert parse_result(await run(server_process.data, "stats", "--json"))["messages"] == 3
    await server_process.start()
    assert parse_result(await run(server_process.data, "stats", "--json"))["messages"] == 3


async def test_admin_socket_is_private_and_survives_invalid_requests(open_house: OpenHouse) -> None:
    server_process, _ = await open_house()
    assert (server_process.data / "admin.sock").stat().st_mode & 0o777 == 0o600
    for invalid in (b"", b"x" * 100_000, b"[]\n", b'{"request": "dance", "about": ""}\n'):
        reader, writer = await asyncio.open_unix_connection(server_process.data / "admin.sock")
        writer.write(invalid)
        if not invalid.endswith(b"\n"):
            writer.write_eof()
        assert await reader.read() == b""
        writer.close()
    assert parse_result(await run(server_process.data, "stats", "--json"))["messages"] == 3


async def test_purge_deletes_messages_that_expired_while_stopped(
    tmp_path: Path, clock: FakeClock
) -> None:
    data = tmp_path / "data"
    clock.now = clock.now.replace(year=2020)
    async with running_chat(data, clock) as chat:
        room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
        await post_messages(chat, room, ann, "one", "two")
    done = await run(data, "purge")
    assert done.stdout == "Purged 2 messages, 1 room and 1 visitor.\n"
    counts = parse_result(await run(data, "stats", "--json"))
    assert (counts["visitors"], counts["rooms"], counts["messages"]) == (0, 0, 0)


async def test_commands_without_json_print_text(tmp_path: Path, clock: FakeClock) -> None:
    data = tmp_path / "data"
    async with running_chat(data, clock) as chat:
        await create_room_with_members(chat, "night train", "Ann")
    assert "/r/night-train  night train" in (await run(data, "rooms")).stdout
    assert "rooms      1" in (await run(data, "stats")).stdout
    assert (await run(data, "close-room", "night-train")).stdout.startswith("Deleted the room")


async def test_commands_do_not_create_a_missing_data_folder(tmp_path: Path) -> None:
    done = await run(tmp_path / "nowhere", "stats")
    assert done.returncode == 1
    assert done.stderr == f"ANONCHAT_DATA_DIR: no anonchat data in {tmp_path / 'nowhere'}\n"
    assert (await run(tmp_path / "nowhere", "check")).returncode == 0
    assert not (tmp_path / "nowhere").exists()


async def test_check_succeeds_with_a_running_and_a_stopped_site(open_house: OpenHouse) -> None:
    server_process, _ = await open_house()
    for is_running in (True, False):
        found = parse_result(await run(server_process.data, "check", "--json"))
        assert (found["well"], found["running"]) == (True, is_running)
        parts = [part["part"] for part in found["parts"]]
        assert parts == ["settings", "plugins", "keys", "database", "database", "clock"]
        await server_process.stop()


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (lambda data: (data / "secret.key").write_text("x" * 43), "FAILED  keys: do not match"),
        (lambda data: (data / "secret.key").unlink(), "FAILED  keys: do not match"),
        (lambda data: (data / "secret.key").write_bytes(b"\xff" * 43), "secret.key is damaged"),
        (lambda data: (data / "anonchat.db").unlink(), "anonchat.db is missing"),
        (lambda data: (data / "anonchat.db").write_bytes(b"?" * 9_999), "FAILED  database: "),
        (
            lambda data: shutil.copytree(data.with_name("other"), data, dirs_exist_ok=True),
            "FAILED  database: was written with other keys",
        ),
    ],
)
async def test_check_reports_damage_and_changes_nothing(
    tmp_path: Path, clock: FakeClock, damage: Callable[[Path], object], line: str
) -> None:
    for name in ("data", "other"):
        async with running_chat(tmp_path / name, clock):
            pass
    (tmp_path / "other" / "anonchat.db").unlink()
    damage(data := tmp_path / "data")
    before = {path.name: path.read_bytes() for path in data.iterdir()}
    done = await run(data, "check")
    assert done.returncode == 1
    assert line in done.stdout
    after = {path.name: path.read_bytes() for path in data.iterdir()}
    assert {name: after[name] for name in before} == before
    assert after.keys() - before.keys() <= {"anonchat.db-shm", "anonchat.db-wal"}


async def test_check_reports_a_clock_that_is_behind(tmp_path: Path, clock: FakeClock) -> None:
    clock.now = clock.now.replace(year=2100)
    async with running_chat(tmp_path / "data", clock):
        pass
    done = await run(tmp_path / "data", "check")
    assert done.returncode == 1
    assert "FAILED  clock: is " in done.stdout


async def test_help_explains_serving_and_lists_all_commands(tmp_path: Path) -> None:
    done = await run(tmp_path / "data", "--help")
    assert done.returncode == 0
    for word in (
        "Without a command: serve",
        "docs/settings.md",
        *(
            "--reload",
            "check",
            "plugins",
            "new-plugin",
            "stats",
            "rooms",
            "close-room",
            "remove-visitor",
            "backup",
            "purge",
            "migrate-data",
            "rotate-key",
        ),
    ):
        assert word in done.stdout
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["dance"],
        ["close-room"],
        ["close-room", "x", "--for", "soon"],
        ["remove-visitor"],
        ["migrate-data"],
        ["stats", "--x"],
        ["new-plugin"],
        ["--reload", "stats"],
    ],
)
def test_invalid_arguments_end_with_status_2_and_the_usage(
    tmp_path: Path, words: list[str]
) -> None:
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 2
    assert done.stderr.startswith("Usage: ")
    assert not list(tmp_path.iterdir()), "files were created"


async def _list_imports(data: Path, *words: str) -> set[str]:
    """Run the program as an operator does; return the names of the packages that it imports."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-X", "importtime", str(ROOT / "main.py"), *words],
        cwd=data.parent,
        env={"PATH": os.environ["PATH"], "ANONCHAT_DATA_DIR": str(data)},
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )
    assert done.returncode == 0, done.stderr
    names = (line.rpartition("|")[2].strip() for line in done.stderr.splitlines())
    return {name.partition(".")[0] for name in names}


async def test_commands_import_no_web_framework(tmp_path: Path, clock: FakeClock) -> None:
    data = tmp_path / "data"
    clock.now = clock.now.replace(year=2020)
    async with running_chat(data, clock):
        pass
    (tmp_path / "broken.py").write_text("raise SystemExit('loaded')")
    (tmp_path / ".env").write_text("ANONCHAT_PLUGINS=broken.py\nANONCHAT_BROKEN_LEVEL=5\n")
    for words in (["--help"], ["stats"], ["rooms"], ["purge"], ["backup", "kept.db"]):
        imported = await _list_imports(data, *words)
        assert "anonchat" in imported
        assert imported.isdisjoint({"nicegui", "pages", "fastapi", "starlette", "uvicorn"}), words
        assert "watchfiles" not in imported


async def test_request_to_a_running_server_imports_no_database(open_house: OpenHouse) -> None:
    server_process, _ = await open_house()
    heavy = {"models", "sqlmodel", "alembic", "apscheduler", "redis", "prometheus_client"}
    for words in (["--help"], ["--version"], ["stats"], ["rooms"]):
        assert (await _list_imports(server_process.data, *words)).isdisjoint(heavy), words


async def test_version_is_that_of_the_project(tmp_path: Path) -> None:
    done = await run(tmp_path / "data", "--version")
    assert done.returncode == 0
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert done.stdout == f"anonchat {version}\n"


@pytest.mark.parametrize(
    "words",
    [["rotate-key"], ["migrate-data", "--from", "sqlite:///old.db", "--to", "sqlite:///new.db"]],
    ids=lambda words: words[0],
)
def test_command_fails_without_a_data_folder(tmp_path: Path, words: list[str]) -> None:
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 1
    assert "no anonchat data in data" in done.stderr
    assert not list(tmp_path.iterdir()), "files were created"


@pytest.mark.parametrize(
    ("source", "says"),
    [("old.db", "--from: not a database URL"), ("sqlite:///old.db", "no such file")],
)
def test_migrate_data_reports_an_invalid_source(tmp_path: Path, source: str, says: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "keys").touch()
    words = ["migrate-data", "--from", source, "--to", "sqlite:///new.db"]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 1
    assert says in done.stderr
    assert not list(tmp_path.glob("*.db"))


def test_check_contacts_the_servers_before_the_first_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANONCHAT_BUS_URL", f"redis://127.0.0.1:{free_port()}")
    monkeypatch.setenv("ANONCHAT_DATABASE_URL", f"postgresql://127.0.0.1:{free_port()}/anonchat")
    monkeypatch.setenv("ANONCHAT_SECRET_KEY", "shared by all nodes")
    done = CliRunner().invoke(cli, ["check"])
    assert done.exit_code == 1
    assert "FAILED  bus: does not answer" in done.stdout
    assert "FAILED  database: ANONCHAT_DATABASE_URL: postgresql+asyncpg://127.0.0.1" in done.stdout
