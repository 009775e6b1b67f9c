"""What enumeration, templates, decoding and learned operations are worth: `python tools/measure_synthesis.py [PART …]`.

Writes results/synthesis.json after every row and leaves out rows that are there already, so it can be stopped and started again. Run it alone on the machine.
Parts: solve, templates, halving, decoding, curriculum."""

import json
import os
import sys
import time
from pathlib import Path

import jax

import neural_compile as nc
from neural_compile.synthesis.abstraction import CURRICULUM, climb
from neural_compile.experiments.induce import SCHEDULE, Round, _attempt, versions
from neural_compile.synthesis.spaces import synthesize
from neural_compile.loss.tuning import tune

PATH = Path(__file__).resolve().parent.parent / "results/synthesis.json"
SOLVE = (
    "inc",
    "map_inc",
    "map_dec",
    "reduce",
    "parity",
    "map_parity",
    "list_parity",
    "access",
    "increment",
    "add",
    "swap",
    "list_k",
    "fibonacci",
    "fibonacci_seeded",
    "sort",
)
SCAN = "loop:\nread 0 3\nadd 2 3 2\nwrite 0 2\ninc 0 0\njump 4 loop"
DECODED = (
    ("fibonacci_seeded", SCAN),
    ("fibonacci_seeded", "map_inc"),
    ("fibonacci_seeded", "random"),
    ("map_dec", "random"),
    ("map_dec", "loop_noop"),
    ("map_parity", "map_inc"),
    ("add", "random"),
)


def cellwise(name: str, f, base: int = 8) -> nc.Task:
    """Cells 0 … n−1 each become f(memory, cell, base); the rest is unchanged."""
    return nc.Task(
        name,
        name,
        lambda choose, n, b: ([choose(b) for _ in range(b)], {}),
        lambda m, r, n, b: [f(m, i, b) % b for i in range(n)] + m[n:],
        base=base,
        cells=4,
        family=((1, base), (4, 2 * base), (8, 2 * base + 1)),
    )


def first(name: str, f) -> nc.Task:
    """M[0] becomes f(memory, base)."""
    return nc.Task(
        name,
        name,
        lambda choose, n, b: ([choose(b) for _ in range(b)], {}),
        lambda m, r, n, b: [f(m, b) % b] + [None] * (b - 1),
        cells=1,
        family=((1, 16), (1, 17)),
    )


# Tasks outside the language, beside those of `nc.TASKS`: what tuning is for.
OUTSIDE = {
    name: nc.TASKS[name] for name in ("fibonacci", "fibonacci_seeded", "access", "add")
} | {
    t.name: t
    for t in (
        cellwise("index", lambda m, i, b: i),
        cellwise("value + index", lambda m, i, b: m[i] + i),
        cellwise("square index", lambda m, i, b: i * i),
        first("difference", lambda m, b: m[0] - m[1]),
        first("value of address 1", lambda m, b: m[m[1]]),
    )
}


def solve(name):
    task, row = nc.TASKS[name], {"task": name}
    for space, settings in (("all", dict(lines=4)), ("assembly", dict(lines=6))):
        found = synthesize(task, space=space, time_limit=60, progress=False, **settings)
        best = found.solutions[0] if found.solutions else None
        row[space] = {
            "seconds": round(found.seconds, 2),
            "tried": found.tried,
            "how": best and best.expression,
            "lines": best and len(best.program),
            "program": best and str(best.program),
            "clock": best and str(best.clock),
            "shortest": found.shortest,
            "exhausted": found.exhausted,
            "left": found.left,
            "stopped": found.stopped,
        }
    return row


def templates(name):
    """Which of the ranked templates lead to an answer, each tuned alone and very briefly, and how soon in the order."""
    task, found = OUTSIDE[name], synthesize(OUTSIDE[name], progress=False)
    for settings in (
        (100, 4, 2000),
        (250, 16, 20_000),
    ):  # More where so little solves nothing
        steps, restarts, samples = settings
        hits = [
            _attempt(
                task,
                t,
                Round(1, steps, restarts),
                jax.random.key(k),
                float("inf"),
                False,
                samples=samples,
            )[1]
            is not None
            for k, t in enumerate(found.templates)
        ]
        if any(hits):
            break
    m, s = len(hits), sum(hits)
    return {
        "task": name,
        "steps": steps,
        "restarts": restarts,
        "samples": samples,
        "templates": [t.expression for t in found.templates],
        "solved": hits,
        "first": 1 + hits.index(True) if s else None,
        "random_order": round((m + 1) / (s + 1), 2) if s else None,
    }


def halving(name_key):
    """Seconds to an answer by tuning alone, with successive halving and with equal shares of the same work."""
    name, key = name_key.rsplit(" ", 1)
    row, equal = (
        {"task": name, "key": int(key)},
        (
            Round(
                SCHEDULE[0].starts,
                sum(r.starts * r.steps for r in SCHEDULE) // SCHEDULE[0].starts,
            ),
        ),
    )
    for way, schedule in (("halving", SCHEDULE), ("equal", equal)):
        start = time.perf_counter()
        found = nc.induce(
            OUTSIDE[name],
            space="language",
            schedule=schedule,
            key=jax.random.key(int(key)),
            progress=False,
        )
        row[way] = {
            "seconds": round(time.perf_counter() - start, 2),
            "verified": bool(found.verified),
            "how": found.how,
            "attempts": len(found.attempts),
        }
    return row


def decoding(number):
    """Of 16 restarts, how many are solved in about equal seconds: argmax of longer tuning, search without tuning, and search from tuned weights."""
    name, init = DECODED[int(number)]
    task, key, init = (
        nc.TASKS[name],
        jax.random.key(7),
        nc.parse(init) if init == SCAN else init,
    )
    timed = lambda call: (lambda start: (call(), time.perf_counter() - start))(
        time.perf_counter()
    )
    run = lambda steps: tune(
        task, init, restarts=16, steps=steps, key=key, retire=False, progress=False
    )
    search = lambda weights, samples, clock, **how: {
        d.restart
        for d in nc.decode(
            weights, task, samples=samples, key=jax.random.key(3), clock=clock, **how
        )
    }
    run(50)
    tuned, tuning_s = timed(lambda: run(750))
    search(tuned.controllers, 100, tuned.clock)
    both, search_s = timed(lambda: search(tuned.snapshots, 200_000, tuned.clock))
    longer, longer_s = timed(lambda: run(int(750 * (tuning_s + search_s) / tuning_s)))
    _, probe_s = timed(lambda: search(tuned.untuned, 200_000, tuned.clock))
    control, control_s = timed(
        lambda: search(
            tuned.untuned, int(200_000 * (tuning_s + search_s) / probe_s), tuned.clock
        )
    )
    powers = {
        f"{p:.2f}": len(
            search(tuned.controllers, 200_000, tuned.clock, power=p, likeliest=1)
        )
        for p in (1, 0.5, 1 / 3)
    }
    return {
        "task": name,
        "start": "scan" if not isinstance(init, str) else init,
        "argmax": int(longer.strict.sum()),
        "argmax_s": round(longer_s, 1),
        "untuned": len(control),
        "untuned_s": round(control_s, 1),
        "both": len(both),
        "both_s": round(tuning_s + search_s, 1),
        "tuned_only": len(search(tuned.controllers, 200_000, tuned.clock)),
        "drawn": {
            t: len(
                search(
                    tuned.controllers, 200_000, tuned.clock, likeliest=0, temperature=t
                )
            )
            for t in (2, 4)
        },
        "powers": powers,
    }


def curriculum(number):
    """The n-th task of the curriculum: alone up to a cost of 8, and with what was learned before it."""
    n = int(number)
    *_, helped = climb(CURRICULUM[: n + 1], cost=6, alone=False, progress=False)
    alone = synthesize(
        CURRICULUM[n], space="stores", cost=8, time_limit=120, progress=False
    )
    return {
        "task": helped["task"],
        "operations": helped["operations"],
        "helped": helped["helped"],
        "alone": {
            "cost": alone.solutions[0].size - 1 if alone.solutions else None,
            "tried": alone.tried,
            "seconds": round(alone.seconds, 2),
            "stopped": alone.stopped or alone.left,
        },
    }


PARTS = {
    "solve": (solve, SOLVE),
    "templates": (templates, OUTSIDE),
    "halving": (halving, [f"{name} {key}" for name in OUTSIDE for key in range(3)]),
    "decoding": (decoding, [str(n) for n in range(len(DECODED))]),
    "curriculum": (curriculum, [str(n) for n in range(len(CURRICULUM))]),
}

if __name__ == "__main__":
    wanted = sys.argv[1:] or list(PARTS)
    if unknown := set(wanted) - set(PARTS):
        sys.exit(
            f"unknown part: {', '.join(unknown)}. The parts are: {', '.join(PARTS)}."
        )
    nc.use_cores()
    data = json.loads(PATH.read_text()) if PATH.exists() else {}
    for part in wanted:
        measure, rows = PARTS[part]
        for name in rows:
            if name in data.setdefault(part, {}):
                continue
            data[part][name] = measure(name)
            data["command"], data["versions"] = (
                "python tools/measure_synthesis.py",
                versions(),
            )
            scratch = PATH.with_suffix(".part")
            scratch.write_text(json.dumps(data, indent=1) + "\n")
            os.replace(scratch, PATH)
            print(part, name, json.dumps(data[part][name])[:300], flush=True)
