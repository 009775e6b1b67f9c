"""The program `neural_compile`: its commands, and what Ctrl-C does to them.

A command decides itself where it may stop, and shows what it has. This is for the rest:
an interrupt before it has begun, in a callback where Python would only print it, or
after everything was shown.
"""

import os
import signal
import sys
import threading

INTERRUPTED = 130  # The exit code that shells give to Ctrl-C


def _again(unraisable):
    "An interrupt that was swallowed where nothing can be raised comes again."
    if isinstance(unraisable.exc_value, KeyboardInterrupt):
        press = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
        press.daemon = True
        press.start()  # Not at once: that would still be here
    else:
        sys.__unraisablehook__(unraisable)


def main():
    "Run the command line."
    sys.unraisablehook = _again
    try:
        from neural_compile.cli import app

        code = app(standalone_mode=True)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except SystemExit as ended:
        code = ended.code
    finally:
        signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    sys.exit(code)


if __name__ == "__main__":
    main()
