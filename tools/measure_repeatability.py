"""Measure how far the same tuning gives the same bits when something around it changes.

`python tools/measure_repeatability.py` tunes two tasks from one key, each time in a
process of its own with one thing changed, and compares losses and programs with those
of the first process. It writes a file an entry into cells/repeatability and all of them
into results/repeatability.json; it can be stopped and started again.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from neural_compile.experiments.campaigns import campaign, write_json

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "cells/repeatability"
TASKS = {"map_dec": "map_inc", "fibonacci_seeded": "map_inc"}  # And the start of each
RESTARTS, STEPS = 24, 750
HURRIED = "--xla_cpu_use_fusion_emitters=false --xla_backend_optimization_level=1"
CHANGED = {  # Beside the first process, one thing at a time
    "first": {},
    "another process": {},
    "two devices": dict(devices=2),
    "groups of 8": dict(group=8),
    "no option of the compiler": dict(platform=dict(options={})),
    "a hurried compiler": dict(environment={"XLA_FLAGS": HURRIED}),
    "one thread": dict(
        environment={
            "OMP_NUM_THREADS": "1",
            "NPROC": "1",
            "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
        }
    ),
}
MARKS = (1, 10, 100, STEPS)  # Training steps after which losses are compared


def child():
    """Tune each task, and print losses and programs; called in a process of its own."""
    from dataclasses import replace

    import jax

    import neural_compile as nc
    from neural_compile.appendix import fast, platforms

    how = json.loads(sys.argv[1])
    jax.config.update("jax_enable_compilation_cache", False)
    nc.use_cores(how.get("devices", 1))
    row = replace(platforms.PLATFORMS["cpu"], **how.get("platform", {}))
    platforms.PLATFORMS["cpu"] = row
    if "group" in how:
        fast.cached_group = lambda *sizes: how["group"]
    found = {}
    for task, start in TASKS.items():
        options = dict(restarts=RESTARTS, steps=STEPS, progress=False)
        run = nc.tune(nc.TASKS[task], start, key=jax.random.key(0), **options)
        found[task] = {
            "losses": run.losses.astype(float).tolist(),
            "programs": [str(program) for program in run.programs],
            "accepted": run.accepted.tolist(),
        }
    print(json.dumps(found))


def tuned(how):
    """What `child` prints with one thing changed."""
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", **how.get("environment", {})}
    code = "import measure_repeatability as m; m.child()"
    command = [sys.executable, "-c", code, json.dumps(how)]
    place = dict(cwd=ROOT / "tools", env=environment)
    ran = subprocess.run(command, capture_output=True, text=True, check=True, **place)
    return json.loads(ran.stdout.splitlines()[-1])


def compared(first, other):
    """How many losses differ, by how much, and how many programs."""
    x, y = (np.array(found["losses"]) for found in (first, other))
    apart = np.abs(x - y)
    same = [a == b for a, b in zip(first["programs"], other["programs"])]
    both = zip(first["accepted"], other["accepted"])
    return {
        "losses": int(x.size),
        "differ": int((x != y).sum()),
        "apart": {str(step): float(apart[:, step - 1].max()) for step in MARKS},
        "median": {str(step): float(np.median(apart[:, step - 1])) for step in MARKS},
        "programs": len(same),
        "other programs": same.count(False),
        "accepted": sum(other["accepted"]),
        "other verdicts": sum(a != b for a, b in both),
    }


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    kept = FOLDER.parent / "repeatability_first.json"
    if not kept.exists():
        write_json(kept, tuned({}))
    first = json.loads(kept.read_text())

    def measure(settings):
        other = first if settings["name"] == "first" else tuned(settings["changed"])
        return {task: compared(first[task], other[task]) for task in TASKS}

    size = dict(restarts=RESTARTS, steps=STEPS)
    entries = {
        name.replace(" ", "_"): dict(name=name, changed=changed, **size)
        for name, changed in CHANGED.items()
    }
    done = campaign(entries, measure, FOLDER, title="repeatability")
    write_json(ROOT / "results/repeatability.json", done)


if __name__ == "__main__":
    main()
