"""Measure how walks over programs should go, on recurrences for development.

`python tools/measure_walks.py` writes a file an entry into cells/walks and all of them
into results/walking.json; it can be stopped and started again. Programs are counted,
not seconds: of each task, with three seeds, how many were run until one was accepted.
"""

from pathlib import Path

from neural_compile.assembly.suites import suites
from neural_compile.experiments.campaigns import campaign, write_json
from neural_compile.loss.decoding import Walk
from neural_compile.synthesis.spaces import synthesize
from neural_compile.synthesis.walks import Walks

ROOT = Path(__file__).resolve().parent.parent
MOST = 1_000_000  # Programs for a task and a seed
VARIED = {  # Beside the defaults, one thing at a time
    "defaults": {},
    "lines 6": dict(lines=[6]),
    "lines 8": dict(lines=[8]),
    "lines 12": dict(lines=[12]),
    "temperature 1": dict(temperature=1.0),
    "temperature 2": dict(temperature=2.0),
    "length 5000": dict(length=5_000),
    "examples 12": dict(examples=12),
    "trained sizes": dict(sizes="trained"),
}


def measure(settings):
    """How many programs were run for each task, and whether one was verified."""
    own = dict(settings["search"])
    rule = {n: own.pop(n) for n in ("temperature", "examples", "sizes") if n in own}
    if "lines" in own:
        own["lines"] = tuple(own["lines"])
    found = {}
    for name, task in suites["recurrences"].items():
        rows = []
        for seed in range(settings["seeds"]):
            walk = Walk(guided=0.0, patience=5000, **rule)
            search = Walks(programs=MOST, walk=walk, seed=seed, **own)
            done = synthesize(task, space=[search], progress=False)
            right = [c for c in done.solutions if c.answer.verify(task)]
            rows.append([done.tried, bool(done.solutions), bool(right)])
        found[name] = rows
    return found


def main():
    entries = {
        name.replace(" ", "_"): dict(search=search, seeds=3, most=MOST)
        for name, search in VARIED.items()
    }
    done = campaign(entries, measure, ROOT / "cells/walks", title="walks")
    write_json(ROOT / "results/walking.json", done)


if __name__ == "__main__":
    main()
