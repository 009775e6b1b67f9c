"""Kernels for notebooks, forked from one process that has imported what they import.

Each notebook has a process and a namespace of its own, as with any kernel. What is
saved is the time to start Python and to import JAX, numba and so on: two or three
seconds a notebook. That process runs no computation, so that no part of JAX has
started a thread when it forks."""

import multiprocessing
import os
import signal
import sys
import threading
from multiprocessing import forkserver
from pathlib import Path
from unittest.mock import patch

from jupyter_client import AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner

HERE = Path(__file__).resolve().parent
KERNEL = ("ipykernel.kernelapp", "ipykernel.zmqshell", "IPython.core.completer")
USED = ("ipywidgets", "matplotlib.pyplot", "equinox", "optax", "numba", "fastcore.test")
IMPORTED = ("notebooks", *KERNEL, *USED, "sklearn.datasets")
# As a kernel sets it, but where matplotlib reads it: before it is imported
INLINE = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
forking = multiprocessing.get_context("forkserver")
forking.set_forkserver_preload(IMPORTED)


def start(env):
    """Start the process to fork from, if it does not run; JAX reads its `env`."""
    with patch.dict(os.environ, INLINE | env | {"PYTHONPATH": str(HERE)}):
        forkserver.ensure_running()


def end_with(parent):
    """End, and whatever the notebook has started, when `parent` does."""
    parent.join()
    os.killpg(0, signal.SIGKILL)


def kernel(arguments, env, cwd, said):
    """What a fork runs: a kernel, as `python -m ipykernel_launcher` would."""
    os.setsid()
    guard = (multiprocessing.parent_process(),)
    threading.Thread(target=end_with, args=guard, daemon=True).start()
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    for stream in (1, 2):
        os.dup2(os.open(said, os.O_WRONLY | os.O_APPEND), stream)
    # Notebooks see nothing of tools/
    sys.path[:] = [path for path in sys.path if Path(path) != HERE]
    for tool in HERE.glob("*.py"):
        sys.modules.pop(tool.stem, None)

    from ipykernel.kernelapp import IPKernelApp

    IPKernelApp.launch_instance(arguments)


class Process(forking.Process):
    """A fork, with the methods of `subprocess.Popen` that a provisioner calls."""

    stdin = stdout = stderr = None

    def poll(self):
        """The exit code, or None while it runs."""
        return self.exitcode

    def wait(self):
        """Wait for its end; returns the exit code."""
        self.join()
        return self.exitcode

    def send_signal(self, signum):
        """Send a signal to this process alone."""
        os.kill(self.pid, signum)


class Forked(LocalProvisioner):
    """Starts a kernel as a fork."""

    async def launch_kernel(self, cmd, *, env, cwd, said, **_):
        """Start the kernel; `said` is the file for what it prints itself."""
        arguments = cmd[cmd.index("-f") :]
        self.process = Process(target=kernel, args=(arguments, env, cwd, said))
        self.process.start()
        self.pid = self.pgid = self.process.pid
        return self.connection_info


class Manager(AsyncKernelManager):
    """Manages one such kernel."""

    def __init__(self, **options):
        super().__init__(**options)
        own = dict(kernel_id=self.kernel_id, kernel_spec=self.kernel_spec)
        self.provisioner = Forked(**own, parent=self)
