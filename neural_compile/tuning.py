"""Moved: its names warn, and say where they are now."""

from neural_compile.moved import names_of

__getattr__ = names_of(__name__)
