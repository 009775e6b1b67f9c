"""A prior of instructions: true labels, nothing of the suites, and fair controls."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neural_compile as nc
from neural_compile.assembly.engine import encode, execute_many, kind_of
from neural_compile.assembly.programs import INSTRUCTIONS
from neural_compile.assembly.suites import suites
from neural_compile.compiler.controllers import program_of
from neural_compile.loss.decoding import SHARES, Walk, change
from neural_compile.synthesis.language import template
from neural_compile.synthesis.prior import (
    BASE,
    LINES,
    STEPS,
    Guesser,
    average,
    behaviours,
    features,
    guesses,
    learned,
    quality,
    telling,
    train,
    unlike,
)
from neural_compile.synthesis.spaces import synthesize
from neural_compile.synthesis.walks import Walks, ground_of, heard

MACHINE = nc.Machine(base=BASE, registers=6, lines=LINES)
NAMES = [i.name for i in INSTRUCTIONS]
QUIET = dict(progress=False)


@pytest.fixture(scope="module")
def data():
    return behaviours(150, seed=3)


def left_by(code, memory):
    "What a program leaves, by the exact machine of the book."
    program, zeros = program_of(code, MACHINE), np.zeros((len(memory), 6), int)
    return execute_many(program, memory, zeros, base=BASE, steps=STEPS).memory


def test_programs_do_what_is_recorded_and_need_what_their_labels_say(data):
    for code, results, needs in zip(data.codes, data.results, data.needs):
        assert (left_by(code, data.memory) == results).all()
        for op in np.flatnonzero(needs):
            lacking = np.where((code[:, 0] == op)[:, None], 0, code)
            assert (left_by(lacking, data.memory) != results).any()
        for n in np.flatnonzero(code[:, 0]):
            lacking = code.copy()
            lacking[n] = 0
            assert (left_by(lacking, data.memory) != results).any()
        assert set(np.flatnonzero(needs)) == set(code[:, 0]) - {0}


def test_programs_are_not_trivial_and_each_is_there_once(data):
    changed = (data.results != data.memory).sum(1) * 2 > len(data.memory)
    varied = (data.results != data.results[:, :1]).any(1)
    assert ((changed & varied).sum(1) >= 3).all()
    assert len(np.unique(data.results, axis=0)) == len(data.results) > 50
    again = behaviours(150, seed=3)
    assert (again.codes == data.codes).all() and again.tried == data.tried


def test_what_does_a_task_is_thrown_out_and_nothing_else(data):
    planted = [template("map_inc").program, nc.TASKS["map_inc"], "write 2 1\nhalt"]
    known = encode(planted[0].pad(LINES)).astype(int)
    strange = encode(nc.parse(planted[2]).pad(LINES)).astype(int)
    both = data._replace(
        codes=np.array([known, strange]), results=np.zeros((2, 16, 8), int)
    )
    kept = unlike(both, [planted[1]])
    assert kept.codes.tolist() == [strange.tolist()]
    every = [t for tasks in suites.values() for t in tasks.values()]
    assert not len(unlike(both.those(np.arange(1)), every).codes)
    some = unlike(data, every)
    assert 0 < len(some.codes) < len(data.codes)
    assert len(unlike(some, every).codes) == len(some.codes)


def test_the_control_is_the_share_of_programs_that_need_each(data):
    task = nc.TASKS["map_inc"]
    said = dict(zip(NAMES, average(data)(task)))
    texts = [str(program_of(code, MACHINE)).split() for code in data.codes]
    for name in ("inc", "jump", "mul", "write"):
        assert np.isclose(said[name], np.mean([name in words for words in texts]))
    assert said["noop"] == 0
    turned = average(data)(task.using(INSTRUCTIONS[::-1]))
    assert turned.tolist() == [said[name] for name in NAMES[::-1]]


def test_the_oracle_tells_what_a_program_has():
    told = telling(template("map_inc").program)(nc.TASKS["map_inc"])
    used = {name for name, chance in zip(NAMES, told) if chance}
    assert used == {"read", "inc", "write", "jump"}


@pytest.mark.parametrize("chance", [0.1, 1 / 13, 3.0])
def test_equal_chances_walk_as_none_do(chance):
    task = suites["recurrences"]["delay"]
    flat = lambda task: np.full(len(task.instructions), chance)
    guided = Walks(prior=flat, walk=Walk(guided=0.7), seed=4)
    searches = guided, Walks(seed=4)
    ours, plain = (synthesize(task, space=[s], **QUIET) for s in searches)
    assert ours.tried == plain.tried
    assert ours.solutions[0].answer == plain.solutions[0].answer


def test_a_prior_changes_what_is_proposed_and_nothing_else():
    said = heard(np.array([0, 0, 3.0, 0, 1.0] + [0] * 8), MACHINE)
    seen, kinds = [], kind_of(INSTRUCTIONS)
    for _ in range(4000):
        code = np.full((LINES, 4), 12)  # No line is like this
        change(code, said, kinds, 6, np.array([0.0, 0.0, 1.0]), 1.0)
        seen += code[(code != 12).any(1)].tolist()
    op, *operands = np.array(seen).T
    assert set(op) == {2, 4} and 0.7 < (op == 2).mean() < 0.8
    for x in operands:
        assert set(x) == set(range(6))
        assert np.bincount(x).min() > 0.13 * len(x)


def test_jumps_of_a_prior_go_to_all_lines():
    said = heard(np.eye(13)[12], MACHINE)
    where = set()
    for _ in range(500):
        code = np.zeros((LINES, 4), int)
        change(code, said, kind_of(INSTRUCTIONS), 6, SHARES, 1.0)
        where |= set(code[code[:, 0] == 12, 2].tolist())
    assert where == set(range(LINES))


def test_a_prior_reaches_the_walk():
    task = suites["recurrences"]["delay"]
    only = lambda task: np.array([float(i.name == "mul") for i in task.instructions])
    guided = Walks(prior=only, walk=Walk(guided=0.9))
    shape = ground_of(task, 8)
    assert shape.heard is None
    ends = [Walks().run(shape, [k], 3000) for k in range(4)]
    told = shape._replace(heard=heard(only(task), shape.machine))
    others = [guided.run(told, [k], 3000) for k in range(4)]
    share = lambda some: np.mean([end.rows[:, 0] == 6 for end in some])
    assert share(others) > share(ends)


def test_the_network_learns_whatever_the_order_of_examples(data):
    network, same = train(data, 25, size=64), train(data, 25, size=64)
    task = nc.TASKS["map_inc"]
    chances = guesses(network, task)
    assert (chances == guesses(same, task)).all()
    assert ((chances > 0) & (chances < 1)).all() and chances.shape == (13,)
    x = features(*map(jnp.asarray, (data.memory, data.results[0])))
    assert np.allclose(network(x), network(x[::-1]), atol=1e-5)
    assert not np.allclose(network(x), network(x[:3]), atol=1e-5)
    untaught = Guesser(key=jax.random.key(0))
    after, before = (quality(n, data, data) for n in (network, untaught))
    assert after["network"] < before["network"] and after["mean"] == before["mean"]
    assert (learned(network)(task) == chances).all()


@pytest.mark.parametrize("name", ["access", "swap", "fibonacci_seeded", "sum"])
def test_tasks_of_other_sizes_are_guessed_too(name):
    task = nc.TASKS[name] if name in nc.TASKS else suites["interpreters"][name]
    network = Guesser(key=jax.random.key(0))
    assert np.isfinite(guesses(network, task)).all()


def test_what_cannot_be_meant_is_refused():
    flat = lambda task: np.ones(13)
    with pytest.raises(nc.InputError, match="found guided=0.0 and prior=a prior"):
        Walks(prior=flat)
    with pytest.raises(nc.InputError, match="found guided=0.5 and prior=None"):
        replace(Walks(), walk=Walk())
    with pytest.raises(nc.InputError, match="count is at least 1, found 0"):
        behaviours(0, seed=0)
