"""The differentiable machine against the exact one, and files against damage."""

import json
import pickle
import subprocess
import sys
from dataclasses import asdict

import equinox as eqx
import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from beartype.roar import BeartypeCallHintParamViolation
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save_file
from strategies import machines, memories, programs, register_values
from test_assembly import FILES

from neural_compile.assembly.execution import execute
from neural_compile.assembly.parsing import expectations, parse
from neural_compile.assembly.programs import INSTRUCTIONS, InputError, Instruction
from neural_compile.assembly.verification import Clock
from neural_compile.compiler.controllers import (
    DEFAULT,
    DIALECTS,
    LITERAL,
    Controller,
    Machine,
    columns,
    compile_program,
    decompile,
    decompile_all,
    random_controller,
)
from neural_compile.compiler.files import KINDS_SAVED, digest, load, save
from neural_compile.interpreter.equations import (
    instruction_tensor,
    run,
    start,
    step,
    trace,
)

# JAX compiles once a shape, so sizes come from a short list: the smallest machine,
# more registers than lines (a label can be `_`), more lines than registers (a
# register can), and the largest.
SIZES = [Machine(2, 1, 1), Machine(5, 4, 3), Machine(4, 2, 7), Machine(7, 5, 7)]


def sizes(machine):
    "How pytest names a case."
    return f"base{machine.base}-registers{machine.registers}-lines{machine.lines}"


each_size = pytest.mark.parametrize("machine", SIZES, ids=sizes)
seeds = st.integers(0, 2**31 - 1)
# A batch that fails names the program that fails, and to make batches smaller would
# take minutes.
batched = settings(max_examples=10, phases=[Phase.explicit, Phase.generate])


def stack(controllers):
    "Several controllers as one, with an axis of restarts."
    return jax.tree.map(lambda *W: jnp.stack(W), *controllers)


def assert_close(got, expected, **tolerance):
    assert jax.tree.structure(got) == jax.tree.structure(expected)
    for x, y in zip(jax.tree.leaves(got), jax.tree.leaves(expected)):
        np.testing.assert_allclose(x, y, equal_nan=False, **tolerance)


# Compiling and decompiling


@given(
    machines().flatmap(lambda machine: st.tuples(programs(machine), st.just(machine)))
)
@settings(max_examples=200)
def test_decompiling_undoes_compiling(case):
    program, machine = case
    controller = compile_program(program, machine)
    assert decompile(controller) == program.pad(machine.lines)
    assert decompile_all(stack([controller] * 2)) == [program.pad(machine.lines)] * 2


def test_a_program_keeps_its_table_through_the_weights():
    table = (*INSTRUCTIONS, Instruction("half", "a o", lambda a, b: a // 2))
    machine = Machine(5, 2, 3, table)
    program = parse("half 0 1", table)
    again = decompile(compile_program(program, machine))
    assert again == program.pad(3) and again.instructions == table
    assert execute(again, [0] * 5, [4, 0], base=5, steps=3).registers == [4, 2]


def test_one_and_several_are_told_apart():
    one = compile_program(parse("noop"), Machine(4, 2, 1))
    several = stack([one] * 3)
    assert one.restarts is None and several.restarts == 3
    with pytest.raises(InputError, match="found 3 restarts"):
        decompile(several)
    with pytest.raises(InputError, match="found one"):
        decompile_all(one)


@pytest.mark.parametrize("name, low", [("base", 2), ("registers", 1), ("lines", 1)])
def test_sizes_have_a_least(name, low):
    good = {"base": 8, "registers": 4, "lines": 6}
    assert Machine(**good | {name: low}) != Machine(**good)
    with pytest.raises(InputError, match=f"{name} is at least {low}, found {low - 1}"):
        Machine(**good | {name: low - 1})


def test_sizes_are_whole_numbers():
    "In another process: here the types of arguments are checked before anything else."
    code = """
from neural_compile import InputError, Machine
for size in (8.0, 2.5, "8", None, float("nan")):
    for name in ("base", "registers", "lines"):
        try:
            Machine(**{"base": 8, "registers": 4, "lines": 6} | {name: size})
        except InputError as error:
            assert f"{name} is a whole number" in str(error), error
            assert f"found {size!r}" in str(error), error
            print("refused")
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.stdout.split() == ["refused"] * 15, ran.stderr


@pytest.mark.parametrize("noise", [-0.1, float("nan"), float("inf")])
def test_noise_is_a_finite_number(noise):
    with pytest.raises(InputError, match="noise is a number from 0 up"):
        compile_program(
            parse("noop"), Machine(4, 2, 1), noise=noise, key=jax.random.key(0)
        )


# Soft execution without noise is exact execution

STEPS = 200


@eqx.filter_jit
def traces(controllers, memory, registers, steps):
    return jax.vmap(lambda c, m, r: trace(c, m, r, steps=steps))(
        controllers, memory, registers
    )


def exact_states(program, machine, memory, registers):
    """Memory, registers, line, halted and steps before each step, as distributions.

    A halted machine stays as it is."""
    sizes = dict(base=machine.base, lines=machine.lines)
    ran = execute(program, memory, registers, steps=STEPS, **sizes)
    moments = ran.trace.moments
    taken = np.minimum(np.arange(STEPS + 1), len(moments) - 1)
    M, R, l, h = (
        np.array([getattr(m, name) for m in moments])[taken]
        for name in ("memory", "registers", "line", "halted")
    )
    values, lines = np.eye(machine.base), np.eye(machine.lines)
    return values[M], values[R], lines[l], h, taken


@each_size
@given(data=st.data())
@batched
def test_without_noise_the_soft_machine_is_the_exact_one_step_for_step(machine, data):
    one = st.tuples(programs(machine), memories(machine), register_values(machine))
    cases = data.draw(st.lists(one, min_size=16, max_size=16))
    controllers = stack([compile_program(program, machine) for program, *_ in cases])
    soft = traces(controllers, *(jnp.array(x) for x in list(zip(*cases))[1:]), STEPS)
    for k, (program, memory, registers) in enumerate(cases):
        exact = exact_states(program, machine, memory, registers)
        for got, expected in zip(jax.tree.leaves(soft[k]), exact, strict=True):
            # The expected rows are one-hot, so a deviation below 1e-3 also says that
            # each argmax is equal.
            assert got.shape == expected.shape, str(program)
            assert np.abs(got - expected).max() < 1e-3, str(program)


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
    "A register added to itself, or multiplied, doubles what it holds of other values."
    machine, memory, registers = Machine(5, 1, 1), [3, 0, 4, 1, 2], [1]
    soft = traces(
        stack([compile_program(parse(text), machine) for text in LOOPS]),
        *(jnp.array([x] * len(LOOPS)) for x in (memory, registers)),
        STEPS,
    )
    far = {}
    for k, text in enumerate(LOOPS):
        exact = exact_states(parse(text), machine, memory, registers)
        for got, expected in zip(jax.tree.leaves(soft[k]), exact, strict=True):
            deviation = float(np.abs(got - expected).max())
            if not deviation < 1e-3:  # NaN is not
                far[text] = deviation
    assert not far


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_program_files_do_what_they_say_on_the_soft_machine(path):
    program = parse(path.read_text())
    for asked, expected in expectations(path.read_text()):
        registers = asked.get("registers", [0] * program.registers)
        lines = asked.get("lines", len(program))
        machine = Machine(asked["base"], len(registers), lines)
        controller = compile_program(program, machine)
        states = trace(controller, asked["memory"], registers, steps=40)
        state = states[min(asked["steps"], 40)]
        got = {
            "memory": state.memory.argmax(-1).tolist(),
            "registers": state.registers.argmax(-1).tolist(),
            "halted": round(float(state.halted)),
            "steps": round(float(state.steps)),
        }
        assert {name: got[name] for name in expected} == expected


# The equations as printed


def as_printed(controller, M, R, l):
    "Equations 1, 2 and 5 to 9 of the paper in plain numpy, without a halt state."
    machine = controller.machine
    names = [i.name for i in machine.instructions]
    logits = [np.asarray(W, float) @ l for W in controller.weights]
    f, r1, r2, r3 = (np.exp(x - x.max()) / np.exp(x - x.max()).sum() for x in logits)
    slots = np.zeros((machine.slots, machine.base))
    slots[:, 0] = 1
    slots[: machine.registers] = R
    v1, v2 = r1 @ R, r2 @ slots
    T = instruction_tensor(machine.instructions, machine.base).astype(float)
    T[names.index("read")] = np.repeat(M[:, None], machine.base, axis=1)
    o = np.einsum("k,l,m,klmn->n", f, v1, v2, T)
    w, j, z = f[names.index("write")], f[names.index("jump")], v1[0]
    after = np.roll(l, 1)
    target = r2[: machine.lines] + r2[machine.lines :].sum() * after
    written = (1 - v1)[:, None] * M + np.outer(v1, v2)
    return (
        (1 - w) * M + w * written,
        R * (1 - r3)[:, None] + np.outer(r3, o),
        after * (1 - j) + target * z + j * after * (1 - z),
    )


@each_size
@given(seed=seeds)
@batched
def test_the_literal_dialect_is_the_paper_as_printed(machine, seed):
    table = tuple(i for i in INSTRUCTIONS if i.name != "halt")
    sizes = machine.base, machine.registers, machine.lines
    literal = Machine(*sizes, table, LITERAL)
    controller = random_controller(literal, key=jax.random.key(seed))
    rng = np.random.default_rng(seed)
    ones = np.ones(machine.base)
    M, R = rng.dirichlet(ones, machine.base), rng.dirichlet(ones, machine.registers)
    state = start(literal, jnp.array(M, jnp.float32), jnp.array(R, jnp.float32))
    T = jnp.asarray(instruction_tensor(table, machine.base))
    l = np.eye(machine.lines)[0]
    for _ in range(3):
        state = step(controller, state, T)
        M, R, l = as_printed(controller, M, R, l)
        got = state.memory, state.registers, state.line
        assert_close(got, (M, R, l), rtol=1e-4, atol=1e-5)


# Rows keep mass 1

SCALES = [0.0, 0.1, 1.0, 10.0, 1e3, 1e6, 1e30]


@each_size
@given(seed=seeds)
@batched
def test_rows_keep_mass_1_for_any_weights(machine, seed):
    keys = jax.random.split(jax.random.key(seed), len(SCALES))
    controllers = []
    for key, scale in zip(keys, SCALES):
        controllers.append(random_controller(machine, key=key, scale=scale))
    rng = np.random.default_rng(seed)
    M, R = (
        jnp.array(rng.integers(0, machine.base, (len(SCALES), n)))
        for n in (machine.base, machine.registers)
    )
    assert_mass_1(traces(stack(controllers), M, R, STEPS))


@each_size
@given(seed=seeds)
@batched
def test_rows_keep_mass_1_where_rounding_errors_double(machine, seed):
    "`add a a a` multiplies a row by itself at each step."
    loop = parse("\n".join(["add 0 0 0"] * machine.lines))
    keys = jax.random.split(jax.random.key(seed), len(SCALES))
    noises = [0.0, 1e-7, 1e-4, 0.01, 0.1, 0.3, 1.0]
    controllers = []
    for key, noise in zip(keys, noises):
        controllers.append(compile_program(loop, machine, noise=noise, key=key))
    rng = np.random.default_rng(seed)
    M, R = (
        jnp.array(rng.dirichlet(np.ones(machine.base), (len(noises), n)), jnp.float32)
        for n in (machine.base, machine.registers)
    )
    assert_mass_1(traces(stack(controllers), M, R, STEPS))


def assert_mass_1(states):
    for rows in (states.memory, states.registers, states.line):
        # NaN is in no interval, so it fails here too.
        assert rows.min() >= 0 and jnp.abs(rows.sum(-1) - 1).max() <= 1e-5
    assert states.halted.min() >= 0 and states.halted.max() <= 1 + 1e-6
    assert jnp.isfinite(states.steps).all()


# What goes in


@pytest.mark.parametrize("machine", SIZES[1:2], ids=sizes)
@given(seed=seeds)
@batched
def test_distributions_equal_the_whole_numbers_they_stand_for(machine, seed):
    controller = random_controller(machine, key=jax.random.key(seed))
    rng = np.random.default_rng(seed)
    M, R = (
        jnp.array(rng.integers(0, machine.base, n))
        for n in (machine.base, machine.registers)
    )
    onehot = [jax.nn.one_hot(x, machine.base) for x in (M, R)]
    whole = run(controller, M, R, steps=9)
    assert_close(run(controller, *onehot, steps=9), whole, rtol=0, atol=0)


HALF = np.full((4, 4), 0.25)


def spoilt(cell, value):
    "Even distributions, with one entry changed."
    p = HALF.copy()
    p[cell, 1] = value
    return p


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
        (dict(memory=spoilt(2, np.nan)), "found [0.25, nan, 0.25, 0.25] in row 2"),
        (dict(memory=spoilt(1, -0.5)), "found [0.25, -0.5, 0.25, 0.25] in row 1"),
        (dict(memory=spoilt(3, 0.252)), "a sum of 1; found"),
        (dict(memory=HALF * np.inf), "a sum of 1; found"),
        (dict(registers=spoilt(0, np.nan)[:2]), "registers holds distributions"),
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
    good = dict(memory=HALF, registers=[0, 0], steps=1)
    assert run(controller, **good).steps == 1
    with pytest.raises(InputError) as caught:
        run(controller, **good | arguments)
    assert message in str(caught.value)


def test_a_run_takes_one_controller():
    several = stack([compile_program(parse("noop"), Machine(4, 2, 1))] * 3)
    with pytest.raises(InputError, match="run takes one controller, found 3"):
        run(several, [0] * 4, steps=1)
    states = jax.vmap(lambda c: run(c, [0] * 4, steps=1))(several)
    assert states.memory.shape == (3, 4, 4)


def test_a_thousandth_is_forgiven():
    "What a network makes in float32 or float16 need not sum to 1 exactly."
    controller = compile_program(parse("noop"), Machine(4, 2, 1))
    assert jnp.allclose(run(controller, HALF * 1.0009, steps=1).memory, 0.25)


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


@given(
    machine=st.sampled_from(SIZES),
    dialect=st.sampled_from([*DIALECTS.values()]),
    seed=seeds,
    restarts=st.integers(0, 3),
)
@settings(max_examples=30)
def test_what_is_saved_comes_back(tmp_path_factory, machine, dialect, seed, restarts):
    path = tmp_path_factory.getbasetemp() / "back.safetensors"
    rng = np.random.default_rng(seed)
    leading = (restarts,) if restarts else ()
    sizes = machine.base, machine.registers, machine.lines
    machine = Machine(*sizes, dialect=dialect)
    Ws = []
    for shape in machine.shapes.values():
        Ws.append(jnp.array(10 * rng.normal(size=leading + shape), jnp.float32))
    controller = Controller(*Ws, machine)
    save(controller, path)
    again = load(path)
    assert again.machine == machine and isinstance(again, Controller)
    assert again.restarts == (restarts or None)
    assert_close(again, controller, rtol=0, atol=0)


def rewritten(path, change):
    "The file again, its header changed and its checksum right."
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
        arrays = {name: file.get_tensor(name) for name in file.keys()}
    header = json.loads(metadata["header"])
    change(header)
    text = json.dumps(header)
    again = path.with_name("rewritten.safetensors")
    checksum = digest(arrays, text, metadata["kind"], metadata["neural_compile"])
    checked = {"header": text, "sha256": checksum}
    save_file(arrays, again, metadata | checked)
    return again


def test_a_file_without_a_dialect_is_of_the_default_one(tmp_path):
    path = tmp_path / "literal.safetensors"
    literal = Machine(4, 2, 1, dialect=LITERAL)
    save(compile_program(parse("noop"), literal), path)
    assert load(path).machine == literal
    before = rewritten(path, lambda header: header["machine"].pop("dialect"))
    assert load(before).machine.dialect == DEFAULT


@pytest.mark.parametrize(
    "part, value",
    [
        ("lines", 5),
        ("base", 1),
        ("base", "many"),
        ("registers", None),
        ("instructions", ["noop"]),
        ("instructions", [*(i.name for i in INSTRUCTIONS[:-1]), "unknown"]),
        ("dialect", "literal"),
        ("dialect", asdict(LITERAL) | {"accent": True}),
    ],
)
def test_a_header_that_does_not_fit_its_arrays_is_refused(file, part, value):
    again = rewritten(file[0], lambda header: header["machine"].update({part: value}))
    with pytest.raises(InputError):
        load(again)
    assert_close(load(rewritten(file[0], lambda header: None)), SAVED, rtol=0, atol=0)


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
    place, bit = st.integers(0, len(whole) - 1), st.integers(0, 7)
    whole[data.draw(place)] ^= 1 << data.draw(bit)
    path.write_bytes(whole)
    with pytest.raises(InputError):
        load(path)


@given(st.data())
@settings(max_examples=1000)
def test_a_damaged_header_gives_a_controller_or_an_input_error(file, data):
    "Several bytes at once, in the part that says what the rest means."
    path, whole = file[0].with_name("damaged.safetensors"), bytearray(file[1])
    header = 8 + int.from_bytes(whole[:8], "little")
    place, byte = st.integers(0, header - 1), st.integers(0, 255)
    damage = data.draw(st.dictionaries(place, byte, min_size=1, max_size=8))
    for at, value in damage.items():
        whole[at] = value
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
        {"neural_compile": "3", "kind": "controller"},
        {"neural_compile": "1", "kind": "nothing"},
    ):
        path = tmp_path / "other.safetensors"
        save_file({"weight": np.zeros((2, 2), np.float32)}, path, metadata)
        with pytest.raises(InputError, match="not a neural_compile file of version 1"):
            load(path)


def test_only_kinds_with_a_row_are_saved(tmp_path):
    with pytest.raises(InputError, match="save takes Controller.*, found int"):
        save(3, tmp_path / "three")
    assert not list(tmp_path.iterdir()) and KINDS_SAVED["controller"].type is Controller


def test_an_interrupted_save_leaves_the_old_file(file, tmp_path, monkeypatch):
    def interrupted(part, path):
        assert part.suffix == ".part" and part.read_bytes()
        raise KeyboardInterrupt

    path = tmp_path / "controller.safetensors"
    path.write_bytes(file[1])
    monkeypatch.setattr("os.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save(SAVED, path)
    assert list(tmp_path.iterdir()) == [path]
    monkeypatch.undo()
    assert_close(load(path), SAVED, rtol=0, atol=0)


def test_shapes_and_types_are_checked_while_tests_run():
    with pytest.raises(jaxtyping.TypeCheckError, match="rows"):
        columns(np.zeros((2, 2), int), 3, 0.0, None)
    with pytest.raises(BeartypeCallHintParamViolation, match="cells"):
        Clock(5).steps("five")
    with pytest.raises(BeartypeCallHintParamViolation, match="per_cell"):
        Clock("five")
