"""Who may import whom: the layers of ARCHITECTURE.md, and the rules that layers cannot express."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
import textwrap
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


def test_forks_are_watched_in_one_place():
    """`process/fork.py` has the one hook, guarded for platforms that cannot fork; all others ask it."""
    users = [
        path.relative_to(PACKAGE).as_posix()
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "register_at_fork"
    ]

    assert users == ["process/fork.py"]


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


MAY_IMPORT_WHAT_THE_FACE_OFFERS = {
    "_comparing": {"__init__.py"},
    "_reading": {"__init__.py"},
    "_recording": {"__init__.py", "_reading.py"},
}
"""Besides integrations, which record through `_recording` as a user would."""


@pytest.mark.parametrize(("gathered", "may"), MAY_IMPORT_WHAT_THE_FACE_OFFERS.items())
def test_what_the_face_gathers_is_imported_by_the_face_and_integrations(gathered, may):
    """A module inside imports a function where it is defined, as ARCHITECTURE.md says of these two."""
    importing = {
        path.relative_to(PACKAGE).as_posix()
        for path in MODULES
        for _, name in imports_of(path)
        if name.startswith(f"otel_experiments.{gathered}")
    }

    assert {path for path in importing if not path.startswith("integrations/")} == may


def private_uses(path):
    """Yield (line, dotted name) of every private name of OpenTelemetry that a module imports or reads from a module."""
    bound = {}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            for alias in node.names:
                known_as = alias.asname or (alias.name if module else alias.name.partition(".")[0])
                bound[known_as] = f"{module}{alias.name if alias.asname or module else known_as}"
    for line, name in imports_of(path):
        if re.match(r"opentelemetry\.", name) and re.search(r"\._[a-z]", name):
            yield line, name
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and re.match(r"_[^_]", node.attr):
            root = node.value
            while isinstance(root, ast.Attribute | ast.Call):
                root = root.func if isinstance(root, ast.Call) else root.value
            origin = bound.get(root.id, "") if isinstance(root, ast.Name) else ""
            if origin.startswith("opentelemetry"):
                yield node.lineno, f"{origin}: {ast.unparse(node)}"


def test_private_names_of_opentelemetry_are_used_in_one_module_at_most():
    """What may break with any release of the SDK is gathered in one place, imported or read from a module alike."""
    users = {}
    for path in MODULES:
        for line, name in private_uses(path):
            if not STABLE_DESPITE_THE_UNDERSCORE.match(name):
                users.setdefault(path.relative_to(PACKAGE).as_posix(), []).append(f"line {line}: {name}")

    assert len(MAY_USE_PRIVATE_NAMES) <= 1
    assert {name: lines for name, lines in users.items() if name not in MAY_USE_PRIVATE_NAMES} == {}


@pytest.mark.parametrize(
    ("text", "uses"),
    [
        ("from opentelemetry.util._decorator import _agnosticcontextmanager", 1),
        ("from opentelemetry import context as c\nc.set_value(c._SUPPRESS_INSTRUMENTATION_KEY, True)", 1),
        ("import opentelemetry.context\nopentelemetry.context._SUPPRESS_INSTRUMENTATION_KEY", 1),
        ("from opentelemetry.sdk.trace import TracerProvider\nTracerProvider()._active_span_processor", 1),
        ("from opentelemetry import trace\ntrace.get_tracer_provider().get_tracer('x').__class__", 0),
        ("import sys\nsys._getframe(0)", 0),
    ],
)
def test_a_private_name_is_seen_however_it_is_reached(tmp_path, text, uses):
    """An import, an attribute of a module and one of what a call returns are all uses."""
    path = tmp_path / "module.py"
    path.write_text(text, encoding="utf-8")

    assert len(list(private_uses(path))) == uses


def names_of_self(tree):
    """Return the private names that a class body defines, or that its methods reach through `self`."""
    return {
        node.attr if isinstance(node, ast.Attribute) else node.name
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self")
        or isinstance(node, ast.FunctionDef)
        if re.match(r"_[^_]", node.attr if isinstance(node, ast.Attribute) else node.name)
    }


def tree_of(made):
    """Return the syntax tree of a class; an empty one where it was made without source, as for protobuf."""
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(made)))
    except OSError:
        return ast.Module([], [])


def classes_over_opentelemetry():
    """Yield (module's path, class, its private names, those of the OpenTelemetry classes above it)."""
    for path in MODULES:
        if not any(name.startswith("opentelemetry") for _, name in imports_of(path)):
            continue
        module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for made in vars(module).values():
            if not isinstance(made, type) or made.__module__ != module.__name__:
                continue
            above = [base for base in made.__mro__[1:] if base.__module__.startswith("opentelemetry")]
            if above:
                theirs = set()
                for base in above:
                    theirs |= names_of_self(tree_of(base))
                    theirs -= getattr(base, "__abstractmethods__", frozenset())
                yield path, made, names_of_self(tree_of(made)), theirs


def test_no_class_uses_the_private_names_of_an_opentelemetry_class_above_it():
    """A subclass neither reads nor replaces what the SDK keeps for itself; methods that it has to write are its own."""
    shared = {
        f"{path.relative_to(PACKAGE).as_posix()}: {made.__name__}": sorted(ours & theirs)
        for path, made, ours, theirs in classes_over_opentelemetry()
        if ours & theirs
    }

    assert shared == {}


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


def test_architecture_says_the_rules_that_are_enforced():
    """The column of what a package may not import is generated from the contracts; `.ci/architecture.py` writes it."""
    answer = subprocess.run(
        [sys.executable, ROOT / ".ci" / "architecture.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert answer.returncode == 0, answer.stdout + answer.stderr


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
