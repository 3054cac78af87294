"""What a student's cells say, by their syntax trees; nothing is executed."""

import ast
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from importlib import import_module

from IPython.core.inputtransformer2 import TransformerManager

# IPython looks for magics anew after each one it finds: many of them take minutes.
MAGICS = 100


@lru_cache(1000)
def python(source: str) -> str:
    """Return a cell's source without its magics and shell commands.

    What is no Python even so, or holds more than ``MAGICS`` of them, comes back as it is.

    >>> python("%matplotlib inline\\nx = 1")
    '\\nx = 1'
    """
    lines = source.splitlines()
    if _parsed(source) is None and sum(bool(set(line) & set("%!?")) for line in lines) <= MAGICS:
        with suppress(SyntaxError, RuntimeError):  # what IPython itself cannot read
            lines = TransformerManager().transform_cell(source).splitlines()
    return "\n".join("" if "get_ipython()" in line else line for line in lines)


def defined(source: str) -> set[str]:
    """Return the names that a cell defines at its top level.

    >>> sorted(defined("def f(x):\\n    y = 1\\nz = 2"))
    ['f', 'z']
    """
    tree = _tree(source)
    if tree is None:
        return set(re.findall(r"^(?:async )?def (\w+)", source, re.MULTILINE))
    found: set[str] = set()
    for part in tree.body:
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(part.name)
        elif isinstance(part, ast.Assign | ast.AnnAssign):
            targets = part.targets if isinstance(part, ast.Assign) else [part.target]
            walked = [name for target in targets for name in ast.walk(target)]
            found |= {name.id for name in walked if isinstance(name, ast.Name)}
        elif isinstance(part, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in part.names}
    return found


def only_imports(source: str) -> bool:
    """Tell whether a cell does nothing but import."""
    body = getattr(_tree(source), "body", [])
    return bool(body) and all(isinstance(part, ast.Import | ast.ImportFrom) for part in body)


@lru_cache(1000)
def _tree(source: str) -> ast.Module | None:
    return _parsed(python(source))


def _parsed(source: str) -> ast.Module | None:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def calls_anything(source: str, name: str) -> bool:
    """Tell whether the function ``name`` of a cell calls anything."""
    tree = _tree(source)
    walked = ast.walk(tree) if tree else ()
    functions = [part for part in walked if isinstance(part, ast.FunctionDef)]
    own = [function for function in functions if function.name == name]
    return any(isinstance(part, ast.Call) for function in own for part in ast.walk(function))


def names_in(source: str) -> set[str]:
    """Return every name and attribute that a cell mentions."""
    tree = _tree(source)
    found: set[str] = set()
    for part in ast.walk(tree) if tree else ():
        if isinstance(part, ast.Name):
            found.add(part.id)
        elif isinstance(part, ast.Attribute):
            found.add(part.attr)
        elif isinstance(part, ast.Import | ast.ImportFrom):
            found |= {piece for alias in part.names for piece in alias.name.split(".")}
            found |= set((getattr(part, "module", None) or "").split("."))
    return found


def forbidden_in(source: str, cells: list[str], forbidden: frozenset[str]) -> str | None:
    """Return what ``source`` uses of ``forbidden`` under any name it was imported by, or None.

    ``cells`` are all cells of the notebook, whose imports tell what names mean.

    >>> forbidden_in("layer = N.LSTM(2, 3)", ["from torch import nn as N"],
    ...     frozenset({"torch.nn.modules.rnn"}))
    'torch.nn.LSTM'
    """
    meaning: dict[str, str] = {}
    for cell in (*cells, source):
        meaning.update(_imports(cell))
    tree = _tree(source)
    for part in ast.walk(tree) if tree else ():
        if isinstance(part, ast.Import):
            dotted = [alias.name for alias in part.names]
        elif isinstance(part, ast.ImportFrom):
            dotted = [f"{part.module}.{alias.name}" for alias in part.names]
        else:
            dotted = list(_dotted(part, meaning))
        for name in dotted:
            if _is_forbidden(name, forbidden):
                return name
    return None


def _imports(source: str) -> dict[str, str]:
    """Return what each imported name of a cell stands for."""
    tree = _tree(source)
    found: dict[str, str] = {}
    for part in ast.walk(tree) if tree else ():
        if isinstance(part, ast.Import):
            for alias in part.names:
                top = alias.name.split(".")[0]
                found[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(part, ast.ImportFrom) and part.module:
            for alias in part.names:
                found[alias.asname or alias.name] = f"{part.module}.{alias.name}"
    return found


def _dotted(part: ast.AST, meaning: dict[str, str]) -> Iterator[str]:
    names: list[str] = []
    while isinstance(part, ast.Attribute):
        names.append(part.attr)
        part = part.value
    if isinstance(part, ast.Name) and part.id in meaning:
        yield ".".join([meaning[part.id], *reversed(names)])


def _is_forbidden(dotted: str, forbidden: frozenset[str]) -> bool:
    if any(dotted == name or dotted.startswith(name + ".") for name in forbidden):
        return True
    top, *rest = dotted.split(".")
    if dotted.startswith("coursekit.tasks."):
        # Tasks are named in capitals and may be checked against; the functions are the answers.
        return any(name == "reference" or not name.isupper() for name in rest[2:])
    if top not in ("torch", "coursekit", "sklearn", "nltk") or not rest:
        return False
    if top == "torch" and rest[-1] in forbidden:
        return True
    found: object = import_module(top)
    try:
        for name in rest:
            found = getattr(found, name, None)
    except Exception:  # torch.classes and the like answer a name they do not know with any error
        return False
    return str(getattr(found, "__module__", None)) in forbidden
