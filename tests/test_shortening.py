"""Programs that are to be shorter or faster: rated right, never worse, judged once."""

import os
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import programs

import neural_compile as nc
from neural_compile.assembly.engine import encode, execute_many, kind_of
from neural_compile.assembly.programs import InputError
from neural_compile.compiler.controllers import program_of
from neural_compile.experiments import adaptation
from neural_compile.experiments.adaptation import ADAPTED
from neural_compile.loss.exams import most_points, points_of
from neural_compile.synthesis import pace, shortening

MACHINE = nc.Machine(base=8, registers=6, lines=6)
UNTIL = nc.Clock(halts=True)
MAP = nc.Answer(nc.parse("read 0 1\ninc 1 1\nwrite 0 1\ninc 0 0"), nc.Clock(4))


def closed_up(program):
    "A program without no-ops, or None if nothing is left."
    code = encode(program).astype(np.int64)
    dense = np.zeros_like(code)
    size = pace.close_up(code, kind_of(program.instructions), dense)
    return program_of(dense[:size], MACHINE) if size else None


@given(programs(MACHINE))
def test_closing_up_changes_nothing_but_when_a_program_halts(program):
    short = closed_up(program)
    rng = np.random.default_rng(0)
    inputs = rng.integers(0, 8, (8, 8)), rng.integers(0, 8, (8, 6))
    how = dict(base=8, steps=400)
    ran = execute_many(program, *inputs, **how)
    if short is None:
        assert (ran.memory == inputs[0]).all() and not ran.halted.any()
        return
    mine, at = execute_many(short, *inputs, **how), ran.halted
    assert (mine.halted >= at).all() and (mine.steps <= ran.steps)[at].all()
    assert (mine.memory == ran.memory)[at].all()
    assert (mine.registers == ran.registers)[at].all()
    texts = [line.instruction.name for line in program]
    assert len(short) == len(texts) - texts.count("noop")


@given(programs(MACHINE), st.integers(0, 5), st.integers(0, 5))
def test_a_line_that_moves_is_followed(program, n, m):
    code, kinds = encode(program).astype(np.int64), kind_of(program.instructions)
    size, moved = len(program), code.copy()
    n, m = n % size, m % size
    pace.move(moved, kinds, n, m)
    places = [k for k in range(size) if k != n]
    places.insert(m, n)
    assert (moved[:, [0, 1, 3]] == code[places][:, [0, 1, 3]]).all()
    for now, before in enumerate(places):
        to = code[before, 2]
        jumps = program[before].instruction.jumps and 0 <= to < size
        assert moved[now, 2] == (places.index(to) if jumps else to)
    pace.move(moved, kinds, m, n)
    assert (moved == code).all()


@given(programs(MACHINE), st.sampled_from(["map_inc", "add", "fibonacci"]))
def test_points_after_each_step_are_those_of_an_exam(program, name):
    task, program = nc.TASKS[name], closed_up(program)
    if program is None:
        return
    parts = pace.asked_of(task)
    start = nc.Answer(program, nc.Clock(1, 3))
    rating, seen = pace.watched(start, pace.trial_of(start, parts, task))
    for n, part in enumerate(parts):
        for t in range(1, 2 * (part.cells + 3) + 1):
            one = nc.Answer(program, nc.Clock(0, t))
            assert seen[n, t] == points_of(one, [part])
    best = sum(
        int(seen[n, 1 : 2 * (p.cells + 3) + 1].max()) for n, p in enumerate(parts)
    )
    right_by_none = best == most_points(parts) and rating.cost == 0.0
    assert rating.points == best - right_by_none


@given(programs(MACHINE))
def test_points_at_the_halt_are_those_of_an_exam(program):
    task, program = nc.TASKS["inc"], closed_up(program)
    if program is None:
        return
    parts = pace.asked_of(task)
    given = nc.Answer(nc.parse("read 0 1\ninc 1 1\nwrite 0 1\nhalt"), UNTIL)
    trial = pace.trial_of(given, parts, task)
    rating, _ = pace.watched(nc.Answer(program, UNTIL), trial)
    late = []
    for part in parts:
        inputs = part.memory, part.registers
        ran = execute_many(program, *inputs, base=part.base, steps=8)
        late.append(ran.halted)
    in_time = [part[soon] for part, soon in zip(parts, late) if soon.any()]
    points = points_of(nc.Answer(program, UNTIL), in_time) if in_time else 0
    assert rating.points == points


@pytest.mark.parametrize("name, per_cell", [("map_inc", 5), ("fibonacci", 6)])
def test_no_clock_is_earlier_than_that_of_a_rating(name, per_cell, programs):
    task = nc.TASKS[name]
    program = programs["map" if name == "map_inc" else name]
    answer = nc.Answer(program, nc.Clock(per_cell, 1))
    parts = pace.asked_of(task)
    rating, _ = pace.watched(answer, pace.trial_of(answer, parts, task))
    clocks = [nc.Clock(p, q) for p in range(9) for q in range(-12, 12)]
    right = [c for c in clocks if all(c.steps(p.cells) > 0 for p in parts)]
    right = [c for c in right if points_of(replace(answer, clock=c), parts)]
    whole = most_points(parts)
    points = {c: points_of(replace(answer, clock=c), parts) for c in right}
    fewest = min(c.steps(task.cells) for c in right if points[c] == whole)
    assert rating.steps == fewest
    assert points[nc.Clock(rating.per_cell, rating.extra)] == whole


ROUND_ABOUT = nc.Answer(
    nc.parse(
        "noop\nloop:\nread 0 1\ninc 2 2\ninc 1 2\ndec 2 3\ninc 3 1\nwrite 0 1\n"
        "max 1 1 1\ninc 0 0\njump 4 loop"
    ),
    nc.Clock(9, 1),
)
GIVEN = {
    "map_inc": (ROUND_ABOUT, nc.TASKS["map_inc"]),
    "add": (ADAPTED["add"].answer, nc.TASKS["add"]),
    "swap": (ADAPTED["swap"].answer, nc.TASKS["swap"]),
    "parity": (
        nc.Answer(
            nc.parse("read 0 1\nnoop\nmod 1 5 2\nwrite 0 2"),
            nc.Clock(0, 4),
            (0,) * 5 + (2,),
        ),
        nc.TASKS["parity"],
    ),
}


@pytest.mark.parametrize("goal", ["lines", "steps"])
@pytest.mark.parametrize("name", GIVEN)
def test_what_comes_out_is_accepted_and_not_worse_than_simplify(name, goal):
    answer, task = GIVEN[name]
    done = nc.shorten(answer, task, goal=goal, programs=20_000, progress=False)
    plain = answer.simplify(task)
    assert done.answer.accept(task) and done.answer.registers == answer.registers
    assert bool(done.verdict) == bool(done.answer.verify(task))
    how = task, goal
    assert pace.worse(done.answer, *how) <= pace.worse(plain, *how)
    assert pace.worse(done.answer, *how) <= pace.worse(answer, *how)
    assert done.programs == 20_000 and done.answer.clock.halts == answer.clock.halts
    assert done.trail[0][0] == 0 and done.trail[-1][0] == 20_000
    costs = [cost for _, cost in done.trail]
    assert costs == sorted(costs, reverse=True)


def test_known_programs_are_found():
    task = nc.TASKS["map_inc"]
    short = nc.shorten(ROUND_ABOUT, task, programs=40_000, progress=False)
    assert (len(short.answer), short.answer.clock) == (4, nc.Clock(4, -1))
    assert short.proof.startswith("none is shorter: tried were all of up to 3 lines")
    counts = nc.shorten(*GIVEN["add"], goal="steps", programs=400_000, progress=False)
    assert counts.steps[1] == 6 < counts.steps[0] and counts.verdict
    assert {"add"} <= {line.instruction.name for line in counts.answer.program}
    task = nc.TASKS["inc"]
    long = nc.Answer(nc.parse(NEEDED_TOGETHER), nc.Clock(0, 5))
    listed = nc.shorten(long, task, programs=0, progress=False)
    assert len(listed.answer) == 3 and listed.verdict  # No walk was there
    nothing = nc.shorten(long, task, programs=0, proof=0.0, progress=False)
    assert nothing.answer == long.simplify(task) == long and nothing.proof == ""
    halting = nc.Answer(nc.parse(NEEDED_TOGETHER + "\nhalt"), UNTIL)
    ends = nc.shorten(halting, task, programs=0, progress=False)
    assert len(ends.answer) == 4 and ends.verdict and ends.answer.clock.halts


NEEDED_TOGETHER = "read 0 1\ninc 1 1\ninc 1 1\ndec 1 1\nwrite 0 1"


def test_a_proof_says_what_was_tried():
    access = ADAPTED["access"]
    done = nc.shorten(access.answer, access.plain, programs=0, progress=False)
    assert "no straight program is shorter: tried were all of up to 3" in done.proof
    some = nc.shorten(MAP, nc.TASKS["map_inc"], programs=0, proof=1e-9, progress=False)
    assert "shorter" not in some.proof
    steps = nc.shorten(MAP, nc.TASKS["map_inc"], goal="steps", programs=0)
    assert steps.proof == ""


def test_it_repeats_by_seed_on_any_number_of_cores(monkeypatch):
    answer, task = GIVEN["swap"][0], ADAPTED["swap"].task
    how = dict(goal="steps", programs=60_000, progress=False)
    first = nc.shorten(answer, task, seed=3, **how)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    again = nc.shorten(answer, task, seed=3, **how)
    assert (first.answer, first.trail) == (again.answer, again.trail)
    assert nc.shorten(answer, task, seed=4, **how).trail != first.trail


def test_counterexamples_are_learned_and_the_test_is_asked_once(monkeypatch):
    asked, given = [], nc.Answer.verify
    count = lambda answer, task: asked.append(answer) or given(answer, task)
    monkeypatch.setattr(nc.Answer, "verify", count)
    few = lambda task: [part[:1] for part in pace.asked_of(task)]
    monkeypatch.setattr(shortening, "asked_of", few)  # So that chance passes
    answer, task = GIVEN["swap"][0], ADAPTED["swap"].task
    done = nc.shorten(answer, task, goal="steps", programs=40_000, progress=False)
    assert done.refused > 0 and done.answer.accept(task) and done.steps[1] < 10
    assert asked == [done.answer]


def test_wrong_programs_are_refused():
    wrong = nc.Answer(nc.parse("read 0 1\ndec 1 1\nwrite 0 1\ninc 0 0"), nc.Clock(4))
    task = nc.TASKS["map_inc"]
    for run in (nc.shorten, nc.adapt):
        with pytest.raises(InputError, match=r"found it wrong on memory \["):
            run(wrong, task)
        with pytest.raises(InputError, match="found it wrong on memory"):
            run(replace(MAP, clock=nc.Clock(5)), task)
        with pytest.raises(InputError, match="its clock names a step"):
            run(replace(MAP, clock=nc.Clock(4, -4)), task)
        with pytest.raises(InputError, match="registers"):
            run(nc.Answer(nc.parse("inc 9 9"), nc.Clock(1)), task)
    with pytest.raises(InputError, match="goal is one of lines, steps"):
        nc.shorten(MAP, task, goal="size")
    with pytest.raises(InputError, match="programs is at least 0"):
        nc.shorten(MAP, task, programs=-1)


@pytest.mark.parametrize("name", ADAPTED)
def test_rows_are_right_with_the_bias_and_without(name):
    row = ADAPTED[name]
    assert row.answer.verify(row.plain) and row.answer.accept(row.task)
    assert not row.task.family and not row.task.tests
    how, given = adaptation.judged_on(row.task)
    assert row.answer.fits(given).all() and given.base == row.plain.base
    again = row.plain.examples_of(
        [
            (m, dict(enumerate(r)))
            for m, r in zip(given.memory[:50].tolist(), given.registers[:50].tolist())
        ]
    )
    assert (again.target == given.target[:50]).all()  # What is wanted has no bias


@pytest.mark.parametrize("name, most", [("access", 4), ("swap", 7), ("sort", 15)])
def test_walks_adapt(name, most):
    row = ADAPTED[name]
    done = nc.adapt(row.answer, row.task, units=1.0, plain=row.plain, progress=False)
    assert done.share == 1 and done.steps[1] <= most < done.steps[0]
    assert done.steps[1] <= done.simplified <= done.steps[0]
    assert done.steps[1] == adaptation.steps_on(
        done.answer, adaptation.judged_on(row.task)[1]
    )
    assert done.plain < 1 and not done.answer.accept(row.plain)
    assert done.how == ("all" if name == "sort" else "fresh")


def test_gradients_adapt_and_repeat():
    row = ADAPTED["access"]
    how = dict(way="gradient", units=0.05, progress=False)
    first, again = (nc.adapt(row.answer, row.task, **how) for _ in range(2))
    assert first.answer == again.answer and first.share == 1
    assert first.steps[1] <= first.steps[0] == 5
    assert first.answer.accept(row.task)


def test_a_bias_without_inputs_is_refused():
    row = ADAPTED["access"]
    none = lambda choose, n, b: ([choose(0)] * b, {})
    with pytest.raises(InputError, match="a biased task has at least one input"):
        nc.adapt(row.answer, adaptation.biased(row.plain, none, "none", "nothing"))
    with pytest.raises(InputError, match="way is one of walk, gradient"):
        nc.adapt(row.answer, row.task, way="luck")
    with pytest.raises(InputError, match="units is over 0"):
        nc.adapt(row.answer, row.task, units=0.0)
    with pytest.raises(InputError, match="counts its steps takes no fewer"):
        counted = replace(row.answer, clock=nc.Clock(0, 5))
        nc.adapt(counted, row.task, way="gradient")
