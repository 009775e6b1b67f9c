"""Compile small programs into the weights of a differentiable computer and back.

Gradient descent changes the program in between. The public names are listed in
`__init__.pyi`; each loads when it is first used.
"""

__version__ = "0.1.0"

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
