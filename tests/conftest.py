"""Every test runs with shapes checked at run time, and repeats exactly."""

import dataclasses
import os
import re
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import hypothesis
import jax
import jaxtyping
import pytest

jaxtyped = jaxtyping.jaxtyped
SHAPED = re.compile(r"\b(Float|Int|Bool|Key|Shaped|UInt|Num|Real)\w*\[")


def checked(*, typechecker):
    """`jaxtyped`, but only where an annotation has a shape.

    A type alone is checked without it, which is much quicker, and a function without
    annotations has nothing to check."""

    def decorate(f):
        whole = f.__init__ if dataclasses.is_dataclass(f) else f
        says = getattr(whole, "__annotations__", None)
        if not says or getattr(f, "__no_type_check__", False):
            return f
        if SHAPED.search(str(says)):
            return jaxtyped(typechecker=typechecker)(f)
        if not isinstance(f, type):
            return typechecker(f)
        if whole is not f:
            f.__init__ = typechecker(whole)
        return f

    return decorate


jax.config.update("jax_numpy_rank_promotion", "raise")
jaxtyping.jaxtyped = checked
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
