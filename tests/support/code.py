"""The product's code as text and as syntax trees, for tests that look at how it is written."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRODUCT = ("bridge", "consumers", "deploy", "schemas")


@dataclass(frozen=True)
class Source:
    """A source file, parsed."""

    path: str
    lines: int
    tree: ast.Module


@dataclass(frozen=True, order=True)
class Place:
    """Where something is: the file, the line, and what is there."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


@functools.cache
def sources(root: Path, folders: tuple[str, ...]) -> list[Source]:
    """The Python files in ``folders``, by path."""
    return [
        Source(path.relative_to(root).as_posix(), len(text.splitlines()), ast.parse(text))
        for folder in folders
        for path in sorted((root / folder).rglob("*.py"))
        for text in [path.read_text()]
    ]


def classes(files: Iterable[Source]) -> Iterator[tuple[Source, ast.ClassDef]]:
    """Each class with its file."""
    return ((file, node) for file in files for node in ast.walk(file.tree) if isinstance(node, ast.ClassDef))


def functions(files: Iterable[Source]) -> Iterator[tuple[Source, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Each function with its file."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return ((file, node) for file in files for node in ast.walk(file.tree) if isinstance(node, kinds))


def last_name(node: ast.expr) -> str:
    """The name that an expression ends with, such as ``b`` of ``a.b[c]``; empty for any other."""
    if isinstance(node, ast.Subscript):
        return last_name(node.value)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
