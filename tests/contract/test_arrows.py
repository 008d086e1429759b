"""Who may import whom: the layers of ARCHITECTURE.md, and the rules that layers cannot express."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import otel_experiments

PACKAGE = Path(otel_experiments.__file__).parent
ROOT = PACKAGE.parent
MODULES = sorted(PACKAGE.rglob("*.py"))

WRITTEN_AS_A_USER_WOULD = {"cli/demo.py"}
"""The demo is user code that ships: what it shows is the public face."""

STABLE_DESPITE_THE_UNDERSCORE = re.compile(
    r"opentelemetry(\.sdk)?\._logs(\.|$)|opentelemetry\.exporter\.otlp\.proto\.common\._log_encoder(\.|$)"
)
"""The logs signal's documented paths, which keep their underscore until OpenTelemetry renames them."""

MAY_USE_PRIVATE_NAMES = {"record/base/otel_internals.py"}
"""The one module that may use private names of OpenTelemetry."""


def imports_of(path):
    """Yield (line, dotted name) of every import in a module, lazy ones included; `from a import b` is a.b."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


def test_imports_go_downward(tmp_path):
    """import-linter finds every contract of pyproject.toml kept, lazy imports included."""
    command = Path(sys.executable).parent / "lint-imports"

    answer = subprocess.run(
        [command, "--cache-dir", tmp_path, "--config", ROOT / "pyproject.toml"],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip

    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_nothing_inside_imports_the_public_face(path):
    """The root package is for users; a module inside imports the module that it means."""
    if path.relative_to(PACKAGE).as_posix() in WRITTEN_AS_A_USER_WOULD:
        pytest.skip("is user code that ships")
    inside = {module.relative_to(PACKAGE).parts[0].removesuffix(".py") for module in MODULES}

    faces = [
        f"line {line}: {name}"
        for line, name in imports_of(path)
        if name == "otel_experiments"
        or (name.startswith("otel_experiments.") and name.split(".")[1] not in inside)
    ]

    assert faces == []


def test_private_names_of_opentelemetry_are_used_in_one_module_at_most():
    """What may break with any release of the SDK is gathered in one place, if there is any."""
    users = {}
    for path in MODULES:
        for line, name in imports_of(path):
            is_private = re.match(r"opentelemetry\.", name) and re.search(r"\._[a-z]", name)
            if is_private and not STABLE_DESPITE_THE_UNDERSCORE.match(name):
                users.setdefault(path.relative_to(PACKAGE).as_posix(), []).append(f"line {line}: {name}")

    assert len(MAY_USE_PRIVATE_NAMES) <= 1
    assert {name: lines for name, lines in users.items() if name not in MAY_USE_PRIVATE_NAMES} == {}


def test_architecture_draws_the_arrows_that_are_enforced():
    """The layers drawn in ARCHITECTURE.md are those of the import contract, in the same order."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    drawn = text.split("## The arrows")[1].split("```")[1].split("\n")
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (layers,) = [
        contract["layers"]
        for contract in settings["tool"]["importlinter"]["contracts"]
        if contract["id"] == "layers"
    ]

    assert [line.strip() for line in drawn if line.strip()] == layers


def test_architecture_names_the_folders_that_exist():
    """The tree of ARCHITECTURE.md lists every package and module of the first level, and nothing else."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    tree = text.split("## The tree")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \|", tree, flags=re.MULTILINE)
    outside = {re.findall(r"`(.+?)`", row)[0] for row in rows if row.endswith("(root)")}
    named = {
        name.removeprefix("otel_experiments/")
        for row in rows
        if not row.endswith("(root)")
        for name in re.findall(r"`(.+?)`", row)
    }

    there = {
        f"{path.name}/" if path.is_dir() else path.name
        for path in PACKAGE.iterdir()
        if path.suffix == ".py" or (path.is_dir() and any(path.glob("*.py")))
    }

    assert named == there
    assert {name for name in outside if not (ROOT / name).is_dir()} == set()
