"""Behind `make lock`: write requirements-dev.lock, every package with its hashes.

What settings.ini asks for, in the versions of constraints.txt, for every system and
every Python that we support: `pip install --require-hashes` then takes no file but
those that were there when this was run. It asks the package index."""

import subprocess
import sys
import venv
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements-dev.lock"
UV = "uv==0.13.9"  # Resolves for other systems than the one it runs on
PYTHON = "3.11.5"  # The oldest that all of our packages support
BUILDS = ("setuptools>=77", "pip")  # For the package itself, without a further index


def requirements(path=ROOT / "settings.ini"):
    """What the package and its developers need, one a line."""
    config = ConfigParser(delimiters=["="])
    config.read(path, encoding="utf-8")
    names = ("requirements", "dev_requirements")
    asked = [name for part in names for name in config["DEFAULT"][part].split()]
    return [*asked, *BUILDS]


def tool(*packages):
    """A folder of programs that are no part of .venv, with these packages."""
    folder = ROOT / "build/tools"
    if not (folder / "bin/python").exists():
        venv.create(folder, with_pip=True)
    command = [folder / "bin/python", "-m", "pip", "install", "--quiet", *packages]
    subprocess.run(command, check=True)
    return folder / "bin"


def main():
    """Write the lock, or say what does not fit together."""
    options = ["--universal", "--generate-hashes", "--no-annotate", "--quiet"]
    options += ["--python-version", PYTHON, "--constraint", "constraints.txt"]
    options += ["--custom-compile-command", "make lock", "--output-file", LOCK.name]
    command = [tool(UV) / "uv", "pip", "compile", *options, "-"]
    given = "\n".join(requirements())
    sys.exit(subprocess.run(command, input=given, text=True, cwd=ROOT).returncode)


if __name__ == "__main__":
    main()
