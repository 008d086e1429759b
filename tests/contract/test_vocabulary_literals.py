"""Names of telemetry are declared in `semconv/` first and used through the generated constants."""

import ast
import re
from pathlib import Path

import pytest

import otel_experiments

PACKAGE = Path(otel_experiments.__file__).parent
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if not path.is_relative_to(PACKAGE / "semconv"))
NAME = re.compile(r"(ml|gen_ai)\.[a-z]")


def docstrings_of(tree):
    """Return the nodes that are docstrings, those below fields and constants included."""
    return {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_no_name_of_telemetry_is_written_as_a_string(path):
    """No module but the generated ones spells a name such as ml.run.id: a misspelt constant is an error at once."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    prose = docstrings_of(tree)

    literals = [
        f"line {node.lineno}: {node.value!r}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if id(node) not in prose and NAME.match(node.value)
    ]

    assert literals == []
