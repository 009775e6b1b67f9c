"""Every test runs with shapes checked at run time, and repeats exactly."""

import os
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import hypothesis
import jax
import jaxtyping
import pytest

jaxtyped = jaxtyping.jaxtyped


def where_annotated(**how):
    "`jaxtyped`, but a function without annotations, with nothing to check, stays."

    def decorate(f):
        says = isinstance(f, type) or getattr(f, "__annotations__", None)
        return jaxtyped(**how)(f) if says else f

    return decorate


jax.config.update("jax_numpy_rank_promotion", "raise")
# Inner functions are made a hundred thousand times
jaxtyping.jaxtyped = where_annotated
if "FAULTS" not in os.environ:  # `make faults` sees what a user sees
    jaxtyping.install_import_hook(
        "neural_compile", "typechecker.check"
    )  # before any test imports neural_compile

# The first call of a jitted function compiles it: no deadline fits it and the others
hypothesis.settings.register_profile("repeatable", deadline=None, derandomize=True)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def programs():
    "The shared table of programs, by name."
    from neural_compile import parse

    return {
        path.stem: parse(path.read_text())
        for path in (Path(__file__).parent / "programs").glob("*.asm")
    }
