"""What README.md and CONTRIBUTING.md show can be done as it stands there."""

import re
from pathlib import Path

import jax
import optax
import pytest

import neural_compile as nc

ROOT = Path(__file__).resolve().parent.parent


def blocks(name):
    "The Python blocks of a file, by the line before each."
    text = (ROOT / name).read_text()
    return re.findall(r"```python\n(.*?)```", text, re.S)


@pytest.mark.parametrize("number", range(5))
def test_additions_work_as_they_are_shown(number):
    code = blocks("CONTRIBUTING.md")[number]
    exec(code, {"nc": nc, "jax": jax, "optax": optax})


def test_no_addition_is_left_out():
    assert len(blocks("CONTRIBUTING.md")) == 5


def test_the_readme_runs(capsys):
    shared, shown = {}, blocks("README.md")
    for code in shown:
        exec(code, shared)
    out = capsys.readouterr().out
    assert len(shown) == 5 and "strictly verified" in out and "    - ?" in out
    assert "[3, 5, 7, 0, 0, 0, 0, 0]" in out
    assert shared["joint"].shares.max() > 0.9
