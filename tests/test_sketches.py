"""Sketches: they print as they are read, and whatever fills them stays inside."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import machines, programs

import neural_compile as nc
from neural_compile.assembly.bounds import (
    bounds,
    held,
    options,
    sketch_faults,
    sketch_of,
)
from neural_compile.assembly.engine import encode
from neural_compile.assembly.programs import InputError
from neural_compile.assembly.sketches import (
    Gap,
    Sketch,
    SketchRow,
    free_shape,
    parse,
)
from neural_compile.compiler.controllers import program_of
from neural_compile.loss.starts import prepare_start
from neural_compile.synthesis.breeding import Genetic
from neural_compile.synthesis.filling import Fillings, filler_of
from neural_compile.synthesis.mending import Mendings, inside, lengthened, searches_for
from neural_compile.synthesis.walks import Uniform, Walks

LOOP = "loop:\n! read 1 2\n?\nwrite 1 ?\ninc 1 1\n! jump 3 loop"
KEPT = ("read 1 2", "write 1", "jump 3")


def bare(machine):
    return programs(machine, nowhere=())


@st.composite
def sketches(draw):
    """A random program of which places, lines and numbers of lines are open."""
    whole = sketch_of(draw(machines(lines=(1, 6)).flatmap(bare)))
    rows = []
    for row in whole.rows:
        kind = draw(st.sampled_from(("as it is", "frozen", "operand", "line", "gap")))
        if kind == "gap":
            rows.append(Gap(draw(st.integers(1, 3))))
        elif kind == "line":
            rows.append(free_shape(1, whole.instructions).lines[0])
        elif kind == "operand" and row.instructions[0].slots:
            slot = draw(st.sampled_from(row.instructions[0].slots))
            rows.append(SketchRow(**vars(row) | {slot: None}))
        else:
            rows.append(SketchRow(**vars(row) | {"frozen": kind == "frozen"}))
    return Sketch(tuple(rows), {}, whole.instructions)


def is_inside(program, sketch, registers, near=False):
    """Whether a program has a shape of the sketch, and only what that allows."""
    rows = encode(program)
    for shape in sketch.shapes():
        if len(shape.lines) == len(rows):
            allowed = bounds(shape, registers, near).allowed
            places = np.indices(rows.shape)
            if allowed[places[0], places[1], rows].all():
                return True
    return False


# Text


@given(sketches())
def test_a_sketch_prints_as_text_that_parses_to_an_equal_sketch(sketch):
    again = parse(str(sketch))
    if isinstance(again, nc.Program):  # Nothing is open, nothing frozen
        again = sketch_of(again)
    shapes, others = list(sketch.shapes()), list(again.shapes())
    assert [s.lines for s in shapes] == [s.lines for s in others]
    assert str(again) == str(sketch)


@pytest.mark.parametrize(
    "text, says",
    [
        ("?{inc,add} 1 2", "a choice is among instructions with the same operands"),
        ("?{inc,inc} 1 2", "a choice names each once, found 'inc' twice"),
        ("?{inc,foo} 1 2", "unknown instruction 'foo'"),
        ("? 1 2", "'?' stands alone, or before three operands; found 2"),
        ("add ?{1, 2} 3 4", "'add' is written 'add 1 2 3', found"),
        ("add ?{1,1} 3 4", "a choice names each once, found '1' twice"),
        ("add ?{} 3 4", "a register is a number from 0 to 999, found ''"),
        ("add ?(1) 3 4", "a choice is written '?{1,2}' without spaces"),
        ("add 1 _ ?", "a sketch has no '_'"),
        ("...", "a gap is alone in its row and says how many lines: '...3'"),
        ("...0", "a gap is alone in its row"),
        ("...2 inc 0 0", "a gap is alone in its row"),
        ("!", "'!' stands before a line"),
        ("! inc 0", "'inc' is written 'inc 1 3', found 'inc 0'"),
        ("jump ? nowhere", "no line is labelled 'nowhere'"),
        ("?{jump} 0 ?{a,b}\na:", "no line is labelled 'b'"),
    ],
)
def test_a_mistake_is_shown_in_its_place(text, says):
    with pytest.raises(nc.ProgramError) as caught:
        parse(f"inc 0 0\n{text}")
    assert says in str(caught.value)
    assert any(fault.line == 2 for fault in caught.value.faults)


def test_a_text_without_holes_is_a_program():
    assert nc.parse("inc 0 0") == nc.Program(parse("inc 0 0").lines)
    assert isinstance(nc.parse("inc ? 0"), Sketch)


# Numbers


@settings(max_examples=30)
@given(sketches().filter(lambda s: all(not isinstance(r, Gap) for r in s.rows)))
def test_options_are_the_lines_that_are_allowed_each_once(sketch):
    shape = next(sketch.shapes())
    limits = bounds(shape, registers=8)
    for n, rows in enumerate(options(limits, sketch.instructions)):
        assert len({tuple(row) for row in rows.tolist()}) == len(rows)
        for k in range(4):
            assert limits.allowed[n, k, rows[:, k]].all()
        if shape.lines[n].anything:
            assert len(rows) > 1000


def test_what_is_frozen_or_beside_a_hole_is_given_near_or_not():
    shape = next(parse(LOOP).shapes())
    far, near = bounds(shape, 6), bounds(shape, 6, near=True)
    assert (far.given[[0, 4]] == near.given[[0, 4]]).all()
    assert (near.given[2] == far.given[2]).all() and near.given[2, 0] >= 0
    assert (far.given[3] >= 0).all() and (near.given[3] < 0).all()


def test_registers_that_a_machine_lacks_are_named():
    with pytest.raises(InputError, match="registers 0 to 5, found 7. Give the task"):
        nc.synthesize(nc.TASKS["inc"], space=inside(parse("! inc 7 7\n?")))


# Searches


def brute(task, sketch, steps):
    """How many fillings are right, each run by itself."""
    filler = filler_of(task, next(sketch.shapes()))
    ran = [filler.program(n) for n in range(filler.fillings)]
    given = task.sample(16, seed=1)
    right = [nc.Answer(p, nc.Clock(0, steps)).fits(given).all() for p in ran]
    return sum(map(bool, right)), len(set(ran))


def test_fillings_are_those_that_running_each_finds():
    task = nc.TASKS["inc"]
    sketch = parse("read ? 1\n?{inc,dec} ? 1\nwrite 0 ?")
    many, different = brute(task, sketch, 3)
    filler = filler_of(task, next(sketch.shapes()))
    assert different == filler.fillings == 6 * 12 * 6
    assert len(filler.right(0, filler.fillings)) >= min(many, 16) > 0


def test_shapes_come_from_the_shortest_and_large_ones_are_left_to_walks():
    sketch = parse("! read 0 1\n...3\n! write 0 1\n! halt")
    found = nc.synthesize(nc.TASKS["inc"], space=[Fillings(sketch)], progress=False)
    assert len(found.solutions[0].program) == 4
    few = Fillings(sketch, programs=100)
    left = nc.synthesize(nc.TASKS["map_inc"], space=[few], progress=False).left
    assert [text.split(":")[0] for text in left] == [
        f"fillings of {n} lines" for n in (4, 5, 6)
    ]


@pytest.mark.parametrize("search", [Walks, Genetic, Uniform])
def test_a_search_stays_inside_and_repeats(search):
    sketch, task = parse(LOOP), nc.TASKS["map_dec"]
    how = dict(space=[search(sketch=sketch)], units=3, progress=False)
    first, again = (nc.synthesize(task, **how) for _ in range(2))
    assert first.tried == again.tried
    for candidate in first.solutions:
        assert is_inside(candidate.program, sketch, task.registers, near=True)
    texts = first.solutions[0].program.texts
    assert all(texts[n].startswith(kept) for n, kept in zip((0, 2, 4), KEPT))


def test_nothing_open_is_nothing_to_walk_over():
    closed = parse("! read 0 1\n! inc 1 1\n! write 0 1\n! halt")
    space = [Walks(sketch=closed), Genetic(sketch=closed)]
    found = nc.synthesize(nc.TASKS["map_dec"], space=space, progress=False)
    assert found.tried == 0 and not found.solutions
    assert searches_for("all", closed, nc.TASKS["inc"])[0] == inside(closed)
    with pytest.raises(InputError, match="has to be right already, found one"):
        nc.induce(nc.TASKS["map_dec"], start=closed, key=jax.random.key(0))


RIGHT = nc.parse("loop:\nread 1 2\ninc 2 2\nwrite 1 2\ninc 1 1\njump 3 loop")


def mended(program, **how):
    space = [Mendings(sketch_of(program))]
    task = nc.TASKS["map_inc"]
    return nc.synthesize(task, space=space, progress=False, **how)


@pytest.mark.parametrize("n", range(5))
def test_a_place_that_is_wrong_is_mended_in_one_place(n):
    rows = encode(RIGHT).astype(int)
    filler = filler_of(nc.TASKS["map_inc"], next(sketch_of(RIGHT).shapes()), near=True)
    slot = RIGHT[n].instruction.slots[0]
    rows[n, "?abo".index(slot)] = 5
    wrong = program_of(rows, filler.ground.machine)
    assert mended(wrong).solutions[0].expression == "one place changed"


def test_frozen_lines_are_not_mended():
    task, wrong = nc.TASKS["map_dec"], "loop:\nread 1 2\n! inc 2 2\n! write 1 2\n"
    sketch = parse(wrong + "inc 1 1\njump 3 loop")
    space = [Mendings(sketch)]
    found = nc.synthesize(task, space=space, units=0.2, progress=False)
    assert found.tried > 10_000
    for candidate in [*found.solutions, *found.rest.near]:
        texts = candidate.program.texts
        assert "inc 2 2" in texts and "write 1 2" in texts


def test_a_line_put_in_or_left_out_keeps_the_targets_of_jumps():
    sketch = sketch_of(nc.parse("jump 3 end\nloop:\ninc 1 1\njump 3 loop\nend:\nhalt"))
    targets = {"a line put in": [], "a line left out": []}
    for name, other in lengthened(sketch):
        jumps = [row.b for row in other.rows if row.given and row.instructions[0].jumps]
        targets[name].append(sum(jumps, ()))
    assert targets["a line put in"] == [(4, 2), (4, 1), (4, 1), (3, 1), (3, 1)]
    assert targets["a line left out"] == [(0,), (2, 1), (2,), (3, 1)]
    once = nc.parse("jump 3 loop\nloop:\nread 1 2\nwrite 1 2\ninc 1 1\njump 3 loop")
    found = mended(once).solutions[0]
    assert found.expression == "a line put in" and len(found.program) == 6


# Tuning and decoding


@pytest.fixture(scope="module")
def tuned():
    how = dict(restarts=4, steps=100, key=jax.random.key(0), progress=False)
    return nc.tune(nc.TASKS["map_dec"], parse(LOOP), **how)


def test_what_is_frozen_has_no_gradient(tuned):
    free = prepare_start(parse(LOOP), nc.TASKS["map_dec"]).free
    for before, after, may in zip(
        tuned.untuned.weights, tuned.controllers.weights, free.weights
    ):
        still = np.broadcast_to(np.asarray(may) == 0, before.shape)
        assert (np.asarray(before)[still] == np.asarray(after)[still]).all()
        moved = np.asarray(before)[~still] != np.asarray(after)[~still]
        assert moved.mean() > 0.5
    for program in tuned.programs:
        assert is_inside(program, parse(LOOP), 6, near=True)


def test_decoding_stays_inside(tuned):
    how = dict(samples=20_000, key=jax.random.key(1), clock=tuned.clock)
    task, sketch = nc.TASKS["map_dec"], parse(LOOP)
    for found in nc.decode(tuned.snapshots, task, sketch=sketch, **how):
        assert is_inside(found.program, sketch, task.registers, near=True)
    with pytest.raises(InputError, match="with shapes of 2 lines has none of 5"):
        nc.decode(tuned.snapshots, task, sketch=parse("! halt\n?"), **how)


def test_without_a_sketch_anything_may_stand_anywhere():
    limits = held(None, 5, 6)
    assert (limits.written < 0).all() and limits.allowed[:, 1].sum() == 5 * 6
    every = [len(rows) for rows in options(limits, nc.INSTRUCTIONS)]
    assert every == [2 + 3 * 36 + 6 * 216 + 36 + 6 * 5] * 5


# The whole


@pytest.mark.parametrize("space", ["all", ()])
def test_induction_keeps_what_is_frozen_and_says_what_changed(space):
    task, sketch = nc.TASKS["map_dec"], parse(LOOP)
    how = dict(space=space, key=jax.random.key(0), progress=False)
    found = nc.induce(task, start=sketch, **how)
    assert found.verified and found.how.template == sketch
    assert is_inside(found.program, sketch, task.registers, near=True)
    assert "changed since" in found.report() and "    - ?" in found.report()


def test_a_program_that_is_nearly_right_is_mended_before_anything_else():
    wrong = nc.parse("loop:\nread 1 2\ninc 2 2\nwrite 1 2\ninc 1 1\njump 3 loop")
    how = dict(key=jax.random.key(0), progress=False)
    found = nc.induce(nc.TASKS["map_dec"], start=nc.Answer(wrong, nc.Clock(5)), **how)
    assert found.how.source == "one place changed" and found.how.template == wrong
    assert [a != b for a, b in zip(wrong, found.program)] == [0, 1, 0, 0, 0]


def test_numbers_of_fillings_multiply():
    sketch = parse("?{inc,dec} ? 1\nadd ? ?{1,2} 3\n?{min,max,mul} 0 0 0")
    filler = filler_of(nc.TASKS["inc"], next(sketch.shapes()))
    assert filler.fillings == (2 * 6) * (6 * 2) * 3
    assert len({filler.program(n) for n in range(filler.fillings)}) == filler.fillings
    whole = filler_of(nc.TASKS["inc"], free_shape(1, nc.INSTRUCTIONS))
    assert whole.fillings == 2 + 3 * 36 + 6 * 216 + 36 + 6


def test_the_number_of_cores_changes_nothing(monkeypatch):
    sketch, told = parse("! read 0 1\n?\n! write 0 1\n! halt"), []
    for cores in (1, 5):
        monkeypatch.setattr("os.cpu_count", lambda: cores)
        found = nc.synthesize(nc.TASKS["inc"], space=inside(sketch), progress=False)
        told.append((found.tried, found.levels, [c.program for c in found.solutions]))
    assert told[0] == told[1]


# What a reader found


TURNED = tuple(reversed(nc.INSTRUCTIONS))


@pytest.mark.parametrize("made", [inside, lambda s: [Walks(sketch=s)]])
def test_a_sketch_of_another_table_is_refused(made):
    sketch, task = parse(LOOP), nc.TASKS["map_dec"].using(TURNED)
    with pytest.raises(InputError, match="with the instruction table of its task"):
        nc.synthesize(task, space=made(sketch), progress=False)
    with pytest.raises(InputError, match="with the instruction table of its task"):
        nc.tune(task, sketch, steps=1, restarts=1, key=jax.random.key(0))
    again = nc.synthesize(task, space=made(parse(LOOP, TURNED)), progress=False)
    assert again.solutions


def test_recovery_stays_inside_a_sketch():
    sketch, task = parse(LOOP), nc.TASKS["map_dec"]
    how = dict(restarts=4, key=jax.random.key(3), progress=False)
    how |= dict(training=nc.Training(steps=2), samples=20_000)
    found = nc.recovery(task, sketch, decode="guided", **how)
    assert found.found
    for decoded in found.found:
        assert is_inside(decoded.program, sketch, task.registers, near=True)


def test_no_filling_is_left_out():
    sketch = parse("?\n! read 0 1\n! inc 1 1\n! write 0 1\n! halt")
    filler = filler_of(nc.TASKS["inc"], next(sketch.shapes()))
    right, at = [], 0
    while some := filler.right(at, filler.fillings):
        right, at = right + some, some[-1] + 1
    how = dict(space=[Fillings(sketch)], more=10**6, progress=False)
    found = nc.synthesize(nc.TASKS["inc"], **how)
    assert found.tried == filler.fillings and len(right) > 1000
    accepted = {filler.program(n) for n in right}
    assert {c.program for c in found.solutions} <= accepted
    assert len(found.solutions) > 1000


def test_answers_of_a_sketch_keep_its_lines():
    sketch = parse("! noop\n?\n! read 0 1\n! inc 1 1\n! write 0 1\n! halt")
    how = dict(space=[Fillings(sketch)], more=2, progress=False)
    found = nc.synthesize(nc.TASKS["inc"], **how)
    assert len(found.answers) >= 2
    assert all(answer.program.texts[0] == "noop" for answer in found.answers)


def test_a_halt_that_is_one_of_several_choices_does_not_decide():
    loop = "l:\n! read 1 2\n! inc 2 2\n! write 1 2\n?{inc,dec} 1 1\n?{noop,halt}"
    assert not next(parse(loop).shapes()).halts
    space = inside(parse(loop))
    assert nc.synthesize(nc.TASKS["map_inc"], space=space, progress=False).solutions


def test_what_a_search_beside_a_guess_finds_is_its_own():
    useless = nc.parse("\n".join(["max 5 5 5"] * 9))
    task, how = nc.TASKS["access"], dict(key=jax.random.key(0), progress=False)
    found = nc.induce(task, start=useless, space=[nc.Stores()], **how)
    assert found.verified and "max 5 5 5" not in found.program.texts
    assert (found.how.template is None) == ("changed since" not in found.report())


def test_what_is_no_sketch_is_refused():
    says = "a sketch comes from parse(text), found Program. See sketch_of for one."
    assert sketch_faults(nc.parse("inc 0 0")) == [says]
    assert sketch_faults(parse("inc ? 0")) == []
    with pytest.raises(InputError, match="found a sketch with holes. Use Fillings"):
        Mendings(parse("inc ? 0"))
