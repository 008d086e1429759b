"""What this process records inside a `with` block, as a captured run: for tests.

Recording goes to a store of its own in a temporary folder; no global provider is set, nothing is sent. Garbage is
collected before, and what then lives is left out of later collections until the block ends: else a pause that
belongs to all the tests before would fall into some stage of this run (14 ms measured in a stage of 2).
"""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from otel_experiments import _configure
from otel_experiments.capture.environment import describe_here
from otel_experiments.capture.exported import capture_exported
from otel_experiments.capture.stored import capture_store
from otel_experiments.errors import EmptyTraceError
from otel_experiments.exporters.golden import GoldenSpanExporter
from otel_experiments.golden.canonical.trace import CapturedRun

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider


class LiveCapture:
    """Records the runs of this process while it is open; afterwards `captured` is what was recorded.

    Runs that are open when the block ends are finished. What was configured before is shut down, so this belongs
    where nothing else records: into a test. A body that records no run but plain spans through `tracer_provider`
    (or through a provider given to the constructor) is captured too.

    Attributes:
        exporter: collects the spans of the block.
    """

    def __init__(
        self,
        *,
        name: str = "candidate",
        select: str | None = None,
        tracer_provider: TracerProvider | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._name = name
        self._select = select
        self._given = tracer_provider
        self._own: TracerProvider | None = None
        self._environment = environment
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._captured: CapturedRun | None = None
        self._is_open = False
        self._has_frozen = False
        self.exporter = GoldenSpanExporter()

    @property
    def tracer_provider(self) -> TracerProvider:
        """An SDK provider whose spans are captured, for code that takes one; made when first asked for."""
        if self._own is None:
            from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - rarely wanted

            self._own = TracerProvider(shutdown_on_exit=False)
            self._attach(self._own)
        return self._own

    @property
    def captured(self) -> CapturedRun:
        """What was recorded.

        Raises:
            EmptyTraceError: nothing was recorded, or the block has not ended well.
        """
        if self._captured is None:
            raise EmptyTraceError(run=self._name)
        return self._captured

    @property
    def is_captured(self) -> bool:
        """Whether the block has ended and a run was captured."""
        return self._captured is not None

    def __enter__(self) -> Self:
        if self._given is not None:
            self._attach(self._given)
        self._folder = tempfile.TemporaryDirectory(prefix="otel-experiments-golden-")
        _configure.configure(
            store=self._store, otlp=False, set_global=False, capture_git=False, system_metrics_s=0.0
        )
        self._is_open = True
        gc.collect()
        if not gc.get_freeze_count():  # whoever has frozen something wants it to stay so
            gc.freeze()
            self._has_frozen = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_open = False
        if self._has_frozen:
            gc.unfreeze()
            self._has_frozen = False
        folder, self._folder = self._folder, None
        assert folder is not None, "a block that is left was entered"
        with folder:
            _configure.shutdown()
            if self._own is not None:
                self._own.shutdown()
            if self._given is not None:
                self._given.force_flush()
            self.exporter.shutdown()
            if error is None:
                self._captured = self._collect(str(Path(folder.name) / "golden.db"))

    @property
    def _store(self) -> str:
        assert self._folder is not None, "a block that is open has a folder"
        return str(Path(self._folder.name) / "golden.db")

    def _collect(self, store: str) -> CapturedRun:
        environment = describe_here() if self._environment is None else self._environment
        try:
            return capture_store(store, select=self._select, environment=environment, name=self._name)
        except EmptyTraceError:
            if not self.exporter.spans:
                raise
            return capture_exported(self.exporter, environment=environment, name=self._name)

    def _attach(self, provider: TracerProvider) -> None:
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: PLC0415 - rarely wanted

        provider.add_span_processor(SimpleSpanProcessor(self.exporter))


def record_here(
    *, name: str = "candidate", select: str | None = None, tracer_provider: TracerProvider | None = None
) -> LiveCapture:
    """Return a capture of what this process records inside `with`.

    Args:
        name: what the run is called in messages.
        select: name of the run, where the body records several.
        tracer_provider: the application's own provider, whose spans are to be captured.
    """
    return LiveCapture(name=name, select=select, tracer_provider=tracer_provider)
