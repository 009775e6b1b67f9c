"""JupyterLab as a person uses it: run, drag, play, type a fault, tune, stop."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from .conftest import ROOT

pytestmark = pytest.mark.xdist_group("lab")  # One JupyterLab, in one process

RUN_ALL = """async () => {
    const shown = jupyterapp.shell.currentWidget;
    await shown.context.ready;
    await shown.sessionContext.ready;
    await shown.sessionContext.session.kernel.info;
    await jupyterapp.commands.execute('notebook:run-all-cells');
    const outputs = cell => cell.model.outputs ? cell.model.outputs.toJSON() : [];
    const errors = shown.content.widgets.flatMap(outputs);
    const failed = errors.filter(o => o.output_type === 'error');
    return failed.map(o => o.ename + ': ' + o.evalue);
}"""
# A frame that is seen, and for which a condition on its words holds
SEEN = """n => [...document.querySelectorAll('svg[role=img]')]
    .some(s => s.checkVisibility() && (words => %s)(s.ariaLabel))"""
EXPLORED = """
import jax
import neural_compile as nc

program = nc.parse('loop:\\nread 1 2\\ninc 2 2\\nwrite 1 2\\ninc 1 1\\njump 3 loop')
machine = nc.Machine(8, 4, 5)
weights = nc.compile_program(program, machine, noise=0.02, key=jax.random.key(0))
nc.explore_run(weights, [3, 1, 2, 7, 0, 5, 5, 5], steps=20)
"""
LIVE = """
import jax
import neural_compile as nc

live = nc.LiveTuning()
live
"""
TUNED = """
tuned = nc.tune(
    nc.TASKS['map_dec'], 'map_inc', restarts=4, steps=200_000,
    key=jax.random.key(0), watch=[live], progress=False,
)
"""
PLAYED = "import neural_compile as nc\nnc.Playground(training=100_000)"


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    "The address and folder of a JupyterLab that keeps its settings to itself."
    root, port = tmp_path_factory.mktemp("lab"), _free_port()
    shutil.copytree(ROOT / "nbs", root / "nbs")
    shutil.copytree(ROOT / "results", root / "results")
    quiet = root / "settings/@jupyterlab/apputils-extension"
    quiet.mkdir(parents=True)
    (quiet / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
    own = {
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "IPYTHONDIR": "ipython",
    }
    env = {
        **os.environ,
        **{name: str(root / folder) for name, folder in own.items()},
        "PYTHONPATH": str(ROOT),
    }
    flags = [
        f"--ServerApp.port={port}",
        "--ServerApp.ip=127.0.0.1",
        "--IdentityProvider.token=",
        "--ServerApp.disable_check_xsrf=True",
        f"--ServerApp.root_dir={root}",
        "--LabApp.expose_app_in_browser=True",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    with open(root / "log", "w") as log:
        server = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "jupyterlab",
                "--no-browser",
                "--allow-root",
                *flags,
            ],
            env=env,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    for _ in range(240):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=1)
            break
        except OSError:
            time.sleep(0.25)
    else:
        pytest.fail((root / "log").read_text())
    yield f"http://127.0.0.1:{port}", root
    server.terminate()
    server.wait(20)


def _open(page, lab, path: str):
    page.goto(f"{lab[0]}/doc/tree/{path}?reset")
    page.wait_for_function(
        "() => window.jupyterapp && document.querySelector('.jp-Notebook .jp-Cell')",
        timeout=60_000,
    )


def _write(root, name: str, *cells: str):
    made = [
        {
            "cell_type": "code",
            "id": f"cell-{n}",
            "metadata": {},
            "source": text,
            "outputs": [],
            "execution_count": None,
        }
        for n, text in enumerate(cells)
    ]
    kernel = {"display_name": "python3", "language": "python", "name": "python3"}
    (root / name).write_text(
        json.dumps(
            {
                "cells": made,
                "metadata": {"kernelspec": kernel},
                "nbformat": 4,
                "nbformat_minor": 5,
            }
        )
    )


def _drag(page, handle, pixels: int):
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + pixels, y, steps=8)
    page.mouse.up()


def test_a_chapter_runs_and_its_explorer_scrubs_and_plays(lab, page_of):
    page = page_of()
    _write(lab[1], "run.ipynb", EXPLORED)
    _open(page, lab, "run.ipynb")
    assert page.evaluate(RUN_ALL) == []
    frame = page.locator(".jp-OutputArea-output svg[role=img]:visible").first
    assert frame.get_attribute("aria-label").startswith("Step 0 of 20.")
    _drag(page, page.locator(".noUi-handle").first, 50)
    page.wait_for_function(SEEN % "!words.startsWith('Step 0 ')")
    dragged = int(frame.get_attribute("aria-label").split()[1])
    assert dragged > 3
    page.locator(".widget-play button").first.click()
    page.wait_for_function(SEEN % "+words.split(' ')[1] > n + 1", arg=dragged)


def test_live_tuning_stops_and_keeps_its_result(lab, page_of):
    page = page_of()
    shown = "print(len(tuned.programs), tuned.stopped)"
    _write(lab[1], "live.ipynb", LIVE, TUNED, shown)
    _open(page, lab, "live.ipynb")
    page.evaluate(
        "() => { window.done = false; "
        + f"({RUN_ALL})().then(errors => {{ window.done = errors; }}); }}"
    )
    page.wait_for_function(SEEN % "words.startsWith('After ')", timeout=60_000)
    first = page.locator("svg[role=img]").first.get_attribute("aria-label")
    page.wait_for_function(
        "first => document.querySelector('svg[role=img]').ariaLabel !== first",
        arg=first,
        timeout=30_000,
    )
    page.get_by_role("button", name="Stop").click()
    page.wait_for_function("() => window.done !== false", timeout=30_000)
    assert page.evaluate("() => window.done") == []
    page.get_by_text("4 stopped by a watcher after").wait_for()


def test_the_playground_marks_faults_runs_tunes_and_stops(lab, page_of):
    page = page_of(height=1200)
    _write(lab[1], "play.ipynb", PLAYED)
    _open(page, lab, "play.ipynb")
    assert page.evaluate(RUN_ALL) == []
    code = page.locator(".widget-textarea textarea")
    code.fill("read 1 2\nincr 2 2")
    page.get_by_text("Did you mean 'inc'?").wait_for()
    assert (
        page.locator("u:visible").inner_text() == "incr"
        and page.get_by_role("button", name="Run", exact=True).is_disabled()
    )
    code.fill("loop:\nread 1 2\ninc 2 2\nwrite 1 2\ninc 1 1\njump 3 loop")
    page.get_by_text("5 lines, 4 registers.").wait_for()
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_text("15 steps, base 8, 6 registers.").wait_for()
    page.get_by_role("button", name="Tune", exact=True).click()
    page.wait_for_function(SEEN % "words.startsWith('After ')", timeout=60_000)
    page.get_by_role("button", name="Stop").first.click()
    page.get_by_text("restarts recovered map_dec strictly").wait_for(timeout=60_000)
