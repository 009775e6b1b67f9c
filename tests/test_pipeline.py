"""From tasks to a verified program: what each stage promises the next."""

import itertools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st

import neural_compile as nc
from neural_compile import tuning
from neural_compile.loss.loss import correctness, efficiency
from neural_compile.synthesis.language import (
    LANGUAGE,
    candidate,
    describe,
    expressions,
    functions,
    given_registers,
    steps_of,
)
from neural_compile.assembly.tasks import check_examples, every_input, sample_input
from neural_compile.loss.tuning import CHUNK, decompile_all, paper_recovered, start_from

KEY = jax.random.key(0)


# Tasks


@pytest.mark.parametrize("name", nc.TASKS)
def test_every_size_of_a_task_makes_sense(name):
    task = nc.TASKS[name]
    for cells, base in ((task.cells, task.base), *task.family):
        examples = task.sample(20, seed=0, cells=cells, base=base)
        assert (
            examples.memory.shape
            == examples.target.shape
            == examples.mask.shape
            == (20, base)
        )
        assert examples.registers.shape == (20, task.registers)
        for values in (examples.memory, examples.registers, examples.target):
            assert values.min() >= 0 and values.max() < base
        assert examples.mask.any(1).all()
        changed = ((examples.target != examples.memory) & examples.mask).any(1)
        assert changed.any(), "a task that changes nothing is solved by noop"


@pytest.mark.parametrize(
    "name, listing, clock",
    [
        ("map_inc", "map", nc.Clock(5)),
        ("reduce", "sum", nc.Clock(0, 21)),
        ("fibonacci", "fibonacci", nc.Clock(6, 1)),
        ("access", "access", nc.Clock(halts=True)),
    ],
)
def test_the_papers_listings_solve_their_tasks(name, listing, clock, programs):
    assert nc.verify(programs[listing], clock, nc.TASKS[name])


def test_a_hand_written_program_for_increment_is_verified_until_it_halts():
    program = nc.parse(
        "loop:\nread 0 1\njump 1 end\ninc 1 1\nwrite 0 1\ninc 0 0\njump 2 loop\nend:\nhalt"
    )
    assert nc.verify(program, nc.Clock(halts=True), nc.TASKS["increment"])
    assert not nc.verify(
        nc.parse(str(program).replace("inc 1 1", "dec 1 1")),
        nc.Clock(halts=True),
        nc.TASKS["increment"],
    )


@given(st.lists(st.integers(1, 3), min_size=1, max_size=4))
def test_enumerated_inputs_are_all_inputs(options):
    build = lambda choose: tuple(choose(n) for n in options)
    assert sorted(every_input(build)) == sorted(itertools.product(*map(range, options)))
    assert sample_input(build, np.random.default_rng(0)) in every_input(build)
    total = len(every_input(build))
    assert (
        every_input(build, limit=total) is not None
        and every_input(build, limit=total - 1) is None
    )


def test_a_counterexample_is_one():
    task = nc.TASKS["map_dec"]
    verdict = nc.verify(nc.template("map_inc").program, nc.Clock(5), task)
    memory, registers, expected = verdict.instances[0].counterexample
    ran = nc.execute(
        nc.template("map_inc").program, memory, registers, base=task.base, steps=25
    )
    assert not verdict and any(
        e is not None and e != m for e, m in zip(expected, ran.memory)
    )


def test_held_back_examples_are_not_shown():
    inputs = [[n] for n in range(8)]
    task = nc.Task.from_examples(inputs, [[(3 * n) % 8] for n in range(8)], base=8)
    shown = {int(m[0]) for m in task.sample(500, seed=0).memory}
    assert len(task.held_back) == 2 and not shown & {m[0] for m, _ in task.held_back}


@given(st.integers(2, 6), st.data())
def test_a_clock_fitted_on_examples_is_right_on_them(base, data):
    """Any program is right, by a fitted clock, on examples that it made itself."""
    text = data.draw(
        st.sampled_from(
            [
                "inc 0 0",
                "read 0 1\ninc 1 1\nwrite 0 1\ninc 0 0",
                "inc 1 1\nwrite 1 1\nhalt",
            ]
        )
    )
    program = nc.parse(text)
    steps = data.draw(st.integers(1, len(program) * (base + 1)))
    memory = data.draw(
        st.lists(
            st.lists(st.integers(0, base - 1), min_size=base, max_size=base),
            min_size=2,
            max_size=4,
            unique_by=tuple,
        )
    )
    outputs = [nc.execute(program, m, base=base, steps=steps).memory for m in memory]
    shown = nc.Task.from_examples(memory, outputs, base=base, registers=2).sample(
        8, seed=0
    )
    clock = nc.fit_clock(program, shown, varies=False)
    assert check_examples(program, clock, shown).all()


# Loss


@given(st.integers(0, 2**31 - 1))
def test_correctness_is_the_mean_of_minus_log_over_checked_cells(seed):
    rng = np.random.default_rng(seed)
    P, L, mask = (
        rng.dirichlet(np.ones(5), size=(3, 4)).astype(np.float32),
        rng.integers(0, 5, (3, 4)),
        rng.random((3, 4)) < 0.5,
    )
    values = [
        -np.log(P[i, j, L[i, j]] + 1e-6)
        for i in range(3)
        for j in range(4)
        if mask[i, j]
    ]
    assert np.isclose(
        correctness(jnp.array(P), jnp.array(L), jnp.array(mask)),
        np.mean(values) if values else 0,
        atol=1e-5,
    )


def test_a_certain_error_still_has_a_slope():
    slope = jax.grad(
        lambda p: correctness(
            jnp.stack([1 - p, p])[None], jnp.array([1]), jnp.ones(1, bool)
        )
    )(0.0)
    assert jnp.isfinite(slope) and slope < -1e3


def test_efficiency_counts_steps_before_the_halt():
    assert efficiency(jnp.array([0.0, 0.0, 1.0, 1.0])) == 2


# Synthesis


@pytest.mark.parametrize(
    "name",
    ["inc", "map_inc", "map_dec", "reduce", "parity", "map_parity", "list_parity"],
)
def test_enumeration_alone_solves(name):
    found = nc.synthesize(nc.TASKS[name], progress=False)
    assert found.solutions and all(
        nc.verify(s.program, s.clock, found.task) for s in found.solutions
    )
    assert [s.size for s in found.solutions] == sorted(s.size for s in found.solutions)


@pytest.mark.parametrize("name", ["fibonacci", "fibonacci_seeded"])
def test_the_fibonacci_recurrence_is_not_in_the_language(name):
    assert not nc.synthesize(
        nc.TASKS[name], size=4 if name == "fibonacci" else 3, progress=False
    ).solutions


def test_equivalence_pruning_keeps_one_function_of_each_behaviour_and_loses_none():
    """Against all sequences of two steps, run one by one."""
    task = nc.TASKS["parity"]
    given = given_registers(task.sample(8, seed=0))
    kept = [f for level in functions(task, given, 2) for f in level]
    table = {i.name: i.function for i in nc.INSTRUCTIONS}

    def values(function):
        result = []
        for x in range(task.base):
            for name, a, b in function:
                x = (
                    table[name](x if a == "x" else 2, x if b in ("x", "") else 2)
                    % task.base
                )
            result.append(x)
        return tuple(result)

    steps = steps_of(list(given))
    everything = {
        values(f) for n in range(3) for f in itertools.product(steps, repeat=n)
    }
    assert (
        len(kept) == len({values(f) for f in kept})
        and {values(f) for f in kept} == everything
    )


def test_the_number_of_expressions_is_a_product_of_choices():
    pool, given, ops = functions(nc.TASKS["map_inc"], {}, 2), [], 6
    one, two = len(pool[1]), len(pool[2])
    counts = [sum(1 for _ in expressions(size, pool, given)) for size in (1, 2, 3)]
    assert counts[0] == 4  # loop(1 … 4)
    assert (
        counts[1] == 3 * one + one + ops + 4 * ops
    )  # apply, map, filter; cond(f, id, id); scan; reduce(op, 2 … 5, id)
    assert counts[2] == 3 * two + (two + 2 * one * one) + 4 * ops * one


@pytest.mark.parametrize("combinator", LANGUAGE, ids=lambda c: c.name)
def test_padding_with_no_ops_changes_the_clock_and_not_the_result(combinator):
    choice = {
        "changing": (("inc", "x", ""),),
        "function": (),
        "operation": "add",
        "count": 2,
        "start": "",
    }
    arguments = [choice[kind] for kind in combinator.arguments]
    memory, results = [3, 1, 2, 7, 0, 5, 4, 6], []
    for body, end in ((0, 0), (2, 0), (0, 2)):
        c = candidate(combinator, arguments, [], 6, body=body, end=end)
        results.append(
            nc.execute(
                c.program, memory, base=8, steps=c.clock.steps(len(c.program), 5, 8)
            ).memory
        )
    assert results[0] == results[1] == results[2], describe(combinator, arguments)


def test_templates_are_of_different_kinds():
    first = [
        t.expression.split("(")[0]
        for t in nc.synthesize(nc.TASKS["fibonacci_seeded"], progress=False).templates[
            :4
        ]
    ]
    assert len(set(first)) == 4


def test_the_time_limit_stops_enumeration_and_says_so():
    found = nc.synthesize(
        nc.TASKS["fibonacci_seeded"], size=4, time_limit=0.01, progress=False
    )
    assert "time limit" in found.stopped and found.levels


# Tuning and decoding


@pytest.fixture(scope="module")
def tuned():
    return nc.tune(
        nc.TASKS["map_dec"], "map_inc", restarts=6, steps=500, key=KEY, progress=False
    )


def test_tuning_recovers_and_judges(tuned):
    assert tuned.strict.sum() >= 2
    for program, strict in zip(tuned.programs, tuned.strict):
        assert bool(nc.verify(program, tuned.clock, tuned.task)) == strict
    assert decompile_all(tuned.controllers) == [
        nc.decompile(tuned.controllers[k]) for k in range(6)
    ]


def test_the_papers_criterion_is_about_the_network(tuned):
    examples = tuned.task.sample(10, seed=5)
    by_hand = [
        all(
            (
                np.asarray(
                    nc.run(tuned.controllers[k], m, r, steps=25).memory.argmax(-1)
                )
                == t
            )[c].all()
            for m, r, t, c in zip(
                examples.memory, examples.registers, examples.target, examples.mask
            )
        )
        for k in range(6)
    ]
    assert paper_recovered(tuned.controllers, examples, 25).tolist() == by_hand


def test_the_same_key_gives_the_same_run_and_another_key_another(tuned):
    again = nc.tune(
        nc.TASKS["map_dec"], "map_inc", restarts=6, steps=100, key=KEY, progress=False
    )
    other = nc.tune(
        nc.TASKS["map_dec"],
        "map_inc",
        restarts=6,
        steps=100,
        key=jax.random.key(1),
        progress=False,
    )
    assert not np.array_equal(again.losses, other.losses)
    first = nc.tune(
        nc.TASKS["map_dec"], "map_inc", restarts=6, steps=100, key=KEY, progress=False
    )
    assert np.array_equal(again.losses, first.losses)


def test_a_restart_that_is_not_finite_is_reported_and_does_not_spread(
    tuned, monkeypatch
):
    original = tuning.start_from

    def poisoned(*args, **kwargs):
        start = original(*args, **kwargs)
        bad = jax.random.key_data(jax.random.split(jax.random.split(KEY)[0], 6)[2])

        def make(key):
            c = start.make(key)
            return jax.tree.map(
                lambda W: jnp.where(
                    (jax.random.key_data(key) == bad).all(), jnp.nan, W
                ),
                c,
            )

        return replace(start, make=make)

    monkeypatch.setattr(tuning, "start_from", poisoned)
    run = nc.tune(
        nc.TASKS["map_dec"], "map_inc", restarts=6, steps=100, key=KEY, progress=False
    )
    assert run.finite.tolist() == [
        True,
        True,
        False,
        True,
        True,
        True,
    ] and "not finite" in repr(run)
    monkeypatch.undo()
    clean = nc.tune(
        nc.TASKS["map_dec"], "map_inc", restarts=6, steps=100, key=KEY, progress=False
    )
    assert np.array_equal(np.delete(run.losses, 2, 0), np.delete(clean.losses, 2, 0))


def test_a_callback_can_stop_and_an_interrupt_keeps_what_is_there():
    def stop(step, controllers, losses):
        return step >= CHUNK

    def interrupt(step, controllers, losses):
        raise KeyboardInterrupt

    for callback, word in ((stop, "callback"), (interrupt, "interrupted")):
        run = nc.tune(
            nc.TASKS["map_dec"],
            "map_inc",
            restarts=6,
            steps=500,
            key=KEY,
            progress=False,
            callback=callback,
        )
        assert (
            word in run.stopped
            and run.losses.shape == (6, CHUNK)
            and len(run.programs) == 6
        )


def test_restarts_that_leave_do_not_disturb_the_others():
    "Forty restarts in two groups; all but three leave at the first look, and the rest move to one group."
    settings = dict(
        restarts=40, steps=2 * CHUNK + 10, key=KEY, curriculum=False, progress=False
    )
    stay = np.isin(np.arange(40), [1, 17, 39])
    alone = nc.tune(nc.TASKS["map_dec"], "map_inc", retire=lambda *_: ~stay, **settings)
    all_of_them = nc.tune(nc.TASKS["map_dec"], "map_inc", retire=False, **settings)
    assert np.abs(alone.losses - all_of_them.losses)[stay].max() < 1e-4
    assert (alone.losses[~stay, CHUNK:] == alone.losses[~stay, CHUNK - 1, None]).all()
    assert (np.diff(all_of_them.losses[~stay, CHUNK:]) != 0).any(1).all()
    left, went_on = (
        jax.tree.map(lambda W: W[~stay], run.controllers)
        for run in (alone, all_of_them)
    )
    assert np.abs(left.instruction - went_on.instruction).max() > 0.1


def test_training_is_compiled_once(caplog):
    "Other stages, fewer restarts and a second call use the same function."
    tuning._trainer.cache_clear()
    with jax.log_compiles():
        for key in (KEY, jax.random.key(5)):
            run = nc.tune(
                nc.TASKS["map_dec"],
                "map_inc",
                restarts=40,
                steps=300,
                key=key,
                progress=False,
                retire=lambda step, controllers, losses: losses > np.median(losses),
            )
    assert (
        caplog.text.count("Finished XLA compilation of jit(_train)") == 1
        and run.losses.shape[0] == 40
    )


def test_every_restart_done_ends_the_run():
    run = nc.tune(
        nc.TASKS["map_inc"],
        "map_inc",
        restarts=4,
        steps=1500,
        key=KEY,
        noise=0.1,
        progress=False,
    )
    assert (
        run.strict.all()
        and run.losses.shape[1] < 1500
        and "every restart was done" in run.stopped
    )


def test_efficiency_shortens_the_run():
    """With a weight on steps, a tuned program halts sooner than without."""
    program = nc.parse("read 0 1\ninc 1 1\nwrite 0 1\nnoop\nnoop\nhalt")
    steps = []
    for weight in (0.0, 0.3):
        run = nc.tune(
            nc.TASKS["inc"],
            program,
            restarts=6,
            steps=300,
            key=KEY,
            clock=nc.Clock(0, 12),
            efficiency_weight=weight,
            progress=False,
        )
        memory, registers = jnp.arange(8), jnp.zeros(6, int)
        steps.append(
            float(
                jax.vmap(lambda c: nc.run(c, memory, registers, steps=12).steps)(
                    run.controllers
                ).mean()
            )
        )
    assert steps[1] < steps[0] - 1


def test_decoded_programs_are_verified_and_come_from_the_weights(tuned):
    found = nc.decode(
        tuned.controllers, tuned.task, samples=50_000, key=KEY, clock=tuned.clock
    )
    assert found and all(nc.verify(d.program, d.clock, tuned.task) for d in found)
    assert len({d.restart for d in found}) == len(found)
    again = nc.decode(
        tuned.controllers, tuned.task, samples=50_000, key=KEY, clock=tuned.clock
    )
    assert [d.program for d in again] == [d.program for d in found]


def test_certain_weights_propose_one_program_and_nothing_else():
    start = start_from("map_inc", nc.TASKS["map_inc"], noise=0.0)
    certain = jax.tree.map(lambda W: W[None], start.make(KEY))
    assert (
        nc.decode(certain, nc.TASKS["map_inc"], samples=1, key=KEY, clock=start.clock)[
            0
        ].program
        == nc.template("map_inc").program
    )
    assert (
        nc.decode(
            certain,
            nc.TASKS["map_inc"],
            samples=5,
            likeliest=0,
            temperature=0.1,
            key=KEY,
            clock=start.clock,
        )[0].program
        == nc.template("map_inc").program
    )
    assert (
        nc.decode(
            certain,
            nc.TASKS["map_dec"],
            samples=100,
            likeliest=0,
            temperature=0.1,
            key=KEY,
            clock=start.clock,
        )
        == []
    )


# The whole


def test_the_demo_at_a_small_budget():
    found = nc.induce(
        nc.TASKS["fibonacci_seeded"], space="language", key=KEY, progress=False
    )
    assert (
        found.verified and found.attempts and "tuning" in found.how and found.template
    )
    assert len(found.verification.instances) == 4
    assert nc.execute(
        found.program,
        [0] * 8,
        [0, 3, 1, 0, 0, 0],
        base=8,
        steps=found.clock.steps(len(found.program), 5, 8),
    ).memory[:5] == [4, 5, 1, 6, 7]


def test_a_task_by_function():
    task = nc.Task.from_function(
        lambda x: [v * v for v in x],
        base=7,
        cells=3,
        family=[(1, 7), (3, 14), (6, 15)],
        name="squares",
    )
    found = nc.induce(task, key=KEY, progress=False)
    assert found.verified and found.run([2, 3, 4]).memory[:3] == [4, 2, 2]


def test_a_time_limit_ends_the_search_and_the_report_says_how_far_it_got():
    found = nc.induce(
        nc.TASKS["list_k"], space="language", key=KEY, time_limit=3, progress=False
    )
    assert not found.verified and "candidates enumerated" in found.report()
    with pytest.raises(nc.InputError, match="no program was found for list_k"):
        found.run([1])


@pytest.mark.parametrize("stage", ["tune", "decode"])
def test_an_interrupt_at_any_stage_keeps_the_induction(stage, monkeypatch):
    import neural_compile.experiments as experiments

    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(experiments, stage, interrupt)
    found = nc.induce(
        nc.TASKS["sort"], space="language", key=KEY, size=2, progress=False
    )
    assert (
        found.stopped == "interrupted"
        and not found.verified
        and "interrupted" in found.report()
        and found.levels
    )
