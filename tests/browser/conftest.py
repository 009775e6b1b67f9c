"""A headless Chromium, and pages that fail on any error in their console."""
import os
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
FAMILIAR = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="session")
def chromium():
    assert FAMILIAR, "no Chromium on this machine. Install the package chromium, or set CHROMIUM to its path."
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=FAMILIAR, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page_of(chromium):
    "Makes pages of a size and colour scheme; errors that a page reports fail the test at its end."
    pages, errors = [], []
    def make(width: int = 1280, height: int = 900, dark: bool = False):
        page = chromium.new_page(viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light")
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        pages.append(page)
        return page
    yield make
    for page in pages: page.close()
    assert not errors, errors
