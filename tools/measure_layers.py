"""Measure joint learning of perception and program, and its rivals, on digits.

`python tools/measure_layers.py [--keys N] [PART …]` writes a file a cell into
cells/layers and all of them into results/layers.json; it can be stopped and started
again, and with more keys. Run it alone on the machine. The parts: unknown, folds,
known, few, more, library, rivals.
"""

import os
import time
from argparse import ArgumentParser
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import equinox as eqx
import jax
import layer_rivals
import numpy as np
from sklearn.datasets import load_digits

import neural_compile as nc
from neural_compile.experiments.campaigns import campaign, write_json
from neural_compile.layers.folds import folds
from neural_compile.layers.seen import exact_answers

ROOT = Path(__file__).resolve().parent.parent
TABLE = tuple(i for i in nc.INSTRUCTIONS if i.name not in ("write", "halt"))
LENGTHS = range(1, 17)
SECONDS = 60  # Of training, for each rival
SHOWN = 1257  # Pictures to learn from; the others are for testing


class Task(NamedTuple):
    """A fold: what there is so far and one digit more give what there is then."""

    so_far: object  # (so far, digit) → so far
    base: int = 10
    lengths: tuple = (1, 2, 3)
    constants: tuple = ()  # Registers at the start
    begin: int = 0
    lines: int = 6


TASKS = {
    "sum": Task(lambda a, d: (a + d) % 10),
    "maximum": Task(max),
    "minimum": Task(min, begin=9),
    "alternating": Task(lambda a, d: (d - a) % 10),
    "threes": Task(lambda a, d: min(a + (d == 3), 9)),
    "product": Task(lambda a, d: a * d % 10, begin=1),
    "sum mod 2": Task(lambda a, d: (a + d) % 2, base=4, constants=(0, 0, 0, 0, 2)),
    "sum mod 3": Task(lambda a, d: (a + d) % 3, base=3),
}


def answer_of(task):
    """What is wanted for a list of digits."""

    def answer(digits):
        so_far = task.begin
        for digit in digits:
            so_far = task.so_far(so_far, digit)
        return so_far

    return answer


def equal(digits):
    """Whether two digits are the same."""
    return int(digits[0] == digits[1])


def pictures():
    """Pictures and labels to learn from, and to test with."""
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    parts = np.split(order, [SHOWN])
    return [((images[p] / 16).astype(np.float32), labels[p]) for p in parts]


def drawn(part, answer, count, lengths, seed):
    """Lists of the pictures to learn from (part 0) or to test with (1)."""
    rng = np.random.default_rng([seed, part])
    return nc.draw_lists(*pictures()[part], answer, count, lengths=lengths, rng=rng)


def maker(values):
    """Makes the network in front: one hidden layer, a logit a value."""
    return lambda key: eqx.nn.MLP(64, values, 64, 1, key=key)


def reading_of(task, lines):
    """Answers are read in register 2; nothing is written and nothing halts."""
    machine = nc.Machine(task.base, 5, lines, TABLE)
    return nc.Reading(machine, nc.Clock(lines), "r2", task.constants)


def named(see):
    """What a network mostly calls each digit, and the share that it calls so."""
    images, labels = pictures()[1]
    seen, counts = see(images), np.zeros((10, 20), int)
    np.add.at(counts, (labels, seen), 1)
    return counts.argmax(1), counts.max(1).sum() / len(labels)


def is_strict(program, names, reading, answer, lengths=LENGTHS):
    """Whether a program is right on 1,000 lists of digits of each length, so named."""
    rng = np.random.default_rng(9)
    for n in lengths:
        digits = rng.integers(0, 10, (1000, n))
        wanted = [answer(row) for row in digits.tolist()]
        said = exact_answers(program, names[digits], np.full(1000, n), reading)
        if said.tolist() != wanted:
            return False
    return True


def by_length(right, answer, seed):
    """The share right of 1,000 lists of each length, of pictures to test with."""
    tests = {n: drawn(1, answer, 1000, (n,), 100 + seed) for n in LENGTHS}
    return {str(n): round(right(lists), 4) for n, lists in tests.items()}


def judged(joint, answer, seed, lengths=LENGTHS):
    """A joint learning as a record."""
    names, share = named(joint.see)
    about = names, joint.reading, answer, lengths
    program = joint.answer.program
    record = {
        "strict": is_strict(program, *about),
        "right": round(float(joint.shares[joint.best]), 4),
        "digits": round(float(share), 4),
        "names": names.tolist(),
        "program": str(program),
        "found": len(joint.programs),
        "close": len(joint.explanations),
    }
    if lengths is LENGTHS:
        record["accuracy"] = by_length(joint.right, answer, seed)
    return record


def learn(lists, see, reading, key, **how):
    """Joint learning, and the seconds it took."""
    begin = time.monotonic()
    key = jax.random.key(key)
    joint = nc.tune_jointly(lists, see, reading, key=key, progress=False, **how)
    assert joint.best >= 0  # Choosing is part of it
    return joint, round(time.monotonic() - begin, 1)


def unknown(s):
    """Network and program from random weights; lists of one among the lists."""
    task, answer = TASKS[s["task"]], answer_of(TASKS[s["task"]])
    lists = drawn(0, answer, s["lists"], task.lengths, s["key"])
    how = lists, maker(task.base), reading_of(task, task.lines), s["key"]
    joint, seconds = learn(*how)
    return {**judged(joint, answer, s["key"]), "seconds": seconds}


def without_ones(s):
    """Lists of two and three; candidates are folds of at most two lines."""
    task, answer = TASKS[s["task"]], answer_of(TASKS[s["task"]])
    lists = drawn(0, answer, s["lists"], (2, 3), s["key"])
    reading, begin = reading_of(task, 5), time.monotonic()
    candidates = folds(reading, lists)
    enumerated = round(time.monotonic() - begin, 1)
    how = lists, maker(task.base), reading, s["key"]
    joint, seconds = learn(*how, program=candidates)
    record = judged(joint, answer, s["key"])
    spent = {"seconds": round(seconds + enumerated, 1), "enumerated": enumerated}
    return {**record, **spent, "candidates": len(candidates)}


SUM = "loop:\nread 0 1\nadd 2 1 2\ninc 0 0\njump 3 loop"


def known(s):
    """The program is known, and all lists are of two."""
    task, answer = TASKS["sum"], answer_of(TASKS["sum"])
    lists = drawn(0, answer, s["lists"], (2,), s["key"])
    reading = reading_of(task, 4)
    program = nc.parse(SUM, TABLE)
    joint, seconds = learn(lists, maker(10), reading, s["key"], program=program)
    return {**judged(joint, answer, s["key"]), "seconds": seconds}


def library(s):
    """A network and a program from sums; then other tasks, from few lists each."""
    key, answers = s["key"], {name: answer_of(task) for name, task in TASKS.items()}
    reading = reading_of(TASKS["sum"], 6)
    sums = drawn(0, answers["sum"], 3000, (1, 2, 3), key)
    first, _ = learn(sums, maker(10), reading, key)
    record = {"first": judged(first, answers["sum"], key, lengths=range(1, 9))}
    tests = drawn(1, answers["sum"], 1000, (3,), 100 + key)
    again = nc.Start(first.answer)  # Tuned from the program of sums, with noise
    ways = {
        "from nothing": (maker(10), None),
        "known digits": (lambda _: first.network, None),
        "begun from the sum": (maker(10), again),
        "both": (lambda _: first.network, again),
    }
    twice = reading._replace(clock=nc.Clock(0, 6), constants=(0, 0, 0, 0, 1))
    for name in s["tasks"]:
        pairs = name == "equal"
        lengths, tested = ((2,), [2]) if pairs else ((1, 2, 3), LENGTHS)
        answer, how = answers.get(name, equal), twice if pairs else reading
        lists = drawn(0, answer, s["lists"], lengths, key)
        for way, (see, program) in ways.items():
            if pairs and program:
                continue  # It has no loop
            joint, seconds = learn(lists, see, how, key, program=program)
            kept = judged(joint, answer, key, tested)
            after = afterwards(first, joint, tests)
            record[f"{name}, {way}"] = {**kept, "seconds": seconds, "sums": after}
    return record


def afterwards(first, later, tests):
    """The share of sums that are right with a later network in front."""
    shape = tests.pictures.shape
    seen = later.see(tests.pictures.reshape(-1, shape[2])).reshape(shape[:2])
    said = exact_answers(first.answer.program, seen, tests.lengths, first.reading)
    return float((said == tests.answers).mean())


OPERATED = """
read 0 1
inc 0 0
read 0 3
inc 0 0
read 0 4
mul 3 4 3
add 1 3 2
"""


def operator_pictures(count, rng):
    """Plus (1) and minus (9) signs of 8 × 8, moved by a pixel or none, with noise."""
    kinds, moves = rng.choice([1, 9], count), rng.integers(-1, 2, (count, 2))
    drawn = np.zeros((count, 8, 8), np.float32)
    drawn[:, 3:5, 1:7] = 1
    drawn[kinds == 1, 1:7, 3:5] = 1
    moved = [np.roll(x, move, (0, 1)) for x, move in zip(drawn, moves)]
    noisy = np.stack(moved) + rng.normal(0, 0.2, drawn.shape)
    return noisy.clip(0, 1).astype(np.float32).reshape(count, 64), kinds


def operated(part, count, seed):
    """Lists of a digit, an operator and a digit, and what they come to modulo 10."""
    rng = np.random.default_rng([seed, part])
    images, labels = pictures()[part]
    rows = rng.choice(len(labels), (count, 2))
    signs, kinds = operator_pictures(count, rng)
    shown = np.stack([images[rows[:, 0]], signs, images[rows[:, 1]]], axis=1)
    answers = (labels[rows[:, 0]] + kinds * labels[rows[:, 1]]) % 10
    return nc.Lists(shown, np.full(count, 3), answers)


def operators(s):
    """Add and subtract by a picture of the operator; the program is known."""
    machine = nc.Machine(10, 5, 7, TABLE)
    reading, program = nc.Reading(machine, nc.Clock(0, 7), "r2"), nc.parse(OPERATED)
    lists, key = operated(0, s["lists"], s["key"]), s["key"]
    joint, seconds = learn(lists, maker(10), reading, key, program=program)
    right, share = joint.right(operated(1, 1000, 100 + key)), named(joint.see)[1]
    return {"right": right, "digits": round(float(share), 4), "seconds": seconds}


def rival(s):
    """Another way to learn, for as many seconds on one core."""
    task, answer, key = TASKS[s["task"]], answer_of(TASKS[s["task"]]), s["key"]
    lists = drawn(0, answer, s["lists"], (1, 2, 3), key)
    model = layer_rivals.make_rival(s["rival"], task.so_far, jax.random.key(key))
    how = lists, s["seconds"], jax.random.key(key)
    model, steps = layer_rivals.train_rival(model, *how)
    right = lambda lists: layer_rivals.share_right(model, lists)
    return {"accuracy": by_length(right, answer, key), "steps": steps}


def singles(s):
    """Digits from lists of one, which name them; then the fold that is right most."""
    task, answer, key = TASKS[s["task"]], answer_of(TASKS[s["task"]]), s["key"]
    lists = drawn(0, answer, s["lists"], (1, 2, 3), key)
    ones, reading = lists[lists.lengths == 1], reading_of(task, 5)
    begin = time.monotonic()
    read = reading_of(task, 4)
    program = nc.parse(SUM, TABLE)  # Of one digit it is the digit
    joint, _ = learn(ones, maker(10), read, key, program=program)
    shape = lists.pictures.shape
    seen = joint.see(lists.pictures.reshape(-1, shape[2])).reshape(shape[:2])
    said = lambda p: exact_answers(p, seen, lists.lengths, reading)
    programs = folds(reading, lists)
    shares = [float((said(p) == lists.answers).mean()) for p in programs]
    best = programs[int(np.argmax(shares))]
    seconds, names = time.monotonic() - begin, named(joint.see)[0]

    def right(lists):
        shape = lists.pictures.shape
        seen = joint.see(lists.pictures.reshape(-1, shape[2])).reshape(shape[:2])
        said = exact_answers(best, seen, lists.lengths, reading)
        return float((said == lists.answers).mean())

    return {
        "strict": is_strict(best, names, reading, answer),
        "accuracy": by_length(right, answer, key),
        "seconds": round(seconds, 1),
    }


KINDS = {
    "unknown": unknown,
    "folds": without_ones,
    "known": known,
    "library": library,
    "rival": rival,
    "singles": singles,
    "operators": operators,
}


def measure(settings):
    """The record of a cell."""
    return KINDS[settings["kind"]](settings)


def on_one_core(settings):
    """The same, in a process that keeps to one core."""
    os.sched_setaffinity(0, {os.getpid() % os.cpu_count()})
    return measure(settings)


def cells(kind, tasks, keys, lists=3000, **more):
    """Settings of a kind for some tasks and keys, by name."""
    label = "-".join([kind, *map(str, more.values())])
    return {
        f"{label}.{task.replace(' ', '_')}.{lists}.{key}": dict(
            kind=kind, task=task, key=key, lists=lists, **more
        )
        for task in tasks
        for key in range(keys)
    }


LATER = "maximum", "alternating", "equal"
FIVE = "sum", "maximum", "minimum", "alternating", "threes"
PARTS = {
    "unknown": cells("unknown", FIVE, 10),
    "folds": cells("folds", ("sum", "maximum"), 10),
    "known": cells("known", ("sum",), 10, lists=600),
    "few": {
        name: settings
        for lists in (100, 300, 600)
        for name, settings in cells("unknown", ("sum",), 10, lists=lists).items()
    },
    "more": {
        **cells("unknown", ("product", "sum mod 2", "sum mod 3"), 10),
        **cells("operators", ("operators",), 10),
    },
    "library": {
        f"library.{key}": dict(kind="library", key=key, lists=100, tasks=list(LATER))
        for key in range(10)
    },
    "rivals": {
        **cells("rival", ("sum", "alternating", "maximum"), 10, rival="gru"),
        **cells("rival", ("sum", "maximum"), 10, rival="transformer"),
        **cells("rival", ("sum", "maximum"), 10, rival="concatenated"),
        **cells("rival", ("sum", "maximum"), 10, rival="marginal"),
        **cells("singles", ("sum", "maximum"), 10),
    },
}
for settings in PARTS["rivals"].values():
    if settings["kind"] == "rival":
        settings["seconds"] = SECONDS


def main(names, keys):
    """Measure these parts, for so many keys."""
    folder = ROOT / "cells/layers"
    for name in names:
        some = {n: s for n, s in PARTS[name].items() if s["key"] < keys}
        if name == "rivals":
            with ProcessPoolExecutor(2) as pool:
                campaign(some, on_one_core, folder, executor=pool, title=name)
        else:
            campaign(some, measure, folder, title=name)
    whole = {n: s for part in PARTS.values() for n, s in part.items()}
    there = {n: s for n, s in whole.items() if (folder / f"{n}.json").exists()}
    done = campaign(there, measure, folder, progress=False)
    write_json(ROOT / "results/layers.json", done)


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART")
    parser.add_argument("--keys", type=int, default=10, help="the first so many keys")
    asked = parser.parse_args()
    main(asked.parts or list(PARTS), asked.keys)
