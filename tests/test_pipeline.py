"""From tasks to a verified program: what `induce` promises, and what it may spend."""

import json
import math

import jax
import pytest

import neural_compile as nc
from neural_compile.assembly.answers import Stopped, Why
from neural_compile.assembly.suite import sized
from neural_compile.experiments import induce as pipeline
from neural_compile.experiments.budgets import SCHEDULE, scaled
from neural_compile.experiments.induction import Attempt, How, Induction, Way, Work
from neural_compile.experiments.recovery import guided, recovered
from neural_compile.loss.starts import prepare_start
from neural_compile.loss.training import Training
from neural_compile.synthesis.search import Progress, Search

KEY = jax.random.key(9)  # With which templates alone do not lead to it
SEEDED = nc.TASKS["fibonacci_seeded"]


@pytest.fixture(scope="module")
def tuned():
    "Found by tuning, as the language does not contain it."
    return nc.induce(SEEDED, space="language", key=KEY, progress=False)


def test_what_the_language_lacks_is_found_in_weights(tuned):
    assert tuned.verified and tuned.work.attempts
    assert tuned.how.way in (Way.AROUND, Way.ARGMAX, Way.TUNED, Way.UNTUNED)
    assert len(tuned.verification.instances) == 6
    ran = nc.execute(
        tuned.program,
        [0] * 8,
        [0, 3, 1, 0, 0, 0],
        base=8,
        steps=tuned.clock.steps(5),
    )
    assert ran.memory[:5] == [4, 5, 1, 6, 7]


def test_the_report_says_how_it_went(tuned):
    report = tuned.report()
    assert str(tuned.how) in report and str(tuned.program) in report
    assert "strictly verified" in report and "  tuned " in report
    if tuned.how.template:
        assert f"changed since its template {tuned.how.source}" in report


def test_the_same_key_gives_the_same_induction(tuned):
    again = nc.induce(SEEDED, space="language", key=KEY, progress=False)
    assert again.answer == tuned.answer and again.how == tuned.how
    assert again.work.units == tuned.work.units


def test_a_saved_induction_is_the_same(tuned, tmp_path):
    nc.save(tuned, tmp_path / "x.safetensors")
    again = nc.load(tmp_path / "x.safetensors")
    assert again.answer == tuned.answer and again.how == tuned.how
    assert again.report() == tuned.report() and again.summary() == tuned.summary()
    assert nc.decompile(again.controller) == nc.decompile(tuned.controller)


def test_a_summary_is_json_whatever_happened():
    lost = Work([("here", 3, 1)], ["a"], [Attempt("a", 2, 50, None, 0, 0)])
    stopped = Stopped(Why.TIME, "in here")
    x = Induction("sort", 11, 5, work=lost, stopped=stopped)
    strict = dict(parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    known = json.loads(json.dumps(x.summary()), **strict)
    assert known["program"] is None and known["attempts"][0]["loss"] is None
    assert known["stopped"] == "stopped by the time limit in here"
    assert "no finite loss" in x.report() and "no program found" in x.report()


@pytest.mark.parametrize("way", Way)
def test_every_way_has_its_sentence(way):
    how = How(way, "map_inc", 400, 3, 52_402)
    assert "{" not in str(how)
    assert (how.source in str(how)) == (way is not Way.NOTHING)


def test_a_task_by_function():
    task = nc.Task.from_function(
        lambda x: [v * v for v in x],
        base=7,
        cells=3,
        family=[(1, 7), (3, 14), (6, 15)],
        name="squares",
    )
    found = nc.induce(task, key=KEY, progress=False)
    assert found.verified and found.run([2, 3, 4]).memory[:3] == [4, 2, 2]


def test_an_answer_brings_the_constants_of_its_task():
    found = nc.induce(nc.TASKS["map_parity"], key=KEY, progress=False)
    assert found.answer.registers == (0, 0, 0, 0, 0, 2)
    assert found.run([3, 4, 5]).memory[:3] == [1, 0, 1]


def test_a_start_of_ones_own_is_tuned_first():
    "The program is one instruction away, and nothing is enumerated."
    start = nc.parse("loop:\nread 0 1\ninc 1 1\nwrite 0 1\ninc 0 0\njump 2 loop")
    task = nc.TASKS["map_dec"]
    found = nc.induce(task, space=(), start=start, key=KEY, progress=False)
    assert found.verified and found.how.source == "program"
    assert not found.work.levels


def test_a_task_of_other_instructions(tmp_path):
    curve = nc.Instruction("curve", "a o", lambda a, b: a * a + 3)
    table = (*nc.INSTRUCTIONS, curve)
    inputs = [[n] for n in range(11)]
    outputs = [[(n * n + 3) % 11] for n in range(11)]
    task = nc.Task.from_examples(inputs, outputs, base=11, instructions=table)
    found = nc.induce(task, key=KEY, progress=False)
    assert found.verified and "curve" in str(found.program)
    nc.save(found, tmp_path / "x.safetensors")
    again = nc.load(tmp_path / "x.safetensors", instructions=table)
    assert again.answer == found.answer


# What a search may spend


def test_a_time_limit_ends_the_search_and_the_report_says_how_far_it_got():
    options = dict(space="language", key=KEY, time_limit=3, progress=False)
    found = nc.induce(nc.TASKS["list_k"], **options)
    assert not found.verified and "candidates enumerated" in found.report()
    assert found.stopped.why is Why.TIME
    with pytest.raises(nc.InputError, match="no program was found for list_k"):
        found.run([1])


class Endless(Search):
    "Candidates without end, none of them right."

    def search(self, task, memory_limit=2e9):
        while True:
            yield Progress("endless", 100, 0)


def test_a_small_budget_is_spent_and_not_more():
    "In a budget that pays for few attempts, both stages have their turn."
    options = dict(space=[Endless()], key=KEY, progress=False)
    task = sized(nc.TASKS["sort"], base=8, cells=5)
    found = nc.induce(task, budget=0.25, **options)
    assert found.stopped == Stopped(Why.BUDGET)
    assert found.work.levels and found.work.attempts
    assert 15 < found.work.units < 30.1  # The last part of a search may overdraw it


def test_searches_go_on_between_rounds_of_tuning(monkeypatch):
    said, real = [], pipeline.tune

    def tune(*given, **how):
        said.append("tune")
        return real(*given, **how)

    class Logged(Endless):
        def search(self, task, memory_limit=2e9):
            for part in super().search(task):
                said.append("search")
                yield part

    monkeypatch.setattr(pipeline, "tune", tune)
    task = sized(nc.TASKS["sort"], base=8, cells=5)
    nc.induce(task, space=[Logged()], budget=0.3, key=KEY, progress=False)
    turns = [what for n, what in enumerate(said) if said[n - 1 : n] != [what]]
    assert turns[:4] == ["search", "tune", "search", "tune"]


def test_searches_spend_what_tuning_cannot():
    "Ten units do not pay for compiling; walks need three of them here."
    task = nc.suites["recurrences"]["max_of_sums"]
    found = nc.induce(task, budget=10 / 120, key=KEY, progress=False)
    assert found.verified and not found.work.attempts
    assert 1.25 < found.work.units < 10.1 and found.how.way is Way.WALKED


def test_a_schedule_is_scaled_to_what_it_may_spend():
    task = nc.TASKS["map_inc"]
    start = prepare_start("random", task)
    assert scaled(SCHEDULE, 1e6, start, task) == list(SCHEDULE)
    short = scaled(SCHEDULE, 20, start, task)
    assert all(a.samples < b.samples for a, b in zip(short, SCHEDULE))
    assert [r.starts for r in short] == [r.starts for r in SCHEDULE]
    assert min(r.steps for r in short) >= 50


@pytest.mark.parametrize(
    "wrong, says",
    [
        (dict(budget=0), "budget is more than 0, found 0"),
        (dict(budget=math.nan), "budget is more than 0, found nan"),
        (dict(time_limit=-1), "time_limit is more than 0 seconds"),
        (dict(schedule=()), "at least one round"),
        (dict(space="everything"), "space is one of language, stores"),
        (dict(start="nowhere"), "nowhere"),
    ],
)
def test_what_cannot_be_meant_is_refused(wrong, says):
    with pytest.raises((nc.InputError, KeyError), match=says):
        nc.induce(nc.TASKS["sort"], key=KEY, progress=False, **wrong)


@pytest.mark.parametrize("stage", ["synthesize", "tune", "decodings"])
def test_an_interrupt_at_any_stage_keeps_the_induction(stage, monkeypatch):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, stage, interrupt)
    space = [nc.Expressions(size=2)]
    found = nc.induce(nc.TASKS["sort"], space=space, key=KEY, progress=False)
    assert found.stopped == Stopped(Why.INTERRUPTED) and not found.verified
    assert "interrupted" in found.report()
    assert found.work.levels or stage == "synthesize"


# How often


def test_recovery_counts_what_tuning_and_decoding_found():
    options = dict(restarts=8, samples=50_000, key=KEY, progress=False)
    training = Training(steps=300)
    rates = nc.recovery(
        nc.TASKS["map_dec"], "map_inc", decode="guided", training=training, **options
    )
    argmax = nc.recovery(nc.TASKS["map_dec"], "map_inc", training=training, **options)
    assert (rates.tuning.losses == argmax.tuning.losses).all()
    assert argmax.strict.hits == argmax.tuning.strict.sum()
    assert recovered(rates) >= recovered(argmax)
    again = guided(rates.tuning, KEY, samples=50_000)
    assert [d.answer for d in again] == [d.answer for d in rates.found]
    assert all(d.answer.verify(rates.tuning.task) for d in rates.found)


def test_recovery_goes_on_with_given_weights():
    "As many restarts as there are weights."
    task, few = nc.TASKS["inc"], Training(steps=50)
    first = nc.tune(task, "random", few, restarts=3, key=KEY, progress=False)
    rates = nc.recovery(task, first.controllers, training=few, key=KEY, progress=False)
    assert rates.paper.runs == rates.strict.runs == 3
    assert rates.tuning.losses[:, 0].mean() < first.losses[:, 0].mean()


def test_a_rate_without_hits_has_an_interval_from_0():
    assert nc.Rate(0, 10).low == 0 and nc.Rate(10, 10).high == pytest.approx(1)
