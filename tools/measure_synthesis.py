"""Measure what enumeration, templates and learned operations are worth.

`python tools/measure_synthesis.py [PART …]` writes results/synthesis.json after every
row and leaves out rows that are there already, so it can be stopped and started again.
Run it alone on the machine. The parts: solve, templates, halving, curriculum.
"""

import json
import sys
import time
from pathlib import Path

import jax

import neural_compile as nc
from neural_compile.experiments.budgets import SCHEDULE, Round
from neural_compile.experiments.campaigns import versions, write_json
from neural_compile.synthesis.abstraction import CURRICULUM, climb

PATH = Path(__file__).resolve().parent.parent / "results/synthesis.json"


def uniform(choose, cells, base):
    """A random memory."""
    return [choose(base) for _ in range(base)], {}


def cellwise(name: str, f, base: int = 8) -> nc.Task:
    """Cells 0 … n−1 each become f(memory, cell, base); the rest is unchanged."""

    def target(memory, registers, n, b):
        return [f(memory, i, b) % b for i in range(n)] + memory[n:]

    family = ((1, base), (4, 2 * base), (8, 2 * base + 1))
    return nc.Task(name, name, uniform, target, base=base, cells=4, family=family)


def first(name: str, f) -> nc.Task:
    """M[0] becomes f(memory, base)."""

    def target(memory, registers, n, b):
        return [f(memory, b) % b] + [None] * (b - 1)

    return nc.Task(name, name, uniform, target, cells=1, family=((1, 16), (1, 17)))


# Tasks outside the language, beside those of `nc.TASKS`: what tuning is for.
OWN = (
    cellwise("index", lambda m, i, b: i),
    cellwise("value + index", lambda m, i, b: m[i] + i),
    cellwise("square index", lambda m, i, b: i * i),
    first("difference", lambda m, b: m[0] - m[1]),
    first("value of address 1", lambda m, b: m[m[1]]),
)
OUTSIDE = {n: nc.TASKS[n] for n in ("fibonacci", "fibonacci_seeded", "access", "add")}
OUTSIDE |= {task.name: task for task in OWN}


def described(found: nc.Synthesis) -> dict:
    """A synthesis as a row."""
    best = found.solutions[0] if found.solutions else None
    return {
        "seconds": round(found.seconds, 2),
        "tried": found.tried,
        "how": best and best.expression,
        "lines": best and len(best.program),
        "program": best and str(best.program),
        "clock": best and str(best.clock),
        "shortest": found.shortest,
        "exhausted": found.exhausted,
        "left": found.left,
        "stopped": found.stopped and str(found.stopped),
    }


def solve(name):
    """What a task costs with everything, and with assembly alone."""
    spaces, row = {"all": "all", "assembly": [nc.Assembly(6)]}, {"task": name}
    for label, space in spaces.items():
        options = dict(space=space, units=60, time_limit=60, progress=False)
        row[label] = described(nc.synthesize(nc.TASKS[name], **options))
    return row


def leads_to_an_answer(task, start, plan: Round, key) -> bool:
    """Whether one start solves the task, tuned and decoded as the plan says."""
    training, watch = nc.Training(steps=plan.steps), nc.StopWhenSolved()
    options = dict(restarts=plan.restarts, key=key, watch=watch, progress=False)
    tuned = nc.tune(task, start, training, **options)
    if tuned.solution:
        return True
    options = dict(samples=plan.samples, key=key, clock=tuned.clock, first_only=True)
    return bool(nc.decode(tuned.snapshots, task, **options))


def templates(name):
    """Which templates lead to an answer, each tuned alone and briefly, and how soon."""
    task = OUTSIDE[name]
    found = nc.synthesize(task, progress=False)
    for plan in (Round(1, 100, 4, 2000), Round(1, 250, 16, 20_000)):
        hits = [
            leads_to_an_answer(task, start, plan, jax.random.key(k))
            for k, start in enumerate(found.templates)
        ]
        if any(hits):  # More where so little solves nothing
            break
    solved = sum(hits)
    return {
        "task": name,
        "steps": plan.steps,
        "restarts": plan.restarts,
        "samples": plan.samples,
        "templates": [t.expression for t in found.templates],
        "solved": hits,
        "first": 1 + hits.index(True) if solved else None,
        "random_order": round((len(hits) + 1) / (solved + 1), 2) if solved else None,
    }


def halving(row_name):
    """Seconds to an answer with successive halving, and with equal shares of work."""
    name, key = row_name.rsplit(" ", 1)
    starts = SCHEDULE[0].starts
    equal = Round(starts, sum(r.starts * r.steps for r in SCHEDULE) // starts)
    row = {"task": name, "key": int(key)}
    for way, schedule in (("halving", SCHEDULE), ("equal", (equal,))):
        begin = time.perf_counter()
        options = dict(space="language", schedule=schedule, progress=False)
        found = nc.induce(OUTSIDE[name], key=jax.random.key(int(key)), **options)
        row[way] = {
            "seconds": round(time.perf_counter() - begin, 2),
            "verified": bool(found.verified),
            "how": str(found.how),
            "attempts": len(found.work.attempts),
        }
    return row


def curriculum(number):
    """A task of the curriculum: alone up to a cost of 8, and with what was learned."""
    task = CURRICULUM[int(number)]
    before = CURRICULUM[: int(number) + 1]
    *_, helped = climb(before, cost=6, alone=False, progress=False)
    options = dict(space=[nc.Stores(8)], time_limit=120, progress=False)
    found = nc.synthesize(task, **options)
    alone = {
        "cost": found.solutions[0].size - 1 if found.solutions else None,
        "tried": found.tried,
        "seconds": round(found.seconds, 2),
        "stopped": str(found.stopped) if found.stopped else found.left,
    }
    kept = {name: helped[name] for name in ("task", "operations", "helped")}
    return kept | {"alone": alone}


PARTS = {  # How a part is measured, and its rows
    "solve": (solve, list(nc.TASKS)),
    "templates": (templates, list(OUTSIDE)),
    "halving": (halving, [f"{name} {key}" for name in OUTSIDE for key in range(3)]),
    "curriculum": (curriculum, [str(n) for n in range(len(CURRICULUM))]),
}


def main(wanted: list[str]):
    """Measure the rows that are not there yet."""
    if unknown := set(wanted) - set(PARTS):
        parts = ", ".join(PARTS)
        sys.exit(f"unknown part: {', '.join(unknown)}. The parts are: {parts}.")
    nc.use_cores()
    data = json.loads(PATH.read_text()) if PATH.exists() else {}
    for part in wanted or PARTS:
        measure, rows = PARTS[part]
        for name in rows:
            if name in data.setdefault(part, {}):
                continue
            data[part][name] = measure(name)
            data["command"] = "python tools/measure_synthesis.py"
            data["versions"] = versions()
            write_json(PATH, data)
            print(part, name, json.dumps(data[part][name])[:300], flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
