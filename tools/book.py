"""The order of the book, and its tables of chapters: `make book` writes them.

Parts are folders, in `nbs/` and in the package alike. A chapter's title and its
sentence are those of its notebook, so that no table is written by hand.
"""

import re
import sys
from pathlib import Path
from typing import NamedTuple

import nbformat

ROOT = Path(__file__).resolve().parent.parent
PARTS = {  # folder: what the part is about
    "assembly": "programs, the exact machine, tasks, and what right means",
    "compiler": "programs as weights, weights as programs",
    "interpreter": "the machine on distributions, equation by equation",
    "loss": "what is minimised, tuning, and reading the result back",
    "synthesis": "programs by enumeration, and near-misses worth tuning",
    "experiments": "the whole pipeline, and how often it works",
    "layers": "programs inside networks",
    "explore": "pictures, and widgets to scrub through",
    "appendix": "the fast machine, and speed",
}
TUTORIALS = "tutorials"
WRITTEN = ("README.md", "CONTRIBUTING.md", "nbs/index.ipynb")  # files with tables
MARKED = re.compile(r"(<!-- (chapters|tutorials) -->\n).*?(\n<!-- end -->)", re.S)


class Chapter(NamedTuple):
    """A notebook of the book."""

    path: Path  # Below nbs/
    title: str
    blurb: str  # One sentence

    @property
    def module(self):
        """Of the package: the path without the number."""
        return f"{self.path.parent}.{re.sub(r'^[0-9]+_', '', self.path.stem)}"


def place(path):
    """Where a notebook stands in the book, to sort by; its path is that below nbs/."""
    parts = [".", *PARTS, TUTORIALS]
    folder = str(path.parent)
    known = parts.index(folder) if folder in parts else len(parts)
    numbers = [int(n) for n in NUMBER.findall(path.name)]
    return known, path.name != "index.ipynb", numbers, path.name


NUMBER = re.compile(r"^[0-9]+")


def read_chapter(path):
    """Title and sentence of a notebook, from its first cell."""
    first = nbformat.read(path, as_version=4).cells[0].source
    title = re.search(r"^# (.+)$", first, re.M)
    blurb = re.search(r"^> (.+)$", first, re.M)
    if not (title and blurb):
        sys.exit(f"{path} starts with a '# Title' and a '> sentence'; found {first!r}.")
    return Chapter(path.relative_to(ROOT / "nbs"), title[1], blurb[1])


def chapters(folder):
    """The chapters of a part, in order."""
    nbs = ROOT / "nbs"
    paths = sorted(p.relative_to(nbs) for p in (nbs / folder).glob("*.ipynb"))
    return [read_chapter(nbs / path) for path in sorted(paths, key=place)]


def chapter_table(up):
    """All parts and their chapters; `up` leads to nbs/ from where the table stands."""
    yield "| | chapter | |"
    yield "|---|---|---|"
    for part, about in PARTS.items():
        yield f"| **{part}** | *{about}* | |"
        for chapter in chapters(part):
            number = NUMBER.match(chapter.path.name)[0]
            link = f"[{chapter.title}]({up}{chapter.path})"
            yield f"| {number} | {link} | {chapter.blurb} |"


def tutorial_list(up):
    """The tutorials."""
    for chapter in chapters(TUTORIALS):
        number = int(NUMBER.match(chapter.path.name)[0])
        yield f"{number}. [{chapter.title}]({up}{chapter.path}): {chapter.blurb}"


def rewritten(text, up):
    """The text with its tables as they should be."""
    tables = {"chapters": chapter_table, "tutorials": tutorial_list}

    def fill(match):
        return match[1] + "\n".join(tables[match[2]](up)) + match[3]

    return MARKED.sub(fill, text)


def write():
    """Write every table; returns the files that were not up to date."""
    changed = []
    for name in WRITTEN:
        path = ROOT / name
        if path.suffix == ".ipynb":
            book = nbformat.read(path, as_version=4)
            for cell in book.cells:
                cell.source = rewritten(cell.source, "")
            text = nbformat.writes(book) + "\n"
        else:
            text = rewritten(path.read_text(encoding="utf-8"), "nbs/")
        if text != path.read_text(encoding="utf-8"):
            path.write_text(text, encoding="utf-8")
            changed.append(name)
    return changed


if __name__ == "__main__":
    print(*[f"wrote the chapters into {name}" for name in write()], sep="\n")
