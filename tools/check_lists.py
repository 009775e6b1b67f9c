"""Check our rules on lists against the examples that their authors recorded.

`python tools/check_lists.py FILE` reads data/list_tasks.json of DreamCoder's repository
(github.com/ellisk42/ec) and writes results/lists.json: how many tasks and examples
there are, and how many our rules get right. The file is not part of this project.
"""

import json
import sys
from pathlib import Path

from neural_compile.assembly.lists import LISTS

RESULTS = Path(__file__).resolve().parent.parent / "results"
BASE = 64


def cells(x):
    """A list with its length before it, or a number, as the tasks have it in memory."""
    return [len(x), *map(int, x)] if isinstance(x, list) else [int(x)]


def fits(example):
    """Whether what is given and what is wanted are numbers from 0 to 63."""
    numbers = [*cells(example["i"]), *cells(example["o"])]
    return all(0 <= v < BASE for v in numbers)


def right(task, example):
    """Whether our rule gives the recorded output."""
    given, wanted = cells(example["i"]), cells(example["o"])
    memory = given + [0] * (BASE - len(given))
    told = task.target(memory, {}, len(given), BASE)
    return [v for v in told if v is not None] == wanted


def counted(originals):
    """What there is, and what our rules make of it."""
    ours = {task.summary: task for task in LISTS.values()}
    pairs = [(ours[t["name"]], t) for t in originals if t["name"] in ours]
    asked = [(mine, e) for mine, t in pairs for e in t["examples"] if fits(e)]
    return {
        "original": [len(originals), sum(len(t["examples"]) for t in originals)],
        "here": [len(pairs), sum(len(t["examples"]) for _, t in pairs)],
        "fitting": [len({mine.name for mine, _ in asked}), len(asked)],
        "wrong": sum(not right(mine, e) for mine, e in asked),
        "missing": sorted(t["name"] for t in originals if t["name"] not in ours),
    }


if __name__ == "__main__":
    found = counted(json.loads(Path(sys.argv[1]).read_text()))
    (RESULTS / "lists.json").write_text(json.dumps(found, indent=1) + "\n")
    print(found)
