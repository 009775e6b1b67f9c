"""Campaigns that are killed, crowded, out of room, or whose clock runs backwards."""

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import jax
import pytest

import neural_compile as nc
from neural_compile.experiments import campaigns
from neural_compile.experiments.campaigns import CampaignError, campaign

SCRIPT = """
import os, resource, signal, sys, time
from concurrent.futures import ProcessPoolExecutor
from neural_compile.experiments import claims
from neural_compile.experiments.campaigns import campaign

folder, log, cells, how = sys.argv[1:]
seconds = 0.02
claims.STALE = float(os.environ.get("STALE", claims.STALE))

def note(word, n):
    "One line, in one write, by whichever process."
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{word} {n}\\n".encode())
    os.close(file)

def measure(settings):
    note("begin", settings["n"])
    time.sleep(seconds)
    result = {"value": settings["n"] ** 2}
    note("end", settings["n"])
    return result

if __name__ == "__main__":
    entries = {f"n{n}": {"n": n} for n in range(int(cells))}
    note("start", how)
    if how == "200 bytes":
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))
    if how == "pool":
        with ProcessPoolExecutor(2) as pool:
            campaign(entries, measure, folder, executor=pool, progress=False)
    else:
        campaign(entries, measure, folder, progress=False)
"""


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "measuring.py"
    path.write_text(SCRIPT)
    return path


def begin(script, folder, log, cells, how="here", stale=60):
    "A campaign in a process group of its own."
    command = [sys.executable, script, folder, log, str(cells), how]
    return subprocess.Popen(
        [*map(str, command)],
        start_new_session=True,
        stderr=subprocess.PIPE,
        env={**os.environ, "STALE": str(stale)},
    )


def records(folder):
    "The records that are there, by cell, as bytes."
    return {path.stem: path.read_bytes() for path in Path(folder).glob("n*.json")}


def values(folder):
    "What was measured, by cell."
    read = lambda content: json.loads(content)["result"]["value"]
    return {name: read(content) for name, content in records(folder).items()}


def words(log):
    return [row.split() for row in log.read_text().splitlines()] if log.exists() else []


def started(log, before):
    "Wait until a process has begun to work."
    for _ in range(3000):
        if sum(w[0] == "start" for w in words(log)) > before:
            return
        time.sleep(0.01)
    raise AssertionError("it does not start")


def kill(process, group):
    if group:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
    try:  # Workers that were left over would go on measuring
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.communicate()  # Ends when nobody holds its pipe


def test_a_campaign_that_is_killed_again_and_again(script, tmp_path, count, tell):
    "No cell is lost, changed, or measured again once its record is there."
    folder, log, rng = tmp_path / "cells", tmp_path / "log", random.Random(0)
    kills, cells, done, changed, twice = count(4, 100), count(40, 1200), {}, 0, 0
    for n in range(kills):
        seen = len(words(log))
        process = begin(script, folder, log, cells, rng.choice(["here", "pool"]))
        started(log, n)
        time.sleep(rng.uniform(0, 0.4))
        kill(process, group=rng.random() < 0.5)
        begun = {f"n{w[1]}" for w in words(log)[seen:] if w[0] == "begin"}
        now = records(folder)
        twice += len(begun & set(done))
        changed += sum(now.get(name) != content for name, content in done.items())
        done = now
    assert begin(script, folder, log, cells).wait() == 0
    lost = values(folder) != {f"n{n}": n**2 for n in range(cells)}
    tell("kills of a campaign", kills)
    tell("cells lost", int(lost))
    tell("cells changed", changed)
    tell("cells measured again though their record was there", twice)
    assert len(done) > 0 and (lost, changed, twice) == (False, 0, 0)


def counted(log, word):
    "How often each cell has begun, or ended."
    return Counter(f"n{w[1]}" for w in words(log) if w[0] == word)


def in_the_middle(log, before):
    "Wait until so many processes work, and some cells have been measured."
    started(log, before - 1)
    for _ in range(3000):
        if sum(w[0] == "end" for w in words(log)) >= 4:
            return
        time.sleep(0.005)
    raise AssertionError("nothing is measured")


@pytest.mark.parametrize("how", [("here", "here"), ("here", "pool")])
def test_two_processes_on_one_folder(script, tmp_path, how, count, tell):
    "They share the cells: each is measured once."
    folder, cells, log = tmp_path / "cells", count(30, 300), tmp_path / "log"
    pair = [begin(script, folder, log, cells, word) for word in how]
    assert [process.wait(timeout=100) for process in pair] == [0, 0]
    assert values(folder) == {f"n{n}": n**2 for n in range(cells)}
    ends = counted(log, "end")
    tell("cells of two processes on one folder", cells)
    tell("cells that both of two processes measured", sum(n > 1 for n in ends.values()))
    assert ends == Counter(values(folder).keys())
    assert not list(folder.glob("*.claim"))


def test_one_of_two_processes_is_killed(script, tmp_path, count, tell):
    "Nobody has looked after it when the other goes on; all cells are measured."
    cells, again = 60, 0
    for n in range(count(2, 30)):
        folder, log = tmp_path / f"cells{n}", tmp_path / f"log{n}"
        killed, other = (begin(script, folder, log, cells) for _ in range(2))
        in_the_middle(log, 2)
        killed.kill()
        assert other.wait(timeout=30) == 0
        kill(killed, group=False)
        assert values(folder) == {f"n{n}": n**2 for n in range(cells)}
        assert not list(folder.glob("*.claim"))
        again += (twice := counted(log, "begin").total() - cells)
        assert twice <= 1  # What the other had begun
    tell("times that one of two processes was killed", count(2, 30))
    tell("cells begun again after it", again)


def test_one_of_two_processes_stops_for_a_while(script, tmp_path, tell):
    "Nobody knows whether it goes on, so its claim is taken over; then it goes on."
    folder, log, cells = tmp_path / "cells", tmp_path / "log", 60
    stopped, other = (begin(script, folder, log, cells, stale=0.5) for _ in range(2))
    in_the_middle(log, 2)
    stopped.send_signal(signal.SIGSTOP)
    assert other.wait(timeout=30) == 0
    there = records(folder)
    assert values(folder) == {f"n{n}": n**2 for n in range(cells)}
    stopped.send_signal(signal.SIGCONT)
    assert stopped.wait(timeout=30) == 0
    assert records(folder) == there and not list(folder.glob("*.claim"))
    assert counted(log, "begin").total() <= cells + 1
    tell("times that one of two processes was stopped", 1)


def square(settings):
    return {"value": settings["n"] ** 2}


ENTRIES = {f"n{n}": {"n": n} for n in range(4)}
WEIGHTS = nc.random_controller(nc.Machine(8, 2, 2), key=jax.random.key(0))


TOLD = OSError, nc.InputError, CampaignError


def no_room(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def unwritable(monkeypatch, fails):
    "No file can be opened for writing; reading goes on."
    real = Path.open
    opened = lambda path, mode="r", *how: (fails if "w" in mode else real)(
        path, mode, *how
    )
    monkeypatch.setattr(Path, "open", opened)
    monkeypatch.setattr(Path, "write_bytes", fails)


@pytest.mark.parametrize("call", ["replace", "write"])
def test_no_space_left(call, tmp_path, monkeypatch, tell):
    "What was there stays; what was to be written is not there in part."
    file, folder = tmp_path / "weights.safetensors", tmp_path / "cells"
    nc.save(WEIGHTS, file)
    before = file.read_bytes()
    first = dict(list(ENTRIES.items())[:2])
    known = campaign(first, square, folder, progress=False)
    with monkeypatch.context() as full:
        if call == "replace":
            full.setattr(os, "replace", no_room)
        else:
            unwritable(full, no_room)
        with pytest.raises(OSError, match="No space"):
            nc.save(WEIGHTS, file)
        with pytest.raises(TOLD, match="No space"):
            campaign(ENTRIES, square, folder, progress=False)
    assert file.read_bytes() == before and not list(tmp_path.glob("*.part"))
    again = campaign(ENTRIES, square, folder, progress=False)
    assert list(again) == list(ENTRIES)
    assert {name: again[name] for name in first} == known
    tell("times without space, a folder to write in, or a clock", 1)


def test_a_disk_that_takes_no_more_bytes(script, tmp_path, tell):
    "By the operating system this time: a record has more than 200 bytes."
    folder, log = tmp_path / "cells", tmp_path / "log"
    process = begin(script, folder, log, 3, "200 bytes")
    said = process.communicate()[1].decode()
    assert process.returncode != 0 and "File too large" in said
    assert not records(folder)
    assert begin(script, folder, log, 3).wait() == 0 and len(records(folder)) == 3
    tell("times without space, a folder to write in, or a clock", 1)


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch, tell):
    def denied(*_, **__):
        raise PermissionError(errno.EROFS, os.strerror(errno.EROFS))

    folder, file = tmp_path / "cells", tmp_path / "weights.safetensors"
    known = campaign(ENTRIES, square, folder, progress=False)
    nc.save(WEIGHTS, file)
    unwritable(monkeypatch, denied)
    assert campaign(ENTRIES, square, folder, progress=False) == known  # Only reads
    with pytest.raises(TOLD, match="Read-only"):
        campaign(ENTRIES | {"n9": {"n": 9}}, square, folder, progress=False)
    with pytest.raises(OSError, match="Read-only"):
        nc.save(WEIGHTS, file)
    assert isinstance(nc.load(file), nc.Controller)
    tell("times without space, a folder to write in, or a clock", 1)


def test_a_clock_that_goes_backwards(tmp_path, monkeypatch, tell):
    "Work is counted, so that a clock can neither end it too soon nor keep it going."
    now = [1e9]

    def earlier():
        now[0] -= 1.0
        return now[0]

    for name in ("time", "monotonic"):
        monkeypatch.setattr(campaigns.time, name, earlier)
    found = campaign(ENTRIES, square, tmp_path / "cells", progress=False)
    limited = nc.synthesize(nc.TASKS["map_inc"], time_limit=60, progress=False)
    monkeypatch.undo()
    want = {name: square(settings) for name, settings in ENTRIES.items()}
    assert {name: record["result"] for name, record in found.items()} == want
    assert limited.stopped is None and limited.solutions
    tell("times without space, a folder to write in, or a clock", 1)
