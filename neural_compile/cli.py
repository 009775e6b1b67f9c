"""The command line: `neural_compile induce`, `run`, `tasks`, `table1` and more.

What a command needs is imported in the command, so that `--help` answers at once.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from neural_compile.shell import (
    Folder,
    Instructions,
    Key,
    Save,
    Scheduler,
    Seconds,
    Shown,
    Workers,
    app,
    checked,
    command,
    filled,
    guess_from,
    instructions_from,
    measured_tasks,
    program_from,
    shown_table,
    spread,
    typed,
    use_machine,
    whole_numbers,
)
from neural_compile.taskfiles import TaskName, task_from, text_of


@command
def induce(
    task: TaskName,
    space: Annotated[
        str,
        typer.Option(help="What to search: all, or one of it, such as edits."),
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
    report: Annotated[
        Path | None, typer.Option(help="Write a page about it to this HTML file.")
    ] = None,
    instructions: Instructions = None,
    start: Annotated[
        Path | None,
        typer.Option(help="A guess: a file with a program, or a sketch with holes."),
    ] = None,
) -> Shown:
    "Find a program for a task. Exits with 0 only if it is strictly verified."
    what = task_from(task)
    if instructions:
        what = what.using(instructions_from(instructions))
    guess = guess_from(start, what.instructions)
    use_machine()
    import jax
    from neural_compile.compiler.files import save as save_induction
    from neural_compile.experiments.induce import induce

    how: dict[str, Any] = dict(budget=budget, time_limit=time_limit, start=guess)
    found = induce(what, space=space, key=jax.random.key(key), **how)
    if save:
        save_induction(found, save)
    if report:
        found.save_report(report)
    return Shown(found.report(), found.summary(), 0 if found.verified else 1)


@command
def run(
    file: Annotated[Path, typer.Argument(help="A program in assembly.")],
    memory: Annotated[
        str | None,
        typer.Option(
            help="Initial memory, such as 3,1,2; the rest is 0. Without it, the "
            "file's `# expect:` lines are checked."
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
    instructions: Instructions = None,
) -> Shown:
    "Run a program exactly."
    from neural_compile.assembly.execution import execute

    text = text_of(file)
    program = program_from(text, instructions_from(instructions))
    if memory is None:
        return checked(file, text, program)
    cells = filled(whole_numbers(memory), base)
    values = filled(whole_numbers(registers), program.registers)
    ran = execute(program, cells, values, base=base, steps=steps)
    names = ("memory", "registers", "steps", "halted")
    data = {name: getattr(ran, name) for name in names}
    return Shown(f"{ran.trace}\n{ran}" if trace else ran, data)


@command
def tasks(
    measure: Annotated[
        Path | None,
        typer.Option(
            help="Solve every task in every way, and write the rows to this JSON "
            "file as they come."
        ),
    ] = None,
    key: Key = 0,
) -> Shown:
    "List the tasks, or measure what each way makes of them."
    if measure is not None:
        return measured_tasks(measure, key)
    from neural_compile.assembly.suite import TASKS

    names = ("name", "summary", "base", "registers", "cells", "family")
    rows = [{name: getattr(t, name) for name in names} for t in TASKS.values()]
    text = "\n".join(f"{row['name']:17} {row['summary']}" for row in rows)
    return Shown(text, rows)


SMALL: dict[str, Any] = dict(restarts=4, keys=1, steps=50, samples=2000)


@command
def table1(
    tasks: Annotated[
        str | None, typer.Option(help="Some columns only, such as inc,map_inc.")
    ] = None,
    starts: Annotated[
        str | None, typer.Option(help="Some rows only, such as random,map_inc.")
    ] = None,
    restarts: Annotated[
        int, typer.Option(help="Restarts of each of an entry's five keys.")
    ] = 20,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="A very small version: one task, two rows, few and short restarts.",
        ),
    ] = False,
    folder: Folder = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    seconds: Seconds = None,
    save: Save = None,
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw the table to this file (.svg, .png, .pdf)."),
    ] = None,
) -> Shown:
    "The paper's Table 1 by both criteria; the same call goes on after a stop."
    use_machine()
    from neural_compile.experiments.settings import COLUMNS, ROWS
    from neural_compile.experiments.table1 import table1

    columns, rows = (("map_inc",), ("random", "map_inc")) if quick else (COLUMNS, ROWS)
    settings = {"restarts": restarts, **(SMALL if quick else {})}
    with spread(workers, scheduler, seconds) as where:
        table = table1(
            folder or ("table1-quick" if quick else "table1"),
            tasks=tasks.split(",") if tasks else columns,
            inits=starts.split(",") if starts else rows,
            command=typed(),
            **where,
            **settings,
        )
    return shown_table(table, save, plot)


@command
def study(
    name: Annotated[
        str, typer.Argument(help="dataset, ablation, sensitivity, efficiency, walks.")
    ],
    restarts: Annotated[
        int | None,
        typer.Option(
            help="Restarts of each key. Default: 10; 100 and 16 where there is one."
        ),
    ] = None,
    folder: Folder = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    seconds: Seconds = None,
    save: Save = None,
) -> Shown:
    "What makes the difference: the dataset, each part of the tuner, each number."
    use_machine()
    from neural_compile.experiments.studies import study

    settings: dict[str, Any] = {"restarts": restarts} if restarts else {}
    with spread(workers, scheduler, seconds) as where:
        table = study(name, folder, command=typed(), **where, **settings)
    return shown_table(table, save)


@command
def arena(
    suite: Annotated[
        str, typer.Argument(help="A suite of tasks, such as recurrences or paper.")
    ],
    rivals: Annotated[
        str, typer.Option(help="Ways of searching, tuning, induce, and networks.")
    ] = "walks,genetic,edits,rounds,all,induce",
    units: Annotated[
        float, typer.Option(help="Work for each task; 1 is about a second.")
    ] = 10.0,
    key: Key = 0,
    folder: Folder = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    seconds: Seconds = None,
    save: Save = None,
) -> Shown:
    "Ways of searching on all tasks of a suite, at the same work."
    use_machine()
    from neural_compile.experiments.arena import arena
    from neural_compile.experiments.rivals import Limits

    how: Any = dict(rivals=rivals.split(","), limits=Limits(units, key=key))
    with spread(workers, scheduler, seconds) as where:
        judged = arena(suite, folder, **how, **where, command=typed())
    return shown_table(judged, save)


@command
def bench(
    what: Annotated[
        str, typer.Argument(help="What to measure: tuning, synthesis or all.")
    ] = "all",
    full: Annotated[
        bool,
        typer.Option(
            "--full",
            help="All sizes, each step of the fast interpreter, and how the cost "
            "scales; about ten minutes.",
        ),
    ] = False,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Exit with 1 if a ratio is below half of the recorded one."
        ),
    ] = False,
    platform: Annotated[
        bool,
        typer.Option(
            "--platform", help="Versions, devices, settings: what to send from a GPU."
        ),
    ] = False,
) -> Shown:
    "Measure speed, alone on the machine: tuning against the reference, and search."
    from neural_compile.assembly.programs import refuse

    known = what in ("tuning", "synthesis", "all")
    refuse([] if known else [
        f"what to measure is tuning, synthesis or all, found {what!r}."
    ])
    use_machine()
    if platform:
        from neural_compile.appendix.accelerators import bench_platform

        found = bench_platform()
        return Shown(found, found.data)
    from neural_compile.appendix.bench import SIZES, bench, too_slow

    sizes = () if what == "synthesis" else SIZES if check else SIZES[:1]
    search = what != "tuning" and not check
    result = bench(full=full and what != "synthesis", sizes=sizes, search=search)
    slow = too_slow(result) if check else []
    if check:
        fine = ["every ratio is at least half of the recorded one"]
        typer.echo("\n".join(slow or fine), err=True)
    return Shown(result, result.data, 1 if slow else 0)


if __name__ == "__main__":
    app()
