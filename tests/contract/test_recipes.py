"""Recipes for contributors name files, symbols and layers that exist."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

import otel_experiments

ROOT = Path(otel_experiments.__file__).parent.parent
PAGES = [ROOT / "docs" / "contributing" / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "ARCHITECTURE.md"]
PLACES = ("otel_experiments/", "tests/", "semconv/", "docs/", ".ci/", "examples/", "benchmarks/")
TOKEN = re.compile(r"(?<!`)`([^`\s]+)`(?!`)")


def named(page):
    """Yield the files, with their symbols, that a page names in backticks."""
    for token in TOKEN.findall(re.sub(r"(?s)```.*?```", "", page.read_text(encoding="utf-8"))):
        if token.startswith(PLACES) and not re.search(r"[*<>]", token):
            path, _, symbol = token.partition("::")
            yield path, symbol


def symbols_of(path):
    """Return the names that a module binds at its top level, and `Class.name` of what its classes have."""
    return set(bound_in(ast.parse(path.read_text(encoding="utf-8")).body))


def bound_in(body):
    """Yield the names that statements bind; those in a class after its name and a dot."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            yield node.name
        if isinstance(node, ast.ClassDef):
            yield from (f"{node.name}.{name}" for name in bound_in(node.body))
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        yield from (target.id for target in targets if isinstance(target, ast.Name))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_a_recipe_names_exists(page):
    """Whoever follows a recipe finds each file, and in it each name."""
    missing = []
    for path, symbol in named(page):
        if not (ROOT / path).exists() or (symbol and symbol not in symbols_of(ROOT / path)):
            missing.append(f"{path}::{symbol}".removesuffix("::"))

    assert missing == []


def test_recipes_name_many_files():
    """A page whose tokens were no longer recognised would pass in silence."""
    assert len(list(named(PAGES[0]))) > 40


def test_layers_that_are_to_come_are_in_the_contract():
    """A recipe for a room that does not exist says its layer, and the contract has a place for it."""
    layers = next(
        one["layers"]
        for one in tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
            "importlinter"
        ]["contracts"]
        if one["id"] == "layers"
    )
    to_come = set(re.findall(r"`\((\w+)\)`", PAGES[0].read_text(encoding="utf-8")))

    assert len(to_come) > 1
    assert {name for name in to_come if f"({name})" not in " ".join(layers)} == set()
