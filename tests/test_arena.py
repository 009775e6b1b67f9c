"""The arena judges what rivals claim, by itself, and keeps what it has judged."""

import json
from pathlib import Path

import pytest

import neural_compile as nc
from neural_compile.assembly.verification import Clock
from neural_compile.experiments import arena as module
from neural_compile.experiments.arena import RIVALS, load_arena
from neural_compile.experiments.rivals import Limits, Offer

RECORD = Path(__file__).parent.parent / "results/arena.json"
SMALL = dict(limits=Limits(units=0.2), progress=False)


def liar(task, limits):
    "Says of every task that it is to add one to each cell."
    return Offer(nc.template("map_inc").answer, "a lie", 0.0)


@pytest.fixture
def met(tmp_path, monkeypatch):
    monkeypatch.setitem(RIVALS, "liar", liar)
    return nc.arena("development", tmp_path, rivals=["walks", "liar"], **SMALL)


def test_answers_are_judged_by_the_arena_and_not_by_the_rival(met):
    assert not any(r["strict"] for r in met.results["liar"].values())
    assert all(r["answer"] for r in met.results["liar"].values())
    solved = [task for task, r in met.results["walks"].items() if r["strict"]]
    assert {"double", "running_sum"} & set(solved)
    rows = repr(met).splitlines()
    assert rows[1].split()[:2] == ["walks", str(len(solved))]
    assert rows[2].split() == ["liar", "0", "of", "10", "10", "never"]


def test_nobody_meets_twice(met, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "meet", lambda settings: 1 / 0)
    again = nc.arena("development", tmp_path, rivals=["walks", "liar"], **SMALL)
    assert again.records == met.records
    with pytest.raises(nc.InputError, match="units is 0.2, asked for 3.0"):
        other = dict(SMALL, limits=Limits(units=3.0))
        nc.arena("development", tmp_path, rivals=["walks"], **other)


def test_what_is_saved_is_what_is_loaded(met, tmp_path):
    met.save(tmp_path / "kept.json")
    kept = load_arena(tmp_path / "kept.json")
    assert kept.records == json.loads(json.dumps(met.records))
    assert repr(kept) == repr(met) and not kept.of("paper").records
    met.plot()


def test_another_key_is_another_row(met, tmp_path):
    other = dict(SMALL, limits=Limits(units=0.2, key=3))
    again = nc.arena("development", tmp_path, rivals=["walks"], **other)
    assert list(again.results) == ["walks, key 3"]
    assert set(again.records).isdisjoint(met.records)
    both = module.Arena({**met.records, **again.records})
    assert list(both.results) == ["walks", "liar", "walks, key 3"]


def claimed():
    "Every answer of the record that was right, as (suite, task, program, clock)."
    found = set()
    for record in load_arena(RECORD).records.values():
        result, settings = record["result"], record["settings"]
        if result["strict"] and "program" in result["answer"]:
            clock = tuple(result["answer"]["clock"].values())
            where = settings["suite"], settings["task"]
            found.add((*where, result["answer"]["program"], clock))
    return sorted(found)


def test_every_program_of_the_record_is_right_when_it_is_run_again():
    for suite, task, program, clock in claimed():
        answer = nc.Answer(nc.parse(program), Clock(*clock))
        assert answer.verify(nc.suites[suite][task]), (task, program)


@pytest.mark.parametrize(
    "wrong, says",
    [
        (dict(suite="nothing"), "a suite is one of paper"),
        (dict(suite="paper", rivals=[]), "found none"),
        (dict(suite="paper", rivals=["luck"]), r"found \['luck'\]"),
        (dict(suite="paper", limits=Limits(units=0)), "found 0 units"),
    ],
)
def test_an_arena_that_cannot_be_is_refused(wrong, says):
    with pytest.raises(nc.InputError, match=says):
        nc.arena(**wrong)
