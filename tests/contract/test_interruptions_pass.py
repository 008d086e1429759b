"""Every broad `except` on the way of user code begins by letting through what is the program's own."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "otel_experiments"
FOLDERS = ("artifacts", "codec", "exporters", "journal", "process", "query", "record", "store")
BROAD = {"Exception", "BaseException", "OSError", "MemoryError", "ABOUT_CONTENT", "_UNREADABLE"}
ELSEWHERE = {
    # module: why no exception of a signal handler gets there, or why it is raised again anyway
    "record/otlp/queue.py": "runs in the sender's thread; signal handlers run in the main thread",
    "record/otlp/grpc_client.py": "as above",
    "record/otlp/http_client.py": "as above",
    "record/run/decorators.py": "hands what is raised on to a generator, or raises it again",
    "artifacts/hashing.py": "one runs in a thread of its own and is raised again; the other handler looks",
    "journal/segment.py": "BaseException is raised again; the other handler looks",
    "store/other.py": "one runs in a thread of its own and is handed on; the other handlers look",
}


def broad_handlers(path):
    """Yield the handlers of a module that catch more than one kind of error by name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ExceptHandler) or node.type is None:
            continue
        kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        if any(isinstance(kind, ast.Name) and kind.id in BROAD for kind in kinds):
            yield node


def lets_interruptions_through(handler):
    """Tell whether the handler asks `is_interruption`, or raises whatever it caught in the end."""
    names = {node.id for node in ast.walk(handler) if isinstance(node, ast.Name)}
    last = handler.body[-1]
    return bool(names & {"is_interruption", "pass_on"}) or (isinstance(last, ast.Raise) and last.exc is None)


MODULES = sorted(path for folder in FOLDERS for path in (PACKAGE / folder).rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_broad_except_lets_the_programs_own_exceptions_through(path):
    """What a signal handler raises in the middle of our code is never swallowed as an error of ours."""
    name = path.relative_to(PACKAGE).as_posix()
    if name in ELSEWHERE:
        pytest.skip(ELSEWHERE[name])
    lines = [handler.lineno for handler in broad_handlers(path) if not lets_interruptions_through(handler)]
    assert lines == [], f"{name}: begin these handlers with `if is_interruption(error): raise`"
    text = path.read_text(encoding="utf-8")
    assert "suppress(OSError" not in text, f"{name}: use process.interruption.Swallowing"
    if path.parts[len(PACKAGE.parts)] in {"artifacts", "journal", "record"}:
        assert "os.path.realpath" not in text, f"{name}: use process.paths.real_path"


LAZY_ROOMS = ("base", "events", "metrics", "params", "pipeline", "run", "spans")
LAZY_ELSEWHERE = {
    # module: why its imports on first use are in no block of `SignalsWait`
    "record/base/propagation.py": "where a run starts, as the import of the package itself",
    "record/base/sound_environment.py": "as above",
    "record/run/start.py": "as above",
    "record/run/worker.py": "as above",
    "record/run/decorators.py": "where a function is decorated, as above",
    "record/run/exits.py": "loaded already",
    "record/run/run.py": "a notebook shows the run",
    "record/pipeline/flush_report.py": "as above",
}


@pytest.mark.parametrize(
    "path",
    [path for path in MODULES if path.relative_to(PACKAGE).parts[:1] == ("record",)],
    ids=lambda path: path.relative_to(PACKAGE).as_posix(),
)
def test_an_import_on_first_use_lets_signals_wait(path):
    """Python's import system swallows a TimeoutError, and deadlocks where a handler imports again: signals wait for it."""
    name = path.relative_to(PACKAGE).as_posix()
    if name in LAZY_ELSEWHERE or path.parent.name not in LAZY_ROOMS:
        pytest.skip(LAZY_ELSEWHERE.get(name, "imports in threads of recording, which block signals"))
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    waiting = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.With)
        and any(ast.unparse(item.context_expr).startswith("SignalsWait(") for item in node.items)
        for inner in ast.walk(node)
    }
    lines = {
        node.lineno
        for function in functions
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom) and id(node) not in waiting
    }
    assert lines == set(), (
        f"{name}: put these imports into `with SignalsWait(MODULE):` (process/signals_wait.py)"
    )


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_what_is_told_cannot_raise(path):
    """A logging handler of the application that raises, or waits for ever in a forked child, is not called directly."""
    name = path.relative_to(PACKAGE).as_posix()
    calls = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in {"logger", "_logger", "logging"}
        and node.func.attr in {"debug", "info", "warning", "error", "exception", "critical", "log"}
    ]
    if name != "process/notice.py":
        assert calls == [], f"{name}: use process.notice.tell"
