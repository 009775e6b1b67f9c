"""Measure networks: how far they carry, on tasks for development, and their settings.

`python tools/measure_networks.py` writes a file an entry into cells/networks and all of
them into results/networks.json; it can be stopped and started again.
"""

from pathlib import Path

from neural_compile.assembly.suite import sized
from neural_compile.assembly.suites import suites
from neural_compile.experiments.arena import ASKED, SEED, meet, shares
from neural_compile.experiments.campaigns import campaign, write_json
from neural_compile.experiments.networks import BODIES
from neural_compile.experiments.rivals import SEARCHES, Limits, fits
from neural_compile.experiments.trained import CHUNK, Lessons, learn

ROOT = Path(__file__).resolve().parent.parent
TASK = "running_sum"  # Where one is measured
TASKS = "running_sum", "double", "maximum"  # Where shares are taken
RATES = 1e-3, 1e-2  # Beside the one that was chosen
LIMITS = Limits(units=30, seconds=1200)


def lengths(settings):
    """The share right at each number of cells, trained on 1 to 5 of them."""
    task = sized(suites["development"][TASK], base=settings["base"], cells=5)
    limits = Limits(settings["units"], settings["seconds"])
    if settings["rival"] in BODIES:
        answer, losses = learn(settings["rival"], task, limits)
        how = f"{len(losses) * CHUNK} steps, loss {losses[-1]:.4f}"
    else:
        answer, how, _ = SEARCHES["all"](task, limits)
    right = []
    for cells in range(1, task.base + 1):
        given = task.sample(ASKED, seed=SEED, cells=cells)
        right.append([cells, float(fits(answer, given).mean())])
    return {"right": right, "how": how}


def rates(settings):
    """What comes of another learning rate."""
    task, lessons = suites["development"][TASK], Lessons(rate=settings["rate"])
    limits = Limits(settings["units"], settings["seconds"])
    answer, losses = learn(settings["rival"], task, limits, lessons)
    how = f"{len(losses) * CHUNK} steps, loss {losses[-1]:.4f}"
    return {"shares": shares(answer, task), "how": how}


def main():
    limits = LIMITS._asdict()
    rivals = [*BODIES, "program"]
    groups = {
        "lengths": (lengths, {
            rival: dict(limits, rival=rival, task=TASK, base=16) for rival in rivals
        }),
        "tasks": (meet, {
            f"development.{rival}.{task}": dict(
                limits, suite="development", rival=rival, task=task
            )
            for task in TASKS
            for rival in BODIES
        }),
        "settings": (rates, {
            f"{rival}.rate_{rate}": dict(limits, rival=rival, task=TASK, rate=rate)
            for rival in BODIES
            for rate in RATES
        }),
    }
    kept = {}
    for name, (measure, entries) in groups.items():
        kept[name] = campaign(entries, measure, ROOT / f"cells/networks/{name}")
        write_json(ROOT / "results/networks.json", kept)


if __name__ == "__main__":
    main()
