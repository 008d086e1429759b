"""The summary of a run that is being recorded: `run.summary["best"] = 0.93`.

What the program sets is recorded as it comes. What it reads is that, and beside it what the summary has of the metrics, for
which the store is given first what was recorded: reading is no call for a training step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from otel_experiments._short_repr import mapping_repr
from otel_experiments.codec.text import text_of
from otel_experiments.journal import encode
from otel_experiments.process.interruption import is_interruption
from otel_experiments.record.params.flatten import flatten_params

if TYPE_CHECKING:
    from otel_experiments.errors import InvalidNameError
    from otel_experiments.model.run import ParamValue
    from otel_experiments.record.run.core import RunCore


class RunSummary(Mapping[str, Any]):
    """What a run comes to: values that the program sets, and of each metric its last value or what `define_metric` says.

    Setting a key or an attribute records it; it wins over what the metric of that name says. Nested mappings make dotted
    keys. Readers have the same as `run(ID).summary`.
    """

    __slots__ = ("_core", "_set")

    def __init__(self, core: RunCore) -> None:
        object.__setattr__(self, "_core", core)
        object.__setattr__(self, "_set", {})

    def __setitem__(self, key: str, value: object) -> None:
        self.update({key: value})

    def __setattr__(self, name: str, value: object) -> None:
        self.update({name: value})

    def update(self, values: object = None, **more: object) -> None:
        """Set several values: a mapping, as for `Run.log_params`; later ones win."""
        core = self._core
        for given in (values, more or None):
            if given is None:
                continue
            with core.guard:
                try:
                    flat = flatten_params(given, self._refuse_name, self._tell_changed)
                except TypeError as error:
                    if is_interruption(error):
                        raise
                    core.guard.lost("summary value", f"The summary was given what is no mapping: {error}")
                    continue
                self._set.update(flat)
                if core.gate.is_closed:
                    core.gate.refuse("summary value", flat)
                elif flat:
                    self._write(core.pipeline.redactor.mapping(flat, "summary value"))

    def _write(self, flat: Mapping[str, ParamValue]) -> None:
        core, now_ns = self._core, self._core.stamp_ns()
        core.keep(encode.encode_summary(core.id, flat, now_ns), "Summary values", len(flat))
        core.pipeline.run_events.write_summary(core.id, flat, now_ns)

    def _refuse_name(self, error: InvalidNameError, count: int = 1) -> None:
        self._core.guard.lost("name", f"{error} What it names is lost", name=error.name, count=count)

    def _tell_changed(self, kind: str, name: str, what: str) -> None:
        self._core.guard.lost(kind, what, name=name)

    def _read(self) -> Mapping[str, Any]:
        core, found = self._core, cast("dict[str, Any]", {})
        with core.guard:
            core.points.behind.wait(core.pipeline.settings.exit_timeout_s)
            storage = core.pipeline.storage
            found = dict(storage.summary_of(core.id)) if storage is not None else {}
        # What was set while the run takes nothing is read all the same; dotted keys are in the store's mappings.
        return {**found, **{key: value for key, value in self._set.items() if not found or "." not in key}}

    def __getitem__(self, key: str) -> Any:
        return self._set[key] if key in self._set else self._read()[key]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError:
            raise AttributeError(
                f"The run's summary has no {name!r}.\n  It has: {', '.join(map(text_of, self)) or 'nothing'}."
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __repr__(self) -> str:
        return mapping_repr("RunSummary", self._read())
