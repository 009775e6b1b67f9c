"""Edits of lists: assembly does what the kernel does, and what is found is right."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neural_compile as nc
from neural_compile.assembly.tasks import Examples
from neural_compile.synthesis.editing import Edits
from neural_compile.synthesis.edits import (
    EACH,
    KINDS,
    NUMBERS,
    Edit,
    edited,
)
from neural_compile.synthesis.layouts import layouts_of
from neural_compile.synthesis.search import Room
from neural_compile.synthesis.values import setting
from neural_compile.synthesis.writing import lower_edits

BASE = 16
ONE = ["x", "i", "n", "h", "l", "2", ("add", "x", "3"), ("mod", "x", "i")]
WHOLE = ["0", "1", "n", "h", "l", ("read", "3"), ("sub", "n", "2"), ("max", "h", "4")]


@st.composite
def an_edit(draw):
    kind = draw(st.sampled_from(KINDS))
    tree, more = (draw(st.sampled_from(ONE if kind in EACH else WHOLE)) for _ in "ab")
    if kind == "fold":
        return Edit(kind, ("add", "a", tree), draw(st.sampled_from(["0", "1", "h"])))
    return Edit(kind, tree, more) if kind == "part" else Edit(kind, tree)


def plain(memory):
    blank = np.zeros((len(memory), 8), int)
    return setting(Examples(memory, blank, memory, memory >= 0, 1, memory.shape[1]))


def slowly(x, edit, n):
    "What an edit makes of a list, in plain Python; no reads, no arithmetic."
    h, l = (x[0], x[-1]) if x else (None, None)
    value = {"0": 0, "1": 1, "2": 2, "n": n, "h": h, "l": l}
    match edit.kind:
        case "keep":
            return [v for v in x if v == 0]
        case "drop":
            return [v for v in x if v != 0]
        case "mark":
            return [int(v == 0) for v in x]
        case "map":
            return [i + 1 for i in range(n)]
        case "fold":
            return sum(x) % BASE
        case "fill":
            return [value["2"]] * n
        case "part":
            return x[1:n]
        case "append":
            return [*x, h]
        case "push":
            return [l, *x]
        case "extend":
            return (x * 3)[: n + 2]
        case "reverse":
            return x[::-1]
        case "number":
            return n
        case "none":
            return int(n == 0)


PLAIN = {
    **{kind: Edit(kind, "x") for kind in ("keep", "drop", "mark")},
    "map": Edit("map", "i"),
    "fold": Edit("fold", ("add", "a", "x"), "0"),
    "fill": Edit("fill", "2"),
    "part": Edit("part", "2", "n"),
    "append": Edit("append", "h"),
    "push": Edit("push", "l"),
    "extend": Edit("extend", ("add", "n", "2")),
    "reverse": Edit("reverse"),
    "number": Edit("number", "n"),
    "none": Edit("none", "n"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_edit_does_what_python_does(kind):
    rng = np.random.default_rng(0)
    for n in range(1, 8):
        x = rng.integers(0, 4, n).tolist()
        memory = [n, *x, *[0] * (BASE - n - 1)]
        wanted = slowly(x, PLAIN[kind], n)
        wanted = [len(wanted), *wanted] if isinstance(wanted, list) else [wanted]
        ran = lower_edits([PLAIN[kind]]).run(memory, base=BASE)
        assert ran.halted and ran.memory[: len(wanted)] == wanted


@settings(max_examples=60)
@given(
    st.lists(an_edit(), min_size=1, max_size=3),
    st.lists(st.integers(0, BASE - 1), max_size=6),
)
def test_assembly_does_what_the_kernel_does(edits, x):
    memory = np.array([[len(x), *x, *[0] * (BASE - 1 - len(x))]], np.int16)
    after, answer = memory, lower_edits(edits)
    for n, edit in enumerate(edits):
        if n and edits[n - 1].kind in NUMBERS and edit.kind not in ("number", "none"):
            return  # There is no list any more
        after = edited(after, edit, plain(memory))
        if after is None:
            return
    assert answer is not None
    count = 1 if edits[-1].kind in NUMBERS else 1 + after[0, 0]
    ran = answer.run(memory[0].tolist(), base=BASE)
    assert ran.halted and ran.memory[:count] == after[0, :count].tolist()


def test_too_few_registers_and_missing_instructions_give_no_program():
    edits = [Edit("keep", ("mod", "x", "3"))]
    assert lower_edits(edits, Room(4)) is None
    few = tuple(i for i in nc.INSTRUCTIONS if i.name != "mod")
    assert lower_edits(edits, Room(8, instructions=few)) is None


def test_a_list_that_outgrows_memory_is_refused():
    full = np.arange(BASE, dtype=np.int16)[None] * 0 + BASE - 1
    empty = np.zeros((1, BASE), np.int16)
    assert edited(full, Edit("append", "1"), plain(full)) is None
    assert edited(full, Edit("push", "1"), plain(full)) is None
    assert edited(empty, Edit("extend", "3"), plain(empty)) is None


TASKS = {**nc.suites["lists"], **nc.suites["lists-test"]}
EASY = ("append_k_3", "take_k_2", "reverse", "modulo_k_3", "remove_index_k_2")


@pytest.mark.parametrize("name", EASY)
def test_found_edits_are_right_at_sizes_that_no_search_sees(name):
    found = nc.synthesize(TASKS[name], space="edits", progress=False)
    assert found.solutions[0].kind == "edits"
    assert found.solutions[0].answer.simplify(TASKS[name]).verify(TASKS[name])


def test_a_search_for_edits_repeats_itself_and_ends():
    task, how = TASKS["kth_smallest_2"], dict(space=[Edits(cost=2)], progress=False)
    found, again = nc.synthesize(task, **how), nc.synthesize(task, **how)
    assert found.levels == again.levels and found.exhausted == {"edits": 2}
    assert not found.solutions and len(found.levels) == 4


LIKE = {"len": 0, "sum": 0, "map_add_k": 1, "rev_map_inc": 1, "get_4": 1}


@pytest.mark.parametrize("name", LIKE)
def test_lists_that_end_with_a_zero_are_brought_into_form_and_back(name):
    task = nc.suites["interpreters"][name]
    found = nc.synthesize(task, space="edits", progress=False)
    first = found.solutions[0]
    assert first.answer.verify(task) and first.size <= 2 + LIKE[name]


def test_what_is_not_about_lists_is_left_at_once():
    for name, task in nc.TASKS.items():
        assert not layouts_of(task.sample(16, seed=1)), name
    found = nc.synthesize(nc.TASKS["swap"], space="edits", progress=False)
    assert found.left == ["edits: the task is not about lists"] and found.tried == 0


@pytest.mark.parametrize("wrong", [dict(cost=0), dict(drafts=0)])
def test_edits_that_cannot_be_are_refused(wrong):
    with pytest.raises(nc.InputError, match="is at least 1, found 0"):
        Edits(**wrong)


@st.composite
def small_tables(draw):
    "Lists that end with a 0 in a small base, and a number or a list for each."
    base, number = draw(st.integers(2, 6)), draw(st.booleans())
    some = st.lists(st.integers(1, base - 1), max_size=base - 1)
    full = lambda x, rest: [*x, 0, *[rest] * (base - 1 - len(x))]
    inputs = draw(st.lists(some, min_size=2, max_size=6, unique_by=tuple))
    told = [[draw(st.integers(0, base - 1))] if number else draw(some) for _ in inputs]
    nothing = [None] * (base - 1)
    outputs = [[*x, *nothing] if number else full(x, None) for x in told]
    how = dict(base=base, registers=8)
    return nc.Task.from_examples([full(x, 0) for x in inputs], outputs, **how)


@settings(max_examples=30)
@given(small_tables())
def test_any_table_of_lists_is_searched_and_what_is_found_fits_it(task):
    shown = task.sample(16, seed=1)
    found = nc.synthesize(task, space=[Edits(cost=2, drafts=20)], progress=False)
    assert bool(found.left) == (not layouts_of(shown))
    assert all(c.answer.fits(shown).all() for c in found.solutions)


def test_a_list_that_fills_memory_leaves_no_room_for_an_end():
    inputs = [[k, 0, 0, 0] for k in (1, 2, 3)] + [[1, 1, 0, 0]]
    full = nc.Task.from_examples(inputs, [[m[0]] * 4 for m in inputs], base=4)
    ended = nc.Task.from_examples(inputs, [[*[m[0]] * 3, 0] for m in inputs], base=4)
    assert not layouts_of(full.sample(16, seed=1))
    found = nc.synthesize(ended, space="edits", progress=False)
    assert found.solutions[0].answer.verify(ended)
