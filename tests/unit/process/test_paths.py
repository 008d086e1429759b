"""Whether something is at a path, told without swallowing what signal handlers raise."""

import ast
import os
import signal
from pathlib import Path

import pytest

import otel_experiments
from otel_experiments.process.paths import is_folder, is_regular, is_there

PACKAGE = Path(otel_experiments.__file__).parent
ON_THE_WAY = [
    path
    for folder in ("journal", "store", "record", "query")
    for path in sorted((PACKAGE / folder).rglob("*.py"))
    if path.name not in {"git.py", "host.py"}  # read once, at the start, inside of what lets handlers through
]


def test_files_folders_and_nothing_are_told_apart(tmp_path):
    """A file, a folder, a link to nothing, and a path below a file are what they are."""
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("nowhere")
    paths = [tmp_path, tmp_path / "file", tmp_path / "link", tmp_path / "file" / "below", tmp_path / "none"]

    assert [is_there(path) for path in paths] == [True, True, False, False, False]
    assert [is_folder(path) for path in paths] == [True, False, False, False, False]
    assert [is_regular(path) for path in paths] == [False, True, False, False, False]
    with pytest.raises(OSError, match="too long"):
        is_there(tmp_path / ("n" * 300))


@pytest.mark.parametrize("kind", [ValueError, FileNotFoundError, TimeoutError])
def test_what_a_handler_raises_comes_out(kind, tmp_path):
    """Every exception that a signal handler raises while a path is looked at reaches who asked."""
    raised = caught = 0

    def ring(number, frame):
        nonlocal raised
        raised += 1
        raise kind(2, "time is up")

    before = signal.signal(signal.SIGALRM, ring)
    try:
        while raised < 300:
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0002)
                while True:
                    is_there(tmp_path / "none")
            except kind:
                caught += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    assert caught == raised


@pytest.mark.parametrize("path", ON_THE_WAY, ids=lambda path: os.path.relpath(path, PACKAGE))
def test_no_module_on_the_way_asks_pathlib(path):
    """`Path.exists`, `is_dir` and `is_file` swallow a handler's ValueError, so nothing that records or reads uses them."""
    calls = [
        node.func.attr
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and not node.keywords  # entry.is_dir(...)
    ]

    assert not {"exists", "is_dir", "is_file", "isdir", "isfile"} & set(calls)
