"""Names of variables that say nothing of what they hold: pronouns, and participles but those of the field."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from tests.support.code import Place, Source, classes, last_name


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


PRONOUNS = _words(
    """
    all another both each enough every everything hers his it mine more most much nobody none nothing one ones other
    others ours own same several some somebody something such that theirs them these they thing things this those what
    which who whom whose
    """
)
PARTICIPLES = _words(
    """
    alike alone began begun born borne bought broken brought built came caught chosen come did doing done drawn driven
    due eaten fallen felt forgotten found gave given going gone got grown had heard hidden holding hoping kept knew
    known laid leaving led left lent lived living looking lost made meant met naming needing paid running said sat saw
    seen sent shown shut sought spent spoken stolen stood swept taken telling tellings thought told took waiting went
    won worn written wrote
    """
)
NOUNS_IN_ED = _words("bleed breed deed embed exceed feed indeed need proceed red reed seed shed sled speed succeed")
FIELD_WORDS = _words(
    """
    accepted completed created deleted elapsed enabled estimated expected expired failed held merged parked passed
    published received recorded redelivered registered rejected related returned signed started stored submitted
    updated voided
    """
)
"""Participles that xAPI, AMQP, HTTP, the contract's states or every program use as a noun or an adjective."""

CONTRACTS = frozenset({"TypedDict", "BaseModel", "BaseSettings"})
"""Bases of classes whose fields have the contract's names, not ours."""


def is_banned(name: str, field_words: frozenset[str] = FIELD_WORDS) -> bool:
    """Whether the name of a variable is a pronoun or a participle, and so says nothing of what it holds."""
    if name.startswith("__") or (name[:1].isupper() and not name.isupper()):  # Python's own; a type
        return False
    word = name.strip("_").lower()
    participle = word in PARTICIPLES or (bool(re.fullmatch(r"[a-z]{2,}ed", word)) and word not in NOUNS_IN_ED)
    return word in PRONOUNS or (participle and word not in field_words)


def _contracts(files: Sequence[Source]) -> frozenset[str]:
    """The classes whose fields are the contract's: documents, API models, settings, and what derives from them."""
    bases = {node.name: {last_name(base) for base in node.bases} for _, node in classes(files)}
    names = CONTRACTS
    while more := {name for name, parents in bases.items() if parents & names} - names:
        names |= more
    return names


def _is_state(node: ast.Assign, value: ast.expr) -> bool:
    """Whether a constant spells its own value, as ``CLOSED = "closed"`` does."""
    names = {target.id.lower() for target in node.targets if isinstance(target, ast.Name)}
    return isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value.lower() in names


def _is_adjective(node: ast.AST) -> bool:
    """Whether a node is a truth value or a state, as annotated or as assigned: an adjective is right there."""
    if isinstance(node, ast.arg):
        return node.annotation is not None and ast.unparse(node.annotation) in {"bool", "bool | None"}
    if isinstance(node, ast.AnnAssign):
        return ast.unparse(node.annotation) in {"bool", "bool | None"}
    if isinstance(node, ast.Assign):
        value = node.value
        return (
            isinstance(value, ast.Compare)
            or _is_state(node, value)
            or (isinstance(value, ast.Constant) and isinstance(value.value, bool))
            or (isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not))
            or (isinstance(value, ast.Call) and last_name(value.func) in {"bool", "any", "all", "isinstance"})
        )
    return False


def _targets(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.Assign):
        return node.targets
    return [node.target] if isinstance(node, ast.AnnAssign) else []


def _exempt(file: Source, contracts: frozenset[str]) -> set[int]:
    """The nodes that may have such names: truth values, states, fields of the contract, and ``other``."""
    nodes: list[ast.AST] = []
    for node in ast.walk(file.tree):
        if _is_adjective(node):
            nodes += _targets(node) or [node]
        elif isinstance(node, ast.ClassDef) and node.name in contracts:
            nodes += [target for field in node.body for target in _targets(field)]
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("__"):
            nodes += [argument for argument in node.args.args if argument.arg == "other"]
    return {id(node) for node in nodes}


def _bound_name(node: ast.AST) -> str | None:
    if isinstance(node, ast.arg):
        return None if node.arg in {"self", "cls"} else node.arg
    if isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Store):
        return last_name(node)
    return None


def bindings(files: Sequence[Source]) -> Iterator[tuple[Place, bool]]:
    """Each name that is bound (variable, parameter, attribute), and whether it may be an adjective."""
    contracts = _contracts(files)
    for file in files:
        exempt = _exempt(file, contracts)
        for node in ast.walk(file.tree):
            if (name := _bound_name(node)) is not None:
                yield Place(file.path, getattr(node, "lineno", 1), name), id(node) in exempt


def banned(files: Sequence[Source]) -> list[Place]:
    """Where a pronoun or a participle is bound as a name."""
    return [place for place, exempt in bindings(files) if not exempt and is_banned(place.text)]
