"""The fixture `golden_trace`: capture what a block records, compare it with the golden of the test."""

from __future__ import annotations

import inspect
import itertools
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self, get_args

import pytest

from otel_experiments._pytest_golden.naming import base_path, part_path
from otel_experiments._pytest_golden.session import GoldenSession
from otel_experiments.capture import LiveCapture
from otel_experiments.errors import GoldenError, GoldenMissingError, GoldenRuleError
from otel_experiments.golden.canonical.roles import Rules
from otel_experiments.golden.canonical.trace import CapturedRun
from otel_experiments.golden.comparison import Comparison
from otel_experiments.golden.policy import IgnoreRule, PolicyName, TimingMode
from otel_experiments.goldens.check import Again, Checked, check, parts_to_accept
from otel_experiments.goldens.options import CheckOptions, Part
from otel_experiments.goldens.paths import describe_os_error, pending_path
from otel_experiments.goldens.reports import render, write_reports

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

_RULES = frozenset(Rules.__dataclass_fields__)
_OPTIONS = frozenset(
    {
        "name",
        "policy",
        "timing",
        "runs",
        "rtol",
        "atol",
        "target",
        "ignore",
        "allow_nonfinite",
        "require_decision",
    }
)


class GoldenTrace:
    """Compares what the test records with its golden.

    `with golden_trace(): train()` captures the run that the block records. `golden_trace.runs(train)` records
    several, one a seed. `golden_trace.check(run)` compares a run that was captured elsewhere.
    """

    def __init__(self, item: pytest.Item, session: GoldenSession) -> None:
        self._item = item
        self._session = session
        self._base = base_path(item, session.folder_name)
        self._is_used = False
        self._written: set[Path] = set()
        marker = item.get_closest_marker("golden")
        self._marks: Mapping[str, Any] = {} if marker is None else marker.kwargs
        if marker is not None and marker.args:
            raise pytest.UsageError(
                f"{item.nodeid}: the marker golden takes keywords only, not {marker.args!r}."
            )
        self._options = self._merged_options()

    def __call__(
        self,
        name: str | None = None,
        *,
        select: str | None = None,
        tracer_provider: TracerProvider | None = None,
    ) -> GoldenBlock:
        """Return a context manager that captures what its body records, and compares when the body has ended.

        Args:
            name: which part of the test this is, where it has several goldens.
            select: name of the run, where the body records several.
            tracer_provider: the application's own provider, for programs that record spans and no run.
        """
        self._is_used = True
        return GoldenBlock(
            self, name, LiveCapture(name=self._item.name, select=select, tracer_provider=tracer_provider)
        )

    def runs(
        self, program: Callable[..., object], *, name: str | None = None, select: str | None = None
    ) -> Checked:
        """Run `program` once for each seed (0, 1, ...) and compare the runs.

        A golden is made from as many runs as the marker says (`runs=5`), a candidate has as many as
        `--golden-runs` says, by default one. `program` gets the seed when it takes an argument. Where times alone
        fail, it runs again until there are as many runs as `--golden-confirm` says, which all have to be slower.
        """
        __tracebackhide__ = True
        self._is_used = True
        path = self.path(name)
        makes_golden = bool(self._options.parts) or not path.exists()
        golden_runs = int(self._marks.get("runs") or 1)
        count = golden_runs if makes_golden else self._session.candidate_runs or 1
        takes_seed = bool(inspect.signature(program).parameters)
        seeds = itertools.count()

        def record(count: int) -> list[CapturedRun]:
            captured = []
            for seed in itertools.islice(seeds, count):
                with LiveCapture(name=self._item.name, select=select) as capture:
                    program(*([seed] if takes_seed else []))
                captured.append(capture.captured)
            return captured

        return self._check(record(count), name, again=None if makes_golden else record)

    def check(self, runs: CapturedRun | Sequence[CapturedRun], *, name: str | None = None) -> Checked:
        """Compare captured runs with the golden; a difference fails the test with the report."""
        __tracebackhide__ = True
        return self._check(runs, name)

    def _check(
        self, runs: CapturedRun | Sequence[CapturedRun], name: str | None, *, again: Again | None = None
    ) -> Checked:
        __tracebackhide__ = True
        self._is_used = True
        path = self.path(name)
        captured = [runs] if isinstance(runs, CapturedRun) else list(runs)
        refusal = ""
        try:
            self._session.claim(path, f"{self._item.nodeid}{'' if name is None else f' ({name})'}")
            checked = check(path, captured, self._options_for(path), again=again)
        except GoldenMissingError as error:
            refusal = f"golden missing (error {error.exit_code}): {self._missing(path, error)}"
        except GoldenError as error:
            refusal = f"golden error {error.exit_code}: {error}"
        except OSError as error:
            refusal = (
                f"golden error {GoldenRuleError.exit_code}: the golden could not be written: {describe_os_error(error)}\n"
                "  Update goldens where their folder can be written."
            )
        if refusal:
            pytest.fail(refusal, pytrace=False)
        self._session.note_check(checked)
        if checked.action in {"written", "updated"}:
            self._written.add(path)
        if not checked.is_pass:
            assert checked.comparison is not None, "what was only written passes"
            accept = self._accept_command(parts_to_accept(checked.comparison))
            report = render(checked.comparison, "text", path=self._shown(path), accept=accept)
            notes = [
                note for note in (checked.note, self._write_reports(path, checked.comparison, accept)) if note
            ]
            pytest.fail("\n".join([report, *(f"note  {note}" for note in notes)]), pytrace=False)
        return checked

    def _write_reports(self, path: Path, comparison: Comparison, accept: str) -> str:
        """Write the reports that were asked for; returns why that was not possible, which must not hide the report."""
        if self._session.report_dir is None:
            return ""
        try:
            write_reports(self._session.report_dir, path.name, comparison, accept=accept)
        except OSError as error:
            return f"no reports could be written: {describe_os_error(error)}"
        return ""

    def assert_matches(self, run: CapturedRun, golden: str) -> None:
        """Compare a captured run with a golden that stands in the test itself; wildcards are welcome there."""
        __tracebackhide__ = True
        from otel_experiments.goldens.inline import assert_trace  # noqa: PLC0415 - asked for by few

        self._is_used = True
        assert_trace(run, golden)

    def path(self, name: str | None = None) -> Path:
        """Return the file of the golden."""
        return self._base if name is None else part_path(self._base, name)

    def require_use(self) -> None:
        """Fail a test that asks for the fixture and compares nothing: it would pass whatever it did."""
        if not self._is_used:
            pytest.fail(
                "The test asks for golden_trace and never used it, so nothing was compared.\n"
                "  Write: with golden_trace(): ...",
                pytrace=False,
            )

    def _missing(self, path: Path, error: GoldenMissingError) -> str:
        if not self._options.may_write:
            return str(error)
        if isinstance(error.__cause__, OSError):
            why = describe_os_error(error.__cause__)
            return f"there is no {self._shown(path)}, and what this run does could not be written beside it: {why}"
        self._session.note_pending(path)
        return (
            f"there is no {self._shown(path)}.\n"
            f"  What this run does waits in {self._shown(pending_path(path))}: read it, then accept it:\n"
            f"  {self._accept_command()}"
        )

    def _accept_command(self, parts: Sequence[Part] = ()) -> str:
        chosen = f"={','.join(parts)}" if "timing" in parts else ""
        return f"pytest {shlex.quote(self._item.nodeid)} --golden-update{chosen}"

    def _shown(self, path: Path) -> str:
        return os.path.relpath(path, self._session.config.invocation_params.dir)

    def _options_for(self, path: Path) -> CheckOptions:
        """Return what may be done with a golden: one that this test has written is compared with, not written over."""
        return replace(self._options, parts=frozenset()) if path in self._written else self._options

    def _merged_options(self) -> CheckOptions:
        marks = self._marks
        unknown = sorted(set(marks) - _OPTIONS - _RULES)
        if unknown:
            raise pytest.UsageError(
                f"{self._item.nodeid}: the marker golden has no {unknown[0]!r}.\n"
                f"  It has: {', '.join(sorted(_OPTIONS | _RULES))}."
            )
        _require_usable(marks)
        own = self._session.options
        return replace(
            own,
            policy=own.policy or marks.get("policy"),
            timing=own.timing or marks.get("timing"),
            rtol=marks.get("rtol", {}),
            atol=marks.get("atol", {}),
            target=marks.get("target", {}),
            ignore=(*own.ignore, *map(_rule, marks.get("ignore", ()))),
            rules=Rules(**{key: value for key, value in marks.items() if key in _RULES}),
            allow_nonfinite=bool(marks.get("allow_nonfinite", False)),
            require_decision=bool(marks.get("require_decision", False)),
            update_command=self._accept_command(),
        )


class GoldenBlock:
    """A block that is captured, and compared when it has ended without an exception."""

    def __init__(self, trace: GoldenTrace, name: str | None, capture: LiveCapture) -> None:
        self._trace = trace
        self._name = name
        self.capture = capture
        self.checked: Checked | None = None

    @property
    def tracer_provider(self) -> TracerProvider:
        """An SDK provider whose spans are captured, for code that takes one."""
        return self.capture.tracer_provider

    def __enter__(self) -> Self:
        self.capture.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        refusal = ""
        try:
            self.capture.__exit__(kind, error, traceback)
        except GoldenError as refused:
            refusal = f"golden error {refused.exit_code}: {refused}"
        if refusal:
            pytest.fail(refusal, pytrace=False)
        if error is None:
            self.checked = self._trace.check(self.capture.captured, name=self._name)


def _require_usable(marks: Mapping[str, Any]) -> None:
    """Let the marker's values pass that mean something: a wrong one would be written, or count for nothing.

    Raises:
        GoldenRuleError: a value is of another type or none of those there are.
    """
    for key, choices in (("policy", get_args(PolicyName)), ("timing", get_args(TimingMode))):
        if marks.get(key) is not None and marks[key] not in choices:
            _refuse(key, marks[key], f"there is no such {key}", f"Take one of: {', '.join(choices)}.")
    runs = marks.get("runs")
    if runs is not None and (type(runs) is not int or runs < 1):
        _refuse("runs", runs, "it is no whole number from 1 on", "Write runs=5.")
    for key in ("rtol", "atol"):
        given = marks.get(key) or {}
        if not isinstance(given, Mapping) or not all(map(_is_tolerance, given.values())):
            _refuse(key, given, "it maps no metrics to numbers from 0 on", f'Write {key}={{"loss": 1e-3}}.')
    if isinstance(
        marks.get("ignore"), str | Mapping
    ):  # the letters of a text would be globs, one of them `*`
        _refuse("ignore", marks["ignore"], "it is no list", f"Write ignore=[{marks['ignore']!r}].")


def _is_tolerance(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _refuse(key: str, value: object, why: str, fix: str) -> NoReturn:
    raise GoldenRuleError(rule=f"{key}={value}", why=why, fix=fix)


def _rule(given: object) -> IgnoreRule:
    """Return an ignore rule from a glob, or from a mapping with path, code, reason, until."""
    if isinstance(given, IgnoreRule):
        return given
    if isinstance(given, str):
        return IgnoreRule(given, reason="ignored by the test's marker")
    if isinstance(given, Mapping):
        try:
            until = given.get("until")
            return IgnoreRule(
                path=given["path"],
                code=given.get("code", "*"),
                reason=given["reason"],
                until=date.fromisoformat(until) if isinstance(until, str) else until,
            )
        except (KeyError, ValueError) as exc:
            raise GoldenRuleError(
                rule=str(given),
                why=f"it lacks {exc}" if isinstance(exc, KeyError) else f"it cannot be read: {exc}",
                fix="Give path and reason, and code and until at will.",
            ) from exc
    raise GoldenRuleError(
        rule=str(given), why="it is neither a path glob nor a mapping", fix='Write ignore=["kernel.*"].'
    )
