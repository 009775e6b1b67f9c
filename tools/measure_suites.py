"""Measure which way of searching solves which tasks of a suite.

`python tools/measure_suites.py [SUITE …]` writes a file an entry into cells/suites and
all of them into results/suites.json; it can be stopped and started again. Run it alone
on the machine. Each way has at most ten units of work a task, the pipeline sixty, and
no more than 60 s.
"""

import sys
import time
from pathlib import Path

import jax

import neural_compile as nc
from neural_compile.assembly.suites import suites
from neural_compile.experiments.campaigns import campaign, write_json

ROOT = Path(__file__).resolve().parent.parent
UNITS, SECONDS = 10.0, 60.0
WAYS = "language", "assembly", "walks", "all"


def searched(task, space):
    """What a space comes to, as a row."""
    limits = dict(units=UNITS, time_limit=SECONDS)
    found = nc.synthesize(task, space=space, **limits, progress=False)
    best = found.solutions[0] if found.solutions else None
    return {
        "strict": bool(best and best.answer.verify(task)),
        "accepted": best is not None,
        "seconds": round(found.seconds, 2),
        "units": round(found.units, 2),
        "kind": best and best.kind,
        "program": best and str(best.answer.simplify(task)),
    }


def induced(task):
    """What the pipeline comes to, as a row."""
    begin = time.monotonic()
    how = dict(budget=0.5, time_limit=SECONDS, key=jax.random.key(0), progress=False)
    x = nc.induce(task, **how)
    return {
        "strict": x.verified,
        "accepted": x.answer is not None,
        "seconds": round(time.monotonic() - begin, 2),
        "units": x.work.units,
        "kind": x.how.way.name,
        "program": x.answer and str(x.answer),
    }


def measure(settings):
    """All ways on one task."""
    task = suites[settings["suite"]][settings["task"]]
    rows = {space: searched(task, space) for space in WAYS}
    return {**rows, "induce": induced(task)}


def main(names):
    searched(nc.TASKS["swap"], "all")  # What is compiled once is compiled before
    entries = {
        f"{suite}.{task}": dict(suite=suite, task=task)
        for suite in names
        for task in suites[suite]
    }
    done = campaign(entries, measure, ROOT / "cells/suites", title="suites")
    write_json(ROOT / "results/suites.json", done)


if __name__ == "__main__":
    main(sys.argv[1:] or list(suites))
