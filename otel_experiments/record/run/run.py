"""A run as users have it: one execution of an experiment, from its start to its end.

This module documents what a run offers and does none of it. Its parts do: `life` (states, pauses, end), `recording` (points,
params, tags, events), `artifacts` (bytes), `work` (spans), over what they share in `core`. Whatever else this package needs of a run is a
method of a part, never of `Run`: every name on it is a promise to users.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Never, TypeVar, cast, overload

from otel_experiments.codec.text import shown, text_of
from otel_experiments.model.run import RunState
from otel_experiments.process.bytecode import begins_uninterrupted
from otel_experiments.record.base import propagation
from otel_experiments.record.base.exceptions import error_type
from otel_experiments.record.base.other_trackers import no_attribute
from otel_experiments.record.metrics.definitions import GivenDefinition
from otel_experiments.record.params.config import Config
from otel_experiments.record.pipeline.flush_report import FlushReport
from otel_experiments.record.run.artifacts import Details
from otel_experiments.record.run.endings import Ending
from otel_experiments.record.run.labels import RunTags
from otel_experiments.record.run.model_link import link_model
from otel_experiments.record.run.parts import RunParts
from otel_experiments.record.run.summary import RunSummary
from otel_experiments.record.spans.scopes import CheckpointScope, Scope

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Self

    from opentelemetry._logs import Logger
    from opentelemetry.metrics import Meter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Link, Span, Tracer

    from otel_experiments.model.metric import Direction
    from otel_experiments.record.base.artifact_digest import ArtifactDigest
    from otel_experiments.record.base.used_artifact import UsedArtifact
    from otel_experiments.record.pipeline.artifact_queue import ArtifactHandle

Item = TypeVar("Item")


class Run:
    """One execution of an experiment. Made by `start_run`, `init` or the decorator `run`.

    Used with `with`, it ends by itself: succeeded, failed with the exception that left the body, or cancelled
    by KeyboardInterrupt or SIGTERM. Used as an object, `finish()` ends it. None of its methods that record ever
    raises into training code: what cannot be recorded is counted and told once.

    Attributes:
        id: the run's id, 32 hex digits; it is the trace id of the run's root trace.
        experiment: as given, or that of the setting.
        config: the params with attribute access, `run.config.optimizer.lr`.
        tracer: makes spans inside the run.
    """

    id: str
    experiment: str
    tracer: Tracer

    def __init__(self, parts: RunParts) -> None:
        core = parts.core
        self._core, self._life = core, parts.life
        self._recording, self._work = parts.recording, parts.work
        self._artifacts, self._labels = parts.artifacts, parts.labels
        self.id = core.id
        self.experiment = core.experiment
        self.tracer = core.tracer
        if type(self).log is Run.log:  # the hot path: a call less
            self.log = core.log  # type: ignore[method-assign] # the same signature
        core.face = self

    def __repr__(self) -> str:
        return f"Run({shown(self.name)}, id={self.id!r}, state={str(self.state)!r})"

    def _repr_html_(self) -> str:
        from otel_experiments.record.run.run_html import live_run_html  # noqa: PLC0415 - only notebooks ask

        return live_run_html(
            self.id, self.name, self.experiment, str(self.state), self.config.flat, self.refused
        )

    if not TYPE_CHECKING:  # a type checker that saw it would take every misspelt name for granted

        def __getattr__(self, name: str) -> object:
            raise AttributeError(no_attribute(name), name=name, obj=self)

        def __setattr__(self, name: str, value: object) -> None:
            is_ours = not name.startswith("_") and self._core.face is self  # and made
            if not is_ours or self._labels.may_set(type(self), name):
                object.__setattr__(self, name, value)

    def start(self, *, links: Sequence[Link] = ()) -> Self:
        """Write the run's record, open its root span and make it active. `start_run` has done it already.

        Raises:
            IllegalTransitionError: the run has started before.
        """
        self._life.start(links)
        return self

    def __enter__(self) -> Self:
        self._life.enter()
        return self

    @begins_uninterrupted
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> Literal[False]:
        try:
            self._life.leave_block(error)
        except BaseException:  # a signal handler's, Ctrl-C say: the run ends, and then that goes on
            self._life.leave_block(error)
            raise
        return False

    @property
    def name(self) -> str:
        """What people call the run, as given or made up. One that is assigned renames the run."""
        return self._core.name

    @name.setter
    def name(self, name: str) -> None:
        self._labels.rename(name)

    @property
    def group(self) -> str:
        """The group that the run is in; one that is assigned puts it into another, the empty one into none."""
        return self._labels.group

    @group.setter
    def group(self, group: str | None) -> None:
        self._labels.regroup(group)

    @property
    def note(self) -> str:
        """The note on the run, in Markdown; one that is assigned replaces it. `notes` is the same."""
        return self._labels.note

    @note.setter
    def note(self, text: str | None) -> None:
        self._labels.write_note(text)

    notes = note

    @property
    def tags(self) -> RunTags:
        """The tags of the run, as this process knows them. A mapping that is assigned replaces them; names leave those with a value."""
        return self._labels.tags

    @tags.setter
    def tags(self, tags: Mapping[str, object] | Iterable[str]) -> None:
        self._labels.retag(tags)

    @property
    def state(self) -> RunState:
        """The run's state as this process knows it."""
        return self._core.state

    @property
    def is_active(self) -> bool:
        """Whether the run still records."""
        return not self._core.state.is_terminal

    def pause(self) -> None:
        """Record nothing until `resume`; pauses are in no duration.

        Points, events, log records, params, tags and new spans that come meanwhile are counted by kind (`refused`)
        and not recorded. Spans that are open may end; samples of the machine go on.

        Raises:
            IllegalTransitionError: the run is not running.
        """
        self._life.pause()

    def resume(self) -> None:
        """Record again.

        Raises:
            IllegalTransitionError: the run is not paused.
        """
        self._life.resume()

    @property
    def refused_count(self) -> int:
        """How many items came while the run was paused or after its end, and were not recorded."""
        return self._core.gate.refused.total()

    @property
    def refused(self) -> Mapping[str, int]:
        """How many came of each kind: point, event, log record, param, tag, span, ..."""
        return dict(self._core.gate.refused)

    def finish(
        self,
        state: RunState | str | int | None = RunState.SUCCEEDED,
        quiet: bool | None = None,  # noqa: ARG002, FBT001 - as in other trackers
        *,
        reason: str = "",
        exit_code: int | None = None,
        **unknown: Never,
    ) -> FlushReport:
        """End the run and wait (within the exit budget) until the store has it; later calls change nothing.

        A number as the state, or `exit_code`, is the exit code of a program: 0 is succeeded, another failed.

        Raises:
            IllegalTransitionError: `state` is not succeeded, failed or cancelled.
        """
        return self._life.finish(state, reason, exit_code, unknown)

    def fail(self, error: BaseException | str) -> FlushReport:
        """End the run as failed, with an exception or a text as the reason."""
        if isinstance(error, BaseException):
            return self._life.end(Ending(RunState.FAILED, text_of(error), error, error_type(error)))
        return self._life.end(Ending(RunState.FAILED, error))

    def cancel(self, reason: str = "") -> FlushReport:
        """End the run as cancelled."""
        return self._life.end(Ending(RunState.CANCELLED, reason))

    def flush(self, *, timeout_s: float = 5.0) -> FlushReport:
        """Wait until what was recorded is stored and exported; the report says how far that went."""
        return self._core.flush(timeout_s)

    def environment(self, *, joins: bool = True) -> dict[str, str]:
        """Return the environment variables with which another process joins this run; sets none of them.

        `subprocess.run(command, env={**os.environ, **run.environment()})`, or `worker_init` in a pool. What the
        process records goes into this run, its spans under the span that is current here.

        Args:
            joins: False for a process that starts runs of its own: they are part of this run, as trials are of a sweep,
                and their root spans link to the span that is current here.

        Raises:
            ConfigurationError: the run is kept in memory, where no other process finds it.
        """
        return propagation.environment_of(self._core, joins=joins)

    def log(
        self,
        values: Mapping[str, Any],  # numbers of any library: whatever has __float__
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
        """Record one value for each metric at one step.

        When the call returns, SIGKILL loses none of it. Steps may repeat, go back or be floats; without one,
        each metric gets its highest step so far plus one, from 0 on; with `step_axis="call"` all of them get the
        number of the call. NaN and infinities are kept exactly. `epoch` is
        recorded as a metric of that name, `phase` (train, validation, test, or any text) makes a series of its
        own. Nested mappings make dotted names. Pictures, figures, tables, texts, sounds and distributions (`ox.Image`,
        `ox.Table`, ...; figures, images of Pillow and frames as they are; lists of them) are kept too, and read back by
        `ox.run(...).media`. What is neither is counted and told once for its name; the other values of the call are kept.

        Args:
            values: by the metric's name.
            step: where the points are on the axis; a number.
            commit: False lets the next call without a step go on at the step of this one. The points are recorded at once.
            sync: does nothing; calls written for other trackers have it.
            epoch: a value of the metric `epoch`.
            phase: the phase of all values.
            time: when the values were measured, by default now: a datetime (one without a zone is local time), or
                seconds since the Unix epoch, as `time.time()` returns them.
            lazy: tensors of torch and arrays of JAX are fetched behind: they are cloned on their device at the call, and
                a thread fetches them in the order of the calls. They are not safe against SIGKILL when the call returns; `flush` and the
                end of the run wait for them, and what was not fetched in time is counted.
            **unknown: arguments that there are not; each is told and counted.

        Units: the metrics' own.
        """
        more: dict[str, Any] = (
            unknown if time is None and not lazy else {**unknown, "time": time, "lazy": lazy}
        )
        self._core.log(values, step, commit, sync, epoch=epoch, phase=phase, **more)

    def log_metric(
        self, name: str, value: Any, *, step: float | None = None, phase: str | None = None
    ) -> None:  # as `log`
        """Record one value of one metric; see `log`."""
        self._recording.log_metric(name, value, step, phase)

    def log_metric_at(self, name: str, step: float, value: Any, *, phase: str | None = None) -> None:
        """Record one value of one metric at a step; see `log`."""
        self._recording.log_metric(name, value, step, phase)

    def next_step(self, name: str, *, phase: str | None = None) -> float:
        """Return the step that the metric's next point gets when none is given; of the run, where it counts calls."""
        core = self._core
        return core.points.next_step(name, phase) if core.axis is None else core.axis.step

    def define_metric(
        self,
        pattern: str,
        step_metric: str | None = None,
        step_sync: bool | None = None,  # noqa: FBT001 - as in other trackers
        hidden: bool | None = None,  # noqa: FBT001 - as above
        summary: str | None = None,
        goal: str | None = None,
        overwrite: bool | None = None,  # noqa: FBT001 - as above
        *,
        direction: Direction | None = None,
        **unknown: Never,
    ) -> None:
        """Declare how metrics are to be read; a later call for the same pattern adds to what an earlier one said.

        Args:
            pattern: the metric's name, or a glob such as `val/*`; a name counts before globs, a longer glob before a shorter.
            step_metric: the metric that is the x axis where its curve is read and drawn, such as `epoch`.
            step_sync: False does nothing: a point always stands at the axis' latest value before it.
            hidden: tables of all metrics leave it out; False shows again what a shorter glob hides.
            summary: what the run's summary has of it: `min`, `max`, `mean`, `last`, `first`, `best`, `none`, or several
                with commas between; by default the last value.
            goal: `minimize` or `maximize`; the same as `direction`.
            overwrite: forget what earlier calls said.
            direction: which values are better, `min` or `max`.
            **unknown: arguments that there are not; each is told and counted.
        """
        given = GivenDefinition(direction, goal, summary, step_metric, hidden, overwrite)
        ignored = {"step_sync": step_sync if step_sync is False else None}
        self._recording.define_metric(pattern, given, ignored, unknown)

    @property
    def summary(self) -> RunSummary:
        """What the run comes to; a value that is set wins over the metric of that name: `run.summary["best"] = 0.93`."""
        return self._recording.summary

    @property
    def config(self) -> Config:
        """The params, with attribute access; a mapping that is assigned is added to them, as by `update`."""
        return self._recording.config

    @config.setter
    def config(self, params: Mapping[str, Any]) -> None:
        self.log_params(params)

    def log_params(self, params: object) -> None:
        """Record params: a mapping, Namespace, dataclass or pydantic model, nested as it likes; later values win."""
        self._recording.log_params(params)

    def log_param(self, name: str, value: object) -> None:
        """Record one param."""
        self._recording.log_param(name, value)

    def set_tag(self, key: str, value: object = "") -> None:
        """Set a tag; None removes it."""
        self._recording.set_tag(key, value)

    def set_tags(self, tags: Mapping[str, object] | Iterable[str]) -> None:
        """Set tags: a mapping, or names whose value is empty."""
        self._recording.set_tags(tags)

    def emit(self, event_name: str, body: Any = None, attributes: Mapping[str, Any] | None = None) -> None:
        """Record an event of the run: a log record with a name. `body` is any value, unlimited in size.

        An event whose name is empty or not a text is not recorded; a warning and the run's losses say so.
        """
        self._recording.emit(event_name, body, attributes)

    def count(self, *, samples: int = 0, tokens: int = 0) -> None:
        """Add to the run's counters of samples and tokens trained on."""
        self._recording.count(samples, tokens)

    @overload
    def log_artifact(
        self,
        what: Any,
        name: str | None = None,
        type: str | None = None,
        aliases: Iterable[str] | None = None,
        *,
        step: float | None = None,
        metadata: Mapping[str, Any] | None = None,
        link: Literal["auto", "copy", "hardlink"] | None = None,
        wait: Literal[True] = True,
    ) -> ArtifactDigest: ...
    @overload
    def log_artifact(
        self,
        what: Any,
        name: str | None = None,
        type: str | None = None,
        aliases: Iterable[str] | None = None,
        *,
        step: float | None = None,
        metadata: Mapping[str, Any] | None = None,
        link: Literal["auto", "copy", "hardlink"] | None = None,
        wait: Literal[False],
    ) -> ArtifactHandle: ...
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
        wait: bool = True,
        **unknown: Never,
    ) -> ArtifactDigest | ArtifactHandle:
        """Keep bytes with the run: a file, a folder, `bytes`, or a file that is open for reading in binary mode.

        They are kept by their digest, so equal bytes take room once. `name` belongs to the experiment; by default it is
        the last part of the path. Other bytes under the same name are its next version. When the call returns, SIGKILL
        loses none of it. What cannot be kept is counted and told once for its name, and the digest is empty.

        Args:
            what: the bytes, or where they are. A text is a path.
            name: what people call it; without `:`. `training/model` is a name as well. (MLflow's second argument is a
                folder; pass that one as `artifact_path=`.)
            type: what it is, such as `model` or `dataset`; by default `file` or `folder`.
            aliases: names of this version, such as `best`, that move when another version gets them. `latest` moves
                by itself.
            step: the step that it belongs to; inside a step's scope, that one.
            metadata: more about it, as params.
            link: `auto` shares blocks with the file where the filesystem can, else copies; `copy` always copies;
                `hardlink` makes the kept file the one that was given.
            wait: False keeps it on another thread and returns a handle at once. The file must not change until then; of
                bytes at most 64 MiB wait, and what is more is kept at once.
            **unknown: arguments of other trackers: `artifact_path` is a folder in the name, `artifact_or_path` is `what`,
                others are told and ignored.
        """
        return self._artifacts.log(
            what,
            name,
            details=Details(type, step, metadata, aliases),
            wait=wait,
            link=link,
            unknown=unknown,
        )

    def log_artifacts(
        self,
        folder: str | os.PathLike[str],
        name: str | None = None,
        *,
        type: str | None = None,  # noqa: A002 - as above
        **unknown: Never,
    ) -> ArtifactDigest:
        """Keep a folder as one artifact; `log_artifact` does it as well."""
        kept = self._artifacts.log(folder, name, details=Details(type), unknown=unknown)
        return cast("ArtifactDigest", kept)

    def use_artifact(self, ref: Any = None, type: str | None = None, **unknown: Never) -> UsedArtifact:  # noqa: A002 - as above
        """Return an artifact to read, and record that the run uses it: `run.use_artifact("data:v3").download("data")`.

        Args:
            ref: `NAME` for its latest version, `NAME:ALIAS`, `NAME:v3`, `EXPERIMENT/NAME...` of another experiment, a
                digest or the beginning of one, or an artifact that was read.
            type: what it should be; where it is something else, a warning says so.
            **unknown: arguments of other trackers: `artifact_or_name` is `ref`, others are told and ignored.

        Raises:
            ArtifactNotFoundError: there is none.
        """
        ref = unknown.pop("artifact_or_name", None) if ref is None else ref
        return self._artifacts.use(ref, type, unknown)

    def set_alias(self, ref: Any, alias: str) -> None:
        """Have `alias` mean a version of an artifact: by name the one that this run logged last, else as `use_artifact`."""
        self._artifacts.set_alias(ref, alias)

    def link_model(
        self,
        path: str | os.PathLike[str],
        name: str | None = None,
        *,
        aliases: Iterable[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        **unknown: Never,
    ) -> ArtifactDigest:
        """Keep a saved model as an artifact of type `model`, and write `PATH.otel-experiments.json` beside it.

        That file says which run made the model, with params, tags and the summary of its metrics so far; it goes where the
        model goes. `otel_experiments.run_of(path)` finds the run by it, or by the model's digest.
        """
        return link_model(
            self._core, self._artifacts, path, name, Details("model", None, metadata, aliases), unknown
        )

    @property
    def meter(self) -> Meter:
        """A meter for instruments of your own; what they collect goes to the store and to OTLP."""
        return self._core.providers.user_meter

    @property
    def logger(self) -> Logger:
        """A logger for log records of your own."""
        return self._core.providers.logger

    @property
    def tracer_provider(self) -> TracerProvider:
        """The run's own tracer provider, for libraries that take one; the run's `tracer` is of it."""
        return self._core.providers.tracer_provider

    @property
    def otel_span(self) -> Span:
        """The run's root span; in a process that joined the run, that process's own span."""
        return self._core.otel_span

    def stage(self, name: str, *, index: int | None = None, **attributes: Any) -> Scope:
        """Open a named part of the run: loading, training, exporting."""
        return self._work.stage(name, index=index, **attributes)

    def epoch(
        self, index: int, *, count: int | None = None, phase: str | None = None, **attributes: Any
    ) -> Scope:
        """Open one pass over the data."""
        return self._work.epoch(index, count=count, phase=phase, **attributes)

    def step(
        self, index: int, *, epoch: int | None = None, batch_size: int | None = None, **attributes: Any
    ) -> Scope:
        """Open one update of the model; a span a step is for when you want to see each."""
        return self._work.step(index, epoch=epoch, batch_size=batch_size, **attributes)

    def batch(self, index: int, *, size: int | None = None, **attributes: Any) -> Scope:
        """Open the work on one batch."""
        return self._work.batch(index, size=size, **attributes)

    def epochs(self, epochs: int | Iterable[int], *, phase: str | None = None) -> Iterator[int]:
        """Yield the indices of the epochs, each inside its own span: `for epoch in run.epochs(3): ...`."""
        return self._work.epochs(epochs, phase)

    def steps(self, steps: int | Iterable[Item], *, spans: bool = False, start: int = 0) -> Iterator[Item]:
        """Yield the items of a loop over steps; with `spans=True` each inside a span of its own."""
        return self._work.steps(steps, spans=spans, start=start)

    def evaluation(
        self,
        name: str = "",
        *,
        dataset: str | None = None,
        split: str | None = None,
        model: str | None = None,
        **attributes: Any,
    ) -> Scope:
        """Open an evaluation of a model on a dataset."""
        return self._work.evaluation(name, dataset=dataset, split=split, model=model, **attributes)

    def checkpoint(
        self,
        name: str,
        *,
        uri: str | None = None,
        step: int | None = None,
        load: bool = False,
        **attributes: Any,
    ) -> CheckpointScope:
        """Open the saving (or, with `load=True`, loading) of a checkpoint."""
        return self._work.checkpoint(name, uri=uri, step=step, load=load, **attributes)

    def inference(self, model: str, *, batch_size: int | None = None, **attributes: Any) -> Scope:
        """Open a prediction of a model."""
        return self._work.inference(model, batch_size=batch_size, **attributes)

    def span(self, name: str, **attributes: Any) -> Scope:
        """Open a span for any piece of work: `with run.span("load", rows=3) as load:`; `trace` is the same."""
        return self._work.trace(name, **attributes)

    def trace(self, name: str, **attributes: Any) -> Scope:
        """Open a span for any other piece of work."""
        return self._work.trace(name, **attributes)


def make_current(run: Run) -> Run:
    """Make a run current in the caller's context until it ends, without `with`, and return it."""
    run._life.stay()  # noqa: SLF001 - `stay` is no promise to users
    return run
