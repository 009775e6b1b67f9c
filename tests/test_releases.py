"""What a release promises: one version everywhere, and old names that still work."""

import importlib
import io
import re
import subprocess
import sys
import tarfile
import warnings
from configparser import ConfigParser
from pathlib import Path

import pytest
import yaml

import neural_compile as nc
from neural_compile import moved

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import audit
import lock
import wheel_test

HEADING = re.compile(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)$", re.M)
OLD = [  # As one imported them from 0.1.0, and as one does now
    ("assembly.parse", "neural_compile.parse"),
    ("assembly.value_table", "neural_compile.assembly.engine.value_table"),
    ("bench.fastest", "neural_compile.appendix.timing.fastest"),
    ("compiler.save", "neural_compile.save"),
    ("decoding.decode", "neural_compile.decode"),
    ("experiments.Induction", "neural_compile.Induction"),
    ("explore.trace_explorer", "neural_compile.explore.frames.trace_explorer"),
    ("interpreter.run_many", "neural_compile.run_many"),
    ("loss.composite", "neural_compile.loss.loss.composite"),
    ("synthesis.Candidate", "neural_compile.Candidate"),
    ("tasks.fit_clock", "neural_compile.fit_clock"),
    ("tuning.use_cores", "neural_compile.use_cores"),
]

FIRST = """INSTRUCTIONS NOWHERE Execution InputError Instruction Line Program
ProgramError Trace execute parse Controller Machine compile_program decompile
distributedness load random_controller save Decoded decode Induction Rate Recovery
induce recovery DEFAULT DIALECTS LITERAL Dialect State run run_many trace TEMPLATES
Candidate Synthesis synthesize template TASKS Clock Examples Task Verification
fit_clock verify Tuning tune""".split()  # The stable names of 0.1.0


def version():
    config = ConfigParser(delimiters=["="])
    config.read(ROOT / "settings.ini", encoding="utf-8")
    return config["DEFAULT"]["version"]


@pytest.mark.parametrize("old, new", OLD)
def test_an_old_name_is_the_new_one_and_warns(old, new):
    module, name = old.split(".")
    with pytest.warns(DeprecationWarning, match=re.escape(f"is now {new};")):
        value = getattr(importlib.import_module(f"neural_compile.{module}"), name)
    home, _, name = new.rpartition(".")
    assert value is getattr(importlib.import_module(home), name)


def test_every_old_module_is_tried():
    assert {old.split(".")[0] for old, _ in OLD} == set(moved.MOVED)
    for module, homes in moved.MOVED.items():
        assert all(
            moved.found(
                module, importlib.import_module(f"neural_compile.{home}").__all__[0]
            )
            for home in homes.split()
        )


def test_what_never_was_is_refused_and_a_chapter_is_a_module():
    for module in moved.MOVED:
        with pytest.raises(ImportError, match="nothing"):
            exec(f"from neural_compile.{module} import nothing")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        from neural_compile.experiments import induce

        assert induce.induce is nc.induce
    with pytest.raises(AttributeError, match="nothing"):
        nc.nothing  # noqa: B018


def test_every_stable_name_of_the_first_version_is_there():
    assert not set(FIRST) - set(nc.__all__)


def test_simplify_is_what_it_was():
    task, clock = nc.TASKS["inc"], nc.Clock(0, 8)
    program = nc.parse("read 0 1\nnoop\ninc 1 1\nwrite 0 1\nhalt")
    with pytest.warns(DeprecationWarning, match="Answer"):
        shorter = nc.simplify(program, clock, task)
    assert shorter == nc.Answer(program, clock).simplify(task).program
    assert len(shorter.lines) < len(program.lines)


def test_old_names_load_nothing_until_they_are_asked_for_and_name_the_line(tmp_path):
    code = "import sys\nimport neural_compile.tasks\nprint('jax' in sys.modules)\n"
    script = tmp_path / "mine.py"
    script.write_text(code + "from neural_compile.tasks import Clock\n")
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert ran.stdout.strip() == "False", ran.stderr
    assert "mine.py:4: DeprecationWarning: neural_compile.tasks.Clock" in ran.stderr
    assert moved.ENDS > version()


def test_version_and_date_are_the_same_everywhere():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest, date = HEADING.search(changes).groups()
    assert version() == nc.__version__ == cited["version"] == newest
    assert str(cited["date-released"]) == date
    dates = [found[2] for found in HEADING.finditer(changes)]
    assert dates == sorted(dates, reverse=True) and len(dates) == 2


def test_the_citation_has_what_its_schema_requires():
    "Of https://github.com/citation-file-format, 1.2.0, the keys that we use."
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    known = {"abstract", "authors", "cff-version", "date-released", "keywords"}
    known |= {"license", "message", "title", "type", "url", "version"}
    assert {"authors", "cff-version", "message", "title"} <= set(cited) <= known
    assert cited["cff-version"] == "1.2.0" and cited["type"] == "software"
    entity = {"name", "family-names", "given-names", "orcid", "website"}
    assert all(author and set(author) <= entity for author in cited["authors"])
    assert all(isinstance(word, str) for word in cited["keywords"])
    assert cited["license"] == "Apache-2.0"
    assert re.fullmatch(r"\d+\.\d+\.\d+", cited["version"])


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(text):
    "The version of each package of a list."
    found = re.findall(r"^([\w.-]+)(?:\[[^\]]*\])?==([^\s;]+)", text, re.M)
    return {canonical(name): version for name, version in found}


def test_the_lock_has_what_is_asked_for_in_the_versions_of_the_constraints():
    "If not: `make lock`."
    text = lock.LOCK.read_text()
    locked = pins(text)
    constrained = pins((ROOT / "constraints.txt").read_text())
    names = [re.match(r"[\w.-]+", asked)[0] for asked in lock.requirements()]
    assert not {canonical(name) for name in names} - set(locked)
    both = set(locked) & set(constrained)
    assert {n: locked[n] for n in both} == {n: constrained[n] for n in both}
    entries = re.split(r"^(?=[\w.-]+(?:\[.*\])?==)", text, flags=re.M)[1:]
    assert len(entries) == len(locked)
    assert all("--hash=sha256:" in entry for entry in entries)


class Said:
    "What a command said."

    def __init__(self, stdout, returncode):
        self.stdout, self.stderr, self.returncode = stdout, "", returncode


def test_an_audit_that_nobody_answers_says_so(monkeypatch, capsys):
    says = {"requirements.txt": Said("not found on PyPI", 1)}
    monkeypatch.setattr(audit, "audited", lambda path: says[path.name])
    assert audit.main() == 0 and "Nothing was checked" in capsys.readouterr().out
    says["requirements.txt"] = Said("urllib3 1.26.4 PYSEC-2021-108", 1)
    for code in (0, 1):
        says[lock.LOCK.name] = Said(f"code {code}", code)
        assert audit.main() == code and f"code {code}" in capsys.readouterr().out


def test_a_source_archive_depends_on_its_files_alone(tmp_path):
    "Not on when or by whom they were packed, or in which order."
    made = []
    for n, order in enumerate(["ab", "ba"]):
        path = tmp_path / f"{n}.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            for name in order:
                member = tarfile.TarInfo(f"x/{name}")
                member.size, member.mtime, member.uid = 1, 1000 + n, n
                archive.addfile(member, io.BytesIO(name.encode()))
        wheel_test.normalise(path, 10**9)
        made.append(path.read_bytes())
    assert made[0] == made[1]
    with tarfile.open(tmp_path / "0.tar.gz") as archive:
        assert archive.getnames() == ["x/a", "x/b"]
        assert archive.extractfile("x/b").read() == b"b"
