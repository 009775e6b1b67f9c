"""Rivals that breed, learn from samples or solve constraints: right, and repeatable."""

import sys

import numba
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import programs

import neural_compile as nc
from neural_compile.assembly.engine import encode, kind_of
from neural_compile.assembly.formulas import Unknown, add_example
from neural_compile.experiments.arena import RIVALS
from neural_compile.experiments.constraints import CONSTRAINTS, Constraints
from neural_compile.experiments.populations import (
    POPULATIONS,
    CrossEntropy,
    Evolution,
    noise_of,
)
from neural_compile.experiments.rivals import SEARCHES, Limits
from neural_compile.loss.exams import exam, mark, most_points, questions
from neural_compile.synthesis.breeding import Genetic, alike, lexicase
from neural_compile.synthesis.walks import Uniform, fill, ground_of, random_rows, room

BOTH = {**POPULATIONS, **CONSTRAINTS, "genetic": SEARCHES["genetic"]}
EASY = {"uniform": "inc", "cross-entropy": "inc", "evolution": "inc"}
MACHINE = nc.Machine(base=8, registers=6, lines=5)


@pytest.mark.parametrize("name", BOTH)
def test_a_rival_solves_what_is_easy_and_a_key_repeats(name):
    assert RIVALS[name] is BOTH[name]
    task = nc.TASKS[EASY.get(name, "map_inc")]
    offer, again = (RIVALS[name](task, Limits(units=12, key=1)) for _ in range(2))
    assert offer == again
    assert offer.answer.verify(task) and 0 < offer.units < 13


@pytest.mark.parametrize("name", BOTH)
def test_limits_hold(name):
    offer = RIVALS[name](nc.TASKS["sort"], Limits(units=0.3))
    assert offer.answer is None and 0.3 <= offer.units < 1


def test_keys_differ():
    task = nc.suites["recurrences"]["delay"]
    offers = [RIVALS["genetic"](task, Limits(key=key)) for key in range(3)]
    assert len({offer.units for offer in offers}) == 3


@pytest.mark.parametrize(
    "search, wrong, says",
    [
        (Uniform, dict(lines=()), "lines of a program is at least 1"),
        (Genetic, dict(population=1), "population is at least 2, found 1"),
        (Genetic, dict(crossing=1.5), "crossing is from 0 to 1, found 1.5"),
        (Genetic, dict(tournament=-1), "tournament is at least 0"),
        (Genetic, dict(length=0), "length is at least 1"),
        (CrossEntropy, dict(elite=0), "elite is at least 1"),
        (CrossEntropy, dict(samples=5), "samples is at least 10, found 5"),
        (CrossEntropy, dict(least=-1.0), "least is from 0 to 1"),
        (Evolution, dict(samples=3), "samples come in pairs, found 3"),
        (Evolution, dict(rate=0.0), "rate is over 0"),
        (Constraints, dict(shapes=("spiral",)), "shapes are among cells, loop, jumps"),
        (Constraints, dict(lines=(1, 4)), "lines of a program is at least 2"),
        (Constraints, dict(rounds=0), "rounds is at least 1"),
    ],
)
def test_what_cannot_be_meant_is_refused(search, wrong, says):
    with pytest.raises(nc.InputError, match=says):
        search(**wrong)


def slow_points(program, clock, part, n):
    """Points of a program on an example, by the readable machine."""
    memory, target = part.memory[n].tolist(), part.target[n]
    steps = clock.bound(len(program), part.cells, part.base)
    about = dict(base=part.base, steps=steps)
    after = nc.execute(program, memory, part.registers[n].tolist(), **about).memory
    checked = np.flatnonzero(part.mask[n])
    changed = [c for c in checked if memory[c] != target[c]]
    points = sum(after[c] == target[c] for c in changed)
    right = all(after[c] == target[c] for c in checked)
    return points + right * max(len(changed), 1)


@given(programs(MACHINE), st.sampled_from(sorted(nc.TASKS)))
@settings(max_examples=40)
def test_points_of_each_example_are_those_of_slow_runs(program, name):
    task, clock = nc.TASKS[name], nc.Clock(5, 1)
    parts = questions(task, "all", 2)
    papers = exam(parts, clock, len(program), task.instructions)
    M, R, each = room(papers, 1)
    code, kinds = encode(program).astype(np.int64), kind_of(task.instructions)
    whole = most_points(parts)
    total = mark(code, kinds, papers, whole, 0, M, R, each[0])
    rows = [(part, n) for part in parts for n in range(len(part))]
    expected = [slow_points(program, clock, part, n) for part, n in rows]
    assert each[0].tolist() == expected and total == sum(expected)


def slow_lexicase(each, order):
    """Who is left when the examples are asked in this order."""
    left = range(len(each))
    for e in order:
        top = max(each[p, e] for p in left)
        left = [p for p in left if each[p, e] == top]
    return set(left)


def test_lexicase_chooses_as_its_definition_says():
    rng = np.random.default_rng(0)
    for _ in range(30):
        each = rng.integers(0, 3, (12, 4))
        groups, order = alike(each, rng.integers(1, 2**40, 4)), np.arange(4)
        for _ in range(30):
            parent = lexicase(*groups, order, np.arange(12))
            assert parent in slow_lexicase(each, order)


@numba.njit
def filled(code, kinds, registers, seed):
    np.random.seed(seed)
    fill(code, kinds, registers)


def test_luck_draws_programs_as_walks_do():
    ground = ground_of(nc.TASKS["inc"], 12)
    kinds, many, slow = ground.about[0], [], []
    for seed in range(2000):
        code = np.zeros((12, 4), np.int64)
        filled(code, kinds, 6, seed)
        many.append(code)
        slow.append(random_rows(ground.machine, np.random.default_rng(seed)))
    for column in range(4):
        count = lambda rows: np.bincount(np.stack(rows)[..., column].ravel())
        fast, known = count(many), count(slow)
        assert len(fast) == len(known)
        assert np.abs(fast - known).max() < 6 * known.max() ** 0.5


@pytest.mark.parametrize("way", [Genetic(), CrossEntropy(), Evolution(), Uniform()])
def test_runs_end_when_they_should(way):
    ground = ground_of(nc.TASKS["sort"], 6)
    for most in (1, 199, 1001):
        end, again = (way.run(ground, [0, most], most) for _ in range(2))
        assert end.tried == most and end.peak < end.whole
        assert (end.rows == again.rows).all()


def test_weights_learn():
    ground = ground_of(nc.TASKS["map_inc"], 4)
    for way in (CrossEntropy(), Evolution(rate=30.0)):
        ends = [way.run(ground, [0, k], 60_000).peak for k in range(6)]
        luck = [way.run(ground, [0, k], way.samples).peak for k in range(6)]
        assert sum(ends) > sum(luck)
    assert noise_of("normal").std() == pytest.approx(1, abs=0.01)


@given(programs(nc.Machine(base=8, registers=3, lines=4)), st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_formulas_say_what_the_machine_does(program, seed):
    names = {"noop", "halt"}
    kept = tuple(x for x in program if x.instruction.name not in names)
    jumps = any(x.instruction.jumps for x in kept)
    second = [x.b for x in kept if "b" in x.instruction.slots]
    assume(kept and all(0 <= b < len(kept) for b in second))
    program = nc.Program(kept)
    rng = np.random.default_rng(seed)
    memory, steps = rng.permutation(8).tolist(), 2 * len(kept)
    after = nc.execute(program, memory, [0] * 3, base=8, steps=steps).memory
    wrong = [(after[0] + 1) % 8, *after[1:]]
    for target, says in ((after, "sat"), (wrong, "unsat")):
        both = [memory, memory[::-1]], [target, target]  # The second is held back
        task = nc.Task.from_examples(*both, base=8, registers=3)
        shape = "jumps" if jumps else "loop"
        q = Unknown(task, shape, len(kept), nc.Clock(0, steps), registers=3)
        for row, numbers in zip(q.rows, encode(program).tolist()):
            used = program.instructions[numbers[0]].slots
            parts = zip(("op", "a", "b", "o"), numbers)
            here = [row[p][k] for p, k in parts if p == "op" or p in used]
            if row_swapped(program, numbers):
                here[1:3] = row["a"][numbers[2]], row["b"][numbers[1]]
            q.solver.add(*here)
        add_example(q, task.sample(1, seed=0), 0)
        assert str(q.solver.check()) == says


def row_swapped(program, numbers):
    """Whether the order of operands is the other one, where it does not matter."""
    name = program.instructions[numbers[0]].name
    return name in ("add", "mul", "min", "max") and numbers[1] > numbers[2]


def test_a_question_without_an_answer_is_closed():
    search = Constraints(shapes=("loop",), lines=(2, 3))
    found = nc.synthesize(nc.TASKS["map_inc"], space=[search], progress=False)
    assert not found.solutions
    assert found.left[:2] == [f"constraints: no loop of {n} lines" for n in (2, 3)]


def test_without_the_solver_there_is_a_command_to_type(monkeypatch):
    monkeypatch.setitem(sys.modules, "z3", None)
    with pytest.raises(nc.InputError, match="Run: pip install z3-solver"):
        RIVALS["constraints"](nc.TASKS["inc"], Limits(units=1))
