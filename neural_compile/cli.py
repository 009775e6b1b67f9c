"""The command line: `neural_compile induce`, `run`, `tasks`, `table1`, `study`, `bench`."""

import json
import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help=__doc__,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object instead of text.")
]
Key = Annotated[int, typer.Option(help="Seed of all random numbers.")]


def _prepare():
    "Use every core, and keep what JAX compiles between calls of the command line."
    import jax
    from neural_compile.loss.tuning import use_cores

    use_cores()
    cache = (
        Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
        / "neural_compile"
    )
    jax.config.update(
        "jax_compilation_cache_dir",
        os.environ.get("JAX_COMPILATION_CACHE_DIR", str(cache)),
    )
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)


def _command() -> str:
    "What was typed, for the records."
    return " ".join(["neural_compile", *sys.argv[1:]])


def _clear_errors(command: Callable) -> Callable:
    "Show an error of the caller's as its text and exit with 2."

    @wraps(command)
    def run(*args, **kwargs):
        _prepare()
        try:
            return command(*args, **kwargs)
        except (ValueError, KeyError, OSError) as error:
            typer.echo(
                f"error: {error.args[0] if isinstance(error, KeyError) else error}",
                err=True,
            )
            raise typer.Exit(2) from None

    return run


def _task(name: str):
    "A task by name, or from a JSON file with inputs, outputs and base."
    from neural_compile import TASKS, InputError, Task

    if not name.endswith(".json"):
        return TASKS[name]
    given = json.loads(Path(name).read_text())
    allowed = {"inputs", "outputs", "base", "registers", "initial", "name"}
    if (
        not isinstance(given, dict)
        or not {"inputs", "outputs", "base"} <= set(given) <= allowed
    ):
        raise InputError(
            f"a task file is a JSON object with inputs, outputs and base, and optionally {', '.join(sorted(allowed - {'inputs', 'outputs', 'base'}))}; "
            f"found {', '.join(given) if isinstance(given, dict) else type(given).__name__}."
        )
    return Task.from_examples(**{"name": Path(name).stem, **given})


@app.command()
@_clear_errors
def induce(
    task: Annotated[
        str,
        typer.Argument(
            help="A task's name (see `neural_compile tasks`), or a JSON file with inputs, outputs and base."
        ),
    ],
    space: Annotated[
        str, typer.Option(help="What to enumerate: language, stores, assembly or all.")
    ] = "all",
    budget: Annotated[
        float,
        typer.Option(
            help="Work to spend; 1 takes at most about two minutes on two cores."
        ),
    ] = 1.0,
    time_limit: Annotated[
        float | None, typer.Option(help="Seconds after which to stop.")
    ] = None,
    key: Key = 0,
    save: Annotated[
        Path | None, typer.Option(help="Save the induction to this safetensors file.")
    ] = None,
    as_json: Json = False,
):
    "Find a program for a task. Exits with 0 only if it is strictly verified."
    import jax
    import neural_compile as nc

    found = nc.induce(
        _task(task),
        space=space,
        budget=budget,
        time_limit=time_limit,
        key=jax.random.key(key),
        progress=not as_json,
    )
    if save:
        nc.save(found, save)
    typer.echo(json.dumps(found.summary()) if as_json else found.report())
    raise typer.Exit(0 if found.verified else 1)


def _whole_numbers(text: str) -> list[int]:
    try:
        return [int(word) for word in text.split(",")]
    except ValueError:
        raise ValueError(
            f"a list of whole numbers looks like 3,1,2; found {text!r}."
        ) from None


@app.command()
@_clear_errors
def run(
    file: Annotated[Path, typer.Argument(help="A program in assembly.")],
    memory: Annotated[
        str | None,
        typer.Option(
            help="Initial memory, such as 3,1,2; the rest is 0. Without it, the file's `# expect:` lines are checked."
        ),
    ] = None,
    registers: Annotated[
        str | None, typer.Option(help="Initial registers; the rest is 0.")
    ] = None,
    base: Annotated[
        int, typer.Option(help="Values are 0 … base − 1, and memory has base cells.")
    ] = 8,
    steps: Annotated[int, typer.Option(help="Stop after so many steps.")] = 100,
    trace: Annotated[bool, typer.Option("--trace", help="Print every step.")] = False,
    as_json: Json = False,
):
    "Run a program exactly."
    from neural_compile.assembly.programs import (
        InputError,
        execute,
        expectations,
        parse,
    )

    text = file.read_text()
    program = parse(text)
    if memory is None:
        checks = expectations(text)
        if not checks:
            raise InputError(
                f"{file} has no '# expect:' line to check. Give --memory, such as --memory 3,1,2."
            )
        wrong = [
            (given, expected)
            for given, expected in checks
            if any(
                getattr(execute(program, **given), name) != value
                for name, value in expected.items()
            )
        ]
        typer.echo(
            json.dumps(
                {"expectations": len(checks), "wrong": [list(pair) for pair in wrong]}
            )
            if as_json
            else "\n".join(
                [
                    f"{len(checks) - len(wrong)} of {len(checks)} expectations hold",
                    *(f"wrong: {given} -> {expected}" for given, expected in wrong),
                ]
            )
        )
        raise typer.Exit(1 if wrong else 0)
    cells, regs = _whole_numbers(memory), _whole_numbers(registers) if registers else []
    ran = execute(
        program,
        cells + [0] * (base - len(cells)),
        regs + [0] * (program.registers - len(regs)),
        base=base,
        steps=steps,
    )
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "memory": ran.memory,
                    "registers": ran.registers,
                    "steps": ran.steps,
                    "halted": ran.halted,
                }
            )
        )
    else:
        typer.echo(f"{ran.trace}\n{ran}" if trace else ran)


@app.command()
@_clear_errors
def tasks(
    measure: Annotated[
        Path | None,
        typer.Option(
            help="Solve every task in every way, and write the rows to this JSON file as they come."
        ),
    ] = None,
    key: Key = 0,
    as_json: Json = False,
):
    "List the tasks, or measure what each way makes of them."
    from neural_compile.assembly.tasks import TASKS

    if measure is None:
        rows = [
            {
                "name": t.name,
                "summary": t.summary,
                "base": t.base,
                "registers": t.registers,
                "cells": t.cells,
                "family": t.family,
            }
            for t in TASKS.values()
        ]
        typer.echo(
            json.dumps(rows)
            if as_json
            else "\n".join(f"{r['name']:17} {r['summary']}" for r in rows)
        )
        return
    from neural_compile.experiments.induce import measure_tasks

    for row in measure_tasks(
        list(TASKS.values()), measure, key=key, command=_command(), progress=not as_json
    ):
        typer.echo(json.dumps(row), err=as_json)
    if as_json:
        typer.echo(measure.read_text())


Folder = Annotated[
    Path | None,
    typer.Option(
        help="Where the cells' files are; those that are there are not measured again. Default: a folder of the campaign's name."
    ),
]
Save = Annotated[Path | None, typer.Option(help="Gather all cells in this JSON file.")]
SMALL = dict(restarts=4, steps=50, samples=2000)


def _show(table, save: Path | None, as_json: bool, plot: Path | None = None):
    "Print a table, and keep it if asked to."
    if save:
        table.save(save)
    if plot:
        table.plot().savefig(plot)
    typer.echo(
        json.dumps({"command": table.command, "records": table.records})
        if as_json
        else table
    )


@app.command()
@_clear_errors
def table1(
    tasks: Annotated[
        str | None, typer.Option(help="Some columns only, such as inc,map_inc.")
    ] = None,
    starts: Annotated[
        str | None, typer.Option(help="Some rows only, such as random,map_inc.")
    ] = None,
    restarts: Annotated[int, typer.Option(help="Tuning runs in each cell.")] = 100,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="A very small version: one task, two rows, few and short runs.",
        ),
    ] = False,
    folder: Folder = None,
    save: Save = None,
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw the table to this file (.svg, .png, .pdf)."),
    ] = None,
    as_json: Json = False,
):
    "The paper's Table 1 by both criteria, cell by cell; stop it at any moment, and the same call goes on."
    from neural_compile.experiments.table1 import COLUMNS, ROWS
    from neural_compile.experiments.table1 import table1 as measure

    small = SMALL if quick else {}
    columns = tasks.split(",") if tasks else COLUMNS[1:2] if quick else COLUMNS
    rows = starts.split(",") if starts else ("random", "map_inc") if quick else ROWS
    table = measure(
        folder or ("table1-quick" if quick else "table1"),
        tasks=columns,
        inits=rows,
        command=_command(),
        progress=not as_json,
        **{"restarts": restarts, **small},
    )
    _show(table, save, as_json, plot)


@app.command()
@_clear_errors
def study(
    name: Annotated[
        str, typer.Argument(help="dataset, ablation, sensitivity or efficiency.")
    ],
    restarts: Annotated[
        int | None,
        typer.Option(
            help="Tuning runs in each cell. Default: 100, 50 for sensitivity."
        ),
    ] = None,
    folder: Folder = None,
    save: Save = None,
    as_json: Json = False,
):
    "What makes the difference: the size of the dataset, each part of the tuner, each number, the efficiency term."
    from neural_compile.experiments.table1 import study as measure

    _show(
        measure(
            name,
            folder,
            command=_command(),
            progress=not as_json,
            **({"restarts": restarts} if restarts else {}),
        ),
        save,
        as_json,
    )


@app.command()
@_clear_errors
def bench(
    what: Annotated[
        str, typer.Argument(help="What to measure: tuning, synthesis or all.")
    ] = "all",
    full: Annotated[
        bool,
        typer.Option(
            "--full",
            help="All sizes, each step of the fast interpreter, and how the cost scales; about ten minutes.",
        ),
    ] = False,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Exit with 1 if a ratio is below half of the recorded one, as a new version of jaxlib might make it.",
        ),
    ] = False,
    as_json: Json = False,
):
    "Measure speed: the fast machine against the reference, and exact search against plain Python. Run it alone on the machine."
    from neural_compile.assembly.programs import refuse
    from neural_compile.appendix.bench import SIZES, too_slow
    from neural_compile.appendix.bench import bench as measure

    refuse(
        [f"what to measure is tuning, synthesis or all, found {what!r}."]
        * (what not in ("tuning", "synthesis", "all"))
    )
    sizes = () if what == "synthesis" else SIZES if check else SIZES[:1]
    result = measure(
        full=full and what != "synthesis",
        sizes=sizes,
        search=what != "tuning" and not check,
        progress=not as_json,
    )
    typer.echo(json.dumps(result.data) if as_json else result)
    if check:
        slow = too_slow(result)
        typer.echo(
            "\n".join(slow)
            if slow
            else "every ratio is at least half of the recorded one",
            err=True,
        )
        raise typer.Exit(1 if slow else 0)


if __name__ == "__main__":
    app()
