"""Measure what a cell costs on workers, and what two of them bring.

`python tools/measure_workers.py` takes about four minutes on two idle cores. It writes
a file a part into cells/workers and all of them into results/workers.json. With the
costs that it measured, it simulates the same engine with a hundred and with ten
thousand workers: each record passes the scheduler and the calling process, one at a
time.
"""

import heapq
import json
import os
import random
import tempfile
import time
from pathlib import Path
from statistics import median

from neural_compile.experiments.campaigns import campaign, versions, write_json
from neural_compile.experiments.entries import measure_any
from neural_compile.experiments.jobs import EntryJob
from neural_compile.experiments.settings import TUNERS, table_cells
from neural_compile.experiments.workers import outcomes, workers
from neural_compile.shell import use_machine

ROOT = Path(__file__).resolve().parent.parent
CELLS = 10_000
TASKS = ("map_inc", "map_dec")
SHORT = dict(restarts=8, keys=1, steps=150, samples=4000)
KEYS = range(1, 5)
LONG = (0.1, 1.0, 10.0, 100.0)  # Seconds of a cell, in the simulation
STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)
CROWDS = (1, 2, 100, 10_000)  # Workers, in the simulation


def empty(settings):
    """A cell that does nothing."""
    return {}


def resident():
    """Megabytes that this process has: it is client, writer and scheduler."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def cells(count):
    return {f"n{n}": {"n": n} for n in range(count)}


def timed(entries, measure, executor):
    """Seconds of a campaign in a new folder, and its records."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        records = campaign(entries, measure, folder, executor=executor, title="cells")
        return time.monotonic() - start, records


def overhead(count=CELLS):
    """What a cell costs beside its work: alone, and among many; and what it leaves."""
    with workers(2) as executor:
        timed(cells(100), empty, executor)
        alone = [timed(cells(1), empty, executor)[0] for _ in range(20)]
        before, spent = resident(), time.process_time()
        seconds, records = timed(cells(count), empty, executor)
        spent, after = time.process_time() - spent, resident()
        assert len(records) == count
        del records
        again = timed(cells(count // 4), empty, executor)[0]
        return {
            "cells": count,
            "alone_ms": round(1000 * median(alone), 1),
            "among_many_ms": round(1000 * seconds / count, 2),
            "caller_and_scheduler_ms": round(1000 * spent / count, 2),
            "seconds": round(seconds, 1),
            "megabytes_before": round(before),
            "megabytes_after": round(after),
            "megabytes_after_more": round(resident()),
            "more": count // 4,
            "more_seconds": round(again, 1),
        }


def writing(count=2000):
    """Milliseconds of the calling process for a record that an executor hands back."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        campaign(cells(count), empty, folder, progress=False)
        return round(1000 * (time.monotonic() - start) / count, 3)


def messages(count=1000):
    """Milliseconds of the scheduler and its client for a job, without a file."""
    with workers(2) as executor:
        jobs = lambda n: {str(i): EntryJob(empty, {}) for i in range(n)}
        list(outcomes(jobs(100), executor))
        spent = time.process_time()
        list(outcomes(jobs(count), executor))
        return round(1000 * (time.process_time() - spent) / count, 2)


def ratio():
    """The same part of table 1 on two workers and on one: the paper's tuner."""
    how = dict(tasks=TASKS, inits=("map_inc",), **SHORT)
    tuned = {n: c for n, c in table_cells(TUNERS, **how).items() if "paper" in n}
    entries = {f"{n}.{k}": {**c, "key": k} for k in KEYS for n, c in tuned.items()}
    few = {name: entries[name] for name in list(entries)[:4]}
    seconds, results = {}, []
    for count in (1, 2):
        with workers(count) as executor:
            # Each worker loads what is compiled before the clock runs
            timed(few, measure_any, executor)
            took, records = timed(entries, measure_any, executor)
        seconds[count] = took
        results.append({n: without_clock(r["result"]) for n, r in records.items()})
    return {
        "entries": len(entries),
        "seconds": {str(n): round(s, 1) for n, s in sorted(seconds.items())},
        "ratio": round(seconds[1] / seconds[2], 2),
        "same": results[0] == results[1],
    }


def without_clock(result):
    return {name: value for name, value in result.items() if name != "seconds"}


def simulated(crowd, length, scheduler, caller, waves=5, seed=0):
    """How busy a crowd of workers is, and those that serve it, until no cell is left.

    A worker asks the scheduler for a cell, works on it, and hands the record to the
    scheduler, which hands it to the caller, who writes it. Scheduler and caller serve
    one at a time, in order. Lengths vary by half; times are in seconds.
    """
    chance = random.Random(seed)
    free = {"scheduler": 0.0, "caller": 0.0}  # When each is free again
    served = {"scheduler": 0.0, "caller": 0.0}
    asking = [(0.0, n < 0) for n in range(crowd)]  # When, and whether with a record
    cells = []
    for _ in range(waves * crowd):
        now, done = heapq.heappop(asking)
        begin = free["scheduler"] = max(now, free["scheduler"]) + scheduler
        served["scheduler"] += scheduler
        if done:
            free["caller"] = max(begin, free["caller"]) + caller
            served["caller"] += caller
        took = length * chance.uniform(0.5, 1.5)
        cells.append((begin, begin + took))
        heapq.heappush(asking, (begin + took, True))
    last = cells[-1][0]
    work = sum(min(last, end) - begin for begin, end in cells)
    return {
        "efficiency": round(work / (crowd * last), 3),
        **{name: round(min(1.0, busy / last), 3) for name, busy in served.items()},
    }


def crowds(scheduler, caller):
    """Each crowd at each length, and the shortest cells that keep nine tenths busy."""
    rows = {}
    for crowd in CROWDS:
        lengths = {
            str(s): simulated(crowd, s, scheduler / 1000, caller / 1000) for s in LONG
        }
        enough = next(
            (
                s
                for s in STEPS
                if simulated(crowd, s, scheduler / 1000, caller / 1000)["efficiency"]
                >= 0.9
            ),
            None,
        )
        rows[str(crowd)] = {"by_seconds": lengths, "nine_tenths_from": enough}
    return rows


PARTS = {
    "overhead": overhead,
    "caller_ms": writing,
    "scheduler_ms": messages,
    "ratio": ratio,
}


def measure(settings):
    """A part, and how busy the machine was when it began."""
    load = round(os.getloadavg()[0], 1)
    return {"found": PARTS[settings["part"]](), "load_before": load}


def main():
    use_machine()
    parts = {name: {"part": name} for name in PARTS}
    records = campaign(parts, measure, ROOT / "cells/workers", title="workers")
    data = {name: record["result"]["found"] for name, record in records.items()}
    data["simulation"] = crowds(data["scheduler_ms"], data["caller_ms"])
    data["command"] = "python tools/measure_workers.py"
    data["load_before"] = {n: r["result"]["load_before"] for n, r in records.items()}
    data["seconds"] = {name: record["seconds"] for name, record in records.items()}
    data["versions"] = versions()
    write_json(ROOT / "results/workers.json", data)
    print(json.dumps(data, indent=1))


if __name__ == "__main__":
    main()
