"""Names of version 0.1.0 that live elsewhere now: they work until 0.3.0, and warn."""

import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

ENDS = "0.3.0"  # The version that will not have the old names
MOVED = {  # A module of 0.1.0, and where its names are, the first that has one
    "assembly": "assembly.programs assembly.sketches assembly.parsing "
    "assembly.execution assembly.engine",
    "bench": "appendix.bench appendix.timing",
    "compiler": "compiler.controllers compiler.files",
    "decoding": "loss.decoding",
    "experiments": "experiments.induction experiments.recovery experiments.budgets "
    "experiments.campaigns",
    "explore": "explore.pictures explore.frames explore.drawing",
    "interpreter": "interpreter.equations compiler.controllers appendix.fast",
    "loss": "loss.loss",
    "synthesis": "synthesis.language synthesis.search synthesis.expressions "
    "synthesis.spaces assembly.batches",
    "tasks": "assembly.tasks assembly.suite assembly.verification assembly.answers",
    "tuning": "loss.tuning loss.starts loss.training compiler.controllers "
    "appendix.fast",
}
PACKAGE = __name__.rpartition(".")[0]


def simplify(program, clock, task):
    "`Answer(program, clock).simplify(task)`, the program of it, as it was before."
    from neural_compile.assembly.answers import Answer

    return Answer(program, clock).simplify(task).program


def found(module: str, name: str) -> tuple[str, Any]:
    "Where a name of an old module is now, as a user would write it, and what it is."
    stable = import_module(PACKAGE)
    for home in MOVED[module].split():
        new = import_module(f"{PACKAGE}.{home}")
        if name in new.__all__:
            where = PACKAGE if name in stable.__all__ else new.__name__
            return f"{where}.{name}", getattr(new, name)
    raise AttributeError(f"module '{PACKAGE}.{module}' has no attribute {name!r}")


def warn(old: str, new: str):
    "Say where a name is now, in the line that asked for it."
    message = f"{old} is now {new}; the old name goes away in {ENDS}."
    warnings.warn(message, DeprecationWarning, stacklevel=3)


def names_of(module: str) -> Callable[[str], Any]:
    "The `__getattr__` of a module whose names have moved."
    short = module.removeprefix(f"{PACKAGE}.")
    folder = Path(__file__).parent / short
    chapters = {path.stem for path in folder.glob("*.py")}  # Modules, not old names

    def moved(name: str) -> Any:
        if name.startswith("_") or name in chapters:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        new, value = found(short, name)
        warn(f"{module}.{name}", new)
        return value

    return moved
