"""The English of docstrings, comments, messages, docs and names of tests: words of a private dialect stay rare.

Each pattern is counted per 1,000 words. The limits are those of well-kept libraries; they may fall, never rise.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT, TESTS, DOCS = ROOT / "openfaith_pipeline", ROOT / "openfaith_pipeline_tests", ROOT / "docs"

DIALECT = {
    "what": r"\bwhat\b",
    "told, tell": r"\b(told|tells?|telling)\b",
    "asked": r"\b(asked|asks|asking)\b",
    "of which, to whom": r"\b(of|to) which\b|\bwhom\b",
    "whose": r"\bwhose\b",
    "whoever": r"\bwhoever\b",
    "is to be": r"\b(is|are|was|were) to be\b",
}

LIMITS = {
    "docstrings": (0.2, 0.2, 0.3, 0.2, 2.2, 0.1, 0.1),
    "comments": (0.3, 0.2, 0.2, 0.1, 1.2, 0.1, 0.1),
    "messages": (1.5, 0.2, 0.4, 0.1, 0.6, 0.1, 0.1),
    "docs": (0.6, 0.1, 0.3, 0.1, 0.8, 0.1, 0.1),
    "tests": (0.8, 0.1, 0.3, 0.2, 2.8, 0.1, 0.1),
    "names of tests": (0.3, 0.1, 0.2, 0.1, 1.0, 0.1, 0.1),
}

COMMENT = re.compile(r"(?:^|\s)# (.*)")
SQL = re.compile(r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE|ALTER|DROP|WITH|JOIN|VALUES|COALESCE)\b")
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def _docstrings(node: ast.AST) -> Iterator[str]:
    if isinstance(node, DOCUMENTED):
        yield ast.get_docstring(node) or ""
    for child in getattr(node, "body", ()):
        if isinstance(child, ast.stmt):
            yield from _docstrings(child)


def _messages(node: ast.AST) -> Iterator[str]:
    """Strings with a space in them that are neither docstrings nor SQL."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Constant):
            is_text = isinstance(child.value, str) and not isinstance(node, ast.Expr)
            if is_text and " " in child.value and not SQL.search(child.value):
                yield child.value
        elif not isinstance(child, ast.Name | ast.expr_context):
            yield from _messages(child)


def _comments(source: str) -> Iterator[str]:
    for line in source.splitlines():
        if match := COMMENT.search(line):
            yield match[1]


def _names_of_tests() -> Iterator[str]:
    """The names of test functions, as sentences."""
    for path in sorted(TESTS.rglob("test_*.py")):
        yield from (name.replace("_", " ") for name in re.findall(r"def test_(\w+)", path.read_text()))


@cache
def _sources(root: Path) -> tuple[list[str], list[str], list[str]]:
    """(docstrings, comments, messages) of the Python files below a directory."""
    docstrings, comments, messages = [], [], []
    for path in sorted(root.rglob("*.py")):
        source = path.read_text()
        module = ast.parse(source)
        docstrings.extend(_docstrings(module))
        comments.extend(_comments(source))
        messages.extend(_messages(module))
    return docstrings, comments, messages


def _texts(place: str) -> list[str]:
    match place:
        case "docs":
            return [path.read_text() for path in (ROOT / "README.md", *sorted(DOCS.rglob("*.md")))]
        case "tests":
            docstrings, comments, _ = _sources(TESTS)
            return docstrings + comments
        case "names of tests":
            return list(_names_of_tests())
        case _:
            return _sources(PRODUCT)[("docstrings", "comments", "messages").index(place)]


def _rates(texts: list[str]) -> tuple[float, ...]:
    """Occurrences of each pattern per 1,000 words, in the order of DIALECT."""
    text = "\n".join(texts)
    words = len(text.split())
    return tuple(1000 * len(re.findall(pattern, text, re.IGNORECASE)) / words for pattern in DIALECT.values())


@pytest.mark.parametrize("place", LIMITS)
def test_words_of_a_private_dialect_stay_rare(place: str) -> None:
    rates = zip(DIALECT, _rates(_texts(place)), LIMITS[place], strict=True)
    above = {word: f"{rate:.2f} per 1,000 words, at most {limit}" for word, rate, limit in rates if rate > limit}
    assert not above


def test_dialect_is_counted_and_plain_english_is_not() -> None:
    assert all(_rates(["What whoever asked was told is to be read by those to whom it belongs, and whose it is"]))
    assert not any(_rates(["Lock the stream and raise StreamBusy if another sync holds it"]))
