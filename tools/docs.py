"""Behind `make docs`: run the notebooks, write the pages, build the site, check it.

The pages are those of the notebooks, of the guides in docs/, and of the reference; the
site is built into docs/_site."""

import ast
import base64
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
from configparser import ConfigParser
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import api
import book
import check_site
import nbformat
import notebooks
import policy

ROOT = notebooks.ROOT
SOURCE, BUILT, SITE, VENDOR = (
    ROOT / "build/docs/source",
    ROOT / "build/docs/html",
    ROOT / "docs/_site",
    ROOT / "build/vendor",
)
REGISTRY = os.environ.get("npm_config_registry", "https://registry.npmjs.org").rstrip(
    "/"
)
SCRIPTS = {  # npm tarball, its sha512, and the files of it that pages load
    "@jupyter-widgets/html-manager/-/html-manager-1.0.15.tgz": (
        "5thBIV6ymNgmPVOHvzx+gGy8ZSKmSazhtGw4/c4xJDVzRhG9PTeQsRjF3FUTopvFi//SABeNz1yp47bCrJ3CQA==",
        ("dist/embed.js", "dist/1551f4f60c37af51121f.woff2"),
    ),
    "mathjax/-/mathjax-3.2.2.tgz": (
        "Bt+SSVU8eBG27zChVewOicYs7Xsdt40qm4+UpHyX7k0/O9NliPc+x77k1/FEsPsjKPZGJvtRZM1vO+geW0OhGw==",
        ("es5/tex-svg.js",),
    ),
}
CHANGED = {  # What a script would do that the site's policy forbids, and what it does
    "embed.js": (  # It would compile its check of saved widgets; these are our own
        "mt=gt.compile(pt),bt=gt.compile(At);",
        "mt=()=>!0,bt=()=>!0;",
    ),
}
DIRECTIVE = re.compile(r"^#\|.*\n?", re.M)
NUMBER = r"[0-9]+_"  # of a notebook's file name; pages go without
GUIDES = ("install", "choosing", "paper", "glossary")  # Written by hand, in docs/
# `a name` in markdown, but not within blocks of code, headings, links and maths
NAMED = re.compile(
    r"```.*?```|^#+ [^\n]*|\[[^\]]*\]\([^)]*\)|\$[^$]+\$|`(?:nc\.)?([A-Za-z_][\w.]*)`",
    re.S | re.M,
)
FOLDED = {  # How a solution is shown: a click unfolds it
    "tags": ["hide-cell"],
    "mystnb": {"code_prompt_show": "Solution", "code_prompt_hide": "Solution"},
}


def stop(faults, what):
    """End with every fault that was found, if any."""
    if faults:
        sys.exit(
            "\n".join([f"docs FAILED: {what}", *(f"  {fault}" for fault in faults)])
        )


def settings():
    """settings.ini, which nbdev and setup.py read too."""
    config = ConfigParser(delimiters=["="])
    config.read(ROOT / "settings.ini", encoding="utf-8")
    return config["DEFAULT"]


def fetch(tarball, sha512):
    """A package of the npm registry, checked, and kept for the next time."""
    kept = VENDOR / tarball.rsplit("/", 1)[-1]
    if not kept.exists():
        try:
            content = urlopen(f"{REGISTRY}/{tarball}", timeout=60).read()
        except (URLError, TimeoutError) as error:
            sys.exit(
                f"docs FAILED: could not fetch {REGISTRY}/{tarball}: {error}. "
                "Behind a mirror, set npm_config_registry to its address."
            )
        if base64.b64encode(hashlib.sha512(content).digest()).decode() != sha512:
            sys.exit(
                f"docs FAILED: {REGISTRY}/{tarball} is not the file whose sha512 "
                "is in tools/docs.py."
            )
        VENDOR.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(content)
    return kept.read_bytes()


def changed(name, content):
    """A script without what the policy forbids; it has to be there once."""
    if name not in CHANGED:
        return content
    old, new = (part.encode() for part in CHANGED[name])
    if content.count(old) != 1:
        sys.exit(f"docs FAILED: {name} is not the script that CHANGED was made for.")
    return content.replace(old, new)


def vendor(folder):
    """Put the scripts for maths and widgets into the site's own files."""
    for tarball, (sha512, files) in SCRIPTS.items():
        with tarfile.open(fileobj=io.BytesIO(fetch(tarball, sha512))) as package:
            for file in files:
                content = package.extractfile(f"package/{file}").read()
                name = Path(file).name
                (folder / name).write_bytes(changed(name, content))


def write(page, text):
    """Write a page; two pages of one name are a fault."""
    path = SOURCE / page
    if path.exists():
        sys.exit(f"docs FAILED: two pages are called {page}. Rename a notebook.")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def page_of(path):
    """The page of a notebook: its path without the number."""
    folder = path.relative_to(ROOT / "nbs").parent
    return folder / re.sub(f"^{NUMBER}", "", path.name)


def exported(notebook):
    """The module that a notebook writes, such as assembly.programs, or nothing."""
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    found = [re.search(r"^#\| default_exp ([\w.]+)", source, re.M) for source in code]
    return next((match[1] for match in found if match), None)


def linker(names, prefer):
    """Turns a name in backticks into a link, if it is one thing, or this module's."""

    def link(name):
        full = names.get(f"{prefer}.{name}") or names.get(name)
        return f"{{py:obj}}`{name} <{full}>`" if full else f"`{name}`"

    return link


def linked(markdown, link):
    """Markdown with links to the reference, and notebooks' links as links of pages."""
    markdown = markdown.replace("](../nbs/", "](").replace("](docs/", "](")
    markdown = re.sub(r"\]\(((?:\.\./)*)\.\./docs/", r"](\1", markdown)
    markdown = re.sub(rf"(\]\((?:[\w./-]*/)?){NUMBER}(\w+\.ipynb)", r"\1\2", markdown)
    return NAMED.sub(lambda match: link(match[1]) if match[1] else match[0], markdown)


def shown(cell, module, link):
    """The cells a reader sees of this one; names that it exports get anchors."""
    if cell.cell_type == "markdown":
        return [nbformat.v4.new_markdown_cell(linked(cell.source, link))]
    directives = {line.strip() for line in DIRECTIVE.findall(cell.source)}
    source = DIRECTIVE.sub("", cell.source).strip()
    if cell.cell_type == "raw" or "#| hide" in directives or not source:
        return []
    defined = []
    if "#| export" in directives:
        nodes = ast.parse(source).body
        defined = [name for node in nodes for name in api.names_of(node)]
    public = [name for name in defined if name in module.public]
    anchors = "".join(f'<div id="{module.name}.{name}-code"></div>' for name in public)
    code = nbformat.v4.new_code_cell(source, outputs=cell.outputs)
    if "#| code-fold: true" in directives:
        code.metadata.update(FOLDED)
    return [nbformat.v4.new_markdown_cell(anchors), code] if anchors else [code]


def contents(pages):
    """The site's table of contents, which the landing page holds."""
    below = lambda folder: [p for p in pages if p.parent == Path(folder)]
    groups = {"Guides": [Path(guide) for guide in GUIDES]}
    groups |= {part.capitalize(): below(part) for part in book.PARTS}
    groups["Tutorials"] = below(book.TUTORIALS)
    reference = ("reference/index", "reference/cli", "changelog")
    groups["Reference"] = [Path(page) for page in reference]
    tree = "```{{toctree}}\n:hidden:\n:caption: {}\n\n{}\n```"
    return "\n\n".join(
        tree.format(name, "\n".join(str(p.with_suffix("")) for p in group))
        for name, group in groups.items()
        if group
    )


def write_notebooks(books, modules, names):
    """Write a page for each notebook that was run."""
    for path, run in books.items():
        module = modules.get(exported(run))
        link = linker(names, module and module.name)
        page = nbformat.v4.new_notebook(
            metadata=run.metadata,
            cells=[new for cell in run.cells for new in shown(cell, module, link)],
        )
        if page_of(path) == Path("index.ipynb"):
            page.cells.append(
                nbformat.v4.new_markdown_cell(contents([page_of(p) for p in books]))
            )
        for number, cell in enumerate(page.cells):
            cell["id"] = f"cell-{number}"
        write(page_of(path), nbformat.writes(page))


def write_guides(link):
    """Write the pages that are kept by hand, and the changelog."""
    pages = {f"{guide}.md": ROOT / f"docs/{guide}.md" for guide in GUIDES}
    for page, path in (pages | {"changelog.md": ROOT / "CHANGELOG.md"}).items():
        write(page, linked(path.read_text(encoding="utf-8"), link))


def table_of(head, rows):
    """A table of two columns."""
    return "\n".join([f"| {head} | |", "|---|---|", *rows])


def write_module(module, chapter, names):
    """Write the page of a module."""
    cfg, home = settings(), page_of(chapter).with_suffix("")
    file = module.name.replace(".", "/")
    blob = f"{cfg['git_url']}/blob/{cfg['branch']}/{file}.py"

    def source(symbol, node):
        there = f"../../{home}.html#{module.name}.{symbol}-code"
        line = f'<a href="{blob}#L{node.lineno}">source</a>'
        return f'{line} · <a href="{there}">in its chapter</a>'

    link = linker(names, module.name)
    page = api.page(module, f"../../{home}.ipynb", source, link)
    write(f"reference/{home}.md", page)


def command_line():
    """The page of the command line, as typer writes it."""
    lib = settings()["lib_name"]
    what = [f"{lib}.cli", "utils", "docs", "--name", lib]
    what += ["--title", "The command line"]
    command = [sys.executable, "-m", "typer", *what]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def write_reference(chapters, modules, names, stable):
    """Write the pages of the modules, of the stable names and of the command line."""
    link, pages = linker(names, None), {}
    for name, module in modules.items():
        write_module(module, chapters[name], names)
        pages[name] = page_of(chapters[name]).with_suffix("")
    of_name = [
        f"| {link(name)} | {api.prose(api.one_line(modules[home], name), link)} |"
        for name, home in stable.items()
    ]
    of_module = [
        f"| [{name}]({pages[name]}.md) | {api.prose(module.doc, link)} |"
        for name, module in modules.items()
    ]
    marks = {
        "stable": table_of("name", of_name),
        "modules": table_of("module", of_module),
        "pages": "\n" + "\n".join(map(str, pages.values())),
    }
    index = SOURCE / "reference/index.md"
    fill = lambda match: marks[match[1]]
    index.write_text(re.sub(r"<!-- (\w+) -->", fill, index.read_text()))
    write("reference/cli.md", command_line())


def read_package(chapters):
    """The modules in the order of their chapters, and the stable names' modules."""
    lib = ROOT / settings()["lib_path"]
    modules = {}
    for name in chapters:
        text = (lib / f"{name.replace('.', '/')}.py").read_text(encoding="utf-8")
        modules[name] = api.read_module(f"{lib.name}.{name}", text)
    face = ast.parse((lib / "__init__.pyi").read_text(encoding="utf-8"))
    imports = [node for node in face.body if isinstance(node, ast.ImportFrom)]
    return modules, {
        alias.name: node.module for node in imports for alias in node.names
    }


def sphinx(source, built):
    """Build the pages; any warning is a fault."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "sphinx",
            "-q",
            "-W",
            "--keep-going",
            "-d",
            source.parent / "doctrees",
            source,
            built,
        ]
    )
    return ["Sphinx has warnings, see above"] * bool(done.returncode)


def main():
    """Build the site, or say everything that is wrong."""
    start = time.monotonic()
    paths = notebooks.notebooks()
    failed = notebooks.run_all(
        [path for path in paths if not notebooks.cached(path).exists()]
    )
    stop(failed, "notebooks did not run, see above:")
    books = {
        path: nbformat.read(notebooks.cached(path), as_version=4) for path in paths
    }
    print(f"{time.monotonic() - start:6.1f} s  notebooks", flush=True)

    chapters = {exported(run): path for path, run in books.items() if exported(run)}
    modules, stable = read_package(chapters)

    shutil.rmtree(SOURCE.parent, ignore_errors=True)
    left = shutil.ignore_patterns("_site", "__pycache__", *(f"{g}.md" for g in GUIDES))
    shutil.copytree(ROOT / "docs", SOURCE, ignore=left)
    vendor(SOURCE / "_static")
    names = api.names(modules.values(), stable)
    write_notebooks(books, modules, names)
    write_reference(chapters, modules, names, stable)
    write_guides(linker(names, None))

    faults = [
        f"{name} has no docstring: add a line in its notebook"
        for module in modules.values()
        for name in api.undocumented(module)
    ]
    faults += sphinx(SOURCE, BUILT)
    (BUILT / "_static/webpack-macros.html").unlink(
        missing_ok=True
    )  # a template of the theme, not a page
    policy.secure(BUILT)
    stop(
        faults + check_site.faults(BUILT) + policy.faults(BUILT),
        f"{BUILT.relative_to(ROOT)} is not fit to be read:",
    )
    shutil.rmtree(SITE, ignore_errors=True)
    BUILT.rename(SITE)
    print(
        f"{time.monotonic() - start:6.1f} s  the site is in "
        f"{SITE.relative_to(ROOT)}/index.html"
    )


if __name__ == "__main__":
    main()
