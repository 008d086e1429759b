"""The module-level form, in the shape people know: `init`, `log`, `log_params`, `set_tag`, `finish`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Never, Self, cast

from opentelemetry.trace import INVALID_SPAN

from otel_experiments.errors import NoActiveRunError
from otel_experiments.model.run import RunState
from otel_experiments.record.pipeline.pipeline import FlushReport
from otel_experiments.record.run.current import active_runs, find_run
from otel_experiments.record.run.run import Run
from otel_experiments.record.spans.scopes import Scope


class _NoScope:
    """What `span` opens where recording is switched off: the shape of a scope, and nothing in it."""

    span = INVALID_SPAN

    def set_attribute(self, key: str, value: object) -> None:
        """Keep nothing."""

    def log(self, values: Mapping[str, Any], *at: object, **where: object) -> None:
        """Record nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        return None


class Fluent:
    """The functions over the current run. `is_enabled` tells whether recording is on at all."""

    def __init__(self, is_enabled: Callable[[], bool]) -> None:
        self._is_enabled = is_enabled

    def _run(self, action: str) -> Run | None:
        run = find_run()
        if run is None and self._is_enabled():
            raise NoActiveRunError(action=action, active=[run.name for run in active_runs.values()])
        return run

    def log(
        self,
        values: Mapping[str, Any],
        step: float | None = None,
        commit: bool | None = None,  # noqa: FBT001 - as in other trackers
        sync: bool | None = None,  # noqa: FBT001 - as above
        *,
        epoch: float | None = None,
        phase: str | None = None,
        **unknown: Never,
    ) -> None:
        """Record metric points of the current run; see `Run.log`.

        Raises:
            NoActiveRunError: there is no current run.
        """
        run = self._run("log()")
        if run is not None:
            run.log(values, step, commit, sync, epoch=epoch, phase=phase, **unknown)

    def log_params(self, params: object) -> None:
        """Record params of the current run; see `Run.log_params`.

        Raises:
            NoActiveRunError: there is no current run.
        """
        run = self._run("log_params()")
        if run is not None:
            run.log_params(params)

    def set_tag(self, key: str, value: object = "") -> None:
        """Set a tag of the current run; None removes it.

        Raises:
            NoActiveRunError: there is no current run.
        """
        run = self._run("set_tag()")
        if run is not None:
            run.set_tag(key, value)

    def set_tags(self, tags: Mapping[str, object] | Iterable[str]) -> None:
        """Set tags of the current run.

        Raises:
            NoActiveRunError: there is no current run.
        """
        run = self._run("set_tags()")
        if run is not None:
            run.set_tags(tags)

    def span(self, name: str, **attributes: Any) -> Scope:
        """Open a span of the current run for any piece of work: `with ox.span("load", rows=3) as load:`.

        Raises:
            NoActiveRunError: there is no current run.
        """
        run = self._run("span()")
        return cast("Scope", _NoScope()) if run is None else run.span(name, **attributes)

    def finish(
        self,
        state: RunState | str | int | None = RunState.SUCCEEDED,
        quiet: bool | None = None,  # noqa: FBT001 - as in other trackers
        *,
        reason: str = "",
        exit_code: int | None = None,
        **unknown: Never,
    ) -> FlushReport | None:
        """End the current run; None when there is none. See `Run.finish`.

        Raises:
            IllegalTransitionError: `state` is not succeeded, failed or cancelled.
        """
        run = find_run()
        if run is None:
            return None
        report = run.finish(state, quiet, reason=reason, exit_code=exit_code, **unknown)
        run.leave()
        return report

    def finish_unfinished(self) -> None:
        """End the current run, if `init` made it, as what is known of the program says; another is about to start.

        A run whose `with` block goes on stays: it ends with the block.
        """
        run = find_run()
        if run is not None and not run.is_in_block:
            run.end_unfinished()
            run.leave()
