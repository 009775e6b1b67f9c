"""Behind `make audit`: ask whether the pinned packages have known vulnerabilities.

The answer is only worth something if the service knows any: so it is first asked about
a release that has one. If it does not say so, nothing was audited, and that is said."""

import subprocess
import sys
import tempfile
from pathlib import Path

import lock

PIP_AUDIT = "pip-audit==2.10.1"
VULNERABLE = "urllib3==1.26.4"
KNOWN = ("CVE-2021-33503", "PYSEC-2021-108", "GHSA-q2q7-5pp4-w6pg")  # One thing
NOT_DONE = """
audit: NOT DONE. The service for vulnerabilities did not answer, or does not know that
{} has one, so its silence would mean nothing. Nothing was checked."""


def audited(requirements, *options):
    """What pip-audit says about a file of pinned packages."""
    command = [lock.tool(PIP_AUDIT) / "pip-audit", "--strict", "--no-deps"]
    command += ["--disable-pip", "--progress-spinner", "off", *options]
    command += ["--requirement", requirements]
    return subprocess.run(command, capture_output=True, text=True)


def answers():
    """Whether the service knows what is known of an old release."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "requirements.txt"
        path.write_text(f"{VULNERABLE}\n")
        try:
            told = audited(path).stdout
        except subprocess.CalledProcessError:  # There is no pip-audit to be had
            return False
        return any(name in told for name in KNOWN)


def main():
    """0 if nothing is known, or nobody could be asked; 1 if something is."""
    if not answers():
        print(NOT_DONE.format(VULNERABLE).strip())
        return 0
    found = audited(lock.LOCK)
    print(found.stdout + found.stderr)
    return found.returncode


if __name__ == "__main__":
    sys.exit(main())
