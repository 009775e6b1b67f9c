"""Compile small programs into the weights of a differentiable computer and back.

Gradient descent changes the program in between. The public names are listed in
`__init__.pyi`; each loads when it is first used.
"""

__version__ = "0.2.0"

import lazy_loader

_stable, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str):
    if name == "simplify":
        from neural_compile import moved

        moved.warn("nc.simplify", "nc.Answer(program, clock).simplify(task)")
        return moved.simplify
    return _stable(name)
