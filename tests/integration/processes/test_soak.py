"""A short form of the soak: what the long one (`benchmarks/soak.py`) does for minutes."""

import importlib.util
import sys
from pathlib import Path

import pytest

SOAK = Path(__file__).parents[3] / "benchmarks" / "soak.py"


@pytest.mark.slow
def test_random_kills_of_random_processes_lose_nothing(tmp_path):
    """Twenty seconds of kills among plain, forking and joining workers: what was acknowledged is there, once."""
    spec = importlib.util.spec_from_file_location("soak", SOAK)
    soak = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = soak  # dataclasses look their module up
    try:
        spec.loader.exec_module(soak)
        verdict = soak.soak(tmp_path, seconds=20.0, seed=11)
    finally:
        del sys.modules[spec.name]

    assert verdict.wrong == []
    assert verdict.processes > 8
    assert verdict.points > 10_000
    assert verdict.spans > 500
