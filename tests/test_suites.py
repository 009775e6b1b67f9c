"""Suites: each task can be done, is what it says, and is not done by doing nothing."""

from dataclasses import replace

import numpy as np
import pytest

from neural_compile.assembly.answers import Answer
from neural_compile.assembly.interpreters import PUBLISHED, SOURCES
from neural_compile.assembly.parsing import parse
from neural_compile.assembly.suites import suites
from neural_compile.assembly.verification import Clock, sizes

FOLD = "loop: / read 0 1 / jump 1 done / {} / inc 0 0 / jump 5 loop / done: / "
KNOWN = "read 5 3 / loop: / inc 0 0 / read 0 1 / jump 1 done / {} / jump 5 loop / "
KNOWN += "done: / "
FIND = "find: / inc 0 0 / read 0 2 / jump 2 {0} / jump 5 find / {0}: / "
ABOVE = "max 2 3 2 / sub 2 3 2 / inc 5 4 / min 2 4 2 / write 5 2 / halt"
SECOND = "read 5 1 / inc 5 0 / read 0 3 / "  # Where to, and k in M[1]

BY_HAND = {  # Register 5 stays 0, but where a task preloads it
    "access": "read 5 1 / inc 1 1 / read 1 1 / write 5 1 / halt",
    "increment": FOLD.format("inc 1 1 / write 0 1") + "halt",
    "swap": "inc 4 4 / read 3 0 / add 0 5 0 / read 4 1 / add 1 5 1 / read 0 2 / "
    "read 1 4 / write 0 4 / write 1 2 / halt",
    "add": "read 5 1 / inc 0 0 / read 0 2 / add 1 2 1 / write 5 1 / halt",
    "list_k": "read 5 0 / inc 5 2 / read 2 1 / inc 2 2 / read 2 2 / loop: / "
    "jump 1 done / read 0 0 / dec 1 1 / jump 5 loop / done: / inc 0 0 / read 0 0 / "
    "write 2 0 / halt",
    "sort": "outer: / read 0 1 / jump 1 done / max 0 5 2 / inner: / inc 2 2 / "
    "read 2 3 / jump 3 next / read 0 1 / min 1 3 4 / max 1 3 3 / write 0 4 / "
    "write 2 3 / jump 5 inner / next: / inc 0 0 / jump 5 outer / done: / halt",
    "sum": FOLD.format("add 2 1 2") + "write 5 2 / halt",
    "max": FOLD.format("max 2 1 2") + "write 5 2 / halt",
    "len": FOLD.format("noop") + "write 5 0 / halt",
    "last_2": FOLD.format("noop") + "dec 0 0 / dec 0 0 / read 0 1 / write 5 1 / halt",
    "decrement": FOLD.format("dec 1 1 / write 0 1") + "halt",
    "all_gt_k": "dec 5 2 / " + KNOWN.format("min 1 2 2") + ABOVE,
    "ex_gt_k": KNOWN.format("max 1 2 2") + ABOVE,
    "find_last_index": KNOWN.format(
        "sub 1 3 1 / jump 1 hit / jump 5 loop / hit: / dec 0 2"
    )
    + "write 5 2 / halt",
    "linear_search": KNOWN.format("sub 1 3 1 / jump 1 done") + "write 5 0 / halt",
    "map_add_k": KNOWN.format("add 1 3 1 / write 0 1") + "halt",
    "rev_map_inc": "read 5 1 / " + FIND.format("back") + "dec 0 0 / jump 0 done / "
    "read 0 2 / inc 2 2 / write 1 2 / inc 1 1 / jump 5 back / done: / halt",
    "rev_filter_gt_k": SECOND + FIND.format("back") + "dec 0 0 / dec 0 4 / "
    "jump 4 done / read 0 2 / max 2 3 4 / sub 4 3 4 / jump 4 back / write 1 2 / "
    "inc 1 1 / jump 5 back / done: / halt",
    "rev_interleave": SECOND + FIND.format("back") + "dec 0 0 / read 0 2 / "
    "write 1 2 / inc 1 1 / dec 0 4 / dec 4 4 / jump 4 done / write 1 3 / inc 1 1 / "
    "jump 5 back / done: / halt",
    "pairwise_sum": "read 5 1 / loop: / inc 0 0 / read 0 2 / jump 2 done / read 1 3 / "
    "add 2 3 2 / write 0 2 / inc 1 1 / jump 5 loop / done: / halt",
    "concat": "read 5 1 / " + FIND.format("copy") + "read 1 2 / write 0 2 / "
    "jump 2 done / inc 0 0 / inc 1 1 / jump 5 copy / done: / halt",
    "merge": "inc 5 1 / inc 1 2 / read 5 0 / read 1 1 / read 2 2 / loop: / read 0 3 / "
    "read 1 4 / max 3 4 4 / jump 4 done / write 2 4 / inc 2 2 / sub 4 3 4 / "
    "jump 4 first / inc 1 1 / jump 5 loop / first: / inc 0 0 / jump 5 loop / done: / "
    "halt",
    **{
        f"get_{k}": "inc 0 0 / " * (k - 1) + "read 0 1 / write 5 1 / halt"
        for k in (2, 4, 8)
    },
    **{
        f"dup_{k}": "read 5 1 / " + "inc 0 0 / write 0 1 / " * (k - 1) + "halt"
        for k in (2, 4, 8)
    },
    "copy": "read 0 1 / loop: / inc 0 0 / read 0 2 / jump 2 done / write 1 2 / inc 1 1 "
    "/ jump 5 loop / done: / halt",
    "reverse": "read 0 1 / find: / inc 0 0 / read 0 2 / jump 2 back / jump 5 find / "
    "back: / dec 0 0 / jump 0 done / read 0 2 / write 1 2 / inc 1 1 / jump 5 back / "
    "done: / halt",
    "permutation": "read 0 1 / inc 0 0 / loop: / read 0 3 / add 1 3 3 / read 3 3 / "
    "write 0 3 / inc 0 0 / sub 1 0 2 / jump 2 done / jump 5 loop / done: / halt",
    "list_search": "read 0 1 / inc 0 2 / read 2 3 / loop: / inc 1 4 / read 4 4 / "
    "sub 4 3 4 / jump 4 done / read 1 1 / jump 5 loop / done: / write 0 1 / halt",
    "walk_tree": "read 0 1 / loop: / inc 0 0 / read 0 2 / jump 2 done / add 1 2 1 / "
    "dec 1 1 / read 1 1 / jump 5 loop / done: / inc 1 1 / inc 1 1 / read 1 1 / "
    "write 5 1 / halt",
    "invert": "loop: / read 0 1 / dec 1 2 / dec 2 2 / jump 2 done / inc 5 2 / "
    "sub 2 1 1 / write 0 1 / inc 0 0 / jump 5 loop / done: / halt",
    "prepend_zero": "loop: / read 0 1 / write 0 2 / max 1 5 2 / inc 0 0 / dec 1 3 / "
    "dec 3 3 / jump 3 done / jump 5 loop / done: / halt",
    "binary_decrement": "loop: / read 0 1 / dec 1 1 / dec 1 1 / jump 1 back / inc 0 0 "
    "/ jump 5 loop / back: / dec 0 0 / read 0 1 / jump 1 zero / write 0 5 / halt / "
    "zero: / inc 5 2 / write 0 2 / jump 5 back",
    "controlled_swap": "read 5 1 / jump 1 done / inc 5 1 / inc 1 2 / read 1 3 / "
    "read 2 4 / write 1 4 / write 2 3 / done: / halt",
    "full_adder": "read 5 1 / inc 5 0 / read 0 2 / add 1 2 1 / inc 0 2 / read 2 2 / "
    "add 1 2 1 / inc 0 2 / mod 1 2 3 / write 0 3 / sub 1 3 1 / min 1 0 1 / write 5 1 / "
    "halt",
    "two_bit_adder": "read 5 1 / add 1 1 1 / inc 0 0 / read 0 2 / add 1 2 1 / inc 0 0 "
    "/ read 0 2 / add 2 2 2 / add 1 2 1 / inc 0 0 / read 0 2 / add 1 2 1 / dec 0 0 / "
    "mod 1 0 3 / write 0 3 / sub 1 3 1 / add 0 0 2 / mod 1 2 3 / dec 0 0 / min 3 0 4 / "
    "write 0 4 / sub 1 3 1 / min 1 0 1 / write 5 1 / halt",
    "add_digits": "read 4 3 / inc 4 0 / read 0 1 / loop: / jump 3 done / inc 0 0 / "
    "read 0 2 / add 1 2 1 / inc 0 0 / read 0 2 / add 1 2 1 / mod 1 5 2 / dec 0 0 / "
    "write 0 2 / inc 0 0 / sub 1 2 1 / inc 4 2 / min 1 2 1 / dec 3 3 / jump 4 loop / "
    "done: / inc 4 0 / write 0 1 / halt",
}


def test_every_task_of_interpreters_has_a_program_written_by_hand():
    assert set(BY_HAND) == set(suites["interpreters"])


@pytest.mark.parametrize("name", BY_HAND)
def test_tasks_of_interpreters_are_solved_by_programs_written_by_hand(name):
    program = parse(BY_HAND[name].replace(" / ", "\n"))
    clock, task = Clock(halts=True), suites["interpreters"][name]
    verdict = Answer(program, clock).verify(task)
    assert verdict, verdict
    assert len(verdict.instances) == 1 + len(task.family) + len(task.tests)
    off = replace(program, lines=(program.lines[0], *program.lines[:0:-1]))
    assert not Answer(off, clock).accept(task)


NEW = [(s, name) for s in ("interpreters",) for name in suites[s]]


@pytest.mark.parametrize(("suite", "name"), NEW)
def test_examples_fit_and_no_constant_is_right(suite, name):
    task = suites[suite][name]
    for cells, base in [*sizes(task), *task.tests]:
        given = task.sample(40, seed=5, cells=cells, base=base)
        assert given.memory.shape == given.target.shape == (40, base)
        for values in (given.memory, given.registers, given.target):
            assert values.min() >= 0 and values.max() < base
        assert given.mask.any(1).all()
    given = task.sample(200, seed=5)
    unchanged = ((given.memory == given.target) | ~given.mask).all(1)
    assert unchanged.mean() < 0.8
    outputs = [tuple(row) for row in np.where(given.mask, given.target, -1)]
    most = max(outputs.count(one) for one in set(outputs))
    assert most / len(outputs) < 0.7


def test_what_was_published_is_about_tasks_and_sources_that_are_there():
    assert {row.task for row in PUBLISHED} == set(suites["interpreters"])
    assert {row.source for row in PUBLISHED} == set(SOURCES)
    assert len(set(PUBLISHED)) == len(PUBLISHED)
    for row in PUBLISHED:
        assert row.rate is None or 0 <= row.rate <= 100
        assert row.note


@pytest.mark.parametrize("suite", [s for s in suites if "recurrences" in s])
def test_recurrences_are_what_they_say_at_any_size(suite):
    for name, task in suites[suite].items():
        assert task.varies and task.tests == ((8, 24), (12, 25)), name
        memory = list(range(1, 13)) + [0] * 13
        whole = task.target(memory, {}, 12, 25)
        assert whole[12:] == memory[12:] and len(whole) == 25
        for n in (1, 5):  # No cell depends on a later one
            assert task.target(memory, {}, n, 25)[:n] == whole[:n], name


def test_halves_share_nothing():
    for name in suites:
        if f"{name}-test" in suites:
            assert set(suites[name]).isdisjoint(suites[f"{name}-test"])
