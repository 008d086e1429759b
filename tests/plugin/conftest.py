"""Real pytest sessions in processes of their own, over a project with a training script."""

import contextlib
import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest

TRAIN = """
import otel_experiments as ox

LEARNING_RATE = 0.1


def train(epochs=2, steps=3, seed=0):
    with ox.start_run("mlp", config={"lr": LEARNING_RATE}) as run:
        for epoch in run.epochs(epochs):
            for step in run.steps(range(steps), spans=True):
                with run.stage("forward"):
                    pass
                run.log({"loss": 1 / (1 + epoch * steps + step)}, step=epoch * steps + step)
            with run.stage("eval"):
                pass
"""
TEST = """
from train import train


def test_train(golden_trace):
    with golden_trace():
        train()
"""


@functools.cache
def plugin_option():
    """Return how the plugin is loaded: by its entry point where the package is installed with it, else by name."""
    script = (
        "from importlib import metadata; print([e.value for e in metadata.entry_points(group='pytest11')])"
    )
    # In another folder, for a build's leftovers in this one look like an installation.
    listed = subprocess.run(
        [sys.executable, "-c", script], cwd="/", capture_output=True, text=True, check=True
    ).stdout
    return () if "otel_experiments.pytest_plugin" in listed else ("-p", "otel_experiments.pytest_plugin")


class Project:
    """A folder with a training script and tests; runs pytest there."""

    def __init__(self, folder):
        self.folder = folder
        self.plugin = plugin_option()
        self.prefix = []
        self.write("train.py", TRAIN)
        self.write("test_train.py", TEST)

    def write(self, name, text):
        """Write a file of the project."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def change(self, name, before, after):
        """Replace a text in a file."""
        path = self.folder / name
        text = path.read_text()
        assert before in text
        path.write_text(text.replace(before, after))

    def pytest(self, *arguments, **environment):
        """Run pytest as a user would; returns the finished process."""
        env = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
        env |= {
            "PYTHONPATH": str(self.folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "COLUMNS": "200",
            **environment,
        }
        return subprocess.run(
            [*self.prefix, sys.executable, "-m", "pytest", *plugin_option(), "-p", "no:cacheprovider", *arguments],
            cwd=self.folder, env=env, capture_output=True, text=True, timeout=110, check=False,
        )  # fmt: skip

    @contextlib.contextmanager
    def read_only(self):
        """Let no file of the goldens' folder be written, by root neither: it runs as a plain owner meanwhile."""
        folder = self.folder / "golden"
        folder.mkdir(exist_ok=True)
        folder.chmod(0o555)
        if os.geteuid() == 0:
            self.prefix = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"]
        try:
            yield
        finally:
            folder.chmod(0o755)
            self.prefix = []

    def files(self):
        """Return the names of all golden files."""
        folder = self.folder / "golden"
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []

    def golden(self, name="test_train.otg"):
        """Return the text of a golden."""
        return (self.folder / "golden" / name).read_text()


@pytest.fixture
def project(tmp_path):
    """Return a project without goldens."""
    return Project(tmp_path)


@pytest.fixture
def accepted(project):
    """Return a project whose golden has been accepted."""
    answer = project.pytest("--golden-update")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return project


@pytest.fixture(scope="session")
def plugin_source():
    """Return the plugin's file."""
    import otel_experiments.pytest_plugin

    return Path(otel_experiments.pytest_plugin.__file__)
