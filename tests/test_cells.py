"""Circuits: chosen, lowered, joined, and found."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import neural_compile as nc
from neural_compile.assembly.batches import Lookup, run_programs
from neural_compile.assembly.interpreters import INTERPRETERS
from neural_compile.assembly.tasks import Task
from neural_compile.synthesis.cells import (
    Cells,
    changed_cells,
    chooses,
    covered,
    determines,
    ground_of,
    solved,
)
from neural_compile.synthesis.circuits import (
    choices,
    free_cells,
    lower_circuit,
    needs,
    orders,
    size_of,
)
from neural_compile.synthesis.edits import leaves_in
from neural_compile.synthesis.search import Room
from neural_compile.synthesis.spaces import synthesize

BASE = 8
TABLE = {
    "add": lambda a, b: (a + b) % BASE,
    "sub": lambda a, b: (a - b) % BASE,
    "max": max,
    "min": min,
    "inc": lambda a: (a + 1) % BASE,
}
TWO = ["add", "sub", "max", "min"]


def value(tree, leaves):
    "A tree's value in plain Python."
    if isinstance(tree, str):
        return leaves[tree]
    name, *arguments = tree
    return TABLE[name](*[value(t, leaves) for t in arguments])


def circuit_values(trees, memory):
    "What cells are to hold, each computed when those that it needs are."
    leaves = {"0": 0, "r5": 2} | {f"m{c}": v for c, v in enumerate(memory)}
    while left := [c for c in trees if f"y{c}" not in leaves]:
        ready = [c for c in left if all(f"y{d}" in leaves for d in needs(trees[c]))]
        assert ready, "cells wait for each other"
        leaves |= {f"y{c}": value(trees[c], leaves) for c in ready}
    return {c: leaves[f"y{c}"] for c in trees}


def trees_over(leaves, deep=3):
    "Trees of up to three operations below each other."
    tree = st.sampled_from(leaves)
    for _ in range(deep):
        pair = st.tuples(st.sampled_from(TWO), tree, tree)
        tree = st.one_of(tree, st.tuples(st.just("inc"), tree), pair)
    return tree


@st.composite
def circuits(draw, inputs=("0", "m0", "m1", "m2", "m3")):
    "Two to four cells, each over inputs and over those drawn before it."
    cells = draw(st.permutations(range(4)))[: draw(st.integers(2, 4))]
    made = {}
    for n, cell in enumerate(cells):
        leaves = [*inputs, *(f"y{c}" for c in cells[:n])]
        made[cell] = draw(trees_over(leaves))
    return dict(sorted(made.items()))


memories = st.lists(st.integers(0, BASE - 1), min_size=BASE, max_size=BASE)


def ran(answer, memory, registers):
    "Memory after a program, with a 2 in register 5."
    start = {5: 2}
    task = Task("run", "", lambda *_: (memory, start), lambda m, *_: m, BASE, registers)
    shown = task.sample(1, seed=0)
    return run_programs([answer], shown)[0, 0].tolist()


@settings(max_examples=150, deadline=None)
@given(
    circuits(("0", "m0", "m1", "m2", "m3", "r5")),
    st.lists(memories, min_size=3, max_size=3),
    st.sampled_from([6, 7, 9, 20]),
    st.sampled_from([(), (6, 4), (2, 5, 6, 7)]),
)
def test_a_program_leaves_what_its_circuit_says(trees, every, registers, free):
    answer = lower_circuit(trees, Room(registers, (5,), (0,) * 5 + (2,)), free)
    assume(answer is not None)
    for memory in every:
        out = ran(answer, memory, registers)
        wanted = circuit_values(trees, memory)
        assert {c: out[c] for c in trees} == wanted
        used = {int(x[1:]) for t in trees.values() for x in leaves_in(t) if x[0] == "m"}
        spare = {*free} - used
        for cell in set(range(BASE)) - {*trees} - spare:
            assert out[cell] == memory[cell]


@settings(max_examples=50, deadline=None)
@given(circuits())
def test_with_many_registers_there_is_always_a_program(trees):
    assert lower_circuit(trees, Room(60)) is not None
    few = lower_circuit(trees, Room(7), (4, 5, 6, 7))
    assert few is not None  # A tree of three levels, with its leaves, takes no more


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.integers(0, 2),
        st.lists(
            trees_over(["m0", "m1", "y0", "y1", "y2"], 2), max_size=4, unique=True
        ),
        min_size=2,
    )
)
def test_choices_are_all_circuits_in_which_nothing_waits_in_a_ring(ways):
    every = []
    for trees in itertools.product(*(ways[c] for c in sorted(ways))):
        circuit = dict(zip(sorted(ways), trees))
        if any(orders(circuit)):
            every.append(tuple(circuit.items()))
    found = choices(ways, most=99)
    assert {*found} == {*every}
    sizes = [size_of(tree for _, tree in choice) for choice in found]
    assert sizes == sorted(sizes)
    for choice in found[:3]:
        circuit_values(dict(choice), [1, 2, 3, 4])


@pytest.fixture(scope="module")
def adder_ground():
    ground = ground_of(INTERPRETERS["two_bit_adder"], (0, 1, 2))
    values = ground.values(frozenset({2}))
    for _ in range(2):
        list(values.grow())
    return ground, values


@pytest.mark.parametrize("name", TWO)
@pytest.mark.parametrize("cell", [0, 1])
def test_pairs_are_those_that_give_the_goal(name, cell, adder_ground):
    ground, values = adder_ground
    table, goal = ground.start.tables[name], ground.goals[cell]
    u, v = np.meshgrid(*[np.arange(len(values.rows))] * 2, indexing="ij")
    right = (table[values.rows[:, None], values.rows] == goal).all(-1)
    every = {(int(a), int(b)) for a, b in zip(u[right], v[right])}
    if determines(table):
        pairs = solved(values, Lookup(values.rows), goal, table).tolist()
        assert {tuple(p) for p in pairs} | {(b, a) for a, b in pairs} >= every
    else:
        assert chooses(table)
        pairs = covered(values, goal, table).tolist()
        assert bool(pairs) == any(a != b for a, b in every)
    assert {tuple(p) for p in pairs} <= every


def test_tables_say_how_an_operation_is_joined(adder_ground):
    tables = adder_ground[0].start.tables
    assert [n for n, t in tables.items() if determines(t)] == ["add", "sub"]
    assert [n for n, t in tables.items() if chooses(t)] == ["min", "max"]


@pytest.mark.parametrize("name", ["two_bit_adder", "full_adder", "controlled_swap"])
def test_circuits_of_others_are_found_again_and_again(name):
    task = INTERPRETERS[name]
    found, again = (
        synthesize(task, space="cells", units=3, progress=False) for _ in range(2)
    )
    assert found.solutions[0].answer.verify(task)
    assert str(found.solutions[0]) == str(again.solutions[0])
    assert found.tried == again.tried


def test_candidates_are_right_on_all_examples():
    task = INTERPRETERS["two_bit_adder"]
    shown, seen = task.sample(32, seed=1), set()
    for part in Cells(cost=3).search(task):
        for c in part.candidates:
            assert c.answer.fits(shown).all()
            assert any(orders(dict(c.source)))
            assert c.source not in seen
            seen.add(c.source)
    assert len(seen) > 5


def straight(rng, cells, lines):
    "A function that computes a few numbers line by line, and uses them again."
    made = []
    for _ in range(lines):
        made.append((TWO[rng.integers(4)], *rng.integers(cells + len(made), size=2)))

    def f(x):
        names = list(x)
        for name, a, b in made:
            names.append(
                {
                    "add": lambda u, v: u + v,
                    "sub": lambda u, v: u - v,
                    "max": max,
                    "min": min,
                }[name](names[a], names[b])
            )
        return names[-3:]

    return f


@pytest.mark.parametrize("seed", range(4))
def test_what_a_line_after_another_computes_is_found(seed):
    rng = np.random.default_rng(seed)
    f = straight(rng, 3, 5)
    task = Task.from_function(f, base=BASE, cells=3, family=((3, 9),), name="drawn")
    assert len(changed_cells(task)) == 3
    found = synthesize(task, space="cells", units=3, progress=False)
    assert found.solutions[0].answer.accept(task)


@pytest.mark.parametrize("name", ["sum", "sort", "invert", "merge"])
def test_other_tasks_are_left_at_once(name):
    (only,) = Cells().search(INTERPRETERS[name])
    assert only.left.startswith("cells: the cells that change are not two to 4")
    assert only.tried == 0


def test_memory_has_a_limit():
    parts = list(Cells().search(INTERPRETERS["dup_4"], memory_limit=1e6))
    assert parts[-1].left.endswith("too many values")


def test_free_cells_are_checked_at_no_size():
    assert free_cells(INTERPRETERS["two_bit_adder"]) == (3, 4, 5, 6, 7)
    whole = Task.from_function(lambda x: x[::-1], base=4, cells=4, family=((4, 8),))
    assert free_cells(whole) == ()


def test_a_table_without_what_a_program_needs_gives_no_candidate():
    few = [i for i in nc.INSTRUCTIONS if i.name != "inc"]
    task = INTERPRETERS["full_adder"].using(few)
    found = synthesize(task, space=[Cells(cost=2)], progress=False)
    assert not found.solutions and found.stopped is None


def test_a_cost_below_zero_is_refused():
    with pytest.raises(nc.InputError, match="cost is at least 0, found -1"):
        Cells(cost=-1)
