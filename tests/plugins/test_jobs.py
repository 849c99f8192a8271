"""Jobs of plugins: run at their times, once on several nodes."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from anonchat import Settings
from anonchat.chat import Chat as CoreChat
from anonchat.i18n.languages import load_languages
from anonchat.plugins import Chat, Plugin
from anonchat.plugins.host import PluginHost
from anonchat.plugins.registry import PluginRegistry
from anonchat.plugins.testing import chat_with
from tests.fakes import FakeClock, make_settings


async def test_a_job_runs_at_each_multiple_of_its_interval() -> None:
    plugin, times = Plugin("mine"), list[str]()

    @plugin.every("10m")
    async def note(chat: Chat) -> None:
        times.append(f"{chat.now():%H:%M}")

    async with chat_with(plugin) as chat:  # from 12:00 on
        await chat.advance("9m")
        assert times == []
        await chat.advance("22m")
    assert times == ["12:10", "12:20", "12:30"]


async def test_a_job_runs_at_the_times_of_its_cron_line() -> None:
    plugin, times = Plugin("mine"), list[str]()

    @plugin.cron("0 9 * * mon")
    def note(chat: Chat) -> None:
        times.append(f"{chat.now():%a %H:%M}")

    async with chat_with(plugin) as chat:
        await chat.advance("15d")
    assert times == ["Mon 09:00", "Mon 09:00"]


async def test_a_job_may_use_rooms() -> None:
    plugin = Plugin("mine")

    @plugin.every("10m")
    async def remind(chat: Chat) -> None:
        for room in chat.list_rooms():
            for member in await chat.list_members(room):
                await chat.tell(room, member, "Drink some tea")
            await chat.state(room).put("reminded", True)

    async with chat_with(plugin) as chat:
        ann = await chat.enter("Ann")
        room = await chat.open_room("tea", ann)
        await chat.advance("10m")
        assert ann.told(room) == ["Drink some tea"]
        assert await chat.state(plugin, room).get("reminded") is True


async def test_a_job_finds_rooms_that_are_not_listed() -> None:
    plugin, names = Plugin("mine"), list[str]()

    @plugin.every("10m")
    def note(chat: Chat) -> None:
        names.extend(room.name for room in chat.list_rooms())

    async with chat_with(plugin) as chat:
        ann = await chat.enter("Ann")
        rooms = chat.host.chat.rooms
        await rooms.create("attic", visitor_id=ann.visitor_id, listed=False)
        await rooms.create("tea", visitor_id=ann.visitor_id)
        await chat.advance("10m")
    assert sorted(names) == ["attic", "tea"]


async def test_a_job_fails_alone(caplog: pytest.LogCaptureFixture) -> None:
    plugin, runs = Plugin("mine"), list[int]()

    @plugin.every("10m")
    def broken() -> None:
        raise RuntimeError("xyzzy-plugh")

    @plugin.every("10m")
    def good() -> None:
        runs.append(1)

    async with chat_with(plugin) as chat:
        await chat.advance("20m")
    assert len(runs) == 2
    lines = {record.getMessage() for record in caplog.records}
    (line,) = lines
    assert line.startswith("plugin mine: job broken failed in test_jobs.py, line ")


def make_host(folder: Path, clock: FakeClock, plugin: Plugin, **settings: object) -> PluginHost:
    values: Settings = make_settings(folder, **settings)
    return PluginHost(CoreChat(values, clock=clock), PluginRegistry([plugin]), load_languages())


async def test_a_job_runs_on_one_of_several_nodes_and_not_again_after_a_restart(
    tmp_path: Path, clock: FakeClock
) -> None:
    plugin, runs = Plugin("mine"), list[datetime]()

    @plugin.every("10m")
    async def note(chat: Chat) -> None:
        await asyncio.sleep(0)
        runs.append(chat.now())

    database = f"sqlite:///{tmp_path / 'shared.db'}"
    host = make_host(tmp_path / "1", clock, plugin, database_url=database)
    await host.chat.start()
    # Nodes that share the database of the first one.
    others = [PluginHost(host.chat, host.registry, load_languages()) for _ in range(2)]
    try:
        for each in (host, *others):
            each.start()
        clock.advance(timedelta(minutes=10))
        await asyncio.gather(*(each.jobs.tick() for each in (host, *others)))
        await asyncio.gather(*(each.jobs.finish() for each in (host, *others)))
        assert len(runs) == 1
        clock.now -= timedelta(minutes=1)  # a node starts again, and its clock is behind
        again = PluginHost(host.chat, host.registry, load_languages())
        again.start()
        clock.now += timedelta(minutes=1)
        await again.jobs.tick()
        await again.jobs.finish()
        assert len(runs) == 1
    finally:
        for each in (host, *others, again):
            await each.stop()
        await host.chat.stop()


async def test_a_job_that_still_runs_is_not_started_again() -> None:
    plugin, runs = Plugin("mine"), list[int]()
    is_running, may_end = asyncio.Event(), asyncio.Event()

    @plugin.every("10m")
    async def note() -> None:
        runs.append(1)
        is_running.set()
        await may_end.wait()

    async with chat_with(plugin) as chat:
        jobs, clock = chat.host.jobs, chat._clock
        for _ in range(3):
            clock.now += timedelta(minutes=10)
            await jobs.tick()
            await is_running.wait()
        may_end.set()
        await jobs.finish()
        clock.now += timedelta(minutes=10)
        await jobs.tick()
        await jobs.finish()
    assert len(runs) == 2
