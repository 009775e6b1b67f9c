"""Measure how fast a layer is, beside the reference and beside machines of others.

`python tools/measure_peers.py FOLDER` writes results/peers.json. Run it alone on the
machine. FOLDER holds clones `dmci` (github.com/sheneman/dmci) and `relaxed-machines`
(github.com/namin/relaxed-machines), and an environment `venv` with what they need:
torch, numpy, scipy; jax, dm-haiku, optax, tqdm, absl-py. Examples a second, forwards
and backwards, on one core; all is measured three times in turn, the fastest counts.
"""

import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROUNDS, SECONDS = 3, 3.0  # Rounds of all; seconds for each way in a round
LIST, BATCH = 8, 32
SUM = "loop:\nread 0 1\nadd 2 1 2\ninc 0 0\njump 3 loop"
PEERS = "dmci", "relaxed-machines"


def per_second(call, examples):
    """How many examples a second, at the fastest call."""
    call()
    fastest, end = float("inf"), time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        start = time.perf_counter()
        call()
        fastest = min(fastest, time.perf_counter() - start)
    return round(examples / fastest, 1)


def sums(use=None):
    """Sums of lists of eight digits in base 10: gradients to distributions."""
    import jax

    import neural_compile as nc
    from neural_compile.interpreter.equations import run
    from neural_compile.layers.reading import into_memory

    if use:
        nc.use_cores(use)
    clock = nc.Clock(4)
    layer = nc.Layer(nc.parse(SUM), base=10, clock=clock, read="r2")
    x = jax.nn.softmax(jax.random.normal(jax.random.key(0), (BATCH, LIST, 10)))
    cost = lambda p: -nc.log_probabilities(p)[..., 1].sum()

    def slow(x):
        one = lambda memory: run(layer.controller, memory, steps=clock.steps(LIST))
        return cost(jax.vmap(one)(into_memory(x, 10)).registers[:, 2])

    found, ways = {}, {"layer": lambda x: cost(layer(x)), "reference": slow}
    for name, way in ways.items():
        slope = jax.jit(jax.grad(way))
        call = lambda: jax.block_until_ready(slope(x))
        found[f"{name}, {BATCH} at once"] = per_second(call, BATCH)
    return found


def small():
    """Base 3, two registers, nine lines, 22 steps: gradients to the program."""
    import jax
    import jax.numpy as jnp

    import neural_compile as nc

    weights = nc.random_controller(nc.Machine(3, 2, 9), key=jax.random.key(0))

    def loss(weights, x):
        layer = nc.Layer(weights, clock=nc.Clock(0, 22), read="r1")
        return -nc.log_probabilities(layer(x))[..., 1].sum()

    slope, found = jax.jit(jax.grad(loss)), {}
    for count in (1, BATCH):
        x = jnp.ones((count, 2), int)
        call = lambda: jax.block_until_ready(slope(weights, x))
        found[f"layer, {count} at once"] = per_second(call, count)
    return found


def dmci():
    """The sum of a list in Scheme: gradients to numbers, not to distributions."""
    import torch
    from neural_compiler.compiler import compile_program, compile_scheme
    from neural_compiler.evaluator import evaluate, evaluate_batched
    from neural_compiler.runtime.tagged_value import make_float, unwrap_number

    torch.set_num_threads(1)
    names = [f"d{k}" for k in range(LIST)]
    x = torch.rand(BATCH, LIST, requires_grad=True)
    straight = names[-1]
    for name in names[-2::-1]:
        straight = f"(+ {name} {straight})"
    total = "(define (sum xs) (if (null? xs) 0 (+ (car xs) (sum (cdr xs)))))"
    program, inputs = f"{total} (sum (list {' '.join(names)}))", dict.fromkeys(names)
    graph, loop = compile_scheme(straight, inputs), compile_program(program, inputs)

    def batched():
        given = {name: x[:, k] for k, name in enumerate(names)}
        evaluate_batched(graph, given).sum().backward()

    def one():
        given = {name: make_float(x[0, k]) for k, name in enumerate(names)}
        unwrap_number(evaluate(loop, given)).backward()

    return {
        f"a sum without a loop, {BATCH} at once": per_second(batched, BATCH),
        "a list with recursion, 1 at once": per_second(one, 1),
    }


def relaxed_machines():
    """Its addition by increments: base 3, two registers, nine lines, 22 steps."""
    import haiku as hk
    import jax
    from absl import flags

    machine = importlib.import_module("reg_jmp")
    flags.FLAGS(["reg_jmp"])
    example = machine.train_data_add_by_inc()[4]
    init, loss = hk.without_apply_rng(hk.transform(machine.sequence_loss))
    weights = init(jax.random.key(0), example)
    slope = jax.jit(jax.grad(loss))
    one = lambda: jax.block_until_ready(slope(weights, example))
    return {"every state compared, 1 at once": per_second(one, 1)}


PARTS = {
    "sums of eight": sums,
    "sums of eight, after use_cores()": lambda: sums(use=1),
    "dmci": dmci,
    "nine lines": small,
    "relaxed-machines": relaxed_machines,
}


def in_child(name, folder):
    """What a part measures, in a process of its own."""
    peer = name in PEERS
    python = folder / "venv/bin/python" if peer else sys.executable
    command = [python, __file__, folder / name if peer else folder, name]
    said = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(said.stdout.splitlines()[-1])


def as_child(name, folder):
    """Measure a part on one core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    sys.path.insert(0, str(folder))
    print(json.dumps(PARTS[name]()))


def commit(clone):
    """The commit of a clone."""
    command = ["git", "-C", clone, "rev-parse", "HEAD"]
    said = subprocess.run(command, check=True, capture_output=True, text=True)
    return said.stdout.strip()


def main(folder):
    from neural_compile.experiments.campaigns import versions, write_json

    rounds = [{name: in_child(name, folder) for name in PARTS} for _ in range(ROUNDS)]
    fastest = lambda name, way: max(found[name][way] for found in rounds)
    speeds = {n: {way: fastest(n, way) for way in rounds[0][n]} for n in PARTS}
    commits = {name: commit(folder / name) for name in PEERS}
    record = {"examples_per_s": speeds, "commits": commits, "versions": versions()}
    write_json(ROOT / "results/peers.json", record)
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    match [Path(sys.argv[1]).resolve() if sys.argv[1:] else None, *sys.argv[2:]]:
        case [Path() as folder]:
            main(folder)
        case [Path() as folder, name]:
            as_child(name, folder)
        case _:
            sys.exit(__doc__)
