"""The pages of the API reference, read from the modules' text.

Signatures and comments stay as they are written."""

import ast
import copy
import io
import re
import tokenize
from typing import NamedTuple

FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


class Module(NamedTuple):
    """A module as text and as a tree."""

    name: str
    text: str
    doc: str
    exported: list[str]  # __all__
    public: dict[str, ast.stmt]  # What __all__ names, in the order of the text
    comments: dict[int, str]  # By line


def names_of(node):
    """The names that a statement of a module defines."""
    if isinstance(node, (*FUNCTION, ast.ClassDef)):
        return [node.name]
    targets = (
        node.targets
        if isinstance(node, ast.Assign)
        else [node.target]
        if isinstance(node, ast.AnnAssign)
        else []
    )
    return [
        name.id
        for target in targets
        for name in ast.walk(target)
        if isinstance(name, ast.Name)
    ]


def read_module(name, text):
    """Parse a module."""
    tree = ast.parse(text)
    defined = {name: node for node in tree.body for name in names_of(node)}
    exported = (
        ast.literal_eval(defined["__all__"].value) if "__all__" in defined else []
    )
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    comments = {
        t.start[0]: t.string.lstrip("# ") for t in tokens if t.type == tokenize.COMMENT
    }
    return Module(
        name,
        text,
        ast.get_docstring(tree) or "",
        exported,
        {n: node for n, node in defined.items() if n in exported},
        comments,
    )


def bases(node, module):
    """A class, and those of the same module that it is made from."""
    named = (base.id for base in node.bases if isinstance(base, ast.Name))
    found = [module.public.get(name) for name in named]
    above = [b for base in found if base is not None for b in bases(base, module)]
    return [node, *above]


def borrowed(statement, module):
    """The function behind `name = staticmethod(function)`, under that name."""
    if not isinstance(statement, ast.Assign):
        return None
    made = statement.value
    if not (isinstance(made, ast.Call) and ast.unparse(made.func) == "staticmethod"):
        return None
    function = copy.copy(module.public.get(ast.unparse(made.args[0])))
    if function is None:
        return None
    function.name = statement.targets[0].id
    function.decorator_list = [ast.Name("staticmethod")]
    return function


def methods(node, module):
    """The public methods and properties of a class, inherited ones too."""
    found = {}
    for base in bases(node, module):
        for statement in base.body:
            m = borrowed(statement, module) or statement
            if isinstance(m, FUNCTION) and not m.name.startswith("_"):
                found.setdefault(m.name, m)
    return list(found.values())


def undocumented(module):
    """Public functions, classes and their public methods that have no docstring."""
    for name, node in module.public.items():
        members = [(name, node)] + (
            [(f"{name}.{m.name}", m) for m in methods(node, module)]
            if isinstance(node, ast.ClassDef)
            else []
        )
        yield from (
            f"{module.name}.{label}"
            for label, n in members
            if isinstance(n, (*FUNCTION, ast.ClassDef)) and not ast.get_docstring(n)
        )


def one_line(module, name):
    """What a name is for: its docstring's first line, or a constant's comment."""
    node = module.public[name]
    documented = isinstance(node, (*FUNCTION, ast.ClassDef))
    return (
        (ast.get_docstring(node) or "").split("\n")[0]
        if documented
        else module.comments.get(node.end_lineno, "")
    )


def names(modules, stable):
    """Full names by short ones.

    Those of each module by module.name too; by the name alone what is stable, or what
    only one module has."""
    table, alone = {}, {}
    for module in modules:
        for name, node in module.public.items():
            members = (
                [f"{name}.{m.name}" for m in methods(node, module)]
                if isinstance(node, ast.ClassDef)
                else []
            )
            for label in (name, *members):
                full = table[f"{module.name}.{label}"] = f"{module.name}.{label}"
                if name not in stable:
                    alone[label] = None if label in alone else full
                elif module.name.endswith(f".{stable[name]}"):
                    alone[label] = full
    return table | alone


def fields(node):
    """The fields of a dataclass or a module of equinox, as (argument, default)."""
    for f in node.body:
        if isinstance(f, ast.AnnAssign):
            default = f.value
            if isinstance(default, ast.Call) and ast.unparse(default.func) == "field":
                default = next(
                    (k.value for k in default.keywords if k.arg.startswith("default")),
                    None,
                )
            yield ast.copy_location(ast.arg(f.target.id, f.annotation), f), default


def arguments(node):
    """The arguments of a function or a constructor, as (argument, default)."""
    if isinstance(node, ast.ClassDef):
        constructor = next(
            (m for m in node.body if isinstance(m, FUNCTION) and m.name == "__init__"),
            None,
        )
        return arguments(constructor) if constructor else list(fields(node))
    a = node.args
    placed = [*a.posonlyargs, *a.args]
    pairs = [
        *zip(placed, [None] * (len(placed) - len(a.defaults)) + a.defaults),
        *([(a.vararg, None)] if a.vararg else []),
        *zip(a.kwonlyargs, a.kw_defaults),
        *([(a.kwarg, None)] if a.kwarg else []),
    ]
    return [(arg, default) for arg, default in pairs if arg.arg not in ("self", "cls")]


def signature(node):
    """The arguments and what is returned, on one line."""
    if isinstance(node, ast.ClassDef) and not any(
        m.name == "__init__" for m in node.body if isinstance(m, FUNCTION)
    ):
        inner = ", ".join(
            f"{arg.arg}: {ast.unparse(arg.annotation)}"
            + (f" = {ast.unparse(default)}" if default else "")
            for arg, default in fields(node)
        )
        return f"({inner})" if inner else ""
    function = (
        next(m for m in node.body if isinstance(m, FUNCTION) and m.name == "__init__")
        if isinstance(node, ast.ClassDef)
        else node
    )
    inner = re.sub(r"^(self|cls)(, |$)", "", ast.unparse(function.args))
    return f"({inner})" + (
        f" -> {ast.unparse(node.returns)}" if getattr(node, "returns", None) else ""
    )


def prose(text, link=lambda name: f"`{name}`"):
    """Plain text as markdown: `names` become links, and nothing else is markup."""
    parts = re.split(r"`([^`]+)`", text)
    return "".join(
        link(part) if n % 2 else re.sub(r"([\\*_|<>$\[\]{}^~])", r"\\\1", part)
        for n, part in enumerate(parts)
    )


def code(text):
    """Code in a cell of a table."""
    return f"`{text}`".replace("|", "\\|") if text else ""


def table(module, node, link):
    """Arguments or fields with what their comments say; nothing if there is none."""
    rows = [
        (arg.arg, arg.annotation, default, arg.end_lineno)
        for arg, default in arguments(node)
    ]
    if (
        getattr(node, "returns", None)
        and rows
        and module.comments.get(node.returns.lineno)
        and node.returns.lineno != rows[-1][3]
    ):
        rows.append(("returns", node.returns, None, node.returns.lineno))
    last = {
        line: name for name, _, _, line in rows
    }  # a comment belongs to the last argument of its line
    text = lambda part: ast.get_source_segment(module.text, part) if part else ""
    cells = [
        (
            f"**{name}**",
            code(text(kind)),
            code(text(default)),
            prose(module.comments.get(line, ""), link) if last[line] == name else "",
        )
        for name, kind, default, line in rows
    ]
    if not any(row[3] for row in cells):
        return ""  # it would only repeat the signature
    kept = [n for n in range(4) if n < 1 or any(row[n] for row in cells)]
    line = lambda row: "| " + " | ".join(row[n] for n in kept) + " |"
    return "\n".join(
        [
            line(("name", "type", "default", "meaning")),
            line(("---",) * 4),
            *map(line, cells),
        ]
    )


def entry(module, name, node, kind, link, source, fence="::::"):
    """One symbol: its signature, what it is for, its arguments, source, and methods."""
    decorators = [ast.unparse(d) for d in getattr(node, "decorator_list", [])]
    head, options = f"{fence}{{py:{kind}}} {name}{signature(node)}", []
    if {"property", "cached_property"} & set(decorators):
        head = f"{fence}{{py:property}} {name}"
        options = [f":type: {ast.unparse(node.returns)}"] if node.returns else []
    options += [f":{d}:" for d in decorators if d in ("classmethod", "staticmethod")]
    parts = [
        "\n".join([head, *options]),
        prose(ast.get_docstring(node) or "", link),
        table(module, node, link),
    ]
    if isinstance(node, ast.ClassDef):
        parts += [
            entry(module, m.name, m, "method", link, None, fence[:-1])
            for m in methods(node, module)
        ]
    return "\n\n".join(filter(None, [*parts, source and source(name, node), fence]))


def constant(module, name, node, source):
    """A name that is neither function nor class: shown as it is written."""
    text, comment = (
        ast.get_source_segment(module.text, node),
        module.comments.get(node.end_lineno),
    )
    shown = f"{text}  # {comment}" if comment else text
    block = (
        f"```python\n{shown}\n```" if shown.count("\n") < 20 else ""
    )  # longer tables are read in their chapter
    return "\n\n".join(
        filter(None, [f"::::{{py:data}} {name}", block, source(name, node), "::::"])
    )


def page(module, chapter, source, link):
    """The page of one module."""
    kinds = {
        name: isinstance(node, ast.ClassDef)
        and "class"
        or isinstance(node, FUNCTION)
        and "function"
        for name, node in module.public.items()
    }
    known = [
        entry(module, n, node, kinds[n], link, source)
        for n, node in module.public.items()
        if kinds[n]
    ]
    values = [
        constant(module, n, node, source)
        for n, node in module.public.items()
        if not kinds[n]
    ]
    title = module.name.split(".", 1)[1]
    parts = [
        f"# {title}",
        f"```{{py:module}} {module.name}\n```",
        prose(module.doc, link),
        f"Explained, tried and tested in the chapter [{title}]({chapter}).",
        *known,
    ]
    return "\n\n".join(parts + (["## Constants", *values] if values else [])) + "\n"
