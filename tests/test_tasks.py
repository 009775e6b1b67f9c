"""Tasks, clocks, verdicts, answers, and programs by the million."""

import hashlib
import itertools
import math
import signal
import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import machines, memories, programs, register_values

from neural_compile.assembly.answers import (
    Answer,
    Stopped,
    Why,
    delayed_interrupt,
    fit_clock,
    without,
)
from neural_compile.assembly.batches import (
    Seen,
    encode_all,
    hash_rows,
    run_programs,
    which_fit,
)
from neural_compile.assembly.engine import execute_many
from neural_compile.assembly.execution import execute
from neural_compile.assembly.parsing import parse
from neural_compile.assembly.programs import INSTRUCTIONS, InputError, Instruction
from neural_compile.assembly.suite import TASKS, sized
from neural_compile.assembly.tasks import Examples, Task, sample_input
from neural_compile.assembly.verification import (
    Clock,
    check_examples,
    every_input,
    sizes,
    verify,
)

# Inputs


@given(st.lists(st.integers(1, 3), min_size=1, max_size=4))
def test_enumerated_inputs_are_all_inputs(options):
    build = lambda choose: tuple(choose(n) for n in options)
    every = every_input(build)
    assert sorted(every) == sorted(itertools.product(*map(range, options)))
    assert sample_input(build, np.random.default_rng(0)) in every
    assert every_input(build, limit=len(every)) == every
    assert every_input(build, limit=len(every) - 1) is None


@given(st.integers(1, 4), st.integers(1, 3))
def test_choices_may_depend_on_choices(longest, options):
    build = lambda choose: tuple(choose(options) for _ in range(choose(longest)))
    every = every_input(build)
    assert len(every) == len(set(every)) == sum(options**n for n in range(longest))


# The suite


@pytest.mark.parametrize("name", TASKS)
def test_every_size_of_a_task_makes_sense(name):
    task = TASKS[name]
    for cells, base in sizes(task):
        given = task.sample(20, seed=0, cells=cells, base=base)
        shapes = {x.shape for x in (given.memory, given.target, given.mask)}
        assert shapes == {(20, base)}
        assert given.registers.shape == (20, task.registers)
        for values in (given.memory, given.registers, given.target):
            assert values.min() >= 0 and values.max() < base
        assert given.mask.any(1).all()
        changed = ((given.target != given.memory) & given.mask).any(1)
        assert changed.any(), "a task that changes nothing is solved by noop"


SAMPLES = {  # Of seed 5; recorded results can be repeated as long as these stay
    "inc": "e392c99e40c4",
    "map_inc": "c3a88620cf09",
    "map_dec": "811c07e6130d",
    "reduce": "3f1f3a49178b",
    "parity": "ebad49fe7039",
    "map_parity": "5d49c5be4300",
    "list_parity": "aa6e251b7489",
    "fibonacci": "9e1273f7a88f",
    "fibonacci_seeded": "419a47729331",
    "access": "1432fd6b3c56",
    "swap": "7007f4b5f2ef",
    "increment": "1496bc9d28a2",
    "add": "ab379c0c3b2f",
    "list_k": "a5a81ba31d38",
    "sort": "ff22447ccf51",
}


@pytest.mark.parametrize("name", TASKS)
def test_a_seed_gives_the_same_examples_for_ever(name):
    digest = hashlib.sha256()
    for cells, base in sizes(TASKS[name]):
        given = TASKS[name].sample(20, seed=5, cells=cells, base=base)
        for values in (given.memory, given.registers, given.target, given.mask):
            digest.update(values.astype(np.int32).tobytes())
    assert digest.hexdigest()[:12] == SAMPLES[name]


@pytest.mark.parametrize("name", TASKS)
def test_what_registers_start_with(name):
    task = TASKS[name]
    constant = name in ("parity", "map_parity", "list_parity", "swap")
    assert task.constants == (0, 0, 0, 0, 0, 2 * constant)
    assert task.given == ([1, 2] if name == "fibonacci_seeded" else [5] * constant)


WRITTEN = {
    "inc": ("read 0 1\ninc 1 1\nwrite 0 1", Clock(0, 3)),
    "map_dec": ("read 0 1\ndec 1 1\nwrite 0 1\ninc 0 0", Clock(4)),
    "reduce": ("read 0 1\nwrite 0 2\nadd 1 2 2\ninc 0 0", Clock(4, 2)),
    "fibonacci_seeded": (
        "add 1 2 3\nwrite 0 3\ninc 0 0\nadd 2 4 1\nadd 3 4 2",
        Clock(5),
    ),
}


@pytest.mark.parametrize("base, cells", [(10, 3), (12, 4)])
@pytest.mark.parametrize("name", TASKS)
def test_a_task_of_another_size_keeps_its_meaning(name, base, cells):
    task = sized(TASKS[name], base, cells)
    assert task.base == base
    assert all(b >= base and b % base <= 2 for _, b in task.family)
    if name in WRITTEN:
        text, clock = WRITTEN[name]
        assert verify(parse(text), clock, task)
    assert not verify(parse("noop"), Clock(0, 1), task)


def test_a_small_task_is_verified_on_all_inputs():
    task = sized(TASKS["inc"], 5, 1)
    verdict = verify(parse(WRITTEN["inc"][0]), Clock(0, 3), task)
    first, *larger = verdict.instances
    assert (first.how, first.inputs, first.wrong) == ("all", 5**5, 0)
    assert [(i.how, i.inputs) for i in larger] == [("unseen", 1000)] * 4


def test_another_table_is_the_tasks():
    table = (*INSTRUCTIONS, Instruction("gcd", "a b o", math.gcd))
    task = TASKS["reduce"].using(table)
    assert task.instructions == table
    own, same = (t.sample(9, seed=1).target for t in (TASKS["reduce"], task))
    assert (own == same).all()
    program = parse("read 0 1\nwrite 0 2\nadd 1 2 2\ninc 0 0", table)
    assert verify(program, Clock(4, 2), task)


# Tasks by examples


def test_held_back_examples_are_not_shown():
    inputs = [[n] for n in range(8)]
    task = Task.from_examples(inputs, [[(3 * n) % 8] for n in range(8)], base=8)
    shown = {int(m[0]) for m in task.sample(500, seed=0).memory}
    held_back = {m[0] for m, _ in task.held_back}
    assert held_back == {3, 7} and shown == set(range(8)) - held_back
    triple = parse("read 0 1\nadd 1 1 2\nadd 1 2 2\nwrite 0 2\nhalt")
    verdict = verify(triple, Clock(halts=True), task)
    assert verdict and [i.how for i in verdict.instances] == ["shown", "held-back"]
    assert [i.inputs for i in verdict.instances] == [6, 2]


def test_equal_examples_are_examples_twice():
    task = Task.from_examples([[1], [1], [1], [1]], [[2]] * 4, base=4)
    assert len(task.held_back) == 1 and task.summary == "3 examples, 1 held back"


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(base=1), "base is at least 2, found 1"),
        (dict(inputs=[[1], [2]]), "found 2 inputs, 1 outputs"),
        (dict(inputs=[[1]]), "at least two examples"),
        (dict(inputs=[[1], [2, 3]], outputs=[[1], [2]]), "found lengths [1, 2]"),
        (dict(inputs=[[], []], outputs=[[1], [2]]), "found lengths [0]"),
        (dict(inputs=[[1], [8]], outputs=[[1], [2]]), "inputs[1] holds whole"),
        (dict(inputs=[[1], [2]], outputs=[[1], [9]]), "outputs[1] holds whole"),
        (
            dict(inputs=[[1], [1]], outputs=[[1], [2]]),
            "examples 0 and 1: [1] has two outputs",
        ),
        (
            dict(inputs=[[1], [2]], outputs=[[1], [2]], initial=[[1]]),
            "2 inputs, 2 outputs and 1 lists",
        ),
        (
            dict(inputs=[[1], [2]], outputs=[[1], [2]], initial=[[1], [8]]),
            "initial[1] holds whole",
        ),
        (
            dict(inputs=[[1], [2]], outputs=[[1], [2]], initial=[[0] * 7] * 2),
            "initial all have one length, from 0 to 6; found lengths [7]",
        ),
    ],
)
def test_a_bad_table_of_examples(change, message):
    arguments = dict(inputs=[[1]], outputs=[[1]], base=8) | change
    with pytest.raises(InputError) as caught:
        Task.from_examples(**arguments)
    assert message in str(caught.value)


def test_unchecked_cells_and_registers_do_not_contradict():
    Task.from_examples([[1], [1]], [[2], [None]], base=8)
    Task.from_examples([[1], [1]], [[2], [3]], base=8, initial=[[1], [2]])


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Task.from_function(sorted, base=8, cells=0), "cells is at least 1"),
        (lambda: Task.from_function(sorted, base=8, cells=9), "at most base = 8"),
        (lambda: Task.from_function(sorted, base=1, cells=1), "base is at least 2"),
        (
            lambda: Task.from_function(sorted, base=8, cells=1, registers=0),
            "registers is at least 1, found 0",
        ),
        (
            lambda: Task.from_function(sum, base=4, cells=2).sample(1, seed=0),
            "a list of at most base = 4 whole numbers",
        ),
    ],
)
def test_a_bad_task(make, message):
    with pytest.raises(InputError) as caught:
        make()
    assert message in str(caught.value)


# Clocks and verdicts


@pytest.mark.parametrize(
    "clock, text",
    [
        (Clock(5), "after 5·n steps"),
        (Clock(4, -2), "after 4·n − 2 steps"),
        (Clock(1, 3), "after 1·n + 3 steps"),
        (Clock(0, 7), "after 7 steps"),
        (Clock(), "after 0 steps"),
        (Clock(halts=True), "until it halts"),
    ],
)
def test_a_clock_says_when(clock, text):
    assert str(clock) == text
    if clock.halts:
        assert clock.bound(3, 5, 8) == 3 * 8 * 8
        with pytest.raises(InputError, match="has no number of steps"):
            clock.steps(5)
    else:
        assert clock.bound(3, 5, 8) == clock.steps(5)


@pytest.mark.parametrize(
    "name, listing, clock",
    [
        ("map_inc", "map", Clock(5)),
        ("fibonacci", "fibonacci", Clock(6, 1)),
        ("access", "access", Clock(halts=True)),
    ],
)
def test_the_papers_listings_solve_their_tasks(name, listing, clock, programs):
    assert verify(programs[listing], clock, TASKS[name])


def test_the_papers_sum_is_one_of_three_cells(programs):
    sizes = dict(family=((3, 16), (3, 17)), tests=((3, 24), (3, 25)))
    clock, three = Clock(0, 21), replace(TASKS["reduce"], **sizes)
    assert verify(programs["sum"], clock, three)
    assert not verify(programs["sum"], clock, TASKS["reduce"])


def test_a_hand_written_program_for_increment_is_verified_until_it_halts():
    text = (
        "loop:\nread 0 1\njump 1 end\ninc 1 1\nwrite 0 1\ninc 0 0\njump 2 loop\n"
        "end:\nhalt"
    )
    wrong = text.replace("inc 1 1", "dec 1 1")
    assert verify(parse(text), Clock(halts=True), TASKS["increment"])
    assert not verify(parse(wrong), Clock(halts=True), TASKS["increment"])


def test_a_counterexample_is_one():
    task = TASKS["map_dec"]
    program = parse("read 0 1\ninc 1 1\nwrite 0 1\ninc 0 0")
    verdict = verify(program, Clock(4), task)
    memory, registers, wanted = verdict.counterexample
    ran = execute(program, memory, registers, base=task.base, steps=20)
    assert not verdict
    assert any(w not in (None, m) for w, m in zip(wanted, ran.memory))


@given(st.integers(2, 6), st.data())
def test_a_clock_fitted_on_examples_is_right_on_them(base, data):
    """Any program is right, by a fitted clock, on examples that it made itself."""
    texts = [
        "inc 0 0",
        "read 0 1\ninc 1 1\nwrite 0 1\ninc 0 0",
        "inc 1 1\nwrite 1 1\nhalt",
    ]
    program = parse(data.draw(st.sampled_from(texts)))
    steps = data.draw(st.integers(1, len(program) * (base + 1)))
    row = st.lists(st.integers(0, base - 1), min_size=base, max_size=base)
    memory = data.draw(st.lists(row, min_size=2, max_size=4, unique_by=tuple))
    outputs = [execute(program, m, base=base, steps=steps).memory for m in memory]
    task = Task.from_examples(memory, outputs, base=base, registers=2)
    shown = task.sample(8, seed=0)
    clock = fit_clock(program, shown, varies=False)
    assert Answer(program, clock).fits(shown).all()


# Answers

LOOP = "read 0 1\ninc 1 1\nwrite 0 1\ninc 0 0"


def test_an_answer_runs_by_its_clock_and_fills_in_the_rest():
    answer = Answer(parse(LOOP), Clock(4))
    short = answer.run([3, 1, 2], base=6)
    assert short.memory == [4, 2, 3, 0, 0, 0] and short.steps == 12
    assert short.registers == [3, 3]
    assert answer.run([3, 1, 2, 0, 0, 0], cells=3) == short
    assert answer.run([3, 1, 2, 0, 0, 0], cells=3, base=6) == short
    assert answer.run([1, 1, 2], [1], base=6, cells=2).memory == [1, 2, 3, 0, 0, 0]


def test_the_constants_of_an_answer_are_its_registers():
    text = "read 0 1\nmod 1 5 1\nwrite 0 1\nhalt"
    task = TASKS["parity"]
    answer = Answer(parse(text), Clock(halts=True), task.constants)
    assert answer.verify(task)
    assert [answer.run([n], base=8).memory[0] for n in range(8)] == [0, 1] * 4
    bare = Answer(parse(text), Clock(halts=True))
    assert bare.run([7], base=8).memory[0] == 0  # mod 0 is 0


@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda: Answer(parse(LOOP), Clock(4, -8)).run([1, 2]),
            "for 2 cells, after 4·n − 8 steps is 0",
        ),
        (lambda: Answer(parse(LOOP), Clock(4)).run([1, 9], base=8), "found 9"),
        (lambda: Answer(parse(LOOP), Clock(4)).run([1, 2, 3], base=2), "found 3"),
        (lambda: Answer(parse(LOOP), Clock(4)).run([], base=8), "for 0 cells"),
    ],
)
def test_a_bad_run(make, message):
    with pytest.raises(InputError) as caught:
        make()
    assert message in str(caught.value)


def test_an_answer_prints_as_assembly_with_its_clock():
    answer = Answer(parse("loop:\n" + LOOP + "\njump 2 loop"), Clock(5))
    assert str(answer) == repr(answer)
    assert str(answer).startswith("# read after 5·n steps\nloop:")
    assert parse(str(answer)) == answer.program and len(answer) == 5


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
    program = parse("\n".join(rows))
    answer = Answer(program, Clock(len(program)))
    if not answer.verify(TASKS["map_inc"]):
        return  # `read 0 4` before the loop's own read is harmless, others are not
    short = answer.simplify(TASKS["map_inc"])
    assert len(short) == 4 and short.verify(TASKS["map_inc"])


def test_without_a_line_jumps_go_where_they_went():
    text = "jump 0 end\nnoop\nstart:\ninc 1 1\njump 2 start\nend:\nhalt"
    short = without(parse(text), 1)
    assert short == parse(text.replace("noop\n", ""))
    assert str(short) == str(parse(text.replace("noop\n", "")))


def test_simplify_keeps_table_and_constants():
    table = (*INSTRUCTIONS, Instruction("half", "a o", lambda a, b: a // 2))
    halve = Task.from_function(lambda x: [x[0] // 2], base=8, cells=1).using(table)
    text = "read 0 1\nnoop\nhalf 1 1\nwrite 0 1\nhalt"
    answer = Answer(parse(text, table), Clock(halts=True), (0, 0, 7))
    short = answer.simplify(halve)
    assert len(short) == 4 and short.verify(halve)
    assert short.registers == (0, 0, 7) and short.program.instructions == table


def test_why_it_stopped_is_a_sentence():
    assert str(Stopped(Why.INTERRUPTED, "after 150 steps")) == (
        "interrupted after 150 steps"
    )
    assert [str(Stopped(why)) for why in Why] == [why.value for why in Why]


def test_an_interrupt_is_delayed_and_the_handler_restored():
    before = signal.getsignal(signal.SIGINT)
    with delayed_interrupt() as came:
        assert not came
        signal.raise_signal(signal.SIGINT)
        assert came
    assert signal.getsignal(signal.SIGINT) is before


def test_another_thread_gets_no_interrupts():
    found = []

    def work():
        with delayed_interrupt() as came:
            found.append(list(came))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [[]]


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
    clocks = st.sampled_from(
        [Clock(0, 7), Clock(halts=True), Clock(0, 40), Clock(), Clock(3, -9)]
    )
    answers = [Answer(program, data.draw(clocks)) for program in batch]
    ran = execute_many(batch[0], memory, registers, base=machine.base, steps=40)
    cells = 3 * machine.base
    checked = data.draw(st.lists(st.booleans(), min_size=cells, max_size=cells))
    target = ran.memory if data.draw(st.booleans()) else memory
    mask = np.array(checked).reshape(3, -1)
    shown = Examples(memory, registers, target, mask, 1, machine.base)
    alone = [bool(answer.fits(shown).all()) for answer in answers]
    assert which_fit(*encode_all(answers, shown), shown).tolist() == alone
    left = (run_programs(answers, shown) == target) | ~mask
    counting = [not answer.clock.halts for answer in answers]
    assert left.all((1, 2))[counting].tolist() == np.array(alone)[counting].tolist()


def test_a_batch_of_another_table_is_judged_by_it():
    table = (Instruction("triple", "a o", lambda a, b: 3 * a), *INSTRUCTIONS)
    triple = Task.from_function(lambda x: [3 * x[0]], base=8, cells=1).using(table)
    text = "read 0 1\n{} 1 1\nwrite 0 1"
    written = [parse(text.format(name), table) for name in ("triple", "inc")]
    answers = [Answer(program, Clock(0, 3)) for program in written]
    shown = triple.sample(8, seed=0)
    batch = encode_all(answers, shown)
    assert which_fit(*batch, shown, table).tolist() == [True, False]
    left = run_programs(answers, shown)
    assert (left[0] == shown.target)[shown.mask].all()
    mixed = [answers[0], Answer(parse("noop"), Clock(0, 1))]
    with pytest.raises(InputError, match="one instruction table"):
        encode_all(mixed, shown)


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


def test_a_clock_that_names_no_step_reads_the_input():
    given = TASKS["inc"].sample(8, seed=0)
    kept = replace(given, target=given.memory)
    program = parse("read 0 1\ninc 1 1\nwrite 0 1")
    assert check_examples(program, Clock(0, -5), kept).all()
    assert not check_examples(program, Clock(0, -5), given).any()


def test_a_jump_past_the_last_line_goes_to_the_first():
    "Compiled code would read past its arrays, as when the target line was left out."
    program = parse("read 0 1\ninc 1 1\nwrite 0 1\ninc 0 0\njump 5 end\nend:\nnoop")
    shorter = without(program, 5)
    assert shorter[4].b == len(shorter)
    task = TASKS["map_inc"]
    assert fit_clock(shorter, task.sample(8, seed=0), True) == Clock(5, -2)
    assert len(Answer(program, Clock(6)).simplify(task)) == 4
