"""Pictures and pages at their edges: any text, losses that are no numbers, halts."""

import re
from html import unescape
from html.parser import HTMLParser

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import neural_compile as nc
from neural_compile.assembly.verification import Instance, Verification
from neural_compile.experiments.induction import Induction
from neural_compile.explore.explorers import NOISES
from neural_compile.explore.faults import marked
from neural_compile.explore.frames import moment_svg, parting, touched
from neural_compile.explore.histories import tuning_explorer
from neural_compile.explore.pages import (
    controller_html,
    program_html,
    state_html,
    trace_html,
    tuning_html,
    verification_html,
)
from neural_compile.explore.pictures import one_hot, run_arrays
from neural_compile.explore.playground import Playground
from neural_compile.explore.reports import report_page
from neural_compile.explore.restarts import restarts_explorer
from neural_compile.explore.tunings import gradient_flow

KEY = jax.random.key(0)
PLUS_ONE = nc.parse("read 0 1\ninc 1 1\nwrite 0 1\nhalt")
MAP_INC = nc.parse("loop:\nread 1 2\ninc 2 2\nwrite 1 2\ninc 1 1\njump 3 loop")
EMPTY = ("br", "meta", "input")
SPACES = "\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\xa0"


class Text(HTMLParser):
    "The text of a page that can be copied, and of its underlined parts."

    def __init__(self, html: str):
        super().__init__()
        self.open, self.text, self.underlined = [], "", []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if tag not in EMPTY:
            style = dict(attrs).get("style") or ""
            self.open.append((tag, "user-select:none" in style))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        tags = [tag for tag, _ in self.open]
        if "pre" in tags and not any(hidden for _, hidden in self.open):
            self.text += data
        if "u" in tags:
            self.underlined.append(data)


def frames_of(explorer) -> list[str]:
    "The frames of a scrubber."
    return [unescape(frame.value) for frame in explorer.children[1].children]


def tuned_with(*watch, restarts=2, steps=60) -> nc.Tuning:
    "A short tuning from map_inc to map_dec."
    settings = dict(restarts=restarts, steps=steps, key=KEY, progress=False)
    start = nc.Start("map_inc", lines=5)
    return nc.tune(nc.TASKS["map_dec"], start, watch=watch, **settings)


@given(st.text(st.characters(codec="utf-8", exclude_characters=SPACES), max_size=60))
def test_the_playground_shows_any_text_as_it_is(text):
    html, program = marked(text)
    page = Text(html)
    rows = text.splitlines() or [""]
    shown = [row.rstrip(" \xa0") for row in page.text.split("\n")]
    assert shown == [row.rstrip(" ") for row in rows]
    assert not page.open and bool(page.underlined) == (program is None)


def test_every_fault_is_underlined_where_it_is():
    page = Text(marked("jump 0 nowhere\n  incr 1 1\ninc 1 1\nadd 1")[0])
    assert page.underlined == ["nowhere", "incr", "add 1"]


def test_a_halted_run_is_explored_to_the_end():
    controller = nc.compile_program(PLUS_ONE, nc.Machine(4, 2, 5))
    frames = frames_of(nc.explore_run(controller, [3, 1, 2, 0], steps=7))
    assert len(frames) == 8
    assert "100% halted" in frames[-1] and "Memory 0 1 2 0" in frames[-1]
    assert not any("Apart" in frame for frame in frames)


def test_a_noisy_run_says_where_it_parts():
    controller = nc.compile_program(PLUS_ONE, nc.Machine(4, 2, 4), noise=1.0, key=KEY)
    explorer = nc.explore_run(controller, [3, 1, 2, 0], steps=4, program=PLUS_ONE)
    said = "Apart from the exact run since step"
    apart = [said in frame for frame in frames_of(explorer)]
    assert not apart[0] and apart[-1] and apart == sorted(apart)


@given(st.integers(0, 4), st.integers(0, 4))
def test_runs_part_at_the_first_difference(step, other):
    "Two runs that differ at two steps part at the earlier one."
    values = np.zeros((5, 3), int)
    changed = values.copy()
    changed[step, 0] = changed[other, 2] = 1
    runs = [(one_hot(v, 3), one_hot(values, 3)) for v in (values, changed)]
    assert parting(*runs) == min(step, other)
    assert parting(runs[0], runs[0]) is None


def test_touches_are_what_the_program_names():
    machine = nc.Machine(8, 6, 6)
    program = nc.parse(
        "read 1 2\nadd 2 3 4\nwrite 1 4\njump 5 end\ninc 5 5\nend:\nnoop"
    )
    controller = nc.compile_program(program, machine)
    memory, registers = [3, 1, 2, 0, 7, 7, 7, 7], [0, 1, 0, 2, 0, 3]
    states = nc.trace(controller, memory, registers, steps=6)
    arrays = np.asarray(states.registers), np.asarray(states.line)
    touches = touched(controller.weights, *arrays, instructions=machine.instructions)

    def rows(much):
        return [sorted(np.flatnonzero(row > 0.5).tolist()) for row in much]

    assert rows(touches.registers[0])[:6] == [[1], [2, 3], [1, 4], [5], [5], []]
    assert rows(touches.registers[1])[:6] == [[2], [4], [], [], [5], []]
    assert rows(touches.memory[0])[:3] == [[1], [], []]
    assert rows(touches.memory[1])[:3] == [[], [], [1]]


@given(st.integers(1, 6), st.integers(2, 12), st.integers(1, 9), st.data())
def test_frames_of_a_run_have_one_size(steps, base, registers, data):
    "Whatever the values are, so that a page does not jump while it plays."
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    arrays = [random.dirichlet([0.3] * base, (steps, n)) for n in (base, registers)]
    run = run_arrays(*arrays, random.dirichlet([0.3] * 3, steps))
    frames = [moment_svg(run, n, "a title", other=run) for n in range(steps)]
    assert len({re.search('viewBox="[^"]*"', frame)[0] for frame in frames}) == 1


@pytest.mark.parametrize("restarts", [1, 3])
def test_losses_that_are_not_numbers_are_drawn_as_nothing(restarts):
    losses = np.full((restarts, 20), np.nan)
    losses[0, :5] = 1.0
    never = [False] * restarts
    programs = dict(before=[["noop"]] * restarts, after=[["halt"]] * restarts)
    explorer = restarts_explorer(losses, paper=never, strict=never, **programs)
    frames = [frame.value for frame in explorer.children[2].children]
    assert len(frames) == restarts and "nan" not in frames[0].split("<path")[1]


def test_a_history_is_explored_and_its_gradient_is_finite():
    history = nc.History()
    tuned = tuned_with(history)
    frames = frames_of(nc.explore_tuning(tuned, history, restart=1))
    said = [re.search(r"After (\d+) training", frame)[1] for frame in frames]
    assert said == ["0", *map(str, history.steps)]
    given = tuned.task.sample(2, seed=0)
    flow = gradient_flow(tuned.controllers[0], given, steps=5)
    assert flow.shape == (5, 5) and np.isfinite(flow).all() and flow.max() > 0
    assert len(nc.explore_restarts(tuned).children[2].children) == 2


def test_one_restart_of_a_history_is_what_the_tuning_returned():
    history = nc.History()
    tuned = tuned_with(history)
    step, weights, loss = history.of(1)[-1]
    assert step == tuned.losses.shape[1] and loss == tuned.losses[1, -1]
    for kept, last in zip(weights, tuned.controllers.weights):
        np.testing.assert_array_equal(kept, last[1])


def test_live_tuning_stops_and_starts_afresh():
    live = nc.LiveTuning()

    def press(look):
        if look.step == 100:
            live.button.click()

    stopped = tuned_with(press, live, steps=600)
    assert stopped.stopped.why is nc.Why.WATCHER and stopped.losses.shape[1] == 100
    assert live.button.disabled and "after 100 steps" in live.picture.value
    assert tuned_with(live, restarts=3).stopped is None
    assert "of 3, the one" in live.picture.value and len(live.seen[0][1]) == 3


def test_noise_takes_probability_from_the_right_values():
    machine = nc.Machine(4, 2, 4)
    explorer = nc.explore_noise(PLUS_ONE, machine, [3, 1, 2, 0], steps=4, key=KEY)
    tables = [page.children[0].value for page in explorer.children[2].children]
    shares = []
    for table, noise in zip(tables, NOISES):
        shares.append(int(re.search(rf"(\d+)% at noise {noise:g}[,.]", table)[1]))
    assert len(tables) == len(NOISES)
    assert shares[0] == 100 and shares == sorted(shares, reverse=True)


def test_explorers_refuse_what_does_not_fit():
    with pytest.raises(nc.InputError, match="one entry a moment"):
        tuning_explorer([], [0], names=["noop"], texts=[["noop"]], losses=np.ones(2))
    controller = nc.compile_program(PLUS_ONE, nc.Machine(4, 2, 4))
    with pytest.raises(nc.InputError, match="found 9"):
        nc.explore_run(controller, [9, 1, 2, 0], steps=4)


def test_a_playground_says_what_is_wrong_with_a_task_it_cannot_tune():
    "What fails on the thread of a tuning is told in the page."
    play = Playground(restarts=0)
    play.fields.tune.click()
    play.thread.join()
    assert "restarts is at least 1" in unescape(play.message.value)
    assert play.live.button.disabled and play.tuned is None


HOLES = "loop:\n! read 1 2\n?\nwrite 1 ?\n! inc 1 1\n! jump 3 loop"


def test_a_playground_fills_a_sketch_and_runs_what_comes_out():
    play = Playground(HOLES)
    assert play.fields.run.disabled and not play.fields.tune.disabled
    assert "A sketch: 5 rows, 2 with something open" in play.faults.value
    assert "has holes" in unescape(play.message.value)
    play.fields.fill.click()
    assert "Filled for map_dec" in unescape(play.message.value)
    program = nc.parse(play.fields.code.value)
    assert program[0].text() == "read 1 2" and play.fields.fill.disabled
    play.fields.run.click()
    assert "15 steps, base 8" in unescape(play.message.value)


@pytest.mark.parametrize("program", [PLUS_ONE, MAP_INC, nc.parse("a:\nb1:\nnoop")])
def test_a_program_copied_from_its_page_is_the_program(program):
    page = Text(program_html(program, nc.Clock(per_cell=5)))
    assert nc.parse(page.text) == program and not page.open


def test_pages_of_objects_are_closed_hold_no_script_and_no_address():
    tuned = tuned_with()
    controller = nc.compile_program(PLUS_ONE, nc.Machine(4, 2, 4), noise=0.1, key=KEY)
    answer = nc.Answer(MAP_INC, nc.Clock(per_cell=5))
    wrong = answer.verify(nc.TASKS["map_dec"])
    pages = {
        "trace": trace_html(answer.run([3, 1, 2], base=4).trace),
        "controller": controller_html(controller),
        "restarts": controller_html(tuned.controllers),
        "state": state_html(nc.run(controller, [3, 1, 2, 0], steps=9)),
        "states": state_html(nc.trace(controller, [3, 1, 2, 0], steps=9)),
        "verdict": verification_html(wrong),
        "tuning": tuning_html(tuned),
    }
    for name, page in pages.items():
        assert not Text(page).open, name
        assert "<script" not in page, name
        assert set(re.findall(r"\w+://[^\"]*", page)) <= {"http://www.w3.org/2000/svg"}
    assert "2 restarts, of which the first" in pages["restarts"]
    assert "halted" in pages["state"] and "<svg" not in pages["states"]
    assert "✗ wrong on" in pages["verdict"] and "expected" in pages["verdict"]


def test_cells_that_are_not_checked_are_dots_in_a_counterexample():
    wrong = ([1, 2], [0], [3, None])
    page = verification_html(Verification((Instance(1, 4, 10, "unseen", 1, wrong),)))
    assert "expected   3 ·" in page


def test_a_report_of_nothing_and_of_a_name_with_markup():
    page = report_page(Induction("<b>&", 8, 5))
    assert "<title>&lt;b&gt;&amp;: no program found</title>" in page
    assert not Text(page).open and "A run" not in page


def test_a_report_shows_every_look_that_was_kept():
    history = nc.History()
    tuned = tuned_with(history, steps=300)
    answer = tuned.answers[0]
    found = Induction("map_dec", 8, 5, answer, verification=answer.verify(tuned.task))
    found.controller, found.history = tuned.controllers[0], history.of(0)
    page = report_page(found)
    assert not Text(page).open
    run, watched = page.split('id="the-tuning"')
    assert watched.count('class="frame"') == len(history.steps)
    assert run.count('class="frame"') == 1 + answer.clock.steps(5)
