"""What a flush, or the end of a run, has reached."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class FlushReport:
    """What a flush, or the end of a run, has reached.

    Attributes:
        is_stored: everything recorded before the call is in the store.
        is_exported: OTLP took everything; True when OTLP is off.
        lost: how many items recording could not keep, by reason, since the start: of the run and of what belongs to no run
            (`run.flush()`, `run.finish()`), or of the whole process (`shutdown()`).
        store_error: why the store did not take them; empty where it did.
    """

    is_stored: bool
    is_exported: bool
    lost: dict[str, int] = field(default_factory=dict)
    store_error: str = ""

    def _repr_html_(self) -> str:
        from otel_experiments.record.pipeline.flush_html import flush_html  # noqa: PLC0415 - only notebooks ask

        return flush_html(self.lost, self.store_error, is_stored=self.is_stored, is_exported=self.is_exported)
