"""The paper's table: cells that repeat, campaigns that survive, and the rates that were reached."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import jax
import numpy as np
import pytest

import neural_compile as nc
from neural_compile.experiments.table1 import (
    COLUMNS,
    HALTING,
    OPTIMIZERS,
    STUDIES,
    Cell,
    Table,
    horizon,
    measure_cell,
    measure_efficiency,
    parts,
    practice_for,
    sized,
    start_of,
    table_cells,
    tune_cell,
)
from neural_compile.experiments.table1 import AS_PAPER, OURS
from neural_compile.loss.tuning import start_from

ROOT = Path(__file__).parent.parent
KEY = jax.random.key(0)


def quick(folder, *options):
    return [
        sys.executable,
        "-m",
        "neural_compile.cli",
        "table1",
        "--quick",
        "--starts",
        "map_inc",
        "--folder",
        str(folder),
        *options,
    ]


def results(folder):
    """Each cell without what a clock says."""
    cells = {
        p.name: json.loads(p.read_text()) for p in sorted(Path(folder).glob("*.json"))
    }
    for cell in cells.values():
        del cell["seconds"], cell["result"]["seconds"]
    return cells


def test_a_campaign_that_is_killed_goes_on_to_the_same_numbers(tmp_path):
    whole = subprocess.run(
        quick(
            tmp_path / "whole",
            "--save",
            str(tmp_path / "all.json"),
            "--plot",
            str(tmp_path / "all.svg"),
        ),
        capture_output=True,
        text=True,
    )
    assert whole.returncode == 0, whole.stderr
    process = subprocess.Popen(
        quick(tmp_path / "cut"), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    while not list((tmp_path / "cut").glob("*.json")) and process.poll() is None:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert 1 <= len(results(tmp_path / "cut")) < len(results(tmp_path / "whole"))
    again = subprocess.run(quick(tmp_path / "cut"), capture_output=True, text=True)
    assert again.stdout == whole.stdout.replace(
        str(tmp_path / "whole"), str(tmp_path / "cut")
    ) and results(tmp_path / "cut") == results(tmp_path / "whole")
    table = Table.load(tmp_path / "all.json")
    assert (
        "table1 --quick" in table.command
        and str(table).strip() == whole.stdout.strip()
        and (tmp_path / "all.svg").stat().st_size > 1000
    )


@pytest.mark.parametrize("name", COLUMNS)
def test_a_task_of_another_size_keeps_its_meaning(name):
    task = sized(nc.TASKS[name], 6, 3)
    assert task.base == 6 and all(
        base % 6 <= 2 and base >= 6 for _, base in task.family
    )
    program, clock = {
        "inc": ("read 0 1\ninc 1 1\nwrite 0 1", nc.Clock(0, 3)),
        "map_dec": ("read 0 1\ndec 1 1\nwrite 0 1\ninc 0 0", nc.Clock(4)),
        "fibonacci_seeded": (
            "add 1 2 3\nwrite 0 3\ninc 0 0\nadd 2 4 1\nadd 3 4 2",
            nc.Clock(5),
        ),
    }.get(name, (None, None))
    if program:
        assert nc.verify(nc.parse(program), clock, task)
    assert not nc.verify(nc.parse("noop"), nc.Clock(0, 1), task)


def test_practice_meets_the_task_where_it_is_judged():
    task, practice = nc.TASKS["fibonacci"], practice_for(nc.TASKS["fibonacci"])
    memory = np.zeros((1, 8), int).tolist()[0]
    assert practice.target(memory, {1: 0, 2: 0}, 5, 8) == task.target(memory, {}, 5, 8)
    assert practice.target(memory, {1: 2, 2: 3}, 4, 8)[:4] == [3, 5, 0, 5]
    for name in ("reduce", "list_parity"):
        task, practice = nc.TASKS[name], practice_for(nc.TASKS[name])
        assert (
            practice.varies
            and not task.varies
            and practice.sample(3, seed=0).target.tolist()
            == task.sample(3, seed=0).target.tolist()
        )
        assert horizon(task, 6).steps(0, 3, 8) == 24


def test_the_running_sum_fits_the_horizon_of_a_sum():
    assert nc.verify(
        nc.parse("read 0 1\nwrite 0 2\nadd 1 2 2\ninc 0 0"),
        horizon(nc.TASKS["reduce"], 4),
        nc.TASKS["reduce"],
    )


def test_holes_are_random_and_the_rest_is_the_template():
    task, program = nc.TASKS["inc"], nc.parse("noop\ninc 1 1")
    one, two = (
        start_from(program, task, lines=3, noise=0.0, open_noops=True).make(
            jax.random.key(k)
        )
        for k in (0, 1)
    )
    assert nc.decompile(one)[1] == nc.decompile(two)[1] == program[1]
    for first, second in zip(one.weights, two.weights):
        same = np.isclose(first, second).all(0)
        assert same.tolist() == [False, True, False]


@pytest.mark.parametrize("optimizer", ["sgd", "sharpening"])
def test_other_optimisers_lower_the_loss(optimizer):
    run = nc.tune(
        nc.TASKS["inc"],
        "random",
        restarts=4,
        steps=100,
        optimizer=OPTIMIZERS[optimizer],
        key=KEY,
        progress=False,
        retire=False,
    )
    assert run.losses[:, -10:].mean() < 0.5 * run.losses[:, :10].mean()


def test_a_compiled_program_and_its_network_do_not_part():
    task = nc.TASKS["map_inc"]
    start = start_from("map_inc", task, noise=0.0)
    exact, noisy = (
        start.controllers(2, KEY),
        start_from("map_inc", task, noise=3.0).controllers(2, KEY),
    )
    given = task.sample(20, seed=0)
    assert (
        parts(exact, given, 25, nc.DEFAULT).tolist() == [0, 0]
        and parts(noisy, given, 25, nc.DEFAULT).min() > 0
    )


def test_the_best_start_is_the_program_where_the_language_has_it():
    cell, task = Cell("parity", "best"), nc.TASKS["parity"]
    assert nc.verify(start_of(cell, task).program, nc.Clock(halts=True), task)
    assert start_of(replace(cell, init="map_inc"), task) == "map_inc"


def test_a_halting_program_becomes_shorter():
    row = measure_efficiency(
        {
            "task": "inc",
            "program": HALTING["inc"],
            "weight": 0.1,
            "restarts": 32,
            "steps": 600,
            "noise": 0.3,
            "key": 0,
        }
    )
    assert (
        row["hits"]["halting"] >= 1 and row["steps"]["least"] < row["steps"]["before"]
    )


# What was reached, with room for noise


@pytest.mark.parametrize(
    "init, task, least",
    [
        ("map_inc", "map_dec", 0.9),
        ("random", "map_inc", 0.5),
        ("loop_noop", "fibonacci_seeded", 0.2),
        ("map_inc", "fibonacci", 0.1),
    ],
)
def test_rates_that_were_reached(init, task, least):
    row = measure_cell(
        asdict(Cell(task, init, restarts=16, steps=500, samples=100_000))
    )
    assert row["hits"]["guided"] >= least * 16, row["hits"]


def test_the_recorded_results_are_those_of_the_settings():
    recorded = Table.load(ROOT / "results/table1.json").records
    assert {name: r["settings"] for name, r in recorded.items()} == table_cells(
        {"paper": AS_PAPER, "ours": OURS}
    )
    for name in STUDIES:
        records = Table.load(ROOT / f"results/{name}.json").records
        assert {n: r["settings"] for n, r in records.items()} == STUDIES[name](), name
