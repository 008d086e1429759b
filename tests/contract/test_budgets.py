"""How large a module, a class and a function may grow, and what a module may not be called.

Whoever needs more room writes the reason here, where a reviewer sees it.
"""

import ast
from pathlib import Path

import pytest

import otel_experiments

PACKAGE = Path(otel_experiments.__file__).parent
TESTS = Path(__file__).parent.parent
GENERATED = PACKAGE / "semconv"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if not path.is_relative_to(GENERATED))

MODULE_LINES = 400
MODULE_LINES_AT_MOST = 600
LARGER_MODULES = {
    "golden/canonical/canonicalize.py": "one pass from spans to the canonical form; its state is shared by every step",
    "golden/curves/compare.py": "the five ways to compare a curve, read side by side",
    "golden/file/read.py": "one parser: each line kind of the file format is a method",
    "golden/inline.py": "the grammar of goldens written in tests: parser and matcher together",
    "golden/match/unmatched.py": "the last stages of matching, which share the ledger of what is unmatched",
    "golden/match/matcher.py": "the stages that compare pairs, in their order",
    "golden/match/pairing.py": "the levels of likeness beside the passes that use them, in their order",
    "golden/file/lines.py": "one function a line kind of the file format",
    "golden/file/tree.py": "templates out of and into the file, the two directions side by side",
    "store/sqlite/schema.py": "the whole schema, one migration after the other",
    "record/run/run.py": "all that users call on a run, documented in one place; no method does more than hand on",
}

CLASS_LINES = 300
LARGER_CLASSES = {
    "store/sqlite/database.py:Database": "the locks of one file, and every method that takes them; forks need them together",
    "record/run/run.py:Run": "all that users call on a run, documented in one place; no method does more than hand on",
    "golden/canonical/canonicalize.py:_Canonicalizer": "one pass; its tables are shared by every step",
    "golden/match/matcher.py:_Matcher": "one method a stage of matching",
}

FUNCTION_LINES = 60
LONGER_FUNCTIONS = {
    "golden/comparison.py:compare": "the order of the parts of a comparison, one call each",
    "golden/timing/compare.py:compare_timing": "the order of the parts of the timing rule, one call each",
    "_recorder.py:start_run": "each argument of a run, documented in one place",
    "_recording.py:init": "as above, and those of other trackers' init",
    "record/metrics/points.py:log": "the hot path: each part of it in a function of its own is a call more",
}

ATTICS = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}


def lines_of(path):
    """Return the number of lines of a file."""
    return len(path.read_text(encoding="utf-8").splitlines())


def sizes_of(*kinds):
    """Return the lines of each class or function in the package, as 'collect/merge.py:merge'."""
    return {
        f"{path.relative_to(PACKAGE).as_posix()}:{node.name}": node.end_lineno - node.lineno + 1
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, kinds)
    }


def check(sizes, budget, exceptions):
    """Hold sizes against a budget; an exception that is no longer needed has to go."""
    over = {name: size for name, size in sizes.items() if size > budget and name not in exceptions}
    stale = {name for name in exceptions if sizes.get(name, 0) <= budget}

    assert over == {}, f"over {budget} lines: split it, or give the reason in {Path(__file__).name}"
    assert stale == set(), "these keep the budget again, or are gone: take them off the list"


def test_modules_stay_within_their_budget():
    """No module has more than 400 lines, but for those with a reason; and those not more than 600."""
    sizes = {path.relative_to(PACKAGE).as_posix(): lines_of(path) for path in MODULES}

    check(sizes, MODULE_LINES, LARGER_MODULES)
    assert {name: size for name, size in sizes.items() if size > MODULE_LINES_AT_MOST} == {}


def test_classes_stay_within_their_budget():
    """No class has more than 300 lines, but for those with a reason."""
    check(sizes_of(ast.ClassDef), CLASS_LINES, LARGER_CLASSES)


def test_functions_stay_within_their_budget():
    """No function has more than 60 lines, but for those with a reason."""
    check(sizes_of(ast.FunctionDef, ast.AsyncFunctionDef), FUNCTION_LINES, LONGER_FUNCTIONS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_no_module_is_an_attic(path):
    """A module is named for what it holds, so that a function has one place where it belongs."""
    names = {part.strip("_").removesuffix(".py") for part in path.relative_to(PACKAGE).parts}

    assert names & ATTICS == set()


@pytest.mark.parametrize("path", sorted(TESTS.rglob("test_*.py")), ids=lambda path: path.name)
def test_tests_use_the_real_parts(path):
    """No test imports a mocking library: stores, servers and processes in tests are real ones."""
    imported = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}

    assert imported & {"unittest.mock", "mock", "pytest_mock", "responses", "freezegun"} == set()
