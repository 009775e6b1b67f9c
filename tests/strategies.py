"""What the property tests draw: lines, programs, machines and their inputs."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import strategies as st

from neural_compile.assembly.programs import (
    INSTRUCTIONS,
    NOWHERE,
    SLOT,
    Instruction,
    Line,
    Program,
)
from neural_compile.compiler.controllers import Machine

# Names that could be confused with those the printer makes up, and any others.
TAKEN = ["line_0", "line_1", "line_1_0", "noop", "jump", "x"]
LABELS = st.sampled_from(TAKEN) | st.from_regex(
    r"[A-Za-z][A-Za-z0-9_]{0,5}", fullmatch=True
)


def lines_of(
    instructions: Sequence[Instruction],
    registers: int,
    last: int,
    nowhere: Sequence[str],
) -> st.SearchStrategy[Line]:
    "Lines with jumps to lines 0 … last; the operands named in `nowhere` can be `_`."
    register, line = st.integers(0, registers - 1), st.integers(0, last)
    operand = {"a": register, "o": register, "b": register, "label": line}
    for word in nowhere:
        operand[word] |= st.just(NOWHERE)

    def with_operands(instruction):
        words = instruction.operands.split()
        slots = {SLOT[word]: operand[word] for word in words}
        return st.builds(Line, st.just(instruction), **slots)

    return st.sampled_from(instructions).flatmap(with_operands)


def free(machine: Machine) -> list[str]:
    "The operands that can be `_`: a slot is free where registers and lines differ."
    second = ["b"] * (machine.lines > machine.registers)
    return second + ["label"] * (machine.registers > machine.lines)


@st.composite
def programs(
    draw, machine: Machine, *, nowhere: Sequence[str] | None = None
) -> Program:
    "Programs that fit a machine, shorter ones too; jumps go as far as past the end."
    length = draw(st.integers(1, machine.lines))
    missing = free(machine) if nowhere is None else nowhere
    line = lines_of(machine.instructions, machine.registers, length, missing)
    lines = draw(st.lists(line, min_size=length, max_size=length))
    return Program(tuple(lines), instructions=machine.instructions)


@st.composite
def labelled(draw, program: st.SearchStrategy[Program]) -> Program:
    "The same programs, with names on some lines."
    bare = draw(program)
    names = draw(st.lists(LABELS, unique=True, max_size=len(bare) + 1))
    places = draw(st.permutations(range(len(bare) + 1)))
    return replace(bare, labels=dict(zip(places, names)))


def machines(
    bases=(2, 7), registers=(1, 5), lines=(1, 7), instructions=INSTRUCTIONS
) -> st.SearchStrategy[Machine]:
    "Machines of any size between the bounds."
    sizes = [st.integers(*bounds) for bounds in (bases, registers, lines)]
    return st.builds(Machine, *sizes, st.just(tuple(instructions)))


def values(base: int, count: int) -> st.SearchStrategy[list[int]]:
    "What `count` memory cells or registers hold."
    return st.lists(st.integers(0, base - 1), min_size=count, max_size=count)


def memories(machine: Machine) -> st.SearchStrategy[list[int]]:
    return values(machine.base, machine.base)


def register_values(machine: Machine) -> st.SearchStrategy[list[int]]:
    return values(machine.base, machine.registers)
