"""Measure how long `nc.induce` takes for each task it solves, with five keys.

`python tools/time_to_answer.py FILE.jsonl [LABEL]` appends a line a run to FILE and
leaves out runs that are there already. To compare two versions, run it on each, alone
on the machine.
"""

import json
import sys
import time
from pathlib import Path

import jax

import neural_compile as nc

TASKS = (
    "inc",
    "map_inc",
    "map_dec",
    "reduce",
    "parity",
    "map_parity",
    "list_parity",
    "fibonacci",
    "fibonacci_seeded",
    "access",
    "add",
)
KEYS = range(5)


def measured(task: str, key: int, label: str) -> dict:
    """One run as a row."""
    start = time.perf_counter()
    found = nc.induce(nc.TASKS[task], key=jax.random.key(key), progress=False)
    return {
        "label": label,
        "task": task,
        "key": key,
        "seconds": round(time.perf_counter() - start, 2),
        "verified": bool(found.verified),
        "how": str(found.how),
    }


def main(path: Path, label: str):
    """Append the runs that are not there yet."""
    lines = path.read_text().splitlines() if path.exists() else []
    rows = [json.loads(line) for line in lines]
    seen = {(row["label"], row["task"], row["key"]) for row in rows}
    nc.use_cores()
    with path.open("a") as file:
        for key in KEYS:
            for task in TASKS:
                if (label, task, key) in seen:
                    continue
                file.write(json.dumps(measured(task, key, label)) + "\n")
                file.flush()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("Name a file: python tools/time_to_answer.py FILE.jsonl [LABEL]")
    main(Path(sys.argv[1]), (sys.argv[2:] or [nc.__version__])[0])
