"""The names that users may import, reviewed one by one.

`public_names.txt` beside this file is the list. A name joins it when a reviewer has looked at it; it leaves it
only after a deprecation.
"""

import ast
import inspect
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import otel_experiments as ox

HERE = Path(__file__).parent
REVIEWED = (HERE / "public_names.txt").read_text(encoding="utf-8").split()


def test_the_public_names_are_the_reviewed_ones():
    """`otel_experiments.__all__` holds the names of public_names.txt, no more and no fewer."""
    assert sorted(ox.__all__) == sorted(REVIEWED), "edit tests/contract/public_names.txt once reviewed"


@pytest.mark.parametrize("name", ox.__all__)
def test_every_public_name_can_be_imported_and_says_what_it_is(name):
    """Each public name leads to something of ours with a docstring of its own."""
    value = getattr(ox, name)

    doc = inspect.getdoc(value)
    assert doc, f"{name} has no docstring"
    assert doc != inspect.getdoc(type(value)) or inspect.isclass(value)


def test_dir_lists_every_public_name():
    """Completion in a shell offers what `__all__` lists."""
    assert set(ox.__all__) <= set(dir(ox))


def test_errors_need_no_import_of_their_own():
    """`ox.errors.StoreError` is there in a process that has imported nothing but the package."""
    code = "import otel_experiments as ox; print(ox.errors.StoreError.__name__)"

    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert answer.stdout == "StoreError\n"


def test_type_checkers_see_the_same_names_as_the_interpreter():
    """The imports for type checkers in the lazy root bring exactly the names of `__all__`."""
    tree = ast.parse(Path(ox.__file__).read_text(encoding="utf-8"))
    (block,) = [
        node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]

    imports = [line for line in block.body if isinstance(line, ast.ImportFrom)]
    seen = {alias.asname or alias.name for line in imports for alias in line.names}

    assert seen == {*ox.__all__, "errors"}


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
    "name", ["config", "summary", "define_metric", "log_metric", "log_metrics", "log_param", "end_run"]
)
def test_a_name_of_another_tracker_says_what_it_is_here(name):
    """Hands that learnt another tracker are told; what they are told of is there."""
    with pytest.raises(AttributeError) as raised:
        getattr(ox, name)

    told = str(raised.value).partition("Here it is otel_experiments.")[2]
    assert told.partition("(")[0] in ox.__all__


@pytest.mark.parametrize("name", ["Image", "Table", "Artifact", "save", "watch", "autolog", "login"])
def test_a_thing_of_another_tracker_that_is_not_here_says_what_to_do(name):
    """The error has more to say than that there is no such name."""
    with pytest.raises(AttributeError, match=rf"^module 'otel_experiments' has no attribute '{name}': \w+ "):
        getattr(ox, name)


def test_a_name_of_nobody_is_a_plain_attribute_error():
    """Probing for an attribute works as with any module."""
    assert not hasattr(ox, "nothing")
    with pytest.raises(AttributeError, match=r"^module 'otel_experiments' has no attribute 'nothing'$"):
        _ = ox.nothing
