"""Starts, tuning and guided decoding: what each promises the next."""

import time
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import neural_compile as nc
from neural_compile.appendix import devices
from neural_compile.assembly.suite import sized
from neural_compile.assembly.verification import check_examples
from neural_compile.compiler.controllers import decompile_all
from neural_compile.loss.loss import (
    FLOOR,
    Checked,
    composite,
    correctness,
    efficiency,
)
from neural_compile.loss.starts import horizon, prepare_start
from neural_compile.loss.training import CHUNK, plan, restart_losses
from neural_compile.loss.tuning import Decision, network_outputs, paper_recovered
from neural_compile.synthesis.language import template

KEY = jax.random.key(0)
MAP_DEC, MAP_INC = nc.TASKS["map_dec"], nc.TASKS["map_inc"]


def tune(task, start="random", training=nc.Training(), **settings):
    return nc.tune(task, start, training, **{"key": KEY, "progress": False} | settings)


def some(controllers, rows):
    return jax.tree.map(lambda W: W[rows], controllers)


def same(one, other):
    return all(map(np.array_equal, one.weights, other.weights))


# Starts


@pytest.mark.parametrize(
    "task, clock",
    [
        ("map_dec", nc.Clock(6)),
        ("reduce", nc.Clock(6, 6)),
        ("list_parity", nc.Clock(6, 6)),
        ("parity", nc.Clock(0, 6)),
        ("fibonacci", nc.Clock(6)),
    ],
)
def test_a_start_is_read_after_a_turn_of_six_lines_a_cell(task, clock):
    for source in ("random", "map_inc", template("map_inc").program):
        start = prepare_start(source, nc.TASKS[task])
        assert start.machine.lines == 6 and start.clock == clock


def test_a_long_program_has_a_machine_of_its_own_length():
    program = nc.parse("inc 0 0\n" * 9)
    start = prepare_start(program, MAP_DEC)
    assert start.machine.lines == 9 and start.clock == nc.Clock(9)
    assert prepare_start(nc.Start(program, lines=12), MAP_DEC).machine.lines == 12
    with pytest.raises(nc.InputError, match=r"9 lines, its machine 8.*lines=9"):
        prepare_start(nc.Start(program, lines=8), MAP_DEC)


def test_all_kinds_of_programs_start_alike():
    candidate = template("map_inc", [], 6)
    kinds = ["map_inc", candidate, candidate.answer, candidate.program]
    made = [prepare_start(kind, MAP_DEC).controllers(3, KEY) for kind in kinds]
    assert all(same(made[0], other) for other in made)
    assert made[0].restarts == 3 and not same(made[0][0], made[0][1])


def test_the_tasks_own_program_keeps_its_length_and_its_clock():
    task = nc.TASKS["fibonacci"]
    program = nc.parse("inc 1 1")
    solved = replace(template("map_inc"), solves=True)
    solved = replace(solved, answer=nc.Answer(program, nc.Clock(3, 2)))
    start = prepare_start(solved, task)
    assert start.machine.lines == 1 and start.clock == nc.Clock(3, 2)
    other = prepare_start(program, task)
    assert other.machine.lines == 6 and other.clock == nc.Clock(6)


def test_holes_are_random_and_the_rest_is_the_template():
    task, program = nc.TASKS["inc"], nc.parse("noop\ninc 1 1")
    start = prepare_start(nc.Start(program, lines=3, noise=0.0), task)
    one, two = (start.controllers(1, jax.random.key(k))[0] for k in (0, 1))
    assert nc.decompile(one)[1] == nc.decompile(two)[1] == program[1]
    for first, second in zip(one.weights, two.weights):
        assert np.isclose(first, second).all(0).tolist() == [False, True, False]
    closed = nc.Start(program, lines=3, noise=0.0, open_noops=False)
    assert nc.decompile(prepare_start(closed, task).controllers(1, KEY)[0]) == (
        program.pad(3)
    )


def test_a_function_from_a_key_to_a_controller_is_a_start():
    machine = nc.Machine(8, 6, 4)

    def wide(key):
        return nc.random_controller(machine, key=key, scale=3.0)

    start = prepare_start(wide, MAP_DEC)
    assert start.machine == machine and start.clock == nc.Clock(4)
    assert start.name == "wide"
    expected = jax.vmap(wide)(jax.random.split(KEY, 2))
    assert same(start.controllers(2, KEY), expected)
    with pytest.raises(nc.InputError, match="returns a Controller, found"):
        prepare_start(lambda key: jnp.zeros(3), MAP_DEC)


def test_what_cannot_start_is_refused_with_the_fix():
    controllers = prepare_start("map_inc", MAP_DEC).controllers(4, KEY)
    for start, task, says in [
        (controllers, nc.TASKS["sort"], "base is 8 there, asked for 11"),
        (nc.Start(controllers, lines=9), MAP_DEC, "lines is 6 there, asked for 9"),
        (nc.Start(controllers, dialect=nc.LITERAL), MAP_DEC, "dialect"),
        ("map_ink", MAP_DEC, "map_inc"),
    ]:
        with pytest.raises(nc.InputError, match=says):
            prepare_start(start, task)
    with pytest.raises(nc.InputError, match="noise is a number from 0 up, found -1"):
        nc.Start(noise=-1.0)
    with pytest.raises(nc.InputError, match="4 restarts were given, asked for 3"):
        tune(MAP_DEC, controllers, restarts=3, steps=10)


@pytest.mark.parametrize("name", nc.TASKS)
def test_stages_are_of_the_size_of_the_task(name):
    for base, cells in ((nc.TASKS[name].base, 2), (nc.TASKS[name].base + 4, 3)):
        task = sized(nc.TASKS[name], base, cells)
        stages = plan(nc.Training(), task, prepare_start("random", task), key=KEY)
        assert {stage.examples.base for stage in stages} == {base}
        assert stages[-1].steps == horizon(task, 6).steps(task.cells)


# The loss


@pytest.mark.parametrize("seed", range(4))
def test_the_loss_weighs_means_over_checked_cells_and_steps(seed):
    "Equations 10 to 12 by hand; one prediction is certain, and of something wrong."
    rng = np.random.default_rng(seed)

    def prediction(cells):
        P = rng.dirichlet(np.ones(5), (3, cells)).astype(np.float32)
        L = rng.integers(0, 5, (3, cells))
        mask = rng.random((3, cells)) < 0.5
        P[0, 0], L[0, 0], mask[0, 0] = np.eye(5)[1], 2, True
        costs = [-np.log(P[i, j, L[i, j]] + FLOOR) for i, j in np.argwhere(mask)]
        return Checked(*map(jnp.array, (P, L, mask))), np.mean(costs)

    (memory, one), (registers, two) = prediction(4), prediction(2)
    assert np.isclose(correctness(*memory), one, rtol=1e-4)
    h = np.sort(rng.random((3, 7)), axis=1)
    steps = efficiency(jnp.array(h))
    assert np.allclose(steps, [sum(1 - p for p in row) for row in h], rtol=1e-4)
    both = composite(memory, registers, steps, weight=0.3, efficiency_weight=0.2)
    assert np.isclose(both, 0.3 * (one + two) + 0.2 * (1 - h).sum() / 3, rtol=1e-4)
    assert np.isclose(composite(memory, None, steps), one, rtol=1e-4)


# Training


@pytest.mark.parametrize("weight", [0.0, 0.1])
def test_training_minimises_the_chapters_loss(weight):
    "The loss of each restart is `composite` on what `run` leaves."
    task = nc.TASKS["inc"]
    controllers = prepare_start("map_inc", task).controllers(3, KEY)
    given = task.sample(6, seed=0)
    fields = ("memory", "registers", "target", "mask")
    drawn = {f: jnp.stack([getattr(given, f)] * 3) for f in fields}
    chunk = devices.Chunk(drawn, 6, 0, 1, 0.1, weight)
    losses = restart_losses(controllers, drawn, chunk, 32)

    def of_one(controller):
        run = lambda m, r: nc.run(controller, m, r, steps=6)
        last = jax.vmap(run)(given.memory, given.registers)
        rows = jnp.arange(6)[:, None], jnp.arange(8)[None], given.target
        right = -jnp.log(last.memory[rows] + 1e-6)
        return right[given.mask].mean() + weight * last.steps.mean()

    assert np.allclose(losses, [of_one(controllers[k]) for k in range(3)], atol=1e-5)


@pytest.fixture(scope="module")
def tuned():
    return tune(MAP_DEC, "map_inc", restarts=6, steps=500)


def test_tuning_recovers_and_judges(tuned):
    assert tuned.strict.sum() >= 2
    for program, strict in zip(tuned.programs, tuned.strict):
        assert bool(nc.verify(program, tuned.clock, tuned.task)) == strict
    each = [nc.decompile(tuned.controllers[k]) for k in range(6)]
    assert decompile_all(tuned.controllers) == each == tuned.programs
    assert [a.program for a in tuned.answers] == tuned.programs
    assert tuned.solution.program == tuned.programs[int(tuned.accepted.argmax())]
    assert tuned.solution.verify(MAP_DEC) and tuned.solution.clock == tuned.clock


def test_the_papers_criterion_is_about_the_network(tuned):
    examples, steps = tuned.task.sample(10, seed=5), tuned.clock.steps(5)
    run = lambda k, m, r: nc.run(tuned.controllers[k], m, r, steps=steps)
    fields = examples.memory, examples.registers, examples.target, examples.mask
    by_hand = [
        all(
            (np.asarray(run(k, m, r).memory.argmax(-1)) == t)[checked].all()
            for m, r, t, checked in zip(*fields)
        )
        for k in range(6)
    ]
    assert paper_recovered(tuned.controllers, examples, steps).tolist() == by_hand
    outputs = network_outputs(tuned.controllers, *fields[:2], steps)
    assert outputs.shape == (6, 10, 8)


def test_the_same_key_gives_the_same_run_and_another_key_another():
    first, again, other = (
        tune(MAP_DEC, "map_inc", restarts=6, steps=100, key=jax.random.key(k))
        for k in (0, 0, 1)
    )
    assert np.array_equal(again.losses, first.losses)
    assert not np.array_equal(other.losses, first.losses)


def test_tuning_goes_on_with_the_controllers_of_a_tuning(tuned):
    "Each restart from its own weights, and with another training."
    more = tune(MAP_DEC, tuned.controllers, steps=60)
    assert more.losses.shape == (6, 60) and same(more.untuned, tuned.controllers)
    assert more.start.name == "controllers" and more.clock == tuned.clock
    gentle = nc.Training(steps=50, learning_rate=0.001, batch=4, optimizer=optax.sgd)
    few = tune(MAP_DEC, some(tuned.controllers, slice(0, 2)), gentle)
    assert few.losses.shape == (2, 50)
    assert few.programs == tuned.programs[:2] and not same(few.controllers, few.untuned)
    alone = tune(MAP_DEC, tuned.controllers[0], restarts=6, steps=50)
    assert same(alone.untuned[2], tuned.controllers[0])
    assert not np.array_equal(alone.losses[0], alone.losses[2])  # Their own batches


def test_a_restart_that_is_not_finite_is_reported_and_does_not_spread():
    clean = prepare_start("map_inc", MAP_DEC).controllers(6, KEY)
    poisoned = jax.tree.map(lambda W: W.at[2].set(jnp.nan), clean)
    sick, well = (tune(MAP_DEC, c, steps=100) for c in (poisoned, clean))
    assert sick.finite.tolist() == [True, True, False, True, True, True]
    assert "1 restart ended with a loss or weight that is not finite" in repr(sick)
    assert np.array_equal(np.delete(sick.losses, 2, 0), np.delete(well.losses, 2, 0))


def momentum(rate):
    return optax.sgd(30 * rate, momentum=0.9)


# Those of the table, such as Adam that sharpens, are tried in test_table1
@pytest.mark.parametrize("optimizer", [momentum, optax.rmsprop])
def test_other_optimisers_lower_the_loss(optimizer):
    training = nc.Training(steps=100, optimizer=optimizer)
    run = tune(nc.TASKS["inc"], "random", training, restarts=4)
    assert run.losses[:, -10:].mean() < 0.5 * run.losses[:, :10].mean()


def test_restarts_do_not_share_the_noise_of_their_gradients():
    start = prepare_start("map_inc", MAP_DEC).controllers(1, KEY)[0]
    shown = MAP_DEC.sample(1, seed=0)[[0] * 1024]  # So that batches are equal
    training = nc.Training(steps=50, examples=shown)
    equal = tune(MAP_DEC, start, training, restarts=6)
    assert np.array_equal(equal.losses[0], equal.losses[5])
    training = replace(training, optimizer=nc.noisy_adam)
    noisy = tune(MAP_DEC, start, training, restarts=6)
    assert not np.array_equal(noisy.losses[0], noisy.losses[5])


def test_what_cannot_be_trained_is_refused_with_the_fix():
    for settings, says in [
        (dict(steps=0), "steps is at least 1, found 0"),
        (dict(batch=0), "batch is at least 1, found 0"),
        (dict(learning_rate=0.0), "learning_rate is over 0, found 0"),
        (dict(efficiency=-1.0), "efficiency is 0 or more, found -1"),
    ]:
        with pytest.raises(nc.InputError, match=says):
            nc.Training(**settings)
    halting, never = nc.Clock(halts=True), nc.Clock(0, 0)
    for start, training, says in [
        (nc.Start(clock=halting), {}, "waits for a halt has no horizon"),
        (nc.Start(clock=never), {}, "horizon is at least 1 step, found 0"),
        ("random", dict(examples=nc.TASKS["sort"].sample(4, seed=0)), "examples has"),
    ]:
        with pytest.raises(nc.InputError, match=says):
            tune(MAP_DEC, start, nc.Training(**training))
    with pytest.raises(nc.InputError, match="restarts is at least 1, found 0"):
        tune(MAP_DEC, restarts=0)


def test_training_is_compiled_once(caplog):
    "Other stages, fewer restarts and a second call use the same function."
    devices.trainer.cache_clear()
    worse = lambda look: Decision(retire=look.losses > np.median(look.losses))
    with jax.log_compiles():
        for key in (KEY, jax.random.key(5)):
            run = tune(MAP_DEC, "map_inc", restarts=40, steps=100, key=key, watch=worse)
    compiled = "Finished XLA compilation of jit(train_groups)"
    assert caplog.text.count(compiled) == 1 and run.losses.shape[0] == 40


def test_efficiency_shortens_the_run():
    """With a weight on steps, a tuned program halts sooner than without."""
    program = nc.parse("read 0 1\ninc 1 1\nwrite 0 1\nnoop\nnoop\nhalt")
    start = nc.Start(program, clock=nc.Clock(0, 12), open_noops=False)
    memory, registers, steps = jnp.arange(8), jnp.zeros(6, int), []
    for weight in (0.0, 0.3):
        training = nc.Training(steps=300, efficiency=weight)
        run = tune(nc.TASKS["inc"], start, training, restarts=6)
        last = lambda c: nc.run(c, memory, registers, steps=12)
        steps.append(float(jax.vmap(last)(run.controllers).steps.mean()))
    assert steps[1] < steps[0] - 1


# Watching


def test_nobody_watches_by_default():
    "Restarts that are right from the start are trained to the end."
    run = tune(MAP_INC, nc.Start("map_inc", noise=0.1, lines=5), restarts=6, steps=120)
    assert run.strict.all() and run.losses.shape == (6, 120) and run.stopped is None
    assert (np.diff(run.losses) != 0).any(1).all()


def test_a_watcher_can_stop_and_an_interrupt_keeps_what_is_there():
    def interrupt(look):
        raise KeyboardInterrupt

    stop = lambda look: Decision(stop=nc.Why.WATCHER)
    late = nc.StopAt(time.monotonic())
    for watch, why in (
        (stop, nc.Why.WATCHER),
        (interrupt, nc.Why.INTERRUPTED),
        (late, nc.Why.TIME),
        ([late, stop], nc.Why.TIME),  # The first has its way
    ):
        run = tune(MAP_DEC, "map_inc", restarts=6, steps=500, watch=watch)
        assert run.stopped == nc.Stopped(why, f"after {CHUNK} steps")
        assert run.losses.shape == (6, CHUNK) and len(run.programs) == 6
    assert (
        tune(
            MAP_DEC, restarts=6, steps=60, watch=nc.StopAt(time.monotonic() + 1e6)
        ).stopped
        is None
    )


def test_a_watcher_sees_the_run_as_it_is():
    looks = []
    run = tune(MAP_DEC, "map_inc", restarts=6, steps=2 * CHUNK + 7, watch=looks.append)
    assert [look.step for look in looks] == _ends(2 * CHUNK + 7)
    assert [look.cells for look in looks] == [1, 2, 3, 4, 5]
    for look in looks:
        assert np.array_equal(look.losses, run.losses[:, look.step - 1])
        assert look.active.all() and look.task is MAP_DEC and look.clock == run.clock
        assert look.programs == decompile_all(look.controllers)
    assert same(looks[-1].controllers, run.controllers)
    assert looks[-1].accepted.tolist() == run.accepted.tolist()


def _ends(steps, stages=5):
    return [steps * (n + 1) // stages for n in range(stages)]


def test_stop_when_solved_and_retire_solved():
    start = nc.Start("map_inc", noise=0.1, lines=5)
    run = tune(MAP_INC, start, restarts=6, watch=nc.StopWhenSolved())
    assert run.strict.any() and run.stopped.why is nc.Why.SOLVED
    assert run.losses.shape[1] < 1500
    run = tune(MAP_INC, start, restarts=6, watch=[nc.RetireSolved()])
    assert run.strict.all() and run.losses.shape[1] < 1500
    assert "every restart was done after" in str(run.stopped) in repr(run)


def test_a_decision_that_makes_no_sense_is_refused():
    for says, message in [
        (True, "a Decision or None, found True"),
        (Decision(retire=np.ones(2, bool)), r"mask of 6 truth values.*\[2\]"),
        (Decision(retire=np.ones(6)), "mask of 6 truth values.*float64"),
    ]:
        with pytest.raises(nc.InputError, match=message):
            tune(MAP_DEC, restarts=6, steps=100, watch=lambda look, says=says: says)


def test_restarts_that_leave_do_not_disturb_the_others():
    "Forty restarts in two groups; all but three leave at the first look."
    stay = np.isin(np.arange(40), [1, 17, 39])
    training = nc.Training(steps=2 * CHUNK + 10, curriculum=False)
    leave = lambda look: Decision(retire=~stay)
    alone = tune(MAP_DEC, "map_inc", training, restarts=40, watch=leave)
    everybody = tune(MAP_DEC, "map_inc", training, restarts=40)
    assert np.abs(alone.losses - everybody.losses)[stay].max() < 1e-4
    assert (alone.losses[~stay, CHUNK:] == alone.losses[~stay, CHUNK - 1, None]).all()
    assert (np.diff(everybody.losses[~stay, CHUNK:]) != 0).any(1).all()
    left, went_on = (some(run.controllers, ~stay) for run in (alone, everybody))
    assert np.abs(left.instruction - went_on.instruction).max() > 0.1


# Decoding


def test_decoded_programs_are_verified_and_come_from_the_weights(tuned):
    found, again = (
        nc.decode(tuned.controllers, MAP_DEC, samples=50_000, key=KEY) for _ in range(2)
    )
    assert found and all(d.answer.verify(MAP_DEC) for d in found)
    assert len({d.restart for d in found}) == len(found)
    assert [d.program for d in again] == [d.program for d in found]
    assert {d.clock for d in found} == {tuned.clock}  # The same horizon by default
    alone = nc.decode(
        tuned.controllers[found[0].restart], MAP_DEC, samples=50_000, key=KEY
    )
    assert alone[0].program == found[0].program and alone[0].restart == 0


def test_first_only_gives_the_first_restart_of_those_found(tuned):
    settings = dict(samples=50_000, key=KEY)
    every = nc.decode(tuned.controllers, MAP_DEC, **settings)
    first = nc.decode(tuned.controllers, MAP_DEC, first_only=True, **settings)
    assert [d.restart for d in first] == [every[0].restart]


def test_certain_weights_propose_one_program_and_nothing_else():
    known = template("map_inc")
    start = prepare_start(
        nc.Start("map_inc", noise=0.0, lines=len(known.program)), MAP_INC
    )
    certain = start.controllers(1, KEY)
    found = nc.decode(certain, MAP_INC, samples=1, key=KEY)[0]
    assert found.program == known.program and found.samples == 1
    sure = nc.Walk(guided=1.0)
    assert nc.decode(certain, MAP_DEC, samples=100, walk=sure, key=KEY) == []


def test_a_program_that_halts_is_decoded_too():
    task, program = nc.TASKS["inc"], nc.parse("read 0 1\ninc 1 1\nwrite 0 1\nhalt")
    start = nc.Start(program, lines=4, noise=0.3)
    controllers = prepare_start(start, task).controllers(4, KEY)
    found = nc.decode(
        controllers, task, samples=10_000, clock=nc.Clock(halts=True), key=KEY
    )
    given = task.sample(20, seed=3)
    assert found
    assert all(check_examples(d.program, d.clock, given).all() for d in found)


def test_what_cannot_be_decoded_is_refused(tuned):
    snapshots = [tuned.controllers, some(tuned.controllers, slice(0, 2))]
    for controllers, task, settings, says in [
        (tuned.controllers, MAP_DEC, dict(samples=0), "samples is at least 1"),
        ([], MAP_DEC, {}, "at least one snapshot"),
        (snapshots, MAP_DEC, {}, "the same restarts"),
        (tuned.controllers, nc.TASKS["sort"], {}, "base is 8 there, asked for 11"),
    ]:
        with pytest.raises(nc.InputError, match=says):
            nc.decode(controllers, task, key=KEY, **settings)
    for settings, says in [
        (dict(temperature=0.0), "temperature is over 0, found 0.0"),
        (dict(guided=1.5), "from 0 to 1, found 1.5"),
        (dict(sizes="few"), "one of own, trained, all, found 'few'"),
    ]:
        with pytest.raises(nc.InputError, match=says):
            nc.Walk(**settings)
