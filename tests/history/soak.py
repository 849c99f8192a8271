"""Storm after storm over one house, an absence of half a minute, and floods: `make soak`."""

import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tests.benchmarks.machine import describe_machine
from tests.browser.house import ROOT, House
from tests.browser.wire import Wire
from tests.browser.world import Wardrobe, open_wardrobe
from tests.history.floods import (
    LIMITED,
    WAYS,
    Floods,
    PurgeWatch,
    find_flood_faults,
)
from tests.history.place import Place
from tests.history.programs import Program
from tests.history.storm import PATIENCE, SETTINGS, Report, Storm, kill_again_and_again
from tests.history.window import Window, open_window

STORMS = 10
KILLS = 20
ABSENCES = 5
ABSENCE_SECONDS = 30
SAID_MEANWHILE = 40  # messages: less than a page
FLOOD_SECONDS = 4.0
KINDS = ("lost", "doubled", "a ghost", "late", "out of order")
"""What may be wrong."""
_PAGE = ROOT / "docs" / "soak.md"

_TEXT = """\
Written by `make soak`: storm after storm over one server that is killed again and again.

| what happened | times |
| --- | --- |
{counts}

| what was wrong | times |
| --- | --- |
{faults}

A row whose time was over left each screen {lateness:.1f} s late at the most. Browsers that had been
cut off for half a minute showed everything that was said meanwhile, in order, so many seconds after
their line was mended: {absences}.

On this machine, which others may have been using:

{machine}"""


_FLOOD_TEXT = """\
Written by `make soak`: one storm over one server that nobody kills, with the limits of every site.
Beside those who talk in it a client at another address floods one way in after the other for
{seconds:.0f} seconds: {ways}.

| what happened | times |
| --- | --- |
{counts}

| what was wrong | times |
| --- | --- |
{faults}

The row of a message outlived it by {lateness:.1f} s at the most; a minute is promised.

On this machine, which others may have been using:

{machine}"""


async def soak(seed: str) -> bool:
    """Tell whether all went well."""
    began = time.monotonic()
    total = Report(seed)
    with tempfile.TemporaryDirectory() as folder:
        house = House(Path(folder), **SETTINGS)
        await house.start()
        try:
            async with open_wardrobe() as wardrobe:
                for number in range(STORMS):
                    blows = kill_again_and_again(house, KILLS)
                    storm = Storm(house, wardrobe, seed=f"{seed}-{number}", blows=blows)
                    report = await storm.rage()
                    _print(f"{_since(began)} {report}")
                    total.add(report)
                _print(f"{_since(began)} altogether: {total}")
                absences = await _be_away(house, wardrobe)
                for absence in absences:
                    _print(f"complete and in order {absence:.2f} s after {ABSENCE_SECONDS} s away")
            await house.stop()
        finally:
            await house.kill()
    kinds = _count_kinds(total)
    _print(", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())))
    _write(total, kinds, absences)
    flooded, lateness = await flood(seed)
    _print(f"{_since(began)} floods: {flooded}\n  purged {lateness:.1f} s late at the most")
    _write_floods(flooded, lateness)
    return not (total.faults or flooded.faults)


async def flood(seed: str) -> tuple[Report, float]:
    """Let it storm beside floods; return for how long at most a row outlived its message, too."""
    with tempfile.TemporaryDirectory() as folder:
        house = House(Path(folder), **LIMITED)
        await house.start()
        try:
            async with (
                open_wardrobe() as wardrobe,
                Floods(house.url) as floods,
                PurgeWatch(house.data / "anonchat.db") as watch,
            ):
                storm = Storm(house, wardrobe, seed=f"{seed}-floods", blows=[])
                room = storm.lasting.slug
                storm.blows = floods.in_turn(WAYS, room=room, seconds=FLOOD_SECONDS)
                report = await storm.rage()
            with suppress(AssertionError):  # the alarms are faults like others
                await house.stop()
        finally:
            await house.kill()
        report.counts.update({f"flooding requests {how}": n for how, n in floods.tally.items()})
        report.faults += find_flood_faults(
            report, floods.skipped, watch.lateness, alarms=house.alarms
        )
    return report, watch.lateness


async def _be_away(house: House, wardrobe: Wardrobe) -> list[float]:
    """Cut browsers off for a while; return how long after being back each has seen everything."""
    speaker = Program(house.url, "Speaker")
    await speaker.come_in()
    place = Place(await speaker.open("absence"), ttl=3_600)
    author = await speaker.join(place)
    guests = [await _seat(house, wardrobe, place, f"Absent {n}") for n in range(ABSENCES)]
    try:
        await _say(speaker, place, author, 1)
        for _, window in guests:
            await _sees_all(window, place)
        for wire, _ in guests:
            wire.cut()
        await asyncio.gather(
            asyncio.sleep(ABSENCE_SECONDS), _say(speaker, place, author, SAID_MEANWHILE)
        )
        return [await _come_back(wire, window, place) for wire, window in guests]
    finally:
        for wire, window in guests:
            await wardrobe.give_back(window.context)
            await wire.close()
        await speaker.close()


async def _seat(house: House, wardrobe: Wardrobe, place: Place, name: str) -> tuple[Wire, Window]:
    guest = Program(house.url, name)
    await guest.come_in()
    await guest.join(place)
    await guest.close()
    wire = Wire(house.port)
    await wire.open()
    return wire, await open_window(wardrobe, name, url=wire.url, token=guest.token, place=place)


async def _say(speaker: Program, place: Place, author: str, count: int) -> None:
    begun = len(place.record.posts)
    for number in range(begun, begun + count):
        await speaker.say(place, f"line {number}", dedup_id=str(number), author=author)


async def _come_back(wire: Wire, window: Window, place: Place) -> float:
    wire.mend()
    began = time.monotonic()
    await _sees_all(window, place)
    return time.monotonic() - began


async def _sees_all(window: Window, place: Place) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            sight = await window.glance()
            if sight and [line.text for line in sight.lines] == list(place.record.posts):
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
        counts=_draw_counts(report.counts),
        faults=_draw_counts(_count_kinds(report)),
        lateness=lateness,
        machine=_tell_machine(),
    )
    write_section("floods", text)


def _write(total: Report, kinds: Mapping[str, int], absences: list[float]) -> None:
    text = _TEXT.format(
        counts=_draw_counts(total.counts),
        faults=_draw_counts(kinds),
        lateness=total.lateness,
        absences=", ".join(f"{seconds:.1f}" for seconds in sorted(absences)),
        machine=_tell_machine(),
    )
    write_section("one server", text)


def _draw_counts(counts: Mapping[str, int]) -> str:
    return "\n".join(f"| {what} | {count:,} |" for what, count in sorted(counts.items()))


def _tell_machine() -> str:
    return "\n".join(f"- {line}" for line in describe_machine(load_before=os.getloadavg()[2]))


def write_section(name: str, text: str) -> None:
    """Write what was found between the marks of that name; what stands around them stays."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, _, rest = _PAGE.read_text().partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise RuntimeError(f"{_PAGE.name} has lost its marks {begin} and {end}")
    _PAGE.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")


def _since(began: float) -> str:
    return f"{time.monotonic() - began:4.0f} s"


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    seed = os.environ.get("SEED") or os.urandom(3).hex()
    sys.exit(not asyncio.run(soak(seed)))
