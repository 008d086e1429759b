"""The pieces of work that a run opens, each a span of its own type. `Run` has the documentation of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar, cast

from otel_experiments.codec.text import text_of
from otel_experiments.record.run.core import RunCore
from otel_experiments.record.spans.loops import Loops, counted
from otel_experiments.record.spans.scopes import CheckpointScope, Scope, plain_attributes
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv import metrics, values

Item = TypeVar("Item")


class Work:
    """The part of a run that opens scopes: stages, epochs, steps, batches, evaluations, checkpoints, inference."""

    def __init__(self, core: RunCore, loops: Loops) -> None:
        self._core = core
        self._loops = loops

    def _plain(self, attributes: dict[str, Any]) -> dict[str, Any]:
        return plain_attributes(self._core.guard, attributes)

    def stage(self, name: str, *, index: int | None = None, **attributes: Any) -> Scope:
        """Open a named part of the run: loading, training, exporting."""
        if type(name) is not str:
            name = text_of(name)
        found = {
            attr.ML_OPERATION_NAME: values.MlOperationName.STAGE,
            attr.ML_STAGE_NAME: name,
            **(attributes and self._plain(attributes)),
        }
        if index is not None:
            found[attr.ML_STAGE_INDEX] = index
        return Scope(self._core, f"stage {name}", found, duration=metrics.ML_STAGE_DURATION)

    def epoch(
        self, index: int, *, count: int | None = None, phase: str | None = None, **attributes: Any
    ) -> Scope:
        """Open one pass over the data."""
        found = {
            attr.ML_OPERATION_NAME: values.MlOperationName.EPOCH,
            attr.ML_EPOCH_INDEX: index,
            **(attributes and self._plain(attributes)),
        }
        if count is not None:
            found[attr.ML_EPOCH_COUNT] = count
        if phase is not None:
            found[attr.ML_PHASE] = phase
        return Scope(self._core, "epoch", found, duration=metrics.ML_EPOCH_DURATION)

    def step(
        self, index: int, *, epoch: int | None = None, batch_size: int | None = None, **attributes: Any
    ) -> Scope:
        """Open one update of the model; a span a step is for when you want to see each."""
        found = {
            attr.ML_OPERATION_NAME: values.MlOperationName.STEP,
            attr.ML_STEP_INDEX: index,
            **(attributes and self._plain(attributes)),
        }
        if epoch is not None:
            found[attr.ML_EPOCH_INDEX] = epoch
        if batch_size is not None:
            found[attr.ML_BATCH_SIZE] = batch_size
        return self._loops.chunked("step", found, metrics.ML_STEP_DURATION)

    def batch(self, index: int, *, size: int | None = None, **attributes: Any) -> Scope:
        """Open the work on one batch."""
        found = {
            attr.ML_OPERATION_NAME: values.MlOperationName.BATCH,
            attr.ML_BATCH_INDEX: index,
            **(attributes and self._plain(attributes)),
        }
        if size is not None:
            found[attr.ML_BATCH_SIZE] = size
        return self._loops.chunked("batch", found, None)

    def epochs(self, epochs: int | Iterable[int], phase: str | None) -> Iterator[int]:
        """Yield each epoch's index inside its span."""
        indices = counted(epochs)
        count = len(indices) if isinstance(indices, (range, list, tuple)) else None
        for index in indices:
            with self.epoch(index, count=count, phase=phase):
                yield index

    def steps(self, steps: int | Iterable[Item], *, spans: bool, start: int) -> Iterator[Item]:
        """Yield each item, inside a step span where wanted."""
        items = cast("Iterable[Item]", counted(steps))
        if not spans:
            yield from items
            return
        for index, item in enumerate(items, start):
            with self.step(index):
                yield item

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
        found: dict[str, Any] = {attr.ML_OPERATION_NAME: values.MlOperationName.EVALUATE}
        if type(name) is not str:
            name = text_of(name)
        optional = {
            attr.ML_EVALUATION_NAME: name or None,
            attr.ML_DATASET_NAME: dataset,
            attr.ML_DATASET_SPLIT: split,
            attr.ML_MODEL_NAME: model,
        }
        found |= {key: value for key, value in optional.items() if value is not None}
        return Scope(
            self._core,
            f"evaluate {name}" if name else "evaluate",
            found | self._plain(attributes),
            duration=metrics.ML_EVALUATION_DURATION,
        )

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
        operation = values.MlOperationName.LOAD_CHECKPOINT if load else values.MlOperationName.SAVE_CHECKPOINT
        found: dict[str, Any] = {attr.ML_OPERATION_NAME: operation, attr.ML_CHECKPOINT_NAME: name}
        if uri is not None:
            found[attr.ML_CHECKPOINT_URI] = uri
        if step is not None:
            found[attr.ML_STEP_INDEX] = step
        return CheckpointScope(
            self._core,
            str(operation),
            found | self._plain(attributes),
            duration=metrics.ML_CHECKPOINT_DURATION,
        )

    def inference(self, model: str, *, batch_size: int | None = None, **attributes: Any) -> Scope:
        """Open a prediction of a model."""
        if type(model) is not str:
            model = text_of(model)
        found: dict[str, Any] = {
            attr.ML_OPERATION_NAME: values.MlOperationName.INFER,
            attr.ML_MODEL_NAME: model,
        }
        if batch_size is not None:
            found[attr.ML_BATCH_SIZE] = batch_size
        return Scope(
            self._core,
            f"infer {model}",
            found | self._plain(attributes),
            duration=metrics.ML_INFERENCE_DURATION,
        )

    def trace(self, name: str, **attributes: Any) -> Scope:
        """Open a span for any other piece of work."""
        return Scope(
            self._core,
            name,
            {
                attr.ML_OPERATION_NAME: values.MlOperationName.TRACE,
                **(attributes and self._plain(attributes)),
            },
        )
