"""The same run on one device and on two; each in a process of its own, as devices are counted before JAX starts."""

import json
import subprocess
import sys

SCRIPT = """
import json, sys
import jax
import numpy as np
import neural_compile as nc
nc.use_cores(int(sys.argv[1]))
run = nc.tune(nc.TASKS["map_dec"], "map_inc", restarts=5, steps=10, key=jax.random.key(0), progress=False)
left = nc.tune(nc.TASKS["map_dec"], "map_inc", restarts=70, steps=110, key=jax.random.key(0), curriculum=False, progress=False, retire=lambda *_: np.arange(70) > 2)
print(json.dumps({"devices": len(jax.devices()), "losses": run.losses.tolist(), "programs": [str(p) for p in run.programs], "left": left.losses[:3, -1].tolist()}))
"""


def test_two_devices_give_the_run_of_one():
    one, two = (
        json.loads(
            subprocess.run(
                [sys.executable, "-c", SCRIPT, str(n)],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for n in (1, 2)
    )
    assert (one["devices"], two["devices"]) == (1, 2) and one["programs"] == two[
        "programs"
    ]
    assert (
        max(
            abs(a - b)
            for x, y in zip(one["losses"], two["losses"])
            for a, b in zip(x, y)
        )
        < 1e-5
    )
    assert (
        max(abs(a - b) for a, b in zip(one["left"], two["left"])) < 1e-3
    )  # After 110 steps, and one move to fewer groups
    assert len(one["losses"]) == 5 and len({tuple(row) for row in two["losses"]}) == 5
