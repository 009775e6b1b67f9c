"""The paper's table: entries that repeat, campaigns that go on, rates reached."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import jax
import pytest

import neural_compile as nc
from neural_compile.assembly.suite import sized
from neural_compile.assembly.verification import check_examples
from neural_compile.experiments.entries import load_claims, measure_cell, shuffled
from neural_compile.experiments.recovery import bootstrap, guided, parts
from neural_compile.experiments.settings import (
    COLUMNS,
    OPTIMIZERS,
    TUNERS,
    Cell,
    guesses_of,
    source_of,
    started,
    table_cells,
    training_of,
)
from neural_compile.experiments.studies import HALTING, STUDIES, measure_efficiency
from neural_compile.experiments.table1 import load_table
from neural_compile.loss.starts import Start, horizon, prepare_start
from neural_compile.loss.training import Training

ROOT = Path(__file__).parent.parent
KEY = jax.random.key(0)


def quick(folder, *options):
    command = [sys.executable, "-m", "neural_compile.cli", "table1", "--quick"]
    return [*command, "--starts", "map_inc", "--folder", str(folder), *options]


def results(folder):
    """Each entry without what a clock says."""
    paths = sorted(Path(folder).glob("*.json"))
    entries = {path.name: json.loads(path.read_text()) for path in paths}
    for entry in entries.values():
        del entry["seconds"], entry["result"]["seconds"], entry["sha256"]
    return entries


def test_a_campaign_that_is_killed_goes_on_to_the_same_numbers(tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    kept, drawn = tmp_path / "all.json", tmp_path / "all.svg"
    command = quick(whole, "--save", str(kept), "--plot", str(drawn))
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    quiet = dict(stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    process = subprocess.Popen(quick(cut), **quiet)
    while not list(cut.glob("*.json")) and process.poll() is None:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert 1 <= len(results(cut)) < len(results(whole))
    again = subprocess.run(quick(cut), capture_output=True, text=True)
    assert again.stdout == ran.stdout.replace(str(whole), str(cut))
    assert results(cut) == results(whole)
    table = load_table(kept)
    assert "table1 --quick" in table.command
    assert str(table).strip() == ran.stdout.strip()
    assert drawn.stat().st_size > 1000


@pytest.mark.parametrize("optimizer", ["sgd", "sharpening", "cosine", "faint"])
def test_the_optimisers_of_the_table_lower_the_loss(optimizer):
    training = Training(steps=100, optimizer=OPTIMIZERS[optimizer])
    options = dict(restarts=4, key=KEY, progress=False)
    run = nc.tune(nc.TASKS["inc"], "random", training, **options)
    assert run.losses[:, -10:].mean() < 0.5 * run.losses[:, :10].mean()


def test_a_compiled_program_and_its_network_do_not_part():
    task = nc.TASKS["map_inc"]
    exact, noisy = (
        prepare_start(
            Start("map_inc", noise=noise, lines=5, open_noops=False), task
        ).controllers(2, KEY)
        for noise in (0.0, 3.0)
    )
    given = task.sample(20, seed=0)
    assert parts(exact, given, 25).tolist() == [0, 0]
    assert parts(noisy, given, 25).min() > 0


def test_the_best_start_is_the_program_where_the_language_has_it():
    cell, task = Cell("parity", "best"), nc.TASKS["parity"]
    program = source_of(cell, task).program
    assert nc.verify(program, nc.Clock(halts=True), task)
    assert source_of(replace(cell, init="map_inc"), task) == "map_inc"


@pytest.mark.parametrize("name", COLUMNS)
def test_an_entry_of_ours_is_the_public_default(name):
    "One tuner: the table has no settings of its own."
    task, cell = nc.TASKS[name], Cell(name, "random")
    assert training_of(cell, task) == Training()
    usual = prepare_start("random", task)
    entry = prepare_start(started(cell, task, "random"), task)
    assert (entry.machine, entry.clock) == (usual.machine, usual.clock)


def test_recovery_and_the_table_give_the_same_numbers():
    settings = dict(restarts=6, steps=300, samples=5000, key=0, keys=1)
    entry = measure_cell(asdict(Cell("fibonacci_seeded", "map_inc", **settings)))
    rates = nc.recovery(
        nc.TASKS["fibonacci_seeded"],
        "map_inc",
        decode="guided",
        restarts=6,
        samples=5000,
        training=Training(steps=300),
        key=KEY,
        progress=False,
    )
    hits = entry["hits"]
    assert (rates.paper.hits, rates.strict.hits) == (hits["paper"], hits["guided"])
    control = guided(rates.tuning, KEY, samples=5000, untuned=True)
    assert len(control) == hits["control"]
    assert entry["horizon"] == rates.tuning.clock.steps(5)


def test_a_halting_program_becomes_shorter():
    few = dict(restarts=32, steps=600, noise=0.3, key=0)
    what = {"task": "inc", "program": HALTING["inc"], "weight": 0.1}
    row = measure_efficiency({**what, **few})
    assert row["hits"]["halting"] >= 1
    assert row["steps"]["least"] < row["steps"]["before"]


# The protocol


def test_every_key_has_data_of_its_own_and_counts_once():
    settings = dict(steps=20, restarts=3, samples=200, keys=2)
    both = measure_cell(asdict(Cell("map_dec", "map_inc", **settings)))
    alone = [
        measure_cell(asdict(Cell("map_dec", "map_inc", **{**settings, **one})))
        for one in (dict(key=1, keys=1), dict(key=2, keys=1))
    ]
    for how, hits in both["by_key"].items():
        assert hits == [entry["hits"][how] for entry in alone]
        assert both["hits"][how] == sum(hits)
    kept = [row for entry in alone for row in entry["claimed"]["control"]]
    assert both["claimed"]["control"] == kept
    cell = Cell("map_dec", "random", examples=2)
    data = [
        training_of(replace(cell, key=k), nc.TASKS["map_dec"]).examples for k in (1, 2)
    ]
    assert (data[0].memory != data[1].memory).any()


def test_guesses_share_the_work_and_the_first_answer_counts():
    cell = Cell("map_inc", "map_inc", guesses=[4, 5, 6])
    shares = guesses_of(cell)
    assert [x.turn for x in shares] == [4, 5, 6]
    assert sum(x.steps for x in shares) <= cell.steps
    assert sum(x.samples for x in shares) <= cell.samples
    few = dict(steps=60, restarts=2, samples=3000, keys=1, guesses=[6, 5])
    entry = measure_cell(asdict(Cell("map_inc", "map_inc", **few)))
    clocks = {row[4][0] for row in entry["claimed"]["guided"]}
    assert clocks <= {5, 6} and len(entry["claimed"]["guided"]) <= 2


def test_shuffled_weights_hold_the_same_lines():
    start = prepare_start("map_inc", nc.TASKS["map_inc"])
    weights = start.controllers(3, KEY)
    mixed = shuffled(weights, KEY)
    for W, V in zip(weights.weights, mixed.weights):
        assert not (W == V).all()
        assert (W.sort(axis=-1) == V.sort(axis=-1)).all()


def test_the_bootstrap_is_wide_where_keys_differ():
    assert bootstrap([20, 20, 20, 20, 20], 100) == (1.0, 1.0)
    low, high = bootstrap([0, 20, 0, 20, 0], 100)
    assert low == 0 and high > 0.7
    assert bootstrap([7, 8, 9], 30) == bootstrap([7, 8, 9], 30)


def test_every_program_claimed_is_right_further_on():
    "Sixteen cells in base 40: larger than any size that was used."
    path, asked = ROOT / "results/table1.json", {}
    records = load_table(path).records
    for name, readings in load_claims(path).items():
        settings = records[name]["settings"]
        if settings["way"] != "tuned":
            continue
        task = sized(nc.TASKS[settings["task"]], settings["base"], settings["cells"])
        cells = 16 if task.varies else task.cells
        given = task.sample(6, seed=5, cells=cells, base=40)
        for rows in readings.values():
            for _, _, verified, _, steps, text in rows:
                what = settings["task"], *steps, text
                if verified and what not in asked:
                    clock, program = nc.Clock(*steps), nc.parse(text)
                    asked[what] = check_examples(program, clock, given).all()
    wrong = [what for what, right in asked.items() if not right]
    assert len(asked) > 1000 and not wrong


def test_the_record_counts_what_is_claimed():
    table = load_table(ROOT / "results/table1.json")
    for name, readings in load_claims(ROOT / "results/table1.json").items():
        result = table.records[name]["result"]
        for reading, rows in readings.items():
            verified = sum(row[2] for row in rows)
            assert result["hits"][reading] == verified
            assert result["refused"][reading] == len(rows) - verified


# What was reached, with room for noise


@pytest.mark.parametrize(
    "init, task, least",
    [
        ("map_inc", "map_dec", 0.9),
        ("random", "map_inc", 0.9),
        ("loop_noop", "fibonacci_seeded", 0.6),
        ("map_inc", "fibonacci", 0.6),
        ("random", "reduce", 0.3),
    ],
)
def test_rates_that_were_reached(init, task, least):
    few = dict(restarts=16, keys=1, steps=300)
    row = measure_cell(asdict(Cell(task, init, **few)))
    assert row["hits"]["guided"] >= least * 16, row["hits"]


def test_the_recorded_results_are_those_of_the_settings():
    studies = {name: make() for name, make in STUDIES.items()}
    for name, entries in {"table1": table_cells(TUNERS), **studies}.items():
        records = load_table(ROOT / f"results/{name}.json").records
        assert {n: r["settings"] for n, r in records.items()} == entries, name


def test_todays_code_makes_what_was_recorded():
    "One entry of the record that takes seconds, to the last hit."
    record = load_table(ROOT / "results/dataset.json").records["cells-2.random.inc"]
    settings = {k: v for k, v in record["settings"].items() if k != "way"}
    made, kept = measure_cell(settings), record["result"]
    same = ("runs", "hits", "by_key", "refused", "start", "clock", "horizon")
    assert {name: made[name] for name in same} == {name: kept[name] for name in same}


def test_the_running_sum_fits_the_horizon_of_a_sum():
    running_sum = nc.parse("read 0 1\nwrite 0 2\nadd 1 2 2\ninc 0 0")
    task = nc.TASKS["reduce"]
    assert horizon(task, 6).steps(3) == 24
    assert nc.verify(running_sum, horizon(task, 4), task)
