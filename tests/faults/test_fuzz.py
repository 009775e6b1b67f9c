"""Whatever is typed: a result or the package's own error, soon, in little memory."""

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutations import PROGRAMS, program, sketch, task
from typer.testing import CliRunner

import neural_compile as nc
from neural_compile import cli, shell
from neural_compile.assembly.parsing import expectations
from neural_compile.assembly.parsing import parse as parse_program
from neural_compile.taskfiles import task_from


def read_as(read, text, own=nc.InputError):
    "What comes of a text, or None if it is refused; any other error fails."
    try:
        return read(text)
    except own as error:
        assert 0 < len(str(error)) < 20_000
        return None


def test_programs(count, tell, bounded):
    rng, right, tries = random.Random(0), 0, count(400, 4000)
    for _ in range(tries):
        text = program(rng)
        with bounded(text[:200]):
            read_as(expectations, text)
            found = read_as(parse_program, text)
            right += found is not None
            assert found is None or parse_program(str(found)) == found
    tell("programs fuzzed", tries)
    assert tries > right > tries / 20


def test_sketches(count, tell, bounded):
    rng, right, tries = random.Random(1), 0, count(400, 2500)
    for _ in range(tries):
        text = sketch(rng)
        with bounded(text[:200]):
            found = read_as(nc.parse, text)
            right += found is not None
            assert found is None or nc.parse(str(found)) == found
            if isinstance(found, nc.Sketch):
                assert sum(1 for _ in found.shapes()) <= 1_000_000
    tell("sketches fuzzed", tries)
    assert tries > right > tries / 50


@given(st.text(max_size=300))
@settings(max_examples=200)
def test_any_text_is_a_program_or_an_error(text):
    for read in (parse_program, nc.parse, expectations):
        read_as(read, text)


def test_tasks(tmp_path, count, tell, bounded, own):
    rng, right, tries = random.Random(2), 0, count(300, 2500)
    path = tmp_path / "task.json"
    for _ in range(tries):
        text = task(rng)
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        with bounded(text[:200]):
            found = read_as(task_from, str(path), own)
            right += found is not None
            assert found is None or len(found.sample(2, seed=0)) == 2
    tell("task files fuzzed", tries)
    assert tries > right > tries / 20


HEAVY = {
    "neural_compile.experiments.induce.induce",
    "neural_compile.experiments.table1.table1",
    "neural_compile.experiments.studies.study",
    "neural_compile.experiments.arena.arena",
    "neural_compile.experiments.recovery.measure_tasks",
    "neural_compile.appendix.bench.bench",
}
REACHED = "here it would begin to compute"


@pytest.fixture
def light(monkeypatch):
    "The command line without what takes long."

    def stop(*_, **__):
        raise nc.InputError(REACHED)

    for name in HEAVY:
        monkeypatch.setattr(name, stop)
    monkeypatch.setattr(cli, "use_machine", lambda: None)
    monkeypatch.setattr(shell, "use_machine", lambda: None)


@pytest.fixture
def files(tmp_path, monkeypatch):
    "Names of files that are right, wrong, foreign, and not there."
    monkeypatch.chdir(tmp_path)
    made = {
        "map.asm": PROGRAMS[0].encode(),
        "wrong.asm": b"incc 1 1\njump loop",
        "open.asm": b"inc ? 0\n...3",
        "binary.asm": bytes(range(256)),
        "empty.asm": b"",
        "task.json": b'{"base": 8, "inputs": [[1], [2]], "outputs": [[2], [4]]}',
        "deep.json": b"[" * 100_000,
        "list.json": b"[1, 2]",
        "table.py": b"INSTRUCTIONS = 3",
        "broken.py": b"1 / 0",
    }
    for name, content in made.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder").mkdir()
    return [*made, "folder", "folder.json", "missing.asm", "missing.json", "/", ""]


COMMANDS = ("run", "run", "run", "induce", "induce", "tasks", "table1", "study")
COMMANDS += ("arena", "bench", "help", "")
OPTIONS = (
    "--memory --registers --base --steps --trace --instructions --space --budget "
    "--time-limit --key --save --report --start --json --tasks --starts --restarts "
    "--quick --folder --plot --rivals --units --full --check --help --measure"
).split()
NUMBERS = ["0", "1", "8", "-1", "3,1,2", "1,,2", "1e9", "nan", "inf", "9" * 40]
NUMBERS += ["9" * 5000, "1000000000", "0x10", "٣", "1.5", "''", "--", "-", "\x01"]
WORDS = ["all", "language", "walks", "inc", "map_inc", "sort", "paper", "dataset", "x"]


def line(rng, files):
    "A command line, most often nearly right."
    words = [rng.choice(COMMANDS)]
    for _ in range(rng.choice([0, 1, 1, 2])):
        words.append(rng.choice(rng.choice([files, WORDS, NUMBERS])))
    for _ in range(rng.choice([0, 1, 2, 3])):
        words.append(rng.choice(OPTIONS))
        if rng.random() < 0.8:
            words.append(rng.choice(rng.choice([files, WORDS, NUMBERS])))
    return words


def test_command_lines(light, files, count, tell, bounded):
    rng, codes, reached, tries = random.Random(3), [], 0, count(150, 1000)
    for _ in range(tries):
        words = line(rng, files)
        with bounded(words):
            ran = CliRunner().invoke(cli.app, words)
        assert ran.exit_code in (0, 1, 2), (words, ran.exception)
        assert ran.exception is None or isinstance(ran.exception, SystemExit), words
        assert "Traceback" not in ran.output, words
        assert ran.exit_code != 2 or re.search("[Ee]rror|Usage", ran.output), words
        codes.append(ran.exit_code)
        reached += REACHED in ran.output
    tell("command lines fuzzed", tries)
    assert {0, 2} <= set(codes) and reached > tries / 100
