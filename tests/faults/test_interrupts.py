"""Ctrl-C at any moment: in a process, in a terminal, and in a notebook.

A moment is any from the first line of the program's own code on; what Python does
before that is not ours. Nothing is shown but a result or one word, what is kept is
what would have been there, and the same call goes on or begins again.
"""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

import jax
import numpy as np
import pytest

import neural_compile as nc
from neural_compile.cli import SMALL
from neural_compile.experiments.settings import TUNERS
from neural_compile.loss.starts import prepare_start

KEY, TASK = jax.random.key(0), nc.TASKS["map_dec"]
WAIT = 120  # Seconds after which what was interrupted should have ended
BEFORE = "before it had begun, or after it had ended"


def run_tune():
    training = nc.Training(steps=300)
    return nc.tune(TASK, "map_inc", training, restarts=6, key=KEY, progress=False)


def run_decode():
    restarts = prepare_start("random", TASK).controllers(12, KEY)
    return nc.decode(restarts, TASK, samples=50_000, key=KEY)


def run_induce():
    task = nc.TASKS["fibonacci_seeded"]
    return nc.induce(task, space="language", budget=0.3, key=KEY, progress=False)


def run_table1(folder):
    how = dict(tasks=("map_inc",), inits=("map_inc",), progress=False)
    return nc.table1(folder, tuners={"ours": TUNERS["ours"]}, **how, **SMALL)


def pressed(run, after):
    "What a call returns if Ctrl-C comes so many seconds after its begin."
    press = lambda: os.kill(os.getpid(), signal.SIGINT)
    timer = threading.Timer(after, press)
    try:
        timer.start()
        return run()
    except KeyboardInterrupt:
        return BEFORE
    finally:
        timer.cancel()
        timer.join()


def timed(run):
    "What comes without an interrupt, and in how many seconds once it is compiled."
    run()
    start = time.monotonic()
    return run(), time.monotonic() - start


def moments(seed, tries, seconds):
    rng = random.Random(seed)
    return [rng.uniform(0, 0.95 * seconds) for _ in range(tries)]


def test_tune(count, tell):
    whole, seconds = timed(run_tune)
    cut, tries = 0, count(2, 25)
    for after in moments(1, tries, seconds):
        run = pressed(run_tune, after)
        if run is BEFORE:  # By milliseconds
            continue
        cut, steps = cut + (run.stopped is not None), run.losses.shape[1]
        np.testing.assert_array_equal(run.losses, whole.losses[:, :steps])
        assert run.stopped is None or "interrupted" in str(run.stopped)
        assert steps < 300 or run.programs == whole.programs
    np.testing.assert_array_equal(run_tune().losses, whole.losses)
    tell("interrupts of tune", tries)
    assert cut


def test_tune_goes_on_from_the_weights_it_has(tell):
    run = pressed(run_tune, 0.5)
    assert run is not BEFORE
    more = nc.tune(TASK, run.controllers, steps=50, key=KEY, progress=False)
    for one, other in zip(more.untuned.weights, run.controllers.weights):
        np.testing.assert_array_equal(one, other)


def test_decode(count, tell):
    told = lambda found: [(d.restart, d.samples, str(d.program)) for d in found]
    whole, seconds = timed(run_decode)
    tries = count(1, 25)
    for after in moments(2, tries, seconds):
        found = pressed(run_decode, after)
        assert found is BEFORE or told(found) == told(whole)[: len(found)]
    assert told(run_decode()) == told(whole)
    tell("interrupts of decode", tries)


def story(x):
    "What an induction says, but for the time it took."
    return {k: v for k, v in x.summary().items() if k != "seconds"}


def test_induce(count, tell):
    whole, seconds = timed(run_induce)
    cut, tries = 0, count(1, 20)
    for after in moments(3, tries, seconds):
        x = pressed(run_induce, after)
        if x is BEFORE:  # In the first milliseconds, when the names are looked up
            continue
        cut += str(x.stopped or "").startswith("interrupted")
        assert x.program in (None, whole.program)
        seen = [level[0] for level in x.work.levels]
        assert seen == [level[0] for level in whole.work.levels][: len(seen)]
        assert "interrupted" in x.report() or story(x) == story(whole)
    assert story(run_induce()) == story(whole)
    tell("interrupts of induce", tries)
    assert cut or tries == 1


def results(folder):
    "What the records of a folder say, but for the seconds."
    told = {}
    for path in folder.glob("*.json"):
        result = json.loads(path.read_text())["result"]
        told[path.stem] = {k: v for k, v in result.items() if k != "seconds"}
    return told


@pytest.mark.full
def test_table1(count, tell, tmp_path):
    "An entry that was interrupted is not written down as if it were whole."
    run_table1(tmp_path / "first")
    _, seconds = timed(lambda: run_table1(tmp_path / f"whole{time.monotonic()}"))
    right, tries = results(tmp_path / "first"), count(2, 15)
    for n, after in enumerate(moments(4, tries, seconds)):
        folder = tmp_path / f"cut{n}"
        table = pressed(lambda: run_table1(folder), after)
        known = results(folder)
        assert all(right[name] == result for name, result in known.items())
        assert table is BEFORE or set(table.records) <= set(known)
        assert results_after(folder) == right
    tell("interrupts of table1", tries)


def results_after(folder):
    "The records once the same call has gone on to the end."
    run_table1(folder)
    return results(folder)


MAIN = """
import sys
try:
    sys.stderr.write("ready\\n"); sys.stderr.flush()
    from neural_compile.__main__ import main
except KeyboardInterrupt:
    sys.exit(130)
main()
"""
TERMINAL = {
    "induce": "induce fibonacci_seeded --space language --budget 0.3 --json",
    "table1": "table1 --quick --restarts 2 --folder cells",
}


LONG = pytest.param("table1", marks=pytest.mark.full)


@pytest.mark.parametrize("name", ["induce", LONG])
def test_a_terminal(name, count, tell, tmp_path):
    "No traceback, whenever it comes: while it imports, computes, prints or ends."
    how = dict(text=True, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    command = [sys.executable, "-c", MAIN, *TERMINAL[name].split()]
    for after in moments(name, count(1, 10), count(4, 12)):
        process = subprocess.Popen(command, **how)
        while process.stderr.readline() != "ready\n":
            assert process.poll() is None
        time.sleep(after)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=WAIT)
        assert "Traceback" not in out + err, err[-3000:]
        assert process.returncode in (0, 1, 130), err[-3000:]
        assert process.returncode != 130 or not out or json.loads(out)
        tell(f"interrupts of {name} in a terminal", 1)


CELLS = {
    "tune": """
run = nc.tune(nc.TASKS["map_dec"], "map_inc", nc.Training(steps=4000),
              restarts=32, key=jax.random.key(0), progress=False)
print(run.losses.shape[1], run.stopped)""",
    "induce": """
run = nc.induce(nc.TASKS["sort"], key=jax.random.key(0), progress=False)
print(run.work.programs, run.stopped)""",
    "decode": """
from neural_compile.loss.starts import prepare_start
many = prepare_start("random", nc.TASKS["sort"]).controllers(64, jax.random.key(0))
found = nc.decode(many, nc.TASKS["sort"], samples=2_000_000, key=jax.random.key(0))
print(len(found))""",
}


def asked(client, code, during=lambda: None):
    "What a notebook's cell prints, and whether it ended well."
    said = []
    request = client.execute(code)
    during()
    while True:
        message = client.get_iopub_msg(timeout=WAIT)
        if message["parent_header"].get("msg_id") != request:
            continue
        content = message["content"]
        said.append(content.get("text") or "".join(content.get("traceback", ())))
        if content.get("execution_state") == "idle":
            reply = client.get_shell_msg(timeout=WAIT)
            return reply["content"]["status"], "".join(said)


@pytest.mark.full
def test_the_stop_button_of_a_notebook(count, tell):
    from jupyter_client.manager import start_new_kernel

    rng, names = random.Random(5), count(["tune"], list(CELLS))
    manager, client = start_new_kernel()
    try:
        asked(client, "import jax, neural_compile as nc; nc.tune, nc.induce, nc.decode")
        for name in names * count(1, 3):

            def press():
                time.sleep(rng.uniform(2, 6))
                manager.interrupt_kernel()

            status, said = asked(client, CELLS[name], press)
            assert status == "ok", said
            assert name == "decode" or "interrupted" in said
            tell("interrupts in a notebook", 1)
        assert asked(client, "print(6 * 7)") == ("ok", "42\n")
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
