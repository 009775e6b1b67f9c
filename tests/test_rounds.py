"""Loops that carry a value: lowered, judged without a run, and found."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import neural_compile as nc
from neural_compile.assembly.batches import Seen
from neural_compile.assembly.interpreters import INTERPRETERS
from neural_compile.synthesis.edits import Edit
from neural_compile.synthesis.layouts import Layout, lower_in
from neural_compile.synthesis.loops import (
    Loop,
    last_write,
    left_over,
    lower_loop,
    writes,
)
from neural_compile.synthesis.rounds import Rounds
from neural_compile.synthesis.search import Room, room_of
from neural_compile.synthesis.spaces import synthesize
from neural_compile.synthesis.states import (
    ends,
    enough,
    orbits,
    states_of,
    stops_of,
    terms_of,
)
from neural_compile.synthesis.values import OVER, filled

BASE, ROUNDS = 8, 24
FIXED = ["0", "1", "m0", "m1"]
LEAVES = [*FIXED, "a", "i", "x"]
TABLE = {
    "add": lambda a, b: (a + b) % BASE,
    "sub": lambda a, b: (a - b) % BASE,
    "max": max,
    "inc": lambda a: (a + 1) % BASE,
}


def trees(leaves):
    "Trees of cost 0 to 2."
    leaf = st.sampled_from(leaves)
    one = st.one_of(
        leaf,
        st.tuples(st.just("read"), leaf),
        st.tuples(st.sampled_from(["add", "sub", "max"]), leaf, leaf),
    )
    return st.one_of(one, st.tuples(st.just("inc"), one))


@st.composite
def loops(draw):
    each, anything = draw(st.booleans()), trees(LEAVES)
    pair = st.tuples(anything, anything)
    loop = Loop(
        draw(st.sampled_from(FIXED)),
        draw(st.integers(0, 2)),
        draw(anything),
        draw(st.one_of(st.none(), pair) if each else pair),
        draw(anything),
        draw(anything),
        each,
    )
    return loop._replace(after=draw(st.one_of(st.none(), pair)) if loop.test else None)


memories = st.lists(st.integers(0, BASE - 1), min_size=BASE, max_size=BASE)


def value(tree, memory, leaves):
    if isinstance(tree, str):
        return leaves[tree]
    name, *given = tree
    given = [value(t, memory, leaves) for t in given]
    return memory[given[0]] if name == "read" else TABLE[name](*given)


def slowly(loop, memory, rounds=ROUNDS):
    "Memory and the states that a loop goes through, in plain Python; whether it stops."
    memory, seen = list(memory), []
    fixed = {"0": 0, "1": 1, "m0": memory[0], "m1": memory[1]}
    a, i = value(loop.start, memory, fixed), loop.place
    for _ in range(rounds):
        now = {**fixed, "a": a, "i": i, "x": memory[i]}
        seen.append(now)
        if loop.test:
            one, other = (value(t, memory, now) for t in loop.test)
            if one == other:
                break
        step = value(loop.step, memory, now)
        if loop.each:
            to, what = (value(t, memory, now) for t in (loop.address, loop.value))
            memory[to] = what
            if loop.step == loop.value:
                step = what
            else:  # The step comes after the write
                step = value(loop.step, memory, now)
        a, i = step, (i + 1) % BASE
    else:
        return memory, seen, False
    for write in loop.writes[1 if loop.each else 0 :]:
        now["x"] = memory[now["i"]]
        to, what = (value(t, memory, now) for t in write)
        memory[to] = what
    return memory, seen, True


@given(loops(), memories)
@settings(max_examples=80)
def test_assembly_does_what_python_does(loop, memory):
    wanted, _, stops = slowly(loop, memory, ROUNDS if loop.test else BASE)
    assume(stops == bool(loop.test))
    answer = lower_loop(loop, Room(12))
    assert answer.run(memory, base=BASE).memory == wanted, str(loop)


@given(loops(), memories, st.integers(3, 7))
@settings(max_examples=40)
def test_with_few_registers_it_does_the_same_or_is_refused(loop, memory, registers):
    fixed = loop._replace(each=False, test=loop.test or ("x", "a"), after=None)
    wanted, _, stops = slowly(fixed, memory)
    assume(stops)
    if answer := lower_loop(fixed, Room(registers)):
        assert answer.run(memory, base=BASE).memory == wanted, str(fixed)


def asked(memory):
    "Examples of one memory, of which nothing is asked."
    task = nc.Task.from_function(lambda m: list(m), cells=BASE, base=BASE)
    return task.examples_of([(list(memory), {})], BASE, BASE)


@given(loops(), memories)
@settings(max_examples=50)
def test_ends_are_where_the_loop_stops(loop, memory):
    loop = loop._replace(each=False, test=loop.test or ("x", "a"))
    _, seen, stops = slowly(loop, memory, BASE)
    states = states_of(asked(memory), loop.place, nc.INSTRUCTIONS)
    worth = states.where.value
    start = worth(loop.start)[:1][None]
    path = orbits(worth(loop.step)[None], start, states.shape)
    assert path[0, 0, : len(seen)].tolist() == [s["a"] for s in seen]
    goes = worth(loop.test[0]) != worth(loop.test[1])
    found = ends(path, goes[:, None], states.shape)
    assert len(found) == stops
    if stops:
        leaves = states.where.leaves
        here = {name: int(leaves[name][found[0, 0]]) for name in ("a", "i", "x")}
        assert here == {name: seen[-1][name] for name in here}


def _run(few, states, path, row, e):
    "Cells left when all, or something wrong, is written; rounds until one is left."
    open_ = few.mask[e] & (few.memory[e] != few.target[e])
    j = rounds = 0
    while open_.any() and j < states.rounds:
        point = (e * states.base + path[e, j]) * states.rounds + j
        at = states.where.leaves["i"][point]
        wrote = path[e, j + 1] if row is None else row[point]
        if few.mask[e, at] and wrote != few.target[e, at]:
            break
        j, rounds = j + 1, j + 1 if open_.sum() > 1 else rounds
        open_[at] = False
    return int(open_.sum()), rounds


def test_a_cell_in_each_round_is_what_brute_force_says():
    task = INTERPRETERS["pairwise_sum"]
    few = task.sample(5, seed=3)
    states = states_of(few, 1, task.instructions, writes=True)
    terms = terms_of(states, task.instructions)
    steps, values = terms.of_cost(1), terms.of_cost(1)
    start = few.memory[:, :1].T.astype(np.int16)
    paths = orbits(steps.rows, start, states.shape)
    place = states.where.leaves["i"][None]
    goal = few.memory, few.target, few.mask
    rows = writes(paths, place, values.columns, goal, states.shape)
    found = {spare: set() for spare in range(2)}
    for n, w, v, spare in rows[:, :4].tolist():
        found[spare].add((n, w, v))
    wanted = {spare: set() for spare in range(2)}
    for n, path in enumerate(paths):
        for v, row in [(-1, None), *enumerate(values.rows)]:
            left, rounds = zip(*(_run(few, states, path, row, e) for e in range(5)))
            if max(left) == 0 or max(left) == 1 and any(rounds):
                wanted[max(left)].add((n, 0, v))
    assert found == wanted


@given(loops(), memories, memories)
@settings(max_examples=80)
def test_what_is_left_over_is_what_a_run_has_not_written(loop, memory, target):
    loop = loop._replace(each=True, test=loop.test or ("x", "a"), after=None)
    run, seen, stops = slowly(loop, memory, BASE)
    assume(stops)
    states = states_of(asked(memory), loop.place, nc.INSTRUCTIONS)
    worth = states.where.value
    path = np.zeros((1, ROUNDS + 1), np.int16)
    path[0, : len(seen)] = [s["a"] for s in seen]
    goal = (np.array([x]) for x in (memory, target, [True] * BASE))
    written, now = set(), list(memory)
    addresses = worth(loop.address)
    for j, state in enumerate(seen[:-1]):
        written.add(int(addresses[state["a"] * states.rounds + j]))
    wrong = [k for k in range(BASE) if k not in written and now[k] != target[k]]
    left = left_over(path, addresses, tuple(goal), states.shape)[:, len(seen) - 1]
    assert left.tolist() == [min(wrong, default=-1)]


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_a_last_write_puts_right_what_is_left_and_harms_nothing(seed):
    rng = np.random.default_rng(seed)
    memory, target = rng.integers(0, 3, (2, 3, 4))
    mask = rng.random((3, 4)) < 0.7
    addresses, values = rng.integers(0, 4, (6, 3)), rng.integers(0, 3, (6, 3))
    wrong = mask & (memory != target)
    for row in wrong:
        row[np.flatnonzero(row)[1:]] = False
    left = np.where(wrong.any(1), wrong.argmax(1), -1)
    now = np.where(wrong, memory, target)

    def right(a, v):
        after, e = now.copy(), np.arange(3)
        after[e, addresses[a]] = values[v]
        return ((after == target) | ~mask).all()

    pairs = itertools.product(range(6), range(6))
    wanted = next((pair for pair in pairs if right(*pair)), None)
    assert last_write(addresses, values, left, (memory, target, mask)) == wanted


def test_tests_differ_in_where_they_stop():
    task = INTERPRETERS["list_search"]
    states = states_of(task.sample(3, seed=0), 0, task.instructions)
    terms, seen = terms_of(states, task.instructions), Seen()
    goes = [stops_of(terms, cost, seen).goes for cost in range(2)]
    every = np.concatenate(goes, axis=1)
    assert len(np.unique(every, axis=1).T) == every.shape[1]
    assert every.any(0).all() and not every.all(0).any()


@pytest.mark.parametrize("name", ["all_gt_k", "concat", "binary_decrement"])
def test_what_is_found_is_right_at_sizes_that_no_search_sees(name):
    task = INTERPRETERS[name]
    found, again = (
        synthesize(task, space="rounds", units=3, progress=False) for _ in range(2)
    )
    assert found.solutions[0].answer.verify(task)
    assert str(found.solutions[0]) == str(again.solutions[0])
    assert found.tried == again.tried


def test_a_table_without_jumps_or_without_over_is_searched_too():
    task = INTERPRETERS["max"]
    few = [i for i in nc.INSTRUCTIONS if i.name != "sub"]
    found = synthesize(task.using(few), space="rounds", units=1, progress=False)
    assert found.solutions[0].answer.verify(task)
    still = [i for i in nc.INSTRUCTIONS if i.name != "jump"]
    none = synthesize(task.using(still), space=[Rounds(cost=2)], progress=False)
    assert not none.solutions and none.stopped is None


def test_where_trees_take_too_much_memory_cheap_ones_are_listed_or_none():
    task, rounds = INTERPRETERS["all_gt_k"], Rounds()
    kept = {limit: list(rounds.search(task, limit)) for limit in (1e8, 1e6)}
    for limit, says in ((1e8, "all trees take"), (1e6, "any trees take")):
        assert says in kept[limit][0].left
    assert len(kept[1e6]) == 1
    assert max(int(p.where.split()[-1]) for p in kept[1e8][1:]) == 3
    assert any(p.candidates for p in kept[1e8])


def test_a_large_base_is_left_and_fills_no_memory():
    double = nc.Task.from_function(lambda m: [2 * m[0] % 2000], cells=1, base=2000)
    (only,) = itertools.islice(Rounds().search(double), 2)
    assert only.left == "rounds: any trees take more than the memory limit"


def test_enough_examples_make_luck_unlikely():
    assert enough(np.array([0, 1] * 50)) == 20
    assert enough(np.arange(100) % 64) == 4
    assert enough(np.array([3])) == 1


def test_registers_are_spared_where_they_run_out():
    task, above = INTERPRETERS["rev_filter_gt_k"], filled(OVER.pattern, ("x", "m1"))
    edits, layout = [Edit("drop", above), Edit("reverse")], Layout(2, True, "there")
    few, many = (lower_in(layout, edits, Room(r)) for r in (6, 9))
    assert few.verify(task) and many.verify(replace(task, registers=9))
    assert str(few.program) != str(many.program)
    assert lower_in(layout, edits, Room(5)) is None
    assert room_of(task).registers == 6


def test_a_cost_below_zero_is_refused():
    with pytest.raises(nc.InputError, match="cost is at least 0, found -1"):
        Rounds(cost=-1)
