"""The differentiable machine against the exact one, the fast path against the reference, and files against damage."""

import pickle

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import Phase, given, settings, strategies as st
from neural_compile.assembly.programs import (
    INSTRUCTIONS,
    InputError,
    Instruction,
    execute,
    expectations,
    parse,
)
from neural_compile.compiler.controllers import (
    Controller,
    Machine,
    compile_program,
    decompile,
    load,
    random_controller,
    save,
)
from neural_compile.appendix.fast import run_many
from neural_compile.interpreter.equations import DEFAULT, LITERAL, State, run, trace
from safetensors.numpy import save_file
from strategies import machines, memories, programs, register_values
from test_assembly import FILES

# JAX compiles once a shape, so sizes come from a short list: the smallest machine, more registers than lines
# (a label can be `_`), more lines than registers (a register can), and the largest.
SIZES = [Machine(2, 1, 1), Machine(5, 4, 3), Machine(4, 2, 7), Machine(7, 5, 7)]
sizes = lambda m: (
    f"base{m.base}-registers{m.registers}-lines{m.lines}"
)  # how pytest names a case
each_size = pytest.mark.parametrize("machine", SIZES, ids=sizes)
seeds = st.integers(0, 2**31 - 1)
# A batch that fails names the program that fails, and to make batches smaller would take minutes.
batched = settings(max_examples=10, phases=[Phase.explicit, Phase.generate])


def stack(controllers):
    return jax.tree.map(lambda *W: jnp.stack(W), *controllers)


# Compiling and decompiling


@given(
    machines().flatmap(lambda machine: st.tuples(programs(machine), st.just(machine)))
)
@settings(max_examples=200)
def test_decompiling_undoes_compiling(case):
    program, machine = case
    assert decompile(compile_program(program, machine)) == program.pad(machine.lines)


# Soft execution without noise is exact execution

STEPS = 200


@eqx.filter_jit
def traces(controllers, memory, registers, steps):
    return jax.vmap(lambda c, m, r: trace(c, m, r, steps=steps))(
        controllers, memory, registers
    )


def exact_states(program, machine, memory, registers):
    "Memory, registers, line, halted and steps before each step, as distributions; a halted machine stays as it is."
    moments = execute(
        program, memory, registers, base=machine.base, steps=STEPS, lines=machine.lines
    ).trace.moments
    taken = np.minimum(np.arange(STEPS + 1), len(moments) - 1)
    M, R, l, h = (
        np.array([getattr(m, name) for m in moments])[taken]
        for name in ("memory", "registers", "line", "halted")
    )
    return (
        np.eye(machine.base)[M],
        np.eye(machine.base)[R],
        np.eye(machine.lines)[l],
        h,
        taken,
    )


@each_size
@given(data=st.data())
@batched
def test_without_noise_the_soft_machine_is_the_exact_one_step_for_step(machine, data):
    one = st.tuples(programs(machine), memories(machine), register_values(machine))
    cases = data.draw(st.lists(one, min_size=16, max_size=16))
    controllers = stack([compile_program(program, machine) for program, *_ in cases])
    soft = traces(controllers, *(jnp.array(x) for x in list(zip(*cases))[1:]), STEPS)
    for k, (program, memory, registers) in enumerate(cases):
        for got, expected in zip(
            jax.tree.leaves(soft[k]), exact_states(program, machine, memory, registers)
        ):
            # The expected rows are one-hot, so a deviation below 1e-3 also says that each argmax is equal.
            assert (
                got.shape == expected.shape and np.abs(got - expected).max() < 1e-3
            ), str(program)


LOOPS = [
    "add 0 0 0",
    "sub 0 0 0",
    "mul 0 0 0",
    "min 0 0 0",
    "max 0 0 0",
    "mod 0 0 0",
    "dec 0 0",
    "read 0 0",
    "write 0 0",
    "here:\njump 0 here",
]


def test_the_least_uncertainty_does_not_grow_in_a_loop():
    "A register added to itself or multiplied by itself doubles what it holds of any other value."
    machine, memory, registers = Machine(5, 1, 1), [3, 0, 4, 1, 2], [1]
    soft = traces(
        stack([compile_program(parse(text), machine) for text in LOOPS]),
        *(jnp.array([x] * len(LOOPS)) for x in (memory, registers)),
        STEPS,
    )
    far = {
        text: max(
            np.abs(x - y).max()
            for x, y in zip(
                jax.tree.leaves(soft[k]),
                exact_states(parse(text), machine, memory, registers),
            )
        )
        for k, text in enumerate(LOOPS)
    }
    assert not {
        text: float(deviation)
        for text, deviation in far.items()
        if not deviation < 1e-3
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_program_files_do_what_they_say_on_the_soft_machine(path):
    program = parse(path.read_text())
    for given, expected in expectations(path.read_text()):
        registers = given.get("registers", [0] * program.registers)
        machine = Machine(
            given["base"], len(registers), given.get("lines", len(program))
        )
        state = trace(
            compile_program(program, machine), given["memory"], registers, steps=40
        )[min(given["steps"], 40)]
        got = {
            "memory": state.memory.argmax(-1).tolist(),
            "registers": state.registers.argmax(-1).tolist(),
            "halted": round(float(state.halted)),
            "steps": round(float(state.steps)),
        }
        assert {name: got[name] for name in expected} == expected


# Rows keep mass 1

SCALES = [0.0, 0.1, 1.0, 10.0, 1e3, 1e6, 1e30]


@each_size
@given(seed=seeds)
@batched
def test_rows_keep_mass_1_for_any_weights(machine, seed):
    keys = jax.random.split(jax.random.key(seed), len(SCALES))
    controllers = stack(
        [
            random_controller(machine, key=key, scale=scale)
            for key, scale in zip(keys, SCALES)
        ]
    )
    rng = np.random.default_rng(seed)
    M, R = (
        rng.integers(0, machine.base, (len(SCALES), n))
        for n in (machine.base, machine.registers)
    )
    assert_mass_1(traces(controllers, jnp.array(M), jnp.array(R), STEPS))


@each_size
@given(seed=seeds)
@batched
def test_rows_keep_mass_1_where_rounding_errors_double(machine, seed):
    "`add a a a` multiplies a row by itself at each step."
    loop = parse("\n".join(["add 0 0 0"] * machine.lines))
    keys = jax.random.split(jax.random.key(seed), len(SCALES))
    noises = [0.0, 1e-7, 1e-4, 0.01, 0.1, 0.3, 1.0]
    controllers = stack(
        [
            compile_program(loop, machine, noise=noise, key=key)
            for key, noise in zip(keys, noises)
        ]
    )
    rng = np.random.default_rng(seed)
    M, R = (
        jnp.array(rng.dirichlet(np.ones(machine.base), (len(noises), n)), jnp.float32)
        for n in (machine.base, machine.registers)
    )
    assert_mass_1(traces(controllers, M, R, STEPS))


def assert_mass_1(states):
    for rows in (states.memory, states.registers, states.line):
        # NaN is in no interval, so it fails here too.
        assert rows.min() >= 0 and jnp.abs(rows.sum(-1) - 1).max() <= 1e-5
    assert (
        states.halted.min() >= 0
        and states.halted.max() <= 1 + 1e-6
        and jnp.isfinite(states.steps).all()
    )


# The fast path equals the reference, in value and in gradient

RESTARTS, EXAMPLES = 6, 3
SHAPES = [Machine(2, 1, 1), Machine(7, 5, 2), Machine(3, 1, 7), Machine(5, 4, 5)]
NO_SUMS = tuple(i for i in INSTRUCTIONS if i.function is None)
OWN = (
    *NO_SUMS,
    Instruction("half", "a o", lambda a, b: a // 2),
    Instruction("always3", "a b o", lambda a, b: 3),
    Instruction("two", "o", lambda a, b: 2),
)
TABLES = [Machine(4, 2, 3, NO_SUMS), Machine(5, 3, 4, OWN)]


def pulled(states, pull):
    "A number that every entry of every state has a part in, and the states."
    parts = jax.tree.map(lambda x, p: (x * p).sum(), states, pull)
    return sum(jax.tree.leaves(parts)), states


@eqx.filter_jit
def reference(inputs, pull, steps, horizon, dialect):
    "Values and gradients of `run`, vmapped over restarts and examples; the state after `steps` of `horizon`."

    def f(inputs):
        controllers, memory, registers = inputs[0], *map(jax.nn.softmax, inputs[1:])
        one = lambda c, m, r: trace(c, m, r, steps=horizon, dialect=dialect)[steps]
        return pulled(
            jax.vmap(lambda c: jax.vmap(lambda m, r: one(c, m, r))(memory, registers))(
                controllers
            ),
            pull,
        )

    (_, states), gradients = jax.value_and_grad(f, has_aux=True)(inputs)
    return states, gradients


@eqx.filter_jit
def fast(inputs, pull, steps, longest, dialect):
    "The same of `run_many`."

    def f(inputs):
        controllers, memory, registers = inputs[0], *map(jax.nn.softmax, inputs[1:])
        return pulled(
            run_many(
                controllers,
                memory,
                registers,
                steps=steps,
                longest=longest,
                dialect=dialect,
            ),
            pull,
        )

    (_, states), gradients = jax.value_and_grad(f, has_aux=True)(inputs)
    return states, gradients


@st.composite
def batches(draw, machine):
    "Restarts of every kind (random, near ties, exact and noisy programs) and soft examples."
    rng = np.random.default_rng(draw(seeds))
    normal = lambda *shape: jnp.array(rng.normal(size=shape), jnp.float32)
    weights = lambda change: Controller(
        *(change(normal(*shape)) for shape in machine.shapes.values()), machine
    )
    # Whole numbers but for a millionth: most choices are almost equally good.
    controllers = [
        weights(lambda W: W),
        weights(lambda W: 3 * W),
        weights(lambda W: jnp.round(W) + 1e-6 * W),
    ]
    controllers += [
        compile_program(
            draw(programs(machine)),
            machine,
            noise=noise,
            key=jax.random.key(draw(seeds)),
        )
        for noise in (0.0, 0.01, 0.3)
    ]
    rows = lambda n: (
        3 * normal(EXAMPLES, n, machine.base)
    )  # logits, so that gradients stay among distributions
    sizes = (
        (machine.base, machine.base),
        (machine.registers, machine.base),
        (machine.lines,),
        (),
        (),
    )
    pull = State(*(normal(RESTARTS, EXAMPLES, *size) / EXAMPLES for size in sizes))
    return (stack(controllers), rows(machine.base), rows(machine.registers)), pull


def assert_close(got, expected, **tolerance):
    assert jax.tree.structure(got) == jax.tree.structure(expected)
    for x, y in zip(jax.tree.leaves(got), jax.tree.leaves(expected)):
        np.testing.assert_allclose(x, y, equal_nan=False, **tolerance)


HORIZON = 12


@pytest.mark.parametrize("machine", SHAPES + TABLES, ids=sizes)
@given(data=st.data())
@batched
def test_fast_equals_reference_at_any_horizon(machine, data):
    inputs, pull = data.draw(batches(machine))
    steps = jnp.array(data.draw(st.integers(1, HORIZON)))
    assert_close(
        fast(inputs, pull, steps, HORIZON, DEFAULT),
        reference(inputs, pull, steps, HORIZON, DEFAULT),
        rtol=1e-5,
        atol=1e-5,
    )


@pytest.mark.parametrize("machine", SHAPES[2:3], ids=sizes)
@given(data=st.data())
@batched
def test_fast_equals_reference_without_a_longest(machine, data):
    inputs, pull = data.draw(batches(machine))
    assert_close(
        fast(inputs, pull, HORIZON, None, DEFAULT),
        reference(inputs, pull, jnp.array(HORIZON), HORIZON, DEFAULT),
        rtol=1e-5,
        atol=1e-5,
    )


FEW = 4  # The equations as printed do not keep mass: each step can double l, and so the logits, and with them their rounding error.


@pytest.mark.parametrize("machine", SHAPES[1:3], ids=sizes)
@given(data=st.data())
@batched
def test_fast_equals_reference_in_the_literal_dialect(machine, data):
    inputs, pull = data.draw(batches(machine))
    steps = jnp.array(data.draw(st.integers(1, FEW)))
    got, expected = (f(inputs, pull, steps, FEW, LITERAL) for f in (fast, reference))
    # Sizes differ from leaf to leaf and rows may vanish, so each leaf is compared on its own scale, never finer than 1e-5.
    scaled = lambda tree: jax.tree.map(
        lambda x, y: x / jnp.maximum(1, jnp.abs(y).max()), tree, expected
    )
    assert_close(scaled(got), scaled(expected), rtol=0, atol=1e-5)


# What goes in


@eqx.filter_jit
def many(controllers, memory, registers):
    return run_many(controllers, memory, registers, steps=9)


@pytest.mark.parametrize("machine", SIZES[1:2], ids=sizes)
@given(seed=seeds)
@batched
def test_distributions_equal_the_whole_numbers_they_stand_for(machine, seed):
    controllers = stack(
        [
            random_controller(machine, key=key)
            for key in jax.random.split(jax.random.key(seed), 2)
        ]
    )
    rng = np.random.default_rng(seed)
    M, R = (
        jnp.array(rng.integers(0, machine.base, (3, n)))
        for n in (machine.base, machine.registers)
    )
    onehot = [jax.nn.one_hot(x, machine.base) for x in (M, R)]
    assert_close(
        run(controllers[0], onehot[0][0], onehot[1][0], steps=9),
        run(controllers[0], M[0], R[0], steps=9),
        rtol=0,
        atol=0,
    )
    whole = many(controllers, M, R)
    assert_close(many(controllers, *onehot), whole, rtol=0, atol=0)
    # Examples of their own for each restart: the second restart gets them in reverse.
    own = many(controllers, *(jnp.stack([x, x[::-1]]) for x in onehot))
    assert_close(
        jax.tree.map(lambda x: jnp.stack([x[0], x[1, ::-1]]), own),
        whole,
        rtol=0,
        atol=0,
    )


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(memory=[0] * 3), "base 4 needs 4 cells, found 3"),
        (
            dict(memory=[0, 0, 0, 4]),
            "memory holds whole numbers from 0 to base − 1 = 3, found 4",
        ),
        (dict(memory=[0.0] * 4), "distributions of shape [·, 4]; found shape (4,)"),
        (
            dict(memory=np.zeros((4, 3))),
            "distributions of shape [·, 4]; found shape (4, 3)",
        ),
        (dict(registers=[0]), "the machine has 2 registers, found 1 initial values"),
        (
            dict(registers=[0, -1]),
            "registers holds whole numbers from 0 to base − 1 = 3, found -1",
        ),
        (dict(steps=0), "at least 1 step, found steps=0"),
    ],
)
def test_bad_input_to_a_soft_run(arguments, message):
    controller = compile_program(parse("noop"), Machine(4, 2, 1))
    arguments = dict(memory=[0] * 4, registers=[0, 0], steps=1) | arguments
    with pytest.raises(InputError) as caught:
        run(
            controller,
            jnp.array(arguments.pop("memory")),
            jnp.array(arguments.pop("registers")),
            **arguments,
        )
    assert message in str(caught.value)


# Files

SAVED = compile_program(
    parse("loop:\nread 1 2\ninc 2 2\njump 0 loop"),
    Machine(4, 3, 4),
    noise=0.3,
    key=jax.random.key(0),
)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "controller.safetensors"
    save(SAVED, path)
    return path, path.read_bytes()


@given(machine=st.sampled_from(SIZES), seed=seeds, restarts=st.integers(0, 3))
@settings(max_examples=30)
def test_what_is_saved_comes_back(tmp_path_factory, machine, seed, restarts):
    path, rng, leading = (
        tmp_path_factory.getbasetemp() / "back.safetensors",
        np.random.default_rng(seed),
        (restarts,) if restarts else (),
    )
    controller = Controller(
        *(
            jnp.array(10 * rng.normal(size=leading + shape), jnp.float32)
            for shape in machine.shapes.values()
        ),
        machine,
    )
    save(controller, path)
    again = load(path)
    assert again.machine == machine and isinstance(again, Controller)
    assert_close(again, controller, rtol=0, atol=0)


def test_no_part_of_a_file_is_a_file(file, tmp_path):
    path, whole = tmp_path / "part.safetensors", file[1]
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(InputError):
            load(path)


@given(st.data())
@settings(max_examples=1000)
def test_a_flipped_bit_is_noticed(file, data):
    path, whole = file[0].with_name("flipped.safetensors"), bytearray(file[1])
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(
        st.integers(0, 7)
    )
    path.write_bytes(whole)
    with pytest.raises(InputError):
        load(path)


@given(st.data())
@settings(max_examples=1000)
def test_a_damaged_header_gives_a_controller_or_an_input_error(file, data):
    "Several bytes at once, in the part that says what the rest means."
    path, whole = file[0].with_name("damaged.safetensors"), bytearray(file[1])
    header = 8 + int.from_bytes(whole[:8], "little")
    for at, byte in data.draw(
        st.dictionaries(
            st.integers(0, header - 1), st.integers(0, 255), min_size=1, max_size=8
        )
    ).items():
        whole[at] = byte
    path.write_bytes(whole)
    try:
        assert isinstance(load(path), Controller)
    except InputError as error:
        assert str(error)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(file, content):
    path = file[0].with_name("foreign.safetensors")
    path.write_bytes(content)
    with pytest.raises(InputError):
        load(path)


RAN = []


def spring():
    RAN.append("the file ran code")


class Trap:
    def __reduce__(self):
        return spring, ()


def test_a_pickle_is_refused_unread(tmp_path):
    path = tmp_path / "controller.safetensors"
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(InputError, match="foreign or damaged"):
        load(path)
    assert not RAN
    pickle.loads(path.read_bytes())
    assert RAN  # the trap works, so its silence above means something


def test_a_safetensors_file_of_another_program_is_refused(tmp_path):
    for metadata in (
        None,
        {"format": "pt"},
        {"neural_compile": "2", "kind": "controller"},
        {"neural_compile": "1", "kind": "nothing"},
    ):
        path = tmp_path / "other.safetensors"
        save_file({"weight": np.zeros((2, 2), np.float32)}, path, metadata)
        with pytest.raises(InputError, match="not a neural_compile file of version 1"):
            load(path)


def test_an_interrupted_save_leaves_the_old_file(file, tmp_path, monkeypatch):
    def interrupted(arrays, path, metadata):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    path = tmp_path / "controller.safetensors"
    path.write_bytes(file[1])
    monkeypatch.setattr("neural_compile.compiler.save_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save(SAVED, path)
    assert_close(load(path), SAVED, rtol=0, atol=0)
