"""Measure how populations should go, on recurrences for development.

`python tools/measure_populations.py` writes a file an entry into cells/populations and
all of them into results/populations.json; it can be stopped and started again. Programs
are counted, not seconds: of each task, two runs over programs of eight lines, how many
were run, the most points, and those of a program that is right.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from neural_compile.assembly.suites import suites
from neural_compile.experiments.campaigns import campaign, write_json
from neural_compile.experiments.populations import CrossEntropy, Evolution
from neural_compile.synthesis.breeding import Genetic
from neural_compile.synthesis.walks import Uniform, Walks, ground_of

ROOT = Path(__file__).resolve().parent.parent
LINES, MOST, SEEDS = 8, 60_000, 2
WAYS = {way.kind: way for way in (Uniform, Walks, Genetic, CrossEntropy, Evolution)}
VARIED = {  # Beside the defaults, one thing at a time
    "uniform": [{}],
    "walks": [{}],
    "genetic": [
        {},
        dict(population=50),
        dict(population=1000),
        dict(crossing=0.0),
        dict(crossing=0.9),
        dict(mutating=0.5),
        dict(tournament=4),
    ],
    "cross-entropy": [
        {},
        dict(rate=0.1),
        dict(rate=0.7),
        dict(samples=1000, elite=50),
        dict(least=0.0),
        dict(least=0.1),
    ],
    "evolution": [
        {},
        dict(rate=3.0),
        dict(rate=30.0),
        dict(samples=1000),
    ],
}


def measure(settings):
    """Programs run, most points and all points, for each task and seed."""
    way = WAYS[settings["way"]](**settings["how"])
    found = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, task in suites["recurrences"].items():
            ground = ground_of(task, settings["lines"])
            run = lambda k: way.run(ground, [k], settings["most"])
            ends = pool.map(run, range(settings["seeds"]))
            found[name] = [[e.tried, int(e.peak), int(e.whole)] for e in ends]
    return found


def main():
    about = dict(lines=LINES, most=MOST, seeds=SEEDS)
    entries = {}
    for way, each in VARIED.items():
        for how in each:
            words = "_".join(f"{k}_{v}" for k, v in how.items())
            entries[f"{way}.{words}".rstrip(".")] = dict(way=way, how=how, **about)
    done = campaign(entries, measure, ROOT / "cells/populations", title="populations")
    write_json(ROOT / "results/populations.json", done)


if __name__ == "__main__":
    main()
