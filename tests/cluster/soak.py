"""Load runs on three nodes, one for each fault of half a minute: `make soak-cluster`."""

import asyncio
import os
import sys
import time
from collections import Counter
from random import Random

from benchmarks.machine import describe_machine
from tests.cluster.faults import open_faults
from tests.history.soak import KINDS, write_section
from tests.history.storm import Report, Storm

SECONDS = 30
MOST_SECONDS = 450  # no run starts later
CONVERGENCE_SECONDS = 5

_DISRUPTIONS = (
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
Written by `make soak-cluster`: one run for each of these faults with three nodes behind nginx,
PostgreSQL and Redis. Each component is down, paused, slow or disconnected for {seconds} seconds.
The clock of one node is two minutes ahead. While Redis is down nodes do not receive each other's
events; messages posted then are on all pages once it is back, unless they have expired. The last
column is the longest time after the end of the fault for which an acknowledged message was still
missing on an open page or stream:

| what broke | acknowledged | refused | tried again | wrong | everywhere after |
| --- | --- | --- | --- | --- | --- |
{rows}

Altogether there were {observations:,} observations, and of what may be wrong:
{kinds}.
It took at most {delay:.1f} seconds until every page and stream was complete.

On this machine, which others may have been using:

{machine}"""


async def soak(seed: str) -> bool:
    """Run all faults in random order; return whether no fault was found."""
    start, load = time.monotonic(), os.getloadavg()[2]
    names = list(_DISRUPTIONS)
    Random(seed).shuffle(names)
    reports: dict[str, Report] = {}
    async with open_faults(seconds=SECONDS) as faults:
        for name in names:
            if time.monotonic() - start > MOST_SECONDS:
                break
            storm = Storm(
                faults.cluster,
                None,
                seed=f"{seed}-{len(reports)}",
                disruptions=[getattr(faults, name)],
                propagation_seconds=SECONDS + CONVERGENCE_SECONDS,
                urls=faults.urls,
            )
            reports[name.replace("_", " ")] = report = await storm.run()
            sys.stdout.write(f"{time.monotonic() - start:4.0f} s {name}: {report}\n")
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
