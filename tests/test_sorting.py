"""Sorting: every program on record sorts, and the rungs of the ladder fit together."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import neural_compile as nc
from neural_compile.assembly.parsing import parse
from neural_compile.experiments.sorting import (
    COMPARISON,
    PAIR,
    PASS,
    SORTING,
    apart,
    pass_sketch,
    sorting_sketch,
)

ROOT = Path(__file__).resolve().parent.parent
RECORD = json.loads((ROOT / "results/sorting.json").read_text())
FOUND = {name: r["result"] for name, r in RECORD.items() if r["result"]["strict"]}
EXCHANGE = """
read 2 3
inc 2 1
read 1 4
max 3 4 0
min 3 4 5
write 2 5
write 1 0
halt
"""
TURN = ["inc 2 2", "dec 1 1"]
BEGIN = ["add 0 7 1", "inc 7 2"]


@pytest.mark.parametrize("name", FOUND)
def test_what_is_on_record_as_right_sorts(name):
    program = parse(FOUND[name]["program"])
    task = replace(SORTING, registers=max(program.registers, SORTING.registers))
    assert nc.Answer(program, nc.Clock(halts=True)).verify(task)


def test_the_record_has_what_the_chapter_says():
    ways = [r["settings"]["way"] for r in RECORD.values()]
    assert {way: ways.count(way) for way in ways} == dict.fromkeys(ways, 10)
    assert sum(name.startswith("comparison") for name in FOUND) == 10


def test_values_may_be_equal_and_lists_empty():
    given = SORTING.sample(500, seed=0)
    lengths = set(given.memory[:, 0].tolist())
    assert lengths == {0, 1, 2, 3, 4}
    assert any(len(set(m[1:5])) < 4 for m in given.memory.tolist() if m[0] == 4)


def test_each_rung_has_room_for_the_one_before():
    "With lines written by hand in what is open, the sketches do what their tasks ask."
    pair = parse(EXCHANGE)
    assert nc.Answer(pair, nc.Clock(halts=True)).verify(PAIR)
    over = parse(filled(pass_sketch(pair), TURN))
    assert nc.Answer(over, nc.Clock(halts=True)).verify(PASS)
    whole = parse(filled(sorting_sketch(over), BEGIN))
    wide = replace(SORTING, registers=14)
    assert nc.Answer(whole, nc.Clock(halts=True)).verify(wide)


def filled(sketch, lines):
    """The text of a sketch with lines in place of its holes."""
    text = str(sketch).replace("! ", "")
    for line in lines:
        text = text.replace("?", line, 1)
    return text


def test_registers_of_the_pair_are_its_own():
    pair = parse(EXCHANGE)
    named = {r for line in apart(pair, {2}, 8) for r in line.registers}
    assert named == {2, 8, 9, 10, 11, 12}


def test_only_the_comparison_is_open():
    rows = nc.parse(COMPARISON).rows
    assert sum(not row.given for row in rows) == 4
    assert all(row.frozen for row in rows if row.given)
