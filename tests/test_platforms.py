"""The table of platforms: what is chosen for a GPU is right, though on a CPU."""

import json

import jax
import numpy as np
import pytest
from typer.testing import CliRunner

import neural_compile as nc
from neural_compile.appendix import accelerators, devices, lanes, platforms
from neural_compile.cli import app

OTHERS = [name for name in platforms.PLATFORMS if name != "cpu"]


def forget():
    "What was chosen or compiled for a platform."
    lanes.registered.cache_clear()
    devices.trainer.cache_clear()


@pytest.fixture
def choose(monkeypatch):
    "Treats this CPU as another platform."

    def choose(name):
        row = platforms.PLATFORMS[name]
        monkeypatch.setitem(platforms.PLATFORMS, "cpu", row)
        forget()

    yield choose
    monkeypatch.undo()
    forget()


def tuned():
    "Enough restarts for three groups on a CPU."
    task = nc.Task.from_function(lambda x: [x[0], x[0]], base=3, cells=2)
    start = nc.Start("random", lines=2)
    how = dict(restarts=40, steps=4, key=jax.random.key(0), progress=False)
    return nc.tune(task, start, **how)


def test_the_choices_of_a_gpu_give_what_those_of_a_cpu_give(choose):
    expected = tuned()
    choose("gpu")
    found = tuned()
    assert not lanes.registered()
    assert found.programs == expected.programs
    assert np.abs(found.losses - expected.losses).max() < 1e-5


def test_a_platform_is_asked_for_when_it_is_needed(monkeypatch):
    calls = []
    monkeypatch.setattr(platforms, "this_platform", lambda: calls.append(1) or ROW)
    double = platforms.compiled(lambda x: 2 * x)
    assert not calls
    assert (double(1), double(2), len(calls)) == (2, 4, 1)


ROW = platforms.Platform()


@pytest.mark.parametrize("name", OTHERS)
def test_a_device_that_nobody_knows_gets_a_row(name, monkeypatch):
    class Device:
        platform = name

    monkeypatch.setattr(jax, "devices", lambda: [Device])
    assert platforms.this_platform() == platforms.PLATFORMS[name]
    Device.platform = "abacus"
    assert platforms.this_platform() == ROW


def test_bench_prints_what_to_send(monkeypatch):
    small = dict(restarts=2, base=2, lines=1)
    make = accelerators.bench_platform
    monkeypatch.setattr(accelerators, "bench_platform", lambda: make(**small))
    monkeypatch.setattr(accelerators, "CHOICES", {"one": ("adjoints by hand", True)})
    monkeypatch.setattr("neural_compile.appendix.fast.use_cores", lambda: None)
    ran = CliRunner().invoke(app, ["bench", "--platform", "--json"])
    assert ran.exit_code == 0, ran.output
    found = json.loads(ran.stdout)
    assert found["about"]["jax"] == jax.__version__
    assert found["about"]["chosen"]["grouped"] is True
    assert found["agreement"]["apart"] < 1e-5 and found["agreement"]["repeats"]
    assert found["choices"][0]["ratio"] == 1
