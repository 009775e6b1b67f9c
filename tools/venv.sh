#!/bin/sh
# Creates .venv with $PYTHON (python3 if unset), or says what is missing. Called by the Makefile.
PYTHON=${PYTHON:-python3}
fail() { echo "error: $*" >&2; exit 1; }

command -v "$PYTHON" >/dev/null ||
    fail "'$PYTHON' was not found. Install Python 3.11 or newer, or name yours: make PYTHON=/path/to/python3"
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "Python 3.11 or newer is needed, '$PYTHON' is $("$PYTHON" --version 2>&1). Name a newer one: make PYTHON=python3.12"
"$PYTHON" -c 'import venv, ensurepip' 2>/dev/null ||
    fail "'$PYTHON' cannot create virtual environments. On Debian or Ubuntu: apt-get install python3-venv"

echo "Setting up .venv, once: a minute or two."
rm -rf .venv
"$PYTHON" -m venv .venv
