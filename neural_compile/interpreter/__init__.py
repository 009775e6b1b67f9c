from neural_compile.moved import names_of

__getattr__ = names_of(__name__)  # Names of 0.1.0, when this was a module
