"""The command line and the README, as a person would use them."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def call(*arguments, code=0, cwd=ROOT):
    ran = subprocess.run(
        [sys.executable, "-m", "neural_compile.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
    )
    assert ran.returncode == code, ran.stdout + ran.stderr
    return ran


def test_induce_prints_a_program_and_exits_with_0_only_if_it_is_verified(tmp_path):
    found = json.loads(
        call("induce", "map_inc", "--json", "--save", tmp_path / "x.safetensors").stdout
    )
    assert (
        found["verified"]
        and "inc" in found["program"]
        and found["clock"]["per_cell"] == 5
    )
    import neural_compile as nc

    assert str(nc.load(tmp_path / "x.safetensors").program) == found["program"]
    assert (
        "no program found"
        in call("induce", "sort", "--time-limit", "0.1", code=1).stdout
    )


def test_induce_takes_examples_from_a_file(tmp_path):
    (tmp_path / "twice.json").write_text(
        json.dumps(
            {
                "base": 8,
                "inputs": [[n] for n in range(8)],
                "outputs": [[2 * n % 8] for n in range(8)],
            }
        )
    )
    assert "held-back" in call("induce", tmp_path / "twice.json").stdout
    (tmp_path / "bad.json").write_text('{"inputs": []}')
    assert (
        "a JSON object with inputs, outputs and base"
        in call("induce", tmp_path / "bad.json", code=2).stderr
    )


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["induce", "mapinc"], "Near: map_inc"),
        (["induce", "map_inc", "--space", "everything"], "space is one of"),
        (["bench", "everything"], "tuning, synthesis or all"),
        (["study", "everything"], "dataset, ablation"),
        (["table1", "--tasks", "mapinc"], "Near: map_inc"),
        (["table1", "--starts", "nowhere"], "random, best, or one of"),
        (["induce", "map_inc", "--budget", "0"], "budget is more than 0"),
        (["run", "missing.asm"], "missing.asm"),
        (["run", "tests/programs/map.asm", "--memory", "3,x"], "found '3,x'"),
        (["run", "tests/programs/map.asm", "--memory", "3,9"], "found 9"),
        (
            ["run", "tests/programs/map.asm", "--memory", "1", "--steps", "0"],
            "at least 1 step",
        ),
    ],
)
def test_mistakes_are_told_and_exit_with_2(arguments, says):
    ran = call(*arguments, code=2)
    assert says in ran.stderr and "Traceback" not in ran.stderr


def test_run_checks_expectations_and_runs_memories(tmp_path):
    assert "2 of 2 expectations hold" in call("run", "tests/programs/map.asm").stdout
    assert json.loads(
        call(
            "run",
            "tests/programs/map.asm",
            "--memory",
            "3,1,2",
            "--steps",
            10,
            "--json",
        ).stdout
    )["memory"] == [4, 2, 2, 0, 0, 0, 0, 0]
    assert (
        "map_loop"
        in call(
            "run",
            "tests/programs/map.asm",
            "--memory",
            "3,1,2",
            "--steps",
            10,
            "--trace",
        ).stdout
    )
    (tmp_path / "wrong.asm").write_text(
        "# expect: base=2 memory=0,0 steps=1 -> memory=1,1\nnoop\n"
    )
    assert "0 of 1" in call("run", tmp_path / "wrong.asm", code=1).stdout


def test_tasks_and_help():
    assert (
        "fibonacci_seeded" in call("tasks").stdout
        and len(json.loads(call("tasks", "--json").stdout)) == 15
    )
    for command in ("induce", "run", "tasks", "table1", "study", "bench"):
        assert "--json" in call(command, "--help").stdout


def test_bench_measures_ratios():
    data = json.loads(call("bench", "tuning", "--json").stdout)
    assert data["tuning"][0]["ratio"] > 0 and "search" not in data
    data = json.loads(call("bench", "synthesis", "--json").stdout)
    assert (
        data["search"]["exact"]["ratio"] > 1
        and all(0 < row["pruned"] < 1 for row in data["search"]["enumeration"])
        and "tuning" not in data
    )


def test_the_readme_runs(capsys):
    readme, names = (ROOT / "README.md").read_text(), {}
    blocks = re.findall(r"```python\n(.*?)```", readme, re.S)
    for block in blocks:
        exec(block, names)
    out = capsys.readouterr().out
    assert (
        len(blocks) == 2
        and "strictly verified" in out
        and "[3, 5, 7, 0, 0, 0, 0, 0]" in out
    )


def test_the_readme_shows_the_recorded_results():
    spec = importlib.util.spec_from_file_location(
        "results_table", ROOT / "tools/results_table.py"
    )
    spec.loader.exec_module(tool := importlib.util.module_from_spec(spec))
    readme = (ROOT / "README.md").read_text()
    assert tool.section() in readme and tool.paper_section() in readme, (
        "run tools/results_table.py"
    )
    demo = [
        json.loads(line)
        for line in (ROOT / "results/demo.jsonl").read_text().splitlines()
    ]
    assert len(demo) == 10 and sum(x["verified"] for x in demo) >= 9


def test_the_package_needs_no_development_tools():
    code = (
        "import sys, neural_compile, neural_compile.explore.pictures, neural_compile.appendix.bench, neural_compile.cli; "
        "print([m for m in ('nbdev', 'fastcore', 'execnb', 'pytest', 'hypothesis') if m in sys.modules])"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        ).stdout
        == "[]\n"
    )
