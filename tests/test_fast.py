"""The fast machine against the reference, in value and in gradient, and its speed."""

import json
import subprocess
import sys
import time
from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from strategies import programs

from neural_compile.appendix import lanes
from neural_compile.appendix.fast import run_many
from neural_compile.appendix.platforms import PLATFORMS
from neural_compile.assembly.programs import INSTRUCTIONS, InputError, Instruction
from neural_compile.compiler.controllers import (
    LITERAL,
    Controller,
    Machine,
    compile_program,
    random_controller,
)
from neural_compile.interpreter.equations import State, run, trace

RESTARTS, EXAMPLES = 6, 3
# JAX compiles once a shape, so sizes come from a short list
SHAPES = [Machine(2, 1, 1), Machine(7, 5, 2), Machine(3, 1, 7), Machine(5, 4, 5)]
NO_SUMS = tuple(i for i in INSTRUCTIONS if i.function is None)
OWN = (
    *NO_SUMS,
    Instruction("half", "a o", lambda a, b: a // 2),
    Instruction("always3", "a b o", lambda a, b: 3),
    Instruction("two", "o", lambda a, b: 2),
)
TABLES = [Machine(4, 2, 3, NO_SUMS), Machine(5, 3, 4, OWN)]


def size(machine):
    "How pytest names a case."
    table = "" if machine.instructions == INSTRUCTIONS else "-own_table"
    sizes = f"base{machine.base}-registers{machine.registers}-lines{machine.lines}"
    return sizes + table


def machines(cases):
    return pytest.mark.parametrize("machine", cases, ids=size)


seeds = st.integers(0, 2**31 - 1)
# A batch that fails names the case, and to make batches smaller would take minutes
batched = settings(max_examples=10, phases=[Phase.explicit, Phase.generate])


def stack(controllers):
    return jax.tree.map(lambda *W: jnp.stack(W), *controllers)


def random_controllers(machine, seed, restarts=2):
    keys = jax.random.split(jax.random.key(seed), restarts)
    return stack([random_controller(machine, key=key) for key in keys])


def assert_close(got, expected, tolerance=1e-5):
    assert jax.tree.structure(got) == jax.tree.structure(expected)
    for x, y in zip(jax.tree.leaves(got), jax.tree.leaves(expected)):
        np.testing.assert_allclose(x, y, tolerance, tolerance, equal_nan=False)


# Equal in value and in gradient


def derived(states_of, inputs, pull):
    "States, and gradients of a number that every entry of every state has a part in."

    def total(inputs):
        controllers, memory, registers = inputs
        rows = jax.nn.softmax(memory), jax.nn.softmax(registers)
        states = states_of(controllers, *rows)
        parts = jax.tree.map(lambda x, p: (x * p).sum(), states, pull)
        return sum(jax.tree.leaves(parts)), states

    (_, states), gradients = jax.value_and_grad(total, has_aux=True)(inputs)
    return states, gradients


@eqx.filter_jit
def reference(inputs, pull, steps, horizon):
    "By `run`, vmapped over restarts and examples: after `steps` of `horizon`."

    def states_of(controllers, memory, registers):
        one = lambda c, m, r: trace(c, m, r, steps=horizon)[steps]
        examples = jax.vmap(one, (None, 0, 0))
        return jax.vmap(examples, (0, None, None))(controllers, memory, registers)

    return derived(states_of, inputs, pull)


def by_run_many(inputs, pull, steps, longest):
    "The same by `run_many`."
    states_of = lambda c, m, r: run_many(c, m, r, steps=steps, longest=longest)
    return derived(states_of, inputs, pull)


fast = eqx.filter_jit(by_run_many)


@st.composite
def batches(draw, machine):
    "Restarts of every kind (random, near ties, exact and noisy) and soft examples."
    rng = np.random.default_rng(draw(seeds))
    normal = lambda *shape: jnp.array(rng.normal(size=shape), jnp.float32)
    weights = lambda: [normal(*shape) for shape in machine.shapes.values()]
    # Whole numbers but for a millionth: most choices are almost equally good
    kinds = (lambda W: W), (lambda W: 3 * W), (lambda W: jnp.round(W) + 1e-6 * W)
    controllers = [Controller(*map(kind, weights()), machine) for kind in kinds]
    for noise in (0.0, 0.01, 0.3):
        program, key = draw(programs(machine)), jax.random.key(draw(seeds))
        controllers.append(compile_program(program, machine, noise=noise, key=key))
    # Logits, so that gradients stay among distributions
    rows = lambda n: 3 * normal(EXAMPLES, n, machine.base)
    base, registers, lines = machine.base, machine.registers, machine.lines
    sizes = (base, base), (registers, base), (lines,), (), ()
    pull = State(*(normal(RESTARTS, EXAMPLES, *size) / EXAMPLES for size in sizes))
    return (stack(controllers), rows(base), rows(registers)), pull


HORIZON = 12


@machines(SHAPES + TABLES)
@given(data=st.data())
@batched
def test_fast_equals_reference_at_any_horizon(machine, data):
    inputs, pull = data.draw(batches(machine))
    steps = jnp.array(data.draw(st.integers(1, HORIZON)))
    expected = reference(inputs, pull, steps, HORIZON)
    assert_close(fast(inputs, pull, steps, HORIZON), expected)


@machines(SHAPES[2:3])
@given(data=st.data())
@batched
def test_fast_equals_reference_without_a_longest(machine, data):
    inputs, pull = data.draw(batches(machine))
    expected = reference(inputs, pull, jnp.array(HORIZON), HORIZON)
    assert_close(fast(inputs, pull, HORIZON, None), expected)


FEW = 4  # As printed, the equations do not keep mass: rounding errors can double a step


@machines([replace(machine, dialect=LITERAL) for machine in SHAPES[1:3]])
@given(data=st.data())
@batched
def test_fast_equals_reference_in_the_literal_dialect(machine, data):
    inputs, pull = data.draw(batches(machine))
    steps = jnp.array(data.draw(st.integers(1, FEW)))
    got, expected = (f(inputs, pull, steps, FEW) for f in (fast, reference))
    # Each leaf is compared on its own scale, never finer than 1e-5
    scale = lambda x, y: x / jnp.maximum(1, jnp.abs(y).max())
    scaled = lambda tree: jax.tree.map(scale, tree, expected)
    for x, y in zip(jax.tree.leaves(scaled(got)), jax.tree.leaves(scaled(expected))):
        np.testing.assert_allclose(x, y, rtol=0, atol=1e-5, equal_nan=False)


# However it is compiled


def fixed_batch(machine):
    rng = np.random.default_rng(0)
    normal = lambda *shape: jnp.array(rng.normal(size=shape), jnp.float32)
    rows = normal(EXAMPLES, machine.base, machine.base)
    registers = normal(EXAMPLES, machine.registers, machine.base)
    inputs = random_controllers(machine, 0, RESTARTS), rows, registers
    states = jax.eval_shape(lambda i: run_many(i[0], *i[1:], steps=1), inputs)
    return inputs, jax.tree.map(lambda x: normal(*x.shape), states)


def compiled(inputs, pull, **options):
    f = lambda inputs, pull: by_run_many(inputs, pull, HORIZON, None)
    return jax.jit(f, **options).lower(inputs, pull).compile()


WIDE = {"compiler_options": dict(PLATFORMS["cpu"].options)}


@pytest.mark.parametrize("options", [{}, WIDE])
def test_the_barrier_is_there_and_results_are_right(options):
    inputs, pull = fixed_batch(SHAPES[3])
    call = compiled(inputs, pull, **options)
    assert lanes.NAME in call.as_text()
    expected = reference(inputs, pull, jnp.array(HORIZON), HORIZON)
    assert_close(call(inputs, pull), expected)


def test_results_are_right_where_xla_does_not_take_the_barrier(monkeypatch):
    monkeypatch.setattr(lanes, "registered", lambda: False)
    inputs, pull = fixed_batch(SHAPES[3])
    call = compiled(inputs, pull)
    assert lanes.NAME not in call.as_text()
    expected = reference(inputs, pull, jnp.array(HORIZON), HORIZON)
    assert_close(call(inputs, pull), expected)


REFUSED = """
import numba
from neural_compile.appendix import lanes
number = numba.types.uintp
@numba.cfunc(number(numba.types.CPointer(number)))
def of_no_version(frame):
    return 0
lanes.nothing = lambda: of_no_version
print(lanes.registered(), lanes.once(1.0))
"""


def test_a_barrier_that_xla_refuses_is_a_warning():
    ran = subprocess.run(
        [sys.executable, "-c", REFUSED], capture_output=True, text=True, check=True
    )
    assert ran.stdout.split() == ["False", "1.0"]
    assert "run_many will be right, but slow" in ran.stderr


AFTER_USE_CORES = """
import json
import jax, jax.numpy as jnp
import neural_compile.appendix.fast as fast
from neural_compile.compiler.controllers import Machine, random_controller
from neural_compile.interpreter.equations import run
fast.use_cores(2)
machine = Machine(5, 4, 5)
keys = jax.random.split(jax.random.key(0), 4)
c = jax.vmap(lambda key: random_controller(machine, key=key))(keys)
M, R = jnp.array([[1, 2, 3, 4, 0], [4, 4, 2, 1, 1]]), jnp.zeros((2, 4), int)
one = jax.vmap(lambda c, m: run(c, m, steps=9), (None, 0))
ways = {
    "reference": lambda c: jax.vmap(one, (0, None))(c, M),
    "fast": lambda c: fast.run_many(c, M, R, steps=9),
}
found = {}
for name, way in ways.items():
    states, back = jax.vjp(jax.jit(way), c)
    ones = jax.tree.map(lambda x: jnp.linspace(0, 1, x.size).reshape(x.shape), states)
    leaves = jax.tree.leaves((states, back(ones)))
    found[name] = [x.ravel().tolist() for x in leaves]
print(json.dumps([len(jax.devices()), found]))
"""


def test_results_are_right_after_use_cores():
    ran = subprocess.run(
        [sys.executable, "-c", AFTER_USE_CORES],
        capture_output=True,
        text=True,
        check=True,
    )
    devices, found = json.loads(ran.stdout)
    assert devices == 2
    assert_close(found["fast"], found["reference"])


def fastest(call, times):
    "The shortest time of a call in seconds; the first, which may compile, not counted."
    jax.block_until_ready(call())
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        jax.block_until_ready(call())
        taken.append(time.perf_counter() - start)
    return min(taken)


def test_in_a_plain_jit_it_is_at_least_as_fast_as_the_reference():
    machine = Machine(10, 5, 4)
    c = random_controllers(machine, 0, 16)
    memory = jax.random.randint(jax.random.key(1), (32, 10), 0, 10)
    registers = jnp.zeros((32, 5), int)
    many = lambda c: run_many(c, memory, registers, steps=16)
    one = lambda c, m: run(c, m, steps=16)
    vmapped = lambda c: jax.vmap(jax.vmap(one, (None, 0)), (0, None))(c, memory)
    times = []
    for way in (many, vmapped):
        loss = lambda c: -jnp.log(way(c).memory[..., 0] + 1e-6).mean()
        gradient = jax.jit(jax.grad(loss))
        times.append(fastest(lambda: gradient(c), times=3))
    assert times[0] <= times[1]


# What goes in


@eqx.filter_jit
def many(controllers, memory, registers):
    return run_many(controllers, memory, registers, steps=9)


@machines([Machine(5, 4, 3)])
@given(seed=seeds)
@batched
def test_distributions_equal_the_whole_numbers_they_stand_for(machine, seed):
    controllers = random_controllers(machine, seed)
    rng = np.random.default_rng(seed)
    sizes = machine.base, machine.registers
    M, R = (jnp.array(rng.integers(0, machine.base, (3, n))) for n in sizes)
    onehot = [jax.nn.one_hot(x, machine.base) for x in (M, R)]
    whole = many(controllers, M, R)
    assert_close(many(controllers, *onehot), whole, tolerance=0)
    # Examples of their own for each restart: the second restart gets them in reverse
    own = many(controllers, *(jnp.stack([x, x[::-1]]) for x in onehot))
    forwards = lambda x: jnp.stack([x[0], x[1, ::-1]])
    assert_close(jax.tree.map(forwards, own), whole, tolerance=0)


def test_run_many_can_be_vmapped():
    machine = Machine(5, 4, 3)
    controllers = random_controllers(machine, 0)
    M = jnp.array([[1, 2, 3, 4, 0], [4, 4, 2, 1, 1]])
    R = jnp.zeros((2, 4), int)
    both = jax.vmap(lambda M: many(controllers, M, R))(jnp.stack([M, M[::-1]]))
    for n, memory in enumerate((M, M[::-1])):
        assert_close(both[n], many(controllers, memory, R), tolerance=1e-6)


BAD = [
    (dict(memory=[[0] * 3]), r"\[examples, 4\] whole numbers .* shape \(1, 3\)"),
    (dict(memory=[0] * 4), r"\[examples, 4\] whole numbers .* shape \(4,\)"),
    (dict(memory=[[0, 0, 0, 4]]), "from 0 to base − 1 = 3, found 4"),
    (dict(memory=[[0.0] * 4]), r"\[examples, 4, 4\] distributions"),
    (dict(memory=np.zeros((1, 4, 4))), "a sum of 1; found"),
    (dict(memory=np.full((1, 4, 4), np.nan)), "a sum of 1; found"),
    (dict(registers=[[0, 0, 0]]), r"registers is \[examples, 2\] whole numbers"),
    (dict(registers=[[0, -1]]), "from 0 to base − 1 = 3, found -1"),
    (dict(steps=0), "at least 1 and at most longest, found steps=0, longest=None"),
    (dict(steps=5, longest=4), "at most longest, found steps=5, longest=4"),
    (dict(steps=jnp.array(5)), "give longest, a bound known when compiling"),
]


@pytest.mark.parametrize("wrong, message", BAD)
def test_bad_input_to_many_runs(wrong, message):
    controllers = random_controllers(Machine(4, 2, 1), 0)
    rows = dict(memory=[[0] * 4], registers=[[0, 0]], steps=1) | wrong
    rows |= {name: jnp.array(rows[name]) for name in ("memory", "registers")}
    with pytest.raises(InputError, match=message):
        run_many(controllers, **rows)
