"""Golden traces in pytest: the fixture `golden_trace`, the marker `golden`, and the `--golden-*` options.

pytest loads this in every session, so at its start it imports pytest and the standard library only; everything
else is imported by the first test that asks for the fixture.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from otel_experiments._pytest_golden.fixture import GoldenTrace
    from otel_experiments._pytest_golden.session import GoldenSession

_MARKER = (
    "golden(name=None, policy=None, timing=None, runs=None, rtol=None, atol=None, ignore=None, allow_nonfinite=False, "
    "**rules): how the golden trace of this test is compared; see docs/reference/golden.md"
)
_WORKER_OUTPUT = "otel_experiments_golden"

_key = pytest.StashKey["GoldenSession"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("golden traces (otel-experiments)")
    group.addoption(
        "--golden-update",
        nargs="?",
        const="new,changed",
        metavar="PARTS",
        help="Write goldens: new, changed, timing, all (default: new,changed).",
    )
    group.addoption(
        "--golden-review", action="store_true", help="Step through pending goldens after the run."
    )
    group.addoption(
        "--golden-ci",
        action="store_true",
        help="Never write, missing goldens fail (automatic when CI is set).",
    )
    group.addoption("--golden-force", action="store_true", help="Let --golden-update write in CI too.")
    group.addoption(
        "--golden-policy", choices=["strict", "structural", "statistical"], help="Policy for all goldens."
    )
    group.addoption("--golden-timing", choices=["fail", "advisory", "off"], help="What slower stages do.")
    group.addoption(
        "--golden-unused",
        choices=["fail", "warn", "delete"],
        help="What is done about goldens that no test asks for (full runs only; default: fail).",
    )
    group.addoption("--golden-report", metavar="DIR", help="Write reports of failed comparisons here.")
    group.addoption(
        "--golden-runs", type=_count, metavar="K", help="Runs of the candidate, with golden_trace.runs."
    )
    group.addoption(
        "--golden-confirm",
        type=_count,
        default=3,
        metavar="K",
        help="Where times alone fail, golden_trace.runs goes on until K runs are slower. 1: the first run decides.",
    )
    parser.addini("golden_dir", "Folder of the goldens, beside the test file.", default="golden")
    parser.addini("golden_unused", "As --golden-unused.", default="fail")


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", _MARKER)


def _session(config: pytest.Config) -> GoldenSession:
    """Return this session's state, made when the first golden is asked for."""
    found = config.stash.get(_key, None)
    if found is None:
        from otel_experiments._pytest_golden.session import GoldenSession  # noqa: PLC0415 - see above

        found = config.stash[_key] = GoldenSession(config)
    return found


@pytest.fixture
def golden_trace(request: pytest.FixtureRequest) -> GoldenTrace:
    """Capture what a block records and compare it with the golden of this test.

    `with golden_trace(): train()`. See docs/reference/golden.md.
    """
    from otel_experiments._pytest_golden.fixture import GoldenTrace  # noqa: PLC0415 - see above

    return GoldenTrace(request.node, _session(request.config))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fail a test that asked for a golden trace, passed, and compared nothing."""
    yield
    trace = getattr(item, "funcargs", {}).get("golden_trace")
    if trace is not None:
        trace.require_use()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Note which tests have goldens, for the search for unused ones."""
    config = session.config
    items = [item for item in session.items if "golden_trace" in getattr(item, "fixturenames", ())]
    if items or _may_find_unused(config):
        collected = [item for item in session.items if isinstance(item, pytest.Function)]
        folders = {item.path.parent / config.getini("golden_dir") for item in collected}
        if items or any(folder.is_dir() for folder in folders):
            _session(config).note_collection(items, folders)


def _may_find_unused(config: pytest.Config) -> bool:
    """Tell whether the session runs all tests: without -k, -m, a path, or a choice of the last failures."""
    option = config.option
    return not (
        config.args_source is config.ArgsSource.ARGS
        or option.keyword
        or option.markexpr
        or getattr(option, "lf", False)
        or getattr(option, "stepwise", False)
        or option.collectonly
        or getattr(option, "deselect", None)
    )


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Judge unused goldens, where this process is the one that reports; a worker hands over what it saw."""
    config = session.config
    found = config.stash.get(_key, None)
    output = getattr(config, "workeroutput", None)
    if output is not None:
        if found is not None:
            output[_WORKER_OUTPUT] = found.to_message()
        return
    if found is None:
        return
    has_stopped = bool(session.shouldstop or session.shouldfail or session.exitstatus in {2, 3, 4, 5})
    if found.finish(may_find_unused=_may_find_unused(config) and not has_stopped):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object, error: object) -> None:
    """Take what a worker of xdist saw; a worker that crashed leaves the search for unused goldens undone."""
    config = node.config  # type: ignore[attr-defined] # xdist's WorkerController, which is not imported here
    message = getattr(node, "workeroutput", {}).get(_WORKER_OUTPUT)
    if message is not None:
        _session(config).take_message(message)
    elif error is not None and config.stash.get(_key, None) is not None:
        _session(config).note_crash()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was written, what waits for review, and which goldens nobody asks for."""
    found = config.stash.get(_key, None)
    if found is not None:
        found.summarize(terminalreporter)
