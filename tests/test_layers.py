"""Layers against the exact machine and the reference, alone and in networks."""

from dataclasses import replace

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import memories, programs, register_values

import neural_compile as nc
from neural_compile.assembly.answers import Why
from neural_compile.assembly.engine import encode, execute_many, kind_of
from neural_compile.interpreter.equations import run
from neural_compile.layers import courses, learners
from neural_compile.layers.explanations import longer_lists, names_of
from neural_compile.layers.folds import bodies_of, fold_around, folds
from neural_compile.layers.joint import at_rest
from neural_compile.layers.reading import into_memory
from neural_compile.layers.seen import (
    Hunt,
    exact_answers,
    exact_ends,
    seen_exam,
    surest,
)
from neural_compile.loss.exams import mark
from neural_compile.loss.tuning import Decision

MACHINE = nc.Machine(base=6, registers=4, lines=5)
CLOCK, LONGEST, KEY = nc.Clock(3, 2), 4, jax.random.key(0)
PLACES = [f"r{k}" for k in range(4)] + [f"m{k}" for k in range(6)]
SUM = nc.parse("loop:\nread 0 1\nadd 2 1 2\ninc 0 0\njump 3 loop")
FOLD = nc.parse("loop:\nread 0 1\nwrite 0 2\nadd 2 1 2\ninc 0 0\njump 3 loop")


@jax.jit
def called(layer, x, lengths=None, registers=None):
    return layer(x, lengths, registers)


def compiled(program, **options):
    controller = nc.compile_program(program, MACHINE)
    return nc.Layer(controller, clock=CLOCK, read=PLACES, **options)


@given(programs(MACHINE), st.data())
@settings(max_examples=40)
def test_certain_lists_of_any_length_give_what_the_exact_machine_gives(program, data):
    layer = compiled(program)
    lists = data.draw(st.lists(memories(MACHINE), min_size=3, max_size=3))
    sizes = st.lists(st.integers(1, LONGEST), min_size=3, max_size=3)
    lengths, first = data.draw(sizes), data.draw(register_values(MACHINE))
    x = jnp.array([row[:LONGEST] for row in lists])
    R = jnp.array([first] * 3)
    got = np.array(called(layer, x, jnp.array(lengths), R).argmax(-1))
    for row, n, found in zip(lists, lengths, got):
        memory = row[:n] + [0] * (6 - n)
        lines = dict(base=6, steps=CLOCK.steps(n), lines=5)
        ran = nc.execute(program, memory, first, **lines)
        assert found.tolist() == [*ran.registers, *ran.memory]


KEYS = jax.random.split(KEY, 2)


def make_controller(key):
    return nc.random_controller(MACHINE, key=key)


def random_layer():
    return nc.Layer(make_controller(KEY), clock=CLOCK, read=PLACES)


def slow(layer, p, length):
    "What a layer reads of one list, by the reference."
    memory = into_memory(p, 6, jnp.array(length))
    state = run(layer.controller, memory, steps=CLOCK.steps(length))
    return jnp.concatenate([state.registers, state.memory])


def seen(*shape):
    return jax.nn.softmax(jax.random.normal(KEY, (*shape, LONGEST, 6)))


def test_values_and_gradients_are_those_of_the_reference():
    layer, lengths = random_layer(), (2, 4, 1)
    logits, weights = (jax.random.normal(KEY, (3, n, 6)) for n in (LONGEST, 10))

    def fast(layer, z):
        return (layer(jax.nn.softmax(z), jnp.array(lengths)) * weights).sum()

    def reference(layer, z):
        lists = zip(jax.nn.softmax(z), lengths, weights)
        return sum((slow(layer, p, n) * w).sum() for p, n, w in lists)

    ours, theirs = (
        jax.value_and_grad(f, argnums=(0, 1))(layer, logits) for f in (fast, reference)
    )
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)


def test_gradients_are_those_of_small_changes():
    layer, p = random_layer(), seen()
    cost = jax.jit(lambda p: nc.log_probabilities(layer(p))[0, 1])
    slope, changes = jax.grad(cost)(p), []
    for key in jax.random.split(KEY, 5):
        towards = jax.random.normal(key, p.shape)
        towards -= towards.mean(-1, keepdims=True)
        towards *= 3e-3
        change = (cost(p + towards) - cost(p - towards)) / 2
        changes.append((float(change), float((slope * towards).sum())))
    small, by_slope = np.array(changes).T
    np.testing.assert_allclose(small, by_slope, rtol=0.05, atol=2e-5)


def test_a_batch_a_vmap_and_one_by_one_are_the_same():
    layer, p, lengths = random_layer(), seen(2, 3), jnp.array([[1, 2, 3], [4, 1, 2]])
    whole = layer(p, lengths)
    assert whole.shape == (2, 3, 10, 6)
    rows = jax.vmap(jax.vmap(layer))(p, lengths)
    np.testing.assert_allclose(whole, rows, atol=1e-5)
    np.testing.assert_allclose(whole[1, 0], layer(p[1, 0], lengths[1, 0]), atol=1e-5)
    full = layer(p)
    np.testing.assert_allclose(full[1, 0], whole[1, 0], atol=1e-5)
    np.testing.assert_allclose(called(layer, p), full, atol=1e-5)


def test_what_is_beyond_a_list_does_not_matter():
    layer, p, lengths = random_layer(), seen(3), jnp.array([1, 2, 3])
    other = jnp.where(jnp.arange(LONGEST)[None, :, None] < lengths[:, None, None], p, 1)
    assert (layer(p, lengths) == layer(other, lengths)).all()


def test_the_cell_after_a_list_and_a_wider_cell():
    layer = nc.Layer(FOLD, base=19, clock=nc.Clock(5, 2))
    digits = jnp.array([[9, 9, 0], [4, 5, 6]])
    assert layer(digits, jnp.array([2, 3])).argmax(-1).tolist() == [18, 15]
    sure = jax.nn.one_hot(digits, 10)  # Ten of the nineteen values
    assert layer(sure, jnp.array([2, 3])).argmax(-1).tolist() == [18, 15]


def test_a_clock_that_does_not_count_cells():
    first = nc.Layer(SUM, base=10, clock=nc.Clock(0, 4), read="r2")
    lists = jnp.array([[3, 4, 5], [6, 0, 0]])
    assert first(lists, jnp.array([3, 1])).argmax(-1).tolist() == [3, 6]


def test_an_answer_brings_its_clock_and_its_constants():
    found = nc.synthesize(nc.TASKS["map_parity"], progress=False).solutions[0]
    layer = nc.Layer(found.answer, base=8, read=["m0", "m1", "m2"])
    assert layer(jnp.array([3, 4, 7])).argmax(-1).tolist() == [1, 0, 1]


def learn_a_digit(apply, parameters):
    "Train what stands before the sum until it says 2 and 5; how far it is from 7."
    optimizer = optax.adam(0.1)
    moments = optimizer.init(parameters)

    @jax.jit
    def step(parameters, moments):
        cost = lambda p: -nc.log_probabilities(apply(p))[7]
        loss, slope = jax.value_and_grad(cost)(parameters)
        updates, moments = optimizer.update(slope, moments)
        return optax.apply_updates(parameters, updates), moments, loss

    for _ in range(60):
        parameters, moments, loss = step(parameters, moments)
    return float(loss), parameters


def test_a_frozen_program_teaches_an_equinox_network():
    network = eqx.nn.Linear(3, 10, key=KEY)
    model = (network, nc.Layer(SUM, base=10, clock=nc.Clock(4), read="r2"))
    moving, still = eqx.partition(model, eqx.is_inexact_array)

    def apply(moving):
        network, layer = eqx.combine(moving, still)
        return layer(jax.nn.softmax(jax.vmap(network)(jnp.eye(3)[:2])))

    loss, after = learn_a_digit(apply, moving)
    assert loss < 0.05
    before = model[1].controller.weights
    assert all((a == b).all() for a, b in zip(after[1].controller.weights, before))


def test_a_program_in_a_flax_network():
    class Counter(nn.Module):
        layer: nc.Layer

        @nn.compact
        def __call__(self, x):
            return self.layer(jax.nn.softmax(nn.Dense(10)(x)))

    counter = Counter(nc.Layer(SUM, base=10, clock=nc.Clock(4), read="r2"))
    parameters, x = counter.init(KEY, jnp.eye(3)[:2]), jnp.eye(3)[:2]
    loss, _ = learn_a_digit(lambda p: counter.apply(p, x), parameters)
    assert loss < 0.05


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: nc.Layer(SUM, clock=nc.Clock(4), read="r2"), "needs base"),
        (lambda: nc.Layer(SUM, base=10, read="r2"), "found no clock"),
        (
            lambda: nc.Layer(SUM, base=10, clock=nc.Clock(halts=True), read="r2"),
            "one that is read until it halts",
        ),
        (lambda: nc.Layer(SUM, base=10, clock=nc.Clock(4), read="x"), "found 'x'"),
        (lambda: nc.Layer(SUM, base=10, clock=nc.Clock(4), read="m10"), "10 cells"),
        (lambda: random_layer()(jnp.zeros((2, 7, 6))), "room for 6 cells"),
        (lambda: random_layer()(jnp.zeros(3)), "found shape [3]"),
        (lambda: random_layer()(seen(3), jnp.array([1, 2])), "one for each list"),
        (lambda: random_layer()(seen(1), jnp.array([1.5])), "are whole numbers, one"),
        (lambda: random_layer()(seen(1), jnp.array([0])), "from 1 to 4, found 0 to 0"),
        (lambda: random_layer()(jnp.ones((2, 3, 6))), "a sum of 1"),
        (lambda: random_layer()(jnp.array([[1, 6]])), "found 6"),
        (lambda: random_layer()(seen(), registers=jnp.array([3])), "registers are"),
        (lambda: random_layer()(seen(), registers=jnp.array([6, 0, 0, 0])), "found 6"),
        (lambda: nc.Layer(SUM, base=6, clock=CLOCK, read=()), "at least one place"),
        (lambda: nc.Layer(SUM, base=6, clock=CLOCK, constants=[9]), "found 9"),
        (
            lambda: nc.Layer(make_controller(KEY), base=9, clock=CLOCK),
            "its own base, 6; found base=9",
        ),
        (
            lambda: nc.Layer(jax.vmap(make_controller)(KEYS), clock=CLOCK),
            "found 2 restarts",
        ),
    ],
)
def test_what_cannot_be_is_refused(make, rule):
    with pytest.raises(nc.InputError) as error:
        make()
    assert rule in str(error.value)


# Lists, and what is learned from them

SHOWN = np.eye(6, dtype=np.float32)  # "Pictures" of six values, easy to see
READING = nc.Reading(nc.Machine(base=6, registers=4, lines=4), nc.Clock(4), "r2")
QUICK = nc.Learning(
    restarts=3, steps=100, batch=16, network_rate=0.05, samples=20_000, last=50
)


def linear(key):
    return eqx.nn.Linear(6, 6, key=key)


def total(values):
    return sum(values) % 6


def drawn(lengths=(1, 2), count=60, seed=0, answer=total):
    rng = np.random.default_rng(seed)
    return nc.draw_lists(SHOWN, range(6), answer, count, lengths=lengths, rng=rng)


def learned(learning=QUICK, lists=None, **options):
    how = {"key": KEY, "progress": False, **options}
    return nc.tune_jointly(lists or drawn(), linear, READING, learning, **how)


@given(programs(READING.machine), st.data())
@settings(max_examples=20)
def test_exact_answers_are_those_of_exact_runs(program, data):
    place = data.draw(st.sampled_from(["r0", "r3", "m0", "m[n]"]))
    reading, lists = READING._replace(place=place), drawn(lengths=(1, 2, 3), count=5)
    values = lists.pictures.argmax(-1)
    got = exact_answers(program, values, lists.lengths, reading)
    for row, n, found in zip(values.tolist(), lists.lengths.tolist(), got):
        memory = row[:n] + [0] * (6 - n)
        ran = nc.execute(program, memory, [0] * 4, base=6, steps=4 * n)
        cell = {"r0": ran.registers[0], "r3": ran.registers[3]}
        cell |= {"m0": ran.memory[0], "m[n]": ran.memory[n]}
        assert found == cell[place]


@given(programs(READING.machine), st.integers(7, 20), st.integers(0, 2**30))
@settings(max_examples=30)
def test_a_list_longer_than_memory_is_run_as_if_it_were_fed_in(program, n, seed):
    values = np.random.default_rng(seed).integers(0, 6, (1, n))
    ends = exact_ends(program, values, np.array([n]), READING)
    registers, code, line = [0] * 4, program.pad(len(program)), 0
    for begin in range(0, n, 6):  # Step by step, on memory filled again
        part = values[0, begin : begin + 6].tolist()
        memory, steps = part + [0] * (6 - len(part)), 4 * len(part)
        M, R = np.array([memory]), np.array([registers])
        for _ in range(steps):
            how = dict(base=6, steps=1, begin=line)
            ran = execute_many(code, M, R, **how)
            M, R, line = ran.memory, ran.registers, int(ran.line[0])
            if ran.halted[0]:
                break
        registers = R[0].tolist()
        if ran.halted[0]:
            break
    assert ends.answers[0] == registers[2]
    assert ends.lines[0] == line


def test_an_exam_asks_the_surer_half_and_answers_in_turn():
    lists = drawn(lengths=(1, 2, 3), count=900, answer=lambda v: int(v[0] == 3))
    sure = np.linspace(0, 1, 900)
    rows = surest(sure, lists)
    lengths, answers = lists.lengths[rows], lists.answers[rows]
    assert [(lengths == n).sum() for n in (1, 2, 3)] == [48, 48, 48]
    for n in (1, 2, 3):
        middle = np.median(sure[lists.lengths == n])
        assert sure[rows][lengths == n].min() >= middle - 1e-9
        assert answers[lengths == n].sum() >= 15


@given(programs(READING.machine), st.sampled_from(["r2", "m0", "m[n]"]))
@settings(max_examples=30)
def test_marks_of_a_seen_exam_are_those_of_exact_runs(program, place):
    reading, lists = READING._replace(place=place), drawn(lengths=(1, 2, 3), count=40)
    values = lists.pictures.argmax(-1)
    said = exact_answers(program, values, lists.lengths, reading)
    right = np.bincount(lists.lengths[said == lists.answers], minlength=4).sum()
    papers = seen_exam(values, lists, reading)
    code = np.array(encode(program.pad(len(program))), np.int64)
    kinds, each = kind_of(program.instructions), np.zeros(len(papers.most), int)
    room = np.zeros(6, int), np.zeros(5, int), each
    got = mark(code, kinds, papers, int(papers.most.sum()), 0, *room)
    if place == "r2":  # A point a list
        assert got == right
    else:  # Also points for cells; all of them only if all is right
        assert (got == papers.most.sum()) == (right == 40)


def test_a_program_is_accepted_by_what_a_network_claims_to_see():
    lists = drawn(lengths=(1, 2), count=400)
    values = lists.pictures.argmax(-1)[None]
    other = nc.parse("loop:\nread 0 2\nnoop\ninc 0 0\njump 3 loop")
    for sure, expected in ((1.0, [True, False]), (0.3, [True, True])):
        seen = learners.Sight(values, np.full((1, 400), sure))
        hunt = Hunt(lists, seen, READING)
        assert [hunt.accepts(0, p) for p in (SUM, other)] == expected


def test_a_known_program_stays_and_its_network_learns():
    joint = learned(program=SUM)
    assert all(program == SUM for program in joint.programs)
    assert joint.shares[joint.best] > 0.9
    assert joint.see(SHOWN).tolist() == list(range(6))
    longer = drawn(lengths=(5, 15), seed=1)
    assert joint.right(longer) == 1
    p = joint.layer(jax.nn.softmax(jax.vmap(joint.network)(SHOWN[[3, 4]])))
    assert p.argmax() == 1


def test_a_network_that_has_learned_serves_the_next_task():
    first = learned(program=SUM).network
    lists = drawn(lengths=(2,), seed=2, answer=max)
    see = lambda key: first
    joint = nc.tune_jointly(lists, see, READING, QUICK, key=KEY, progress=False)
    kept = joint.see(SHOWN) == np.arange(6)
    assert kept.sum() >= 5  # Of pairs, maxima need not tell 0 from 1
    assert joint.shares.max() > 0.9


def test_an_unknown_program_is_found_and_the_same_key_gives_the_same():
    joint, again = learned(), learned()
    other = learned(key=jax.random.key(1))
    assert (joint.losses == again.losses).all() and joint.answer == again.answer
    assert (joint.first.losses != other.first.losses).any()
    assert joint.first.losses.shape == (3, 100) and joint.losses.shape[1] == 50
    first = joint.first.losses
    assert first[:, -9:].mean() < first[:, :9].mean()
    assert joint.right(drawn(lengths=(2,), seed=5)) == 1
    assert "3 restarts, 100 steps" in repr(joint)
    assert "found and trained on with" in repr(joint)


def test_without_a_search_there_are_the_argmax_programs():
    joint = learned(replace(QUICK, samples=0))
    assert joint.first is None and len(joint.programs) == 3
    assert joint.losses.shape == (3, 100)


def test_groups_make_no_difference():
    many = learned(replace(QUICK, restarts=11, samples=0))
    few = np.array([0, 9])
    networks, controllers = many.learners
    assert many.losses.shape == (11, 100) and not np.isnan(many.losses).any()
    assert not np.array_equal(*(networks.weight[k] for k in few))
    # Eleven restarts sit in two groups of eight; the seats that are left repeat some
    alone = courses._grouped(learners.begin(many.learners))
    assert [len(g.learners.controllers.instruction) for g in alone] == [8, 8]
    joined = courses._together([g.learners for g in alone], 11)
    for a, b in zip(jax.tree.leaves(joined), jax.tree.leaves(many.learners)):
        assert (a == b).all()


def test_the_worse_half_leaves_until_eight_are_left():
    wrong = nc.parse("loop:\nread 0 1\nsub 1 1 2\ninc 0 0\njump 3 loop")
    half = replace(QUICK, halve=50)
    joint = learned(half, program=[*[wrong] * 19, SUM])
    assert len(joint.programs) == 8 and joint.answer.program == SUM
    ended = (~np.isnan(joint.losses)).sum(1)
    assert joint.losses.shape == (8, 150) and set(ended) == {150}
    assert 19 in joint.origins and joint.origin == 19


def test_candidates_find_the_sum_without_lists_of_one_and_tell_its_twins():
    lists, reading = drawn(lengths=(2, 3), count=400), READING
    candidates = folds(reading, lists)
    quick = replace(QUICK, halve=100, last=150)
    how = dict(program=candidates, key=KEY, progress=False)
    joint = nc.tune_jointly(lists, linear, reading, quick, **how)
    names = joint.see(SHOWN)
    assert sorted(names) == list(range(6))  # Each its own name, if not the usual one
    assert joint.right(drawn(lengths=(9,), seed=3)) == 1
    twins = [e for e in joint.explanations if e.agrees > 0.99]
    for twin in twins:
        k = twin.restart
        seen = learners.look_at(joint.learners.networks, alone(SHOWN)).values[k, :, 0]
        assert tuple(np.array(twin.names)[names]) == tuple(seen)


def alone(pictures):
    ones = np.ones(len(pictures), int)
    return nc.Lists(pictures[:, None], ones, 0 * ones)


def test_folds_have_distinct_effects_and_can_give_every_answer():
    some = ("noop", "inc", "add", "sub", "read", "jump")
    table = tuple(i for i in nc.INSTRUCTIONS if i.name in some)
    lists, machine = drawn(lengths=(1, 2, 3), count=900), nc.Machine(6, 4, 5, table)
    reading = READING._replace(machine=machine, clock=nc.Clock(5))
    found = folds(reading, lists)
    rng = np.random.default_rng(7)
    values, sizes = rng.integers(0, 6, (2000, 3)), rng.integers(1, 4, 2000)
    said = [exact_answers(p, values, sizes, reading) for p in found]
    assert len({x.tobytes() for x in said}) == len(found) > 10
    assert all(set(x[sizes == n]) == set(range(6)) for x in said for n in (1, 2, 3))
    least = min(len([r for r in p.texts if r != "noop"]) for p in found)
    assert least == 4 and any("add" in p.texts[1] for p in found)


def test_a_fold_uses_constants_and_leaves_them_alone():
    machine = nc.Machine(6, 5, 4)
    reading = nc.Reading(machine, nc.Clock(4), "r2", (0, 0, 0, 0, 5))
    bodies = list(bodies_of(reading, 1))
    assert any(4 in (line.a, line.b) for (line,) in bodies)
    assert all(line.o != 4 for (line,) in bodies)
    body = next(b for b in bodies if b[0].instruction.name == "mod" and b[0].b == 4)
    assert fold_around(body, reading).texts[-1].startswith("jump")


def test_idle_lines_are_put_to_rest_and_others_are_not():
    program = nc.parse("loop:\nread 0 1\nadd 2 1 2\nmax 1 3 1\ninc 0 0\njump 3 loop")
    rng = np.random.default_rng(0)
    values, sizes = rng.integers(0, 6, (200, 4)), rng.integers(1, 5, 200)
    reading = READING._replace(machine=nc.Machine(6, 4, 5), clock=nc.Clock(5))
    says = lambda p: exact_answers(p, values, sizes, reading)
    rested = at_rest(program, says)
    names = [line.instruction.name for line in rested]
    assert names.count("noop") >= 1 and {"read", "add", "inc"} <= set(names)
    assert (says(rested) == says(program)).all()


def test_longer_lists_are_longer_unless_memory_ends():
    lists = drawn(lengths=(1, 3))
    longer = longer_lists(lists, READING)
    assert set(longer.lengths) == set(range(4, 10))
    assert set(longer_lists(lists, READING._replace(place="m[n]")).lengths) == {4, 5}
    assert np.allclose(longer.pictures.sum(-1), 1)  # Pictures, and no padding


def test_a_clock_that_counts_no_cells_keeps_lists_in_memory():
    reading = READING._replace(clock=nc.Clock(0, 7))
    longer = longer_lists(drawn(lengths=(2, 3)), reading)
    assert longer.lengths.max() == 6
    exact_answers(SUM, np.ones((1, 6), int), np.array([6]), reading)
    with pytest.raises(nc.InputError, match="found 7 pictures for 6 cells"):
        exact_answers(SUM, np.ones((1, 7), int), np.array([7]), reading)


def test_names_are_those_that_most_have():
    ours, theirs = np.array([0, 0, 0, 2, 2]), np.array([3, 3, 1, 0, 0])
    assert names_of(ours, theirs) == (3, -1, 0)


def test_who_looks_on_sees_everything_and_may_end_it():
    looks = []
    joint = learned(watch=[looks.append])
    assert [look.step for look in looks] == [50, 100, 50]
    assert looks[1].losses.shape == (3,)
    last, kept = looks[-1].learners.controllers, joint.learners.controllers
    assert all((a == b).all() for a, b in zip(last.weights, kept.weights))

    def enough(look):
        return Decision(stop=Why.WATCHER)

    joint = learned(watch=[enough])
    assert str(joint.stopped) == "stopped by a watcher after 50 steps"
    assert joint.first is None


def test_an_interrupt_keeps_what_was_learned(monkeypatch):
    advance, calls = courses._advance, []

    def interrupted(*given):
        calls.append(given)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return advance(*given)

    monkeypatch.setattr(courses, "_advance", interrupted)
    joint = learned(program=SUM)
    assert joint.losses.shape == (3, 50)
    assert str(joint.stopped) == "interrupted after 50 steps"
    assert "interrupted after 50 steps" in repr(joint)


def cut_at(step):
    "A watcher that ends the training there."
    return lambda look: Decision(stop=Why.WATCHER) if look.step == step else None


def test_a_training_goes_on_from_its_file_bit_for_bit(tmp_path):
    wrong = nc.parse("loop:\nread 0 1\nsub 1 1 2\ninc 0 0\njump 3 loop")
    how = dict(learning=replace(QUICK, halve=50), program=[*[wrong] * 19, SUM])
    whole, kept = learned(**how), courses.Checkpoint(tmp_path / "new")
    for step in (50, 100):  # Before and after the worse half has left
        assert learned(**how, watch=[kept, cut_at(step)]).stopped
    steps = []
    again = learned(**how, watch=[kept, lambda look: steps.append(look.step)])
    assert steps == [150] and again.origin == whole.origin
    for a, b in zip(jax.tree.leaves(again.learners), jax.tree.leaves(whole.learners)):
        assert (a == b).all()
    np.testing.assert_array_equal(again.losses, whole.losses)


def test_another_training_does_not_find_the_file(tmp_path):
    kept = courses.Checkpoint(tmp_path)
    learned(watch=[kept, cut_at(50)])
    for other in (dict(key=jax.random.key(1)), dict(learning=replace(QUICK, batch=9))):
        steps = []
        see = lambda look: steps.append(look.step)
        learned(**other, watch=[kept, see, cut_at(50)])
        assert steps == [50]
    assert len(list(tmp_path.glob("*.course"))) == 3


def test_a_file_that_was_cut_short_is_refused(tmp_path):
    kept = courses.Checkpoint(tmp_path)
    learned(watch=[kept, cut_at(50)])
    (path,) = tmp_path.glob("*.course")
    for part in (0, 10, 3000):
        path.write_bytes(path.read_bytes()[:part])
        with pytest.raises(nc.InputError, match="Delete it"):
            learned(watch=[kept])


def test_a_checkpoint_that_cannot_be_written_does_not_end_the_training(tmp_path):
    kept = courses.Checkpoint(tmp_path)

    def remove(look):
        kept.path = tmp_path / "nowhere" / "x.course"

    with pytest.warns(UserWarning, match="a checkpoint was not written"):
        joint = learned(watch=[remove, kept])
    assert joint.losses.shape[1] == 50 and joint.first.losses.shape[1] == 100


def test_a_program_of_another_task_is_a_start():
    less = nc.parse("loop:\nread 0 1\nsub 2 1 2\ninc 0 0\njump 3 loop")
    without = replace(QUICK, samples=0)
    for noise in (0.0, 0.3):
        start = nc.Start(nc.Answer(less, nc.Clock(4)), noise=noise)
        joint = learned(replace(without, program_rate=0.0), program=start)
        assert joint.programs == [less] * 3  # At rest, what it was started from
        first, second = joint.learners.controllers.instruction[:2]
        assert (first == second).all() == (noise == 0)
    assert learned(program=start).right(drawn(lengths=(2,), seed=5)) == 1


# Programs that leave the package

OUT = nc.Machine(base=6, registers=4, lines=5)


@given(programs(OUT), memories(OUT), st.integers(1, 6))
@settings(max_examples=40)
def test_what_is_exported_says_what_an_exact_run_says(program, memory, cells):
    answer, space = nc.Answer(program, nc.Clock(3, 2), (0, 2, 1)), {}
    exec(nc.python_source(answer, base=6, name="f"), space)
    first, padded = [0, 2, 1, 0], memory[:cells] + [0] * (6 - cells)
    how = dict(base=6, steps=3 * cells + 2)
    ran = nc.execute(program, padded, first[: max(3, program.registers)], **how)
    m, r = space["f"](memory[:cells])
    assert m == ran.memory and r == ran.registers
    m, r = nc.jax_function(answer, base=6)(jnp.array(memory[:cells]))
    assert m.tolist() == ran.memory and r.tolist() == ran.registers


def test_a_layer_comes_back_from_its_file(tmp_path):
    layer = nc.Layer(
        SUM, base=6, clock=nc.Clock(4), read=("r2", "m0"), constants=[0, 1]
    )
    nc.save(layer, tmp_path / "layer.safetensors")
    again = nc.load(tmp_path / "layer.safetensors")
    assert repr(again) == repr(layer) and again.constants == (0, 1)
    p = seen(2)
    assert (again(p) == layer(p)).all()


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: nc.Lists(SHOWN[None], np.array([7]), np.array([0])), "1 to 6, found"),
        (lambda: nc.Lists(SHOWN[None], np.array([1]), np.array([0.5])), "found float"),
        (lambda: nc.Lists(SHOWN[None], np.array([1]), np.array([-1])), "found -1"),
        (lambda: nc.Lists(SHOWN[:0], np.array([]), np.array([])), "at least one list"),
        (lambda: nc.lists_of([], []), "found none"),
        (lambda: nc.Learning(restarts=0), "restarts is at least 1"),
        (lambda: nc.Learning(halve=-1), "halve is at least 0"),
        (
            lambda: nc.tune_jointly(
                drawn(), linear, READING._replace(constants=(7,)), key=KEY
            ),
            "found 7",
        ),
        (
            lambda: nc.tune_jointly(
                drawn(), linear, READING._replace(constants=(0,) * 5), key=KEY
            ),
            "5 for 4 registers",
        ),
        (
            lambda: nc.tune_jointly(
                drawn(), linear, READING._replace(place="r9"), key=KEY
            ),
            "found 'r9'",
        ),
        (
            lambda: nc.tune_jointly(
                drawn(), linear, READING._replace(clock=nc.Clock(halts=True)), key=KEY
            ),
            "found until it halts",
        ),
        (
            lambda: nc.tune_jointly(
                drawn((6,)), linear, READING._replace(place="m[n]"), key=KEY
            ),
            "6 pictures for 6 cells, read in m[n]",
        ),
        (
            lambda: nc.tune_jointly(
                drawn(), lambda key: eqx.nn.Linear(6, 7, key=key), READING, key=KEY
            ),
            "at most 6; found shape [7]",
        ),
        (
            lambda: learned(program=nc.Answer(SUM, nc.Clock(4), (0, 0, 3))),
            "found [0, 0, 3]",
        ),
        (lambda: learned(program=nc.Start("random")), "found Start('random')"),
        (
            lambda: learned(program=nc.parse("noop\n" * 5)),
            "found 5 lines for 4",
        ),
        (
            lambda: learned(program=nc.Start(nc.parse("noop\n" * 5))),
            "found 5 lines for 4",
        ),
        (lambda: nc.Learning(steps=0), "steps is at least 1"),
        (lambda: nc.Learning(program_rate=-1), "program_rate is 0 or more"),
    ],
)
def test_lists_and_learning_that_cannot_be_are_refused(make, rule):
    with pytest.raises(nc.InputError) as error:
        make()
    assert rule in str(error.value)
