"""Files from somebody who means harm: no code run, no flood of memory, no hanging."""

import json
import pickle
import struct

import numpy as np
import pytest
from safetensors.numpy import save as serialized
from typer.testing import CliRunner

import neural_compile as nc
from neural_compile import cli
from neural_compile.assembly.parsing import expectations
from neural_compile.assembly.parsing import parse as parse_program
from neural_compile.compiler.files import VERSION, digest
from neural_compile.synthesis.filling import Fillings
from neural_compile.taskfiles import task_from

PROGRAM = nc.parse("inc 0 0")
MACHINE = nc.Machine(base=8, registers=2, lines=1)


def parts(tmp_path):
    "The arrays, metadata and header of a file that is right."
    from safetensors import safe_open

    path = tmp_path / "right.safetensors"
    nc.save(nc.compile_program(PROGRAM, MACHINE), path)
    with safe_open(path, framework="numpy") as file:
        said = file.metadata()
        arrays = {name: file.get_tensor(name) for name in file.keys()}
    return arrays, said, json.loads(said["header"])


def sealed(arrays, header, kind="controller"):
    "A file with a right checksum, whatever it says."
    said = {"neural_compile": VERSION, "kind": kind, "header": header}
    said["sha256"] = digest(arrays, header, kind)
    return serialized(arrays, said)


HEADERS = {
    "no JSON": "{",
    "deep": "[" * 1_000_000,
    "a million digits": '{"machine": {"base": ' + "9" * 1_000_000 + "}}",
    "infinity": '{"machine": {"instructions": [], "base": Infinity}}',
    "a list": "[]",
    "code": "__import__('os').system('touch ran')",
}
MACHINES = [
    {"base": 10**12},
    {"base": 65_537},
    {"lines": 10**9},
    {"registers": 2**70},
    {"lines": -1},
    {"base": [8]},
    {"instructions": ["eval"]},
    {"instructions": "noop"},
    {"dialect": {"name": "x", "__class__": "os"}},
    {"dialect": {"name": "x", "erase_by_mass": {}}, "base": "8" * 5000},
]


def refused(path, content, bounded):
    path.write_bytes(content)
    with bounded(content[:100]), pytest.raises(nc.InputError) as error:
        nc.load(path)
    assert len(str(error.value)) < 2000


def test_sealed_files_that_mean_harm(tmp_path, monkeypatch, bounded, tell):
    monkeypatch.chdir(tmp_path)
    arrays, said, header = parts(tmp_path)
    path = tmp_path / "hostile.safetensors"
    for text in HEADERS.values():
        for kind in ("controller", "induction", "layer"):
            refused(path, sealed(arrays, text, kind), bounded)
            tell("hostile files", 1)
    for change in MACHINES:
        worse = json.dumps(header | {"machine": header["machine"] | change})
        refused(path, sealed(arrays, worse), bounded)
        tell("hostile files", 1)
    for wrong in ({"first": np.zeros((2, 2**20))}, {"first": np.zeros((2, 1), "U")}):
        odd = {name: a for name, a in (arrays | wrong).items() if a.dtype.kind == "f"}
        refused(path, sealed(odd, said["header"]), bounded)
        tell("hostile files", 1)
    assert not (tmp_path / "ran").exists()


def claimed(entries, size=None):
    "A file whose first part says this, and whose length is told as asked."
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + bytes(64)


def test_files_that_claim_too_much(tmp_path, bounded, tell):
    path = tmp_path / "claims.safetensors"
    whole = {"dtype": "F32", "shape": [2**40, 2**20], "data_offsets": [0, 64]}
    most = {"dtype": "F32", "shape": [2**62], "data_offsets": [0, 2**64 - 1]}
    for content in (
        claimed({}, 2**63),
        claimed({}, 2**64 - 1),
        claimed({}, 2**30),
        claimed({"a": whole}),
        claimed({"a": most}),
        claimed({"__metadata__": {"neural_compile": "2"}, "a": whole}),
        claimed({f"a{n}": whole for n in range(50_000)}),
        struct.pack("<Q", 10**6) + b"[" * 10**6,
        struct.pack("<Q", 2**25) + b" " * 2**25,
        pickle.dumps(PROGRAM.lines[0].a),
        b"",
    ):
        refused(path, content, bounded)
        tell("hostile files", 1)


def test_a_file_of_a_million_million_bytes_is_not_read(tmp_path, bounded):
    for name, read in (("a.safetensors", nc.load), ("a.json", task_from)):
        with (tmp_path / name).open("wb") as file:
            file.truncate(2**40)  # Takes no room on the disk
        with bounded(name), pytest.raises(nc.InputError, match="at most"):
            read(str(tmp_path / name))


TEXTS = {
    "rows": "noop\n" * 5_000_000,
    "blank rows": "\n" * 900_000 + "# expect: base=4 -> memory",
    "many spaces": " " * 900_000 + "# expect",
    "one long word": "a" * 900_000,
    "a long label": "a" * 900_000 + ":\nnoop",
    "a long register": "inc " + "9" * 900_000 + " 0",
    "labels": "".join(f"a{n}:\n" for n in range(100_000)) + "noop",
    "lost labels": "".join(f"jump 0 b{n}\n" for n in range(9000)) + "a:\n" * 90_000,
    "labels like others": "".join(f"a{n}:\njump 0 a{n}x\n" for n in range(9000)),
    "lines": "noop\n" * 100_000,
    "expectations": "# expect: base=4 memory=0 steps=1 -> halted=1\n" * 10_000,
    "a large base": "noop\n# expect: base=999999 memory=0 steps=1 -> halted=1",
    "gaps": "...99\n" * 10,
    "many gaps": "...99\n" * 5000,
    "two large gaps": "...99\nnoop\n...99\n" * 2,
    "a long choice": "inc ?{" + ",".join(["1"] * 400_000) + "} 0",
    "a choice of all": "inc ?{" + ",".join(map(str, range(100_000))) + "} 0",
    "open braces": "inc " + "?{" * 400_000 + " 0",
    "marks": "! " * 400_000,
    "not a text": b"inc 0 0",
    "a large number": 10**5000,
}


@pytest.mark.parametrize("name", TEXTS)
def test_texts_that_mean_harm(name, bounded, tell, own):
    for read in (parse_program, nc.parse, expectations):
        with bounded(name):
            try:
                read(TEXTS[name])
            except own as error:
                assert len(str(error)) < 20_000
    tell("hostile texts", 1)


ONE = '{"base": 8, "inputs": [[1], [2]], "outputs": [[2], [4]]'
TASKS = {
    "deep": "[" * 1_000_000,
    "deep outputs": ONE[:-1] + ", " + "[" * 90_000 + "]" * 90_000 + "]}",
    "digits": ONE.replace("8", "9" * 1_000_000) + "}",
    "a large base": ONE.replace("8", "1000000000") + "}",
    "a large base and many rows": json.dumps(
        {"base": 65_536, "inputs": [[1]] * 9999, "outputs": [[1]] * 9999}
    ),
    "registers": ONE + ', "registers": 1000000000}',
    "many registers": ONE + ', "registers": 2e9}',
    "infinity": ONE + ', "registers": Infinity}',
    "code": ONE + ', "instructions": "__import__(\'os\')"}',
    "a long name": ONE + f', "{"x" * 1_000_000}": 1}}',
    "no text": ONE + ', "name": {"a": 1}}',
}


@pytest.mark.parametrize("name", TASKS)
def test_tasks_that_mean_harm(name, tmp_path, bounded, tell, own):
    path = tmp_path / "task.json"
    path.write_text(TASKS[name])
    with bounded(name), pytest.raises(own) as error:
        task_from(str(path))
    assert len(str(error.value)) < 2000
    tell("hostile texts", 1)


def test_a_task_with_many_registers_fills_no_memory(bounded):
    given = [[n] for n in range(8)]
    task = nc.Task.from_examples(given, given, base=8, registers=1000)
    with bounded("registers"), pytest.raises(nc.InputError, match="fewer registers"):
        space = [Fillings(nc.parse("?\n?"))]
        nc.synthesize(task, space=space, progress=False)


RUNS = {
    "a large base": ["--memory", "1", "--base", "1000000000"],
    "many steps": ["--memory", "1", "--steps", "1000000000"],
    "many numbers": ["--memory", ",".join(["1"] * 20_000)],
    "a million digits": ["--memory", "9" * 100_000],
    "a negative base": ["--memory", "1", "--base", "-5"],
}


@pytest.mark.parametrize("name", RUNS)
def test_runs_that_would_not_end(name, tmp_path, bounded):
    path = tmp_path / "loop.asm"
    path.write_text("loop:\ninc 1 1\njump 0 loop")
    with bounded(name):
        ran = CliRunner().invoke(cli.app, ["run", str(path), *RUNS[name]])
    assert ran.exit_code == 2 and "error" in ran.output and len(ran.output) < 2000


def test_whoever_gives_a_python_file_is_told_that_it_runs():
    for options in (["induce", "--help"], ["run", "--help"]):
        said = " ".join(CliRunner().invoke(cli.app, options).output.split())
        said = said.replace("│", " ")
        assert "code is run" in " ".join(said.split())
    assert "runs no code" in nc.load.__doc__
