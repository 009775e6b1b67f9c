"""The same key gives the same answers: again, elsewhere, interrupted, in any order.

Run as a script, this file prints what it finds; the tests compare processes.
"""

import json
import subprocess
import sys
from dataclasses import asdict

import jax
import numpy as np

import neural_compile as nc
from neural_compile.experiments.campaigns import campaign
from neural_compile.experiments.entries import measure_cell
from neural_compile.experiments.settings import Cell

FIRST = nc.Task.from_function(lambda x: [x[0], x[0]], base=3, cells=2, name="copy")


def tuned(**how):
    start, key = nc.Start("random", lines=2), jax.random.key(3)
    usual = dict(restarts=30, steps=60, key=key, progress=False)
    return nc.tune(FIRST, start, **{**usual, **how})


def found():
    "What tuning, decoding, a walk, an enumeration and an induction find."
    run, key = tuned(), jax.random.key(1)
    decoded = nc.decode(run.snapshots, FIRST, samples=300, key=key)
    quiet = dict(progress=False)
    walks = nc.Walks(seed=5, programs=20_000)
    walked = nc.synthesize(nc.TASKS["inc"], space=[walks], **quiet)
    induced = nc.induce(nc.TASKS["inc"], space="language", key=key, **quiet)
    return {
        "losses": run.losses.astype(float).tolist(),
        "programs": [str(program) for program in run.programs],
        "decoded": [[str(d.answer), d.restart, d.samples] for d in decoded],
        "walked": [[str(c.answer) for c in walked.solutions], walked.tried],
        "induced": [str(induced.answer), induced.work.units],
    }


def elsewhere(devices):
    "The same in a process of its own."
    command = [sys.executable, __file__, str(devices)]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_another_process_finds_the_same_and_so_do_two_devices():
    here, there, two = found(), elsewhere(1), elsewhere(2)
    assert len({tuple(row) for row in here["losses"]}) == 30  # Something could differ
    assert there == here
    losses = np.array(here.pop("losses"))
    apart = np.abs(np.array(two.pop("losses")) - losses).max()
    assert two == here and apart < 1e-5


def test_what_is_watched_or_stopped_has_the_losses_of_the_whole():
    "Up to where it was stopped."

    def interrupt(look):
        raise KeyboardInterrupt

    whole = tuned()
    watched = tuned(watch=[lambda look: None])
    np.testing.assert_array_equal(watched.losses, whole.losses)
    cut = tuned(watch=[interrupt])
    done = cut.losses.shape[1]
    assert 0 < done < 60
    np.testing.assert_array_equal(cut.losses, whole.losses[:, :done])


def test_entries_give_the_same_in_any_order(tmp_path):
    how = dict(restarts=2, samples=100, key=0, keys=1)
    cells = {
        f"cell-{steps}": asdict(Cell("inc", "random", steps=steps, **how))
        for steps in (3, 6)
    }

    def measured(order, folder):
        chosen = {name: cells[name] for name in order}
        done = campaign(chosen, measure_cell, tmp_path / folder, progress=False)
        for record in done.values():
            del record["result"]["seconds"]
        return {name: done[name]["result"] for name in sorted(done)}

    one = measured(sorted(cells), "one")
    other = measured(sorted(cells, reverse=True), "other")
    assert json.dumps(one) == json.dumps(other)
    assert one["cell-3"] != one["cell-6"]


if __name__ == "__main__":
    nc.use_cores(int(sys.argv[1]))
    print(json.dumps(found()))
