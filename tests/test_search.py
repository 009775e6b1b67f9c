"""Enumeration finds what is there, once, and says what is not: against slow enumerators and closed forms."""

import itertools
import os
import signal
from dataclasses import replace

import jax
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import neural_compile as nc
from neural_compile import synthesis
from neural_compile.synthesis.abstraction import (
    CURRICULUM,
    climb,
    common,
    matched,
    weight,
)
from neural_compile.assembly.programs import execute_many
from neural_compile.assembly.batches import Seen, encode_all, hash_rows, which_fit
from neural_compile.synthesis.bodies import Bodies, Chunk, straight_lines, turns
from neural_compile.synthesis.language import expressions, functions
from neural_compile.assembly.tasks import Examples, check_examples
from neural_compile.synthesis.values import (
    Values,
    filled,
    primitives,
    search_values,
    setting,
)
from strategies import machines, memories, programs, register_values

KEY = jax.random.key(0)


def uniform(b):
    return lambda choose, n, base: ([choose(base) for _ in range(base)], {})


def as_task(
    name: str, program: nc.Program, clock: nc.Clock, *, base=5, cells=3, registers=4
) -> nc.Task:
    "The task of doing what a program does."

    def target(m, r, n, b):
        memory, _, _, _ = execute_many(
            program,
            np.array([m]),
            np.array([[r.get(k, 0) for k in range(registers)]]),
            base=b,
            steps=clock.steps(len(program), n, b),
        )
        return memory[0].tolist()

    return nc.Task(
        name, name, uniform(base), target, base=base, registers=registers, cells=cells
    )


# Batches


@given(st.data())
@settings(max_examples=150)
def test_a_batch_judges_like_one_program_at_a_time(data):
    machine = data.draw(machines())
    batch = data.draw(st.lists(programs(machine), min_size=1, max_size=4))
    memory, registers = (
        np.array([data.draw(s(machine)) for _ in range(3)], np.int32)
        for s in (memories, register_values)
    )
    clocks = [
        data.draw(
            st.sampled_from([nc.Clock(0, 7), nc.Clock(halts=True), nc.Clock(0, 40)])
        )
        for _ in batch
    ]
    right, _, _, halted = execute_many(
        batch[0], memory, registers, base=machine.base, steps=40
    )
    target, mask = (
        (right if data.draw(st.booleans()) else memory),
        np.array(
            data.draw(
                st.lists(
                    st.booleans(), min_size=3 * machine.base, max_size=3 * machine.base
                )
            )
        ).reshape(3, -1),
    )
    shown = Examples(memory, registers, target, mask, 1, machine.base)
    assert which_fit(*encode_all(batch, clocks, shown), shown).tolist() == [
        bool(check_examples(p, c, shown).all()) for p, c in zip(batch, clocks)
    ]


@given(
    st.lists(st.lists(st.integers(0, 60), min_size=2, max_size=2), max_size=300),
    st.integers(1, 5),
)
def test_seen_is_a_set(rows, parts):
    seen, known = Seen(), set()
    for part in np.array_split(np.array(rows).reshape(-1, 2), parts):
        new = seen.add(hash_rows(part)).tolist() if len(part) else []
        expected = []
        for row in map(tuple, part.tolist()):
            expected.append(row not in known)
            known.add(row)
        assert new == expected
    assert seen.count == len(known)


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
    "Bodies in order are as many as classes of bodies under renaming, counted by trying all renamings."
    one = turns(straight_lines(4), range(4))[:, 0] >= 0
    assert (
        one.sum() == 6 * 5 + 4 * 2
    )  # Bell numbers: the ways in which three names, or two, can be equal
    lines = straight_lines(2)
    after, every = (
        turns(lines, range(2)),
        list(itertools.product(range(len(lines)), repeat=2)),
    )
    used = [[s in nc.INSTRUCTIONS[op].slots for s in "abo"] for op in lines[:, 0]]
    renamed = lambda body, p: tuple(
        (lines[i, 0], *(p[r] if u else 0 for r, u in zip(lines[i, 1:], used[i])))
        for i in body
    )
    classes = {min(renamed(body, p) for p in ([0, 1], [1, 0])) for body in every}
    assert sum(in_order(after, body) for body in every) == len(classes)


@pytest.mark.parametrize("repeated", [False, True])
def test_bodies_are_all_effects_and_one_of_each(repeated):
    "Against every sequence of one and two lines over two registers, run one by one on the same probes."
    shown = nc.TASKS["map_inc"].sample(4, seed=1, base=4, cells=2)
    shown = replace(
        shown, registers=shown.registers[:, :2] + np.arange(2, dtype=np.int32)
    )
    bodies = Bodies(shown, shown.mask, range(2), repeated=repeated)
    for _ in range(2):
        for _ in bodies.grow():
            pass
    memory, registers = (
        bodies.probes[0].astype(np.int32),
        bodies.probes[1].astype(np.int32),
    )

    def effect(body):
        M, R = memory, registers
        if len(body):
            program = nc.Program(
                tuple(
                    nc.Line(nc.INSTRUCTIONS[op], a, b, o)
                    for op, a, b, o in bodies.lines[list(body)].tolist()
                )
            )
            M, R, _, _ = execute_many(
                program, memory, registers, base=4, steps=len(body)
            )
        vectors = [R[:, r].tobytes() for r in range(2)]
        return M.tobytes(), tuple(vectors if repeated else sorted(vectors))

    after = bodies.machine[1]
    every = [
        body
        for n in (0, 1, 2)
        for body in itertools.product(range(len(bodies.lines)), repeat=n)
        if not repeated or in_order(after, body)
    ]
    kept = [
        effect([i for i in body if i >= 0])
        for level in bodies.levels[1:]
        for body in level.tolist()
    ]
    assert len(kept) == len(set(kept)) and set(kept) | {effect(())} == {
        effect(body) for body in every
    }


def test_the_number_of_expressions_is_a_closed_form_for_each_size():
    pool, ops = functions(nc.TASKS["map_inc"], {}, 3), 6
    for size in (2, 3, 4):
        maps, scans, reductions = (
            3 * len(pool[size - 1]),
            ops * (size == 2),
            4 * ops * len(pool[size - 2]),
        )  # apply, map and filter take the same functions
        assert sum(
            1 for _ in expressions(size, pool, [])
        ) == maps + scans + reductions + count_cond(pool, size - 1)


def count_cond(pool, total):
    "cond takes a function that changes something and two more, of so many steps together."
    size = [len(level) for level in pool]
    return sum(
        size[i] * size[j] * size[total - i - j]
        for i in range(1, total + 1)
        for j in range(total - i + 1)
    )


# What is in the space is found


@pytest.mark.parametrize("combinator", nc.EXTENDED, ids=lambda c: c.name)
def test_every_expression_of_size_two_is_found_again_as_a_task(combinator):
    pool = functions(nc.TASKS["map_inc"], {}, 1)
    for size in (1, 2):
        for made, arguments in expressions(size, pool, [], (combinator,)):
            c = synthesis.candidate(made, arguments, [], 5, size)
            task = as_task(
                c.expression, c.program, c.clock, base=3, cells=2, registers=5
            )
            if not (
                task.sample(8, seed=0).target != task.sample(8, seed=0).memory
            ).any():
                continue  # It does nothing
            found = nc.synthesize(task, size=2, language=(combinator,), progress=False)
            if found.solutions:
                assert found.solutions[0].size <= size
            else:
                assert not nc.verify(c.program, c.clock, task), c


@given(st.data())
@settings(max_examples=40)
def test_every_short_body_is_found_again_as_a_task(data):
    lines = straight_lines(2)
    body = data.draw(st.lists(st.integers(0, len(lines) - 1), min_size=1, max_size=3))
    program = nc.Program(
        tuple(
            nc.Line(nc.INSTRUCTIONS[op], a, b, o)
            for op, a, b, o in lines[body].tolist()
        )
    )
    task = as_task(
        "body", program, nc.Clock(0, len(body)), base=4, cells=1, registers=2
    )
    shown = task.sample(16, seed=1)
    if (shown.target == shown.memory).all():
        return  # It does nothing that shows
    found = nc.synthesize(task, space="assembly", lines=3, progress=False)
    assert (
        found.solutions
        and len(found.solutions[0].program) <= len(body)
        and found.shortest
    )


def test_every_loop_that_works_cell_by_cell_is_found_again():
    for text in (
        "read 0 1\ninc 1 1\nwrite 0 1\ninc 0 0",
        "write 0 0\ninc 0 0",
        "add 0 0 1\nwrite 0 1\ninc 0 0",
    ):
        program = nc.parse(text)
        task = replace(
            as_task("loop", program, nc.Clock(len(program)), base=4, cells=3),
            family=((1, 4), (3, 8)),
        )
        found = nc.synthesize(task, space="assembly", lines=4, progress=False)
        assert (
            found.solutions
            and len(found.solutions[0].program) <= len(program)
            and found.shortest
        ), text


def test_a_loop_behind_a_prelude_is_found():
    program = nc.parse("inc 1 1\nloop:\nwrite 0 1\ninc 0 0\njump 3 loop")
    task = replace(
        as_task("ones", program, nc.Clock(3, 1), base=4, cells=3),
        family=((1, 4), (3, 8)),
    )
    found = nc.synthesize(task, space="assembly", lines=5, progress=False)
    assert found.solutions and len(found.solutions[0].program) <= 4 and found.shortest


def test_every_value_of_cost_two_is_found_where_it_is_stored():
    shown = nc.TASKS["access"].sample(16, seed=1)
    values = Values(setting(shown), primitives())
    for _ in range(2):
        for _ in values.grow():
            pass
    for a, v in itertools.product(range(values.starts[2]), range(values.starts[-1])):
        address, value = values.tree(a), values.tree(v)

        def target(m, r, n, b):
            here = setting(
                Examples(
                    np.array([m], np.int32),
                    np.zeros((1, 6), np.int32),
                    np.array([m]),
                    np.ones((1, b), bool),
                    n,
                    b,
                )
            )
            at, x = int(here.value(address)[0]), int(here.value(value)[0])
            return [x if c == at else None for c in range(b)]

        task = nc.Task("store", "", uniform(8), target, cells=1)
        fits = [
            c
            for chunk in search_values(task, task.sample(16, seed=1), 2)
            for c in chunk.candidates
        ]
        assert (
            fits
            and nc.verify(fits[0].program, fits[0].clock, task)
            and fits[0].size <= 1 + max(values.cost(a), values.cost(v))
        ), (address, value)


# What is not there is not


@pytest.mark.parametrize(
    "name, lines",
    [
        ("inc", 3),
        ("parity", 3),
        ("access", 4),
        ("add", 5),
        ("map_inc", 4),
        ("map_dec", 4),
    ],
)
def test_the_shortest_program_of_a_task(name, lines):
    found = nc.synthesize(nc.TASKS[name], space="assembly", progress=False)
    assert (
        len(found.solutions[0].program) == lines
        and found.shortest
        and ("none shorter" in repr(found))
    )
    assert all(nc.verify(s.program, s.clock, found.task) for s in found.solutions)


def test_no_program_of_two_lines_does_inc():
    "A bound that does not rest on skeletons: every program of two lines over two registers, jumps and halts included, read after every number of steps."
    per_line = [
        (n, a, b, o)
        for n, i in enumerate(nc.INSTRUCTIONS)
        for a, b, o in itertools.product(
            *(range(2) if s in i.slots else [0] for s in "abo")
        )
    ]
    assert len(per_line) == 6 * 8 + 4 * 4 + 2 * 2 + 2
    codes = np.array(list(itertools.product(per_line, repeat=2)), np.int32)
    shown = nc.TASKS["inc"].sample(6, seed=0)
    for steps in (*range(1, 17), -16):
        assert not which_fit(
            codes, np.full(len(codes), 2), np.full(len(codes), steps), shown
        ).any()


# Costs, instructions, limits


def test_costs_are_data():
    shown = nc.TASKS["map_inc"].sample(4, seed=1)
    bodies = Bodies(
        shown, shown.mask, range(6), repeated=True, costs={"read": 2, "mul": 3}
    )
    for _ in range(3):
        for _ in bodies.grow():
            pass
    price = {"read": 2, "mul": 3}
    for cost, level in enumerate(bodies.levels):
        assert all(
            sum(
                price.get(nc.INSTRUCTIONS[bodies.lines[i, 0]].name, 1)
                for i in body
                if i >= 0
            )
            == cost
            for body in level[:2000].tolist()
        )
    dear = nc.synthesize(
        nc.TASKS["inc"], space="stores", costs={"inc": 5}, progress=False
    )
    assert (
        dear.solutions
        and dear.solutions[0].size
        > nc.synthesize(nc.TASKS["inc"], space="stores", progress=False)
        .solutions[0]
        .size
    )
    with pytest.raises(nc.InputError, match="a cost is a whole number from 1"):
        nc.synthesize(nc.TASKS["inc"], costs={"inc": 0})


@pytest.mark.parametrize("space", ["stores", "assembly"])
def test_an_instruction_of_the_users_is_searched_like_ours(space):
    table = (*nc.INSTRUCTIONS, nc.Instruction("xor", "a b o", lambda a, b: a ^ b))
    task = nc.Task(
        "xor",
        "",
        uniform(8),
        lambda m, r, n, b: [m[0] ^ m[1]] + [None] * (b - 1),
        cells=1,
        family=((1, 16),),
    )
    assert not nc.synthesize(
        task, space=space, lines=4, cost=3, progress=False
    ).solutions
    found = nc.synthesize(
        task, space=space, lines=5, cost=4, instructions=table, progress=False
    )
    assert any(line.instruction.name == "xor" for line in found.solutions[0].program)


def test_the_memory_limit_leaves_a_part_and_says_so():
    found = nc.synthesize(
        nc.TASKS["sort"], space="assembly", lines=4, memory_limit=1e6, progress=False
    )
    assert (
        any("met the memory limit" in why for why in found.left)
        and not found.solutions
        and found.exhausted["once"] == 3
    )
    assert "met the memory limit" in repr(found)


def test_an_interrupt_waits_for_the_chunk_and_keeps_what_was_found(monkeypatch):
    def search(*args, **kwargs):
        c = nc.template("map_inc")
        yield Chunk("first", 10, 1, [replace(c, solves=True)])
        os.kill(os.getpid(), signal.SIGINT)
        yield Chunk(
            "second", 5, 1, [replace(c, expression="late", solves=False, score=1.0)]
        )
        yield Chunk("third", 1)

    monkeypatch.setattr(synthesis, "search_language", search)
    found = nc.synthesize(nc.TASKS["map_inc"], progress=False)
    assert (
        "interrupted in second" in found.stopped
        and found.tried == 15
        and found.solutions
        and [t.expression for t in found.templates][:1] == ["late"]
    )
    found.resume(progress=False)
    assert found.stopped is None and found.tried == 16
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_resumed_search_ends_as_if_it_had_not_been_stopped():
    for space in ("language", "stores", "assembly"):
        settings = dict(space=space, size=2, cost=3, lines=3, progress=False)
        whole, parts = (
            nc.synthesize(nc.TASKS["parity"], **settings),
            nc.synthesize(nc.TASKS["parity"], time_limit=0, **settings),
        )
        stops = 0
        while parts.stopped:
            parts.resume(time_limit=0, progress=False)
            stops += 1
        assert stops > 2 and (parts.solutions, parts.levels, parts.exhausted) == (
            whole.solutions,
            whole.levels,
            whole.exhausted,
        )


# Decoding and what follows it


def test_early_snapshots_and_the_untuned_template_are_not_lost():
    "map_parity from map_inc: tuning falls into a trap, the template does not."
    tuned = nc.tune(
        nc.TASKS["map_parity"],
        "map_inc",
        restarts=4,
        steps=300,
        key=KEY,
        progress=False,
    )
    search = lambda weights: {
        d.restart
        for d in nc.decode(
            weights, tuned.task, samples=50_000, key=KEY, clock=tuned.clock
        )
    }
    assert len(search(tuned.controllers)) < 4 and search(tuned.snapshots) == search(
        tuned.untuned
    ) == {0, 1, 2, 3}


@given(
    st.lists(
        st.tuples(
            st.integers(0, 5),
            st.sampled_from(["noop", "max 1 1 1", "inc 5 5", "read 0 4"]),
        ),
        max_size=4,
    )
)
@settings(max_examples=15)
def test_simplify_takes_out_what_was_put_in(extra):
    rows = ["loop:", "read 0 1", "inc 1 1", "write 0 1", "inc 0 0", "jump 3 loop"]
    for at, row in extra:
        rows.insert(max(1, min(at, len(rows) - 1)), row)
    program = nc.parse("\n".join(rows))
    clock = nc.Clock(len(program))
    if not nc.verify(program, clock, nc.TASKS["map_inc"]):
        return  # `read 0 4` before the loop's own read is harmless, others are not
    short, clock = nc.simplify(program, clock, nc.TASKS["map_inc"])
    assert len(short) == 4 and nc.verify(short, clock, nc.TASKS["map_inc"])


# Abstraction

trees = st.recursive(
    st.sampled_from(["0", "r5"]),
    lambda t: st.one_of(
        st.tuples(st.sampled_from(["read", "inc"]), t), st.tuples(st.just("add"), t, t)
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
    assert all(row["helped"]["cost"] for row in rows) and not any(
        row["alone"]["cost"] for row in rows[2:]
    )
