"""Cells of campaigns for tests; loaded by workers, so it loads little itself."""

import os
import random
import signal


def drawn(settings):
    "A cell with its own key: numbers that depend on nothing else, and who drew them."
    numbers = random.Random(settings["key"])
    return {"drawn": [numbers.random() for _ in range(3)], "pid": os.getpid()}


def told(settings):
    "A cell that does as it is told."
    match settings.get("do"):
        case "raise":
            raise ZeroDivisionError("as told")
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "loop":
            while True:
                pass
        case "grow":
            kept = []
            while True:
                kept.append(bytearray(10**7))
    return {"n": settings["n"]}
