"""Measure how often sorting is found, from sketches and from nothing.

`python tools/measure_sorting.py` writes a file an entry into cells/sorting and all of
them into results/sorting.json; it can be stopped and started again. Each way has ten
keys; by gradient alone it counts only if all of eight restarts sort; a budget of 1 is
`induce`'s own, and a rung of the ladder may spend 60 units.
"""

import time
from pathlib import Path

import jax

from neural_compile.assembly.sketches import parse
from neural_compile.assembly.verification import Clock
from neural_compile.experiments.budgets import restart_step_price
from neural_compile.experiments.campaigns import campaign, write_json
from neural_compile.experiments.induce import induce
from neural_compile.experiments.sorting import COMPARISON, SORTING, ladder
from neural_compile.loss.starts import Start
from neural_compile.loss.training import Training
from neural_compile.loss.tuning import RetireSolved, tune

ROOT = Path(__file__).resolve().parent.parent
KEYS = 10
BODIES = """
    ! read 7 0
outer:
    ! jump 0 end
    ! dec 0 0
    ?
    ?
pass:
    ! jump 1 outer
    ! read 2 3
    ! inc 2 6
    ! read 6 4
    ! max 3 4 5
    ! min 3 4 4
    ! write 6 5
    ! write 2 4
    ?
    ?
    ! jump 7 pass
end:
    ! halt
"""
HORIZON = Clock(0, 130)  # Steps in which the longest lists of training are sorted


def whole(start, key):
    """What `induce` makes of a start."""
    found = induce(SORTING, start=start, key=jax.random.key(key), progress=False)
    return found.answer, found.verified, found.work.units


def rungs(key):
    """What the ladder comes to."""
    climbed = ladder(key)
    task, answer, _ = climbed[-1]
    right = task.name == SORTING.name and answer is not None and answer.verify(task)
    return answer, bool(right), sum(rung.units for rung in climbed)


def tuned(key):
    """What tuning alone makes of the comparison: eight restarts, read by argmax."""
    start, training = Start(parse(COMPARISON), clock=HORIZON), Training(steps=300)
    how = dict(restarts=8, key=jax.random.key(key), watch=RetireSolved())
    found = tune(SORTING, start, training, **how, progress=False)
    right, steps = int(found.strict.sum()), found.losses.shape[1]
    units = 8 * steps * restart_step_price(found.start, SORTING)
    return found.solution, right == 8, units


WAYS = {
    "comparison": lambda key: whole(parse(COMPARISON), key),
    "by gradient": tuned,
    "two bodies": lambda key: whole(parse(BODIES), key),
    "ladder": rungs,
}


def measure(settings):
    """One way with one key."""
    start = time.monotonic()
    answer, right, units = WAYS[settings["way"]](settings["key"])
    seconds = round(time.monotonic() - start, 1)
    text = answer and str(answer.program)
    return dict(strict=right, units=round(units, 2), seconds=seconds, program=text)


if __name__ == "__main__":
    entries = {
        f"{way.replace(' ', '_')}.{key}": dict(way=way, key=key)
        for way in WAYS
        for key in range(KEYS)
    }
    done = campaign(entries, measure, ROOT / "cells/sorting", title="sorting")
    write_json(ROOT / "results/sorting.json", done)
