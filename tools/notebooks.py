"""Run notebooks, each in a kernel of its own, two at a time.

What they showed is kept in build/notebooks for the site."""

import hashlib
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import book
import kernels
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / "build/notebooks"
# Checks compile in a hurry, and once: much of their time goes into compiling
FLAGS = "--xla_cpu_use_fusion_emitters=false --xla_backend_optimization_level=1"
ENV = {
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": FLAGS,
    "JAX_COMPILATION_CACHE_DIR": str(ROOT / "build/jax"),
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0",
    **os.environ,
}
# For one cell: a guard against a runaway, not a measurement
LIMIT = float(os.environ.get("NOTEBOOK_SECONDS", 300))
READ = (  # what any notebook may depend on
    "neural_compile/**/*.py",
    "results/**/*",
    "tests/programs/*",
    "constraints.txt",
    "tools/kernels.py",
    "tools/notebooks.py",
)
SKIPPED = ("#| slow", "#| eval: false")  # cells that are shown without being run


def notebooks():
    """The notebooks in reading order; not those nbdev skips too."""
    nbs = ROOT / "nbs"
    found = [path.relative_to(nbs) for path in nbs.rglob("*.ipynb")]
    hidden = lambda path: any(part.startswith((".", "_")) for part in path.parts)
    kept = (path for path in found if not hidden(path))
    return [nbs / path for path in sorted(kept, key=book.place)]


def cached(path):
    """Where the outputs of this notebook are kept, given all that they depend on."""
    parts = [
        path,
        *sorted(p for pattern in READ for p in ROOT.glob(pattern) if p.is_file()),
    ]
    digest = hashlib.sha256(sys.version.encode())
    for part in parts:
        digest.update(f"{part.relative_to(ROOT)}\0".encode() + part.read_bytes())
    return CACHE / path.relative_to(ROOT / "nbs").with_suffix(
        f".{digest.hexdigest()[:16]}.ipynb"
    )


def skipped(cell):
    """Whether a code cell says that it is not to be run."""
    return any(line.strip() in SKIPPED for line in cell.source.splitlines())


class Client(NotebookClient):
    """Runs a notebook, but for the cells that are to be shown only."""

    async def async_execute_cell(self, cell, *args, **kwargs):
        return (
            cell
            if skipped(cell)
            else await super().async_execute_cell(cell, *args, **kwargs)
        )


def run(path):
    """Run one notebook and keep its outputs; returns what went wrong, or nothing."""
    notebook, kept = nbformat.read(path, as_version=4), cached(path)
    client = Client(
        notebook,
        timeout=LIMIT,
        store_widget_state=True,
        kernel_manager_class=kernels.Manager,
        resources={"metadata": {"path": str(path.parent)}},
    )
    # What the kernel itself prints: of use only if it dies
    with tempfile.NamedTemporaryFile("r") as said:
        try:
            client.execute(env=ENV, said=said.name)
        except CellTimeoutError:
            return f"a cell was still running after {LIMIT:.0f} s (NOTEBOOK_SECONDS)"
        except CellExecutionError as error:
            return str(error)
        except DeadKernelError as error:
            return f"{error}\n{said.read()}"
    kept.parent.mkdir(parents=True, exist_ok=True)
    for old in kept.parent.glob(f"{path.stem}.*.ipynb"):
        old.unlink()
    nbformat.write(notebook, kept)
    return ""


def timed(path):
    """Run one notebook; returns its seconds too."""
    start = time.monotonic()
    return run(path), time.monotonic() - start


def run_all(paths):
    """Run these notebooks, printing seconds and errors; returns those that failed."""
    failed = []
    paths = paths[::-1]  # Later ones are longer: at the end, both cores are busy
    kernels.start(ENV)
    with ThreadPoolExecutor(2) as pool:
        for path, (fault, seconds) in zip(paths, pool.map(timed, paths)):
            print(
                f"{seconds:6.1f} s  {path.relative_to(ROOT)}",
                "FAILED" if fault else "",
                flush=True,
            )
            if fault:
                print(fault)
                failed.append(str(path.relative_to(ROOT)))
    return failed
