"""Settings of the site.

`make docs` copies this folder and the notebooks' pages to build/docs/source, and runs
Sphinx there."""

from importlib import metadata

project = html_title = "neural_compile"
release = metadata.version("neural_compile")
extensions = ["myst_nb", "sphinx.ext.mathjax", "sphinx_copybutton"]
templates_path = ["_templates"]
exclude_patterns = ["_site", "_templates"]

nb_execution_mode = "off"  # tools/notebooks.py has run them
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence"]
myst_heading_anchors = 4
python_maximum_signature_line_length = 80  # longer signatures have one argument a line
add_module_names = False
toc_object_entries_show_parents = "hide"

# Both scripts are fetched by tools/docs.py, so that a reader's browser asks nobody else
mathjax_path = "tex-svg.js"
mathjax3_config = {
    "options": {"enableMenu": False}
}  # the menu would ask for files that are not here
nb_ipywidgets_js = {"embed.js": {}}

html_theme = "pydata_sphinx_theme"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["widgets.js"]
html_favicon = "_static/favicon.svg"
html_context = {"default_mode": "auto"}
html_sidebars = {"**": ["nav.html"]}
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "neural_compile"},
    "navbar_align": "left",
    "navbar_center": [],
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}


def find_type(app, env, node, contnode):
    """Signatures name types as the module does that imports them.

    So take the one module that defines a class of that name."""
    if node.get("refdomain") != "py":
        return None
    python, target = env.domains["py"], node.get("reftarget")
    kinds = ("class", "data")
    found = [
        name
        for name, entry in python.objects.items()
        if name.rsplit(".", 1)[-1] == target and entry.objtype in kinds
    ]
    if len(found) != 1:
        return None
    args = (env, node["refdoc"], app.builder, "obj", found[0], node, contnode)
    return python.resolve_xref(*args)


def setup(app):
    app.connect("missing-reference", find_type)
