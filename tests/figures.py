"""Figures of how the code reads, each with its limit; ``make figures`` prints them.

``--at COMMIT`` measures an older commit, ``--list NAME`` prints the places that a figure counts, and ``--shrink``
takes out of the list of banned names what is no longer there.
"""

from __future__ import annotations

import argparse
import ast
import functools
import io
import json
import math
import re
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

from tests.support.code import PRODUCT, ROOT, Place, Source, classes, functions, last_name, sources
from tests.support.names import banned, bindings, is_banned

ALLOWED = Path(__file__).parent / "support" / "allowed_names.json"
"""The offenders that are still allowed, and how often: the list only shrinks, nothing is added to it."""

PARTS = {"product": "names", "tests": "test-names", "classes": "classes", "queries": "queries"}
"""Each part of the list of offenders, with the figure that counts it."""

UNTYPED_MAPPINGS = frozenset({"dict", "Mapping", "MutableMapping"})


@dataclass(frozen=True)
class Figure:
    """A figure with its limit, and the places that it counts."""

    key: str
    label: str
    value: float
    limit: str
    holds: bool
    places: Sequence[Place] = ()


def _is_untyped(node: ast.AST) -> bool:
    if isinstance(node, ast.Subscript) and last_name(node.value) in UNTYPED_MAPPINGS:
        arguments = node.slice.elts if isinstance(node.slice, ast.Tuple) else []
        return bool(arguments) and last_name(arguments[-1]) == "Any"
    return isinstance(node, ast.Name) and node.id == "Document"


def untyped(files: Iterable[Source]) -> list[Place]:
    """Where a mapping of anything, or a ``Document``, is said in place of a type."""
    return [
        Place(file.path, node.lineno, ast.unparse(node))
        for file in files
        for node in ast.walk(file.tree)
        if _is_untyped(node) and isinstance(node, ast.expr)
    ]


MONGO_WORD = re.compile(r"\$(?!(ref|defs|schema|id|comment)$)[a-z]")  # JSON Schema has some of its own


def query_language(files: Iterable[Source]) -> list[Place]:
    """Where MongoDB's query language is spoken outside ``store/``: a text that begins with one of its ``$`` words."""
    return [
        Place(file.path, node.lineno, node.value)
        for file in files
        if not file.path.startswith("bridge/store/")
        for node in ast.walk(file.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and MONGO_WORD.match(node.value)
    ]


def twice(files: Sequence[Source]) -> list[Place]:
    """Where a class has a name that another class has."""
    counts = Counter(node.name for _, node in classes(files))
    places = (Place(file.path, node.lineno, node.name) for file, node in classes(files) if counts[node.name] > 1)
    return sorted(places, key=lambda place: (place.text, place))


def own_imports(file: Source, modules: frozenset[str]) -> set[str]:
    """The modules of the product that a file imports."""
    names: set[str] = set()
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            members = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= members & modules or {node.module}
    return {name for name in names if name.split(".")[0] in PRODUCT}


def service_imports(files: Sequence[Source]) -> list[Place]:
    """Each service module, with how many modules of the product it imports (as the line), most first."""
    modules = frozenset(file.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for file in files)
    services = (
        file for file in files if file.path.startswith("bridge/services/") and not file.path.endswith("/__init__.py")
    )
    counts = ((len(own_imports(file, modules)), file.path) for file in services)
    return [Place(path, count, f"imports {count} modules") for count, path in sorted(counts, reverse=True)]


Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def _public(node: Documented) -> Iterator[Documented]:
    yield node
    for child in node.body:
        if isinstance(child, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and not child.name.startswith("_"):
            if isinstance(child, ast.ClassDef):
                yield from _public(child)
            else:
                yield child


def undocumented(files: Iterable[Source]) -> tuple[list[Place], int]:
    """The public modules, classes and functions without a docstring, and how many there are in all."""
    nodes = [(file, node) for file in files for node in _public(file.tree)]
    bare = [(file, node) for file, node in nodes if ast.get_docstring(node) is None]
    return [Place(file.path, getattr(node, "lineno", 1), getattr(node, "name", "module")) for file, node in bare], len(
        nodes
    )


def lengths(files: Iterable[Source]) -> list[Place]:
    """Each function, with how many lines it has, docstring and all (as the text), longest first."""
    measured = (
        ((node.end_lineno or node.lineno) - node.lineno + 1, Place(file.path, node.lineno, node.name))
        for file, node in functions(files)
    )
    return [
        Place(place.path, place.line, f"{count} lines: {place.text}") for count, place in sorted(measured, reverse=True)
    ]


@functools.cache
@functools.cache
def figures(root: Path) -> list[Figure]:
    """The figures of the source tree at ``root``."""
    files, tests = sources(root, PRODUCT), sources(root, ("tests",))
    lines = sum(file.lines for file in files)
    documents, names, test_names = untyped(files), banned(files), banned(tests)
    bound = [place for place, _ in bindings(files)]
    bare_names = [place for place in bound if is_banned(place.text, field_words=frozenset())]
    share, bare_share = 100 * len(names) / len(bound), 100 * len(bare_names) / len(bound)
    test_share = 100 * len(test_names) / sum(1 for _ in bindings(tests))
    doubles, queries = twice(files), query_language(files)
    imports = service_imports(files)
    per_service = mean(place.line for place in imports)
    bare, public = undocumented(files)
    docstrings = 100 * (1 - len(bare) / public)
    functions_by_length = lengths(files)
    middle = median(int(place.text.split()[0]) for place in functions_by_length)
    density = 1000 * len(documents) / lines
    return [
        Figure("untyped", "untyped documents in 1,000 lines", density, "≤ 6", density <= 6, documents),
        Figure("names", "pronoun and participle names, %", share, "≤ 1", share <= 1, names),
        Figure("all-names", "the same, nothing excepted, %", bare_share, "", True, bare_names),
        Figure("test-names", "names in tests, %", test_share, "≤ 1", test_share <= 1, test_names),
        Figure(
            "classes", "class names defined twice", len({place.text for place in doubles}), "0", not doubles, doubles
        ),
        Figure("queries", "words of MongoDB outside the store", len(queries), "0", not queries, queries),
        Figure(
            "imports", "own modules imported by a service module", per_service, "≤ 5.5", per_service <= 5.5, imports
        ),
        Figure("docstrings", "public docstrings, %", docstrings, "≥ 95", docstrings >= 95, bare),
        Figure("lengths", "median lines of a function", middle, "≤ 6", middle <= 6, functions_by_length),
        Figure("lines", "product lines", lines, "", True),
    ]


def offenders() -> dict[str, dict[str, int]]:
    """How often what is banned occurs, by the part of the list that allows some of it."""
    places = {figure.key: figure.places for figure in figures(ROOT)}
    return {part: dict(sorted(Counter(place.text for place in places[key]).items())) for part, key in PARTS.items()}


def bounds() -> dict[str, float]:
    """Each figure that is not held, with its value rounded up: what it may not exceed."""
    return {figure.key: math.ceil(figure.value * 10) / 10 for figure in figures(ROOT) if not figure.holds}


def allowed() -> dict[str, dict[str, float]]:
    """The offenders that are still allowed, and as ``bounds`` the figures that are not held yet."""
    return json.loads(ALLOWED.read_text())


def shrink() -> None:
    """Take out of the list what is no longer there; nothing is added to it."""
    present: dict[str, Mapping[str, float]] = {**offenders(), "bounds": bounds()}
    shrunk = {
        part: {name: min(count, present[part][name]) for name, count in names.items() if name in present[part]}
        for part, names in allowed().items()
    }
    ALLOWED.write_text(json.dumps(shrunk, indent=2) + "\n")


def _show(root: Path, key: str | None) -> int:
    measured = figures(root)
    if key is not None:
        for place in next(figure.places for figure in measured if figure.key == key):
            print(place)
        return 0
    for figure in measured:
        verdict = "" if figure.holds else "  not held"
        print(f"{figure.key:11} {figure.label:42} {figure.value:9.2f}  {figure.limit:6}{verdict}")
    return 0 if all(figure.holds for figure in measured) else 1


def main() -> int:
    """Print the figures, or what one of them counts; 1 when one is not held."""
    keys = ["untyped", "names", "all-names", "test-names", "classes", "queries", "imports", "docstrings", "lengths"]
    parser = argparse.ArgumentParser(prog="make figures", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--at", metavar="COMMIT", help="measure this commit")
    parser.add_argument("--list", metavar="NAME", choices=keys, help=f"print what it counts: {', '.join(keys)}")
    parser.add_argument(
        "--shrink", action="store_true", help="shrink tests/support/allowed_names.json to what is there"
    )
    options = parser.parse_args()
    if options.shrink:
        shrink()
        return 0
    if options.at is None:
        return _show(ROOT, options.list)
    packed = subprocess.run(["git", "archive", options.at], cwd=ROOT, check=True, capture_output=True).stdout
    with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
        _show(Path(folder), options.list)
    return 0


if __name__ == "__main__":
    sys.exit(main())
