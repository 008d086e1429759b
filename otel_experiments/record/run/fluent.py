"""The module-level form, in the shape people know: `init`, `log`, `log_params`, `set_tag`, `finish`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Never, Self, cast

from opentelemetry.trace import INVALID_SPAN

from otel_experiments.codec.text import shown
from otel_experiments.errors import NoActiveRunError
from otel_experiments.model.run import RunState
from otel_experiments.record.base.artifact_digest import ArtifactDigest
from otel_experiments.record.base.current import active_runs, find_run, find_silent_run
from otel_experiments.record.base.other_trackers import bytes_among, tell_unknown
from otel_experiments.record.pipeline.flush_report import FlushReport
from otel_experiments.record.run.artifacts import Details
from otel_experiments.record.run.parts import RunParts, parts_of
from otel_experiments.record.spans.scopes import Scope

if TYPE_CHECKING:
    from datetime import datetime


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

    def run_for(self, action: str) -> RunParts | None:
        """Return the current run; None where recording is switched off and none was started.

        Raises:
            NoActiveRunError: there is no current run.
        """
        found = self.found()
        if found is not None:
            return found
        if self._is_enabled():
            raise NoActiveRunError(action=action, active=[run.name for run in active_runs.values()])
        return None

    def target(self, call: str, unknown: dict[str, Any]) -> RunParts | None:
        """Return the run that a call is for: the current one, or the active one that `run_id` names; that is taken out of `unknown`.

        Raises:
            NoActiveRunError: there is no current run.
        """
        run_id = unknown.pop("run_id", None)
        if run_id is None:
            return self.run_for(call)
        named = active_runs.get(run_id) if isinstance(run_id, str) else None
        if named is not None:
            return parts_of(named)
        current = self.run_for(call)
        if current is not None:
            current.core.guard.lost(
                "run id",
                f"{call}: run_id={shown(run_id)} is no run that this process records; what was given is lost. Record it there, "
                "or go on with that run: start_run(resume=ID)",
                name=call,
            )
        return None

    def found(self) -> RunParts | None:
        """Return the current run; None where there is none."""
        run = find_run() or find_silent_run()
        return None if run is None else parts_of(run)

    def log(
        self,
        values: Mapping[str, Any] | None = None,
        step: float | None = None,
        commit: bool | None = None,  # noqa: FBT001 - as in other trackers
        sync: bool | None = None,  # noqa: FBT001 - as above
        *,
        epoch: float | None = None,
        phase: str | None = None,
        time: datetime | float | None = None,
        lazy: bool = False,
        **unknown: Never,
    ) -> None:
        """Record metric points of the current run; see `Run.log`.

        Raises:
            NoActiveRunError: there is no current run.
        """
        run = self.target("log()", unknown) if unknown else self.run_for("log()")
        if run is not None:
            more: dict[str, Any] = (
                unknown if time is None and not lazy else {**unknown, "time": time, "lazy": lazy}
            )
            run.core.log(values, step, commit, sync, epoch=epoch, phase=phase, **more)

    def log_params(self, params: object, **unknown: Never) -> None:
        """Record params of the current run; see `Run.log_params`.

        Raises:
            NoActiveRunError: there is no current run.
        """
        run = self.target("log_params()", unknown)
        if run is not None:
            tell_unknown(run.core.guard, "log_params", unknown)
            run.recording.log_params(params)

    def set_tag(self, key: str, value: object = "", **unknown: Never) -> None:
        """Set a tag of the current run; None removes it.

        Raises:
            NoActiveRunError: there is no current run.
        """
        run = self.target("set_tag()", unknown)
        if run is not None:
            tell_unknown(run.core.guard, "set_tag", unknown)
            run.recording.set_tag(key, value)

    def set_tags(self, tags: Mapping[str, object] | Iterable[str], **unknown: Never) -> None:
        """Set tags of the current run.

        Raises:
            NoActiveRunError: there is no current run.
        """
        run = self.target("set_tags()", unknown)
        if run is not None:
            tell_unknown(run.core.guard, "set_tags", unknown)
            run.recording.set_tags(tags)

    def log_artifact(
        self,
        what: Any = None,
        name: str | None = None,
        type: str | None = None,  # noqa: A002 - as in other trackers
        aliases: Iterable[str] | None = None,
        *,
        step: float | None = None,
        metadata: Mapping[str, Any] | None = None,
        link: Literal["auto", "copy", "hardlink"] | None = None,
        **unknown: Never,
    ) -> ArtifactDigest:
        """Keep a file, a folder or bytes with the current run; see `Run.log_artifact`.

        The second argument is the name; a folder in the name, as in MLflow, is `artifact_path=`.

        Raises:
            NoActiveRunError: there is no current run.
        """
        given: dict[str, Any] = dict(unknown)
        run = self.target("log_artifact()", given)
        if run is None:
            return ArtifactDigest()
        what = bytes_among(what, given)
        found = run.artifacts.log(
            what, name, details=Details(type, step, metadata, aliases), link=link, unknown=given
        )
        return cast("ArtifactDigest", found)

    def span(self, name: str, **attributes: Any) -> Scope:
        """Open a span of the current run for any piece of work: `with ox.span("load", rows=3) as load:`.

        Raises:
            NoActiveRunError: there is no current run.
        """
        run = self.run_for("span()")
        return cast("Scope", _NoScope()) if run is None else run.work.trace(name, **attributes)

    def finish(
        self,
        state: RunState | str | int | None = RunState.SUCCEEDED,
        quiet: bool | None = None,  # noqa: ARG002, FBT001 - as in other trackers
        *,
        reason: str = "",
        exit_code: int | None = None,
        **unknown: Never,
    ) -> FlushReport | None:
        """End the current run; None when there is none. See `Run.finish`.

        Raises:
            IllegalTransitionError: `state` is not succeeded, failed or cancelled.
        """
        run = self.found()
        if run is None:
            return None
        report = run.life.finish(state, reason, exit_code, unknown)
        run.life.here.leave()
        return report

    def finish_unfinished(self) -> None:
        """End the current run, if `init` made it, as what is known of the program says; another is about to start.

        A run whose `with` block goes on stays: it ends with the block.
        """
        run = self.found()
        life = None if run is None else run.life
        if life is not None and not life.here.is_in_block:
            life.end_unfinished()
            life.here.leave()
