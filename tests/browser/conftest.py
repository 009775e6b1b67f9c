"""A browser and the built site over http. Needs `make docs`, playwright, and chromium (or CHROMIUM=/path/to/it)."""
import os
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

SITE = Path(__file__).parents[2] / "docs/_site"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="session")
def site():
    "The address of the built site."
    if not (SITE / "index.html").exists():
        pytest.fail(f"there is no site in {SITE}. Run `make docs` first.")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(SITE))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def browser():
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not path:
        pytest.fail("no browser was found. On Debian: apt-get install chromium; elsewhere, give its path as CHROMIUM.")
    with sync_playwright() as playwright:
        with playwright.chromium.launch(executable_path=path, args=FLAGS) as browser:
            yield browser


@pytest.fixture
def open_page(site, browser):
    "Opens a page of the site; afterwards, nothing may have failed and nobody else may have been asked."
    faults, contexts = [], []

    def open_page(path, width=1280, scheme="light"):
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme))
        page = contexts[-1].new_page()
        page.on("console", lambda message: message.type == "error" and faults.append(message.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: request.url.startswith((site, "data:", "blob:")) or faults.append(f"asked {request.url}"))
        page.on("response", lambda response: response.status >= 400 and faults.append(f"{response.status} {response.url}"))
        page.goto(f"{site}/{path}", wait_until="load")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not faults
