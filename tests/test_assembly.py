"""Text, programs and exact execution, over random programs and over everything that can be wrong."""

from itertools import product
from math import gcd
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from neural_compile.assembly.programs import (
    INSTRUCTIONS,
    InputError,
    Instruction,
    Line,
    Program,
    ProgramError,
    execute,
    execute_many,
    expectations,
    parse,
)
from neural_compile.compiler.controllers import (
    Controller,
    Machine,
    compile_program,
    decompile,
)
from neural_compile.appendix.fast import run_many
from neural_compile.interpreter.equations import run
from strategies import labelled, machines, memories, programs, register_values

FILES = sorted((Path(__file__).parent / "programs").glob("*.asm"))


# Text

any_program = machines(lines=(1, 12)).flatmap(
    lambda machine: programs(machine, nowhere=["b", "label"])
)


@given(any_program | labelled(any_program))
def test_a_program_prints_as_text_that_parses_to_an_equal_program(program):
    again = parse(str(program))
    assert again == program and str(again) == str(program)


@given(
    st.sampled_from(INSTRUCTIONS), *[st.integers(0, 3)] * 3, *[st.integers(0, 3)] * 3
)
def test_lines_differ_only_in_operands_they_use(instruction, a, b, o, a2, b2, o2):
    same = all(
        x == y
        for slot, x, y in zip("abo", (a, b, o), (a2, b2, o2))
        if slot in instruction.slots
    )
    assert (Line(instruction, a, b, o) == Line(instruction, a2, b2, o2)) == same


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


# Wrong rows, and the words in them that are at fault; `twin` is a label twice in each text below.
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
        expected += [
            (n, i := len(indent) + code.index(word), i + len(word)) for word in wrong
        ]
    with pytest.raises(ProgramError) as caught:
        parse("\n".join(text))
    assert [fault[:3] for fault in caught.value.faults] == expected
    message = str(caught.value).split("\n")
    for k, (n, i, j) in enumerate(expected):
        said, shown, caret = message[3 * k : 3 * k + 3]
        assert said.startswith(f"line {n}: ") and shown == "    " + text[n - 1]
        # Measured as a terminal shows it: a tab before the fault moves the caret as far as it moves the fault.
        assert caret.strip() == "^" * (j - i) and len(
            caret[: -(j - i)].expandtabs()
        ) == len(shown[: 4 + i].expandtabs())


# Programs in files, which say what they do


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_program_files_do_what_they_say(path):
    program, table = parse(path.read_text()), expectations(path.read_text())
    assert table and parse(str(program)) == program
    for given, expected in table:
        exact = execute(program, **given)
        assert {name: getattr(exact, name) for name in expected} == expected, (
            exact.trace
        )


# Exact execution, one input at a time and many


@st.composite
def runs(draw):
    "A program, the lines of its machine, and inputs, each with its own bound of steps."
    machine = draw(machines())
    program = draw(programs(machine, nowhere=["b", "label"]))
    inputs = draw(
        st.lists(
            st.tuples(memories(machine), register_values(machine), st.integers(1, 60)),
            min_size=1,
            max_size=4,
        )
    )
    return program, machine.base, draw(st.sampled_from([None, machine.lines])), inputs


@given(runs())
@settings(max_examples=300)
def test_many_runs_equal_single_runs(case):
    program, base, lines, inputs = case
    many = execute_many(
        program,
        *(np.array(x) for x in zip(*(i[:2] for i in inputs))),
        base=base,
        steps=np.array([i[2] for i in inputs]),
        lines=lines,
    )
    for (memory, registers, steps), got in zip(inputs, zip(*many)):
        one = execute(program, memory, registers, base=base, steps=steps, lines=lines)
        assert [x.tolist() for x in got] == [
            one.memory,
            one.registers,
            one.steps,
            one.halted,
        ]
        assert len(one.trace) == one.steps + 1 and one.trace[-1].halted == one.halted


@given(runs())
def test_a_program_is_its_padded_self_and_a_run_continues_itself(case):
    program, base, lines, inputs = case
    padded = program.pad(lines or len(program))
    assert padded.pad(len(padded)) == padded and len(padded) == (lines or len(program))
    for memory, registers, steps in inputs:
        short, long = (
            execute(p, memory, registers, base=base, steps=n, lines=lines)
            for p, n in ((program, steps), (padded, 2 * steps))
        )
        assert long.trace.moments[: len(short.trace)] == short.trace.moments


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
    program, memory, registers = (
        parse(text + "\nwrite 0 3", TABLE),
        [1, 1, 1, 1, 1, 1, 1],
        [5, 6, 4, 0],
    )
    expected = [1, 1, 1, 1, 1, value, 1]
    assert parse(str(program), TABLE) == program
    assert execute(program, memory, registers, base=7, steps=2).memory == expected
    assert execute_many(
        program,
        np.array([memory]),
        np.array([registers]),
        base=7,
        steps=2,
        instructions=TABLE,
    )[0].tolist() == [expected]
    controller = compile_program(program, machine)
    assert decompile(controller) == program
    assert (
        run(controller, jnp.array(memory), jnp.array(registers), steps=2)
        .memory.argmax(-1)
        .tolist()
        == expected
    )
    batch = Controller(*(W[None] for W in controller.weights), machine)
    many = run_many(batch, jnp.array([memory]), jnp.array([registers]), steps=2)
    assert many.memory[0, 0].argmax(-1).tolist() == expected


def test_an_unknown_row_is_refused_by_name():
    program = parse("gcd 0 1 2", TABLE)
    with pytest.raises(InputError, match="no 'gcd'"):
        execute_many(program, np.zeros((1, 4)), np.zeros((1, 3)), base=4, steps=1)
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
        (
            "jump loop",
            "'jump' needs a register and a label, found 'jump loop'. Write 'jump 1 loop'.",
        ),
        ("halt 1", "'halt' needs no operand, found 'halt 1'. Write 'halt'."),
        (
            "add 1 2",
            "'add' needs a register and a register and a register, found 'add 1 2'. Write 'add 1 2 3'.",
        ),
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
            "2 lines were given to a machine with 1. Use a machine with at least 2 lines.",
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
        (
            {"memory": np.full((2, 4), 4)},
            "memory holds whole numbers from 0 to base − 1 = 3, found 4",
        ),
        (
            {"registers": np.full((2, 3), -1)},
            "registers holds whole numbers from 0 to base − 1 = 3, found -1",
        ),
        (
            {"registers": np.zeros((2, 2))},
            "names register 2, but only 2 registers were given",
        ),
        ({"lines": 1}, "2 lines were given to a machine with 1"),
        ({"lines": 0}, "2 lines were given to a machine with 0"),
    ],
)
def test_bad_input_to_many_runs(change, message):
    "The compiled loop does not look where it writes: what does not fit would land in the next example."
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
    "make, message",
    [
        (lambda: Program(()), "at least one line, found none"),
        (
            lambda: Program((Line(INSTRUCTIONS[-1], 0, 2),)),
            "a jump goes to a line from 0 to 1, found 2",
        ),
        (lambda: Instruction("swap", "a b"), "needs a function"),
        (
            lambda: Machine(1, 0, 0),
            "base is at least 2, found 1.\nregisters is at least 1, found 0.\nlines is at least 1, found 0.",
        ),
        (
            lambda: compile_program(parse("noop\nnoop"), Machine(4, 1, 1)),
            "2 lines were given to a machine with 1",
        ),
        (
            lambda: compile_program(parse("inc 0 2\ndec 3 0"), Machine(4, 2, 2)),
            "line 0: registers are 0 to 1, found 2 in 'inc 0 2'",
        ),
        (
            lambda: compile_program(parse("inc 0 2\ndec 3 0"), Machine(4, 2, 2)),
            "line 1: registers are 0 to 1, found 3 in 'dec 3 0'",
        ),
        (
            lambda: compile_program(parse("write 0 _"), Machine(4, 2, 2)),
            "line 0: '_' needs a free slot, but all 2 are in use. Use a machine with more lines than registers.",
        ),
        (
            lambda: compile_program(parse("jump 0 _"), Machine(4, 2, 2)),
            "Use a machine with more registers than lines.",
        ),
        (
            lambda: compile_program(parse("noop"), Machine(4, 1, 1), noise=0.1),
            "noise > 0 needs a key",
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
