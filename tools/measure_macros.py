"""Measure what a ladder of macros is worth: tasks on lists with its rows and without.

`python tools/measure_macros.py` writes a file an entry into cells/macros and all of
them into results/macros.json; it can be stopped and started again. Both searches of a
task are given the same units of work, many times what the ladder took.
"""

from itertools import accumulate
from pathlib import Path

import neural_compile as nc
from neural_compile.experiments.campaigns import campaign, write_json

ROOT = Path(__file__).resolve().parent.parent
UNITS = 4  # Of work for a task, with the rows and without
RUNGS = {  # Of two numbers, in this order
    "monus": lambda a, b: max(0, a - b),
    "absdiff": lambda a, b: abs(a - b),
    "equal": lambda a, b: int(a == b),
    "less": lambda a, b: int(a < b),
}


def each(f):
    """Every cell with register 1."""
    return lambda x, r: [f(v, r) for v in x]


def running(f):
    """Every cell with what was made of the one before; the first with register 1."""
    return lambda x, r: list(accumulate(x, f, initial=r))[1:]


def neighbours(f):
    """Every cell but the last with the next."""
    return lambda x, r: [f(v, w) for v, w in zip(x, x[1:])]


TASKS = {
    f"{how.__name__} {name}": how(f)
    for how in (each, running, neighbours)
    for name, f in RUNGS.items()
}


def of_two(name):
    """A rung as a task: of registers 1 and 2, the answer in cell 0."""
    inputs = lambda choose, n, b: ([0] * b, {1: choose(b), 2: choose(b)})
    target = lambda m, r, n, b: [RUNGS[name](r[1], r[2]), *[None] * (b - 1)]
    sizes = dict(cells=1, family=((1, 16), (1, 17)), tests=((1, 24), (1, 25)))
    return nc.Task(name, name, inputs, target, **sizes)


def of_list(name):
    """A task of a list, with register 1 given."""

    def target(memory, r, n, b):
        made = TASKS[name](memory[:n], r[1])
        return made + [None] * (b - len(made))

    inputs = lambda choose, n, b: ([choose(b) for _ in range(b)], {1: choose(b)})
    sizes = dict(family=((2, 8), (4, 32), (9, 17)), tests=((7, 25), (3, 26)))
    return nc.Task(name, name, inputs, target, **sizes)


def ladder():
    """The usual table and the rungs, each found with those before; and what it cost."""
    table, units = nc.INSTRUCTIONS, 0.0
    for name in RUNGS:
        task = of_two(name)
        found = nc.synthesize(task.using(table), space="stores", progress=False)
        best = found.solutions[0].answer
        assert best.verify(task)
        table = (*table, nc.macro(name, best, a="r1", b="r2"))
        units += found.units
    return table, units


def underneath(answer, task):
    """How many lines it has without macros, if it is verified; or why it has not."""
    try:
        made = nc.expand(answer, task)
    except nc.InputError as error:
        return str(error)
    return len(made) if made.verify(task) else "refused by the test"


def searched(task, units):
    """What a search found: expression, units, programs, and lines underneath."""
    done = nc.synthesize(task, space="all", units=units, progress=False)
    right = [c for c in done.solutions if c.answer.verify(task)]
    row = {"units": round(done.units, 3), "programs": done.tried, "found": None}
    if right:
        row["found"] = right[0].expression
        row["lines"] = len(right[0].program)
        row["underneath"] = underneath(right[0].answer, task)
    return row


def measure(settings):
    """The same search with the rows of the ladder, and without."""
    table, cost = ladder()
    task, units = of_list(settings["task"]), settings["units"]
    rows = {
        "with": searched(task.using(table), units),
        "without": searched(task, units),
    }
    return {"ladder": round(cost, 3), **rows}


def main():
    entries = {
        name.replace(" ", "_"): dict(task=name, units=UNITS, rungs=list(RUNGS))
        for name in TASKS
    }
    done = campaign(entries, measure, ROOT / "cells/macros", title="macros")
    write_json(ROOT / "results/macros.json", done)


if __name__ == "__main__":
    main()
