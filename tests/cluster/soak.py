"""Every fault in turn, each half a minute long, in a site of three nodes: `make soak-cluster`."""

import asyncio
import os
import sys
import time
from collections import Counter
from random import Random

from tests.benchmarks.machine import describe_machine
from tests.cluster.faults import open_faults
from tests.history.soak import KINDS, write_section
from tests.history.storm import Report, Storm

SECONDS = 30
MOST_SECONDS = 450  # no storm begins later
CONVERGENCE_SECONDS = 5

_BLOWS = (
    "crashes_of_postgresql",
    "absences_of_postgresql",
    "slow_lines_to_postgresql",
    "broken_lines_to_postgresql",
    "crashes_of_redis",
    "absences_of_redis",
    "pauses_of_redis",
    "broken_lines_to_redis",
    "crashes_of_nodes",
    "absences_of_nodes",
    "pauses_of_nodes",
    "rolling_restarts",
)
_TEXT = """\
Written by `make soak-cluster`: one storm for each of these faults over three nodes behind nginx,
with PostgreSQL and Redis. What is away, paused, slow or cut off is so for {seconds} seconds. The
clock of one node is two minutes ahead. While Redis is away nodes do not hear each other; what is
said then is on all screens once it is back, unless its time is over. The last column says how long
after the fault was mended something that was acknowledged was still missing on an open screen or
stream, at the worst:

| what broke | acknowledged | refused | tried again | wrong | everywhere after |
| --- | --- | --- | --- | --- | --- |
{rows}

Altogether there were {observations:,} observations, and of what may be wrong:
{kinds}.
It took {delay:.1f} seconds at the worst until all was everywhere.

On this machine, which others may have been using:

{machine}"""


async def soak(seed: str) -> bool:
    """Tell whether all went well."""
    began, load = time.monotonic(), os.getloadavg()[2]
    names = list(_BLOWS)
    Random(seed).shuffle(names)
    reports: dict[str, Report] = {}
    async with open_faults(seconds=SECONDS) as faults:
        for name in names:
            if time.monotonic() - began > MOST_SECONDS:
                break
            storm = Storm(
                faults.cluster,
                None,
                seed=f"{seed}-{len(reports)}",
                blows=[getattr(faults, name)],
                distance=SECONDS + CONVERGENCE_SECONDS,
                doors=faults.doors,
            )
            reports[name.replace("_", " ")] = report = await storm.rage()
            sys.stdout.write(f"{time.monotonic() - began:4.0f} s {name}: {report}\n")
            sys.stdout.flush()
    _write(reports, load)
    return all(
        not report.faults and report.delay <= CONVERGENCE_SECONDS for report in reports.values()
    )


def _write(reports: dict[str, Report], load: float) -> None:
    total = Report("all")
    for report in reports.values():
        total.add(report)
    kinds = Counter(fault.partition(":")[0] for fault in total.faults)
    rows = [
        f"| {name} | {report.counts['acknowledged']:,} | {report.counts['refused']:,} "
        f"| {report.counts['tried again']:,} | {len(report.faults)} | {report.delay:.1f} s |"
        for name, report in sorted(reports.items())
    ]
    text = _TEXT.format(
        seconds=SECONDS,
        rows="\n".join(rows),
        observations=total.counts["observations"],
        kinds=", ".join(f"{kinds[kind]} {kind}" for kind in dict.fromkeys([*KINDS, *kinds])),
        delay=total.delay,
        machine="\n".join(f"- {line}" for line in describe_machine(load_before=load)),
    )
    write_section("three nodes", text)


if __name__ == "__main__":
    seed = os.environ.get("SEED") or os.urandom(3).hex()
    sys.exit(not asyncio.run(soak(seed)))
