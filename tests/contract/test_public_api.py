"""The names that users may import and the members that they may use, reviewed one by one.

`public_names.txt` in this folder is the list: packages, their names, and the members of their classes. A name joins it
when a reviewer has looked at it; it leaves it only after a deprecation. What is not on it is private, with or without
an underscore. `python tests/contract/test_public_api.py` prints what the code has now.
"""

import ast
import difflib
import enum
import importlib
import inspect
import pickle
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import otel_experiments as ox

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
LIST = HERE / "public_names.txt"
REVIEWED = LIST.read_text(encoding="utf-8").splitlines()
FACES = [line for line in REVIEWED if line and not line.startswith(" ")]
WITHOUT_DOCSTRING = {"CODES", "Row", "Traced"}
"""Public names of aliases and data, to which Python gives no docstring."""


def names_of(face):
    """Return the public names of a package, sorted."""
    module = importlib.import_module(face)
    if hasattr(module, "__all__"):
        return sorted({*module.__all__, *getattr(module, "_NOT_STARRED", ())})
    here = (
        name
        for name, value in vars(module).items()
        if f"{getattr(value, '__module__', '')}.".startswith(f"{face}.")
    )
    return sorted(name for name in here if not name.startswith("_"))


def assigned_in(cls):
    """Yield the attributes that the methods of a class assign to `self`."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            and ast.unparse(node.value) == "self"
        ):
            yield node.attr


def members_of(cls):
    """Return what a class of ours offers without an underscore, inherited from classes of ours included, sorted."""
    ours = [base for base in cls.__mro__ if base.__module__.partition(".")[0] == "otel_experiments"]
    names = {
        name for base in ours for name in (*vars(base), *inspect.get_annotations(base), *assigned_in(base))
    }
    return sorted(name for name in names if not name.startswith(("_", "test_")))  # pytest finds the latter


def public_lines():
    """Yield the list as the code has it now."""
    for face in FACES:
        yield face
        for name in names_of(face):
            yield f"    {name}"
            value = getattr(importlib.import_module(face), name)
            if inspect.isclass(value):
                yield from (f"        {member}" for member in members_of(value))


def test_the_public_names_are_the_reviewed_ones():
    """The packages offer the names and members of public_names.txt, no more and no fewer."""
    difference = difflib.unified_diff(
        REVIEWED, list(public_lines()), "reviewed", "the code", lineterm="", n=100
    )

    assert not (text := "\n".join(difference)), f"edit {LIST.name} once reviewed:\n{text}"


def test_every_package_for_users_is_listed():
    """A package at the top of the tree that gathers names for users has its names on the list."""
    package = Path(ox.__file__).parent
    gathering = {
        f"otel_experiments.{path.parent.name}"
        for path in package.glob("*/__init__.py")
        if re.search(r"^__all__ = ", path.read_text(encoding="utf-8"), re.MULTILINE)
    }

    assert gathering - {"otel_experiments.syscalls"} <= set(FACES)


PUBLIC = [(face, name) for face in FACES for name in names_of(face)]


@pytest.mark.parametrize(("face", "name"), PUBLIC, ids=[".".join(pair) for pair in PUBLIC])
def test_every_public_name_can_be_imported_and_says_what_it_is(face, name):
    """Each public name leads to something of ours with a docstring of its own."""
    if name in WITHOUT_DOCSTRING:
        pytest.skip("is an alias or data")
    value = getattr(importlib.import_module(face), name)

    doc = inspect.getdoc(value)
    assert doc, f"{name} has no docstring"
    assert doc != inspect.getdoc(type(value)) or inspect.isclass(value)


def test_dir_of_a_run_shows_what_users_call(tmp_path):
    """Completion after `run.` offers the members on the list, and a run has no other attributes without an underscore."""
    ox.configure(store=tmp_path / "runs.db")
    try:
        with ox.start_run("tiny") as run:
            offered = {name for name in dir(run) if not name.startswith("_")}
    finally:
        ox.shutdown()

    assert offered == set(members_of(ox.Run))


@pytest.mark.parametrize("face", FACES)
def test_dir_lists_every_public_name(face):
    """Completion in a shell offers what is public."""
    assert set(names_of(face)) <= set(dir(importlib.import_module(face)))


@pytest.mark.parametrize("face", FACES)
def test_a_misspelt_name_of_a_package_is_told_as_python_tells_it(face):
    """A name that a package has not raises AttributeError that names the module and the name."""
    module = importlib.import_module(face)

    with pytest.raises(AttributeError, match=f"module '{face}' has no attribute 'strat_run'"):
        _ = module.strat_run


@pytest.mark.parametrize("face", FACES)
def test_type_checkers_see_the_names_of_each_package(face):
    """What a package imports on first use, type checkers find imported in it, so that users' code keeps its types."""
    path = Path(importlib.import_module(face).__file__)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    seen = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    } | {node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}

    assert set(names_of(face)) <= seen


AS_IN_OTHER_TRACKERS = {
    "log",
    "log_artifact",
    "Run.log",
    "Run.log_artifact",
    "Scope.log",
    "CheckpointScope.log",
    "Run.define_metric",
}
"""Calls written for other trackers give these arguments by position."""
AS_IN_THE_SCORE = {"ExperimentMetadata", "ExperimentSpan"}
"""Programs written for the equivalence score construct these as they were."""


def callables():
    """Yield the public functions, classes and methods, by name."""
    for face, name in PUBLIC:
        value = getattr(importlib.import_module(face), name)
        if inspect.isfunction(value := inspect.unwrap(value)):
            yield name, value
        elif inspect.isclass(value):
            if not issubclass(value, BaseException | enum.Enum):
                yield name, value
            for member in members_of(value):
                if inspect.isfunction(method := getattr(value, member, None)):
                    yield f"{name}.{member}", method


@pytest.mark.parametrize(
    ("name", "function"),
    [pair for pair in callables() if pair[0] not in AS_IN_OTHER_TRACKERS | AS_IN_THE_SCORE],
)
def test_few_arguments_are_given_by_position(name, function):
    """A public function or class takes at most three arguments by position, so that a call says what its values are."""
    parameters = inspect.signature(function).parameters.values()
    by_position = [
        one.name
        for one in parameters
        if one.kind in {one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD} and one.name != "self"
    ]

    assert len(by_position) <= 3


@pytest.mark.parametrize(("face", "name"), PUBLIC, ids=[".".join(pair) for pair in PUBLIC])
def test_every_public_name_is_documented(face, name):
    """A package stands on the page of packages; a name of it in the reference, a name of the root on that page as well."""
    pages = {page.name: page.read_text(encoding="utf-8") for page in (ROOT / "docs/reference").glob("*.md")}

    assert f"`{face}`" in pages["api.md"]
    assert f"`{name}`" in pages["python.md"]
    assert face != "otel_experiments" or re.search(rf"\b{name}\b", pages["api.md"])


def test_the_python_reference_is_written_from_the_code_as_it_is():
    """Whoever changes a public docstring, signature or name writes the page anew: `python .ci/reference`."""
    answer = subprocess.run(
        [sys.executable, ROOT / ".ci/reference", "--check"], capture_output=True, text=True, check=False
    )

    assert (answer.returncode, answer.stdout + answer.stderr) == (0, "")


def test_no_public_name_is_hidden_by_a_module():
    """A public name stays what it is after every module of the package was imported."""
    script = (
        "import importlib, pkgutil, types\n"
        f"for face in {[face for face in FACES[1:] if '.' not in face.partition('.')[2]]}:\n"
        "    module = importlib.import_module(face)\n"
        "    for one in pkgutil.iter_modules(getattr(module, '__path__', [])):\n"
        "        importlib.import_module(f'{face}.{one.name}')\n"
        "    for name in getattr(module, '__all__', []):\n"
        "        if isinstance(getattr(module, name), types.ModuleType):\n"
        "            print(face, name)"
    )

    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert answer.stdout == ""


SHOWN_TO_USERS = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "examples").rglob("*.py"),
    ROOT / "tests" / "typing" / "user_code.py",
]


@pytest.mark.parametrize("path", SHOWN_TO_USERS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_users_are_shown_public_names_only(path):
    """What documentation and examples import is on the list of public names."""
    text = path.read_text(encoding="utf-8")
    public = {f"{face}.{name}" for face, name in PUBLIC} | set(FACES)
    shown = {
        f"{module}.{name.split()[0]}"
        for module, names in re.findall(
            r"^ *from (otel_experiments[\w.]*) import \(?([\w, ]+|[\w,\s]+\))", text, re.MULTILINE
        )
        for name in names.strip(") \n,").split(",")
    }

    assert shown <= public


def test_errors_need_no_import_of_their_own():
    """`ox.errors.StoreError` is there in a process that has imported nothing but the package."""
    code = "import otel_experiments as ox; print(ox.errors.StoreError.__name__)"

    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert answer.stdout == "StoreError\n"


def test_type_checkers_see_the_same_names_as_the_interpreter():
    """The imports for type checkers in the lazy root bring exactly the names that it offers."""
    tree = ast.parse(Path(ox.__file__).read_text(encoding="utf-8"))
    (block,) = [
        node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]

    imports = [line for line in block.body if isinstance(line, ast.ImportFrom)]
    seen = {alias.asname or alias.name for line in imports for alias in line.names}

    assert seen == {*names_of("otel_experiments"), "errors"}


def test_importing_all_names_leaves_open_as_it_is():
    """`from otel_experiments import *` takes nobody's `open` away, which Python has for files."""
    names = {"open": open}
    exec("from otel_experiments import *", names)

    assert names["open"] is open
    assert names["runs"] is ox.runs


def test_an_unknown_name_is_told_as_python_tells_it():
    """A misspelt name raises AttributeError that names the module and the name."""
    with pytest.raises(AttributeError, match="module 'otel_experiments' has no attribute 'strat_run'"):
        _ = ox.strat_run


def test_the_example_in_the_package_docstring_runs(tmp_path, capsys):
    """What `help(otel_experiments)` shows first can be typed as it stands."""
    indented = [line for line in ox.__doc__.splitlines() if line.startswith("    ") or not line]
    code = textwrap.dedent("\n".join(indented))

    exec(compile(code, "otel_experiments.__doc__", "exec"), {})
    ox.shutdown()

    assert capsys.readouterr().out == "0.3333333333333333\n"


def test_the_states_of_a_run_can_be_pickled():
    """A state that is sent to a worker process arrives as the same object."""
    assert pickle.loads(pickle.dumps(ox.RunState.FAILED)) is ox.RunState.FAILED


@pytest.mark.parametrize(
    "name", ["use_artifact", "log_model", "last_active_run", "get_run", "search_runs", "alert", "delete_tag"]
)
def test_a_name_of_another_tracker_says_what_it_is_here(name):
    """Hands that learnt another tracker are told; what they are told of is there."""
    with pytest.raises(AttributeError) as raised:
        getattr(ox, name)

    told = str(raised.value).partition("Here it is otel_experiments.")[2]
    assert told.partition("(")[0] in ox.__all__


@pytest.mark.parametrize("name", ["Object3D", "plot", "Artifact", "save", "watch", "autolog", "login"])
def test_a_thing_of_another_tracker_that_is_not_here_says_what_to_do(name):
    """The error has more to say than that there is no such name."""
    with pytest.raises(AttributeError, match=rf"^module 'otel_experiments' has no attribute '{name}': \w+ "):
        getattr(ox, name)


def test_a_name_of_nobody_is_a_plain_attribute_error():
    """Probing for an attribute works as with any module."""
    assert not hasattr(ox, "nothing")
    with pytest.raises(AttributeError, match=r"^module 'otel_experiments' has no attribute 'nothing'$"):
        _ = ox.nothing


if __name__ == "__main__":
    print(*public_lines(), sep="\n")
