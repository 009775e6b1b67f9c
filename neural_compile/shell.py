"""What the commands of the command line share: output, errors, what files hold."""

import inspect
import json
import os
import sys
from collections.abc import Callable
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from neural_compile.__main__ import INTERRUPTED
from neural_compile.taskfiles import defined_in, text_of

app = typer.Typer(
    help="Find programs from examples: enumerate, tune, decode, verify.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)

Key = Annotated[
    int, typer.Option(min=0, max=2**32 - 1, help="Seed of all random numbers.")
]
Instructions = Annotated[
    Path | None,
    typer.Option(
        help="A Python file that defines INSTRUCTIONS, the instruction table of "
        "programs. The file's code is run: give only files you trust."
    ),
]
Folder = Annotated[
    Path | None,
    typer.Option(
        help="Where the entries' files are; those that are there are not measured "
        "again. Default: a folder of the campaign's name."
    ),
]
Save = Annotated[Path | None, typer.Option(help="Gather all entries in this file.")]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        help="Measure on so many workers that are started here, each on one core.",
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        "--scheduler", help="Measure on a Dask cluster, such as tcp://host:8786."
    ),
]
Seconds = Annotated[
    float | None,
    typer.Option("--seconds", help="An entry that takes longer is given up."),
]

Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object instead of text.")
]

class Shown(NamedTuple):
    "What a command prints, and its exit code."

    text: object  # For people
    data: object  # For machines, as JSON
    code: int = 0


def _told_as_interrupt(error: BaseException) -> bool:
    if isinstance(error, KeyboardInterrupt):  # Maybe while things are imported
        return True
    from neural_compile.assembly.answers import is_interrupt

    return is_interrupt(error)


def command(f: Callable[..., Shown]) -> Callable:
    "Make a function a command with --json; errors are told as text, exit code 2."

    def run(*args, as_json: bool, **options):
        try:
            shown = f(*args, **options)
        except (ValueError, KeyError, OSError, MemoryError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and not hasattr(error, "reasons"):
                raise  # Only a `CampaignError` is told
            says = error.args[0] if isinstance(error, KeyError) else error
            typer.echo(f"error: {says or type(error).__name__}", err=True)
            raise typer.Exit(2) from None
        except (KeyboardInterrupt, SystemError) as error:
            if not _told_as_interrupt(error):
                raise
            typer.echo("interrupted", err=True)
            raise typer.Exit(INTERRUPTED) from None
        typer.echo(json.dumps(shown.data) if as_json else shown.text)
        raise typer.Exit(shown.code)

    kind = inspect.Parameter.KEYWORD_ONLY
    last = inspect.Parameter("as_json", kind, default=False, annotation=Json)
    signature = inspect.signature(f)
    parameters = [*signature.parameters.values(), last]
    told: Any = wraps(f)(run)
    told.__signature__ = signature.replace(parameters=parameters)
    told.__annotations__ = {**f.__annotations__, "as_json": Json}
    return app.command()(told)


def use_machine():
    "Use every core, and keep what JAX compiles between calls of the command line."
    import jax
    from neural_compile.appendix.fast import use_cores

    use_cores()
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    cache = os.environ.get("JAX_COMPILATION_CACHE_DIR", str(home / "neural_compile"))
    jax.config.update("jax_compilation_cache_dir", cache)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)


@contextmanager
def spread(workers: int | None, scheduler: str | None, seconds: float | None = None):
    "Where a campaign measures, and what an entry may take, as its arguments."
    from neural_compile.assembly.programs import refuse
    from neural_compile.experiments import workers as engine
    from neural_compile.experiments.jobs import Allowance

    refuse([] if workers is None or scheduler is None else [
        "workers are started here or found at a scheduler, found both "
        f"--workers {workers} and --scheduler {scheduler}. Leave one out."
    ])
    where = scheduler if workers is None else workers
    with engine.workers(where) as executor:
        yield {"executor": executor, "allow": Allowance(seconds)}


def typed() -> str:
    "What was typed, for the records."
    return " ".join(["neural_compile", *sys.argv[1:]])


def measured_tasks(path: Path, key: int) -> Shown:
    "Solve every task in every way; each row is shown as it comes."
    use_machine()
    from neural_compile.assembly.suite import TASKS
    from neural_compile.experiments.recovery import measure_tasks

    rows = []
    for row in measure_tasks(list(TASKS.values()), path, key=key, command=typed()):
        typer.echo(json.dumps(row), err=True)
        rows.append(row)
    return Shown(f"{len(rows)} tasks are in {path}", json.loads(path.read_text()))


def instructions_from(path: Path | None) -> tuple:
    "The instruction table that a Python file defines, or the usual one."
    from neural_compile.assembly.programs import INSTRUCTIONS, Instruction, refuse

    if path is None:
        return INSTRUCTIONS
    found: Any = defined_in(path).get("INSTRUCTIONS")
    listed = isinstance(found, (list, tuple)) and len(found) > 0
    if not listed or not all(isinstance(one, Instruction) for one in found):
        says = "nothing of that name" if found is None else repr(found)[:80]
        refuse([
            f"{path} defines INSTRUCTIONS, a list of Instruction objects; found "
            f"{says}. Write INSTRUCTIONS = (*neural_compile.INSTRUCTIONS, …)."
        ])
    return tuple(found)


def guess_from(path: Path | None, instructions: tuple) -> Any:
    "The program or the sketch in a file, or None without one."
    from neural_compile.assembly.sketches import parse

    return path and parse(text_of(path), instructions)


def program_from(text: str, instructions: tuple) -> Any:
    "The program in a text; a sketch cannot be run."
    from neural_compile.assembly.programs import Program, refuse
    from neural_compile.assembly.sketches import parse

    read = parse(text, instructions)
    says = "a sketch cannot be run. Fill it: neural_compile induce TASK --start FILE."
    refuse([] if isinstance(read, Program) else [says])
    return read


def whole_numbers(text: str | None) -> list[int]:
    "Numbers with commas between them."
    try:
        return [int(word) for word in (text or "").split(",") if text]
    except ValueError:
        from neural_compile.assembly.programs import InputError, short

        raise InputError(
            f"a list of whole numbers looks like 3,1,2; found {short(text)}."
        ) from None


def filled(values: list[int], size: int) -> list[int]:
    "Values with zeros behind them."
    from neural_compile.assembly.execution import LARGEST_BASE

    return values + [0] * (min(size, LARGEST_BASE) - len(values))


def checked(file: Path, text: str, program) -> Shown:
    "Whether a program does what its `# expect:` lines say."
    from neural_compile.assembly.execution import execute
    from neural_compile.assembly.parsing import expectations
    from neural_compile.assembly.programs import refuse

    checks, wrong = expectations(text), []
    if not checks:
        refuse([
            f"without --memory, the '# expect:' lines of a file are checked; {file} "
            "has none. Give --memory, such as --memory 3,1,2."
        ])
    for given, expected in checks:
        ran = execute(program, **given)
        if any(getattr(ran, name) != value for name, value in expected.items()):
            wrong.append((given, expected))
    rows = [f"{len(checks) - len(wrong)} of {len(checks)} expectations hold"]
    rows += [f"wrong: {given} -> {expected}" for given, expected in wrong]
    data = {"expectations": len(checks), "wrong": [list(pair) for pair in wrong]}
    return Shown("\n".join(rows), data, 1 if wrong else 0)


def shown_table(table, save: Path | None, plot: Path | None = None) -> Shown:
    "A table, kept if asked for."
    if save:
        table.save(save)
    if plot:
        table.plot().savefig(plot)
    return Shown(table, {"command": table.command, "records": table.records})
