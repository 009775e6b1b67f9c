"""What must fail the build of the site does, and pages say what their sources say."""

import html
import re
import sys
from pathlib import Path

import nbformat
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))
import api
import check_site
import notebooks
import policy

import docs

MODULE = '''"""Sums."""
__all__ = ["SIZE", "total", "Pair"]
SIZE = 3  # how many


def total(
    x: Float[Array, "restarts steps"],  # [restarts, steps] | any `Pair`
    *,
    axis: int = 0,
) -> float:  # of everything
    "Adds up, see `Pair`."


def _hidden(): pass


class Pair(NamedTuple):
    "Two numbers."
    a: int  # the first
    b: int = 0

    def swap(self):
        "The other way round."
'''
PAGES = {
    "index.html": '<h1 id="top">x</h1><a href="a/b.html#there">b</a>'
    '<a href="https://example.org/">away</a><a href="#top">up</a>',
    "a/b.html": '<a href="../index.html" id="there">home</a><img src="../x.svg">'
    '<input name="src" data="//no">',
    "x.svg": "<svg/>",
    "s.css": "@import 'near.css'; a { background: url(data:x) }",
}


def site_faults(folder, **changed):
    """The faults of the tiny site with some of its files changed."""
    for name, text in (
        PAGES
        | {
            name.replace("__", "/").replace("_", "."): text
            for name, text in changed.items()
        }
    ).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return check_site.faults(folder)


def cell(source, kind="code"):
    return nbformat.from_dict(
        {"cell_type": kind, "source": source, "metadata": {}, "outputs": []}
    )


def test_a_sound_site_has_no_faults(tmp_path):
    assert site_faults(tmp_path) == []


@pytest.mark.parametrize(
    "html, fault",
    [
        ('<a href="gone.html">', "no such file"),
        ('<img src="gone.png">', "no such file"),
        ('<a href="a">', "no such file"),
        ('<a href="../../etc">', "no such file"),
        ('<a href="a/b.html#gone">', "no such anchor"),
        ('<a href="#gone">', "no such anchor"),
        ('<a href="/a/b.html">', "root of the host"),
        ('<script src="https://cdn.example/x.js"></script>', "cdn.example"),
        ('<img src="//cdn.example/badge.svg">', "cdn.example"),
        ('<link rel="stylesheet" href="https://cdn.example/x.css">', "cdn.example"),
        ('<link rel="preconnect" href="https://cdn.example">', "cdn.example"),
        ("<style>@import url(https://cdn.example/x.css)</style>", "cdn.example"),
        ('<p style="background: url(//cdn.example/x.png)">', "cdn.example"),
        (
            '<script type="application/vnd.jupyter.widget-state+json">'
            '{"value": "<img src=\\"https://cdn.example/x.png\\">"}</script>',
            "cdn.example",
        ),
        ('<iframe src="HTTPS://cdn.example/">', "cdn.example"),
    ],
)
def test_faults_of_a_page_are_found(tmp_path, html, fault):
    (found,) = site_faults(tmp_path, index_html=html)
    assert found.startswith("index.html: ") and fault.lower() in found.lower()


@pytest.mark.parametrize(
    "css",
    [
        "@import 'https://cdn.example/x.css';",
        "a { src: url(https://cdn.example/x.woff2) }",
        'a { src: url("//cdn.example/x") }',
    ],
)
def test_styles_load_nothing_from_other_hosts(tmp_path, css):
    (found,) = site_faults(tmp_path, s_css=css)
    assert "s.css: loads" in found


def test_all_faults_are_listed(tmp_path):
    assert (
        len(
            site_faults(
                tmp_path,
                index_html='<a href="gone.html">',
                a__b_html='<a href="#gone"><img src="//cdn.example/x">',
            )
        )
        == 3
    )
    assert check_site.faults(tmp_path / "empty")
    with pytest.raises(SystemExit, match=r"(?s)the pages:.*  one\n  two"):
        docs.stop(["one", "two"], "the pages:")


def test_public_names_without_docstrings_are_named():
    assert not list(api.undocumented(api.read_module("m", MODULE)))
    bare = re.sub(r'^( +)"(Adds|Two|The other).*$', r"\1...", MODULE, flags=re.M)
    assert list(api.undocumented(api.read_module("m", bare))) == [
        "m.total",
        "m.Pair",
        "m.Pair.swap",
    ]


def test_a_warning_of_sphinx_fails_the_build(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "conf.py").write_text('extensions = ["myst_parser"]')
    (source / "index.md").write_text("# Title\n")
    assert docs.sphinx(source, tmp_path / "html") == []
    (source / "index.md").write_text("# Title\n\n[gone](gone.md)\n")
    assert docs.sphinx(source, tmp_path / "html")


def write_notebooks(folder, **sources):
    "Notebooks of the tutorials, each of one cell or several; returns their paths."
    paths = [folder / f"nbs/tutorials/{name}.ipynb" for name in sources]
    paths[0].parent.mkdir(parents=True)
    for path, cells in zip(paths, sources.values()):
        made = [nbformat.v4.new_code_cell(cell) for cell in cells]
        nbformat.write(nbformat.v4.new_notebook(cells=made), path)
    return paths


@pytest.fixture
def project(tmp_path, monkeypatch):
    "An empty project."
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    monkeypatch.setattr(notebooks, "CACHE", tmp_path / "build")
    return tmp_path


def test_a_kernel_is_fresh_and_its_end_is_told(project, capsys):
    leave = ("import builtins, os, sys", "builtins.left = os.environ['LEFT'] = '1'")
    fresh = (
        "import builtins, os, sys",
        "assert not hasattr(builtins, 'left')",
        "assert 'LEFT' not in os.environ and 'notebooks' not in sys.modules",
        "assert os.getcwd().endswith('tutorials')",
        "import matplotlib",
        "matplotlib.get_backend()",
    )
    dies = "import os\nos.abort()"
    sources = dict(leaves=leave, fresh=fresh, dies=[dies])
    paths = write_notebooks(project, **sources)
    assert notebooks.run_all(paths) == ["nbs/tutorials/dies.ipynb"]
    assert "Kernel died" in capsys.readouterr().out
    outputs = nbformat.read(notebooks.cached(paths[1]), as_version=4).cells[-1].outputs
    assert "inline" in outputs[0]["data"]["text/plain"]


def test_a_notebook_that_fails_is_named(project, capsys):
    write_notebooks(project, good=["1 + 1", "#| slow\n1 / 0"], worse=["1 + 1", "1 / 0"])
    good, bad = notebooks.notebooks()
    assert notebooks.run_all([good, bad]) == ["nbs/tutorials/worse.ipynb"]
    assert (
        "ZeroDivisionError" in capsys.readouterr().out
        and notebooks.cached(good).exists()
        and not notebooks.cached(bad).exists()
    )
    before = notebooks.cached(good)
    (project / "results").mkdir()
    (project / "results/x.json").write_text("{}")
    assert (
        notebooks.cached(good) != before
    )  # what it may read has changed: run it again


def test_a_script_that_is_not_the_one_we_know_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(docs, "VENDOR", tmp_path / "kept")
    monkeypatch.setattr(docs, "REGISTRY", tmp_path.as_uri())
    (tmp_path / "x.tgz").write_text("not what was asked for")
    for tarball, message in (("x.tgz", "sha512"), ("gone.tgz", "npm_config_registry")):
        with pytest.raises(SystemExit, match=message):
            docs.fetch(f"{tarball}", "0000")


def test_reference_says_what_the_module_says():
    module = api.read_module("p.m", MODULE)
    names = api.names([module], {"total": "m"})
    assert [api.one_line(module, name) for name in module.public] == [
        "how many",
        "Adds up, see `Pair`.",
        "Two numbers.",
    ]
    page = api.page(
        module,
        "../m.ipynb",
        lambda name, node: f"line {node.lineno}",
        docs.linker(names, "p.m"),
    )
    assert (
        "{py:function} total(x: Float[Array, 'restarts steps'], *, axis: int=0)"
        " -> float" in page
    )
    assert (
        '| **x** | `Float[Array, "restarts steps"]` |  | '
        "\\[restarts, steps\\] \\| any {py:obj}`Pair <p.m.Pair>` |" in page
    )
    assert (
        "| **returns** | `float` |  | of everything |" in page
        and "| **a** | `int` |  | the first |" in page
    )
    assert (
        "{py:class} Pair(a: int, b: int = 0)" in page and "{py:method} swap()" in page
    )
    assert "SIZE = 3  # how many" in page and "line 3" in page and "_hidden" not in page


def test_chapters_show_what_they_should():
    module = api.read_module("p.m", MODULE)
    link = docs.linker(api.names([module], {}), "p.m")
    show = lambda source, kind="code": [
        c.source for c in docs.shown(cell(source, kind), module, link)
    ]
    assert show("#| hide\nimport x") == show("#| default_exp m") == []
    assert show("#| export\ndef total(): pass\ndef _hidden(): pass") == [
        '<div id="p.m.total-code"></div>',
        "def total(): pass\ndef _hidden(): pass",
    ]
    assert show("#| slow\n1 + 1") == ["1 + 1"]
    assert show("`total`, `nc.Pair`, `other`", "markdown") == [
        "{py:obj}`total <p.m.total>`, {py:obj}`Pair <p.m.Pair>`, `other`"
    ]
    kept = "# `total`\n\n[`total`](x.md) $`total`$\n\n```\n`total`\n```"
    assert show(kept, "markdown") == [kept]
    assert show(
        "[a](2_fast.ipynb#b) [c](../loss/1_x.ipynb) [d](../nbs/tutorials/01_e.ipynb)",
        "markdown",
    ) == ["[a](fast.ipynb#b) [c](../loss/x.ipynb) [d](tutorials/e.ipynb)"]
    (folded,) = docs.shown(cell("#| code-fold: true\nassert 1"), module, link)
    assert folded.metadata["tags"] == ["hide-cell"] and folded.source == "assert 1"


def test_contents_are_in_order():
    pages = [
        docs.page_of(docs.ROOT / "nbs" / name)
        for name in (
            "index.ipynb",
            "assembly/1_programs.ipynb",
            "appendix/2_fast.ipynb",
            "tutorials/01_programs.ipynb",
        )
    ]
    assert re.findall(r"^[\w/]+$", docs.contents(pages), re.M) == [
        *docs.GUIDES,
        "assembly/programs",
        "appendix/fast",
        "tutorials/programs",
        "reference/index",
        "reference/cli",
        "changelog",
    ]
    assert "Tutorials" not in docs.contents(pages[:3])


def test_a_policy_names_the_scripts_of_a_page_and_nothing_else():
    page = (
        '<head><meta charset="utf-8" /><script>one()</script>'
        '<script type="application/json">{"two": 2}</script>'
        '<script src="three.js"></script></head>'
    )
    safe = policy.secured(page)
    found = policy.Scripts(safe)
    assert found.inline == ["one()"]
    assert found.policy.count("'sha256-") == 1
    assert policy.source_of("one()") in found.policy
    assert not re.search("unsafe-eval|script-src[^;]*unsafe-inline", found.policy)
    assert policy.page_faults(safe) == []
    for wrong, says in {
        page: "no content security policy",
        safe.replace("one()", "other()"): "another policy",
        safe.replace(
            "<head>", "<head><script src='x.js'></script>"
        ): "before its policy",
        safe + '<p onclick="x()">': "p onclick",
        safe + '<a href="JavaScript:x()">': "a href",
    }.items():
        (fault,) = policy.page_faults(wrong)
        assert says in fault


def test_the_policy_of_a_page_lets_the_pages_in_it_run():
    framed = "<script>two('&amp;')</script><p onclick='x()'>"
    page = f'<meta charset="utf-8"><iframe srcdoc="{html.escape(framed)}"></iframe>'
    assert policy.source_of("two('&amp;')") in policy.policy_of(page)
    (fault,) = policy.page_faults(policy.secured(page))
    assert "p onclick" in fault


def test_a_script_is_changed_only_if_it_is_the_one_we_know():
    old, new = docs.CHANGED["embed.js"]
    assert docs.changed("other.js", b"x") == b"x"
    assert docs.changed("embed.js", f"a;{old}b".encode()) == f"a;{new}b".encode()
    for wrong in ("", 2 * old):
        with pytest.raises(SystemExit, match="CHANGED"):
            docs.changed("embed.js", wrong.encode())
