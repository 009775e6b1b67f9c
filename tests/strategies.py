"""What the property tests draw: lines, programs, machines and their inputs."""

from collections.abc import Sequence

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
LABELS = st.sampled_from(
    ["line_0", "line_1", "line_1_0", "noop", "jump", "x"]
) | st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,5}", fullmatch=True)


def lines_of(
    instructions: Sequence[Instruction],
    registers: int,
    last: int,
    nowhere: Sequence[str],
) -> st.SearchStrategy[Line]:
    "Lines over some registers, with jumps to lines 0 … last; the operands named in `nowhere` can be `_`."
    register, line, missing = (
        st.integers(0, registers - 1),
        st.integers(0, last),
        st.just(NOWHERE),
    )
    operand = {"a": register, "o": register, "b": register, "label": line}
    operand |= {word: operand[word] | missing for word in nowhere}
    return st.sampled_from(instructions).flatmap(
        lambda i: st.builds(
            Line,
            st.just(i),
            **{SLOT[word]: operand[word] for word in i.operands.split()},
        )
    )


def free(machine: Machine) -> list[str]:
    "The operands that can be `_` on this machine: a slot is free where registers and lines differ."
    return ["b"] * (machine.lines > machine.registers) + ["label"] * (
        machine.registers > machine.lines
    )


@st.composite
def programs(
    draw, machine: Machine, *, nowhere: Sequence[str] | None = None
) -> Program:
    "Programs that fit a machine, shorter ones too; jumps go to any line and to the one past the end."
    length = draw(st.integers(1, machine.lines))
    line = lines_of(
        machine.instructions,
        machine.registers,
        length,
        free(machine) if nowhere is None else nowhere,
    )
    return Program(tuple(draw(st.lists(line, min_size=length, max_size=length))))


@st.composite
def labelled(draw, program: st.SearchStrategy[Program]) -> Program:
    "The same programs, with names on some lines."
    lines = draw(program).lines
    names = draw(st.lists(LABELS, unique=True, max_size=len(lines) + 1))
    places = draw(st.permutations(range(len(lines) + 1)))
    return Program(lines, dict(zip(places, names)))


def machines(
    bases=(2, 7), registers=(1, 5), lines=(1, 7), instructions=INSTRUCTIONS
) -> st.SearchStrategy[Machine]:
    "Machines of any size between the bounds."
    return st.builds(
        Machine,
        st.integers(*bases),
        st.integers(*registers),
        st.integers(*lines),
        st.just(tuple(instructions)),
    )


def values(base: int, count: int) -> st.SearchStrategy[list[int]]:
    "What `count` memory cells or registers hold."
    return st.lists(st.integers(0, base - 1), min_size=count, max_size=count)


def memories(machine: Machine) -> st.SearchStrategy[list[int]]:
    return values(machine.base, machine.base)


def register_values(machine: Machine) -> st.SearchStrategy[list[int]]:
    return values(machine.base, machine.registers)
