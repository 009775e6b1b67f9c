"""Enumeration finds what is there, once, and says what is not.

Against slow enumerators and closed forms.
"""

import itertools
import os
import signal
import time
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import neural_compile as nc
from neural_compile.assembly.batches import encode_all, run_programs, which_fit
from neural_compile.assembly.engine import execute_many
from neural_compile.assembly.tasks import Examples
from neural_compile.loss.decoding import Walk
from neural_compile.synthesis.abstraction import (
    CURRICULUM,
    climb,
    common,
    matched,
    weight,
)
from neural_compile.synthesis.bodies import bodies_for, grow, straight_lines, turns
from neural_compile.synthesis.expressions import expressions, functions, steps_of
from neural_compile.synthesis.language import PLACES, Expression, candidate, lower
from neural_compile.synthesis.search import EXAMPLES, Room, room_of
from neural_compile.synthesis.values import Values, filled, primitives, setting
from neural_compile.synthesis.walks import Walks, ground_of, random_rows


def uniform(choose, n, base):
    return [choose(base) for _ in range(base)], {}


def as_task(name, answer, *, base=5, cells=3, registers=4) -> nc.Task:
    "The task of doing what an answer does."

    def target(m, r, n, b):
        given = [r.get(k, 0) for k in range(registers)]
        ran = execute_many(
            answer.program,
            np.array([m]),
            np.array([given]),
            base=b,
            steps=answer.steps(n, b),
        )
        return ran.memory[0].tolist()

    size = dict(base=base, registers=registers, cells=cells)
    return nc.Task(name, name, uniform, target, **size)


def changes_nothing(examples) -> bool:
    return bool((examples.target == examples.memory).all())


def grown(bodies, levels):
    "Bodies with so many more levels."
    for _ in range(levels):
        list(grow(bodies))
    return bodies


def program_of(lines, body) -> nc.Program:
    "Numbers of lines as a program."
    rows = lines[list(body)].tolist()
    return nc.Program(
        tuple(nc.Line(nc.INSTRUCTIONS[op], a, b, o) for op, a, b, o in rows)
    )


# Counts


def test_the_number_of_lines_is_a_closed_form():
    for R in (1, 3, 6):
        assert len(straight_lines(R)) == 6 * R**3 + 4 * R**2


def in_order(after, body):
    "Whether a body names fresh registers in order."
    named = 0
    for i in body:
        named = after[i, named]
        if named < 0:
            return False
    return True


def test_one_spelling_of_each_renaming_is_in_order():
    "Bodies in order are as many as classes under renaming, found by trying all."
    one = turns(straight_lines(4), range(4))[:, 0] >= 0
    # Bell numbers: the ways in which three names, or two, can be equal
    assert one.sum() == 6 * 5 + 4 * 2
    lines = straight_lines(2)
    after = turns(lines, range(2))
    every = list(itertools.product(range(len(lines)), repeat=2))
    used = [[s in nc.INSTRUCTIONS[op].slots for s in "abo"] for op in lines[:, 0]]

    def renamed(body, names):
        rows = []
        for i in body:
            op, *operands = lines[i]
            rows.append((op, *(names[r] * u for r, u in zip(operands, used[i]))))
        return tuple(rows)

    classes = {min(renamed(body, p) for p in ([0, 1], [1, 0])) for body in every}
    assert sum(in_order(after, body) for body in every) == len(classes)


@pytest.mark.parametrize("repeated", [False, True])
def test_bodies_are_all_effects_and_one_of_each(repeated):
    "Against every sequence of one and two lines, run one by one on the same probes."
    shown = nc.TASKS["map_inc"].sample(4, seed=1, base=4, cells=2)
    two = shown.registers[:, :2] + np.arange(2, dtype=np.int32)
    shown = replace(shown, registers=two)
    bodies = grown(bodies_for(shown, range(2), repeated=repeated), 2)
    memory, registers = (x.astype(np.int32) for x in bodies.probes)
    lines, after = bodies.code.lines, bodies.code.after

    def effect(body):
        M, R = memory, registers
        if len(body):
            program = program_of(lines, body)
            ran = execute_many(program, memory, registers, base=4, steps=len(body))
            M, R = ran.memory, ran.registers
        vectors = [R[:, r].tobytes() for r in range(2)]
        return M.tobytes(), tuple(vectors if repeated else sorted(vectors))

    every = [
        body
        for n in (0, 1, 2)
        for body in itertools.product(range(len(lines)), repeat=n)
        if not repeated or in_order(after, body)
    ]
    kept = [effect(body[body >= 0]) for level in bodies.levels[1:] for body in level]
    assert len(kept) == len(set(kept))
    assert set(kept) | {effect(())} == {effect(body) for body in every}


def test_the_number_of_expressions_is_a_closed_form_for_each_size():
    pool, ops = functions(nc.TASKS["map_inc"].sample(4, seed=1), 3), 6
    assert sum(1 for _ in expressions(1, pool)) == 4  # loop(1) to loop(4)
    for size in (2, 3, 4):
        maps = 3 * len(pool[size - 1])  # apply, map and filter take the same functions
        scans = ops * (size == 2)
        reductions = 4 * ops * len(pool[size - 2])
        others = count_cond(pool, size - 1)
        found = sum(1 for _ in expressions(size, pool))
        assert found == maps + scans + reductions + others


def count_cond(pool, total):
    "cond takes a function that changes something and two more, of `total` steps."
    size = [len(level) for level in pool]
    return sum(
        size[i] * size[j] * size[total - i - j]
        for i in range(1, total + 1)
        for j in range(total - i + 1)
    )


# One of each


def test_one_function_of_each_behaviour_is_kept_and_none_is_lost():
    "Against every sequence of up to two steps, applied one by one."
    shown = nc.TASKS["parity"].sample(8, seed=0)
    result = {i.name: i.function for i in nc.INSTRUCTIONS}

    def values(function):
        every = []
        for x in range(8):
            for name, a, b in function:
                operands = [{"x": x, "r5": 2}.get(o) for o in (a, b)]
                x = result[name](*operands) % 8
            every.append(x)
        return tuple(every)

    kept = [values(f) for level in functions(shown, 2) for f in level]
    steps = steps_of([5])
    every = {values(f) for n in range(3) for f in itertools.product(steps, repeat=n)}
    assert len(kept) == len(set(kept)) and set(kept) == every


@pytest.mark.parametrize("name", ["map_inc", "parity"])
def test_the_first_expression_of_each_result_is_kept_and_none_is_lost(name):
    task = nc.TASKS[name]
    shown, room = task.sample(EXAMPLES, seed=1), room_of(task)
    pool = functions(shown, 1)
    every = [candidate(e, room) for n in (1, 2) for e in expressions(n, pool, room)]
    first = {}
    for c, left in zip(every, run_programs([c.answer for c in every], shown)):
        first.setdefault(left.tobytes(), c.expression)
    parts = nc.Expressions(2).search(task)
    kept = [c.expression for part in parts for c in part.candidates]
    assert kept == list(first.values()) and len(kept) < len(every)


# Lowering


LEAVES = {  # What a combinator makes of 3 1 2 7 0 and the 6 4 6 behind them
    "apply": [4, 1, 2, 7, 0, 6, 4, 6],
    "map": [4, 2, 3, 0, 1, 6, 4, 6],
    "scan": [3, 4, 6, 5, 5, 6, 4, 6],
    "reduce": [3, 1, 2, 5, 0, 6, 4, 6],
    "filter": [0, 0, 0, 7, 0, 6, 4, 6],
    "cond": [2, 1, 2, 7, 0, 6, 4, 6],
    "loop": [3, 1, 2, 7, 0, 6, 4, 6],
    "while": [4, 2, 3, 0, 0, 6, 4, 6],
    "fold": [0, 2, 2, 3, 1, 0, 4, 6],
}


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("combinator", nc.EXTENDED, ids=lambda c: c.name)
def test_no_ops_change_the_clock_and_not_the_result(combinator, where):
    inc, dec = (("inc", "x", ""),), (("dec", "x", ""),)
    given = {"changing": inc, "function": dec, "operation": "add", "start": ""}
    arguments = tuple(given.get(kind, 2) for kind in combinator.arguments)
    expression = Expression(combinator, arguments)
    plain, padded = candidate(expression), candidate(expression, **{where: 2})
    assert len(padded.program) == len(plain.program) + 2
    memory = [3, 1, 2, 7, 0, 6, 4, 6]
    alone, ran = (c.answer.run(memory, cells=5, base=8) for c in (plain, padded))
    assert alone.memory == ran.memory == LEAVES[combinator.name]
    assert alone.registers == ran.registers


def test_only_names_like_r5_are_constants():
    "A name of a skeleton that ends in the number of a given register is its own."
    row = nc.Combinator("copy", (), "read i x5\nwrite i x5\nadd x5 r5 x5\nhalt")
    program = lower(Expression(row, ()), Room(given=(5,)))
    read, _, add, _ = program
    assert read.o != 5 and add.b == 5 and add.o == read.o
    assert len({read.a, read.o, 5}) == 3


def test_an_expression_needs_its_instructions():
    table = tuple(i for i in nc.INSTRUCTIONS if i.name != "jump")
    task = nc.TASKS["map_inc"].using(table)
    found = nc.synthesize(task, progress=False)
    assert found.tried and not found.solutions
    assert all(c.kind in ("apply",) for c in found.templates)


def test_candidates_know_the_constants_of_their_task():
    found = nc.synthesize(nc.TASKS["parity"], space="all", progress=False)
    ran = found.solutions[0].answer.run([5, 1], base=8)
    assert ran.memory[0] == 1


# What is in the space is found


@pytest.mark.parametrize("combinator", nc.EXTENDED, ids=lambda c: c.name)
def test_every_expression_of_size_two_is_found_again_as_a_task(combinator):
    pool = functions(nc.TASKS["map_inc"].sample(4, seed=1), 1)
    room, space = Room(registers=5), [nc.Expressions(2, (combinator,))]
    for size in (1, 2):
        for expression in expressions(size, pool, room, (combinator,)):
            c = candidate(expression, room, size)
            task = as_task(c.expression, c.answer, base=3, cells=2, registers=5)
            if changes_nothing(task.sample(8, seed=0)):
                continue
            found = nc.synthesize(task, space=space, progress=False)
            if found.solutions:
                assert found.solutions[0].size <= size
            else:
                assert not c.answer.verify(task), c


@given(st.data())
@settings(max_examples=25)
def test_every_short_body_is_found_again_as_a_task(data):
    lines = straight_lines(2)
    names = [nc.INSTRUCTIONS[op].name for op in lines[:, 0]]
    writes = [n for n, name in enumerate(names) if name == "write"]
    first = data.draw(st.lists(st.integers(0, len(lines) - 1), max_size=2))
    body = [*first, data.draw(st.sampled_from(writes))]
    answer = nc.Answer(program_of(lines, body), nc.Clock(0, len(body)))
    task = as_task("body", answer, base=4, cells=1, registers=2)
    assume(not changes_nothing(task.sample(16, seed=1)))
    found = nc.synthesize(task, space=[nc.Assembly(3)], progress=False)
    assert found.solutions and found.shortest
    assert len(found.solutions[0].program) <= len(body)


def found_in_assembly(text, clock, lines):
    "What is found for the task of doing what a loop does, cell by cell."
    answer = nc.Answer(nc.parse(text), clock)
    task = as_task("loop", answer, base=4, cells=3)
    task = replace(task, family=((1, 4), (3, 8)))
    found = nc.synthesize(task, space=[nc.Assembly(lines)], progress=False)
    assert found.solutions and found.shortest, text
    return len(found.solutions[0].program)


@pytest.mark.parametrize(
    "text",
    [
        "read 0 1\ninc 1 1\nwrite 0 1\ninc 0 0",
        "write 0 0\ninc 0 0",
        "add 0 0 1\nwrite 0 1\ninc 0 0",
    ],
)
def test_every_loop_that_works_cell_by_cell_is_found_again(text):
    length = len(nc.parse(text))
    assert found_in_assembly(text, nc.Clock(length), 4) <= length


def test_a_loop_behind_a_prelude_is_found():
    text = "inc 1 1\nloop:\nwrite 0 1\ninc 0 0\njump 3 loop"
    assert found_in_assembly(text, nc.Clock(3, 1), 5) <= 4


def test_every_value_of_cost_two_is_found_where_it_is_stored():
    shown = nc.TASKS["access"].sample(16, seed=1)
    values = Values(setting(shown), primitives())
    for _ in range(2):
        list(values.grow())
    addresses, stored = range(values.starts[2]), range(values.starts[-1])
    for a, v in itertools.product(addresses, stored):
        address, value = values.tree(a), values.tree(v)

        def target(m, r, n, b):
            memory, registers = np.array([m], np.int32), np.zeros((1, 6), np.int32)
            every = np.ones((1, b), bool)
            here = setting(Examples(memory, registers, memory, every, n, b))
            at, x = int(here.value(address)[0]), int(here.value(value)[0])
            return [x if c == at else None for c in range(b)]

        task = nc.Task("store", "", uniform, target, cells=1)
        parts = nc.Stores(2).search(task)
        fits = [c for part in parts for c in part.candidates]
        assert fits and fits[0].answer.verify(task), (address, value)
        assert fits[0].size <= 1 + max(values.cost(a), values.cost(v))


ALONE = {
    "inc": "apply(inc)",
    "map_inc": "map(inc)",
    "map_dec": "map(dec)",
    "reduce": "fold(add, id, from zero)",
    "parity": "apply(mod(x,r5))",
    "map_parity": "map(mod(x,r5))",
    "list_parity": "fold(add, mod(x,r5), from zero)",
}


@pytest.mark.parametrize("name", ALONE)
def test_enumeration_alone_solves(name):
    size = 3 if name == "list_parity" else 2
    space = [nc.Expressions(size, nc.EXTENDED)]
    found = nc.synthesize(nc.TASKS[name], space=space, progress=False)
    first, *others = found.solutions
    assert (first.expression, first.size) == (ALONE[name], size)
    assert all(s.answer.verify(found.task) for s in (first, *others))


# What is not there is not


BEYOND = tuple(c for c in nc.EXTENDED if c not in nc.LANGUAGE)
NEITHER = {  # Chapters ask about the second in the language of the paper
    "fibonacci": nc.Expressions(4, nc.EXTENDED),
    "fibonacci_seeded": nc.Expressions(3, BEYOND),
}


@pytest.mark.parametrize("name", NEITHER)
def test_the_fibonacci_recurrence_is_not_in_the_language(name):
    space = [NEITHER[name]]
    found = nc.synthesize(nc.TASKS[name], space=space, progress=False)
    assert not found.solutions and found.exhausted == {"language": space[0].size}


def test_templates_are_of_different_kinds_and_the_first_come_with_no_ops():
    space = [nc.Expressions(2, nc.EXTENDED)]
    task = nc.TASKS["fibonacci_seeded"]
    found = nc.synthesize(task, space=space, progress=False)
    plain, padded = found.templates[:8], found.templates[8:]
    kinds = {t.kind for t in plain}
    assert kinds == {"apply", "filter", "fold", "loop", "map", "scan", "while"}
    assert {t.kind for t in plain[:7]} == kinds
    assert not any("no-op" in t.expression for t in plain)
    for t, known in zip(padded, plain[:4] * 2, strict=True):
        assert t.expression.startswith(f"{known.expression} + 1 no-op in the body")
        assert t.source == known.source and t.score == known.score
        assert len(t.program) > len(known.program)


SHORTEST = {"inc": 3, "parity": 3, "access": 4, "add": 5, "map_inc": 4, "map_dec": 4}


@pytest.mark.parametrize("name", SHORTEST)
def test_the_shortest_program_of_a_task(name):
    found = nc.synthesize(nc.TASKS[name], space="assembly", progress=False)
    lines = SHORTEST[name]
    assert len(found.solutions[0].program) == lines and found.shortest
    assert all(s.answer.verify(found.task) for s in found.solutions)
    within = ", ".join(n for n in ("once", "loop", "prelude") if n in found.exhausted)
    many = "s" * ("loop" in found.exhausted)
    assert f"none shorter: all of up to {lines - 1} lines in the" in repr(found)
    assert f"skeleton{many} {within} were tried" in repr(found)


def test_no_program_of_two_lines_does_inc():
    """A bound that does not rest on skeletons.

    Every program of two lines over two registers, jumps and halts included, read after
    every number of steps.
    """
    per_line = []
    for n, i in enumerate(nc.INSTRUCTIONS):
        choices = [range(2) if slot in i.slots else [0] for slot in "abo"]
        per_line += [(n, *operands) for operands in itertools.product(*choices)]
    assert len(per_line) == 6 * 8 + 4 * 4 + 2 * 2 + 2
    codes = np.array(list(itertools.product(per_line, repeat=2)), np.int32)
    lengths = np.full(len(codes), 2)
    shown = nc.TASKS["inc"].sample(6, seed=0)
    for steps in (*range(1, 17), -16):
        assert not which_fit(codes, lengths, np.full(len(codes), steps), shown).any()
    three = nc.parse("read 0 1\ninc 1 1\nwrite 0 1")
    assert which_fit(*encode_all([nc.Answer(three, nc.Clock(0, 3))], shown), shown)


# Costs, instructions, limits


def test_costs_are_data():
    shown = nc.TASKS["map_inc"].sample(4, seed=1)
    price = {"read": 2, "mul": 3}
    bodies = grown(bodies_for(shown, range(6), repeated=True, costs=price), 3)
    names = [nc.INSTRUCTIONS[op].name for op in bodies.code.lines[:, 0]]
    for cost, level in enumerate(bodies.levels):
        for body in level[:2000]:
            assert sum(price.get(names[i], 1) for i in body[body >= 0]) == cost
    task = nc.TASKS["inc"]
    cheap = nc.synthesize(task, space=[nc.Stores()], progress=False)
    dear = nc.synthesize(task, space=[nc.Stores(costs={"inc": 5})], progress=False)
    assert dear.solutions[0].size > cheap.solutions[0].size


@pytest.mark.parametrize("search", [nc.Stores, nc.Assembly])
def test_a_cost_is_a_whole_number_from_one(search):
    for wrong in (0, -1):
        with pytest.raises(nc.InputError, match="a cost is a whole number from 1"):
            search(costs={"inc": wrong})


def test_with_costs_only_lines_that_were_tried_count_as_proof():
    "Reads cost 2: what costs up to 3 is every program of one line, not of two."
    space = [nc.Assembly(costs={"read": 2})]
    found = nc.synthesize(nc.TASKS["inc"], space=space, progress=False)
    assert len(found.solutions[0].program) == 3 and found.solutions[0].size == 4
    assert found.exhausted == {"once": 1} and not found.shortest


@pytest.mark.parametrize("search", [nc.Stores, nc.Assembly])
def test_an_instruction_of_the_users_is_searched_like_ours(search):
    table = (*nc.INSTRUCTIONS, nc.Instruction("xor", "a b o", lambda a, b: a ^ b))

    def target(m, r, n, b):
        return [m[0] ^ m[1]] + [None] * (b - 1)

    task = nc.Task("xor", "", uniform, target, cells=1, family=((1, 16),))
    assert not nc.synthesize(task, space=[search(4)], progress=False).solutions
    found = nc.synthesize(task.using(table), space=[search(5)], progress=False)
    lines = found.solutions[0].program
    assert any(line.instruction.name == "xor" for line in lines)


def test_the_memory_limit_leaves_a_part_and_says_so():
    task, space = nc.TASKS["sort"], [nc.Assembly(4)]
    found = nc.synthesize(task, space=space, memory_limit=1e6, progress=False)
    assert any("met the memory limit" in why for why in found.left)
    assert not found.solutions and found.exhausted["once"] == 3
    assert "met the memory limit" in repr(found)


def test_a_space_is_a_name_or_searches():
    for wrong in ("everything", []):
        with pytest.raises(nc.InputError, match="space is one of language"):
            nc.synthesize(nc.TASKS["inc"], space=wrong)
    for search in (nc.Expressions, nc.Stores, nc.Assembly):
        with pytest.raises(nc.InputError, match="is at least 1, found 0"):
            search(0)


# Stopping


@dataclass(frozen=True)
class Interrupted(nc.Search):
    "A search of a user's own, interrupted in its second part."

    to_the_end = True

    def search(self, task, memory_limit=2e9):
        c = nc.template("map_inc")
        yield nc.Progress("first", 10, 1, [replace(c, solves=True)])
        os.kill(os.getpid(), signal.SIGINT)
        late = replace(c, expression="late", solves=False, score=1.0)
        yield nc.Progress("second", 5, 1, [late])
        yield nc.Progress("third", 1)


# Side by side


@dataclass(frozen=True)
class Priced(nc.Search):
    "So many parts of a hundred candidates, the last of them right if it is said."

    name: str
    price: float
    parts: int = 1000
    right: bool = False

    def search(self, task, memory_limit=2e9):
        c = nc.template("map_inc")
        for n in range(1, self.parts + 1):
            found = [replace(c, solves=True)] if self.right and n == self.parts else []
            yield nc.Progress(self.name, 100, 0, found)


def test_searches_side_by_side_are_given_the_same_work():
    dear, cheap = Priced("dear", 1e-2), Priced("cheap", 1e-4)
    how = dict(space=[dear, cheap], units=10.5, progress=False)
    found = nc.synthesize(nc.TASKS["sort"], **how)
    tried = {where: count for where, count, _ in found.levels}
    assert found.stopped.why is nc.Why.BUDGET and 10.5 <= found.units < 12
    assert tried["dear"] * 1e-2 == pytest.approx(tried["cheap"] * 1e-4, abs=1.1)
    before = found.units
    found.resume(units=4, progress=False)
    assert before + 4 <= found.units < before + 5.1


def test_one_that_is_at_its_end_leaves_the_work_to_the_others():
    short, long = Priced("short", 1e-2, 3), Priced("long", 1e-2, 20, True)
    found = nc.synthesize(nc.TASKS["map_inc"], space=[short, long], progress=False)
    assert [tried for _, tried, _ in found.levels] == [300, 2000]
    assert found.solutions and found.stopped is None


# Walks


def test_walks_solve_what_no_expression_says_and_repeat_themselves():
    task, how = nc.TASKS["fibonacci_seeded"], dict(space="walks", progress=False)
    found, again = nc.synthesize(task, **how), nc.synthesize(task, **how)
    assert found.solutions[0].answer.verify(task)
    assert found.solutions == again.solutions and found.levels == again.levels
    other = nc.synthesize(task, space=[Walks(seed=1)], progress=False)
    assert other.solutions != found.solutions


def test_walks_use_the_instructions_of_the_task_and_end():
    few = [i for i in nc.INSTRUCTIONS if i.name in ("noop", "read", "write", "add")]
    task = nc.TASKS["sort"].using(few)
    search = Walks(lines=(3, 5), length=100, programs=2000)
    found = nc.synthesize(task, space=[search], progress=False)
    assert not found.solutions and 2000 <= found.tried < 3600
    assert found.left == [f"walks: left after {found.tried:,} programs"]
    assert {where for where, *_ in found.levels[:2]} == {
        "walks over 3 lines",
        "walks over 5 lines",
    }
    ground = ground_of(task, 5, search.walk)
    rows = np.concatenate(
        [random_rows(ground.machine, np.random.default_rng(n)) for n in range(50)]
    )
    assert set(rows[:, 0]) == set(range(4)) and rows[:, 1:].max() == 5


@pytest.mark.parametrize("wrong", [dict(lines=()), dict(length=0), dict(programs=0)])
def test_walks_that_cannot_be_are_refused(wrong):
    with pytest.raises(nc.InputError, match="is at least 1, found 0"):
        Walks(**wrong)
    with pytest.raises(nc.InputError, match="found guided=0.5"):
        Walks(walk=Walk())


# Interrupted


def test_an_interrupt_waits_for_the_part_and_keeps_what_was_found():
    task = nc.TASKS["map_inc"]
    found = nc.synthesize(task, space=[Interrupted()], progress=False)
    assert found.stopped == nc.Stopped(nc.Why.INTERRUPTED, "in second")
    assert found.tried == 15 and found.solutions
    assert found.templates[0].expression == "late"
    found.resume(progress=False)
    assert found.stopped is None and found.tried == 16
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


SMALL = nc.Expressions(2), nc.Stores(3), nc.Assembly(3), Walks(programs=30_000)


@pytest.mark.parametrize("search", SMALL)
def test_a_resumed_search_ends_as_if_it_had_not_been_stopped(search):
    task, settings = nc.TASKS["parity"], dict(space=[search], progress=False)
    whole = nc.synthesize(task, **settings)
    parts = nc.synthesize(task, time_limit=0, **settings)
    stops = 0
    while parts.stopped:
        assert parts.stopped.why is nc.Why.TIME
        parts.resume(time_limit=0, progress=False)
        stops += 1
    assert stops > 2 and parts.solutions == whole.solutions
    assert (parts.levels, parts.exhausted) == (whole.levels, whole.exhausted)


class Slow(nc.Search):
    "A search that takes five seconds."

    def search(self, task, memory_limit=2e9):
        for _ in range(500):
            time.sleep(0.01)
            yield nc.Progress("slow", 1)


def test_a_time_limit_ends_a_search_after_so_many_seconds_and_says_so():
    settings = dict(time_limit=0.1, progress=False)
    found = nc.synthesize(nc.TASKS["inc"], space=[Slow()], **settings)
    assert found.stopped == nc.Stopped(nc.Why.TIME, "in slow")
    assert "stopped by the time limit in slow" in repr(found)
    assert found.seconds > 0.1 and found.tried < 250
    assert found.resume(**settings).stopped.why is nc.Why.TIME
    assert found.seconds > 0.2 and found.levels == [("slow", found.tried, 0)]


def test_searches_go_on_until_one_has_a_solution():
    task, searches = nc.TASKS["access"], [nc.Expressions(2), nc.Stores(), nc.Assembly()]
    found = nc.synthesize(task, space=searches, progress=False)
    assert found.solutions[0].kind == "stores"
    assert found.exhausted["once"] < 3  # Where assembly would have its answer


# Abstraction

leaves = st.sampled_from(["0", "r5"])
trees = st.recursive(
    leaves,
    lambda t: st.one_of(
        st.tuples(st.sampled_from(["read", "inc"]), t),
        st.tuples(st.just("add"), t, t),
    ),
    max_leaves=8,
)


@given(trees, trees)
def test_what_two_trees_have_in_common_is_in_both(t, u):
    pattern = common(t, u)
    for tree in (t, u):
        bound = {}
        assert matched(pattern, tree, bound)
        assert filled(pattern, [bound.get(f"?{k}") for k in range(len(bound))]) == tree
    assert weight(pattern) <= min(weight(t), weight(u))


def test_the_curriculum_is_climbed_with_what_was_learned():
    rows = list(climb(CURRICULUM, cost=6, progress=False))
    assert all(row["helped"]["cost"] for row in rows)
    assert not any(row["alone"]["cost"] for row in rows[2:])


def test_more_answers_are_different_and_right():
    task = nc.TASKS["map_inc"]
    found = nc.synthesize(task, space="walks", more=5, progress=False)
    assert len({c.program for c in found.solutions}) == len(found.solutions) >= 5
    answers = found.answers
    assert len(set(answers)) == len(answers) and all(a.verify(task) for a in answers)
    assert [len(a) for a in answers] == sorted(len(a) for a in answers)
    one = nc.synthesize(task, space="walks", progress=False)
    assert found.tried > one.tried
    with pytest.raises(nc.InputError, match="more is at least 1, found 0"):
        nc.synthesize(task, more=0)


def test_a_budget_ends_the_wait_for_more_answers():
    how = dict(space="walks", more=10**6, units=0.3, progress=False)
    found = nc.synthesize(nc.TASKS["inc"], **how)
    assert found.solutions and found.stopped.why is nc.Why.BUDGET
