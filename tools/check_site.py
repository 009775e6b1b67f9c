"""Faults of a built site: links that lead nowhere, and what is asked of other hosts."""

import re
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

LOADED = {
    "src",
    "srcset",
    "poster",
    "data",
}  # attributes whose address a browser loads at once
NOT_LOADED = {
    "canonical",
    "next",
    "prev",
    "index",
    "search",
    "author",
    "license",
    "help",
}  # kinds of <link> that only point
OUTSIDE = re.compile(r"\s*(https?:)?//", re.I)
STYLE_LOADS = re.compile(
    r"""(?:@import\s+(?:url\()?|url\()\s*["']?((?:https?:)?//[^"')\s;]+)""", re.I
)
WIDGET_LOADS = re.compile(
    r"""\bsrc=\\?["']((?:https?:)?//[^"'\\]+)""", re.I
)  # html inside the stored state of widgets


class Page(HTMLParser):
    """What one page defines, points to and loads."""

    def __init__(self, html):
        super().__init__()
        self.ids, self.links, self.loads, self.inside = set(), [], [], ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        given = {name: value or "" for name, value in attributes}
        self.inside = tag if tag in ("style", "script") else ""
        self.ids |= {given[name] for name in ("id", "name") if name in given}
        loaded = [given[name] for name in LOADED if name in given and tag != "input"]
        if (
            tag == "link"
            and not set(given.get("rel", "").split()) & NOT_LOADED
            or tag in ("use", "image")
        ):
            loaded += [given[name] for name in ("href", "xlink:href") if name in given]
        elif "href" in given:
            self.links.append(given["href"])
        self.loads += [
            address for address in loaded if OUTSIDE.match(address)
        ] + STYLE_LOADS.findall(given.get("style", ""))
        self.links += [address for address in loaded if not OUTSIDE.match(address)]

    handle_startendtag = handle_starttag

    def handle_data(self, data):
        self.loads += (
            {"style": STYLE_LOADS, "script": WIDGET_LOADS}[self.inside].findall(data)
            if self.inside
            else []
        )

    def handle_endtag(self, tag):
        self.inside = ""


def link_fault(site, path, link, pages):
    """Why a link of the page at `path` leads nowhere, or nothing."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return ""
    if parts.path.startswith("/"):
        return "starts at the root of the host, but the site may be in a folder"
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    target = target / "index.html" if target.is_dir() else target
    if not target.is_relative_to(site) or not target.is_file():
        return "there is no such file"
    if (
        parts.fragment
        and target in pages
        and unquote(parts.fragment) not in pages[target].ids
    ):
        return "the page has no such anchor"
    return ""


def faults(site):
    """Every fault of the site in this folder, one line each."""
    site = site.resolve()
    pages = {
        path: Page(path.read_text(encoding="utf-8"))
        for path in sorted(site.rglob("*.html"))
    }
    styles = {
        path: STYLE_LOADS.findall(path.read_text(encoding="utf-8"))
        for path in sorted(site.rglob("*.css"))
    }
    found = [] if pages else [f"{site} holds no page"]
    for path, page in pages.items():
        found += [
            f"{path.relative_to(site)}: link {link!r}: {why}"
            for link in dict.fromkeys(page.links)
            if (why := link_fault(site, path, link, pages))
        ]
    for path, loads in [
        *((path, page.loads) for path, page in pages.items()),
        *styles.items(),
    ]:
        found += [
            f"{path.relative_to(site)}: loads {address} from another host"
            for address in dict.fromkeys(loads)
        ]
    return found
