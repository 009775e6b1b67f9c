"""Texts that are nearly right, and texts that are nearly grammatical; all seeded."""

import json
from pathlib import Path

PROGRAMS = [
    path.read_text()
    for path in sorted((Path(__file__).parents[1] / "programs").glob("*.asm"))
]
SKETCHES = [
    "loop:\n ! read 1 2\n ?\n write ? ?{2,3}\n inc 1 1\n ! jump 0 loop",
    "start:\n ...2\n ! ?{min,max} ?{0,1} 2 ?\n ? 0 ? 1\n jump ? start",
    "! read 7 0\n! dec 0 0\n! read ? 1\n?{inc,dec} 7 2\n! halt\n...3",
]
NAMES = "noop halt inc dec add sub mul min max mod read write jump".split()
ODD = ["", "_", "-1", "1000", "9" * 5000, "x", "loop", "٣", "🙂", "\x00", "a" * 3000]
MARKS = ["?", "...3", "...0", "...99", "!", "?{1,2}", "?{inc,dec}", "?{", "?{}", ".."]
SIGNS = "abcxyz0189_:,.#?!{} \n\t\r\x00é→\u2028\ufeff"
TASK = {"base": 8, "inputs": [[1], [2], [3]], "outputs": [[2], [4], [6]]}
VALUES = (None, True, -1, 0, 1, 2, 7, 1e308, 0.5, "8", "", [], [[]], {}, 10**9, 10**30)


def changed(rng, text):
    "A text with a few signs, words or rows changed, lost, moved or doubled."
    for _ in range(rng.choice([1, 1, 2, 3, 8])):
        at, size = rng.randrange(len(text) + 1), rng.choice([0, 1, 1, 4, 20])
        piece = rng.choice([
            rng.choice(SIGNS),
            rng.choice(ODD),
            rng.choice(MARKS),
            f" {rng.choice(NAMES)} ",
            text[at : at + 30] * rng.choice([1, 2, 50]),
        ])
        text = text[:at] + rng.choice([piece, ""]) + text[at + size :]
    return text


def word(rng, marks):
    "An operand, most often a right one."
    some = [str(rng.randrange(12)), str(rng.randrange(12)), f"l{rng.randrange(4)}"]
    odd = rng.choice(ODD + MARKS * marks)
    return rng.choice([*some, *some, *([rng.choice(MARKS)] * marks), odd])


def grown(rng, marks=False):
    "A text by the grammar, with a slip here and there."
    rows = []
    for n in range(rng.choice([0, 1, 3, 8, 40])):
        if rng.random() < 0.2:
            rows.append(f"{rng.choice(['l0', 'l1', f'l{n}', '2x', ''])}:")
        name = rng.choice(NAMES) if rng.random() < 0.95 else rng.choice(ODD)
        if marks and rng.random() < 0.3:
            name = rng.choice(["?", f"! {name}", "?{inc,dec}", "?{add,sub}", "...2"])
        operands = [word(rng, marks) for _ in range(rng.choice([0, 1, 2, 2, 2, 3, 3]))]
        rows.append(" ".join([name, *operands]))
    return rng.choice(["\n", "\n", "\r\n", "\n\n  "]).join(rows)


def program(rng):
    if rng.random() < 0.6:
        return changed(rng, rng.choice(PROGRAMS))
    return grown(rng)


def sketch(rng):
    if rng.random() < 0.6:
        return changed(rng, rng.choice(SKETCHES))
    return grown(rng, marks=True)


def value(rng):
    "Any JSON."
    if rng.random() < 0.2:
        return [value(rng) for _ in range(rng.randrange(4))]
    return rng.choice(VALUES)


def task(rng):
    "The text of a task file, as data that is not quite right, or as broken text."
    given = json.loads(json.dumps(TASK))
    if rng.random() < 0.3:
        given |= {"registers": 4, "initial": [[1], [2], [3]], "name": "mine"}
    for _ in range(rng.choice([0, 1, 1, 2])):
        name = rng.choice([*given, "registers", "initial", "name", "cost"])
        if rng.random() < 0.3:
            given.pop(name, None)
        elif isinstance(given.get(name), list) and rng.random() < 0.6:
            row = rng.randrange(len(given[name]) or 1)
            given[name][row : row + 1] = rng.choice([[value(rng)], [[value(rng)]], []])
        else:
            given[name] = value(rng)
    text = json.dumps(given)
    return changed(rng, text) if rng.random() < 0.3 else text
