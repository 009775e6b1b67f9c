"""The content security policy of the site: what its pages may load and run.

Scripts come from the site's own files; the few that stand in a page are named by their
hashes, so that nothing else runs, whatever gets into a page. Nothing may evaluate text
as code. Styles may stand in pages: MathJax and the widgets write some while they draw,
and pictures carry theirs. There is no server that could send headers, so the policy is
a `<meta>` of each page."""

import base64
import hashlib
import html
import re
from html.parser import HTMLParser

RULES = {
    "default-src": "'none'",
    "script-src": "'self'",  # And the hashes of the page's own scripts
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data:",
    "font-src": "'self' data:",  # The widgets' icons are in their script
    "connect-src": "'self'",  # Search looks into the pages it finds
    "base-uri": "'none'",
    "form-action": "'self'",
}
CODE = {"", "text/javascript", "application/javascript", "module"}  # Kinds that run
CHARSET = re.compile(r"<meta charset=[^>]*>", re.I)
META = '<meta http-equiv="Content-Security-Policy" content="{}">'


class Scripts(HTMLParser):
    """The scripts that stand in a page, the handlers in its tags, and its policy."""

    def __init__(self, page):
        super().__init__()
        self.inline, self.handlers, self.policy, self.runs = [], [], None, False
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        given = {name: value or "" for name, value in attributes}
        self.runs = tag == "script" and "src" not in given
        self.runs &= given.get("type", "").strip().lower() in CODE
        if self.runs:
            self.inline.append("")
        if given.get("http-equiv", "").lower() == "content-security-policy":
            self.policy = given["content"]
        if "srcdoc" in given:  # A page in the page obeys the policy of both
            framed = Scripts(given["srcdoc"])
            self.inline += framed.inline
            self.handlers += framed.handlers
        for name, value in given.items():
            if name.startswith("on") or value.strip().lower().startswith("javascript:"):
                self.handlers.append(f"{tag} {name}")

    handle_startendtag = handle_starttag

    def handle_data(self, data):
        if self.runs:
            self.inline[-1] += data

    def handle_endtag(self, tag):
        self.runs = False


def source_of(script):
    """How a policy names a script that stands in a page."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def policy_of(page):
    """The policy of a page, given its text."""
    own = dict.fromkeys(map(source_of, Scripts(page).inline))
    rules = RULES | {"script-src": " ".join([RULES["script-src"], *own])}
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def secured(page):
    """The page with its policy, which comes before all that it is about."""
    meta = META.format(html.escape(policy_of(page), quote=True).replace("&#x27;", "'"))
    return CHARSET.sub(lambda found: f"{found[0]}\n    {meta}", page, count=1)


def secure(site):
    """Give each page of a built site its policy."""
    for path in sorted(site.rglob("*.html")):
        path.write_text(secured(path.read_text(encoding="utf-8")), encoding="utf-8")


def page_faults(page):
    """What is wrong with the policy of a page, given its text."""
    found = Scripts(page)
    wrong = [
        f"{what} is a script in a tag, which no policy names"
        for what in dict.fromkeys(found.handlers)
    ]
    if found.policy is None:
        return [*wrong, "has no content security policy"]
    if found.policy != policy_of(page):
        wrong.append("has another policy than tools/policy.py gives it")
    if (first := page.find("<script")) >= 0 and first < page.find("Content-Security"):
        wrong.append("runs a script before its policy")
    return wrong


def faults(site):
    """Every fault of the policies of a built site, one line each."""
    return [
        f"{path.relative_to(site)}: {fault}"
        for path in sorted(site.rglob("*.html"))
        for fault in page_faults(path.read_text(encoding="utf-8"))
    ]
