"""Workers: the same numbers here and there, whatever fails, dies or fills up."""

import builtins
import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner
from workloads import drawn, told

from neural_compile.assembly.programs import InputError
from neural_compile.cli import app
from neural_compile.experiments.arena import meetings
from neural_compile.experiments.campaigns import CampaignError, campaign, write_json
from neural_compile.experiments.claims import claiming
from neural_compile.experiments.entries import measure_any
from neural_compile.experiments.jobs import Allowance, EntryJob, Exceeded
from neural_compile.experiments.settings import TUNERS, table_cells
from neural_compile.experiments.workers import AHEAD, UNKNOWN, outcomes, workers

QUIET = dict(progress=False)


def results(records):
    "What was measured, without who did it."
    return {
        name: {k: v for k, v in record["result"].items() if k not in ("pid", "seconds")}
        for name, record in records.items()
    }


@pytest.fixture(scope="module")
def pair():
    "Two workers, for all tests here."
    with workers(2) as executor:
        yield executor


DRAWN = {f"k{key}": {"key": key} for key in range(6)}
TABLE = {
    name: cell
    for name, cell in table_cells(TUNERS, tasks=("map_inc", "inc")).items()
    if name.startswith("enumeration.language")
}


def test_the_same_numbers_here_on_one_worker_on_two_and_in_any_order(tmp_path, pair):
    here = campaign(DRAWN, drawn, tmp_path / "here", **QUIET)
    two = campaign(DRAWN, drawn, tmp_path / "two", executor=pair, **QUIET)
    turned = dict(reversed(DRAWN.items()))
    back = campaign(turned, drawn, tmp_path / "back", executor=pair, **QUIET)
    assert results(here) == results(two) == results(back)
    assert os.getpid() not in {record["result"]["pid"] for record in two.values()}
    assert list(back) == list(turned)


def test_entries_of_the_table_are_the_same_on_a_worker(tmp_path, pair):
    here = campaign(TABLE, measure_any, tmp_path / "here", **QUIET)
    there = campaign(TABLE, measure_any, tmp_path / "there", executor=pair, **QUIET)
    assert results(here) == results(there)
    found = {name: record["result"]["hits"] for name, record in here.items()}
    assert found["enumeration.language.map_inc"] == {"guided": 1}


def test_one_worker_does_as_two(tmp_path, pair):
    two = campaign(DRAWN, drawn, tmp_path / "two", executor=pair, **QUIET)
    with workers(1) as one:
        alone = campaign(DRAWN, drawn, tmp_path / "one", executor=one, **QUIET)
    assert results(alone) == results(two)
    assert len({record["result"]["pid"] for record in alone.values()}) == 1


def test_an_interrupted_campaign_goes_on_elsewhere_to_the_same_numbers(tmp_path, pair):
    def stopped(settings):
        if settings["key"] == 3:
            raise KeyboardInterrupt
        return drawn(settings)

    begun = campaign(DRAWN, stopped, tmp_path, **QUIET)
    assert list(begun) == ["k0", "k1", "k2"]
    on = campaign(DRAWN, drawn, tmp_path, executor=pair, **QUIET)
    assert all(on[name] == record for name, record in begun.items())
    whole = campaign(DRAWN, drawn, tmp_path / "whole", **QUIET)
    assert results(on) == results(whole)


FAULTS = {
    "raise": ({}, "ZeroDivisionError: as told"),
    "loop": (dict(seconds=0.3), "Exceeded: it took longer than 0.3 s"),
    "grow": (dict(memory=2e9), "Exceeded: its process has"),
    "die": ({}, "KilledWorker"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_others_go_on_and_the_fault_is_named(tmp_path, pair, fault):
    allow, says = FAULTS[fault]
    entries = {f"n{n}": {"n": n} for n in range(8)}
    entries["n2"]["do"] = fault
    how = dict(executor=pair, allow=Allowance(tries=1, **allow), **QUIET)
    if fault == "die":
        how["allow"] = Allowance(tries=2)  # Its neighbours are tried again
    with pytest.raises(CampaignError, match="1 of 8 entries") as raised:
        campaign(entries, told, tmp_path, **how)
    assert says in str(raised.value) and list(raised.value.reasons) == ["n2"]
    assert set(raised.value.records) == set(entries) - {"n2"}
    assert {path.stem for path in tmp_path.glob("*.json")} == set(entries) - {"n2"}


def test_a_worker_that_is_killed_loses_nothing(tmp_path, pair):
    def kill():
        while not (there := list(tmp_path.glob("*.json"))):
            time.sleep(0.01)
        os.kill(json.loads(there[0].read_text())["result"]["pid"], signal.SIGKILL)

    entries = {f"k{key}": {"key": key} for key in range(60)}
    threading.Thread(target=kill).start()
    records = campaign(entries, drawn, tmp_path, executor=pair, **QUIET)
    assert len(records) == 60
    expected = {name: drawn(cell)["drawn"] for name, cell in list(entries.items())[:5]}
    assert {n: records[n]["result"]["drawn"] for n in expected} == expected


class Scripted(Executor):
    "Runs nothing: each submission has the next outcome; records what was alone."

    def __init__(self, script):
        self.script, self.open, self.alone = script, [], []

    def submit(self, fn, /, *args, key, **options):
        name = key[1]
        todo = self.script[name]
        outcome = todo.pop(0) if todo else None
        future: Future = Future()
        self.open = [f for f in self.open if not f.done()]
        self.alone.append((name, not self.open))
        self.open.append(future)
        threading.Timer(0.001, self.finish, (future, fn, outcome)).start()
        return future

    def finish(self, future, fn, outcome):
        if outcome is None:
            future.set_result(fn())
        elif outcome == "lost":
            future.cancel()
            future.set_running_or_notify_cancel()
        else:
            future.set_exception(outcome)


OUTCOMES = st.sampled_from([ValueError("a"), BrokenExecutor("b"), "lost", None])

SCRIPTS = st.lists(st.lists(OUTCOMES, max_size=4), min_size=1, max_size=6)


@settings(max_examples=30)
@given(SCRIPTS, st.integers(1, 4))
def test_every_job_has_one_outcome_within_its_tries(scripts, tries):
    script = {str(n): list(outcomes) for n, outcomes in enumerate(scripts)}
    executor = Scripted({name: list(todo) for name, todo in script.items()})
    allow = Allowance(tries=tries)
    jobs = {name: EntryJob(told, {"n": name}, allow) for name in script}
    found = list(outcomes(jobs, executor))
    assert sorted(name for name, _ in found) == sorted(script)
    for name, outcome in found:
        todo = [*script[name], None][:tries]
        right = None in todo
        assert (outcome == {"n": name}) if right else isinstance(outcome, Exception)
        sent = [alone for other, alone in executor.alone if other == name]
        assert len(sent) == (todo.index(None) + 1 if right else tries)
        for before, alone in zip(todo, sent[1:]):
            assert alone or not isinstance(before, BrokenExecutor)


def test_an_interrupt_at_any_moment_is_told(tmp_path):
    "Also before an entry begins, and when it is just about to end."
    entries = {f"n{n}": {"n": n} for n in range(19)}
    for seconds in (1e-9, 1e-5, 1e-4, 1e-3):
        allow = Allowance(seconds=seconds, tries=1)
        jobs = {name: EntryJob(told, how, allow) for name, how in entries.items()}
        for name, outcome in outcomes(jobs, None):
            right = outcome == {"n": entries[name]["n"]}
            assert right or isinstance(outcome, Exceeded)


def test_bad_input_is_not_tried_again(tmp_path):
    calls = []

    def refused(settings):
        calls.append(settings)
        raise InputError("a rule")

    with pytest.raises(CampaignError, match="InputError: a rule"):
        campaign({"n1": {}}, refused, tmp_path, **QUIET)
    assert len(calls) == 1


def test_a_campaign_in_which_nothing_works_ends(tmp_path):
    entries = {f"n{n}": {"n": n, "do": "raise"} for n in range(100)}
    with pytest.raises(CampaignError, match="80 were not tried") as raised:
        campaign(entries, told, tmp_path, **QUIET)
    assert isinstance(raised.value.__cause__, ZeroDivisionError)


def test_a_broken_pool_is_told_and_a_new_one_goes_on(tmp_path):
    "A pool of the standard library is broken for good when a process of it dies."
    entries = {f"n{n}": {"n": n, "do": "die" if n == 1 else ""} for n in range(3)}
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        with pytest.raises(CampaignError, match="BrokenProcessPool"):
            campaign(entries, told, tmp_path, executor=pool, **QUIET)
    done = {path.stem for path in tmp_path.glob("*.json")}
    assert "n1" not in done


def test_what_json_does_not_know_is_the_fault_of_its_entry(tmp_path):
    odd = lambda settings: {"set": {1, 2}} if settings["n"] else {"pair": (1, 2)}
    with pytest.raises(CampaignError, match="n1: TypeError") as raised:
        campaign({"n0": {"n": 0}, "n1": {"n": 1}}, odd, tmp_path, **QUIET)
    kept = campaign({"n0": {"n": 0}}, odd, tmp_path, **QUIET)["n0"]
    assert kept == raised.value.records["n0"] and kept["result"] == {"pair": [1, 2]}


@pytest.fixture
def full(tmp_path, monkeypatch):
    "A disk without room for one record; other folders have some."
    real = os.replace

    def replace(part, path):
        if Path(path).parent == tmp_path and Path(path).name == "n3.json":
            raise OSError(errno.ENOSPC, "No space left on device")
        real(part, path)

    monkeypatch.setattr(os, "replace", replace)


def test_a_full_disk_loses_no_record(tmp_path, full):
    entries = {f"n{n}": {"n": n} for n in range(6)}
    with pytest.raises(CampaignError, match="No space left") as raised:
        campaign(entries, told, tmp_path, **QUIET)
    assert raised.value.records["n3"]["result"] == {"n": 3}
    kept = Path(str(raised.value).split("kept as ")[1].split(". Make")[0])
    kept = campaign({"n3": {"n": 3}}, told, kept.parent, **QUIET)["n3"]
    assert kept == raised.value.records["n3"]
    assert sorted(os.listdir(tmp_path)) == ["n0.json", "n1.json", "n2.json"]


def test_a_folder_that_cannot_be_written_to_is_told_before_anything_runs(tmp_path):
    (tmp_path / "file").write_text("")
    calls = []
    for folder in (tmp_path / "file", tmp_path / "file" / "below", "/proc/none"):
        with pytest.raises(InputError, match="can be written to.*Give another"):
            campaign({"n1": {}}, calls.append, folder, **QUIET)
    assert not calls


def test_two_processes_on_one_folder(tmp_path):
    "Threads here, which take turns more often: each run complete, each entry once."
    entries, measured = {f"n{n}": {"n": n} for n in range(40)}, []

    def measure(settings):
        measured.append(settings["n"])
        time.sleep(0.001)
        return told(settings)

    run = partial(campaign, entries, measure, tmp_path, **QUIET)
    with ThreadPoolExecutor(4) as pool:
        all_of = [future.result() for future in [pool.submit(run) for _ in "abcd"]]
    assert all(records == all_of[0] for records in all_of)
    assert sorted(measured) == list(range(40))
    assert sorted(os.listdir(tmp_path)) == sorted(f"{name}.json" for name in entries)


def test_what_another_process_has_measured_is_not_measured_again(tmp_path):
    entries, mine = {f"n{n}": {"n": n} for n in range(4)}, []

    def measure(settings):
        mine.append(settings["n"])
        if settings["n"] == 0:  # Another process is done with these meanwhile
            campaign({n: entries[n] for n in ("n1", "n2")}, told, tmp_path, **QUIET)
        return told(settings)

    records = campaign(entries, measure, tmp_path, **QUIET)
    assert mine == [0, 3]
    assert results(records) == {name: {"n": e["n"]} for name, e in entries.items()}


def test_what_fails_elsewhere_is_tried_here(tmp_path):
    "A claim that is released without a record is free."
    entries, begun = {f"n{n}": {"n": n} for n in range(3)}, threading.Event()

    def fails(settings):
        begun.set()
        time.sleep(0.2)
        raise InputError("not here")

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(campaign, {"n0": {"n": 0}}, fails, tmp_path, **QUIET)
        begun.wait()
        records = campaign(entries, told, tmp_path, **QUIET)
        assert isinstance(other.exception(), CampaignError)
    assert list(records) == list(entries)
    assert not list(tmp_path.glob("*.claim"))


ABANDONED = {"of a process that ended": {"pid": 2**22 + 1}}
if Path("/proc/self/stat").exists():  # It says when a process began
    ABANDONED["of a process with the same number"] = {"began": "1"}


@pytest.mark.parametrize("claim", ABANDONED)
def test_claims_that_are_abandoned_hold_nobody_up(tmp_path, claim):
    "They are taken over at once, or removed if the record is there."
    with claiming(tmp_path) as claims:
        assert claims.take("n1")
        said = json.loads((tmp_path / "n1.claim").read_bytes())
    left = json.dumps({**said, **ABANDONED[claim]})
    for _ in ("no record is there", "its record is there"):
        (tmp_path / "n1.claim").write_text(left)
        assert list(campaign({"n1": {"n": 1}}, told, tmp_path, **QUIET)) == ["n1"]
        assert os.listdir(tmp_path) == ["n1.json"]


@pytest.mark.parametrize("left", [b"", b"[]", b'{"host": ', b"\xff"])
def test_claims_that_say_nothing_hold_up_for_a_while(tmp_path, left, monkeypatch):
    monkeypatch.setattr("neural_compile.experiments.claims.STALE", 0.3)
    (tmp_path / "n1.claim").write_bytes(left)
    begun = time.monotonic()
    records = campaign({"n1": {"n": 1}, "n2": {"n": 2}}, told, tmp_path, **QUIET)
    assert list(records) == ["n1", "n2"] and time.monotonic() - begun > 0.3
    assert sorted(os.listdir(tmp_path)) == ["n1.json", "n2.json"]


@pytest.mark.parametrize("call", ["open", "rename", "link", "utime", "unlink"])
def test_where_claims_cannot_be_made_entries_are_measured(tmp_path, call, monkeypatch):
    "Each of the calls that claims need fails, one by one."
    monkeypatch.setattr("neural_compile.experiments.claims.STALE", 0.0)
    (tmp_path / "n1.claim").write_text("?")
    real = getattr(os, call)

    def fails(path, *how, **options):
        if str(path).endswith(".claim"):
            raise OSError(errno.EPERM, "Operation not permitted")
        return real(path, *how, **options)

    monkeypatch.setattr(os, call, fails)
    records = campaign({"n1": {"n": 1}, "n2": {"n": 2}}, told, tmp_path, **QUIET)
    assert results(records) == {"n1": {"n": 1}, "n2": {"n": 2}}


class Ahead(ThreadPoolExecutor):
    "Notes how many jobs it has."

    def __init__(self, count):
        super().__init__(count)
        self.open, self.most, self.lock = 0, 0, threading.Lock()

    def submit(self, *args, **options):
        with self.lock:
            self.open += 1
            self.most = max(self.most, self.open)
        future = super().submit(*args, **options)
        future.add_done_callback(self.end)
        return future

    def end(self, _):
        with self.lock:
            self.open -= 1


class Unknown(Executor):
    "Hands on what it is given, and does not say to how many."

    def __init__(self, pool):
        self.submit = pool.submit


@pytest.mark.parametrize("known", [True, False])
def test_an_executor_is_given_a_few_jobs_ahead(tmp_path, known):
    entries = {f"n{n}": {"n": n} for n in range(100)}
    most = 2 * AHEAD if known else UNKNOWN

    def slow(settings):
        "As long as there are too few others."
        for _ in range(300):
            if pool.most < most:
                time.sleep(0.005)
        return told(settings)

    with Ahead(2) as pool:
        executor = pool if known else Unknown(pool)
        records = campaign(entries, slow, tmp_path, executor=executor, **QUIET)
    assert list(records) == list(entries)
    assert pool.most == most


@pytest.mark.parametrize("there", ["abc", "c", "a", ""])
def test_what_is_there_is_not_sent(there):
    "Also if nothing else is left."
    executor = Scripted({name: [] for name in "abc"})
    jobs = {name: EntryJob(told, {"n": name}) for name in "abc"}
    ready = lambda name: {"there": name} if name in there else True
    found = dict(outcomes(jobs, executor, ready=ready))
    assert found == {n: {"there": n} if n in there else {"n": n} for n in "abc"}
    assert {name for name, _ in executor.alone} == set("abc") - set(there)


def test_jobs_that_are_tried_alone_do_not_wait_for_other_processes():
    "Which may wait for these very jobs."
    done, asked = set(), []

    def ready(name):
        asked.append(name)
        assert len(asked) < 50, "it waits for ever"
        return name == "a" or "a" in done

    executor = Scripted({"a": [BrokenExecutor("it died")], "b": []})
    jobs = {name: EntryJob(told, {"n": name}) for name in "ba"}
    for name, outcome in outcomes(jobs, executor, ready=ready):
        assert outcome == {"n": name}
        done.add(name)
    assert done == {"a", "b"}


def test_no_part_is_left(tmp_path, monkeypatch):
    write_json(tmp_path / "a.json", [1], sure=True)
    monkeypatch.setattr(os, "fsync", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_json(tmp_path / "a.json", [2], sure=True)
    assert os.listdir(tmp_path) == ["a.json"]
    assert json.loads((tmp_path / "a.json").read_text()) == [1]


def test_without_dask_the_fix_is_told(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **options):
        if name.split(".")[0] in ("distributed", "dask"):
            raise ImportError(name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match="pip install distributed"):
        with workers(2):
            pass
    with workers(None) as executor:
        assert executor is None


def test_the_package_loads_without_dask():
    code = "import sys; sys.modules['distributed'] = sys.modules['dask'] = None; "
    code += "import neural_compile.experiments.table1, neural_compile.cli"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("where", [0, -1, "nowhere", "tcp://127.0.0.1:9"])
def test_workers_that_cannot_be_are_refused(where, monkeypatch):
    monkeypatch.setattr("neural_compile.experiments.workers.WAIT", "1s")
    with pytest.raises(InputError, match="at least 1|address is such as"):
        with workers(where):
            pass


def test_the_command_line_measures_on_a_cluster(tmp_path, pair, monkeypatch):
    monkeypatch.setattr("neural_compile.appendix.fast.use_cores", lambda: None)
    first = lambda *asked: dict(list(meetings(*asked).items())[:2])
    monkeypatch.setattr("neural_compile.experiments.arena.meetings", first)

    def call(name, *words, code=0):
        how = ["--rivals", "walks", "--units", "0.1", "--folder", str(tmp_path / name)]
        ran = CliRunner().invoke(app, ["arena", "development", *how, *words])
        assert ran.exit_code == code, ran.output
        return ran.output

    both = call("none", "--workers", "2", "--scheduler", "tcp://127.0.0.1:9", code=2)
    assert "Leave one out" in both
    address = pair._client.scheduler.address
    call("there", "--scheduler", address, "--seconds", "60")
    call("here")
    kept = {name: {} for name in ("here", "there")}
    for name, records in kept.items():
        for path in (tmp_path / name).glob("*.json"):
            records[path.stem] = json.loads(path.read_text())["result"]
            del records[path.stem]["seconds"]
    assert kept["here"] == kept["there"] and len(kept["here"]) == 2
    (tmp_path / "file").write_text("")
    assert "can be written to" in call("file", code=2)
    late = call("late", "--scheduler", address, "--seconds", "1e-9", code=2)
    assert "could not be measured" in late and "longer than 1e-09 s" in late
