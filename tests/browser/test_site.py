"""What a reader of the site does: read at any width, light or dark, search, play."""

from pathlib import Path

import pytest

SITE = Path(__file__).parents[2] / "docs/_site"
PAGES = sorted(
    str(path.relative_to(SITE))
    for path in SITE.rglob("*.html")
    if "_static" not in path.parts
)


@pytest.mark.parametrize("path", PAGES)
def test_pages_fit(open_page, path):
    page = open_page(path)
    for width, scheme in ((1280, "light"), (390, "dark")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("path", PAGES[::25])
def test_pages_open_on_a_telephone(open_page, path):
    page = open_page(path, width=390, dark=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("dark", [False, True])
def test_maths_is_drawn_in_the_colour_of_the_text(open_page, dark):
    page = open_page("interpreter/equations.html", dark=dark)
    page.locator("mjx-container svg").first.wait_for()
    assert page.evaluate("document.documentElement.dataset.theme") == (
        "dark" if dark else "light"
    )
    assert page.locator("mjx-container").first.evaluate(
        "e => getComputedStyle(e).color == getComputedStyle(e.closest('p')).color"
    )


def test_theme_switches(open_page):
    page = open_page("index.html")
    page.locator(".theme-switch-button:visible").first.click()
    page.locator(".theme-change-button[data-mode=dark]:visible").first.click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_search_finds(open_page):
    page = open_page("search.html?q=jump")
    page.locator("#search-results li a").first.wait_for()
    found = page.locator("#search-results li a").evaluate_all(
        "links => links.map(link => link.getAttribute('href'))"
    )
    assert any(link.startswith("assembly/") for link in found)


@pytest.mark.parametrize("width", [1280, 390])
def test_slider_moves_through_a_run(open_page, width):
    page = open_page("explore/frames.html", width=width)
    explorer = page.locator(".widget-vbox:has(svg)").first
    slider = explorer.locator(".noUi-handle").first
    slider.wait_for()
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    explorer.locator("svg[aria-label^='Step 3 of']:visible").wait_for()
    assert explorer.locator("svg:visible").count() == 1


def test_the_landing_page_plays_a_tuning_and_leads_on(open_page):
    page = open_page("index.html")
    home = page.url
    frame = page.locator(".widget-vbox svg[aria-label^='After ']:visible").first
    assert frame.get_attribute("aria-label").startswith("After 0 training steps")
    page.locator(".widget-play button").first.click()
    page.wait_for_function(
        "() => [...document.querySelectorAll('svg[aria-label]')]"
        ".some(s => s.checkVisibility() && /^After [1-9]/.test(s.ariaLabel))"
    )
    page.locator(".widget-vbox svg[aria-label*='dec ']:visible").first.wait_for()
    for name, title in (
        ("Read the first chapter", "Programs"),
        ("Write your first neural program", "Your first neural program"),
        ("Bring your own task", "Your own task"),
    ):
        page.goto(home)
        page.get_by_role("link", name=name).click()
        page.get_by_role("heading", level=1, name=title).wait_for()


def test_a_restart_opens_when_it_is_chosen(open_page):
    page = open_page("explore/restarts.html")
    choice = page.locator(".widget-select select").first
    rows = [
        row.replace("\xa0", " ") for row in choice.locator("option").all_inner_texts()
    ]
    choice.select_option(index=len(rows) - 1)
    page.locator(
        f"svg[aria-label^='{rows[-1].split(':')[0]}:']:visible"
    ).first.wait_for()
    assert (
        page.locator(f"svg[aria-label^='{rows[0].split(':')[0]}:']:visible").count()
        == 0
    )


@pytest.mark.parametrize("width, dark", [(1280, False), (390, True)])
def test_the_noise_dials_move_frames(open_page, width, dark):
    page = open_page("explore/restarts.html", width=width, dark=dark)
    dials = (
        page.locator(".widget-vbox:has(> .widget-hslider):has(.widget-inline-hbox)")
        .filter(has=page.get_by_text("noise γ", exact=True))
        .first
    )
    dials.wait_for()
    gamma, step = (
        dials.locator(".noUi-handle").nth(0),
        dials.locator(".noUi-handle").nth(1),
    )
    gamma.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    step.focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    dials.locator("svg[aria-label^='Step 4 of']:visible").wait_for()
    assert "Apart from the exact run" in dials.locator(
        "svg[aria-label^='Step 4 of']:visible"
    ).get_attribute("aria-label")


FORBIDDEN = """async () => {
    const element = document.createElement('script');
    element.textContent = 'window.ran = true';
    document.body.append(element);
    const tried = {
        inline: () => window.ran === true,
        handler: () => {
            document.body.insertAdjacentHTML('beforeend', '<p onclick="ran = true">');
            document.body.lastElementChild.click();
            return window.ran === true;
        },
        text: () => (0, eval)('true'),
        made: () => new Function('return true')(),
        elsewhere: async () => Boolean(await fetch('https://example.org/')),
    };
    const done = [];
    for (const [name, way] of Object.entries(tried)) {
        // Later, as what the test itself asks for may be evaluated
        const later = ready => setTimeout(async () => {
            try { ready(await way()); } catch { ready(false); }
        });
        if (await new Promise(later)) done.push(name);
    }
    return done;
}"""


@pytest.mark.parametrize("path", ["index.html", "explore/frames.html"])
def test_the_policy_lets_nothing_else_run(site, chromium, path):
    page = chromium.new_page()
    refused = []
    note = lambda message: message.type == "error" and refused.append(message.text)
    page.on("console", note)
    page.goto(f"{site}/{path}", wait_until="load")
    page.wait_for_timeout(300)
    assert not refused
    assert page.evaluate(FORBIDDEN) == []
    assert sum("Content Security Policy" in text for text in refused) >= 4
    page.close()
