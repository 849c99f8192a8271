"""Load runs with kills, disconnections of half a minute, and floods: `make soak`."""

import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from benchmarks.machine import describe_machine
from tests.browser.tcp_proxy import TcpProxy
from tests.browser.world import BrowserContextPool, open_context_pool
from tests.history.api_clients import Program
from tests.history.floods import LIMITED, WAYS, Floods, PurgeWatch, find_flood_faults
from tests.history.place import Place
from tests.history.storm import SETTINGS, Report, Storm, kill_repeatedly
from tests.history.window import Window, open_window
from tests.servers.server_process import ServerProcess
from tests.timeouts import DEADLINE
from tools.servers.process import ROOT

STORMS = 10
KILLS = 20
ABSENCES = 5
ABSENCE_SECONDS = 30
POSTS_MEANWHILE = 40  # messages: less than a page
FLOOD_SECONDS = 4.0
KINDS = ("lost", "doubled", "a ghost", "late", "out of order")
"""The kinds of faults that are always listed."""
_PAGE = ROOT / "docs" / "soak.md"

_TEXT = """\
Written by `make soak`: repeated runs with one server that is killed again and again.

| what happened | times |
| --- | --- |
{counts}

| what was wrong | times |
| --- | --- |
{faults}

An expired row left each screen at most {lateness:.1f} s late. Browsers that had been disconnected
for half a minute showed all messages posted meanwhile, in order, this many seconds after their
connection was restored: {absences}.

On this machine, which others may have been using:

{machine}"""


_FLOOD_TEXT = """\
Written by `make soak`: one run with one server that is not killed, with the default limits. While
people chat, a client at another address floods one entry point after the other for {seconds:.0f}
seconds each: {ways}.

| what happened | times |
| --- | --- |
{counts}

| what was wrong | times |
| --- | --- |
{faults}

Rows were deleted at most {lateness:.1f} s after their message expired; a minute is promised.

On this machine, which others may have been using:

{machine}"""


async def soak(seed: str) -> bool:
    """Run everything; return whether no fault was found."""
    start = time.monotonic()
    total = Report(seed)
    with tempfile.TemporaryDirectory() as folder:
        server_process = ServerProcess(Path(folder), **SETTINGS)
        await server_process.start()
        try:
            async with open_context_pool() as context_pool:
                for number in range(STORMS):
                    disruptions = kill_repeatedly(server_process, KILLS)
                    storm = Storm(
                        server_process,
                        context_pool,
                        seed=f"{seed}-{number}",
                        disruptions=disruptions,
                    )
                    report = await storm.run()
                    _print(f"{_since(start)} {report}")
                    total.add(report)
                _print(f"{_since(start)} total: {total}")
                absences = await _measure_absences(server_process, context_pool)
                for absence in absences:
                    _print(
                        f"complete and in order {absence:.2f} s after {ABSENCE_SECONDS} s offline"
                    )
            await server_process.stop()
        finally:
            server_process.kill()
    kinds = _count_kinds(total)
    _print(", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())))
    _write(total, kinds, absences)
    flooded, lateness = await flood(seed)
    _print(f"{_since(start)} floods: {flooded}\n  purged at most {lateness:.1f} s late")
    _write_floods(flooded, lateness)
    return not (total.faults or flooded.faults)


async def flood(seed: str) -> tuple[Report, float]:
    """Run the load with floods; return the report and the longest lateness of a row."""
    with tempfile.TemporaryDirectory() as folder:
        server_process = ServerProcess(Path(folder), **LIMITED)
        await server_process.start()
        try:
            async with (
                open_context_pool() as context_pool,
                Floods(server_process.url) as floods,
                PurgeWatch(server_process.data / "anonchat.db") as watch,
            ):
                storm = Storm(server_process, context_pool, seed=f"{seed}-floods", disruptions=[])
                room = storm.lasting.slug
                storm.disruptions = floods.in_turn(WAYS, room=room, seconds=FLOOD_SECONDS)
                report = await storm.run()
            with suppress(AssertionError):  # log alarms are reported as faults
                await server_process.stop()
        finally:
            server_process.kill()
        report.counts.update({f"flooding requests {how}": n for how, n in floods.tally.items()})
        report.faults += find_flood_faults(
            report, floods.skipped, watch.lateness, alarms=server_process.error_lines
        )
    return report, watch.lateness


async def _measure_absences(
    server_process: ServerProcess, context_pool: BrowserContextPool
) -> list[float]:
    """Disconnect browsers; return how long each needs to be complete after reconnecting."""
    author_client = Program(server_process.url, "Speaker")
    await author_client.sign_in()
    room = Place(await author_client.open("absence"), ttl=3_600)
    author = await author_client.join(room)
    readers = [
        await _open_reader(server_process, context_pool, room, f"Absent {n}")
        for n in range(ABSENCES)
    ]
    try:
        await _say(author_client, room, author, 1)
        for _, window in readers:
            await _wait_until_complete(window, room)
        for proxy, _ in readers:
            proxy.disconnect()
        await asyncio.gather(
            asyncio.sleep(ABSENCE_SECONDS), _say(author_client, room, author, POSTS_MEANWHILE)
        )
        return [await _reconnect(proxy, window, room) for proxy, window in readers]
    finally:
        for proxy, window in readers:
            await context_pool.release(window.context)
            await proxy.close()
        await author_client.close()


async def _open_reader(
    server_process: ServerProcess, context_pool: BrowserContextPool, room: Place, name: str
) -> tuple[TcpProxy, Window]:
    guest = Program(server_process.url, name)
    await guest.sign_in()
    await guest.join(room)
    await guest.close()
    proxy = TcpProxy(server_process.port)
    await proxy.open()
    return proxy, await open_window(context_pool, name, url=proxy.url, token=guest.token, room=room)


async def _say(author_client: Program, room: Place, author: str, count: int) -> None:
    start = len(room.record.posts)
    for number in range(start, start + count):
        await author_client.say(room, f"line {number}", dedup_id=str(number), author=author)


async def _reconnect(proxy: TcpProxy, window: Window, room: Place) -> float:
    proxy.restore()
    start = time.monotonic()
    await _wait_until_complete(window, room)
    return time.monotonic() - start


async def _wait_until_complete(window: Window, room: Place) -> None:
    async with asyncio.timeout(DEADLINE):
        while True:
            sight = await window.summary()
            if sight and [line.text for line in sight.lines] == list(room.record.posts):
                return
            await asyncio.sleep(0.02)


def _count_kinds(report: Report) -> Counter[str]:
    kinds = Counter(fault.partition(":")[0] for fault in report.faults)
    kinds.update(dict.fromkeys(KINDS, 0))
    return kinds


def _write_floods(report: Report, lateness: float) -> None:
    text = _FLOOD_TEXT.format(
        seconds=FLOOD_SECONDS,
        ways="; ".join(WAYS),
        counts=_render_counts(report.counts),
        faults=_render_counts(_count_kinds(report)),
        lateness=lateness,
        machine=_describe_machine(),
    )
    write_section("floods", text)


def _write(total: Report, kinds: Mapping[str, int], absences: list[float]) -> None:
    text = _TEXT.format(
        counts=_render_counts(total.counts),
        faults=_render_counts(kinds),
        lateness=total.lateness,
        absences=", ".join(f"{seconds:.1f}" for seconds in sorted(absences)),
        machine=_describe_machine(),
    )
    write_section("one server", text)


def _render_counts(counts: Mapping[str, int]) -> str:
    return "\n".join(f"| {what} | {count:,} |" for what, count in sorted(counts.items()))


def _describe_machine() -> str:
    return "\n".join(f"- {line}" for line in describe_machine(load_before=os.getloadavg()[2]))


def write_section(name: str, text: str) -> None:
    """Replace the text between the marks of that name in docs/soak.md."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, _, rest = _PAGE.read_text().partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise RuntimeError(f"{_PAGE.name} lacks the marks {begin} and {end}")
    _PAGE.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")


def _since(start: float) -> str:
    return f"{time.monotonic() - start:4.0f} s"


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    seed = os.environ.get("SEED") or os.urandom(3).hex()
    sys.exit(not asyncio.run(soak(seed)))
