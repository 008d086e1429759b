"""Programs that really run, recorded twice: equal ones pass, changed ones fail. The long form is a benchmark."""

import subprocess
import sys
from pathlib import Path

GENERATOR = Path(__file__).parents[2] / "benchmarks" / "golden" / "recorded_pairs.py"


def test_recorded_pairs_are_judged_right(tmp_path):
    """Threads, tasks, retries and other tracers in 60 equal and 60 changed pairs: no alarm, no miss, right codes."""
    answer = subprocess.run(
        [sys.executable, str(GENERATOR), "--pairs", "60", "--jobs", "1", "--seed", "7"],
        cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip

    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert answer.stdout.startswith("0 false alarms in 60 equal pairs")
