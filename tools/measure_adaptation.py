"""Measure how far programs adapt to biased inputs: walks and gradients, at equal work.

`python tools/measure_adaptation.py` writes a file an entry into cells/adaptation and
all of them into results/adaptation.json; it can be stopped and started again.
"""

from pathlib import Path

from neural_compile.experiments.adaptation import ADAPTED, WAYS, adapt
from neural_compile.experiments.campaigns import campaign, write_json

ROOT = Path(__file__).resolve().parent.parent
UNITS, SEEDS = 5.0, 3  # Of work for a way, a task and a seed


def measure(settings):
    """Steps before and after, and on what share of inputs the outcome is right."""
    row = ADAPTED[settings["task"]]
    how = {name: settings[name] for name in ("way", "units", "seed")}
    done = adapt(row.answer, row.task, plain=row.plain, progress=False, **how)
    return {
        "steps": list(done.steps),
        "lines": [len(done.before), len(done.answer)],
        "inputs": [done.how, done.inputs],
        "share": done.share,
        "plain": done.plain,
        "program": str(done.answer.program),
    }


def main():
    entries = {
        f"{name}.{way}.{seed}": dict(task=name, way=way, units=UNITS, seed=seed)
        for name in ADAPTED
        for way in WAYS
        for seed in range(SEEDS)
    }
    done = campaign(entries, measure, ROOT / "cells/adaptation", title="adaptation")
    write_json(ROOT / "results/adaptation.json", done)


if __name__ == "__main__":
    main()
