"""The command line and the README, as a person would use them."""

import importlib.util
import inspect
import json
import re
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from neural_compile.appendix import searches
from neural_compile.assembly.programs import InputError
from neural_compile.cli import app
from neural_compile.taskfiles import task_from

ROOT = Path(__file__).parent.parent
MAP = str(ROOT / "tests/programs/map.asm")
CORES = "neural_compile.appendix.fast.use_cores"
COMMANDS = ("induce", "run", "tasks", "table1", "study", "arena", "bench")


def shell(*arguments, code=0):
    "The command line in a process of its own, where JAX has not yet been started."
    command = [sys.executable, "-m", "neural_compile.cli", *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert ran.returncode == code, ran.stdout + ran.stderr
    return ran


def call(*arguments, code=0):
    "The command line in this process, which is faster."
    ran = CliRunner().invoke(app, list(map(str, arguments)))
    assert ran.exit_code == code, ran.output
    return ran


def test_induce_prints_a_program_and_exits_with_0_only_if_it_is_verified(tmp_path):
    path = tmp_path / "x.safetensors"
    found = json.loads(shell("induce", "map_inc", "--json", "--save", path).stdout)
    assert found["verified"] and "inc" in found["program"]
    assert found["clock"]["per_cell"] == 5
    import neural_compile as nc

    assert str(nc.load(path).program) == found["program"]
    lost = shell("induce", "sort", "--time-limit", "0.1", code=1).stdout
    assert "no program found" in lost


def test_a_report_is_a_page_of_its_own(tmp_path):
    path = tmp_path / "found.html"
    shell("induce", "map_inc", "--report", path)
    page = path.read_text(encoding="utf-8")
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert "map(inc)" in page and "write" in page
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", page)


def test_induce_takes_examples_from_a_file(tmp_path):
    inputs = [[n] for n in range(8)]
    outputs = [[2 * n % 8] for n in range(8)]
    given = {"base": 8, "inputs": inputs, "outputs": outputs}
    (tmp_path / "twice.json").write_text(json.dumps(given))
    assert "held-back" in shell("induce", tmp_path / "twice.json").stdout


SKETCH = """
    ! read 7 0
    ! dec 0 0
    ! read ? 1
    ?{inc,dec} 7 2
    ! read 2 3
    ! ? 1 3 3
    ! write 7 3
    ! halt
    ! noop
    ! noop
"""


def test_a_sketch_of_ten_lines_is_filled_from_files(tmp_path):
    "M[M[0] − 1] + M[1]: an operand and two instructions are open, in ten lines."
    rng = np.random.default_rng(0)
    lengths = rng.integers(2, 6, 40).tolist()
    inputs = [[n, *rng.integers(0, 16, 5).tolist()] for n in lengths]
    outputs = [[(x[x[0] - 1] + x[1]) % 16] for x in inputs]
    given = {"base": 16, "registers": 8, "inputs": inputs, "outputs": outputs}
    (tmp_path / "task.json").write_text(json.dumps(given))
    (tmp_path / "mine.asm").write_text(SKETCH)
    options = ["--start", tmp_path / "mine.asm"]
    told = shell("induce", tmp_path / "task.json", *options).stdout
    assert "found by enumeration: fillings of 10 lines" in told
    assert "    - read ? 1" in told and "    + read 0 1" in told
    (tmp_path / "mine.asm").write_text("? 1 2")
    wrong = call("induce", tmp_path / "task.json", *options, code=2).stderr
    (tmp_path / "open.asm").write_text("inc ? 0")
    assert "a sketch cannot be run" in call("run", tmp_path / "open.asm", code=2).stderr
    assert "'?' stands alone, or before three operands" in wrong


CURVE = """
from neural_compile import INSTRUCTIONS, Instruction

curve = Instruction("curve", "a o", lambda a, b: a * a + 3)
INSTRUCTIONS = (*INSTRUCTIONS, curve)
"""


def test_a_table_of_instructions_is_read_from_a_python_file(tmp_path):
    table, program = tmp_path / "table.py", tmp_path / "curve.asm"
    table.write_text(CURVE)
    program.write_text("read 0 1\ncurve 1 1\nwrite 0 1\nhalt\n")
    options = ["--instructions", table, "--json"]
    ran = json.loads(call("run", program, "--memory", "3", *options).stdout)
    assert ran["memory"][0] == (9 + 3) % 8 and ran["halted"]
    inputs = [[n] for n in range(11)]
    outputs = [[(n * n + 3) % 11] for n in range(11)]
    given = {"base": 11, "inputs": inputs, "outputs": outputs}
    (tmp_path / "curve.json").write_text(json.dumps(given))
    found = json.loads(shell("induce", tmp_path / "curve.json", *options).stdout)
    assert found["verified"] and "curve" in found["program"]
    assert "curve" in call("run", program, "--memory", "3", code=2).stderr


@pytest.mark.parametrize(
    "text, says",
    [
        ("x = 1", "found nothing of that name"),
        ("INSTRUCTIONS = [1, 2]", "found [1, 2]"),
        ("INSTRUCTIONS = ()", "found ()"),
    ],
)
def test_a_file_without_a_table_of_instructions_is_refused(text, says, tmp_path):
    (tmp_path / "table.py").write_text(text)
    ran = call("run", MAP, "--instructions", tmp_path / "table.py", code=2)
    assert says in ran.stderr and "Write INSTRUCTIONS = " in ran.stderr


@pytest.mark.parametrize("text", ['{"inputs": []}', "[1, 2]", "{}"])
def test_a_file_that_is_no_task_is_refused(text, tmp_path):
    (tmp_path / "bad.json").write_text(text)
    ran = call("induce", tmp_path / "bad.json", code=2)
    assert "a JSON object with inputs, outputs and base" in ran.stderr


FUNCTION = """
base, cells, family = 6, 4, [(1, 6), (4, 12), (8, 13)]

def _largest(x):
    return max(x)

def high_water(x):
    return [_largest(x[: n + 1]) for n in range(len(x))]
"""
PAIR = """
from random import random  # Not this file's own

base, cells, registers, name = 8, 1, 4, "third"

def inputs(choose, cells, base):
    return [choose(base) for _ in range(base)], {3: 2}

def target(memory, registers, cells, base):
    return [memory[registers[3]]] + [None] * (base - 1)
"""


def test_a_task_is_read_from_a_python_file(tmp_path):
    (tmp_path / "levels.py").write_text(FUNCTION)
    (tmp_path / "json.py").write_text(PAIR)  # A name that a module has
    water = task_from(str(tmp_path / "levels.py"))
    assert (water.name, water.base, water.cells) == ("high_water", 6, 4)
    assert water.family == ((1, 6), (4, 12), (8, 13)) and water.varies
    assert water.target([2, 1, 4, 3, 0, 0], {}, 4, 6) == [2, 2, 4, 4, None, None]
    third = task_from(str(tmp_path / "json.py"))
    assert (third.name, third.registers, third.given) == ("third", 4, [3])
    assert third.summary == "inputs and target of json.py" and third.tests
    found = json.loads(shell("induce", tmp_path / "json.py", "--json").stdout)
    assert found["verified"] and "read 3" in found["program"]


@pytest.mark.parametrize(
    "change, says",
    [
        (("high_water(x)", "_high_water(x)"), "defines no function"),
        (("_largest", "largest"), "defines largest, high_water"),
        (("base, cells, family = 6, 4,", "base, family = 6,"), "has no cells"),
        (("6, 4, [", "6.5, 4, ["), "base is a whole number, found 6.5"),
        (("6, 4, [", "6, 7, ["), "cells is at most base"),
        (("(1, 6), (4, 12)", "1, 6"), "family is a list of other sizes"),
        (("_largest(x[: n", "_largest(y[: n"), "NameError: name 'y'"),
        (("n in range(len(x))", "n in range(99)"), "at most base = 6"),
        (("def high", "def def high"), "SyntaxError"),
        (("base, cells", "import nothing_of_it; base, cells"), "ModuleNotFoundError"),
    ],
)
def test_a_python_file_with_a_mistake_says_which(change, says, tmp_path):
    assert change[0] in FUNCTION
    path = tmp_path / "levels.py"
    path.write_text(FUNCTION.replace(*change))
    with pytest.raises(InputError, match=re.escape(says)):
        task_from(str(path))


@pytest.mark.parametrize(
    "change, says",
    [
        (("range(base)]", "range(base - 1)]"), "inputs returns a list of base = 8"),
        ((", {3: 2}", ""), "Write: return memory, {}"),
        (("{3: 2}", "{4: 2}"), "the registers that do not start at 0"),
        (("[memory[registers[3]]]", "[2.5]"), "found [2.5, None"),
        (("[memory[registers[3]]]", "[99]"), "target returns a list of base = 8"),
        (("[memory[registers[3]]]", "[None]"), "may not be all of them"),
        (("[registers[3]]", "[registers[2]]"), "KeyError: 2"),
    ],
)
def test_functions_of_a_task_are_tried(change, says, tmp_path):
    assert change[0] in PAIR
    path = tmp_path / "third.py"
    path.write_text(PAIR.replace(*change))
    with pytest.raises(InputError, match=re.escape(says)):
        task_from(str(path))


def test_a_mistake_in_a_file_is_told_without_a_traceback(tmp_path):
    (tmp_path / "bad.py").write_text("base = 8")
    ran = call("induce", tmp_path / "bad.py", code=2)
    assert "defines no function" in ran.stderr and "def high_water" in ran.stderr
    assert "Traceback" not in ran.stderr
    (tmp_path / "bad.json").write_text("{base: 8}")
    ran = call("induce", tmp_path / "bad.json", code=2)
    assert "is a JSON file; found" in ran.stderr


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["induce", "mapinc"], "Near: map_inc"),
        (["induce", "map_inc", "--space", "everything"], "space is one of"),
        (["bench", "everything"], "tuning, synthesis or all"),
        (["study", "everything"], "dataset, ablation"),
        (["arena", "everything"], "a suite is one of paper"),
        (["arena", "paper", "--rivals", "luck"], "rivals are among language"),
        (["table1", "--tasks", "mapinc"], "Near: map_inc"),
        (["table1", "--starts", "nowhere"], "random, best, or one of"),
        (["induce", "map_inc", "--budget", "0"], "budget is more than 0"),
        (["run", "missing.asm"], "missing.asm"),
        (["run", MAP, "--memory", "3,x"], "found '3,x'"),
        (["run", MAP, "--memory", "3,9"], "found 9"),
        (["run", MAP, "--memory", "1", "--steps", "0"], "at least 1 step"),
        (["run", MAP, "--instructions", "missing.py"], "missing.py"),
    ],
)
def test_mistakes_are_told_and_exit_with_2(arguments, says):
    # Some mistakes are seen only once the cores are set up, before JAX is started
    way = call if arguments[0] in ("run", "bench") else shell
    ran = way(*arguments, code=2)
    assert says in ran.stderr and "Traceback" not in ran.stderr


def test_a_shell_sees_a_mistake_too():
    ran = shell("run", "missing.asm", code=2)
    assert "missing.asm" in ran.stderr and "Traceback" not in ran.stderr
    assert not ran.stdout


def test_run_checks_expectations_and_runs_memories(tmp_path):
    assert "2 of 2 expectations hold" in call("run", MAP).stdout
    assert "2 of 2 expectations hold" in shell("run", MAP).stdout
    options = ["--memory", "3,1,2", "--steps", 10]
    ran = json.loads(call("run", MAP, *options, "--json").stdout)
    assert ran["memory"] == [4, 2, 2, 0, 0, 0, 0, 0]
    assert "map_loop" in call("run", MAP, *options, "--trace").stdout
    (tmp_path / "wrong.asm").write_text(
        "# expect: base=2 memory=0,0 steps=1 -> memory=1,1\nnoop\n"
    )
    assert "0 of 1" in call("run", tmp_path / "wrong.asm", code=1).stdout


def test_tasks_and_help():
    assert "fibonacci_seeded" in call("tasks").stdout
    assert len(json.loads(call("tasks", "--json").stdout)) == 15
    for command in COMMANDS:
        assert "--json" in call(command, "--help").stdout
    for command in ("induce", "run"):
        assert "code is run" in re.sub(r"[\s│]+", " ", call(command, "--help").stdout)


def test_help_needs_nothing_heavy():
    "So it answers at once."
    heavy = ("jax", "numpy", "numba", "matplotlib", "optax", "IPython")
    seen = f"[m for m in {heavy} if m in sys.modules]"
    code = f"import sys, neural_compile.cli; print({seen})"
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert ran.stdout == "[]\n"


@lru_cache
def once(measure, **settings):
    "A measurement in this process."
    return measure(**settings)


def quickly(measure, *, cores=1, use=None, **settings):
    "In place of `alone`: the same measurements, of less and not for long."
    takes = inspect.signature(measure).parameters
    less = {"seconds": 0.05, "count": 20_000}
    settings |= {name: few for name, few in less.items() if name in takes}
    return dict(once(measure, **settings))


def measured(monkeypatch, what):
    "What `bench` measures quickly, through the command line."
    for module in ("bench", "searches"):
        monkeypatch.setattr(f"neural_compile.appendix.{module}.alone", quickly)
    for space, (task, search, sizes) in searches.ENUMERATED.items():
        smaller = {name: size - 1 for name, size in sizes.items()}
        monkeypatch.setitem(searches.ENUMERATED, space, (task, search, smaller))
    monkeypatch.setattr(CORES, lambda cores=None: None)  # JAX runs here already
    ran = CliRunner().invoke(app, ["bench", what, "--json"])
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout)


def test_bench_measures_tuning(monkeypatch):
    data = measured(monkeypatch, "tuning")
    assert data["tuning"][0]["ratio"] > 0 and "search" not in data


def test_bench_measures_searches(monkeypatch):
    data = measured(monkeypatch, "synthesis")
    assert data["search"]["exact"]["ratio"] > 1 and "tuning" not in data
    assert all(0 < row["pruned"] < 1 for row in data["search"]["enumeration"])


def test_the_readme_shows_the_recorded_results():
    path = ROOT / "tools/results_table.py"
    spec = importlib.util.spec_from_file_location("results_table", path)
    spec.loader.exec_module(tool := importlib.util.module_from_spec(spec))
    readme = (ROOT / "README.md").read_text()
    sections = tool.section(), tool.paper_section(), tool.arena_section()
    assert all(some in readme for some in sections), "run tools/results_table.py"
    lines = (ROOT / "results/demo.jsonl").read_text().splitlines()
    demo = [json.loads(line) for line in lines]
    assert len(demo) == 10 and sum(x["verified"] for x in demo) >= 9


def test_the_package_needs_no_development_tools():
    modules = ("explore.pictures", "appendix.bench", "cli")
    needed = ", ".join(f"neural_compile.{name}" for name in modules)
    tools = ("nbdev", "fastcore", "execnb", "pytest", "hypothesis")
    code = f"import sys, {needed}; print([m for m in {tools} if m in sys.modules])"
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert ran.stdout == "[]\n"
