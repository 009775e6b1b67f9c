"""Faults on purpose: `make faults` with the full counts, `make test` with small ones.

The environment variable FAULTS is "full" or "small"; then types are not checked at run
time, so that errors are those that a user sees. Without it, counts are small.

Each test counts what it did with `tell`; the sums are printed at the end.
"""

import os
import resource
import sys
import time
from collections import Counter
from contextlib import contextmanager

import jaxtyping
import pytest

import neural_compile as nc

FULL = os.environ.get("FAULTS") == "full"
MEMORY = 2**30  # Bytes that a single input may make a process grow
SECONDS = 10.0 if "FAULTS" in os.environ else 60.0  # Of the processor


@pytest.fixture(scope="session")
def count():
    "A function of two numbers: how often, in `make test` and in `make faults`."
    return lambda small, full: full if FULL else small


@pytest.fixture(scope="session")
def own():
    "The errors that an input may raise; where types are checked, that one too."
    plain = "FAULTS" in os.environ
    return (nc.InputError,) if plain else (nc.InputError, jaxtyping.TypeCheckError)


@pytest.fixture
def tell(record_property):
    "Adds to a figure that is printed at the end."
    return lambda figure, number: record_property(f"figure: {figure}", number)


def grown() -> int:
    "The most memory that this process has ever had, in bytes."
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


@contextmanager
def bounds(what):
    "Whatever happens here takes little time and memory."
    before, start = grown(), time.process_time()
    yield
    assert time.process_time() - start < SECONDS, what
    assert grown() - before < MEMORY, what


@pytest.fixture(scope="session")
def bounded():
    "A context that fails if it takes much time or memory."
    return bounds


def pytest_configure(config):
    config.addinivalue_line("markers", "full: in `make faults` only, as it takes long")


def pytest_collection_modifyitems(config, items):
    "Leave out what takes long, but in `make faults`."
    long = [item for item in items if item.get_closest_marker("full") and not FULL]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]


def pytest_terminal_summary(terminalreporter):
    "Print the figures of all tests, each with its sum."
    sums = Counter()
    reports = [r for some in terminalreporter.stats.values() for r in some]
    for report in reports:
        for name, number in getattr(report, "user_properties", ()):
            if name.startswith("figure: ") and report.when == "call":
                sums[name.removeprefix("figure: ")] += number
    if sums:
        terminalreporter.section("faults")
    for name, number in sorted(sums.items()):
        terminalreporter.write_line(f"{number:>9,}  {name}")
