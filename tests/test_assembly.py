"""Text, programs and exact runs: random programs, and all that can be wrong."""

from dataclasses import replace
from itertools import product
from math import gcd
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import labelled, machines, memories, programs, register_values

from neural_compile.appendix.fast import run_many
from neural_compile.assembly.engine import (
    encode,
    execute_many,
    kind_of,
    step_numbers,
    value_table,
)
from neural_compile.assembly.execution import execute, size_faults
from neural_compile.assembly.parsing import ProgramError, expectations, parse
from neural_compile.assembly.programs import (
    INSTRUCTIONS,
    InputError,
    Instruction,
    Line,
    Program,
    instruction_named,
)
from neural_compile.compiler.controllers import (
    Controller,
    Machine,
    compile_program,
    decompile,
)
from neural_compile.interpreter.equations import run

FILES = sorted((Path(__file__).parent / "programs").glob("*.asm"))


# Text

any_program = machines(lines=(1, 12)).flatmap(
    lambda machine: programs(machine, nowhere=["b", "label"])
)


@given(any_program | labelled(any_program))
def test_a_program_prints_as_text_that_parses_to_an_equal_program(program):
    again = parse(str(program))
    assert again == program and str(again) == str(program)


operands = st.tuples(*[st.integers(0, 3)] * 3)


@given(st.sampled_from(INSTRUCTIONS), operands, operands)
def test_lines_differ_only_in_operands_they_use(instruction, first, second):
    pairs = zip("abo", first, second)
    same = all(x == y for slot, x, y in pairs if slot in instruction.slots)
    assert (Line(instruction, *first) == Line(instruction, *second)) == same


def test_there_are_about_a_hundred_million_three_line_programs_with_four_registers():
    lines = {
        Line(i, a, b, o)
        for i in INSTRUCTIONS
        for a, b, o in product(range(4), repeat=3)
    }  # a label is one of three lines or the end
    assert len(lines) ** 3 == 466**3 == 101_194_696


TOKENS = [i.name for i in INSTRUCTIONS] + [
    "loop",
    "loop:",
    "loop::",
    ":",
    "_",
    "_:",
    "0",
    "1",
    "-1",
    "1000",
    "1.5",
    "²",
    "٣",
    "é:",
    "#",
    "inc,",
    "INC",
    "\t",
    "\r",
    "\x0b",
    "\x85",
    "\u2028",
    "\0",
    "'",
    "{",
    "%s",
    "9" * 5000,
]
mangled = st.lists(
    st.tuples(st.sampled_from(TOKENS), st.sampled_from([" ", " ", "\n", "\t", ""])).map(
        "".join
    ),
    max_size=20,
).map("".join)


@given(st.text() | mangled)
@settings(max_examples=1000)
def test_any_text_is_a_program_or_a_program_error(text):
    try:
        program = parse(text)
    except ProgramError as error:
        assert error.faults
    else:
        assert parse(str(program)) == program


# Wrong rows, and the words in them that are at fault; `twin` is always there twice.
WRONG = [
    ("incc 1 1", ["incc"]),
    ("inc 1", ["inc 1"]),
    ("jump 1", ["jump 1"]),
    ("noop 1", ["noop 1"]),
    ("inc  1 2\t3", ["inc  1 2\t3"]),
    ("add 1 x 2", ["x"]),
    ("add x _ z", ["x", "z"]),
    ("write 1000 -1", ["1000", "-1"]),
    ("jump y nowhere", ["y", "nowhere"]),
    ("jump 0 1", ["1"]),
    ("1st:", ["1st:"]),
    ("twin:", ["twin:"]),
    ("loop: noop", ["loop:"]),
]
RIGHT = [
    ("noop", []),
    ("inc 0 1", []),
    ("jump 0 loop", []),
    ("write 0 _", []),
    ("", []),
    ("# incc 1 1", []),
]
row = st.tuples(
    st.sampled_from(["", "  ", "\t", " \t"]),
    st.sampled_from(WRONG + RIGHT),
    st.sampled_from(["", " ", "  # comment"]),
)


@given(
    st.lists(row, min_size=1, max_size=12).filter(
        lambda rows: any(wrong for _, (_, wrong), _ in rows)
    )
)
def test_all_faults_are_reported_at_once_each_with_its_place(rows):
    text, expected = ["twin:", "loop:", "noop"], []
    for n, (indent, (code, wrong), tail) in enumerate(rows, len(text) + 1):
        text.append(indent + code + tail)
        firsts = [len(indent) + code.index(word) for word in wrong]
        expected += [(n, i, i + len(word)) for i, word in zip(firsts, wrong)]
    with pytest.raises(ProgramError) as caught:
        parse("\n".join(text))
    assert [fault[:3] for fault in caught.value.faults] == expected
    message = str(caught.value).split("\n")
    for k, (n, i, j) in enumerate(expected):
        said, shown, caret = message[3 * k : 3 * k + 3]
        assert said.startswith(f"line {n}: ") and shown == "    " + text[n - 1]
        # As a terminal shows it: tabs before a fault move the caret as far.
        before = caret[: -(j - i)].expandtabs()
        assert caret.strip() == "^" * (j - i)
        assert len(before) == len(shown[: 4 + i].expandtabs())


# A program knows its instruction table

DOUBLE = Instruction("double", "a o", lambda a, b: 2 * a)
OWN = (*INSTRUCTIONS, DOUBLE)


def test_a_program_keeps_its_table_and_is_not_compared_by_it():
    program = parse("double 0 1", OWN)
    padded = program.pad(3)
    assert program.instructions == padded.instructions == OWN
    assert encode(padded)[:, 0].tolist() == [OWN.index(DOUBLE), 0, 0]
    assert parse("inc 0 1", OWN) == parse("inc 0 1")
    assert hash(parse("inc 0 1", OWN)) == hash(parse("inc 0 1"))


def test_a_line_that_the_table_lacks_is_refused():
    lines = parse("noop\ndouble 0 1", OWN).lines
    with pytest.raises(InputError, match=r"line 1: .* no 'double'.*instructions=…"):
        Program(lines)
    assert Program(lines, instructions=OWN)[1].instruction is DOUBLE
    other = replace(DOUBLE, function=lambda a, b: a + a)
    with pytest.raises(InputError, match="no 'double'"):
        Program(lines, instructions=(*INSTRUCTIONS, other))


def test_only_a_table_with_a_noop_pads():
    program = parse("double 0 1", (DOUBLE,))
    assert program.pad(1) == program
    with pytest.raises(InputError, match="no 'noop'. Known: double"):
        program.pad(2)


def test_rows_are_found_by_name_and_say_what_they_do():
    assert instruction_named(OWN, "double") is DOUBLE
    writes = {i.name for i in INSTRUCTIONS if i.writes}
    assert writes == {i.name for i in INSTRUCTIONS} - {"noop", "halt", "write", "jump"}
    assert [i.name for i in INSTRUCTIONS if i.jumps] == ["jump"]


@given(any_program | labelled(any_program))
def test_texts_are_the_lines_of_a_program(program):
    assert len(program.texts) == len(program) == len(list(program))
    names = [text.split()[0] for text in program.texts]
    assert names == [line.instruction.name for line in program]
    assert max(max(line.registers, default=0) for line in program) < program.registers


# Programs in files, which say what they do


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_program_files_do_what_they_say(path):
    program, table = parse(path.read_text()), expectations(path.read_text())
    assert table and parse(str(program)) == program
    for arguments, expected in table:
        exact = execute(program, **arguments)
        found = {name: getattr(exact, name) for name in expected}
        assert found == expected, exact.trace


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_program_files_run_compiled_too(path):
    program = parse(path.read_text())
    for arguments, expected in expectations(path.read_text()):
        zeros = [0] * program.registers
        memory = np.array([arguments.pop("memory")])
        registers = np.array([arguments.pop("registers", zeros)])
        many = execute_many(program, memory, registers, **arguments)
        found = {name: getattr(many, name)[0].tolist() for name in expected}
        assert found == expected


def test_nearly_every_instruction_is_in_a_program_file():
    used = {line.instruction for path in FILES for line in parse(path.read_text())}
    assert set(INSTRUCTIONS) >= used
    unused = {i.name for i in set(INSTRUCTIONS) - used}
    assert unused == {"dec", "mul", "min"}


def test_expectations_are_read_from_comments_alone():
    text = "# expect: base=4 memory=1,2 steps=3 -> steps=3 halted=0\n# expect: no arrow"
    (found,) = expectations(text)
    assert found == ({"base": 4, "memory": [1, 2], "steps": 3}, dict(steps=3, halted=0))
    assert expectations("noop  # expect: base=2 -> steps=1") == []


# Exact execution, one input at a time and many


@st.composite
def runs(draw):
    "A program, the lines of its machine, and inputs, each with its own bound of steps."
    machine = draw(machines())
    program = draw(programs(machine, nowhere=["b", "label"]))
    one = st.tuples(memories(machine), register_values(machine), st.integers(1, 60))
    inputs = draw(st.lists(one, min_size=1, max_size=4))
    return program, machine.base, draw(st.sampled_from([None, machine.lines])), inputs


@given(runs())
@settings(max_examples=300)
def test_many_runs_equal_single_runs(case):
    program, base, lines, inputs = case
    memory, registers, steps = (np.array(column) for column in zip(*inputs))
    many = execute_many(program, memory, registers, base=base, steps=steps, lines=lines)
    for (memory, registers, steps), got in zip(inputs, zip(*many)):
        one = execute(program, memory, registers, base=base, steps=steps, lines=lines)
        line = one.trace[-1].line
        expected = [one.memory, one.registers, one.steps, one.halted, line]
        assert [x.tolist() for x in got] == expected
        assert len(one.trace) == one.steps + 1 and one.trace[-1].halted == one.halted


@given(runs())
def test_the_compiled_step_goes_through_the_same_states(case):
    program, base, lines, inputs = case
    program = program.pad(lines or len(program))
    code, kinds = encode(program), kind_of(program.instructions)
    table = value_table(program.instructions, base)
    for memory, registers, steps in inputs:
        M, R = np.array(memory, np.int32), np.array(registers, np.int32)
        trace = execute(program, memory, registers, base=base, steps=steps).trace
        for now, after in zip(trace.moments, trace.moments[1:]):
            line, halted = step_numbers(code, kinds, table, now.line, M, R)
            state = (line, tuple(M.tolist()), tuple(R.tolist()), halted)
            assert state == tuple(after)


@given(runs())
def test_a_program_is_its_padded_self_and_a_run_continues_itself(case):
    program, base, lines, inputs = case
    padded = program.pad(lines or len(program))
    assert padded.pad(len(padded)) == padded and len(padded) == (lines or len(program))
    for memory, registers, steps in inputs:
        given = dict(memory=memory, registers=registers, base=base, lines=lines)
        short = execute(program, steps=steps, **given).trace
        long = execute(padded, steps=2 * steps, **given).trace
        assert long.moments[: len(short)] == short.moments


# A new instruction is a new row

ROWS = (
    Instruction("gcd", "a b o", lambda a, b: gcd(a, b)),
    Instruction("double", "a o", lambda a, b: 2 * a),
    Instruction("minus", "o", lambda a, b: -1),
    Instruction("copy", "b o", lambda a, b: b),
    Instruction("alone", "a o", lambda a, b: a + b),
)  # an absent operand counts as 0
TABLE = INSTRUCTIONS + ROWS


@pytest.mark.parametrize(
    "text, value",
    [
        ("gcd 1 2 3", 2),
        ("double 1 3", 5),
        ("minus 3", 6),
        ("copy 2 3", 4),
        ("alone 1 3", 6),
    ],
)
def test_a_new_row_works_everywhere(text, value):
    machine = Machine(base=7, registers=4, lines=2, instructions=TABLE)
    program = parse(text + "\nwrite 0 3", TABLE)
    memory, registers = [1] * 7, [5, 6, 4, 0]
    expected = [1, 1, 1, 1, 1, value, 1]
    assert parse(str(program), TABLE) == program
    assert execute(program, memory, registers, base=7, steps=2).memory == expected
    M, R = np.array([memory]), np.array([registers])
    many = execute_many(program, M, R, base=7, steps=2)
    assert many.memory.tolist() == [expected]
    controller = compile_program(program, machine)
    assert decompile(controller) == program
    assert decompile(controller).instructions == TABLE
    M, R = jnp.array(memory), jnp.array(registers)
    soft = run(controller, M, R, steps=2)
    assert soft.memory.argmax(-1).tolist() == expected
    batch = Controller(*(W[None] for W in controller.weights), machine)
    fast = run_many(batch, M[None], R[None], steps=2)
    assert fast.memory[0, 0].argmax(-1).tolist() == expected


def test_an_unknown_row_is_refused_by_name():
    program = parse("gcd 0 1 2", TABLE)
    with pytest.raises(InputError, match="no instruction 'gcd'"):
        compile_program(program, Machine(4, 3, 1))


# Bad input, each with its message


@pytest.mark.parametrize(
    "text, message",
    [
        ("incc 0 0", "unknown instruction 'incc'. Did you mean 'inc'?"),
        ("xyzzy 0 0", "unknown instruction 'xyzzy'. Known: noop, halt"),
        ("loop:\njump 0 lop", "no line is labelled 'lop'. Did you mean 'loop'?"),
        ("jump 0 3", "no line is labelled '3'. Known: none."),
        ("jump loop", "'jump' needs a register and a label, found 'jump loop'."),
        ("jump loop", "Write 'jump 1 loop'."),
        ("halt 1", "'halt' needs no operand, found 'halt 1'. Write 'halt'."),
        ("add 1 2", "'add' needs a register and a register and a register, found"),
        ("add 1 2", ", found 'add 1 2'. Write 'add 1 2 3'."),
        ("inc 1000 0", "a register is a number from 0 to 999, found '1000'."),
        ("inc _ 0", "a register is a number from 0 to 999, found '_'."),
        ("x:\nx:\nnoop", "a label names one line, found 'x' a second time."),
        ("2x:\nnoop", "a label is a letter, then letters, digits or '_'; found '2x'."),
        ("", "at least one instruction, found none."),
        ("only:\n# a comment", "at least one instruction, found none."),
    ],
)
def test_bad_text(text, message):
    with pytest.raises(ProgramError) as caught:
        parse(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"memory": [0] * 3}, "base 4 needs 4 cells, found 3"),
        ({"memory": [0] * 5}, "base 4 needs 4 cells, found 5"),
        (
            {"memory": [0, 4, 0, 0]},
            "memory holds whole numbers from 0 to base − 1 = 3, found 4",
        ),
        (
            {"registers": [0, -1, 0]},
            "registers holds whole numbers from 0 to base − 1 = 3, found -1",
        ),
        (
            {"registers": [0, 0]},
            "names register 2, but only 2 registers were given. Give 3.",
        ),
        ({"base": 1, "memory": [0]}, "base is at least 2, found 1"),
        ({"steps": 0}, "at least 1 step, found steps=0"),
        (
            {"lines": 1},
            "2 lines were given to a machine with 1. "
            "Use a machine with at least 2 lines.",
        ),
        ({"lines": 0}, "2 lines were given to a machine with 0"),
    ],
)
def test_bad_input_to_a_run(change, message):
    arguments = {
        "memory": [0] * 4,
        "registers": [0] * 3,
        "base": 4,
        "steps": 1,
        "lines": 2,
    } | change
    with pytest.raises(InputError) as caught:
        execute(parse("add 0 1 2\nnoop"), **arguments)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"memory": np.zeros((2, 3))}, "base 4 needs 4 cells, found 3"),
        ({"memory": np.zeros(4)}, "memory is [examples, base]"),
        ({"memory": np.zeros((3, 4))}, "found shapes (3, 4) and (2, 3)"),
        (
            {"memory": np.full((2, 4), 4)},
            "memory holds whole numbers from 0 to base − 1 = 3, found 4",
        ),
        (
            {"memory": np.full((2, 4), 1.5)},
            "memory holds whole numbers from 0 to base − 1 = 3, found 1.5",
        ),
        (
            {"registers": np.full((2, 3), -1)},
            "registers holds whole numbers from 0 to base − 1 = 3, found -1",
        ),
        (
            {"registers": np.zeros((2, 2))},
            "names register 2, but only 2 registers were given",
        ),
        ({"steps": np.array([1, 0])}, "at least 1 step, found steps=0"),
        ({"steps": np.array([1.5, 2])}, "steps is a whole number, at least 1"),
        ({"lines": 1}, "2 lines were given to a machine with 1"),
        ({"lines": 0}, "2 lines were given to a machine with 0"),
    ],
)
def test_bad_input_to_many_runs(change, message):
    "Compiled code does not look where it writes: not into the next example, then."
    arguments = {
        "memory": np.zeros((2, 4)),
        "registers": np.zeros((2, 3)),
        "base": 4,
        "steps": 1,
        "lines": 2,
    } | change
    with pytest.raises(InputError) as caught:
        execute_many(parse("add 0 1 2\nnoop"), **arguments)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "base, steps, message",
    [
        (8.0, 1, "base is a whole number, at least 2; found 8.0. Write base=8"),
        ("8", 1, "base is a whole number, at least 2; found '8'."),
        (8, 2.5, "steps is a whole number, at least 1; found 2.5."),
        (8, None, "steps is a whole number, at least 1; found None."),
    ],
)
def test_sizes_are_whole_numbers(base, steps, message):
    (fault,) = size_faults(base, 8, steps)
    assert fault.startswith(message)
    assert not size_faults(np.int64(8), 8, np.int64(1))


TWO_REGISTERS = Machine(4, 2, 2)
SMALL = parse("inc 0 2\ndec 3 0")


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Program(()), "at least one line, found none"),
        (
            lambda: Program((Line(INSTRUCTIONS[-1], 0, 2),)),
            "a jump goes to a line from 0 to 1, found 2",
        ),
        (lambda: Line(INSTRUCTIONS[2], -1), "found a=-1, b=0, o=0 in 'inc'"),
        (lambda: Instruction("swap", "a b"), "needs a function"),
        (lambda: Instruction("id", "a", lambda a, b: a), "an output o"),
        (lambda: Instruction("id", "x o", lambda a, b: a), "words among a, b, o"),
        (lambda: Instruction("id", "a a o", lambda a, b: a), "each once"),
        (lambda: Instruction("noop", "o", lambda a, b: a), "a name among noop, halt"),
        (lambda: instruction_named(INSTRUCTIONS, "swap"), "no 'swap'. Known: noop"),
        (lambda: Machine(1, 0, 0), "base is at least 2, found 1.\n"),
        (lambda: Machine(1, 0, 0), "registers is at least 1, found 0."),
        (lambda: Machine(1, 0, 0), "lines is at least 1, found 0."),
        (
            lambda: compile_program(parse("noop\nnoop"), Machine(4, 1, 1)),
            "2 lines were given to a machine with 1",
        ),
        (
            lambda: compile_program(SMALL, TWO_REGISTERS),
            "line 0: registers are 0 to 1, found 2 in 'inc 0 2'",
        ),
        (
            lambda: compile_program(SMALL, TWO_REGISTERS),
            "line 1: registers are 0 to 1, found 3 in 'dec 3 0'",
        ),
        (
            lambda: compile_program(parse("write 0 _"), TWO_REGISTERS),
            "all 2 are in use. Use a machine with more lines than registers.",
        ),
        (
            lambda: compile_program(parse("jump 0 _"), TWO_REGISTERS),
            "Use a machine with more registers than lines.",
        ),
        (
            lambda: compile_program(parse("noop"), Machine(4, 1, 1), noise=0.1),
            "needs a key",
        ),
        (
            lambda: expectations("# expect: base=4 memory=1,x steps=3 -> steps=3"),
            "found 'memory=1,x'",
        ),
    ],
)
def test_bad_sizes(make, message):
    with pytest.raises(InputError) as caught:
        make()
    assert message in str(caught.value)
