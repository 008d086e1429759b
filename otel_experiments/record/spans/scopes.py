"""The typed spans inside a run, as context managers: stage, epoch, step, batch, evaluation, checkpoint, inference.

A scope opens a span of the run, makes it current, and ends it with the exception that left the body, if any.
The exception passes through untouched: the same object with the same traceback. A scope that was opened before
a fork is not ended in the child: it is the parent's.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Never

from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.trace import Link, Span, Status, StatusCode

from otel_experiments._short_repr import short
from otel_experiments.codec.plain import SCALARS, plain_value
from otel_experiments.codec.text import shown, text_of
from otel_experiments.process.bytecode import begins_uninterrupted
from otel_experiments.process.fork import at_fork
from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.lanes import current_lane, next_sequence
from otel_experiments.record.base.current import RUN_KEY, detach
from otel_experiments.record.base.exceptions import EXCEPTION_EVENT, error_type, exception_attributes
from otel_experiments.record.base.provider_watch import look_again
from otel_experiments.record.base.value_loss import told_of
from otel_experiments.record.base.written import Written
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv.definitions import MetricDef

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Self

    from otel_experiments.model.span import AttributeValue
    from otel_experiments.record.base.guard import RunGuard
    from otel_experiments.record.spans.scoped_run import ScopedRun

_NOT_FAILURES: Final = (GeneratorExit,)
_thread_time_ns = time.thread_time_ns
_get_ident = threading.get_ident

_LEFT: Final = object()
_PLACE: Final = (attr.ML_EPOCH_INDEX, attr.ML_STEP_INDEX)
_PLACE_KEY: Final = context_api.create_key("otel-experiments-place")

fork_generation = 0
"""How many forks lie between the first process of the program and this one."""


def _count_fork() -> None:
    global fork_generation  # noqa: PLW0603 - identity of the process
    fork_generation += 1


at_fork(after_in_child=_count_fork)


class Scope:
    """An open piece of work of a run.

    `with run.stage("load") as stage:` opens and ends it. `stage.span` is the OpenTelemetry span.

    Attributes:
        span: the OpenTelemetry span; one that records nothing, before the block begins.
    """

    __slots__ = (
        "_attributes",
        "_cpu_start_ns",
        "_duration",
        "_generation",
        "_ident",
        "_links",
        "_name",
        "_parent",
        "_run",
        "_token",
        "span",
    )

    def __init__(
        self,
        run: ScopedRun,
        name: str,
        attributes: dict[str, Any],
        *,
        duration: MetricDef | None = None,
        links: tuple[Link, ...] = (),
        parent: context_api.Context | None = None,
    ) -> None:
        self._run = run
        self._name = name
        self._attributes = attributes
        self._duration = duration
        self._links = links
        self._parent = parent
        self._token: object | None = None
        self.span: Span = trace.INVALID_SPAN

    def __repr__(self) -> str:
        return f"{type(self).__name__}({short(self._name)})"

    @property
    def run(self) -> Any:  # a `Run`, a class that is above this module
        """The run that the scope belongs to."""
        return self._run.face

    def set_attribute(self, key: str, value: Any) -> None:  # whatever OpenTelemetry accepts
        """Set an attribute of the scope's span."""
        self.span.set_attribute(key, plain_attribute(self._run.guard, key, value))

    def log(
        self,
        values: Mapping[str, Any],
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
        """Record metric points of the run; see `Run.log`."""
        more: dict[str, Any] = (
            unknown if time is None and not lazy else {**unknown, "time": time, "lazy": lazy}
        )
        self._run.log(values, step, commit, sync, epoch=epoch, phase=phase, **more)

    def __enter__(self) -> Self:
        run = self._run
        if run.gate.is_closed:
            run.gate.refuse("span")
            return self
        here = context_api.get_current()
        try:
            look_again()
            attributes = self._attributes
            attributes[attr.ML_SPAN_LANE] = current_lane()
            attributes[attr.ML_SPAN_SEQUENCE] = next_sequence()
            context = self._parent or (here if here.get(RUN_KEY) is run else run.context_here())
            self.span = span = run.providers.spans.start_span(
                self._name, context, attributes, start_ns=run.pipeline.clock(), links=self._links
            )
            run.count_started_span()
            self._generation = fork_generation
            self._ident = _get_ident()
            inside = trace.set_span_in_context(span, context)
            if attr.ML_EPOCH_INDEX in attributes or attr.ML_STEP_INDEX in attributes:
                place = dict(place_of(context))
                place.update((key, attributes[key]) for key in _PLACE if key in attributes)
                inside = context_api.set_value(_PLACE_KEY, place, inside)
            self._token = context_api.attach(inside)
            self._cpu_start_ns = (
                _thread_time_ns()
            )  # last: a signal that is waiting is handled here, not in `__exit__`
        except BaseException as error:
            self._undo(here, error)
            if is_interruption(error):
                raise
            run.guard.lost(
                "scope",
                f"The span {shown(self._name)} was not opened: {error!r}",
                name=text_of(self._name),
                error=error,
            )
        return self

    def _undo(self, here: context_api.Context, error: BaseException) -> None:
        """Leave nothing behind where opening came to no end: `with` calls no `__exit__` then."""
        self._token = None
        try:
            if context_api.get_current() is not here:
                context_api.attach(here)
        finally:
            span, self.span = self.span, trace.INVALID_SPAN
            if span is not trace.INVALID_SPAN:
                try:
                    mark_failed(span, error)
                finally:
                    span.end(self._run.pipeline.clock())

    @begins_uninterrupted
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> Literal[False]:
        token, self._token = self._token, None
        if token is None or self._generation != fork_generation:
            return False
        span = self.span
        try:
            try:
                if token is not _LEFT:
                    detach(token)
                if self._ident == _get_ident() and "/task-" not in self._attributes[attr.ML_SPAN_LANE]:
                    span.set_attribute(attr.ML_SPAN_CPU_TIME, _thread_time_ns() - self._cpu_start_ns)
                if error is not None and not isinstance(error, _NOT_FAILURES):
                    mark_failed(span, error)
                self._before_end(error)
            finally:
                span.end(self._run.pipeline.clock())
            if self._duration is not None:
                self._run.record_duration(self._duration, span)
        except BaseException as failure:
            if is_interruption(failure):
                self._end_anyway(token, span)
                raise
            self._run.guard.lost(
                "scope",
                f"The span {shown(self._name)} was not ended: {failure!r}",
                name=text_of(self._name),
                error=failure,
            )
        return False

    def _end_anyway(self, token: object, span: Span) -> None:
        """End what a signal handler's exception cut short, as far as it has not ended."""
        try:
            if token is not _LEFT:
                detach(token)
        finally:
            if span.is_recording():
                span.end(self._run.pipeline.clock())

    def leave_context(self) -> None:
        """Make the enclosing span current again, while this one stays open: for generators between two items."""
        if self._token is not None and self._token is not _LEFT:
            token, self._token = self._token, _LEFT
            detach(token)
            self._ident = 0

    def _before_end(self, error: BaseException | None) -> None:
        """Let a kind of scope add what it knows only at the end."""

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> Literal[False]:
        return self.__exit__(kind, error, traceback)


class CheckpointScope(Scope):
    """A checkpoint being saved or loaded; `checkpoint.wrote(path)` tells where and how large it is."""

    __slots__ = ("_written",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._written: Written | None = None

    def wrote(
        self,
        path: str | os.PathLike[str],
        *,
        keep: bool = False,
        hash: bool | None = None,  # noqa: A002 - what it is
    ) -> None:
        """Note the file or folder of the checkpoint; its size and digest are read when the scope ends.

        A checkpoint of more than 16 MiB is hashed on another thread, and its event comes when that is done; the span has the
        digest of smaller ones only.

        Args:
            path: where it is.
            keep: keep its bytes, as an artifact of type `checkpoint` under the checkpoint's name.
            hash: True waits for the digest, whatever the size; False does without it.
        """
        try:
            self._written = Written(os.fspath(path), is_kept=keep, is_hashed=hash)
        except Exception as error:  # a foreign __fspath__ may do anything
            if is_interruption(error):
                raise
            self._run.guard.lost(
                "checkpoint path",
                f"The checkpoint {self._name!r} has no path {shown(path)}, which is of type {type(path).__name__}; "
                "pass a str or a pathlib.Path",
                name=text_of(self._name),
            )

    def _before_end(self, error: BaseException | None) -> None:
        written = self._written
        if written is None:
            return
        self.span.set_attribute(attr.ML_CHECKPOINT_URI, written.path)
        size = _size_bytes(written.path)
        if size is not None:
            self.span.set_attribute(attr.ML_CHECKPOINT_SIZE, size)
        if error is None and (digest := self._run.note_checkpoint(self._attributes, written, size)):
            self.span.set_attribute(attr.ARTIFACT_HASH, digest)


def context_inside(scope: Scope) -> context_api.Context:
    """Return the caller's context with the scope's span as the current one."""
    return trace.set_span_in_context(scope.span, scope._run.context_here())  # noqa: SLF001 - `run` is for users


def _size_bytes(path: str) -> int | None:
    """Return the bytes of a file or of what is in a folder. Not by `os.walk` and `isdir`, which swallow a TimeoutError."""
    try:
        found = os.stat(path)  # noqa: PTH116 - may be a URI; pathlib would change it
        if not stat.S_ISDIR(found.st_mode):
            return found.st_size
        size, waiting = 0, [path]
        while waiting:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        size += entry.stat().st_size
    except (OSError, ValueError) as error:
        if is_interruption(error):
            raise
        return None
    return size


def plain_attribute(guard: RunGuard, key: str, value: Any) -> AttributeValue:
    """Return the value of an attribute as OpenTelemetry knows it; what is not kept exactly is told."""
    if type(value) in SCALARS:
        return value  # type: ignore[no-any-return] # one of the types of an AttributeValue

    def tell(kind: str, name: str, what: str) -> None:
        guard.lost(kind, what, name=name)

    return plain_value(value, on_loss=told_of(key, tell, subject="The attribute"))


def plain_attributes(guard: RunGuard, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes as OpenTelemetry knows them; see `plain_attribute`."""
    return {key: plain_attribute(guard, key, value) for key, value in attributes.items()}


def mark_failed(span: Span, error: BaseException) -> None:
    """Set status, `error.type` and the exception event of a span that an exception left."""
    name = error_type(error)
    span.set_attribute(attr.ERROR_TYPE, name)
    try:
        span.record_exception(error)
    except Exception as failure:  # the SDK asks for the exception's text, which may do anything
        if is_interruption(failure):
            raise
        span.add_event(EXCEPTION_EVENT, exception_attributes(error))
    span.set_status(Status(StatusCode.ERROR, f"{name}: {text_of(error)}"[:1000]))


def place_of(context: context_api.Context) -> Mapping[str, Any]:
    """Return the index of the epoch and of the step that `context` is inside of, as attributes."""
    found = context.get(_PLACE_KEY)
    return found if found is not None and isinstance(found, Mapping) else {}


def run_context(run: ScopedRun, context: context_api.Context) -> context_api.Context:
    """Return the context in which `run` is current."""
    return context_api.set_value(RUN_KEY, run, context)
