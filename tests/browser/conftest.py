"""A headless Chromium, and pages that fail on any error in their console."""

import os
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
BROWSER = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
    None,
)


@pytest.fixture(scope="session")
def chromium():
    assert BROWSER, (
        "no Chromium on this machine. "
        "Install the package chromium, or set CHROMIUM to its path."
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page_of(chromium):
    "Makes pages of a size and colour scheme; a page's errors fail the test at its end."
    pages, errors = [], []

    def make(width: int = 1280, height: int = 900, dark: bool = False):
        page = chromium.new_page(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
        )
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "console",
            lambda message: (
                errors.append(message.text) if message.type == "error" else None
            ),
        )
        pages.append(page)
        return page

    yield make
    for page in pages:
        page.close()
    assert not errors, errors


class Quiet(SimpleHTTPRequestHandler):
    "Serves files without a word."

    def log_message(self, *args):
        pass


@pytest.fixture(scope="session")
def site():
    "The address of the built site."
    folder = ROOT / "docs/_site"
    assert (folder / "index.html").exists(), (
        f"there is no site in {folder}. Run `make docs` first."
    )
    with ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Quiet, directory=str(folder))
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def open_page(site, page_of):
    "Opens a page; at the end, nothing is missing and no other host was asked."
    faults = []

    def open_page(path: str, **size):
        page = page_of(**size)
        page.on(
            "request",
            lambda request: (
                request.url.startswith((site, "data:", "blob:"))
                or faults.append(f"asked {request.url}")
            ),
        )
        page.on(
            "response",
            lambda response: (
                response.status >= 400
                and faults.append(f"{response.status} {response.url}")
            ),
        )
        page.goto(f"{site}/{path}", wait_until="load")
        return page

    yield open_page
    assert not faults, faults
