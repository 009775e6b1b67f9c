"""Suites: each task can be done, is what it says, and is not done by doing nothing."""

from dataclasses import replace

import numpy as np
import pytest

from neural_compile.assembly.answers import Answer
from neural_compile.assembly.interpreters import PUBLISHED, SOURCES
from neural_compile.assembly.lists import LISTS, RULES
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


NEW = ("interpreters", "lists", "lists-test")


def share_of_the_commonest(given):
    """Of the outputs."""
    outputs = [tuple(row) for row in np.where(given.mask, given.target, -1)]
    return max(outputs.count(one) for one in set(outputs)) / len(outputs)


@pytest.mark.parametrize("suite", NEW)
def test_examples_fit_and_no_constant_is_right(suite):
    for name, task in suites[suite].items():
        for cells, base in [*sizes(task), *task.tests]:
            given = task.sample(20, seed=5, cells=cells, base=base)
            assert given.memory.shape == given.target.shape == (20, base), name
            for values in (given.memory, given.registers, given.target):
                assert values.min() >= 0 and values.max() < base, name
            assert given.mask.any(1).all(), name
        assert share_of_the_commonest(task.sample(200, seed=5)) < 0.7, name


@pytest.mark.parametrize("name", suites["interpreters"])
def test_tasks_of_interpreters_are_not_done_by_doing_nothing(name):
    given = suites["interpreters"][name].sample(200, seed=5)
    unchanged = ((given.memory == given.target) | ~given.mask).all(1)
    assert unchanged.mean() < 0.8


# Lists

X = [4, 2, 7, 2, 0, 9]
RIGHT = {  # What each rule makes of X; a truth value is 0 or 1
    "add_k_3": [7, 5, 10, 5, 3, 12],
    "append_index_k_3": [4, 2, 7, 2, 0, 9, 7],
    "append_k_5": [4, 2, 7, 2, 0, 9, 5],
    "bool_identify_geq_k_4": [1, 0, 1, 0, 0, 1],
    "bool_identify_is_mod_k_4": [1, 0, 0, 0, 1, 0],
    "bool_identify_is_prime": [0, 1, 1, 1, 0, 0],
    "bool_identify_k_2": [0, 1, 0, 1, 0, 0],
    "caesar_cipher_k_modulo_n_2_5": [1, 4, 4, 4, 2, 1],
    "count_head_in_tail": 0,
    "count_k_2": 2,
    "drop_k_2": [7, 2, 0, 9],
    "dup": [4, 4, 2, 2, 7, 7, 2, 2, 0, 0, 9, 9],
    "empty": 0,
    "evens": [4, 2, 2, 0],
    "has_head_in_tail": 0,
    "has_k_3": 0,
    "head": 4,
    "index_head": 0,
    "index_k_3": 7,
    "is_evens": 0,
    "is_mod_k_2": 0,
    "is_odds": 0,
    "is_primes": 0,
    "is_squares": 0,
    "keep_mod_head": [0],
    "keep_mod_k_3": [0, 9],
    "kth_largest_2": 7,
    "kth_smallest_2": 2,
    "last": 9,
    "len": 6,
    "max": 9,
    "min": 0,
    "modulo_k_4": [0, 2, 3, 2, 0, 1],
    "mult_k_3": [12, 6, 21, 6, 0, 27],
    "odds": [7, 9],
    "pop": [4, 2, 7, 2, 0],
    "pow_k_2": [16, 4, 49, 4, 0, 81],
    "prepend_index_k_3": [7, 4, 2, 7, 2, 0, 9],
    "prepend_k_5": [5, 4, 2, 7, 2, 0, 9],
    "product": 0,
    "remove_index_k_3": [4, 2, 2, 0, 9],
    "remove_mod_head": [2, 7, 2, 9],
    "remove_mod_k_3": [4, 2, 7, 2],
    "repeat": [2, 2, 2, 2],
    "repeat_k_2": [4, 2, 7, 2, 0, 9, 4, 2, 7, 2, 0, 9],
    "repeat_many": [2, 7, 2, 0, 9] * 4,
    "replace_all_with_index_k_3": [7] * 6,
    "reverse": [9, 0, 2, 7, 2, 4],
    "rotate_k_2": [0, 9, 4, 2, 7, 2],
    "slice_k_n_2_3": [2, 7, 2],
    "sort": [0, 2, 2, 4, 7, 9],
    "sum": 24,
    "tail": [2, 7, 2, 0, 9],
    "take_k_2": [4, 2],
}
NUMBERED = {"fibonacci": {1: 1, 2: 1, 7: 13}, "range": {0: [], 3: [0, 1, 2]}}


def in_memory(x, base):
    cells = [len(x), *x] if isinstance(x, list) else [x]
    return cells + [0] * (base - len(cells))


def test_rules_on_lists_do_what_their_names_say():
    assert len(RIGHT) + len(NUMBERED) == len(RULES)
    cases = {name: {None: wanted} for name, wanted in RIGHT.items()} | NUMBERED
    for name, wanted in cases.items():
        for given, right in wanted.items():
            memory = in_memory(X if given is None else given, 128)
            out = LISTS[name].target(memory, {}, 7, 128)
            shown = [v for v in out if v is not None]
            assert shown == (
                [len(right), *right] if isinstance(right, list) else [right]
            )
            assert len(out) == 128


def test_fifteen_examples_are_shown_and_others_are_not():
    for name in ("has_k_5", "sum", "sort", "fibonacci"):
        task = LISTS[name]
        shown = {tuple(m) for m in task.sample(300, seed=1).memory.tolist()}
        assert len(shown) <= 15
        again = {tuple(m) for m in task.sample(300, seed=2).memory.tolist()}
        assert shown == again
        fresh = task.sample(300, seed=1, cells=7, base=33).memory.tolist()
        if name != "fibonacci":  # Which has few inputs
            assert len({tuple(m) for m in fresh}) > 100


ON_LISTS = {
    "head": "inc 0 0 / read 0 1 / write 5 1 / halt",
    "last": "read 5 0 / read 0 1 / write 5 1 / halt",
    "sum": "read 5 0 / loop: / jump 0 done / read 0 1 / add 2 1 2 / dec 0 0 / "
    "jump 5 loop / done: / write 5 2 / halt",
    "add_k_3": "inc 3 3 / inc 3 3 / inc 3 3 / read 5 0 / loop: / jump 0 done / "
    "read 0 1 / add 1 3 1 / write 0 1 / dec 0 0 / jump 5 loop / done: / halt",
    "empty": "read 5 0 / inc 5 1 / min 0 1 0 / sub 1 0 0 / write 5 0 / halt",
    "reverse": "read 5 1 / loop: / inc 0 0 / max 0 1 2 / sub 2 1 2 / jump 2 swap / "
    "halt / swap: / read 0 3 / read 1 4 / write 0 4 / write 1 3 / dec 1 1 / "
    "jump 5 loop",
    "append_k_4": "inc 2 2 / inc 2 2 / inc 2 2 / inc 2 2 / read 5 0 / inc 0 0 / "
    "write 0 2 / write 5 0 / halt",
    "count_k_1": "read 5 0 / inc 5 4 / loop: / jump 0 done / read 0 1 / dec 0 0 / "
    "dec 1 1 / min 1 4 1 / sub 4 1 1 / add 2 1 2 / jump 5 loop / done: / write 5 2 / "
    "halt",
}


@pytest.mark.parametrize("name", ON_LISTS)
def test_tasks_on_lists_are_solved_by_programs_written_by_hand(name):
    program = parse(ON_LISTS[name].replace(" / ", "\n"))
    verdict = Answer(program, Clock(halts=True)).verify(LISTS[name])
    assert verdict, verdict
    assert [i.how for i in verdict.instances][0] == "all"
    assert verdict.instances[0].inputs == 15


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
