"""The same tuning on one device and on two.

Each in a process of its own, as devices are counted before JAX starts.
"""

import json
import subprocess
import sys

import numpy as np

SCRIPT = """
import json, sys
import jax
import numpy as np
import neural_compile as nc
from neural_compile.loss.training import Training
from neural_compile.loss.tuning import Decision

nc.use_cores(int(sys.argv[1]))
task, key = nc.TASKS["map_dec"], jax.random.key(0)
options = dict(restarts=71, key=key, progress=False)  # One shape for both
run = nc.tune(task, "map_inc", Training(steps=10), **options)

def leave_three(look):
    return Decision(retire=np.arange(71) > 2)

long = Training(steps=110, curriculum=False)
left = nc.tune(task, "map_inc", long, watch=leave_three, **options)
found = {
    "devices": len(jax.devices()),
    "losses": run.losses.tolist(),
    "programs": [str(program) for program in run.programs],
    "left": left.losses[:3, -1].tolist(),
}
print(json.dumps(found))
"""


def tuned_on(devices):
    command = [sys.executable, "-c", SCRIPT, str(devices)]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def furthest(x, y):
    return np.abs(np.array(x) - np.array(y)).max()


def test_two_devices_give_the_run_of_one():
    one, two = tuned_on(1), tuned_on(2)
    assert (one["devices"], two["devices"]) == (1, 2)
    assert one["programs"] == two["programs"]
    assert furthest(one["losses"], two["losses"]) < 1e-5
    # After 110 steps, and one move to fewer groups
    assert furthest(one["left"], two["left"]) < 1e-3
    assert len(one["losses"]) == 71
    assert len({tuple(row) for row in two["losses"]}) == 71
