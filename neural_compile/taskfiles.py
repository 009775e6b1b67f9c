"""Tasks that are given to the command line: by name, by examples, or by code.

What is needed is imported in the functions, so that `--help` answers at once.
"""

import json
import runpy
import types
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

TaskName = Annotated[
    str,
    typer.Argument(
        help="A task's name (see `neural_compile tasks`), a JSON file with inputs, "
        "outputs and base, or a Python file with a function, base and cells. A Python "
        "file's code is run: give only files you trust."
    ),
]
NEEDED, MORE = {"inputs", "outputs", "base"}, {"registers", "initial", "name"}
RUN = "<task file>"  # What a Python file is called while it runs
SETTINGS = ("base", "cells", "registers", "family", "name")
WRITE = (
    "Write, for example:\n"
    "  base, cells = 8, 4\n"
    "  def high_water(x):\n"
    "      return [max(x[: n + 1]) for n in range(len(x))]"
)


def task_from(name: str):
    "A task by name, from a JSON file of examples, or from a Python file."
    from neural_compile.assembly.suite import TASKS

    if name.endswith(".json"):
        return _from_json(Path(name))
    return _from_python(Path(name)) if name.endswith(".py") else TASKS[name]


LARGEST = 2**25  # Bytes of a file that is read as text


def text_of(path: Path) -> str:
    "The text in a file of a size that can be one."
    from neural_compile.assembly.programs import refuse

    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    most = f"a file of text has at most {LARGEST:,} bytes; {path} has more."
    refuse([most] if len(content) > LARGEST else [])
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        refuse([f"{path} is text in UTF-8; found {error}."])
        raise


def defined_in(path: Path) -> dict[str, Any]:
    "The names that a Python file defines. Its code is run."
    from neural_compile.assembly.programs import InputError

    try:
        return runpy.run_path(str(path), run_name=RUN)
    except OSError:
        raise
    except Exception as error:
        raise InputError(
            f"a Python file runs without an error; {path} ended in "
            f"{type(error).__name__}: {error}. Try: python {path}"
        ) from error


def _from_json(path: Path):
    from neural_compile.assembly.programs import InputError, refuse
    from neural_compile.assembly.tasks import Task

    try:
        given = json.loads(text_of(path))
    except RecursionError:
        raise InputError(f"{path} is a JSON file; its lists are too deep.") from None
    except InputError:
        raise
    except ValueError as error:  # No JSON, or a number of thousands of digits
        raise InputError(f"{path} is a JSON file; found {error}.") from None
    fine = isinstance(given, dict) and NEEDED <= set(given) <= NEEDED | MORE
    if not fine:
        found = ", ".join(given) if isinstance(given, dict) else type(given).__name__
        found = found if len(found) <= 80 else found[:79] + "…"
        refuse([
            "a task file is a JSON object with inputs, outputs and base, and "
            f"optionally {', '.join(sorted(MORE))}; found {found or 'an empty one'}. "
            'Write {"base": 8, "inputs": [[1], [2]], "outputs": [[2], [4]]}.'
        ])
    named = isinstance(given.get("name", ""), str)
    refuse([] if named else [f"name is a text, found {str(given['name'])[:80]!r}."])
    return Task.from_examples(**{"name": path.stem, **given})


def _functions(found: dict[str, Any]) -> dict[str, types.FunctionType]:
    "The functions that the file itself defines, but for helpers such as _this."
    return {
        name: f
        for name, f in found.items()
        if isinstance(f, types.FunctionType)
        and f.__module__ == RUN
        and not name.startswith("_")
    }


def _from_python(path: Path):
    "A task from one function of a list, or from `inputs` and `target` as in `Task`."
    from neural_compile.assembly.programs import refuse
    from neural_compile.assembly.tasks import Task

    found = defined_in(path)
    functions, faults = _functions(found), []
    whole = {"inputs", "target"} <= set(functions)
    if not whole and len(functions) != 1:
        faults.append(
            "a task file defines one function of a list, or two named inputs and "
            f"target; {path} defines {', '.join(functions) or 'no function'}. Begin "
            f"the names of helpers with _. {WRITE}"
        )
    missing = [name for name in ("base", "cells") if name not in found]
    if missing:
        faults.append(
            "a task file defines base and cells, how many values there are and how "
            f"many cells are read; {path} has no {' and no '.join(missing)}. {WRITE}"
        )
    refuse(faults)
    settings = {name: found[name] for name in SETTINGS if name in found}
    refuse(_strange(settings))
    name = "target" if whole else next(iter(functions))
    f = functions[name]
    task = Task.from_function(f, **{"name": path.stem if whole else name, **settings})
    if whole:
        own: dict[str, Any] = dict(inputs=functions["inputs"], target=f)
        task = replace(task, summary=f"inputs and target of {path.name}", **own)
    refuse(_tried(task, path))
    return task


def _strange(settings: dict[str, Any]) -> list[str]:
    "Settings of another kind than they should be."
    faults = []
    for name in ("base", "cells", "registers"):
        value = settings.get(name, 1)
        if isinstance(value, bool) or not isinstance(value, int):
            faults.append(f"{name} is a whole number, found {value!r}.")
    family = settings.get("family", ())
    pairs = isinstance(family, (list, tuple)) and all(
        isinstance(pair, (list, tuple)) and [type(v) for v in pair] == [int, int]
        for pair in family
    )
    if not pairs:
        faults.append(
            "family is a list of other sizes, each cells and base, such as "
            f"[(1, 8), (8, 17)]; found {family!r}."
        )
    if not isinstance(settings.get("name", ""), str):
        faults.append(f"name is a text, found {settings['name']!r}.")
    return faults


def _tried(task, path: Path) -> list[str]:
    "What is wrong with a few examples at each size."
    import numpy as np
    from neural_compile.assembly.programs import InputError
    from neural_compile.assembly.tasks import sample_input

    rng = np.random.default_rng(0)
    for n, b in ((task.cells, task.base), *task.family, *task.tests):
        here = f"{path} at {n} cells, base {b}:"
        try:
            for _ in range(8):
                given: Any = sample_input(lambda choose: task.inputs(choose, n, b), rng)
                if fault := _wrong_input(given, task.registers, b):
                    return [f"{here} {fault}"]
                if fault := _wrong_target(task.target(given[0], given[1], n, b), b):
                    return [f"{here} {fault}"]
        except InputError as error:
            return [f"{here} {error}"]
        except Exception as error:
            return [f"{here} a task's functions run, {type(error).__name__}: {error}."]
    return []


def _whole(values, top: int) -> bool:
    "Whether these are whole numbers from 0 to one less than `top`."
    import numpy as np

    return all(isinstance(v, (int, np.integer)) and 0 <= v < top for v in values)


def _wrong_input(given, registers: int, base: int) -> str:
    "What is wrong with what `inputs` returned."
    fine = isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], dict)
    fine = fine and isinstance(given[0], list) and len(given[0]) == base
    if fine and _whole(given[0], base) and _whole(given[1].values(), base):
        if _whole(given[1], registers):
            return ""
    return (
        f"inputs returns a list of base = {base} whole numbers from 0 to {base - 1}, "
        "and a dictionary of the registers that do not start at 0; "
        f"found {str(given)[:80]}. Write: return memory, {{}}"
    )


def _wrong_target(wanted, base: int) -> str:
    "What is wrong with what `target` returned."
    if isinstance(wanted, list) and len(wanted) == base:
        told = [v for v in wanted if v is not None]
        if told and _whole(told, base):
            return ""
    return (
        f"target returns a list of base = {base} whole numbers from 0 to {base - 1}, "
        "or None where a cell is not checked, which may not be all of them; "
        f"found {str(wanted)[:80]}."
    )
