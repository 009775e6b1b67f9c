"""Compile small programs into the weights of a differentiable computer, tune them by gradient descent, read them back."""

__version__ = "0.1.0"

from neural_compile.abstraction import learn
from neural_compile.assembly import (
    INSTRUCTIONS, NOWHERE, Execution, InputError, Instruction, Line, Program, ProgramError, Trace, execute, parse,
)
from neural_compile.compiler import Controller, Machine, compile_program, decompile, distributedness, load, random_controller, save
from neural_compile.decoding import Decoded, decode, simplify
from neural_compile.experiments import Induction, Rate, Recovery, induce, recovery
from neural_compile.fast import run_many
from neural_compile.interpreter import DEFAULT, DIALECTS, LITERAL, Dialect, State, run, trace
from neural_compile.language import EXTENDED, LANGUAGE, TEMPLATES, Candidate, Combinator, template
from neural_compile.playground import History, LiveTuning, Playground, explore_noise, explore_restarts, explore_run, explore_tuning
from neural_compile.reproduction import Table, study, table1
from neural_compile.synthesis import Synthesis, synthesize
from neural_compile.tasks import TASKS, Clock, Examples, Task, Verification, fit_clock, verify
from neural_compile.tuning import Start, Tuning, tune, use_cores
from neural_compile.values import Operation

__all__ = [
    "INSTRUCTIONS", "NOWHERE", "Execution", "InputError", "Instruction", "Line", "Program", "ProgramError", "Trace", "execute", "parse",
    "Controller", "Machine", "compile_program", "decompile", "distributedness", "load", "random_controller", "save",
    "Decoded", "decode", "simplify", "Induction", "Rate", "Recovery", "induce", "recovery", "Table", "study", "table1",
    "DEFAULT", "DIALECTS", "LITERAL", "Dialect", "State", "run", "run_many", "trace",
    "EXTENDED", "LANGUAGE", "TEMPLATES", "Candidate", "Combinator", "Operation", "Synthesis", "learn", "synthesize", "template",
    "TASKS", "Clock", "Examples", "Task", "Verification", "fit_clock", "verify", "Start", "Tuning", "tune", "use_cores",
    "History", "LiveTuning", "Playground", "explore_noise", "explore_restarts", "explore_run", "explore_tuning",
]
