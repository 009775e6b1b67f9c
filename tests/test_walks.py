"""Exams and walks, and what may be asked when: searches never see the test."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import programs

import neural_compile as nc
from neural_compile.assembly.engine import execute_many
from neural_compile.assembly.suite import DEVELOPMENT
from neural_compile.assembly.verification import sizes
from neural_compile.compiler.controllers import decompile_all
from neural_compile.experiments.recovery import guided, recovery
from neural_compile.loss.decoding import Walk, decode, suggestions
from neural_compile.loss.exams import asked, points_of, questions
from neural_compile.loss.starts import prepare_start
from neural_compile.loss.tuning import Tuning

KEY = jax.random.key(0)
MACHINE = nc.Machine(base=8, registers=6, lines=5)
C = nc.Clock(4)


def slow_points(program, clock, parts):
    "Points, example by example, from exact runs."
    total = 0
    for part in parts:
        steps = clock.bound(len(program), part.cells, part.base)
        options = dict(base=part.base, steps=steps)
        ran = execute_many(program, part.memory, part.registers, **options)
        for e in range(len(part)):
            if clock.halts and not ran.halted[e]:
                continue
            wrong = (ran.memory[e] != part.target[e]) & part.mask[e]
            counted = part.mask[e] & (part.target[e] != part.memory[e])
            total += int((counted & ~wrong).sum())
            total += 0 if wrong.any() else max(1, int(counted.sum()))
    return total


@given(programs(MACHINE), st.sampled_from(sorted(nc.TASKS)), st.booleans())
def test_points_are_those_of_exact_runs(program, name, halts):
    task = nc.TASKS[name]
    clock = nc.Clock(halts=True) if halts else nc.Clock(5, 1)
    if halts:  # Each example may take lines · base² steps
        parts = questions(task, "own", 2)
    else:
        parts = questions(task, "all", 2)
    answer, expected = nc.Answer(program, clock), slow_points(program, clock, parts)
    assert points_of(answer, parts) == expected
    assert points_of(answer, parts, need=expected) == expected
    assert points_of(answer, parts, need=expected + 1) == -1


def test_an_exam_never_has_a_size_of_the_test():
    for task in [*nc.TASKS.values(), *DEVELOPMENT.values()]:
        assert task.tests and not set(asked(task)) & set(task.tests)
        assert not set(sizes(task)) & set(task.tests)
        assert all(base >= 24 for _, base in task.tests)
        parts = questions(task, "all", 6)
        assert {(part.cells, part.base) for part in parts} == set(asked(task))


def near(name, text, **options):
    "Controllers that say a program."
    task, program = nc.TASKS[name], nc.parse(text)
    start = nc.Start(program, noise=0.3, lines=len(program), clock=options["clock"])
    made = nc.loss.starts.prepare_start(start, task).controllers(4, KEY)
    return task, made


def test_a_walk_finds_what_is_a_step_away_and_repeats():
    task, weights = near("map_dec", "read 0 1\ninc 1 1\nwrite 0 1\ninc 0 0", clock=C)
    options = dict(samples=200_000, key=KEY, clock=C)
    found = decode(weights, task, **options)
    assert [d.restart for d in found] == [0, 1, 2, 3]
    assert all(d.verified and d.answer.verify(task) for d in found)
    assert all(d.samples <= 200_000 for d in found)
    assert [d.program for d in decode(weights, task, **options)] == [
        d.program for d in found
    ]


def test_what_a_walk_hears_are_the_chances_of_the_weights():
    _, weights = near("sort", "noop\nread 0 1\nhalt\nwrite 1 2", clock=C)
    heard = suggestions(weights[0])
    for k, W in enumerate(weights[0].weights):
        exact, many = np.asarray(jax.nn.softmax(W, axis=0)).T, len(W)
        steps = np.diff(heard[k], axis=1, prepend=0.0)
        assert np.allclose(steps[:, :many], exact, atol=1e-5)
        assert np.all(heard[k][:, many - 1 :] == 1.0)  # Beyond it nothing is drawn


def test_a_walk_runs_no_more_programs_than_it_is_given():
    task, weights = near("sort", "noop\nnoop\nnoop\nnoop", clock=C)
    for samples in (1, 7000):
        options = dict(samples=samples, key=KEY, clock=C)
        assert decode(weights, task, walk=Walk(patience=50), **options) == []
    task, weights = near("map_dec", "read 0 1\ninc 1 1\nwrite 0 1\ninc 0 0", clock=C)
    found = decode(weights, task, samples=200_000, key=KEY, clock=C)
    few = max(d.samples for d in found)
    options = dict(key=KEY, clock=C)
    assert len(decode(weights, task, samples=few, **options)) == len(found)
    assert len(decode(weights, task, samples=few - 1, **options)) == len(found) - 1


def test_a_program_that_halts_can_be_walked_to():
    clock = nc.Clock(halts=True)
    task, weights = near("inc", "read 0 1\ndec 1 1\nwrite 0 1\nhalt", clock=nc.Clock(4))
    found = decode(weights, task, samples=50_000, key=KEY, clock=clock)
    assert found and all(d.answer.verify(task) for d in found)


def sure_of(*texts):
    "Controllers that leave no doubt, one for each program of the same length."
    programs = [nc.parse(text) for text in texts]
    machine = nc.Machine(base=8, registers=6, lines=len(programs[0]))
    each = [nc.compile_program(program, machine) for program in programs]
    return jax.tree.map(lambda *W: jnp.stack(W), *each)


def test_snapshots_take_turns_and_it_is_said_which_of_them_it_was():
    inc = "loop:\nread 0 1\ninc 1 1\nwrite 0 1\ninc 0 0\njump 2 loop"
    task, dec = nc.TASKS["map_inc"], inc.replace("inc 1 1", "dec 1 1")
    both = [sure_of(inc, dec), sure_of(dec, inc)]
    options = dict(key=KEY, clock=nc.Clock(5), walk=Walk(guided=1.0, turn=50))
    found = decode(both, task, samples=51, **options)
    ways = [(d.restart, d.snapshot, d.samples) for d in found]
    assert ways == [(0, 0, 1), (1, 1, 51)]
    for weights, samples in ((both, 50), (both[0], 51)):
        found = decode(weights, task, samples=samples, **options)
        assert [d.restart for d in found] == [0]


def test_what_tuning_lost_is_found_from_the_weights_before_it():
    "Tuning ends in a trap, but for the second restart."
    places = "read 0 1\nadd 1 5 1\ninc 0 2\nread 2 2\nadd 2 5 2\n"
    right = places + "read 1 3\nread 2 4\nwrite 1 4\nwrite 2 3"
    task, trap = nc.TASKS["swap"], "halt\n" * 9
    before, after = sure_of(right, right, right), sure_of(trap, right, trap)
    solved = np.array([False, True, False])
    verdicts = dict(paper=solved, accepted=solved, strict=solved)
    tuned = Tuning(
        task,
        prepare_start(before, task),
        clock=nc.Clock(0, 9),
        controllers=after,
        losses=np.ones((3, 1)),
        programs=decompile_all(after),
        untuned=before,
        **verdicts,
    )
    turn = Walk().turn
    assert guided(tuned, KEY, samples=turn) == []
    found = guided(tuned, KEY, samples=turn + 1)
    ways = [(d.restart, d.snapshot, d.samples) for d in found]
    assert ways == [(0, 1, turn + 1), (2, 1, turn + 1)]


@pytest.mark.parametrize("wrong", [dict(patience=0), dict(examples=-1)])
def test_settings_of_a_walk_are_checked(wrong):
    with pytest.raises(nc.InputError, match=f"{next(iter(wrong))} is "):
        Walk(**wrong)
    with pytest.raises(nc.InputError, match="own, trained, all"):
        Walk(sizes="none")


# Seven decs are one inc in base 8, and nowhere else
SEVEN = nc.parse("read 0 1\n" + "dec 1 1\n" * 7 + "write 0 1\ninc 0 0")
LUCKY = replace(nc.TASKS["map_inc"], family=((1, 8),))


def test_a_search_does_not_see_the_test():
    answer = nc.Answer(SEVEN, nc.Clock(10))
    assert answer.accept(LUCKY) and not answer.verify(LUCKY)
    assert [i.base for i in answer.accept(LUCKY).instances] == [8, 8]
    assert answer.verify(LUCKY).instances[-1].base == 24
    assert len(answer.simplify(LUCKY)) == len(SEVEN)


def test_what_the_test_refuses_is_reported_and_not_counted():
    start = nc.Start(SEVEN, noise=0.0, lines=10, clock=nc.Clock(10))
    options = dict(restarts=2, key=KEY, progress=False)
    training = nc.Training(steps=1, curriculum=False)
    rates = recovery(
        LUCKY, start, decode="guided", samples=10, training=training, **options
    )
    tuned = rates.tuning
    assert tuned.accepted.all() and not tuned.strict.any()
    assert tuned.solution is not None and rates.strict.hits == 0
    assert rates.found == ()  # There is no second try


def test_examples_held_back_are_asked_once_and_end_the_search():
    task = nc.Task.from_examples([[1], [2], [3], [4]], [[1], [2], [3], [5]], base=8)
    found = nc.induce(task, key=KEY, progress=False)
    assert found.answer is not None and not found.verified
    assert found.verification.instances[-1].how == "held-back"
    assert found.answer.accept(task) and not found.work.attempts
    assert np.all(found.answer.fits(task.sample(8, seed=5)))


def test_a_size_that_a_search_asks_about_is_no_test():
    with pytest.raises(nc.InputError, match=r"size of the test .* found \(5, 16\)"):
        replace(nc.TASKS["map_inc"], tests=((5, 16), (12, 25)))
    wide = nc.Task.from_function(max, base=8, cells=2, family=[(2, 24), (2, 25)])
    assert not set(wide.tests) & {(2, 8), *wide.family}
