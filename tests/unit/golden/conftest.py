"""The programs of `benchmarks/golden/programs.py`, which the acceptance cases and the fuzzer share."""

import importlib.util
import sys
from pathlib import Path

import pytest


def load_benchmark(name):
    """Return a module of benchmarks/golden, which is not a package."""
    if name in sys.modules:
        return sys.modules[name]
    folder = Path(__file__).parents[3] / "benchmarks" / "golden"
    spec = importlib.util.spec_from_file_location(name, folder / f"{name.removeprefix('golden_')}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def programs():
    """Return the module that builds programs and runs them into traces."""
    return load_benchmark("golden_programs")
