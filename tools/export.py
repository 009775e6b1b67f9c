"""Behind `make export`: nbdev's export, with the list of names wrapped at 88 columns.

nbdev wraps `__all__` at 120, and no setting says otherwise."""

from textwrap import TextWrapper

from nbdev import maker
from nbdev.doclinks import nbdev_export

WIDTH = 76  # Of the names alone; the first line begins with `__all__ = [`

if __name__ == "__main__":
    maker.TextWrapper = lambda width, **how: TextWrapper(width=WIDTH, **how)
    nbdev_export()
