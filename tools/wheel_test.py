"""Behind `make wheel-test`: build twice, compare, install, and induce with the wheel.

Wheel and source archive are built reproducibly: the same commit gives the same bytes.
Dates in them are that of the last commit (SOURCE_DATE_EPOCH)."""

import gzip
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run(*command, **options):
    """Run a command, and stop if it fails."""
    print("+", *command, flush=True)
    if subprocess.run(command, **options).returncode:
        sys.exit(f"wheel-test FAILED at: {' '.join(map(str, command))}")


def epoch():
    """When the last commit was made, or what the caller says, in seconds."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    command = ["git", "log", "-1", "--format=%ct"]
    return int(
        subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    )


def normalise(path, date):
    """Write a source archive anew: files by name, nobody's, and of one date."""
    with tarfile.open(path) as archive:
        files = {m.name: archive.extractfile(m) for m in archive if m.isfile()}
        modes = {m.name: m.mode & 0o100 for m in archive if m.isfile()}
        contents = {name: file.read() for name, file in files.items()}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(contents):
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(contents[name]), date
            member.mode = 0o755 if modes[name] else 0o644
            archive.addfile(member, io.BytesIO(contents[name]))
    with open(path, "wb") as file:
        with gzip.GzipFile("", "wb", fileobj=file, mtime=date) as out:
            out.write(packed.getvalue())


def copied(folder):
    """The project in another folder: what git has or would add, with new dates."""
    command = ["git", "ls-files", "-z", "-co", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    for name in listed.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    return folder


def build(project, folder, date):
    """The source archive, and the wheel from it: tests both."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(date)}
    command = [sys.executable, "-m", "build", "-q", "--outdir", folder]
    run(*command, "--sdist", project, env=environment)
    (source,) = folder.glob("*.tar.gz")
    normalise(source, date)
    with tempfile.TemporaryDirectory() as unpacked:
        with tarfile.open(source) as archive:
            archive.extractall(unpacked, filter="data")
        (again,) = Path(unpacked).iterdir()
        run(*command, "--wheel", again, env=environment)
    (wheel,) = folder.glob("*.whl")
    return source, wheel


def digests(paths):
    """The name and the sha256 of each file."""
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in paths}


def built_twice(folder):
    """Source archive and wheel, which are the same when a copy is built."""
    made = []
    for name, project in ("one", ROOT), ("two", copied(folder / "copy")):
        (folder / name).mkdir()
        made.append(build(project, folder / name, epoch()))
    first, second = map(digests, made)
    if first != second:
        sys.exit(f"wheel-test FAILED: two builds differ: {first} and {second}")
    for name, digest in first.items():
        print(f"{digest}  {name}")
    return made[0]


def main():
    """Build, compare, install from both archives, and induce."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        source, wheel = built_twice(folder)
        venv.create(folder / "venv", with_pip=True)
        python = folder / "venv/bin/python"
        install = [python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt"]
        run(*install, wheel)
        alone = "assert u.find_spec('nbdev') is None, 'the wheel installs nbdev'"
        run(python, "-c", f"import importlib.util as u; {alone}")
        induce = [folder / "venv/bin/neural_compile", "induce", "fibonacci_seeded"]
        run(*induce, "--space", "language", cwd=folder)
        run(*install, "--force-reinstall", "--no-deps", source)
        run(*induce, "--space", "language", cwd=folder)
    print("wheel-test passed")


if __name__ == "__main__":
    main()
