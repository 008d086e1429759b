"""What one pytest process knows about goldens: who asked for which, what was written, what nobody asks for."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, cast

import pytest

from otel_experiments._pytest_golden.naming import base_path
from otel_experiments.errors import GoldenRuleError
from otel_experiments.golden.policy import IgnoreRule
from otel_experiments.goldens import paths as golden_paths
from otel_experiments.goldens.check import Checked
from otel_experiments.goldens.options import CheckOptions, is_ci, parse_parts, read_project_rules

_LEAST_TIMED_RUNS: Final = 3
"""Tests of one process warm each other up, so times of one or two runs are shown and do not fail."""


class GoldenSession:
    """The state of one process; lives in the config's stash.

    With xdist each worker has its own and hands it over as a message when it ends.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        option = config.option
        self.report_dir = None if option.golden_report is None else Path(option.golden_report).absolute()
        self.candidate_runs: int | None = option.golden_runs
        self.folder_name: str = config.getini("golden_dir")
        try:
            parts = frozenset() if option.golden_update is None else parse_parts(option.golden_update)
            self.project_rules: Sequence[IgnoreRule] = read_project_rules(config.rootpath)
        except GoldenRuleError as error:
            raise pytest.UsageError(str(error)) from error
        self.options = CheckOptions(
            policy=option.golden_policy,
            timing=option.golden_timing,
            parts=parts,
            is_ci=option.golden_ci or is_ci(),
            is_forced=option.golden_force,
            ignore=self.project_rules,
            least_timed_runs=_LEAST_TIMED_RUNS,
            confirm_runs=option.golden_confirm,
        )
        self._used: set[str] = set()
        self._claimed: set[str] = set()
        self._folders: set[str] = set()
        self._actions: list[tuple[str, str]] = []
        self._notes: list[str] = []
        self._owners: dict[str, str] = {}
        self._has_crashed_worker = False
        self._unused: list[Path] = []
        self._deleted: list[Path] = []

    def note_collection(self, items: Iterable[pytest.Item], folders: Iterable[Path]) -> None:
        """Note which tests have goldens, and where goldens lie."""
        self._claimed |= {str(base_path(item, self.folder_name)) for item in items}
        self._folders |= {str(folder) for folder in folders}

    def claim(self, path: Path, test: str) -> None:
        """Note that a test asks for a golden.

        Raises:
            GoldenRuleError: another test has asked for the same.
        """
        owner = self._owners.setdefault(str(path), test)
        if owner != test:
            raise GoldenRuleError(
                rule=f"name={path.name}",
                why=f"{owner} has this golden already, and one would overwrite the other",
                fix="Give one of the two tests another name: @pytest.mark.golden(name=...)",
            )
        self._used.add(str(path))
        self._folders.add(str(path.parent))

    def note_check(self, checked: Checked) -> None:
        """Note what was written."""
        if checked.action:
            self._actions.append((checked.action, str(checked.path)))
        if checked.action == "written" and checked.note:
            self._notes.append(f"{self._shown(checked.path)}: {checked.note}")

    def note_pending(self, path: Path) -> None:
        """Note that a golden that is missing waits for review."""
        self._actions.append(("pending", str(path)))

    def note_crash(self) -> None:
        """Note that a worker has not told what it saw."""
        self._has_crashed_worker = True

    def to_message(self) -> dict[str, Any]:  # what execnet can send
        """Return what the controller of xdist has to know."""
        return {
            "used": sorted(self._used),
            "claimed": sorted(self._claimed),
            "folders": sorted(self._folders),
            "actions": [list(action) for action in self._actions],
            "notes": list(self._notes),
        }

    def take_message(self, message: dict[str, Any]) -> None:  # as above
        """Add what a worker saw."""
        self._used |= set(message["used"])
        self._claimed |= set(message["claimed"])
        self._folders |= set(message["folders"])
        self._actions += [(action, path) for action, path in message["actions"]]
        self._notes += message["notes"]

    def finish(self, *, may_find_unused: bool) -> bool:
        """Look for unused goldens and review pending ones, as far as it was asked for; True when the session fails."""
        if may_find_unused and not self._has_crashed_worker:
            self._unused = self._find_unused()
        has_failed = bool(self._refused_in_ci)
        if self._unused:
            choice = self._unused_choice()
            if choice == "delete" and self.options.may_write:
                for path in self._unused:
                    self._deleted += golden_paths.remove(path)
            else:
                has_failed = choice != "warn"
        if self.config.option.golden_review and not self.options.is_ci:
            from otel_experiments._pytest_golden.review import review_in_terminal  # noqa: PLC0415 - asked for by few

            review_in_terminal(self.config, golden_paths.find_pending(map(Path, self._folders)))
        return has_failed

    @property
    def _refused_in_ci(self) -> list[str]:
        """The options that ask for something to be written which is not, because this is CI."""
        option = self.config.option
        is_refused = not self.options.may_write
        deletes = bool(self._unused) and self._unused_choice() == "delete"
        return [
            name
            for name, is_asked in (
                ("--golden-update", is_refused and option.golden_update is not None),
                ("--golden-review", self.options.is_ci and option.golden_review),
                ("--golden-unused=delete", is_refused and deletes),
            )
            if is_asked
        ]

    def summarize(self, reporter: pytest.TerminalReporter) -> None:
        """Print what was written, what waits, what is unused."""
        refused = self._refused_in_ci
        if not self._actions and not self._unused and not refused:
            return
        reporter.section("golden traces")
        for name in refused:
            reporter.line(f"{name}: nothing was done, for this is CI, and so the session fails.")
        if refused:
            reporter.line(
                "update goldens where you can read the result, or add --golden-force to --golden-update"
            )
        self._summarize_actions(reporter)
        for note in self._notes:
            reporter.line(note)
        self._summarize_unused(reporter)

    def _summarize_actions(self, reporter: pytest.TerminalReporter) -> None:
        for action in ("written", "updated", "pending"):
            paths = sorted({path for one, path in self._actions if one == action})
            if paths:
                reporter.line(f"{len(paths)} {action}:")
                for path in paths:
                    waiting = golden_paths.pending_path(Path(path)) if action == "pending" else Path(path)
                    reporter.line(f"  {self._shown(waiting)}")
        if any(action == "pending" for action, _ in self._actions):
            reporter.line(
                "review them: otel-experiments golden review      accept all: pytest --golden-update"
            )

    def _summarize_unused(self, reporter: pytest.TerminalReporter) -> None:
        if self._deleted:
            reporter.line(f"{len(self._unused)} unused goldens deleted:")
        elif self._unused:
            reporter.line(f"golden-unused: {len(self._unused)} goldens that no test asks for:")
        for unused in self._unused:
            reporter.line(f"  {self._shown(unused)}")
        if self._unused and not self._deleted:
            reporter.line("delete them: pytest --golden-unused=delete")

    def _unused_choice(self) -> str:
        return cast("str", self.config.option.golden_unused or self.config.getini("golden_unused"))

    def _find_unused(self) -> list[Path]:
        """Return goldens that no test asked for; those of a test that was skipped or failed early are its own."""
        claimed = tuple(path.removesuffix(golden_paths.SUFFIX) for path in self._claimed)
        found = []
        for path in golden_paths.find_goldens(map(Path, self._folders)):
            text = str(path)
            stem = text.removesuffix(golden_paths.SUFFIX)
            if text not in self._used and not any(
                stem == base or stem.startswith(f"{base}.") for base in claimed
            ):
                found.append(path)
        return found

    def _shown(self, path: Path) -> str:
        try:
            return os.path.relpath(path, self.config.invocation_params.dir)
        except ValueError:  # another drive
            return str(path)
