"""Wall-clock of `nc.induce` for each task it solves and five keys: `python tools/time_to_answer.py FILE.jsonl [LABEL]`.

Appends a line a run to FILE and leaves out runs that are there already. To compare two versions, run it on each, alone on the machine."""

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

if __name__ == "__main__":
    path, label = (
        Path(sys.argv[1]),
        sys.argv[2] if len(sys.argv) > 2 else nc.__version__,
    )
    done = (
        [json.loads(row) for row in path.read_text().splitlines()]
        if path.exists()
        else []
    )
    seen = {(row["label"], row["task"], row["key"]) for row in done}
    nc.use_cores()
    with path.open("a") as file:
        for key in KEYS:
            for task in TASKS:
                if (label, task, key) in seen:
                    continue
                start = time.perf_counter()
                found = nc.induce(
                    nc.TASKS[task], key=jax.random.key(key), progress=False
                )
                row = {
                    "label": label,
                    "task": task,
                    "key": key,
                    "seconds": round(time.perf_counter() - start, 2),
                    "verified": bool(found.verified),
                    "how": found.how,
                }
                file.write(json.dumps(row) + "\n")
                file.flush()
