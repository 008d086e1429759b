"""Experiment spans as the seed documents them: metadata of a training step on a span of its own type.

They become ordinary spans of the model with typed attributes, so that a loss can be searched and compared as a
number. The seed wrote everything as text under names of its own; what became of them:

| seed (all texts) | here |
|---|---|
| model name | `ML_MODEL_NAME`, a string |
| epoch | `ML_EPOCH_INDEX`, an int |
| step | `ML_STEP_INDEX`, an int |
| loss | `loss`, a float: as every metric it keeps the name the user knows it by |
| metrics | each under its own name, a float; golden comparison reads them as curves over the index above |
| type of span, on the resource | name of the instrumentation scope (`SpanType.scope_name`): resources describe processes |

`to_points` gives the same numbers as metric points; `to_text_attributes` the seed's map of texts.
"""

from __future__ import annotations

import json
import math
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Self

from otel_experiments.errors import ExperimentMetadataError
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.span import AttributeValue, Resource, Scope, Span, SpanKind, StatusCode
from otel_experiments.semconv import attributes

_LOSS: Final = "loss"
_SCOPE_PREFIX: Final = "otel_experiments."
_LARGEST_EPOCH: Final = 2**32 - 1
_LARGEST_STEP: Final = 2**63 - 1
"""The largest int an OpenTelemetry attribute can hold; the seed's u64 goes one bit further."""

_WORDS: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""How JSON holds what it has no number for. Source: the JSON mapping of protobuf, as in OTLP."""


class SpanType(StrEnum):
    """What a span stands for; a scope that names none of these is an ordinary span."""

    SYSCALL = "syscall"
    """A system call."""
    GPU = "gpu"
    """An operation on a GPU: a kernel, a transfer."""
    EXPERIMENT = "experiment"
    """A piece of an experiment."""

    @property
    def scope_name(self) -> str:
        """Name of the instrumentation scope that spans of this type carry."""
        return _SCOPE_PREFIX + self.value


def read_span_type(span: Span) -> SpanType | None:
    """Return the type that the span's scope names; None for an ordinary span."""
    for kind in SpanType:
        if span.scope.name == kind.scope_name:
            return kind
    return None


@dataclass(frozen=True, slots=True)
class ExperimentMetadata:
    """What a training step is about: the model, where in the training, and its numbers.

    Attributes:
        model_name: the name of the model.
        epoch: the number of the pass over the data.
        step: the number of the update.
        loss: the loss of the step.
        metrics: other numbers by name.

    Raises:
        ExperimentMetadataError: an epoch, a step or a number is of the wrong type or out of range.
    """

    model_name: str = ""
    epoch: int | None = None
    step: int | None = None
    loss: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.model_name, str):
            raise ExperimentMetadataError(field="model_name", wanted="a string", found=repr(self.model_name))
        _check_count("epoch", self.epoch, _LARGEST_EPOCH)
        _check_count("step", self.step, _LARGEST_STEP)
        if self.loss is not None:
            object.__setattr__(self, "loss", _check_number("loss", self.loss))
        if not isinstance(self.metrics, Mapping):
            raise ExperimentMetadataError(field="metrics", wanted="a mapping", found=repr(self.metrics))
        for name in self.metrics:
            if not isinstance(name, str):
                raise ExperimentMetadataError(field="metrics", wanted="names as strings", found=repr(name))
        numbers = {name: _check_number(f"metrics.{name}", value) for name, value in self.metrics.items()}
        object.__setattr__(self, "metrics", numbers)

    def to_json(self) -> str:
        """Return the metadata as one line of strict JSON; NaN and infinities as the words of OTLP JSON."""
        fields = {
            "model_name": self.model_name,
            "epoch": self.epoch,
            "step": self.step,
            "loss": None if self.loss is None else _to_json_number(self.loss),
            "metrics": {name: _to_json_number(value) for name, value in sorted(self.metrics.items())},
        }
        return json.dumps(fields, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the metadata that `to_json` (or the seed) wrote; what is missing has its default.

        A metric that is null is NaN, since that is what the seed's writer makes of NaN. Unknown fields are
        left out, so that a newer writer can be read.

        Args:
            text: what `to_json` returned.

        Raises:
            ExperimentMetadataError: not JSON, not an object, or a field of the wrong type.
        """
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError) as exc:
            raise ExperimentMetadataError(field="", wanted="a JSON object", found=str(exc)) from exc
        if not isinstance(fields, dict):
            raise ExperimentMetadataError(field="", wanted="a JSON object", found=type(fields).__name__)
        metrics = fields.get("metrics", {})
        if not isinstance(metrics, dict):
            raise ExperimentMetadataError(field="metrics", wanted="a JSON object", found=repr(metrics))
        loss = fields.get("loss")
        return cls(
            model_name=fields.get("model_name", ""),
            epoch=fields.get("epoch"),
            step=fields.get("step"),
            loss=None if loss is None else _from_json_number(_LOSS, loss),
            metrics={
                name: math.nan if value is None else _from_json_number(f"metrics.{name}", value)
                for name, value in metrics.items()
            },
        )

    def to_attributes(self) -> dict[str, AttributeValue]:
        """Return typed attributes: of the vocabulary what has a name there, the numbers under their own names.

        The field `loss` wins over a metric called so, and the vocabulary over metrics of its names.
        """
        result: dict[str, AttributeValue] = dict(sorted(self.metrics.items()))
        if self.loss is not None:
            result[_LOSS] = self.loss
        result[attributes.ML_MODEL_NAME] = self.model_name
        if self.epoch is not None:
            result[attributes.ML_EPOCH_INDEX] = self.epoch
        if self.step is not None:
            result[attributes.ML_STEP_INDEX] = self.step
        return result

    def to_text_attributes(self, *, prefix: str) -> dict[str, str]:
        """Return the seed's map of texts, every key with `prefix`; for tools that were built on the seed."""
        texts = {"model_name": self.model_name}
        for name, value in (("epoch", self.epoch), ("step", self.step), (_LOSS, self.loss)):
            if value is not None:
                texts[name] = str(value)
        texts |= {f"metrics.{name}": str(value) for name, value in sorted(self.metrics.items())}
        return {prefix + name: value for name, value in texts.items()}

    def to_points(self, *, run_id: str, time_ns: int) -> PointBlock | None:
        """Return loss and metrics as points of the run at the step (or the epoch, or 0); None without numbers."""
        numbers = dict(sorted(self.metrics.items()))
        if self.loss is not None:
            numbers[_LOSS] = self.loss
        if not numbers:
            return None
        index = self.step if self.step is not None else self.epoch or 0
        return PointBlock(
            run_id=run_id,
            keys=tuple(SeriesKey(name) for name in numbers),
            steps=[float(index)],
            times_ns=[time_ns],
            values=tuple([value] for value in numbers.values()),
        )


@dataclass(slots=True)
class ExperimentSpan:
    """A span that is being timed; make it with `new_experiment`, end it, convert it.

    Attributes:
        trace_id, span_id, parent_span_id: its identity, in hexadecimal digits.
        name: what it is.
        span_type: what it stands for.
        metadata: what it is about.
        start_ns, end_ns: nanoseconds since the Unix epoch; `end_ns` is None while it is open.
        logical_clock: one more than the parent's, so that a child comes after its parent even where clocks of hosts disagree.
        status: how it ended.
        status_message: why.
        clock: tells nanoseconds since the Unix epoch.
    """

    trace_id: str
    span_id: str
    parent_span_id: str | None
    name: str
    span_type: SpanType
    metadata: ExperimentMetadata
    start_ns: int
    end_ns: int | None = None
    logical_clock: int = 0
    status: StatusCode = StatusCode.UNSET
    status_message: str = ""
    clock: Callable[[], int] = field(default=time.time_ns, repr=False, compare=False)

    @classmethod
    def new_experiment(
        cls, name: str, metadata: ExperimentMetadata, *, clock: Callable[[], int] = time.time_ns
    ) -> Self:
        """Return a started span of type experiment that is the root of a trace of its own."""
        return cls(
            trace_id=_draw_id(16),
            span_id=_draw_id(8),
            parent_span_id=None,
            name=name,
            span_type=SpanType.EXPERIMENT,
            metadata=metadata,
            start_ns=clock(),
            clock=clock,
        )

    @classmethod
    def new_experiment_with_parent(
        cls,
        name: str,
        metadata: ExperimentMetadata,
        *,
        parent: ExperimentSpan | Span,
        clock: Callable[[], int] = time.time_ns,
    ) -> Self:
        """Return a started span of type experiment below `parent`, in its trace."""
        span = cls.new_experiment(name, metadata, clock=clock)
        span.trace_id, span.parent_span_id = parent.trace_id, parent.span_id
        if isinstance(parent, ExperimentSpan):
            span.logical_clock = parent.logical_clock + 1
        return span

    def end(self, *, error: BaseException | str | None = None) -> None:
        """End the span now, as failed where an error is given; a span that has ended stays as it is."""
        if self.end_ns is not None:
            return
        self.end_ns = self.clock()
        if error is not None:
            self.status = StatusCode.ERROR
            self.status_message = error if isinstance(error, str) else f"{type(error).__name__}: {error}"

    def to_span(self, *, resource: Resource | None = None, run_id: str | None = None) -> Span:
        """Return the span as the store and golden comparison know it; still open when it has not ended.

        Args:
            resource: who made it.
            run_id: the run that it belongs to.
        """
        return Span(
            trace_id=self.trace_id,
            span_id=self.span_id,
            name=self.name,
            start_ns=self.start_ns,
            end_ns=self.end_ns,
            parent_span_id=self.parent_span_id,
            kind=SpanKind.INTERNAL,
            status=self.status,
            status_message=self.status_message,
            attributes=self.metadata.to_attributes(),
            resource=resource if resource is not None else Resource(),
            scope=Scope(name=self.span_type.scope_name),
            run_id=run_id,
        )


def _draw_id(size_bytes: int) -> str:
    """Return an id from the operating system's generator, never all zeros (which means "no id").

    Python's global generator is the experiment's and is not touched.
    """
    while True:
        drawn = secrets.token_bytes(size_bytes)
        if any(drawn):
            return drawn.hex()


def _check_count(name: str, value: int | None, largest: int) -> None:
    if value is None:
        return
    # bool is an int to Python and no count to anyone
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= largest:
        raise ExperimentMetadataError(field=name, wanted=f"an int from 0 to {largest}", found=repr(value))


def _check_number(name: str, value: float) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ExperimentMetadataError(field=name, wanted="a number", found=repr(value))
    try:
        return float(value)
    except OverflowError as exc:
        raise ExperimentMetadataError(
            field=name, wanted="a number that a double holds", found="a larger int"
        ) from exc


def _to_json_number(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _from_json_number(name: str, value: object) -> float:
    if isinstance(value, str) and value in _WORDS:
        return _WORDS[value]
    if not isinstance(value, int | float):
        raise ExperimentMetadataError(field=name, wanted="a number", found=repr(value))
    return value
