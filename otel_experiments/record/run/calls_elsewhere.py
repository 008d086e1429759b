"""Functions that other trackers have, over the current run: each does what it says there, by a call that we have anyway.

`ox.config`, `ox.summary` and `ox.define_metric` are wandb's; `ox.log_metric` and the rest are MLflow's fluent ones. A facade
over a whole API they are not: what has no meaning here is told once.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Never, cast

from otel_experiments.codec.plain import plain_value
from otel_experiments.codec.text import text_of
from otel_experiments.process.signals_wait import SignalsWait
from otel_experiments.record.base.artifact_digest import ArtifactDigest
from otel_experiments.record.base.current import active_runs
from otel_experiments.record.base.other_trackers import state_of, tell_unknown
from otel_experiments.record.params.config import Config
from otel_experiments.record.run.artifacts import Details
from otel_experiments.record.run.parts import RunParts
from otel_experiments.record.run.run import Run
from otel_experiments.record.run.summary import RunSummary

if TYPE_CHECKING:
    from otel_experiments.record.pipeline.flush_report import FlushReport
    from otel_experiments.record.run.fluent import Fluent

Finder = Callable[[str], "RunParts | None"]


class _OfCurrentRun:
    """Stands for the config or the summary of the run that is current when it is used."""

    def __init__(self, name: str, run: Finder) -> None:
        object.__setattr__(self, "_name", name)
        object.__setattr__(self, "_run", run)
        object.__setattr__(self, "__doc__", f"The {name} of the run that is current when it is used.")

    def _it(self) -> Any:  # a Config or a RunSummary
        parts = self._run(f"ox.{self._name}")
        return {} if parts is None else getattr(parts.recording, self._name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._it(), name)

    def __setattr__(self, name: str, value: object) -> None:
        self[name] = value

    def __getitem__(self, key: str) -> Any:
        return self._it()[key]

    def __setitem__(self, key: str, value: object) -> None:
        self._it()[key] = value

    def __contains__(self, key: object) -> bool:
        return key in self._it()

    def __iter__(self) -> Any:
        return iter(self._it())

    def __len__(self) -> int:
        return len(self._it())

    def __repr__(self) -> str:
        return f"<{self._name} of the current run>" if not active_runs else repr(self._it())


class CallsElsewhere:
    """The functions; `fluent` finds the current run.

    Attributes:
        config: that of the current run.
        summary: that of the current run.
    """

    def __init__(self, fluent: Fluent) -> None:
        self._fluent = fluent
        self._run = fluent.run_for
        self.config = cast("Config", _OfCurrentRun("config", self._run))
        self.summary = cast("RunSummary", _OfCurrentRun("summary", self._run))

    def define_metric(self, name: str, *words: Any, **said: Any) -> None:
        """Declare how metrics of the current run are to be read; see `Run.define_metric`.

        Raises:
            NoActiveRunError: there is no current run.
        """
        run = self._run("define_metric()")
        if run is not None:
            run.core.face.define_metric(name, *words, **said)

    def log_metric(
        self,
        key: str,
        value: Any,
        step: float | None = None,
        synchronous: bool | None = None,  # noqa: FBT001 - as in MLflow, and so are those below
        timestamp: int | None = None,
        run_id: str | None = None,
        **unknown: Never,
    ) -> None:
        """Record one value of one metric of the current run; see `Run.log`. `timestamp` is in milliseconds since 1970.

        Raises:
            NoActiveRunError: there is no current run.
        """
        run = self._fluent.target("log_metric()", {"run_id": run_id})
        if run is not None:
            _tell(run, "log_metric", unknown, synchronous=synchronous)
            run.recording.log_metric(key, value, step, None, **_at(timestamp))

    def log_metrics(
        self,
        metrics: Mapping[str, Any],
        step: float | None = None,
        synchronous: bool | None = None,  # noqa: FBT001 - as above
        run_id: str | None = None,
        timestamp: int | None = None,
        **unknown: Never,
    ) -> None:
        """Record values of the current run; see `Run.log`. `timestamp` is in milliseconds since 1970.

        Raises:
            NoActiveRunError: there is no current run.
        """
        run = self._fluent.target("log_metrics()", {"run_id": run_id})
        if run is not None:
            _tell(run, "log_metrics", unknown, synchronous=synchronous)
            run.core.log(metrics, step, **_at(timestamp))

    def log_param(self, key: str, value: object, synchronous: bool | None = None, **unknown: Never) -> object:  # noqa: FBT001 - as above
        """Record one param of the current run, and return its value.

        Raises:
            NoActiveRunError: there is no current run.
        """
        run = self._fluent.target("log_param()", unknown)
        if run is not None:
            _tell(run, "log_param", unknown, synchronous=synchronous)
            run.recording.log_param(key, value)
        return value

    def log_artifacts(
        self,
        local_dir: str | os.PathLike[str],
        artifact_path: str | None = None,
        run_id: str | None = None,
        **unknown: Never,
    ) -> ArtifactDigest:
        """Keep a folder with the current run; see `Run.log_artifact`. `artifact_path` is a folder in the name.

        Raises:
            NoActiveRunError: there is no current run.
        """
        run = self._fluent.target("log_artifacts()", {"run_id": run_id})
        if run is None:
            return ArtifactDigest()
        more = {} if artifact_path is None else {"artifact_path": artifact_path}
        kept = run.artifacts.log(local_dir, None, details=Details(), unknown={**unknown, **more})
        return cast("ArtifactDigest", kept)

    def log_text(self, text: str, artifact_file: str, run_id: str | None = None) -> ArtifactDigest:
        """Keep a text with the current run, as a file of that name; see `Run.log_artifact`.

        Raises:
            NoActiveRunError: there is no current run.
        """
        run = self._fluent.target("log_text()", {"run_id": run_id})
        return ArtifactDigest() if run is None else _keep(run, text_of(text), artifact_file)

    def log_dict(
        self, dictionary: Mapping[str, Any], artifact_file: str, run_id: str | None = None
    ) -> ArtifactDigest:
        """Keep a mapping with the current run, as a file of JSON of that name (which readers of YAML read as well).

        Raises:
            NoActiveRunError: there is no current run.
        """
        run = self._fluent.target("log_dict()", {"run_id": run_id})
        if run is None:
            return ArtifactDigest()
        with run.core.guard:
            return _keep(
                run, json.dumps(plain_value(dictionary), indent=2, ensure_ascii=False), artifact_file
            )
        return ArtifactDigest()

    def log_image(
        self,
        image: Any,
        artifact_file: str | None = None,
        key: str | None = None,
        step: float | None = None,
        timestamp: int | None = None,
        synchronous: bool | None = None,  # noqa: FBT001 - as above
    ) -> None:
        """Record a picture of the current run under `key`, or under the name of a file; see `Run.log`.

        Raises:
            NoActiveRunError: there is no current run.
        """
        run = self._run("log_image()")
        if run is not None:
            _tell(run, "log_image", {}, synchronous=synchronous)
            with SignalsWait("otel_experiments.codec.media.image"):
                from otel_experiments.codec.media.image import Image  # noqa: PLC0415 - few need it

            _log_medium(run, Image, image, key or artifact_file or "image", step, timestamp)

    def log_figure(self, figure: Any, artifact_file: str, *, save_kwargs: object = None) -> None:
        """Record a figure of matplotlib or plotly of the current run under a name; see `Run.log`.

        Raises:
            NoActiveRunError: there is no current run.
        """
        run = self._run("log_figure()")
        if run is not None:
            _tell(run, "log_figure", {}, save_kwargs=save_kwargs)
            with SignalsWait("otel_experiments.codec.media.figure"):
                from otel_experiments.codec.media.figure import Figure  # noqa: PLC0415 - as above

            _log_medium(run, Figure, figure, artifact_file)

    def log_table(self, data: Any, artifact_file: str, run_id: str | None = None) -> None:
        """Record a table of the current run, a mapping of columns or a frame, under a name; see `Run.log`.

        Raises:
            NoActiveRunError: there is no current run.
        """
        run = self._fluent.target("log_table()", {"run_id": run_id})
        if run is not None:
            with SignalsWait("otel_experiments.codec.media.table"):
                from otel_experiments.codec.media.table import Table  # noqa: PLC0415 - as above

            _log_medium(run, lambda rows: Table(data=rows), data, artifact_file)

    def end_run(self, status: object = "FINISHED") -> FlushReport | None:
        """End the current run; None when there is none. `status` is FINISHED, FAILED or KILLED, or a state of ours."""
        return self._fluent.finish(state_of(status))

    def active_run(self) -> Run | None:
        """Return the current run; None when there is none."""
        run = self._fluent.found()
        return None if run is None else cast("Run", run.core.face)


_MS: Final = 1000


def _at(timestamp_ms: Any) -> dict[str, Any]:
    """Return the argument of `log` for a time in milliseconds; what is no number is told there."""
    if timestamp_ms is None:
        return {}
    is_number = isinstance(timestamp_ms, (int, float)) and not isinstance(timestamp_ms, bool)
    return {"time": timestamp_ms / _MS if is_number else timestamp_ms}


def _tell(run: RunParts, call: str, unknown: Mapping[str, object], **without_effect: object) -> None:
    given = {name: value for name, value in without_effect.items() if value is not None}
    with run.core.guard:
        tell_unknown(run.core.guard, call, {**unknown, **given})


def _keep(run: RunParts, text: str, name: str) -> ArtifactDigest:
    kept = run.artifacts.log(text.encode("utf-8", "replace"), name, details=Details())
    return cast("ArtifactDigest", kept)


def _log_medium(
    run: RunParts,
    make: Callable[[Any], object],
    given: Any,
    name: str,
    step: Any = None,
    timestamp: Any = None,
) -> None:
    with SignalsWait("otel_experiments.codec.media.media"):
        from otel_experiments.codec.media.media import Media  # noqa: PLC0415 - as above

    with run.core.guard:
        medium = given if isinstance(given, Media) else make(given)
        run.core.log({name: medium}, step, **_at(timestamp))
