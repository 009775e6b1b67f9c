"""Behind `make wheel-test`: build the wheel, install it alone, and induce with it."""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run(*command, **options):
    print("+", *command, flush=True)
    if subprocess.run(command, **options).returncode:
        sys.exit(f"wheel-test FAILED at: {' '.join(map(str, command))}")


with tempfile.TemporaryDirectory() as folder:
    folder = Path(folder)
    run(
        sys.executable, "-m", "build", "-q", "--outdir", folder, ROOT
    )  # the wheel from the source archive: tests both
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv/bin/python"
    (wheel,) = folder.glob("*.whl")
    run(python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", wheel)
    run(
        python,
        "-c",
        "import importlib.util as u; "
        "assert u.find_spec('nbdev') is None, 'the wheel installs nbdev'",
    )
    run(
        folder / "venv/bin/neural_compile",
        "induce",
        "fibonacci_seeded",
        "--space",
        "language",
        cwd=folder,
    )
print("wheel-test passed")
