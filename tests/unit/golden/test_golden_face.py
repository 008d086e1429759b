"""What `otel_experiments.golden` offers to those who compare runs in Python."""

import inspect
import subprocess
import sys

import pytest

from otel_experiments import golden


@pytest.mark.parametrize("name", golden.__all__)
def test_every_name_leads_to_something_with_a_docstring(name):
    """A name of the face is imported on first use, and says what it is."""
    assert name in dir(golden)
    assert inspect.getdoc(getattr(golden, name)) or name == "CODES"


def test_a_misspelt_name_is_no_name():
    """A name that there is not is an AttributeError that shows it."""
    with pytest.raises(AttributeError, match="make_goldn"):
        golden.make_goldn  # noqa: B018 - reading it is the test


def test_no_name_is_hidden_by_a_module():
    """A name stays what it is after every module of the package was imported."""
    script = (
        "import importlib, pkgutil, types, otel_experiments.golden as golden\n"
        "for one in pkgutil.walk_packages(golden.__path__, 'otel_experiments.golden.'):\n"
        "    importlib.import_module(one.name)\n"
        "print([name for name in golden.__all__ if isinstance(getattr(golden, name), types.ModuleType)])"
    )

    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert answer.stdout == "[]\n"


def test_the_face_loads_nothing_until_a_name_is_used():
    """Importing the package is free; the first name pays for what it needs."""
    script = (
        "import sys, otel_experiments.golden\n"
        "print([name for name in sys.modules if name.startswith('otel_experiments.golden.')])"
    )

    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert answer.stdout == "[]\n"


def test_a_run_is_compared_with_the_names_of_the_face_alone(programs):
    """Making a golden, writing it, reading it and comparing need no deeper import."""
    program = programs.training(epochs=2, steps=3)
    first, again = (programs.run_program(program, programs.Conditions(seed=seed)) for seed in (1, 2))
    longer = programs.run_program(programs.training(epochs=3, steps=3), programs.Conditions(seed=1))
    kept = golden.read_golden(golden.write_golden(golden.make_golden([first], name="training")))

    same, other = golden.compare(kept, [again]), golden.compare(kept, [longer])

    assert same.verdict == "pass"
    assert golden.Code.COUNT in {finding.code for finding in other.failures}
