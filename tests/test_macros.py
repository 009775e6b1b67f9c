"""Macros: a row does what its program does, and expanded lines do what the row does."""

from dataclasses import replace
from itertools import product

import jax
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import lines_of, machines, memories, programs, register_values
from test_cli import shell

import neural_compile as nc
from neural_compile.assembly.engine import value_table
from neural_compile.assembly.expansion import without_macros
from neural_compile.assembly.macros import place, results
from neural_compile.assembly.programs import CONTROL, INSTRUCTIONS, Program

BASES = (2, 3, 5, 8)
VALUES = tuple(i for i in INSTRUCTIONS if i.function)
JUMPING = tuple(i for i in INSTRUCTIONS if i.name not in ("read", "write"))
OWN = ("r0", "r1", "r2")  # Registers that a random macro always has
SEVEN = "read 0 1\ninc 2 2\nread 2 3\nmax 1 3 4\nmin 1 3 1\nsub 4 1 1\nwrite 0 1"
ABSDIFF = nc.macro("absdiff", nc.Answer(nc.parse(SEVEN), nc.Clock(0, 7)))
EUCLID = """
    read 0 1
    inc 2 2
    read 2 3
loop:
    jump 3 end
    mod 1 3 4
    max 3 3 1
    max 4 4 3
    jump 5 loop
end:
    write 0 1
    halt
"""
GCD = nc.macro("gcd", nc.Answer(nc.parse(EUCLID), nc.Clock(halts=True)))
TABLE = (*INSTRUCTIONS, ABSDIFF, GCD)
TURN = "loop:\nread 0 1\nabsdiff 1 2 2\nwrite 0 2\ninc 0 0\njump 5 loop"
SCAN = nc.parse(TURN, TABLE)
EARLY = nc.Answer(SCAN, nc.Clock(4))


@st.composite
def bodies(draw, instructions, lines=6):
    "Programs of four registers that name the last of them."
    line = lines_of(instructions, 4, lines, ["b"])
    drawn = draw(st.lists(line, min_size=1, max_size=lines - 1))
    last = nc.parse("inc 3 3", instructions)[0]
    size = len(drawn) + 1
    kept = [replace(x, b=min(x.b, size)) if x.instruction.jumps else x for x in drawn]
    return Program((*kept, last), instructions=tuple(instructions))


@st.composite
def answers(draw, instructions):
    "Answers by a counted clock, which may wrap around and jump, or by a halt."
    program = draw(bodies(instructions))
    constants = tuple(draw(st.lists(st.integers(0, 1), max_size=4)))
    if draw(st.booleans()) and "halt" in [i.name for i in instructions]:
        return nc.Answer(program, nc.Clock(halts=True), constants)
    steps = draw(st.integers(1, 2 * len(program)))
    return nc.Answer(program, nc.Clock(0, steps), constants)


def made(name, answer, **places):
    "The macro; without those that do not halt."
    try:
        return nc.macro(name, answer, **places)
    except nc.InputError as error:
        assert "does not for a" in str(error)
        assume(False)


def by_hand(row, a, b, base):
    "What a macro computes, by one run that is spelled out."
    inside = row.function
    state = {"M": [0] * base, "r": [0] * 16}
    state["r"][: len(inside.answer.registers)] = inside.answer.registers
    for name, value in ((inside.a, a), (inside.b, b)):
        if name:
            kind, n = place(name)
            state[kind][n] = value
    steps = inside.answer.steps(inside.cells, base)
    sizes = dict(base=base, steps=steps)
    ran = nc.execute(inside.answer.program, state["M"], state["r"], **sizes)
    kind, n = place(inside.o)
    return {"M": ran.memory, "r": ran.registers}[kind][n]


def same(program, below, bases=BASES, seed=0):
    "Whether all that a program names ends the same, in all bases and from anywhere."
    rng, count = np.random.default_rng(seed), max(program.registers, below.registers)
    for base, _ in product(bases, range(8)):
        memory = rng.integers(base, size=base).tolist()
        first = rng.integers(base, size=count).tolist()
        sizes = dict(base=base, steps=5000)
        one = nc.execute(program, memory, first, **sizes)
        two = nc.execute(below, memory, first, **sizes)
        assert one.halted and two.halted
        assert one.memory == two.memory
        for r in {r for line in program for r in line.registers}:
            assert one.registers[r] == two.registers[r], (base, first, r)


def halting(text, *rows):
    "A program of one pass, which then halts."
    return nc.parse(f"{text}\nhalt", (*INSTRUCTIONS, *rows))


@settings(max_examples=50, deadline=None)
@given(
    answers(INSTRUCTIONS),
    st.permutations(["M[0]", "M[1]", *OWN]),
    st.sampled_from(["M[0]", "M[1]", *OWN]),
    st.booleans(),
)
def test_a_macro_computes_what_a_run_of_its_answer_leaves(answer, places, o, two):
    row = made("m", answer, a=places[0], b=places[1] if two else None, o=o)
    for base in (2, 3, 8):
        try:
            table = value_table((row,), base)[0]
        except nc.InputError as error:  # It halts in base 8, and not in this
            assert f"in base {base}" in str(error)
            continue
        for a, b in product(range(base), repeat=2):
            assert int(table[a, b]) == by_hand(row, a, b if two else 0, base)


@settings(max_examples=60, deadline=None)
@given(answers(VALUES), st.permutations(OWN), st.sampled_from(OWN), st.data())
def test_straight_lines_expand_to_the_same(answer, places, o, data):
    row = nc.macro("m", answer, a=places[0], b=places[1], o=o)
    line = data.draw(lines_of([row], 3, 0, ["b"]))
    program = Program((line, *halting("noop")), instructions=(*INSTRUCTIONS, row))
    below, _ = without_macros(program)
    assert not {"m"} & {line.instruction.name for line in below}
    same(program, below)


@settings(max_examples=80, deadline=None)
@given(answers(JUMPING), st.permutations(OWN), st.sampled_from(OWN), st.data())
def test_jumps_and_halts_expand_to_the_same(answer, places, o, data):
    row = made("m", answer, a=places[0], b=places[1], o=o)
    for base in BASES:
        try:
            results(row.function, base)
        except nc.InputError:
            assume(False)
    line = data.draw(lines_of([row], 3, 0, ["b"]))
    program = Program((line, *halting("noop")), instructions=(*INSTRUCTIONS, row))
    same(program, without_macros(program)[0])


@settings(max_examples=60, deadline=None)
@given(answers(INSTRUCTIONS), st.sampled_from(["M[0]", "M[1]", "r2"]))
def test_cells_expand_to_the_same_or_are_refused(answer, o):
    row = made("m", answer, o=o)
    for base in BASES:
        try:
            results(row.function, base)
        except nc.InputError:
            assume(False)
    program = halting("m 0 1 2\nm 2 0 0", row)
    try:
        below, _ = without_macros(program)
    except nc.InputError as error:
        assert "whose address is not" in str(error)
        return
    same(program, below)


@settings(max_examples=40, deadline=None)
@given(answers(VALUES), answers(VALUES), st.data())
def test_macros_of_macros_expand_to_the_same(first, second, data):
    inner = nc.macro("inner", first, a="r0", b="r1", o="r2")
    table = (*VALUES, inner)
    drawn = data.draw(st.lists(lines_of([inner], 4, 0, ["b"]), min_size=1, max_size=2))
    lines = (*second.program.lines, *drawn)
    answer = replace(
        second,
        program=Program(lines, instructions=table),
        clock=nc.Clock(0, data.draw(st.integers(1, 8))),
    )
    outer = nc.macro("outer", answer, a="r0", b="r1", o="r2")
    program = halting("outer 0 1 1\ninner 1 0 2\nouter 2 _ 0", inner, outer)
    below, _ = without_macros(program)
    assert set(below.instructions) == set(INSTRUCTIONS)
    same(program, below)


@pytest.mark.parametrize("text", [
    "gcd 0 1 2", "gcd 0 1 0", "gcd 1 0 0", "gcd 0 0 0", "gcd 0 _ 1",
    "gcd 0 1 1\nabsdiff 1 0 1\ngcd 1 2 2", "jump 0 end\ngcd 0 1 0\nend:\nabsdiff 0 1 1",
])  # fmt: skip
def test_loops_expand_wherever_the_line_is(text):
    program = halting(text, ABSDIFF, GCD)
    same(program, without_macros(program)[0], (2, 3, 8, 13))


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_the_soft_machine_does_what_the_exact_one_does(data):
    machine = data.draw(machines(bases=(2, 6), lines=(1, 5), instructions=TABLE))
    program = data.draw(programs(machine))
    memory = data.draw(memories(machine))
    registers = data.draw(register_values(machine))
    exact = nc.execute(
        program, memory, registers, base=machine.base, steps=6, lines=machine.lines
    )
    controller = nc.compile_program(program, machine)
    soft = nc.run(controller, memory, registers, steps=6)
    assert soft.memory.argmax(-1).tolist() == exact.memory
    assert nc.decompile(controller) == program.pad(machine.lines)


def running(f, registers=6):
    "A task: each cell becomes f of what was made of the one before, and itself."

    def target(memory, r, n, base):
        out, last = list(memory), 0
        for k in range(n):
            out[k] = last = f(last, out[k])
        return out

    inputs = lambda choose, n, b: ([choose(b) for _ in range(b)], {})
    sizes = dict(family=((2, 8), (4, 32), (9, 17)), tests=((7, 25), (3, 26)))
    return nc.Task("running", "", inputs, target, registers=registers, **sizes)


def test_an_expanded_answer_is_verified_in_the_table_underneath():
    task, answer = running(lambda s, v: abs(s - v)), nc.Answer(SCAN, nc.Clock(5))
    assert answer.verify(task)
    both = nc.forms(answer, task)
    assert both.expanded.verify(task)
    assert both.expanded == nc.expand(answer, task)
    assert both.expanded.program.instructions == INSTRUCTIONS
    text = repr(both)
    assert "absdiff 1 2 2" in text and "max 1 2 3" in text
    assert "read after 5·n steps" in text and f"read {both.expanded.clock}" in text


def test_a_program_without_macros_stays_as_it_is():
    program = nc.parse("loop:\nread 0 1\ninc 1 1\nwrite 0 1\ninc 0 0\njump 2 loop")
    assert str(nc.expand(program)) == str(program)
    answer = nc.Answer(program, nc.Clock(5))
    assert nc.expand(answer) == answer


def test_answers_that_halt_keep_their_clock_whatever_the_macros_take():
    rows = "read 0 1\ninc 2 2\nread 2 3\ngcd 1 3 1\nwrite 0 1\nhalt"
    answer = nc.Answer(nc.parse(rows, TABLE), nc.Clock(halts=True))
    task = nc.Task.from_function(
        lambda x: [int(np.gcd(x[0], x[1]))], base=8, cells=2, registers=8
    )
    assert answer.verify(task) and nc.expand(answer, task).verify(task)


@pytest.mark.parametrize(("call", "says"), [
    (lambda a: nc.macro("read", a), "an instruction is called 'read' already"),
    (lambda a: nc.macro("two words", a), "a macro's name is a word"),
    (lambda a: nc.macro("m", a, a="cell 0"), "a place is a cell such as 'M\\[0\\]'"),
    (lambda a: nc.macro("m", a, a="r9"), "among the 5 of its program, found 'r9'"),
    (lambda a: nc.macro("m", a, a="M[1]"), "found 'M\\[1\\]' for both"),
    (lambda a: nc.macro("m", replace(a, clock=nc.Clock(1, -2))), "for 2 cells"),
    (lambda a: nc.expand(nc.Answer(SCAN, nc.Clock(5))), "Give expand\\(answer, task"),
    (lambda a: nc.expand(SCAN, registers=3), "needs 1, and there are 0 that"),
    (lambda a: nc.expand(EARLY, running(min)), "not right either"),
])  # fmt: skip
def test_what_cannot_be_done_is_refused(call, says):
    with pytest.raises(nc.InputError, match=says):
        call(ABSDIFF.function.answer)


def test_a_name_of_the_programs_own_table_is_taken():
    answer = nc.Answer(nc.parse("absdiff 0 1 2", TABLE), nc.Clock(0, 1))
    with pytest.raises(nc.InputError, match="called 'absdiff' already"):
        nc.macro("absdiff", answer, a="r0", b="r1", o="r2")


def test_macros_that_never_halt_or_lack_a_cell_have_no_value():
    waits = nc.Answer(nc.parse("jump 0 end\nnoop\nend:\nnoop"), nc.Clock(halts=True))
    with pytest.raises(nc.InputError, match="does not for a = 0, b = 0 in base 8"):
        nc.macro("waits", waits)
    far = nc.macro("far", nc.Answer(nc.parse("noop"), nc.Clock(0, 1)), b="M[4]")
    with pytest.raises(nc.InputError, match="needs base 5 or more"):
        results(far.function, 4)


def test_a_run_with_too_many_points_or_steps_that_differ_is_not_expanded():
    long = nc.macro("long", nc.Answer(nc.parse("noop"), nc.Clock(0, 999)))
    with pytest.raises(nc.InputError, match="at most 256 points"):
        nc.expand(nc.parse("long 0 1 2", (*INSTRUCTIONS, long)))
    text = str(SCAN).replace("absdiff", "gcd")
    answer = nc.Answer(nc.parse(text, TABLE), nc.Clock(5))
    task = running(lambda s, v: int(np.gcd(s, v)), registers=12)
    assert answer.verify(task)
    with pytest.raises(nc.InputError, match="more steps for some inputs"):
        nc.expand(answer, task)


def test_files_ask_for_the_table(tmp_path):
    task = running(lambda s, v: abs(s - v))
    found = nc.induce(task.using(TABLE), key=jax.random.key(0), progress=False)
    assert found.verified and "absdiff" in str(found.program)
    nc.save(found, tmp_path / "found")
    with pytest.raises(nc.InputError, match="'absdiff'(.|\n)*Pass load\\(path, instr"):
        nc.load(tmp_path / "found")
    again = nc.load(tmp_path / "found", instructions=TABLE)
    assert again.program == found.program
    assert nc.expand(again.answer, task).verify(task)


def test_the_command_line_takes_a_file_that_makes_macros(tmp_path):
    (tmp_path / "table.py").write_text(
        "import neural_compile as nc\n"
        f"answer = nc.Answer(nc.parse({SEVEN!r}), nc.Clock(0, 7))\n"
        "INSTRUCTIONS = (*nc.INSTRUCTIONS, nc.macro('absdiff', answer))\n"
    )
    (tmp_path / "task.py").write_text(
        "from itertools import accumulate\n"
        "base, cells, family = 8, 5, [(2, 8), (9, 17)]\n"
        "def running(x):\n"
        "    return list(accumulate(x, lambda s, v: abs(s - v)))\n"
    )
    options = ["--instructions", tmp_path / "table.py"]
    assert "absdiff 2 1 2" in shell("induce", tmp_path / "task.py", *options).stdout


def test_rows_of_a_table_are_told_apart_by_what_they_run():
    other = nc.macro("absdiff", nc.Answer(nc.parse("read 0 1"), nc.Clock(0, 1)))
    again = nc.macro("absdiff", nc.Answer(nc.parse(SEVEN), nc.Clock(0, 7)))
    assert ABSDIFF == again and ABSDIFF != other
    assert hash(ABSDIFF) == hash(again) and ABSDIFF.name not in CONTROL
