"""Measure how much shorter, and how much faster, real programs can be made.

`python tools/measure_shortening.py` writes a file an entry into cells/shortening and
all of them into results/shortening.json; it can be stopped and started again.
Programs: the seven listings of the paper, each with a task for what it does, and six
that halt, which are written by hand.
"""

from dataclasses import asdict, replace
from pathlib import Path

from neural_compile.assembly.answers import Answer
from neural_compile.assembly.parsing import parse
from neural_compile.assembly.suite import TASKS
from neural_compile.assembly.tasks import Task
from neural_compile.assembly.verification import Clock
from neural_compile.experiments.adaptation import ADAPTED
from neural_compile.experiments.campaigns import campaign, write_json
from neural_compile.synthesis.pace import COSTS, mean_steps
from neural_compile.synthesis.shortening import shorten

ROOT = Path(__file__).resolve().parent.parent
MOST, SEEDS = 1_000_000, 3  # Programs for a goal and a seed
ONE = dict(base=8, cells=1, family=((1, 16), (1, 18)), tests=((1, 24), (1, 26)))
THREE = dict(base=8, cells=3, family=((3, 16), (3, 18)), tests=((3, 24), (3, 26)))


def on_registers(name, given, target, **sizes):
    """A task on random memory; `given` makes registers from `choose` and the base."""
    inputs = lambda choose, n, b: ([choose(b) for _ in range(b)], given(choose, b))
    return Task(name, name, inputs, target, **sizes)


COND = on_registers(  # Register 1 is 0 then
    "cond: M[r4] becomes 0 if r2 is even; r3 is 2",
    lambda choose, b: {2: choose(b), 3: 2, 4: choose(b)},
    lambda m, r, n, b: [0 if k == r[4] and r[2] % 2 == 0 else m[k] for k in range(b)],
    **ONE,
)
LOOP = on_registers(
    "loop: memory stays", lambda choose, b: {}, lambda m, r, n, b: m, **ONE
)
FILTER = on_registers(
    "filter: cells 0 to 2 modulo 2; r4 and r6 are 2",
    lambda choose, b: {4: 2, 6: 2},
    lambda m, r, n, b: [v % 2 for v in m[:3]] + m[3:],
    registers=7,
    **THREE,
)
SUM = replace(TASKS["reduce"], **{k: THREE[k] for k in ("family", "tests")})
LISTED = {  # Of the paper, in tests/programs: a task, and when it is read
    "access": (TASKS["access"], Clock(halts=True)),
    "map": (TASKS["map_inc"], Clock(5)),
    "sum": (SUM, Clock(0, 21)),
    "fibonacci": (TASKS["fibonacci"], Clock(6, 1)),
    "cond": (COND, Clock(0, 4)),
    "loop": (LOOP, Clock(0, 4)),
    "filter": (FILTER, Clock(0, 21)),
}
BY_HAND = [name for name in ADAPTED if name != "access"]  # It is among the listings


def given(name):
    """A program with its clock, and its task."""
    if name in ADAPTED and name not in LISTED:
        return ADAPTED[name].answer, ADAPTED[name].plain
    task, clock = LISTED[name]
    text = (ROOT / f"tests/programs/{name}.asm").read_text()
    return Answer(parse(text), clock, task.constants), task


def measure(settings):
    """Lines and steps of a program as it is given, simplified, and found."""
    answer, task = given(settings["program"])
    how = {name: settings[name] for name in ("goal", "programs", "seed")}
    done = shorten(answer, task, progress=False, **how)
    ways = dict(given=answer, simplified=answer.simplify(task), found=done.answer)
    return {
        **{n: dict(lines=len(x), steps=mean_steps(x, task)) for n, x in ways.items()},
        "program": str(done.answer.program),
        "clock": asdict(done.answer.clock),
        "verified": bool(done.verdict),
        "proof": done.proof,
        "tried": done.programs,
        "refused": done.refused,
        "trail": [list(point) for point in done.trail],
    }


def main():
    entries = {
        f"{name}.{goal}.{seed}": dict(program=name, goal=goal, programs=MOST, seed=seed)
        for name in (*LISTED, *BY_HAND)
        for goal in COSTS
        for seed in range(SEEDS)
    }
    done = campaign(entries, measure, ROOT / "cells/shortening", title="shortening")
    write_json(ROOT / "results/shortening.json", done)


if __name__ == "__main__":
    main()
