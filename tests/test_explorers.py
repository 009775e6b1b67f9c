"""Explorers at their edges: any text in the playground, losses that are not numbers, runs that halt, one restart."""

from html import unescape
from html.parser import HTMLParser

import jax
import numpy as np
import pytest
from hypothesis import given, strategies as st

import neural_compile as nc
from neural_compile.explore.pictures import touched
from neural_compile.explore.histories import restarts_explorer, tuning_explorer
from neural_compile.explore.playground import NOISES, gradient_flow, marked

KEY = jax.random.key(0)
PLUS_ONE = nc.parse("read 0 1\ninc 1 1\nwrite 0 1\nhalt")


class Text(HTMLParser):
    "The text of a page and of its underlined parts."

    def __init__(self, html: str):
        super().__init__()
        self.open, self.text, self.underlined = [], "", []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "pre" in self.open:
            self.text += data
        if "u" in self.open:
            self.underlined.append(data)


@given(
    st.text(
        st.characters(
            codec="utf-8",
            exclude_characters="\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\xa0",
        ),
        max_size=60,
    )
)
def test_the_playground_shows_any_text_as_it_is(text):
    html, program = marked(text)
    page = Text(html)
    rows = text.splitlines() or [""]
    assert [row.rstrip(" \xa0") for row in page.text.split("\n")] == [
        row.rstrip(" ") for row in rows
    ]
    assert not page.open and bool(page.underlined) == (program is None)


def test_every_fault_is_underlined_where_it_is():
    page = Text(marked("jump 0 nowhere\n  incr 1 1\ninc 1 1\nadd 1")[0])
    assert page.underlined == ["nowhere", "incr", "add 1"]


def test_a_halted_run_is_explored_to_the_end():
    explorer = nc.explore_run(
        nc.compile_program(PLUS_ONE, nc.Machine(4, 2, 5)), [3, 1, 2, 0], steps=7
    )
    frames = [unescape(frame.value) for frame in explorer.children[1].children]
    assert (
        len(frames) == 8
        and "100% halted" in frames[-1]
        and "Memory 0 1 2 0" in frames[-1]
    )
    assert not any("Apart" in frame for frame in frames)


def test_a_noisy_run_says_where_it_parts():
    controller = nc.compile_program(PLUS_ONE, nc.Machine(4, 2, 4), noise=1.0, key=KEY)
    frames = [
        frame.value
        for frame in nc.explore_run(controller, [3, 1, 2, 0], steps=4, program=PLUS_ONE)
        .children[1]
        .children
    ]
    apart = ["Apart from the exact run since step" in frame for frame in frames]
    assert not apart[0] and apart[-1] and apart == sorted(apart)


def test_touches_are_what_the_program_names():
    machine = nc.Machine(8, 6, 6)
    program = nc.parse(
        "read 1 2\nadd 2 3 4\nwrite 1 4\njump 5 end\ninc 5 5\nend:\nnoop"
    )
    states = nc.trace(
        nc.compile_program(program, machine),
        [3, 1, 2, 0, 7, 7, 7, 7],
        [0, 1, 0, 2, 0, 3],
        steps=6,
    )
    weights = [np.asarray(W) for W in nc.compile_program(program, machine).weights]
    touches = touched(
        weights,
        np.asarray(states.registers),
        np.asarray(states.line),
        instructions=machine.instructions,
    )
    rows = lambda much: [sorted(np.flatnonzero(row > 0.5).tolist()) for row in much]
    assert rows(touches.registers[0])[:6] == [[1], [2, 3], [1, 4], [5], [5], []]
    assert rows(touches.registers[1])[:6] == [[2], [4], [], [], [5], []]
    assert rows(touches.memory[0])[:3] == [[1], [], []] and rows(touches.memory[1])[
        :3
    ] == [[], [], [1]]


@pytest.mark.parametrize("restarts", [1, 3])
def test_losses_that_are_not_numbers_are_drawn_as_nothing(restarts):
    losses = np.full((restarts, 20), np.nan)
    losses[0, :5] = 1.0
    explorer = restarts_explorer(
        losses,
        paper=[False] * restarts,
        strict=[False] * restarts,
        before=[["noop"]] * restarts,
        after=[["halt"]] * restarts,
    )
    assert (
        len(explorer.children[2].children) == restarts
        and "nan" not in explorer.children[2].children[0].value.split("<path")[1]
    )


def test_a_history_is_explored_and_its_gradient_is_finite():
    history = nc.History()
    tuned = nc.tune(
        nc.TASKS["map_dec"],
        "map_inc",
        restarts=2,
        steps=60,
        key=KEY,
        callback=history,
        progress=False,
    )
    explorer = nc.explore_tuning(tuned, history, restart=1)
    assert [
        words.split(" training")[0].split()[-1]
        for words in (frame.value for frame in explorer.children[1].children)
    ] == ["0", *map(str, history.steps)]
    flow = gradient_flow(tuned.controllers[0], tuned.task.sample(2, seed=0), steps=5)
    assert flow.shape == (5, 5) and np.isfinite(flow).all() and flow.max() > 0
    assert len(nc.explore_restarts(tuned).children[2].children) == 2


def test_noise_takes_probability_from_the_right_values():
    explorer = nc.explore_noise(
        PLUS_ONE, nc.Machine(4, 2, 4), [3, 1, 2, 0], steps=4, key=KEY
    )
    pages = explorer.children[2].children
    shares = [
        int(page.children[0].value.split(f"% at noise {noise:g}")[0].split()[-1])
        for page, noise in zip(pages, NOISES)
    ]
    assert (
        len(pages) == len(NOISES)
        and shares[0] == 100
        and shares == sorted(shares, reverse=True)
    )


def test_explorers_refuse_what_does_not_fit():
    with pytest.raises(nc.InputError, match="one entry a moment"):
        tuning_explorer([], [0], names=["noop"], texts=[["noop"]], losses=np.ones(2))
    with pytest.raises(nc.InputError, match="found 9"):
        nc.explore_run(
            nc.compile_program(PLUS_ONE, nc.Machine(4, 2, 4)), [9, 1, 2, 0], steps=4
        )
