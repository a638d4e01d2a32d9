"""Counts of the source tree: how much code there is, and how it is knit together.

    python benchmarks/structure.py [src tests ...] [--json FILE]

Lines of code are those that hold more than a comment or a docstring; a bare string
anywhere counts as a docstring. Parameters are positional and keyword-only ones, without
`self` and `cls`. A function is as long as its text without the docstring. Circles are
sets of files that import each other, inside functions too; those that exist for type checkers
only are counted apart.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import re
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

ROOT = Path(__file__).resolve().parents[1]
MANY_PARAMETERS = 8
CAPITALS = re.compile(r"_*[A-Z][A-Z0-9_]*")
# Tokens that are no code.
LAYOUT = {"COMMENT", "NL", "NEWLINE", "INDENT", "DEDENT", "ENCODING", "ENDMARKER"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """A file, the name it is imported by, and its syntax tree."""

    path: Path
    module: str
    text: str
    tree: ast.Module

    @classmethod
    def read(cls, path: Path, folder: Path) -> Source:
        parts = path.relative_to(folder).with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        text = path.read_text(encoding="utf-8")
        return cls(path, module, text, ast.parse(text))

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        return tuple(ast.walk(self.tree))


def lines_of(nodes: Iterable[ast.stmt]) -> set[int]:
    """The numbers of all lines of some nodes."""
    return {line for node in nodes for line in range(node.lineno, (node.end_lineno or 0) + 1)}


def docstrings(tree: ast.AST) -> Iterator[ast.stmt]:
    """Bare strings: those that describe attributes, too."""
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant(value=str())):
                yield node


def lines_of_code(source: Source) -> int:
    used: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        if tokenize.tok_name[token.type] not in LAYOUT:
            used.update(range(token.start[0], token.end[0] + 1))
    return len(used - lines_of(docstrings(source.tree)))


def n_parameters(function: Function) -> int:
    given = function.args
    positional = [argument.arg for argument in given.posonlyargs + given.args]
    if positional[:1] in (["self"], ["cls"]):
        positional = positional[1:]
    return len(positional) + len(given.kwonlyargs)


def is_numeric(node: ast.expr | None) -> bool:
    """A number, or a tuple or expression of nothing but numbers."""
    match node:
        case ast.Constant(value=value):
            return isinstance(value, int | float | complex) and not isinstance(value, bool)
        case ast.UnaryOp(operand=operand):
            return is_numeric(operand)
        case ast.BinOp(left=left, right=right):
            return is_numeric(left) and is_numeric(right)
        case ast.Tuple(elts=elements):
            return bool(elements) and all(map(is_numeric, elements))
    return False


def numeric_constants(source: Source) -> int:
    found: list[tuple[str, ast.expr | None]] = []
    for node in source.tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                found.append((name, value))
            case ast.AnnAssign(target=ast.Name(id=name), value=assigned):
                found.append((name, assigned))
    return sum(bool(CAPITALS.fullmatch(name)) and is_numeric(value) for name, value in found)


def public_names(folder: Path) -> int:
    """Names that the package in a folder imports `as` themselves, which makes them its own."""
    names: set[str | None] = set()
    for path in folder.glob("*/__init__.py"):
        for node in Source.read(path, folder).nodes:
            match node:
                case ast.ImportFrom(names=aliases):
                    names |= {alias.asname for alias in aliases if alias.asname == alias.name}
    return len(names)


def imports(source: Source, modules: set[str]) -> Iterator[tuple[str, bool]]:
    """The modules of the tree that a file imports, and whether for type checkers only."""
    guards: list[ast.If] = []
    # Few files have such a branch, and all have others, which take long to write out.
    if "TYPE_CHECKING" in source.text:
        branches = (node for node in source.nodes if isinstance(node, ast.If))
        guards = [branch for branch in branches if "TYPE_CHECKING" in ast.unparse(branch.test)]
    typing = {id(inner) for guard in guards for n in guard.body for inner in ast.walk(n)}
    is_face = source.path.name == "__init__.py"
    for node in source.nodes:
        found: list[str] = []
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source.path}: a relative import"
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            found = [name if name in modules else str(node.module) for name in inside]
        # The face of a package names what it loads later.
        if not is_face or id(node) not in typing:
            yield from ((name, id(node) in typing) for name in found if name in modules)


def circles(sources: list[Source], *, with_typing: bool) -> list[list[str]]:
    """Strongly connected components of more than one file."""
    number = {source.module: i for i, source in enumerate(sources)}
    modules = set(number)
    edges = [
        (number[source.module], number[name])
        for source in sources
        for name, is_typing in imports(source, modules)
        if with_typing or not is_typing
    ]
    heads, tails = np.array(edges, dtype=int).reshape(-1, 2).T
    graph = csr_array((np.ones(len(edges)), (heads, tails)), shape=2 * (len(sources),))
    _, labels = connected_components(graph, connection="strong")
    groups = [[sources[i].module for i in np.flatnonzero(labels == label)] for label in set(labels)]
    return sorted(sorted(group) for group in groups if len(group) > 1)


def count(folder: Path) -> dict[str, object]:
    """All counts of a folder."""
    sources = [Source.read(path, folder) for path in sorted(folder.rglob("*.py"))]
    defined = [node for source in sources for node in source.nodes if isinstance(node, Function)]
    calls = (node for source in sources for node in source.nodes if isinstance(node, ast.Call))
    called = [ast.unparse(call.func) for call in calls]
    many = sum(n_parameters(function) >= MANY_PARAMETERS for function in defined)
    running = circles(sources, with_typing=False)
    typing = [circle for circle in circles(sources, with_typing=True) if circle not in running]
    lengths = [len(source.text.splitlines()) for source in sources]
    shares = [len(lines_of([node]) - lines_of(docstrings(node))) for node in defined]
    return {
        "lines of code": sum(map(lines_of_code, sources)),
        "files": len(sources),
        "functions": len(defined),
        f"functions of {MANY_PARAMETERS} and more parameters": many,
        "numeric constants of modules": sum(map(numeric_constants, sources)),
        "calls of isinstance": called.count("isinstance"),
        "public names": public_names(folder),
        "circles": running,
        "circles with the imports for type checkers": typing,
        "lines of a file, median": float(np.median(lengths)),
        "lines of a file, p90": float(np.percentile(lengths, 90)),
        "lines of a file, longest": max(lengths),
        "lines of a function, p90": float(np.percentile(shares, 90)),
    }


def shown(value: object) -> str:
    if isinstance(value, list):
        return "; ".join([str(len(value)), *map(", ".join, value)])
    return f"{value:g}" if isinstance(value, float) else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path, default=[ROOT / "src", ROOT / "tests"])
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the counts")
    arguments = parser.parse_args()
    counts = {folder.name: count(folder) for folder in arguments.folders}
    for name, values in counts.items():
        print(name, *(f"  {what}: {shown(value)}" for what, value in values.items()), sep="\n")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(counts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
